"""Predictions for the rows of a table, the lines of a file or of standard input; none is dropped or misread."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import typer

from gatewise import files
from gatewise.data.encodings import check_encoding
from gatewise.data.labelled_lines import holds_labelled_lines, read_labelled_lines
from gatewise.data.rows import MISSING, TABLE_SUFFIXES, Rows, is_table, read_rows, read_text
from gatewise.data.tab_tables import holds_tab_table
from gatewise.data.tables import check_lengths, find_text_columns, joined_note, neither_named, texts_of
from gatewise.data.text_files import lines_of
from gatewise.data.text_or_label import text_and_label_by_values
from gatewise.errors import DataError, OptionError, StorageError
from gatewise.kinds.classification.thresholds import THRESHOLD
from gatewise.screen import say
from gatewise.training.request import blank_note

if TYPE_CHECKING:
    from gatewise.kinds.classification.exported import ExportedClassifier
    from gatewise.kinds.classification.trained import TrainedClassifier
    from gatewise.training.kind import Request

__all__ = ["answer_of", "answers_of", "check_out", "label", "read_request"]

_KEYS = ("label", "probability", "probabilities")
_BATCH = 256
_BURST = 1 << 16
_OUT = {".csv": ",", ".txt": ",", "": ",", ".tsv": "\t", ".tab": "\t", ".jsonl": "", ".ndjson": "", ".json": ""}


class Answer(NamedTuple):
    """What the network says of one text; None for a blank one."""

    text: str
    probabilities: npt.NDArray[np.float64] | None


@dataclass
class Texts:
    """Texts in order, and the rows that they came from.

    Attributes:
        texts: one per row; blank where there is none.
        rows: the table; None: each text stands for itself.
        notes: for the user.
    """

    texts: list[str]
    rows: Rows | None = None
    notes: list[str] = field(default_factory=list)


def label(classifier: TrainedClassifier | ExportedClassifier, request: Request) -> None:
    """Predict for every text of a request and write the answers to standard output or ``--out``.

    Raises:
        DataError: there is no text, or the file cannot be used.
        OptionError: options that do not go together, or ``--out`` is the input.
        StorageError: ``--out`` cannot be written.
    """
    piped = not request.inputs and (request.file is None or str(request.file) == "-")
    if request.settings.get("text") is not None and (piped or request.inputs or not is_table(_file(request))):
        raise OptionError(
            "--text names a column, and a line of text has none",
            expected=f"a table ({', '.join(TABLE_SUFFIXES)})",
            got="standard input" if piped else "texts" if request.inputs else str(request.file),
            fix="omit --text, or give the table with --file",
        )
    if piped:
        _label_arriving(classifier, request)
        return
    given = read_request(classifier, request)
    for note in given.notes:
        say(f"Note: {note}", err=True)
    (_show if request.out is None else _write)(classifier, given, request)


def _label_arriving(classifier: TrainedClassifier | ExportedClassifier, request: Request) -> None:
    """Label the lines of standard input as they arrive, or all into ``--out``; blank ones are said."""
    count, blank, kept = 0, list[int](), list[str]()
    for texts in _arriving(request.settings.get("encoding")):
        blank += _blank(texts, count)
        count += len(texts)
        if request.out is None:
            _show(classifier, Texts(texts), request)
        else:
            kept += texts
    if count == len(blank):
        raise _no_text()
    if blank:
        say(f"Note: {blank_note(blank, count)}", err=True)
    if request.out is not None:
        _write(classifier, Texts(kept), request)


def read_request(classifier: TrainedClassifier | ExportedClassifier, request: Request) -> Texts:
    """The texts of the command line or of ``--file``: rows of a table, or the lines of any other file.

    Labels of fastText's lines are no part of the texts.

    Raises:
        DataError: the file cannot be used.
    """
    if request.inputs:
        return Texts(list(request.inputs))
    path, encoding, fallback = _file(request), request.settings.get("encoding"), classifier.spec.data.encoding
    labelled = holds_labelled_lines(path)
    if not (labelled or is_table(path) or holds_tab_table(path)):
        content, notes = read_text(path, encoding, "one text a line", fallback)
        texts = [line.strip() for line in lines_of(content)]
        if blank := _blank(texts):
            notes = [*notes, blank_note(blank, len(texts))]
        return Texts(texts, notes=notes)
    if labelled:
        content, notes = read_text(path, encoding, "one text a line", fallback)
        rows = read_labelled_lines(path, content, blank=True)
        rows.notes[:0] = notes
    else:
        rows = read_rows(path, encoding=encoding, fallback=fallback)
    if not rows.values:
        raise DataError(f"{path} has a header but no rows", fix="name a file that has records")
    asked, usual = request.settings.get("text"), None if labelled else classifier.spec.data.text
    if asked is None and usual is None and neither_named(rows.columns) and (derived := text_and_label_by_values(rows)):
        usual = derived[0]
    places = find_text_columns(path, rows.columns, asked, usual)
    texts = texts_of(rows, places)
    check_lengths(path, texts, rows.numbers, rows.unit)
    notes = [*rows.notes, *joined_note(rows, places)]
    blank = [index for index, text in enumerate(texts) if not text.strip()]
    if blank:
        many = f"{len(blank):,} of {len(texts):,} texts {'is' if len(blank) == 1 else 'are'} blank"
        notes.append(f"{many} ({rows.where(blank)}): no prediction there")
    return Texts(texts, rows, notes)


def _file(request: Request) -> Path:
    assert request.file is not None
    return request.file


def _no_text() -> DataError:
    return DataError("there is no text to label", fix="give texts after the run folder, --file, or standard input")


def _blank(texts: Sequence[str], before: int = 0) -> list[int]:
    """The numbers of the lines that hold no text, after so many others."""
    return [number for number, text in enumerate(texts, start=before + 1) if not text.strip()]


def _arriving(encoding: str | None) -> Iterator[list[str]]:
    """Lines of standard input, blank ones too: all that have arrived by now, without waiting for more."""
    if sys.stdin.isatty():
        say("Reading texts from standard input, one a line; end with Ctrl-D.", err=True)
    name = "utf-8" if encoding is None else check_encoding(encoding)
    if name.startswith(("utf-16", "utf-32")):
        raise OptionError(f"standard input cannot be read as {name}", expected="an encoding with single-byte line ends")
    source: Any = sys.stdin.buffer  # buffered, so that it has `read1`, which waits for the first bytes only
    number, rest = 0, b""
    while True:
        chunk = source.read1(_BURST)
        *lines, rest = (rest + chunk).split(b"\n")
        if not chunk and rest:
            lines, rest = [rest], b""
        texts: list[str] = []
        for line in lines:
            number += 1
            try:
                text = line.removeprefix(b"\xef\xbb\xbf" if number == 1 else b"").decode(name).strip()
            except UnicodeDecodeError as error:
                if texts:
                    yield texts
                raise DataError(
                    f"standard input, line {number} is not {name.upper()}",
                    got=str(error),
                    fix="name its encoding, for example --encoding cp1252",
                ) from error
            texts.append(text)
        if texts:
            yield texts
        if not chunk:
            return


def _answers(classifier: TrainedClassifier | ExportedClassifier, texts: Sequence[str]) -> Iterator[Answer]:
    """The probabilities of each text in order, some at a time."""
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        known = [text for text in batch if text.strip()]
        found = iter(classifier.predict_proba(known) if known else ())
        for text in batch:
            yield Answer(text, next(found) if text.strip() else None)


def chosen(row: npt.NDArray[np.float64], thresholds: npt.ArrayLike) -> list[int]:
    """The labels of a text that may have several: each from its threshold on, in the order of the names."""
    return np.flatnonzero(row >= np.asarray(thresholds)).tolist()


def _joined(classifier: TrainedClassifier | ExportedClassifier, row: npt.NDArray[np.float64]) -> tuple[str, str]:
    """The labels of a text and their probabilities, separated as in the training file."""
    sign, found = classifier.separator, chosen(row, classifier.thresholds)
    return sign.join(classifier.label_names[index] for index in found), sign.join(
        f"{row[index]:.6f}" for index in found
    )


def _record(answer: Answer, classifier: TrainedClassifier | ExportedClassifier) -> dict[str, Any]:
    """An answer for JSON."""
    if answer.probabilities is None:
        return {"labels": None, "probabilities": None} if classifier.multi_label else dict.fromkeys(_KEYS)
    return answer_of(
        classifier.label_names,
        answer.probabilities,
        multi_label=classifier.multi_label,
        thresholds=classifier.thresholds,
    )


def answers_of(classifier: TrainedClassifier | ExportedClassifier, texts: Sequence[Any]) -> list[dict[str, Any]]:
    """The records of texts as JSON gave them.

    Raises:
        DataError: one is not a string.
    """
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"input {place + 1} is not a text", expected="a string", got=type(text).__name__)
    return [_record(answer, classifier) for answer in _answers(classifier, texts)]


def answer_of(
    names: Sequence[str],
    chances: npt.NDArray[np.float64],
    *,
    multi_label: bool,
    thresholds: npt.ArrayLike = THRESHOLD,
) -> dict[str, Any]:
    """The answer for one text, ready for JSON.

    Example:
        >>> answer_of(["no", "yes"], np.array([0.25, 0.75]), multi_label=False)
        {'label': 'yes', 'probability': 0.75, 'probabilities': {'no': 0.25, 'yes': 0.75}}
    """
    shares = dict(zip(names, chances.tolist(), strict=True))
    if multi_label:
        return {"labels": [names[index] for index in chosen(chances, thresholds)], "probabilities": shares}
    best = int(chances.argmax())
    return {"label": names[best], "probability": shares[names[best]], "probabilities": shares}


def _json_records(classifier: TrainedClassifier | ExportedClassifier, given: Texts) -> Iterator[str]:
    """One JSON object per text; of a table with its columns under ``row``."""
    columns = [] if given.rows is None else _distinct(given.rows.columns)
    for index, answer in enumerate(_answers(classifier, given.texts)):
        record = _record(answer, classifier)
        if given.rows is not None:
            values = zip(columns, given.rows.values[index], strict=True)
            record["row"] = {name: _plain(value) for name, value in values if value is not MISSING}
        yield json.dumps(record, ensure_ascii=False, default=str)


def _show(classifier: TrainedClassifier | ExportedClassifier, given: Texts, request: Request) -> None:
    """Print one line per text, each at once."""
    if request.as_json:
        for line in _json_records(classifier, given):
            typer.echo(line)
        return
    names = classifier.label_names
    width = max(len(name) for name in names)
    for text, row in _answers(classifier, given.texts):
        if row is None:
            typer.echo(f"{'':<{width}}      –    (blank)")
        elif classifier.multi_label:
            found = ", ".join(
                f"{names[index]} {100 * row[index]:.1f} %" for index in chosen(row, classifier.thresholds)
            )
            typer.echo(f"{found or '(no label)'}  {_short(text)}")
        else:
            best = int(row.argmax())
            typer.echo(f"{names[best]:<{width}}  {100 * row[best]:5.1f} %  {_short(text)}")


def _write(classifier: TrainedClassifier | ExportedClassifier, given: Texts, request: Request) -> None:
    """Write all answers into ``--out``, whole or not at all."""
    out = request.out
    if out is None or not given.texts:
        return
    suffix = out.suffix.lower()
    if suffix == ".json":
        content = "[\n" + ",\n".join(_json_records(classifier, given)) + "\n]\n"
    elif request.as_json or suffix in (".jsonl", ".ndjson"):
        content = "".join(f"{line}\n" for line in _json_records(classifier, given))
    else:
        content = _separated(classifier, given, _OUT[suffix])
    files.write_bytes(out, content.encode("utf-8", "replace"))
    say(f"{len(given.texts):,} predictions written to {out}", err=True)


def _separated(classifier: TrainedClassifier | ExportedClassifier, given: Texts, separator: str) -> str:
    """The rows with the columns ``predicted`` and ``probability``."""
    columns = ("text",) if given.rows is None else given.rows.columns
    own: list[str] = []
    for name in ("predicted", "probabilities" if classifier.multi_label else "probability"):
        own.append(_free(name, [*columns, *own]))
    content = io.StringIO(newline="")
    writer = csv.writer(content, delimiter=separator, lineterminator="\n")
    writer.writerow([*columns, *own])
    names = classifier.label_names
    for index, (text, row) in enumerate(_answers(classifier, given.texts)):
        values = [text] if given.rows is None else [_cell(value) for value in given.rows.values[index]]
        if row is None:
            answer = ("", "")
        elif classifier.multi_label:
            answer = _joined(classifier, row)
        else:
            answer = (names[int(row.argmax())], f"{row.max():.6f}")
        writer.writerow([*values, *answer])
    return content.getvalue()


def _free(name: str, taken: Sequence[str]) -> str:
    """A column name that is not taken: ``predicted``, ``predicted_2``."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _distinct(names: Sequence[str]) -> list[str]:
    """Column names of which none comes twice."""
    found: list[str] = []
    for name in names:
        found.append(_free(name, found))
    return found


def _plain(value: Any) -> Any:
    """A value that JSON has: NaN and infinity become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _cell(value: Any) -> str:
    """A value as a field of a separated file."""
    if value is None or value is MISSING or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(_plain(value), ensure_ascii=False, default=str)
    return str(value)


def check_out(out: Path, file: Path | None) -> None:
    """Refuse an output that would overwrite the input or cannot be written, before anything is computed."""
    if file is not None and out.exists() and file.exists() and out.samefile(file):
        raise OptionError(
            f"--out {out} is the input file",
            expected="another file",
            fix="choose a new name: the input is never changed",
        )
    if out.suffix.lower() not in _OUT:
        raise OptionError(
            f"--out {out} has a suffix that cannot be written",
            expected=", ".join(suffix for suffix in _OUT if suffix),
            got=out.suffix,
            fix="write CSV, which spreadsheets open: --out labels.csv",
        )
    if out.is_dir() or not out.parent.is_dir():
        raise StorageError(
            f"cannot write {out}",
            got="a folder" if out.is_dir() else f"there is no folder {out.parent}",
            fix="name a file in a folder that exists",
        )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:79] + "…"
