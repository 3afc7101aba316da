"""The comparison on the terminal: one wide table, or two where the terminal is narrow, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewise import words
from gatewise.reports.records import Record

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["print_comparison"]

_WIDE = 108
_NAME_WIDTH = 18


def print_comparison(record: Record, console: Console) -> None:
    """Print the tables and the verdict of a comparison.

    Args:
        record: a checked comparison, see `gatewise.reports.records.check_record`.
        console: where to; its width decides the layout.
    """
    from rich.text import Text

    models = sorted(record["models"], key=lambda model: -model["accuracy"]["estimate"])
    quality, cost = _quality_columns(record), _cost_columns()
    console.print()
    if console.width >= _WIDE:
        console.print(_table(models, {**quality, **cost}))
    else:
        console.print(_table(models, quality))
        console.print(_table(models, cost))
    verdict = record["verdict"]
    console.print()
    console.print(Text(verdict["headline"], style="bold"))
    for sentence in verdict["sentences"]:
        console.print(Text(sentence))
    for note in (f"Test part: {record['data']['split_note']}.", *verdict["caveats"]):
        console.print(Text(note, style="dim"))


def _quality_columns(record: Record) -> dict[str, Any]:
    level = f"{100 * record['models'][0]['accuracy']['level']:.0f} %"
    return {
        "test\naccuracy": lambda model: words.percent(model["accuracy"]["estimate"]),
        f"{level}\ninterval": lambda model: words.interval(model["accuracy"]),
        "test\nloss": lambda model: f"{model['loss']:.3f}",
        "macro\nF1": lambda model: f"{100 * model['macro_f1']:.1f}",
        "para-\nmeters": lambda model: words.count(model["parameters"]),
    }


def _cost_columns() -> dict[str, Any]:
    return {
        "per\nepoch": lambda model: words.duration(model["seconds_per_epoch"]),
        "training\ntime": lambda model: words.duration(model["training_seconds"]),
        "one\ntext": lambda model: words.duration(model["latency"]["one_text"]),
        "one in\na batch": lambda model: words.duration(model["latency"]["per_text_in_batch"]),
        "\nkernel": lambda model: str(model["kernel"]["implementation"]),
    }


def _table(models: list[Mapping[str, Any]], columns: Mapping[str, Any]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", expand=False)
    table.add_column("\nmodel", max_width=_NAME_WIDTH, overflow="fold")
    for name in columns:
        table.add_column(Text(name), justify="left" if "kernel" in name else "right", no_wrap=True)
    for model in models:
        style = "dim" if model["kind"] == "baseline" else ""
        table.add_row(Text(model["title"]), *(Text(make(model)) for make in columns.values()), style=style)
    return table
