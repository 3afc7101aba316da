"""``gatewise report``: draw a comparison's page, pictures and tables again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]

_FORMATS = {"html": (), "markdown": ("markdown",), "latex": ("latex",), "all": ("markdown", "latex")}


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished comparison.")],
    format: Annotated[
        str,
        typer.Option("--format", metavar="NAME", help="What to write: html (with the curves), markdown, latex or all."),
    ] = "all",
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="OLD", help="Folder of an older comparison: report what changed since."),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Say by which rule, and on which numbers, each sentence was decided.")
    ] = False,
) -> None:
    """Show a finished comparison and write its report.html, curves and tables again, from comparison.json alone.

    Examples:

        gatewise report runs/imdb

        gatewise report runs/imdb --format latex

        gatewise report runs/imdb --against runs/imdb-before

        gatewise report runs/imdb --why
    """
    from gatewise.errors import OptionError, did_you_mean
    from gatewise.record import RECORD_FILE, SEVERAL_FILE
    from gatewise.reports import (
        print_changes,
        print_comparison,
        print_reasons,
        read_comparison,
        write_page,
        write_tables,
    )
    from gatewise.screen import console

    if format not in _FORMATS:
        raise OptionError(
            f"there is no report format {format!r}", expected=", ".join(_FORMATS), fix=did_you_mean(format, _FORMATS)
        )
    if (folder / SEVERAL_FILE).exists() and not (folder / RECORD_FILE).exists():
        _several(folder)
        return
    record = read_comparison(folder)
    changed = None
    if against is not None:
        from gatewise.comparison.verdict.changes import changes

        changed = changes(read_comparison(against), record)
    written = [write_page(folder, changes=changed, record=record)] if format in ("html", "all") else []
    written += write_tables(folder, _FORMATS[format], record=record)
    screen = console()
    print_comparison(record, screen)
    if changed is not None:
        print_changes(changed, screen)
    if why:
        print_reasons(record, screen)
    screen.print()
    for path in written:
        screen.print(f"Report: {path}", style="bold", soft_wrap=True, highlight=False)


def _several(folder: Path) -> None:
    """Show what comparisons on several data sets say together, and draw their page again."""
    from gatewise.record import read_several
    from gatewise.reports.several import print_several, write_several_report
    from gatewise.screen import console

    screen = console()
    page = write_several_report(folder)
    print_several(read_several(folder), screen)
    screen.print()
    screen.print(f"Report: {page}", style="bold", soft_wrap=True, highlight=False)
