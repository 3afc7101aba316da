"""The commands `predict` and `evaluate` of a text classifier."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from gatewise import words
from gatewise.data.tables import Table, read_table
from gatewise.errors import DataError, OptionError, did_you_mean

if TYPE_CHECKING:
    from gatewise.kinds.classification.trained import TrainedClassifier
    from gatewise.training.kind import Request

__all__ = ["evaluate", "predict"]

_BATCH = 256


def predict(classifier: TrainedClassifier, request: Request) -> None:
    """Label the texts of a request, or lines of standard input as they come.

    Raises:
        DataError: there is no text, or one is empty.
        OptionError: ``--out``, or a run folder where a text is meant.
    """
    texts, file = request.inputs, request.file
    if request.out is not None:
        raise OptionError("--out is for forecasts", fix="redirect standard output instead: > FILE")
    _check_texts(texts)
    lines: Iterator[str] = iter(texts) if texts else _lines(file)
    typed = not texts and file is None and sys.stdin.isatty()
    if typed:
        typer.echo("Reading texts from standard input, one a line; end with Ctrl-D.", err=True)
    count = 0
    for batch in _batches(lines, 1 if typed else _BATCH):
        _show(classifier, batch, request.as_json)
        count += len(batch)
    if count == 0:
        raise DataError("there is no text to label", fix="give texts after the run folder, --file, or standard input")


def evaluate(classifier: TrainedClassifier, request: Request) -> None:
    """Print accuracy, loss, F1 and confusion on a labelled file.

    Raises:
        DataError: the file cannot be used, or has a label that the network does not know.
    """
    assert request.file is not None
    table = read_table(request.file, request.settings.get("text"), request.settings.get("label"))
    names = classifier.label_names
    metrics = asdict(classifier.evaluate(table.texts, _known_labels(table, names)))
    if request.as_json:
        typer.echo(json.dumps({**metrics, "label_names": list(names)}, ensure_ascii=False))
    else:
        _print(metrics, names)


def _check_texts(texts: Sequence[str]) -> None:
    """Refuse empty texts and run folders, which shell patterns or empty variables produce."""
    for text in texts:
        if not text.strip():
            raise DataError("a text is empty", fix="omit it")
        if len(text) < 250 and (Path(text) / "result.json").exists():
            raise OptionError(f"{text} is a run folder, not a text", expected="one run folder", fix="name one run only")


def _show(classifier: TrainedClassifier, texts: Sequence[str], as_json: bool) -> None:
    names = classifier.label_names
    width = max(len(name) for name in names)
    for text, row in zip(texts, classifier.predict_proba(list(texts)), strict=True):
        best = int(row.argmax())
        if as_json:
            shares = {name: float(share) for name, share in zip(names, row, strict=True)}
            prediction = {"label": names[best], "probability": float(row[best]), "probabilities": shares}
            typer.echo(json.dumps(prediction, ensure_ascii=False))
        else:
            typer.echo(f"{names[best]:<{width}}  {100 * row[best]:5.1f} %  {_short(text)}")


def _lines(file: Path | None) -> Iterator[str]:
    """Texts of a file or of standard input, one a line; blank lines are left out."""
    if file is None or str(file) == "-":
        source = sys.stdin.buffer
        name = "standard input"
    else:
        if not file.is_file():
            raise DataError(
                f"there is no file {file}" if not file.exists() else f"{file} is not a file",
                fix="name a text file with one text a line",
            )
        source, name = file.open("rb"), str(file)
    with source:
        for number, line in enumerate(source, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{name}, line {number} is not UTF-8", got=str(error), fix="convert it, for example with iconv"
                ) from error
            if text:
                yield text


def _batches(lines: Iterator[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for line in lines:
        batch.append(line)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:79] + "…"


def _known_labels(table: Table, names: tuple[str, ...]) -> Any:
    place_of = {name: index for index, name in enumerate(names)}
    for line, name in zip(table.lines, table.labels, strict=True):
        if name not in place_of:
            raise DataError(
                f"{table.path}, line {line}: the network does not know the label {name!r}",
                expected=", ".join(names),
                fix=did_you_mean(name, names),
            )
    return np.array([place_of[name] for name in table.labels], dtype=np.int64)


def _print(metrics: dict[str, Any], names: tuple[str, ...]) -> None:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    from gatewise.screen import console

    screen = console()
    screen.print(
        f"accuracy {words.percent(metrics['accuracy'])}   loss {metrics['loss']:.4f}   "
        f"macro F1 {words.percent(metrics['macro_f1'])}   n {metrics['n']:,}",
        style="bold",
    )
    table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", caption_justify="left")
    table.add_column(Text("true ↓ predicted →"))
    for name in (*names, "F1"):
        table.add_column(Text(name), justify="right")
    for name, row in zip(names, metrics["confusion"], strict=True):
        table.add_row(Text(name), *(f"{number:,}" for number in row), words.percent(metrics["f1_per_class"][name]))
    screen.print(table)
