"""The terminal as commands write to it."""

from __future__ import annotations

import codecs
import io
import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "escape_what_cannot_be_written", "given_width", "say"]

_USUAL = 100
_LEAST = 20


def escape_what_cannot_be_written() -> None:
    r"""Let standard output and error write what their encoding lacks as JSON escapes it, instead of failing.

    They lack some where the locale is no UTF-8: in a pipe on Windows, with ``LC_ALL=C``. JSON lines stay JSON. Bytes of
    the command line that such a locale could not decode are written as they came.

    Example:
        >>> _escaped(UnicodeEncodeError("ascii", "\N{GREEK SMALL LETTER ALPHA}\N{GRINNING FACE}", 0, 2, "no room"))
        (b'\\u03b1\\ud83d\\ude00', 2)
    """
    codecs.register_error("gatewise", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="gatewise")


def _escaped(error: UnicodeError) -> tuple[bytes, int]:
    """The characters that cannot be encoded, in the escapes of JSON; those beyond 16 bits are two."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    raw = error.encoding != "utf-8"
    found = b"".join(_as_bytes(sign, raw=raw) for sign in error.object[error.start : error.end])
    return found, error.end


def _as_bytes(sign: str, *, raw: bool) -> bytes:
    if raw and "\udc80" <= sign <= "\udcff":
        return sign.encode("ascii", "surrogateescape")
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)).encode()


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

    In a pipe or file there is no colour, and what is printed as a string or a `Text` is not wrapped unless COLUMNS is
    set: a sentence is one line, which programs find by its words.

    Args:
        quiet: write nothing.
    """
    from rich.console import Console
    from rich.text import Text

    class Unwrapped(Console):
        """A console whose sentences are lines of any length; tables keep to its width."""

        def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
            if soft_wrap is None:
                soft_wrap = all(isinstance(each, str | Text) for each in objects)
            super().print(*objects, soft_wrap=soft_wrap, **options)

    if sys.stdout.isatty():
        return Console(highlight=False, quiet=quiet)
    width = given_width()
    kind = Unwrapped if width is None else Console
    return kind(highlight=False, width=width or _USUAL, no_color=True, quiet=quiet)


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
        indent = sentence[: len(sentence) - len(sentence.lstrip())]
        sentence = textwrap.fill(
            sentence, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    print(sentence, file=stream)
