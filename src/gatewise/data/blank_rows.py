"""Rows of a table without a text or a label: left out with a note while they are the fewer ones, else refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gatewise.errors import DataError
from gatewise.grammar import plural

__all__ = ["refuse_blank", "without_blank"]

_FILL = "fill these rows or delete them"
_SHOWN = 5


def without_blank(
    path: Path, texts: Sequence[str], labels: Sequence[str] | None, lines: Sequence[int], unit: str
) -> tuple[list[int], list[str]]:
    """The places of the rows that have a text and a label, and what is said of the others.

    Args:
        path: of the table, for messages.
        texts: of all rows.
        labels: of all rows; None: a row may be without one.
        lines: line or row of each, as ``unit`` says.
        unit: ``line`` or ``row``.

    Raises:
        DataError: half of the rows or more are without one, so that another column may be meant; or a label is missing
            where others hold a separator, so that it may stand for no label.

    Example:
        >>> without_blank(Path("a.csv"), ["good", " ", "bad"], ["1", "1", "0"], [2, 3, 4], "line")
        ([0, 2], ['1 of 3 rows has no text (line 3) and is left out'])
    """
    kept, notes = list(range(len(texts))), []
    for what, values in (("text", texts), ("label", labels)):
        blank = [place for place in kept if values is not None and not values[place].strip()]
        if not blank:
            continue
        separator = _separator(labels) if what == "label" and labels is not None else None
        if separator is not None or 2 * len(blank) >= len(kept):
            sets = f'add --separator "{separator}" if a text may have several labels or none; else {_FILL}'
            raise _refusal(path, what, [lines[place] for place in blank], unit, sets if separator else _FILL)
        number, several = len(blank), len(blank) > 1
        notes.append(
            f"{number:,} of {plural(len(texts), 'row')} {'have' if several else 'has'} no {what} "
            f"({_where([lines[place] for place in blank], unit)}) and {'are' if several else 'is'} left out"
        )
        gone = set(blank)
        kept = [place for place in kept if place not in gone]
    return kept, notes


def refuse_blank(path: Path, what: str, values: Sequence[str], lines: Sequence[int], unit: str) -> None:
    """Refuse rows that are without a value.

    Example:
        >>> refuse_blank(Path("a.csv"), "group", ["film", "play"], [2, 3], "line")
    """
    blank = [line for line, value in zip(lines, values, strict=True) if not value.strip()]
    if blank:
        raise _refusal(path, what, blank, unit, _FILL)


def _refusal(path: Path, what: str, lines: Sequence[int], unit: str, fix: str) -> DataError:
    of = f"{path} has {plural(len(lines), 'row')} with an empty {what}"
    return DataError(of, got=_where(lines, unit), fix=fix)


def _where(lines: Sequence[int], unit: str) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN])) + (" ..." if len(lines) > _SHOWN else "")
    return f"{unit}{'s' if len(lines) > 1 else ''} {shown}"


def _separator(labels: Sequence[str]) -> str | None:
    """The sign that a tenth of the labels hold, as sets of labels do, of which an empty one may be no label."""
    return next((sign for sign in "|;," if 10 * sum(sign in label for label in labels) >= len(labels) > 0), None)
