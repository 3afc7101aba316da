"""Tables that are no rows of series as they stand: totals below, a second header, a column per month, mixed units."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pandas as pd

from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.month_names import names_of_months
from gatewise.kinds.forecasting.series.patterns import PATTERNS
from gatewise.kinds.forecasting.series.reading import called_time
from gatewise.kinds.forecasting.series.together import role_called
from gatewise.words import plural

__all__ = ["other_rows", "refuse_columns_of_times", "refuse_totals", "unit_notes", "unread_notes"]

_LEAST_TIMES = 5
_MOST_OTHERS, _SHARE = 3, 20
"""Rows without a time, of a column that holds times: three, or a twentieth."""
_TOTAL = re.compile(
    r"(grand |sub)?(total|totals|sum|summe|gesamtsumme|gesamt|insgesamt|somme|suma|totale|totaal|average|mean|mittel|"
    r"mittelwert|durchschnitt|schnitt|moyenne|promedio|media|max|min|maximum|minimum|median|\u03a3|\u00d8)\b.*",
    re.IGNORECASE,
)
_UNITS = re.compile(
    r"(unit|units|einheit|unité|unidad|unità|eenheid|uom|currency|währung|devise|moneda)", re.IGNORECASE
)
_LEAST_COLUMNS = 3
_DATED = re.compile(r"(?=.*(?<!\d)(19|20)\d{2}(?!\d)).*[^\d].*")
_NAMED_TIME = re.compile(r"(19|20)\d{2}|Q[1-4]([ -]?\d{4})?|[^\W\d]{3,9}[ .-]?(\d{4}|\d{2})")


def other_rows(frame: pd.DataFrame, column: str, places: Sequence[str], is_time: Callable[[str], bool]) -> list[str]:
    """A note on a column that holds times but for a few rows; empty: it holds none, or in every row.

    Args:
        frame: all columns.
        column: that may hold times.
        places: where each row stands.
        is_time: whether a word is a time.

    Raises:
        DataError: the first row is a second header, or the last ones are totals; it names the line.

    Example:
        >>> frame = pd.DataFrame({"month": [f"2026-{month:02}" for month in range(1, 13)] + ["Total"]})
        >>> lines = [f"line {number}" for number in range(2, 15)]
        >>> other_rows(frame, "month", lines, lambda word: word.startswith("2026"))
        Traceback (most recent call last):
        gatewise.errors.DataError: line 14 is no row of a time: 'Total' in the column 'month'; ...
    """
    others: list[int] = []
    count, values = len(frame), frame[column].tolist()
    for row, value in enumerate(values):
        word = _word(value)
        if _TOTAL.fullmatch(word) or not is_time(word):
            others.append(row)
            if len(others) > max(_MOST_OTHERS, count // _SHARE):
                return []
    if not others or count - len(others) < _LEAST_TIMES:
        return []
    example = next(word for value in values if is_time(word := _word(value)))
    first = _row(frame, 0)
    head = others[0] == 0 and bool(first) and not any(map(_is_number, first))
    last = [row for row in others if row >= count - len(others)]
    totals = [row for row in last if any(map(_TOTAL.fullmatch, _row(frame, row)))]
    row = 0 if head else totals[0] if totals else others[0]
    written = _word(values[row])
    shown = repr(written) if written else "nothing"
    if not head and not totals:
        return [
            f"the column {column!r} holds times, but {shown} in {places[row]}, and was not used: name it with --time"
        ]
    beside = "" if written else f" beside {_row(frame, row)[0]!r}"
    raise DataError(
        f"{places[row]} is no row of a time: {shown} in the column {column!r}{beside}",
        expected=f"a time in every row, as {example!r}",
        got="a second line of names or units" if head else "a row of totals",
        fix="delete this row",
    )


def refuse_totals(frame: pd.DataFrame, column: str, places: Sequence[str], is_time: Callable[[str], bool]) -> None:
    """Refuse rows of totals among those of a column of times, or of a part of them.

    Args:
        frame: all columns.
        column: that may hold times.
        places: where each row stands.
        is_time: whether a word is a time, or a part of one.

    Raises:
        DataError: all values are times or names of totals; it names the first line with such.
    """
    totals, times = [], 0
    for row, value in enumerate(frame[column].tolist()):
        word = _word(value)
        if is_time(word) and not _TOTAL.fullmatch(word):
            times += 1
        elif _TOTAL.fullmatch(word):
            totals.append(row)
        else:
            return
    if totals and times >= _LEAST_TIMES:
        more = f", and {plural(len(totals) - 1, 'row')} below" if len(totals) > 1 else ""
        written = _word(frame[column].iloc[totals[0]])
        raise DataError(
            f"{places[totals[0]]} is no row of a time: {written!r} in the column {column!r}",
            expected="a time in every row",
            got=f"a row of totals{more}",
            fix="delete these rows" if more else "delete this row",
        )


def _word(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _row(frame: pd.DataFrame, row: int) -> list[str]:
    return [word for name in frame.columns if (word := _word(frame[name].iloc[row]))]


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[^\w]*\d[\d.,'\s]*[^\w]*", word) is not None


def unread_notes(frame: pd.DataFrame, taken: Collection[str | None]) -> list[str]:
    """Notes on columns that seem to hold times and are read by nobody, of a table whose rows are steps as they stand.

    Those are one whose values all differ and have a year within, numbers in a column called time or the like, and a
    year or another part of a time beside others that is empty in some rows, as spreadsheets leave merged cells.

    Args:
        frame: all columns.
        taken: columns that have a use.

    Example:
        >>> frame = pd.DataFrame({"week": ["KW 1/2026", "KW 2/2026", "KW 3/2026"], "sales": [5, 6, 7]})
        >>> unread_notes(frame, ["sales"])[0][:59]
        "the column 'week' seems to hold times ('KW 1/2026' ...), wh"
    """
    notes = []
    empty = []
    for name in (str(each) for each in frame.columns if str(each) not in taken):
        words = [_word(value) for value in frame[name].tolist()]
        filled = [word for word in words if word]
        if len(filled) == len(words) == len(set(words)) and len(words) > 1 and all(map(_DATED.fullmatch, words)):
            notes.append(
                f"the column {name!r} seems to hold times ({words[0]!r} ...), which are not read, so that a row is a "
                "step: write them as 2026-01-31, 2026-01, 2026Q1 or 2026-W05, or say with --date-format how they are "
                "written"
            )
        elif called_time(name) and len(filled) == len(words) == len(set(words)) and all(map(_is_number, words)):
            notes.append(f"the column {name!r} may hold the time of each row and is not used: name it with --time")
        if 1 < len(filled) < len(words) and role_called(name, pd.Series(filled)) is not None:
            empty.append(name)
    others = [str(each) for each in frame.columns if str(each) not in (*taken, *empty)]
    if empty and any(role_called(name, frame[name]) for name in others):
        notes.append(
            f"the column {empty[0]!r} seems to be a part of times and is empty in some rows, so that no time is read "
            "and a row is a step: fill it"
        )
    return notes


def refuse_columns_of_times(name: str, columns: Sequence[str]) -> None:
    """Refuse a table with a column for each month, quarter, day or year, where none was named to be forecast.

    Args:
        name: of the table.
        columns: that could be forecast.

    Raises:
        DataError: their names are times.

    Example:
        >>> refuse_columns_of_times("sales.csv", ["Jan", "Feb", "Mar", "Apr"])
        Traceback (most recent call last):
        gatewise.errors.DataError: sales.csv has a column for each time, and a series runs along the rows; ...
    """
    found = [word for word in columns if _names_time(word.strip())]
    if len(found) < _LEAST_COLUMNS or 2 * len(found) < len(columns):
        return
    raise DataError(
        f"{name} has a column for each time, and a series runs along the rows",
        expected="one row a time, with the time in a column of its own",
        got=", ".join(found[:4]) + (" ..." if len(found) > 4 else ""),
        fix="turn it, in pandas with frame.melt(id_vars=[the other columns], var_name='time', value_name='value'), and "
        "name a column that tells series apart with --group; or name one of the columns with --target",
    )


def _names_time(word: str) -> bool:
    if names_of_months([word]) or any(re.match(each.regex, word) for each in PATTERNS):
        return True
    letters = re.match(r"[^\W\d]*", word)
    month = letters is None or letters.group() in ("", "Q") or bool(names_of_months([letters.group()]))
    return month and _NAMED_TIME.fullmatch(word) is not None


def unit_notes(frame: pd.DataFrame, taken: Collection[str | None], group: str | None) -> list[str]:
    """A note on a column of units with several of them, which nobody uses.

    Args:
        frame: all columns.
        taken: columns that have a use.
        group: column that tells series apart; several units of several series are no finding.

    Example:
        >>> frame = pd.DataFrame({"value": ["5", "6"], "Einheit": ["kWh", "MWh"]})
        >>> unit_notes(frame, ["value"], None)
        ["the column 'Einheit' has several units (kWh, MWh), and numbers are read as they stand beside each"]
    """
    notes = []
    for name in map(str, frame.columns):
        if name in taken or not _UNITS.fullmatch(name.strip()):
            continue
        units = list(dict.fromkeys(word for value in frame[name].dropna().tolist() if (word := str(value).strip())))
        apart = group is not None and group in frame and frame.groupby(group)[name].nunique().max() <= 1
        if len(units) > 1 and not apart:
            shown = ", ".join(units[:4]) + (" ..." if len(units) > 4 else "")
            notes.append(
                f"the column {name!r} has several units ({shown}), and numbers are read as they stand beside each"
            )
    return notes
