"""The terminal as commands write to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console"]


def console(*, quiet: bool = False) -> Console:
    """The console of standard output; a pipe or file gets lines of any length without colour.

    Args:
        quiet: write nothing.
    """
    import sys

    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False, quiet=quiet)
    return Console(highlight=False, width=120, no_color=True, quiet=quiet)
