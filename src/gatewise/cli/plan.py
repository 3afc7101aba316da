"""``gatewise plan``: how many seeds and test examples find which difference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from gatewise.comparison.planning import SizePlan
    from gatewise.words import Scale

__all__ = ["plan"]


def plan(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished comparison: the pilot.")],
    difference: Annotated[
        float | None,
        typer.Option("--difference", metavar="X", help="To be found; 0.01 is one point. (default the pilot's margin)"),
    ] = None,
    power: Annotated[
        float, typer.Option("--power", metavar="X", help="Probability of finding it. (default 0.8)", show_default=False)
    ] = 0.8,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="N", help="Plan the test examples for so many seeds. (default the pilot's)"),
    ] = None,
) -> None:
    """Plan a comparison by a pilot: how many seeds and test examples find which difference, pair by pair.

    By the variance between seeds and between test examples that the pilot measured, at the level at which Holm's
    correction tests a pair. A pilot of three seeds knows its variance roughly; its plan is no more exact.

    Examples:

        gatewise plan runs/imdb --difference 0.01

        gatewise plan runs/imdb --difference 0.005 --seeds 10 --power 0.9
    """
    from gatewise import words
    from gatewise.comparison.planning import next_step, plan_sizes
    from gatewise.comparison.verdict.needs import SEEDS_THAT_TELL
    from gatewise.record import read_comparison
    from gatewise.screen import console

    record = read_comparison(folder)
    found = plan_sizes(record, difference=difference, power=power, seeds=seeds, folder=folder)
    scale = words.Scale.of(record.metric, max(abs(model.figure.estimate) for model in record.models))
    screen, pairs = console(), words.plural(len(found.pairs), "pair")
    for note in record.data.notes:
        if " --" in note:  # what another command would read otherwise, before more is spent on it
            screen.print(f"Note: {note}", style="dim", markup=False, highlight=False)
    screen.print(
        f"A difference of {scale.gap(found.difference)} of {scale.title}, found with probability "
        f"{words.percent(power, 0)} where Holm's correction tests {pairs} (level {found.level:.2g})",
        highlight=False,
    )
    screen.print(_pairs(found, scale, record.unit))
    screen.print(f"The smallest difference found in every pair, by seeds and {record.unit} of the test part")
    screen.print(_table(found, scale))
    if len(record.plan["seeds"]) < SEEDS_THAT_TELL:
        screen.print("Two seeds hardly tell how far seeds lie apart: read all this as a guess.", highlight=False)
    then = next_step(record, folder, found, record.unit, scale.gap)
    screen.print(then.sentence, highlight=False)
    screen.print(f"    {then.command}", soft_wrap=True, highlight=False, markup=False)


def _pairs(found: SizePlan, scale: Scale, unit: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from gatewise import words

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("pair")
    with_seeds = f"{unit} with {found.seeds} seeds"
    at_present = f"seeds with {found.examples:,} {unit}"
    for head in ("pilot found", "pilot could find", at_present, with_seeds, "seeds for what it found"):
        table.add_column(Text(head), justify="right")
    for pair in found.pairs:
        table.add_row(
            Text(f"{pair.first} and {pair.second}"),
            *(Text(scale.gap(abs(size))) for size in (pair.found, pair.detectable)),
            *(
                Text(missing if size is None else words.count(size))
                for size, missing in (
                    (pair.seeds, f"more {unit}"),
                    (pair.examples, "more seeds"),
                    (pair.seeds_of_found, f"more {unit}"),
                )
            ),
        )
    return table


def _table(found: SizePlan, scale: Scale) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("seeds", justify="right")
    for count in found.table_examples:
        table.add_column(f"{count:,}", justify="right")
    for number, row in zip(found.table_seeds, found.table, strict=True):
        table.add_row(str(number), *(Text(scale.gap(size)) for size in row))
    return table
