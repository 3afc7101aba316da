"""``gatewise audit``: what would make an expert doubt a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["audit"]

_STYLES = {"passed": "green", "warning": "yellow", "failed": "bold red", "unknown": "dim"}


def audit(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished comparison.")],
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 1 where a check failed.")] = False,
    rigged: Annotated[
        bool,
        typer.Option("--rigged-tie", help="Train a cell again under a second name: no difference should be found."),
    ] = False,
    cell: Annotated[
        str | None, typer.Option("--cell", metavar="NAME", help="Of the rigged tie. (default the fastest)")
    ] = None,
) -> None:
    """Check a finished comparison: seeds, training, tuning, examples, times, and whether it agrees with itself.

    Examples:

        gatewise audit runs/imdb

        gatewise audit runs/imdb --strict

        gatewise audit runs/imdb --rigged-tie
    """
    from rich.table import Table
    from rich.text import Text

    from gatewise.comparison.audit import audit as checks_of
    from gatewise.record import read_comparison
    from gatewise.screen import console

    screen = console()
    record = read_comparison(folder)
    checks = checks_of(record, folder)
    if rigged or cell is not None:
        from gatewise.cli.comparison_display import ComparisonDisplay
        from gatewise.comparison.rigged_tie import rigged_tie, tie_check

        with ComparisonDisplay(screen) as display:
            found = rigged_tie(record, folder, cell=cell, on_event=display)
        checks = (*checks, tie_check(found, record))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, justify="right")
    table.add_column()
    for check in checks:
        words = Text.assemble((f"{check.name}: ", "bold"), check.sentence)
        if check.advice and check.result != "passed":
            words.append(f" {check.advice}", style="dim")
        table.add_row(Text(check.result, style=_STYLES[check.result]), words)
    screen.print(table)
    counted = {name: sum(check.result == name for check in checks) for name in _STYLES}
    said = ", ".join(
        f"{count} {name}{'s' if name == 'warning' and count > 1 else ''}" for name, count in counted.items() if count
    )
    screen.print()
    screen.print(f"{len(checks)} checks: {said}. What they ask: docs/audit.md", highlight=False)
    if strict and counted["failed"]:
        raise typer.Exit(1)
