"""The commands `predict` and `evaluate` of a text classifier."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from gatewise import words
from gatewise.data.tables import Table, read_table
from gatewise.errors import DataError, OptionError, did_you_mean
from gatewise.kinds.classification.calibration import calibration_sentence
from gatewise.kinds.classification.labelling import label

if TYPE_CHECKING:
    from gatewise.kinds.classification.trained import TrainedClassifier
    from gatewise.training.kind import Request

__all__ = ["evaluate", "predict"]


def predict(classifier: TrainedClassifier, request: Request) -> None:
    """Label the texts of a request, the rows or lines of a file, or lines of standard input as they come.

    Raises:
        DataError: there is no text, or the file cannot be used.
        OptionError: options that do not go together, or a run folder where a text is meant.
    """
    _check_texts(request.inputs)
    label(classifier, request)


def evaluate(classifier: TrainedClassifier, request: Request) -> None:
    """Print accuracy, loss, F1 and confusion on a labelled file.

    Raises:
        DataError: the file cannot be used, or has a label that the network does not know.
    """
    assert request.file is not None
    given, trained = request.settings, classifier.spec.data
    table = read_table(
        request.file,
        given.get("text") or trained.text,
        given.get("label") or trained.label,
        given.get("encoding"),
        trained.encoding,
    )
    for note in table.notes:
        typer.echo(f"Note: {note}", err=True)
    names = classifier.label_names
    found = classifier.evaluate(table.texts, _known_labels(table, names))
    metrics = found.to_dict()
    if request.as_json:
        typer.echo(json.dumps({**metrics, "label_names": list(names)}, ensure_ascii=False))
    else:
        _print(metrics, names)
        typer.echo(calibration_sentence(found.reliability, what="The network"))


def _check_texts(texts: Sequence[str]) -> None:
    """Refuse empty texts and run folders, which shell patterns or empty variables produce."""
    for text in texts:
        if not text.strip():
            raise DataError("a text is empty", fix="omit it")
        if len(text) < 250 and (Path(text) / "result.json").exists():
            raise OptionError(f"{text} is a run folder, not a text", expected="one run folder", fix="name one run only")


def _known_labels(table: Table, names: tuple[str, ...]) -> Any:
    place_of = {name: index for index, name in enumerate(names)}
    for line, name in zip(table.lines, table.labels, strict=True):
        if name not in place_of:
            raise DataError(
                f"{table.path}, {table.unit} {line}: the network does not know the label {name!r}",
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
        f"macro-F1 {words.percent(metrics['macro_f1'])}   AUROC {metrics['auroc']:.4f}   n {metrics['n']:,}",
        style="bold",
    )
    screen.print(
        f"expected calibration error {words.percent(metrics['expected_calibration_error'])}   "
        f"Brier score {metrics['brier_score']:.4f}"
    )
    table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", caption_justify="left")
    table.add_column(Text("true ↓ predicted →"))
    for name in (*names, "F1"):
        table.add_column(Text(name), justify="right")
    for name, row in zip(names, metrics["confusion"], strict=True):
        table.add_row(Text(name), *(f"{number:,}" for number in row), words.percent(metrics["f1_per_class"][name]))
    screen.print(table)
