"""The comparison on the terminal: as few tables as its width allows, the verdict, what failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatewise.record import Axis, Changes, Comparison, ModelEntry
from gatewise.reports.axis import axis_models, cell_at
from gatewise.reports.columns import Column, cost_columns, fitting, quality_columns, scale_of, sorted_models, two_lines
from gatewise.words import number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["print_changes", "print_comparison"]

_NAME_WIDTH = 28
_FAILURES = 5


def print_comparison(record: Comparison, console: Console) -> None:
    """Print the tables and the verdict of a comparison.

    Args:
        record: a comparison.
        console: where to; its width decides the layout.
    """
    from rich.text import Text

    models = sorted_models(record)
    console.print()
    if models:
        columns = [column for column in (*quality_columns(record), *cost_columns(record)) if not column.minor]
        for chosen in _tables(models, columns, console.width):
            console.print(_table(models, chosen))
    if record.axis is not None and record.axis.points:
        console.print(_axis_table(record.axis, models, record))
    verdict = record.verdict
    console.print()
    console.print(Text(verdict.headline, style="bold"))
    for sentence in verdict.following:
        console.print(Text(sentence))
    for failure in record.failed[:_FAILURES]:
        console.print(Text(f"Failed: {failure.name}: {failure.error}", style="red"))
    if len(record.failed) > _FAILURES:
        console.print(Text(f"{len(record.failed) - _FAILURES} more runs failed; the report lists them.", style="red"))
    for note in (f"Test part: {record.data.split_note}.", *(caveat.sentence for caveat in verdict.caveats)):
        console.print(Text(note, style="dim"))


def print_changes(changes: Changes, console: Console) -> None:
    """Print what differs from an older comparison.

    Args:
        changes: what `gatewise.comparison.verdict.changes.changes` found.
        console: where to.
    """
    from rich.text import Text

    console.print()
    console.print(Text(f"Against the comparison of {changes.old.created}", style="bold"))
    for sentence in changes.sentences:
        console.print(Text(sentence))


def _tables(models: Sequence[ModelEntry], columns: Sequence[Column], width: int) -> list[list[Column]]:
    names = min(_NAME_WIDTH, max(len("model"), *(len(str(model.title)) for model in models)))
    cells = [[column.make(model) for model in models] for column in columns]
    return [[columns[number] for number in table] for table in fitting(columns, cells, width - names - 2)]


def _table(models: Sequence[ModelEntry], columns: Sequence[Column]) -> Table:
    from rich.text import Text

    table = _empty([str(model.title) for model in models])
    for column in columns:
        head = "\n".join(two_lines(column.head))
        table.add_column(Text(head), justify="left" if column.left else "right", no_wrap=True)
    for model in models:
        style = "dim" if model.is_baseline else ""
        table.add_row(Text(model.title), *(Text(column.make(model)) for column in columns), style=style)
    return table


def _axis_table(axis: Axis, models: Sequence[ModelEntry], record: Comparison) -> Table:
    """A row per model, a column per point."""
    from rich.text import Text

    scale, table = scale_of(record), _empty([title for _, title in axis_models(record, models)])
    for point in axis.points:
        table.add_column(Text(f"{axis.name}\n{number(point.value)}"), justify="right", no_wrap=True)
    baselines = {model.name for model in models if model.is_baseline}
    for name, title in axis_models(record, models):
        cells = []
        for point in axis.points:
            cells.append(cell_at(point, name, scale))
        table.add_row(Text(title), *map(Text, cells), style="dim" if name in baselines else "")
    return table


def _empty(titles: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", expand=False)
    longest = max((len(title) for title in titles), default=0)
    table.add_column("\nmodel", min_width=min(_NAME_WIDTH, longest), max_width=_NAME_WIDTH, overflow="fold")
    return table
