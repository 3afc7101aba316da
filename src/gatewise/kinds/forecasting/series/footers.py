"""Rows of totals below a table: left out where the column of times leaves no doubt, with a note."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from gatewise.kinds.forecasting.series.layouts import TOTAL
from gatewise.kinds.forecasting.series.noticed import is_time
from gatewise.kinds.forecasting.series.together import may_be_part
from gatewise.words import plural

__all__ = ["without_totals"]

_MOST, _LEAST = 4, 5
"""Rows of totals below a table, at most; and of times above them, at least."""


def without_totals(frame: pd.DataFrame, places: Sequence[str]) -> tuple[pd.DataFrame, list[str], list[str]]:
    """A table without the totals, means and blank rows below it.

    They are left out where a column holds a time, or a part of one, in every row above them and none in these, and each
    of these is blank or has a word such as total or mean.

    Args:
        frame: all columns.
        places: where each row stands.

    Returns:
        (the table, the places of its rows, notes)

    Example:
        >>> months = [f"2026-{month:02}" for month in range(1, 7)]
        >>> frame = pd.DataFrame({"month": [*months, "Total"], "sales": [1, 2, 3, 4, 5, 6, 21]}, dtype=object)
        >>> found, _, notes = without_totals(frame, [f"line {row + 2}" for row in range(7)])
        >>> len(found), notes
        (6, ["line 8 is a row of totals ('Total') and left out"])
    """
    if not len(frame):
        return frame, list(places), []
    end = len(frame)
    while end > max(_LEAST, len(frame) - _MOST) and _is_total(_words(frame, end - 1)):
        end -= 1
    totals = [row for row in range(end, len(frame)) if any(_words(frame, row))]
    if not totals or not any(_tells(frame.iloc[:, at], str(name), end) for at, name in enumerate(frame.columns)):
        return frame, list(places), []
    word = next(word for word in _words(frame, totals[0]) if TOTAL.fullmatch(word))
    what = "is a row of totals" if len(totals) == 1 else f"and {plural(len(totals) - 1, 'row')} below are totals"
    kept = frame.iloc[:end].copy()
    kept.attrs = dict(frame.attrs)
    return kept, list(places[:end]), [f"{places[totals[0]]} {what} ({word!r}) and left out"]


def _words(frame: pd.DataFrame, row: int) -> list[str]:
    return [word for value in frame.iloc[row].tolist() if (word := _word(value))]


def _word(value: Any) -> str:
    return "" if value is None or value is pd.NaT or value != value else str(value).strip()


def _is_total(words: Sequence[str]) -> bool:
    return not words or any(map(TOTAL.fullmatch, words))


def _tells(column: pd.Series[Any], name: str, end: int) -> bool:
    """Whether a column has a time, or a part of one, in every row before the end, and none from there on."""
    words = [_word(value) for value in column.tolist()]
    timed = [bool(word) and not TOTAL.fullmatch(word) and (is_time(word) or may_be_part(name, word)) for word in words]
    return end >= _LEAST and all(timed[:end]) and not any(timed[end:])
