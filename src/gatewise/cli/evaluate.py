"""``gatewise evaluate``: how good a trained network is on a labelled file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewise.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from gatewise.data.tables import Table

__all__ = ["evaluate"]


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a trained network.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Labelled texts: CSV, TSV, JSONL or Parquet.")],
    text: Annotated[str | None, typer.Option("--text", metavar="COLUMN", help="Column of the texts.")] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="COLUMN", help="Column of the labels.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a trained network on a labelled file: accuracy, loss, F1, confusion.

    Example:

        gatewise evaluate my-run test.csv --text review --label sentiment --json
    """
    from gatewise.cli.runs import as_classifier, open_run
    from gatewise.data import read_table

    classifier = as_classifier(open_run(run), "evaluate")
    table = read_table(file, text, label)
    names = classifier.label_names
    metrics = asdict(classifier.evaluate(table.texts, _known_labels(table, names)))
    if as_json:
        typer.echo(json.dumps({**metrics, "label_names": list(names)}, ensure_ascii=False))
        return
    _print(metrics, names)


def _known_labels(table: Table, names: tuple[str, ...]) -> Any:
    import numpy as np

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
    from rich.table import Table
    from rich.text import Text

    from gatewise import words
    from gatewise.cli.progress import console

    screen = console()
    screen.print(
        f"accuracy {words.percent(metrics['accuracy'])}   loss {metrics['loss']:.4f}   "
        f"macro F1 {words.percent(metrics['macro_f1'])}   n {metrics['n']:,}",
        style="bold",
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", caption_justify="left")
    table.add_column(Text("labelled ↓ answered →"))
    for name in (*names, "F1"):
        table.add_column(Text(name), justify="right")
    for name, row in zip(names, metrics["confusion"], strict=True):
        table.add_row(Text(name), *(f"{number:,}" for number in row), words.percent(metrics["f1_per_class"][name]))
    screen.print(table)
