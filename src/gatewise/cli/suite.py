"""``gatewise suite``: several comparisons as one experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["suite"]


def suite(
    name: Annotated[str, typer.Argument(metavar="SUITE", help="articles.")] = "articles",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for the result. (default runs/SUITE)")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A short version with few epochs, and of the last four little data.")
    ] = False,
    parts: Annotated[
        str | None,
        typer.Option(
            "--parts",
            metavar="NAMES",
            help="Only these of imdb, stocks, ptb, conll2003, multi30k, spoken-digits, scenes.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", help="How many times each cell is trained, each with another seed.")
    ] = 3,
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", help="CPU threads of a process; all cores if not given.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Trainings at the same time.")] = 1,
) -> None:
    """Run the articles' whole experiment: film reviews, stock prices and the Penn Treebank, with RNN, LSTM and GRU.

    Names in news, translation, spoken digits and captions, which they name without a figure, follow where the data are
    at hand. The result is their table with published and measured figures, and the verdict on each claim:
    suite.html, suite.md, suite.json, and a full report of each comparison. The same command again continues a suite
    that was stopped.

    Examples:

        gatewise suite articles --quick

        gatewise suite articles --seeds 3 --out articles
    """
    from gatewise.cli.interruption import resumable
    from gatewise.suites.run import suite_command

    folder = out or Path("runs") / (f"{name}-quick" if quick else name)
    chosen = [part.strip() for part in parts.split(",")] if parts else None
    command = suite_command(name, folder, parts=chosen, quick=quick, seeds=seeds, threads=threads)
    with resumable(folder, command):
        _suite(name, folder, chosen, quick=quick, seeds=seeds, threads=threads, jobs=jobs)


def _suite(
    name: str, folder: Path, parts: list[str] | None, *, quick: bool, seeds: int, threads: int | None, jobs: int
) -> None:
    from gatewise.cli.comparison_display import ComparisonDisplay
    from gatewise.screen import console
    from gatewise.suites.run import run_suite

    screen = console()
    with ComparisonDisplay(screen) as display:
        page = run_suite(
            name,
            folder,
            parts=parts,
            quick=quick,
            seeds=seeds,
            threads=threads,
            on_part=lambda part: display.say(f"\n{part.title}", "bold"),
            on_event=display,
            jobs=jobs,
        )
    from gatewise.record import read_suite
    from gatewise.reports.suite import print_suite

    print_suite(read_suite(folder), screen)
    screen.print(f"Report: {page}", style="bold", soft_wrap=True, highlight=False)
