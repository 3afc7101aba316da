"""``gatewise compare``: which cell, by how much, at what cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.options import DataArgument, with_settings

__all__ = ["compare"]


@with_settings()
def compare(
    data: DataArgument = "imdb",
    cells: Annotated[str, typer.Option("--cells", metavar="NAMES", help="Cells to compare.")] = "rnn,lstm,gru",
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", help="How many times each cell is trained, each with another seed.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the result. (default runs/ and the data's name)"),
    ] = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Compare recurrent cells and a linear baseline on one data set: table, verdict, report.

    Every cell gets the same data and budget. The result goes to DIR: report.html to look at, comparison.json with
    every figure, curves.png and curves.svg, and one run folder per trained network. The same command again continues
    what was stopped and reuses what is finished.

    Examples:

        gatewise compare

        gatewise compare reviews.csv --text review --label sentiment --seeds 3 --epochs 5
    """
    from gatewise.cli.interruption import resumable
    from gatewise.comparison.command import compare_command
    from gatewise.comparison.plan import default_folder, make_plan

    plan = make_plan(data, cells=cells.split(","), seeds=seeds, **settings)
    folder = out or default_folder(data)
    with resumable(folder, compare_command(plan, folder)):
        _compare(plan, folder)


def _compare(plan: Any, folder: Path) -> None:
    from gatewise.cli.progress import ComparisonDisplay, console

    screen = console()
    with ComparisonDisplay(screen) as display:
        display.say(f"Reading {plan.data.data} ...")
        from gatewise.comparison import run_plan

        result = run_plan(plan, folder, on_event=display)
    from gatewise.reports import print_comparison, write_report

    print_comparison(result.record, screen)
    page = write_report(folder)
    screen.print()
    screen.print(f"Report: {page}", style="bold", soft_wrap=True, highlight=False)
    screen.print(f"Figures: {folder / 'comparison.json'}   Runs: {folder / 'runs'}", soft_wrap=True, highlight=False)
