"""``gatewise report``: draw a comparison's page again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished comparison.")],
) -> None:
    """Show a finished comparison and draw its report.html, curves.png and curves.svg again."""
    from gatewise.cli.progress import console
    from gatewise.reports import print_comparison, read_comparison, write_report

    record = read_comparison(folder)
    page = write_report(folder)
    screen = console()
    print_comparison(record, screen)
    screen.print()
    screen.print(f"Report: {page}", style="bold", soft_wrap=True, highlight=False)
