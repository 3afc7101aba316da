"""A column of times that nobody named: used where it is beyond doubt, else said."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.series.checks import EXCEL
from gatewise.kinds.forecasting.series.patterns import PATTERNS
from gatewise.kinds.forecasting.series.reading import TimeRules, read_times
from gatewise.kinds.forecasting.series.signs import plain_numbers
from gatewise.kinds.forecasting.series.table import holds_numbers, numbers_of

__all__ = ["notice_target", "notice_time", "refuse_times_as_names", "refuse_unused_times"]

_SAMPLE = 50
_CUT = re.compile(r"[;\t|]")
_NUMBER = re.compile(r"^(0|[1-9]\d*)\.\d+$")
_FIGURES = re.compile(r"^[^\w]*\d[\d.,]*[^\w]*$")
_YEARS = (1500, 2200)
_NAMED_MONTH = re.compile(r"^(\d{1,2}[ ./-])?[A-Z][a-z]{2,8}\.?[ ./-](\d{1,2}, ?)?\d{2,4}( \d{1,2}:\d{2}(:\d{2})?)?$")


def notice_time(
    frame: pd.DataFrame, places: Sequence[str], taken: Collection[str], group: str | None, rules: TimeRules
) -> tuple[str | None, list[str]]:
    """The column that holds the time of each row, though it was not named.

    It is used when it is the only one that holds times, and in every series each time lies behind the one before (or,
    with the newest row first, before it).

    Args:
        frame: all columns.
        places: where each row stands.
        taken: columns that are used for something else.
        group: column that tells series apart.
        rules: how times are read.

    Returns:
        (its name, or None; notes)

    Example:
        >>> frame = pd.DataFrame({"day": ["2026-01-01", "2026-01-02"], "sales": ["5", "6"]})
        >>> notice_time(frame, ["line 2", "line 3"], ["sales"], None, TimeRules())[0]
        'day'
    """
    others = [str(name) for name in frame.columns if str(name) not in taken and str(name) != group]
    found = [name for name in others if len(frame) > 1 and _holds_times(frame[name], rules)]
    if not found:
        found = [name for name in others if len(frame) > 1 and _counts_years(frame, name, group)]
    if len(found) != 1:
        if not found:
            return None, []
        words = " and ".join(repr(name) for name in found)
        return None, [f"the columns {words} hold times and none was used: name one with --time"]
    name = found[0]
    groups = None if group is None or group not in frame else [str(value).strip() for value in frame[group]]
    try:
        times = read_times(frame[name].tolist(), places, name, rules, groups).times
    except DataError as error:
        return None, [f"the column {name!r} holds times and was not used: {error.message}; name it with --time"]
    names = np.array(groups if groups is not None else [""] * len(frame), dtype=object)
    for each in dict.fromkeys(names.tolist()):
        ordered = times[names == each]
        if not ((ordered[1:] > ordered[:-1]).all() or (ordered[1:] < ordered[:-1]).all()):
            twice = len(np.unique(ordered)) < len(ordered)
            why = "a time comes twice" if twice else "its rows are in no order"
            more = " (and the column that tells series apart with --group)" if twice and group is None else ""
            return None, [f"the column {name!r} holds times and was not used: {why}; name it with --time{more}"]
    which = f"the column {name!r}" if name else "the column without a name"
    return name, [f"{which} was used as the time of each row; --time names another"]


def notice_target(
    frame: pd.DataFrame,
    name: str,
    taken: Collection[str | None],
    decimal: str,
    places: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], list[str]]:
    """The column to forecast, though it was not named: the only one that holds numbers and has no other use.

    Args:
        frame: all columns.
        name: of the whole, for messages.
        taken: columns that are used for something else.
        decimal: the decimal mark of numbers.
        places: of the rows, for messages; None: by their number.

    Returns:
        (its name alone; notes)

    Raises:
        OptionError: no column holds numbers, or several do.

    Example:
        >>> frame = pd.DataFrame({"day": ["2026-01-01", "2026-01-02"], "sales": ["5,5", "6,0"]})
        >>> notice_target(frame, "sales.csv", ["day"], ".")
        (('sales',), ["the column 'sales' is forecast, the only one that holds numbers; --target names another"])
    """
    others = [str(column) for column in frame.columns if str(column) not in taken]
    found = [column for column in others if len(frame) and holds_numbers(frame[column], decimal)]
    found = [column for column in found if not _numbers_rows(frame[column])] or found
    if len(found) == 1:
        return (found[0],), [
            f"the column {found[0]!r} is forecast, the only one that holds numbers; --target names another"
        ]
    if not found:
        _name_what_is_no_number(frame, others, decimal, places)
    moving = [column for column in found if frame[column].nunique() > 1] or found
    raise OptionError(
        f"which column of {name} is to be forecast?",
        expected="one of " + ", ".join(found) if found else "a column of numbers",
        got="none named" if found else "columns without numbers: " + ", ".join(others),
        fix=f"name it with --target, such as --target {shlex.quote(moving[-1])}"
        if found
        else "name a table with a column of numbers; how its decimals are written: --decimal",
    )


def _name_what_is_no_number(
    frame: pd.DataFrame, columns: Sequence[str], decimal: str, places: Sequence[str] | None
) -> None:
    """Refuse a table whose only column of written numbers has one that cannot be read.

    Raises:
        DataError: it names the value.
    """
    written = [
        column
        for column in columns
        if len(frame) and frame[column].map(lambda value: isinstance(value, str) and bool(_FIGURES.match(value))).all()
    ]
    if len(written) == 1:
        where = [f"row {number}" for number in range(1, len(frame) + 1)] if places is None else list(places)
        numbers_of(plain_numbers(frame[written[0]], decimal)[0], where, written[0], decimal)


def refuse_unused_times(
    frame: pd.DataFrame, places: Sequence[str], name: str, taken: Collection[str], group: str | None, rules: TimeRules
) -> None:
    """Refuse a table whose rows would be forecast as they stand, though it holds times: of several series, say.

    Args:
        frame: all columns.
        places: where each row stands.
        name: of the whole, for messages.
        taken: columns that are used for something else.
        group: column that tells series apart.
        rules: how times are read.

    Raises:
        DataError: a column holds times and cannot be used without a word; the fix names ``--time`` and ``--group``.
    """
    time, said = notice_time(frame, places, taken, group, rules)
    if time is not None or not said:
        return
    fix = "name the column of the times with --time, and one that tells series apart with --group"
    others = [str(column) for column in frame.columns if str(column) not in taken]
    for column in others if group is None else ():
        found = notice_time(frame, places, taken, column, rules)[0]
        if found is not None and 2 * frame[column].nunique() <= len(frame):
            fix = f"one series each: --time {shlex.quote(found)} --group {shlex.quote(column)}"
            break
    raise DataError(f"the rows of {name} are in no order of time as they stand", got=said[0], fix=fix)


def refuse_times_as_names(frame: pd.DataFrame, name: str, rules: TimeRules) -> None:
    """Refuse a table without a header: a column of times that is called by a time.

    Raises:
        DataError: the first line holds values.

    Example:
        >>> frame = pd.DataFrame({"2026-01-01": ["2026-01-02", "2026-01-03"], "5": ["6", "7"]})
        >>> refuse_times_as_names(frame, "sales.csv", TimeRules())
        Traceback (most recent call last):
        gatewise.errors.DataError: the first line of sales.csv holds values, not the names of its columns; expected: a
        header such as time,value; got: '2026-01-01', '5'; fix: put a line with names above the first one
    """
    known = [re.compile(pattern.regex) for pattern in PATTERNS]
    for column in map(str, frame.columns):
        # where a decimal comma was taken for the separator, the time is the beginning of a field
        first = frame[column].map(lambda value: _CUT.split(value)[0] if isinstance(value, str) else value)
        if any(each.match(_CUT.split(column.strip())[0]) for each in known) and _holds_times(first, rules):
            raise DataError(
                f"the first line of {name} holds values, not the names of its columns",
                expected="a header such as time,value",
                got=", ".join(repr(str(each)) for each in frame.columns[:4]),
                fix="put a line with names above the first one",
            )


def _numbers_rows(column: pd.Series[Any]) -> bool:
    """Whether a column counts the rows."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    return len(numbers) > 1 and bool((np.diff(numbers) == 1).all()) and numbers[0] in (0, 1)


def _holds_times(column: pd.Series[Any], rules: TimeRules) -> bool:
    """Whether a column holds dates; numbers alone are not taken for such, unless they are said to be Excel's."""
    if rules.date_format == EXCEL:
        numbers = pd.to_numeric(column.astype(str).str.replace(",", ".", regex=False), errors="coerce")
        return bool(numbers.between(20_000, 100_000).all())
    if column.dtype.kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
        return bool(column.notna().all())
    if column.dtype.kind in "fiub":
        return False
    if column.dropna().map(lambda value: isinstance(value, datetime)).all() and column.notna().any():
        return bool(column.notna().all())
    words = [str(value).strip() for value in column.dropna()[:_SAMPLE]]
    known = [re.compile(pattern.regex) for pattern in PATTERNS]
    alike = all(any(each.match(word) for each in known) or _NAMED_MONTH.match(word) for word in words)
    return bool(words) and alike and not _only_looks_like_months(column)


def _only_looks_like_months(column: pd.Series[Any]) -> bool:
    """Whether numbers such as 2512.75 or 1.0845 have the form of months (2026.01, 1.2026) and are none.

    Months end in 1 to 12, or begin with them, of which there are then several, and have a year of our times.
    """
    words = [word for value in column.dropna() if (word := str(value).strip())]
    if not all(_NUMBER.match(word) for word in words):
        return False
    first, last = (np.array([int(word.split(".")[place]) for word in words]) for place in (0, 1))
    years, months = (first, last) if all(word.index(".") == 4 for word in words) else (last, first)
    possible = months.min() >= 1 and months.max() <= 12 and years.min() >= _YEARS[0] and years.max() <= _YEARS[1]
    return not possible or (months is first and len(set(months.tolist())) == 1)


def _counts_years(frame: pd.DataFrame, name: str, group: str | None) -> bool:
    """Whether a column called year holds whole years that rise or fall from row to row of every series."""
    years = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
    if name.strip().lower() != "year" or not ((years >= _YEARS[0]) & (years <= _YEARS[1]) & (years % 1 == 0)).all():
        return False
    series = frame[group].astype(str).to_numpy() if group is not None and group in frame else np.zeros(len(frame))
    steps = [np.diff(years[series == each]) for each in dict.fromkeys(series.tolist())]
    return all((each > 0).all() or (each < 0).all() for each in steps)
