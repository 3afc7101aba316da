"""A user's file (CSV, TSV, JSONL, Parquet) to texts and labels; every error names the line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewise.data.text_files import read_text_file
from gatewise.errors import DataError, did_you_mean

__all__ = ["MAX_CHARACTERS", "Table", "read_table"]

MAX_CHARACTERS = 1_000_000
_SUFFIXES = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".jsonl": "", ".ndjson": "", ".parquet": ""}


@dataclass(frozen=True)
class Table:
    """Texts, labels as written, and the line (or row) each came from."""

    path: Path
    texts: list[str]
    labels: list[str]
    lines: list[int]


def read_table(path: str | Path, text: str | None = None, label: str | None = None) -> Table:
    """Read the two columns of a CSV, TSV, JSONL or Parquet file.

    Args:
        path: the file; its suffix gives its format. A CSV may also be separated by semicolons or tabs, like its header.
        text: the column that holds the texts; None: ``text``.
        label: the column that holds the labels; None: ``label``.

    Returns:
        The checked table; texts unchanged, labels stripped of surrounding space.

    Raises:
        DataError: the file cannot be used; the message names the line and the fix.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "reviews.csv"
        >>> _ = path.write_text("review,mood\\ngood film,glad\\nbad film,sad\\n")
        >>> read_table(path, "review", "mood").labels
        ['glad', 'sad']
    """
    path = Path(path)
    kind = path.suffix.lower()
    if path.exists() and not path.is_dir() and kind not in _SUFFIXES:
        raise DataError(
            f"{path} has a suffix that is not known",
            expected=", ".join(_SUFFIXES),
            got=kind or "no suffix",
            fix="save it as CSV with a header line, or as JSONL: one JSON object a line",
        )
    if kind in (".jsonl", ".ndjson"):
        rows = _json_rows(path, read_text_file(path), text, label)
    elif kind == ".parquet":
        rows = _parquet_rows(path, text, label)
    else:
        rows = _separated_rows(path, read_text_file(path), _SUFFIXES.get(kind, ","), text, label)
    table = Table(path, [], [], [])
    for line, words, name in rows:
        table.texts.append(words)
        table.labels.append(name.strip())
        table.lines.append(line)
    _check(table)
    return table


def _check(table: Table) -> None:
    """Refuse unusable tables: no rows, empty texts or labels, texts of many megabytes."""
    if not table.texts:
        raise DataError(f"{table.path} has a header but no rows", fix="name a file that has records")
    for what, values in (("text", table.texts), ("label", table.labels)):
        empty = [line for line, value in zip(table.lines, values, strict=True) if not value.strip()]
        if empty:
            where = ", ".join(map(str, empty[:5])) + (" ..." if len(empty) > 5 else "")
            raise DataError(
                f"{table.path} has {len(empty)} row{'s' if len(empty) > 1 else ''} with an empty {what}",
                got=f"line{'s' if len(empty) > 1 else ''} {where}",
                fix="fill these rows or delete them",
            )
    for line, value in zip(table.lines, table.texts, strict=True):
        if len(value) > MAX_CHARACTERS:
            raise DataError(
                f"{table.path} has a text of {len(value):,} characters in line {line}",
                expected=f"at most {MAX_CHARACTERS:,}",
                fix="split it into several texts, or look for a quotation mark that is never closed",
            )


def _separated_rows(
    path: Path, content: str, separator: str, text: str | None, label: str | None
) -> Iterator[tuple[int, str, str]]:
    header_line = content.lstrip("\r\n").split("\n", 1)[0]
    if separator == "," and "," not in header_line:
        separator = next((other for other in ";\t|" if other in header_line), separator)
    with _any_field_size():
        # `strict` makes a stray quotation mark an error instead of a silently merged pair of rows
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
        start = 1
        header: list[str] | None = None
        places = (0, 0)
        try:
            for row in reader:
                if not row or row == [""]:
                    pass
                elif header is None:
                    header = [name.strip() for name in row]
                    places = _find_columns(path, header, text, label)
                elif len(row) != len(header):
                    raise DataError(
                        f"{path}, line {start}: the row has {len(row)} fields",
                        expected=f"{len(header)}, as the header",
                        fix="put texts that hold the separator or a line break in double quotes",
                    )
                else:
                    yield start, row[places[0]], row[places[1]]
                start = reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{path}, line {start}: broken quoting in the row that starts here ({error})",
                fix='close the quotation mark, and write a quotation mark inside a quoted text twice: ""',
            ) from error


@contextmanager
def _any_field_size() -> Iterator[None]:
    """Lift the csv module's limit of 128 KiB a field, which is global, while a file is read."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _json_rows(path: Path, content: str, text: str | None, label: str | None) -> Iterator[tuple[int, str, str]]:
    places: tuple[str, str] | None = None
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {number}: not JSON ({error.msg} at character {error.pos + 1})",
                expected='one object a line: {"text": "...", "label": "..."}',
            ) from error
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: not a JSON object", got=type(record).__name__)
        if places is None:
            keys = [str(key) for key in record]
            first, second = _find_columns(path, keys, text, label)
            places = keys[first], keys[second]
        for key in places:
            if key not in record:
                raise DataError(
                    f"{path}, line {number}: the key {key!r} is missing", got=", ".join(map(str, record)) or "no key"
                )
        words = record[places[0]]
        if words is not None and not isinstance(words, str):
            raise DataError(f"{path}, line {number}: {places[0]!r} is not a string", got=type(words).__name__)
        yield number, words or "", _label_name(record[places[1]], f"{path}, line {number}")


def _parquet_rows(path: Path, text: str | None, label: str | None) -> Iterator[tuple[int, str, str]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DataError(
            f"{path} needs pyarrow to be read", fix="pip install 'gatewise[parquet]', or save the file as CSV"
        ) from error
    if not path.exists():
        read_text_file(path)
    try:
        file = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a Parquet file", got=str(error).splitlines()[0]) from error
    names = [str(name) for name in file.schema_arrow.names]
    first, second = _find_columns(path, names, text, label)
    number = 0
    for batch in file.iter_batches(columns=[names[first], names[second]]):
        columns = batch.to_pydict()
        for words, name in zip(columns[names[first]], columns[names[second]], strict=True):
            number += 1
            if words is not None and not isinstance(words, str):
                raise DataError(f"{path}, row {number}: {names[first]!r} is not a string", got=type(words).__name__)
            yield number, words or "", _label_name(name, f"{path}, row {number}")


def _label_name(value: Any, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    raise DataError(f"{place}: the label is not a class", expected="a string or a whole number", got=repr(value))


def _find_columns(path: Path, names: list[str], text: str | None, label: str | None) -> tuple[int, int]:
    doubled = sorted({name for name in names if names.count(name) > 1})
    for asked in (text or "text", label or "label"):
        if asked in doubled:
            raise DataError(f"{path} has the column {asked!r} twice", fix="rename one of them")
    found = _find_column(path, names, text, "text"), _find_column(path, names, label, "label")
    if found[0] == found[1]:
        raise DataError(f"the column {names[found[0]]!r} cannot be both text and label", got=", ".join(names))
    return found


def _find_column(path: Path, names: list[str], asked: str | None, role: str) -> int:
    wanted = role if asked is None else asked
    if wanted in names:
        return names.index(wanted)
    folded = [name.casefold() for name in names]
    if asked is None and folded.count(wanted) == 1:
        return folded.index(wanted)
    suggestion = did_you_mean(wanted, names)
    fix = f"name it with --{role} COLUMN" if asked is None else suggestion
    raise DataError(f"column {wanted!r} is not in {path.name}", got="it has: " + ", ".join(names), fix=fix)
