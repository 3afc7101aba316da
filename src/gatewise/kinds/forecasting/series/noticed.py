"""A column of times that nobody named: used where it is beyond doubt, else said."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.series.checks import EXCEL
from gatewise.kinds.forecasting.series.layouts import other_rows, refuse_columns_of_times, refuse_totals
from gatewise.kinds.forecasting.series.numbers import holds_numbers, numbers_of
from gatewise.kinds.forecasting.series.patterns import PATTERNS
from gatewise.kinds.forecasting.series.reading import TimeRules, called_time, read_times
from gatewise.kinds.forecasting.series.signs import Marks, plain_frame
from gatewise.kinds.forecasting.series.together import (
    holds_days,
    may_be_part,
    may_be_together,
    read_together,
    role_called,
)

__all__ = [
    "holds_times",
    "is_time",
    "notice_target",
    "notice_time",
    "numbers_rows",
    "refuse_times_as_names",
    "refuse_unused_times",
]

_SAMPLE = 50
_TWICE = "a time comes twice"
_CUT = re.compile(r"[;\t|]")
_NUMBER = re.compile(r"^(0|[1-9]\d*)\.\d+$")
_FIGURES = re.compile(r"^[^\w]*\d[\d.,]*[^\w]*$")
_YEARS = (1500, 2200)
_KNOWN = tuple(re.compile(pattern.regex) for pattern in PATTERNS)
_NAMED_MONTH = re.compile(
    r"^\d{4}[ -][A-Z][a-z]{2,8}$|"
    r"^(\d{1,2}[ ./-])?[A-Z][a-z]{2,8}\.?[ ./-](\d{1,2}, ?)?\d{2,4}( \d{1,2}:\d{2}(:\d{2})?)?$"
)


def notice_time(
    frame: pd.DataFrame, places: Sequence[str], taken: Collection[str], group: str | None, rules: TimeRules
) -> tuple[str | None, list[str]]:
    """The column that holds the time of each row, or the columns that do together, though they were not named.

    It is used when it is the only one that holds times, and in every series each time lies behind the one before (or,
    with the newest row first, before it). Else columns are used that are such a time together by their names and
    values: see `gatewise.kinds.forecasting.series.together`.

    Args:
        frame: all columns.
        places: where each row stands.
        taken: columns that are used for something else.
        group: column that tells series apart.
        rules: how times are read.

    Returns:
        (its name, or theirs with commas between them, or None; notes)

    Example:
        >>> frame = pd.DataFrame({"day": ["2026-01-01", "2026-01-02"], "sales": ["5", "6"]})
        >>> notice_time(frame, ["line 2", "line 3"], ["sales"], None, TimeRules())[0]
        'day'
    """
    others = [str(name) for name in frame.columns if str(name) not in taken and str(name) != group]
    found = [name for name in others if len(frame) > 1 and holds_times(frame[name], rules)]
    if len(found) > 1:  # 18.00.00 may be a day too, but not beside one
        found = [name for name in found if role_called(name, frame[name]) != "clock"] or found
    said: list[str] = []
    if not found:
        said = [note for name in others for note in _rows_without_times(frame, name, places)]
        found = [name for name in others if len(frame) > 1 and _counts_times(frame, name, group, rules)]
    if len(found) > 1:
        words = " and ".join(repr(name) for name in found)
        return None, [f"the columns {words} hold times and none was used: name one with --time"]
    groups = None if group is None or group not in frame else [str(value).strip() for value in frame[group]]
    dates = found or [name for name in others if called_time(name) and holds_days(frame[name])]
    for names in [tuple(found), *(may_be_together(frame[others], (), dates) if len(frame) > 1 else ())]:
        if not names:
            continue
        which = _called(names)
        try:
            why = _out_of_order(_times_of(frame, names, places, rules, groups), groups)
        except (DataError, OptionError) as error:
            if len(names) == 1:
                _rows_without_times(frame, names[0], places)
            why = error.message
        if not why:
            together = " together" if len(names) > 1 else ""
            return ",".join(names), [f"{which} used{together} as the time of each row; --time names another"]
        more = " (and the column that tells series apart with --group)" if why == _TWICE and group is None else ""
        held = "holds times and was" if len(names) == 1 else "hold times together and were"
        it = "it with --time" if len(names) == 1 else f"them with --time {shlex.quote(','.join(names))}"
        said = said or [f"{which.rsplit(' ', 1)[0]} {held} not used: {why}; name {it}{more}"]
    return None, said


def _rows_without_times(frame: pd.DataFrame, name: str, places: Sequence[str]) -> list[str]:
    """Notes on few rows without a time in a column of times.

    Raises:
        DataError: they are totals, or a second header.
    """
    refuse_totals(frame, name, places, lambda word: is_time(word) or may_be_part(name, word))
    return other_rows(frame, name, places, is_time)


def _called(names: Sequence[str]) -> str:
    """One column or several, and was or were."""
    if len(names) == 1:
        return f"the column {names[0]!r} was" if names[0] else "the column without a name was"
    return f"the columns {', '.join(map(repr, names[:-1]))} and {names[-1]!r} were"


def _times_of(
    frame: pd.DataFrame, names: Sequence[str], places: Sequence[str], rules: TimeRules, groups: Sequence[str] | None
) -> npt.NDArray[Any]:
    if len(names) > 1:
        return read_together(frame, names, places, rules, groups).times
    return read_times(frame[names[0]].tolist(), places, names[0], rules, groups).times


def _out_of_order(times: npt.NDArray[Any], groups: Sequence[str] | None) -> str:
    """Why times are no time of each row; empty: in each series they all rise, or all fall."""
    series = np.array(groups if groups is not None else [""] * len(times), dtype=object)
    for each in dict.fromkeys(series.tolist()):
        ordered = times[series == each]
        if not ((ordered[1:] > ordered[:-1]).all() or (ordered[1:] < ordered[:-1]).all()):
            return _TWICE if len(np.unique(ordered)) < len(ordered) else "its rows are in no order"
    return ""


def notice_target(
    frame: pd.DataFrame,
    name: str,
    taken: Collection[str | None],
    marks: Marks,
    places: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], list[str]]:
    """The column to forecast, though it was not named: the only one that holds numbers and has no other use.

    Args:
        frame: all columns.
        name: of the whole, for messages.
        taken: columns that are used for something else.
        marks: the marks within numbers.
        places: of the rows, for messages; None: by their number.

    Returns:
        (its name alone; notes)

    Raises:
        OptionError: no column holds numbers, or several do.
        DataError: there is a column for each time.

    Example:
        >>> frame = pd.DataFrame({"day": ["2026-01-01", "2026-01-02"], "sales": ["5,5", "6,0"]})
        >>> notice_target(frame, "sales.csv", ["day"], Marks())
        (('sales',), ["the column 'sales' is forecast, the only one that holds numbers; --target names another"])
    """
    others = [str(column) for column in frame.columns if str(column) not in taken]
    found = [column for column in others if len(frame) and holds_numbers(frame[column], marks)]
    found = [column for column in found if not numbers_rows(frame[column])] or found
    if len(found) == 1:
        return (found[0],), [
            f"the column {found[0]!r} is forecast, the only one that holds numbers; --target names another"
        ]
    if not found:
        _name_what_is_no_number(frame, others, marks, places)
    refuse_columns_of_times(name, found, [str(column) for column in frame.columns if str(column) not in found])
    moving = [column for column in found if frame[column].nunique() > 1] or found
    raise OptionError(
        f"which column of {name} is to be forecast?",
        expected="one of " + ", ".join(found) if found else "a column of numbers",
        got="none named" if found else "columns without numbers: " + ", ".join(others),
        fix=f"name it with --target, such as --target {shlex.quote(moving[-1])}"
        if found
        else "name a table with a column of numbers; how its numbers are written: --decimal, --thousands",
    )


def _name_what_is_no_number(
    frame: pd.DataFrame, columns: Sequence[str], marks: Marks, places: Sequence[str] | None
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
        plain = plain_frame(frame[written], written, marks, where).frame
        numbers_of(plain[written[0]], where, written[0], marks.decimal)


def refuse_unused_times(
    frame: pd.DataFrame,
    places: Sequence[str],
    name: str,
    taken: Collection[str],
    group: str | None,
    rules: TimeRules,
    *,
    named: bool = False,
) -> None:
    """Refuse a table whose rows would be forecast as they stand, though it holds times: of several series, say.

    Args:
        frame: all columns.
        places: where each row stands.
        name: of the whole, for messages.
        taken: columns that are used for something else.
        group: column that tells series apart.
        rules: how times are read.
        named: whether the column to forecast was named: then only several series are refused, which a column tells
            apart without doubt.

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
            named = False
            break
    if named:
        return
    fix += "; the rows as they stand, whatever their times: --time none"
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
    for column in map(str, frame.columns):
        if not any(each.match(_CUT.split(column.strip())[0]) for each in _KNOWN):
            continue
        # where a decimal comma was taken for the separator, the time is the beginning of a field
        first = frame[column].map(lambda value: _CUT.split(value)[0] if isinstance(value, str) else value)
        if holds_times(first, rules):
            raise DataError(
                f"the first line of {name} holds values, not the names of its columns",
                expected="a header such as time,value",
                got=", ".join(repr(str(each)) for each in frame.columns[:4]),
                fix="put a line with names above the first one",
            )


def numbers_rows(column: pd.Series[Any]) -> bool:
    """Whether a column counts the rows."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    return len(numbers) > 1 and bool((np.diff(numbers) == 1).all()) and numbers[0] in (0, 1)


def holds_times(column: pd.Series[Any], rules: TimeRules) -> bool:
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
    return bool(words) and all(map(is_time, words)) and not _only_looks_like_months(column)


def is_time(word: str) -> bool:
    """Whether a word is written as a time.

    Example:
        >>> is_time("2026-01"), is_time("Total")
        (True, False)
    """
    return any(each.match(word) for each in _KNOWN) or _NAMED_MONTH.match(word) is not None


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


def _counts_times(frame: pd.DataFrame, name: str, group: str | None, rules: TimeRules) -> bool:
    """Whether numbers are times by the name of their column and by their values, which rise or fall in every series.

    Whole years in a column called year; in one called date, month, time or the like 20260131, 202601, seconds since
    1970 and days as Excel counts them.
    """
    numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
    if role_called(name, frame[name]) == "year":
        counted = bool(((numbers >= _YEARS[0]) & (numbers <= _YEARS[1]) & (numbers % 1 == 0)).all())
    else:
        counted = called_time(name) and bool(np.isfinite(numbers).all()) and _reads_as_dates(frame[name], name, rules)
    if not counted:
        return False
    series = frame[group].astype(str).to_numpy() if group is not None and group in frame else np.zeros(len(frame))
    steps = [np.diff(numbers[series == each]) for each in dict.fromkeys(series.tolist())]
    return all((each > 0).all() or (each < 0).all() for each in steps)


def _reads_as_dates(column: pd.Series[Any], name: str, rules: TimeRules) -> bool:
    try:
        return read_times(column.tolist(), [""] * len(column), name, rules).form.kind != "number"
    except DataError:
        return False
