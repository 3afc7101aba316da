"""The terminal as commands write to it."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "given_width", "say"]

_USUAL = 100
_LEAST = 20


def given_width() -> int | None:
    """The width that the environment variable COLUMNS asks for; None: it names no width.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, COLUMNS="72"):
        ...     given_width()
        72
    """
    named = os.environ.get("COLUMNS", "").strip()
    return max(_LEAST, int(named)) if named.isdecimal() and int(named) > 0 else None


def console(*, quiet: bool = False) -> Console:
    """The console of standard output: as wide as COLUMNS says, else as the terminal; a pipe or file has 100 columns.

    In a pipe or file there is no colour, and sentences are lines of any length unless COLUMNS is set.

    Args:
        quiet: write nothing.
    """
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False, quiet=quiet)
    return Console(highlight=False, width=given_width() or _USUAL, no_color=True, quiet=quiet)


def say(sentence: str, *, err: bool = False) -> None:
    """Print a sentence that is wrapped between words: as wide as COLUMNS says, else as the terminal.

    In a pipe or file it is one line unless COLUMNS is set.

    Args:
        sentence: of one line.
        err: on standard error, beside the answers.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, COLUMNS="24"):
        ...     say("Note: a sentence as long as that one")
        Note: a sentence as long
        as that one
    """
    stream = sys.stderr if err else sys.stdout
    width = given_width()
    if width is None and stream.isatty():
        width = os.get_terminal_size(stream.fileno()).columns or None
    if width is not None:
        sentence = textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False)
    print(sentence, file=stream)
