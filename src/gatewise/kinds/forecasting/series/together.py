"""Times spread over columns: a year beside its month, quarter or week, a date beside its hour or clock."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, NamedTuple

import pandas as pd

from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.series.checks import EXCEL
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.month_names import names_of_months
from gatewise.kinds.forecasting.series.reading import TimeColumn, TimeRules, read_times

__all__ = ["SETS", "holds_days", "may_be_part", "may_be_together", "read_together", "role_called"]

SETS = (
    ("year", "month", "day", "hour", "minute"),
    ("year", "month", "day", "hour"),
    ("year", "month", "day", "clock"),
    ("year", "month", "day"),
    ("date", "hour", "minute"),
    ("date", "hour"),
    ("date", "clock"),
    ("year", "month"),
    ("year", "quarter"),
    ("year", "week"),
)
"""Parts that are a time together, the finest first."""
_CALLED = {
    "year": ("year", "yr", "jahr", "année", "annee", "an", "año", "ano", "anno", "jaar"),
    "quarter": ("quarter", "qtr", "quartal", "trimestre", "trimester", "kwartaal"),
    "month": ("month", "mon", "mnth", "monat", "mois", "mes", "mês", "mese", "maand"),
    "week": ("week", "isoweek", "iso_week", "woche", "kw", "kalenderwoche", "semaine", "semana", "settimana"),
    "day": ("day", "dayofmonth", "day_of_month", "tag", "jour", "día", "dia", "giorno", "dag"),
    "hour": ("hour", "hr", "hours", "stunde", "heure", "hora", "ora", "uur"),
    "minute": ("minute", "minutes", "minuto"),
    "clock": ("time", "clock", "timeofday", "time_of_day", "uhrzeit", "zeit", "heure", "hora", "ora", "tijd"),
}
_BOUNDS = {
    "year": (1500, 2200),
    "month": (1, 12),
    "quarter": (1, 4),
    "week": (1, 53),
    "day": (1, 31),
    "minute": (0, 59),
}
_BOUNDS["hour"] = (0, 24)
_WHOLE = re.compile(r"\d{1,4}(?:\.0+)?")
_QUARTER = re.compile(r"(?P<before>[^\d%]*)(?P<number>[1-4])(?P<after>[^\d%]*)")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?P<separator>[:.])(?P<minute>\d{2})(?:(?P=separator)(?P<second>\d{2}))?(?P<half> ?[AaPp][Mm])?"
)
_DAY = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_DATED = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](\d{4}|\d{2})|(19|20)\d{6}")
_MIDNIGHT = re.compile(r"[ T]00:00(:00(\.0+)?)?$")
_SAMPLE = 50


class Part(NamedTuple):
    """A part of every time: (N,) words that `read_times` knows once they are joined, and how the file writes it.

    A date without a format is written as it is read, with a tail such as midnight.
    """

    words: list[str]
    format: str
    months: tuple[str, ...] = ()
    tail: str = ""


def role_called(name: str, column: pd.Series[Any]) -> str | None:
    """Which part of a time a column holds by its name, if its first values fit.

    Example:
        >>> role_called("Monat", pd.Series(["1", "2"])), role_called("heure", pd.Series(["08:00"]))
        ('month', 'clock')
    """
    word = re.sub(r"[^\w]", "", str(name).strip().lower())
    words = _words(column[:_SAMPLE])
    return next((role for role, called in _CALLED.items() if word in called and _fits(words, role)), None)


def may_be_part(name: str, word: str) -> bool:
    """Whether a word can be the part of a time by whose name its column is called.

    Example:
        >>> may_be_part("month", "Jan"), may_be_part("month", "Total"), may_be_part("sales", "1")
        (True, False, False)
    """
    called = re.sub(r"[^\w]", "", name.strip().lower())
    return any(called in names and _fits([word], role) for role, names in _CALLED.items())


def _role_by_values(column: pd.Series[Any]) -> str | None:
    """The only part that the values of a column can be; None where they leave it open."""
    words = _words(column)
    if _fits(words, "year"):
        return "year"
    if _fits(words, "clock"):
        return "clock"
    if all(map(_DATED.fullmatch, words[:_SAMPLE])) or column.map(lambda value: isinstance(value, date)).all():
        return "date"
    if not all(map(_WHOLE.fullmatch, words)):
        return "quarter" if _fits(words, "quarter") else "month" if names_of_months(words) else None
    greatest = max(int(float(word)) for word in words)
    return next((role for role in ("quarter", "month", "hour", "week") if greatest <= _BOUNDS[role][1]), None)


def may_be_together(frame: pd.DataFrame, taken: Collection[str], dates: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Columns that may be one time together, by their names and values: in the order of the table, the finest first.

    Args:
        frame: all columns.
        taken: columns that are used for something else.
        dates: those that hold dates.

    Example:
        >>> frame = pd.DataFrame({"sales": [5, 6], "year": [2025, 2026], "quarter": ["Q4", "Q1"]})
        >>> list(may_be_together(frame, [], []))
        [('year', 'quarter')]
    """
    by_role: dict[str, list[str]] = {"date": [str(name) for name in dates]}
    for name in map(str, frame.columns):
        role = None if name in taken or name in dates else role_called(name, frame[name])
        if role is not None and _fits(_words(frame[name]), role):
            by_role.setdefault(role, []).append(name)
    for roles in SETS:
        found = [by_role.get(role, []) for role in roles]
        if all(len(names) == 1 for names in found):
            names = {each[0] for each in found}
            yield tuple(name for name in map(str, frame.columns) if name in names)


def holds_days(column: pd.Series[Any]) -> bool:
    """Whether all values are days such as 20260131.

    Example:
        >>> holds_days(pd.Series([20260131, 20260201])), holds_days(pd.Series([20261331]))
        (True, False)
    """
    return all(map(_DAY.fullmatch, _words(column)))


def _words(column: pd.Series[Any]) -> list[str]:
    """Values as text; those that are missing are empty."""
    return [
        "" if value is None or value is pd.NaT or value != value else str(value).strip() for value in column.tolist()
    ]


def _fits(words: Sequence[str], role: str) -> bool:
    """Whether all values can be a part of a time."""
    if not words:
        return False
    if role == "clock":
        return all(map(_is_clock, words))
    if role == "quarter" and len({tuple(match.group("before", "after")) for match in _quarters(words)}) == 1:
        return all(map(_QUARTER.fullmatch, words))
    if role == "month" and names_of_months(words):
        return True
    low, high = _BOUNDS[role]
    return all(_WHOLE.fullmatch(word) and low <= float(word) <= high for word in words)


def _is_clock(word: str) -> bool:
    match = _CLOCK.fullmatch(word)
    if match is None or int(match["minute"]) > 59 or int(match["second"] or 0) > 59:
        return False
    return 1 <= int(match["hour"]) <= 12 if match["half"] else int(match["hour"]) < 24


def _quarters(words: Sequence[str]) -> list[re.Match[str]]:
    return [match for word in words if (match := _QUARTER.fullmatch(word))]


def read_together(
    frame: pd.DataFrame,
    names: Sequence[str],
    places: Sequence[str],
    rules: TimeRules | None = None,
    groups: Sequence[str] | None = None,
) -> TimeColumn:
    """Times out of several columns.

    Args:
        frame: all columns.
        names: of those that are one time together.
        places: where each row stands, for messages.
        rules: what is known of the times; a form of dates is that of the date's column.
        groups: the series to which each row belongs.

    Raises:
        DataError: the columns are no time together, or a value is none of its kind; the message names the line.
        OptionError: a form of dates is named, and none of them holds dates.

    Example:
        >>> frame = pd.DataFrame({"year": ["2025", "2026"], "quarter": ["4", "1"]})
        >>> found = read_together(frame, ["year", "quarter"], ["line 2", "line 3"])
        >>> found.times.astype("M8[D]").tolist(), found.form.cells(found.times)[1]
        ([datetime.date(2025, 10, 1), datetime.date(2026, 1, 1)], ('2026', '1'))
    """
    rules = rules or TimeRules()
    roles = _roles(frame, names)
    parts = {role: _part(frame[name], role, places, name) for role, name in roles.items()}
    title = ", ".join(names)
    if rules.date_format is not None and ("date" not in parts or rules.date_format == EXCEL):
        raise OptionError(
            "--date-format is for dates that stand in a column of their own",
            expected=f"none, for times in the columns {title}",
            got=repr(rules.date_format),
            fix="omit it" if "date" not in parts else "write the dates as 2026-01-31",
        )
    clock = parts.get("clock", parts.get("hour"))
    words = _days(parts)
    if clock is not None:
        minutes = parts["minute"].words if "minute" in parts else ["00"] * len(words)
        hours = clock.words if "clock" in parts else [f"{h}:{m}" for h, m in zip(clock.words, minutes, strict=True)]
        words = [f"{day} {hour}" for day, hour in zip(words, hours, strict=True)]
    named = rules.date_format
    if named is not None:
        named += " %H:%M:%S" if "clock" in parts else " %H:%M"
    found = read_times(words, places, title, replace(rules, date_format=named, workbook=False), groups)
    formats = {role: part.format for role, part in parts.items()}
    if "date" in parts and formats["date"] == "":
        formats["date"] = found.form.format.rpartition(" ")[0] + parts["date"].tail
    if "week" in parts:
        formats["year"] = "%G"
    months = parts["month"].months if "month" in parts else ()
    by_name = {name: formats[role] for name in names for role, mine in roles.items() if mine == name}
    return TimeColumn(found.times, TimeForm.spread(found.form, by_name, months), found.notes)


def _days(parts: Mapping[str, Part]) -> list[str]:
    """Each day, month, quarter or week as one word."""
    if "date" in parts:
        return parts["date"].words
    rest = [role for role in ("month", "quarter", "week", "day") if role in parts]
    marks = {"month": "-", "quarter": "Q", "week": "-W", "day": "-"}
    words = parts["year"].words
    for role in rest:
        words = [f"{word}{marks[role]}{more}" for word, more in zip(words, parts[role].words, strict=True)]
    return words


def _roles(frame: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """The column of each part."""
    roles = {name: role_called(name, frame[name]) or _role_by_values(frame[name]) for name in names}
    left = [name for name, role in roles.items() if role is None]
    if len(left) == 1 and set(roles.values()) <= {None, "hour", "minute", "clock"}:
        roles[left[0]] = "date"  # however it is written
    found = {role: name for name, role in roles.items() if role is not None}
    if len(found) == len(names) and any(set(roles) == set(found) for roles in SETS):
        return found
    raise DataError(
        f"the columns {', '.join(map(repr, names))} are no time together",
        expected="a year with a month, quarter or week (and day, hour, minute), or a date with an hour or a clock",
        got=", ".join(f"{name}: {str(frame[name].iloc[0])!r}" for name in names) if len(frame) else "no rows",
        fix="name the columns of one time, such as --time year,month",
    )


def _part(column: pd.Series[Any], role: str, places: Sequence[str], name: str) -> Part:
    words = _words(column)
    if role == "date":
        return _dates(column, words)
    if role == "clock" and _fits(words, role):
        return _clocks(words)
    if role == "month" and not all(map(_WHOLE.fullmatch, words)):
        months = names_of_months(words)
        if months:
            numbers = {month: f"{number:02}" for number, month in enumerate(months, start=1)}
            return Part([numbers[word] for word in words], "%N", months)
    if role == "quarter" and _fits(words, role):
        match = _quarters(words)[0]
        return Part([each["number"] for each in _quarters(words)], f"{match['before']}%q{match['after']}")
    if not _fits(words, role):
        wrong = [row for row, word in enumerate(words) if not _fits([word], role)]
        row = (wrong or [row for row, word in enumerate(words) if not _WHOLE.fullmatch(word)])[0]
        low, high = _BOUNDS.get(role, (0, 0))
        raise DataError(
            f"{places[row]}: {words[row]!r} in the column {name!r} is no {role}",
            expected="a time of day such as 18:30" if role == "clock" else f"a whole number from {low} to {high}",
            fix="correct it, or delete the row",
        )
    return _numbers(words, role)


def _numbers(words: Sequence[str], role: str) -> Part:
    """Whole numbers: of hours from 1 to 24 each stands for the hour that it ends."""
    numbers = [int(float(word)) for word in words]
    padded = any(len(word) == 2 and word.startswith("0") for word in words)
    if role == "year":
        return Part([f"{number:04}" for number in numbers], "%Y")
    ended = role == "hour" and max(numbers) == 24
    if ended and min(numbers) == 0:
        raise DataError(
            "the hours go from 0 to 24, so that the hour 24 of a day is the hour 0 of the next",
            expected="0 to 23, or 1 to 24",
            fix="write the hour 24 as the hour 0 of the next day",
        )
    letter = {"month": "m", "week": "V", "day": "d", "minute": "M", "hour": "K" if ended else "H"}[role]
    return Part([f"{number - ended:02}" for number in numbers], f"%{letter}" if padded else f"%-{letter}")


def _clocks(words: Sequence[str]) -> Part:
    """Times of day with points or colons, with seconds or without, am and pm."""
    matches = [match for word in words if (match := _CLOCK.fullmatch(word))]
    separator, half = matches[0]["separator"], matches[0]["half"]
    seconds = any(match["second"] for match in matches)
    found = []
    for match in matches:
        hour = int(match["hour"])
        if match["half"]:
            hour = hour % 12 + 12 * (match["half"].strip().lower() == "pm")
        found.append(f"{hour:02}:{match['minute']}:{match['second'] or '00'}")
    hours = "%-" if any(len(match["hour"]) == 1 for match in matches) else "%"
    form = hours + ("I" if half else "H") + f"{separator}%M" + (f"{separator}%S" if seconds else "")
    if half:
        form += " " * half.startswith(" ") + ("%p" if half.strip().isupper() else "%P")
    return Part(found, form)


def _dates(column: pd.Series[Any], words: list[str]) -> Part:
    """Dates; the form of those that are written as usual is found with the times."""
    if column.map(lambda value: isinstance(value, (date, datetime))).all():
        return Part([f"{value:%Y-%m-%d}" for value in column], "%Y-%m-%d")
    if all(map(_DAY.fullmatch, words)):
        return Part([f"{word[:4]}-{word[4:6]}-{word[6:]}" for word in words], "%Y%m%d")
    tails = [match.group() if (match := _MIDNIGHT.search(word)) else "" for word in words]
    if len(set(tails)) > 1 or not tails:
        return Part(words, "")
    return Part([word.removesuffix(tails[0]) for word in words], "", tail=tails[0])
