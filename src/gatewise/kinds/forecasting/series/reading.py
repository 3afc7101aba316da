"""Reading a column of times: dates in any usual form, numbers, time zones. Every complaint names the line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import available_timezones

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.tseries.api import guess_datetime_format

from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.checks import EXCEL, check_times, with_weekday
from gatewise.kinds.forecasting.series.forms import EPOCHS, SERIAL_START, TimeForm
from gatewise.kinds.forecasting.series.patterns import DAY_FIRST, PATTERNS, Pattern, form_of, order_of
from gatewise.kinds.forecasting.series.zones import as_instants, by_clock

__all__ = ["TimeColumn", "TimeRules", "called_time", "read_times"]

Times = npt.NDArray[Any]
_ZONE = r"\s?(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
# fmt: off
_NAMED = (
    "%b %Y", "%B %Y", "%b-%y", "%b-%Y", "%Y %b", "%Y %B", "%Y-%b", "%Y-%B", "%d-%b-%y", "%d-%b-%Y", "%d/%b/%Y",
    "%d.%b.%Y", "%Y-%b-%d",
)
# fmt: on
_SERIALS = (20_000, 100_000)
_TIME_NAME = re.compile(
    r"(date|datum|day|tag|dato|data|fecha|jour|giorno|month|monat|mois|mes|mese|period|periode|yyyymm(dd)?|time|"
    r"date[_ -]?time|time[_ -]?stamp|ts|zeit|zeitpunkt|zeitstempel|epoch|unix([_ -]?time)?|ds)",
    re.IGNORECASE,
)
_DATE_NAME = re.compile(r"(date|datum|dato|fecha|date[_ -]?time)", re.IGNORECASE)
_ALWAYS = "2026-01-31 and 2026-01-31 18:00 are always understood"


@dataclass(frozen=True)
class TimeRules:
    """What is known of a column of times before it is read.

    Args:
        date_format: as for ``strptime``, or ``excel``; None: found.
        timezone: name of the zone in which times without an offset were written; None: none.
        form: of the times that a network was trained on, which decides between readings that are equally good.
        step: seconds of a step, where they are known.
        workbook: whether the column stands in an Excel workbook, where numbers may be dates.

    Raises:
        OptionError: the format cannot be read back, or the zone is not known.
    """

    date_format: str | None = None
    timezone: str | None = None
    form: TimeForm | None = None
    step: float | None = None
    workbook: bool = False

    def __post_init__(self) -> None:
        check_times(self.date_format, self.timezone)


class TimeColumn(NamedTuple):
    """Times that were read: (N,) datetime64[us] by the clock of their form, or float64; their form; notes."""

    times: Times
    form: TimeForm
    notes: list[str]


@dataclass
class Found:
    """Dates as the clock showed them, and in UTC where that is known."""

    wall: Times
    form: TimeForm
    instants: Times | None = None
    notes: list[str] = field(default_factory=list)


def called_time(column: str) -> bool:
    """Whether a column has a usual name of times.

    Example:
        >>> called_time("Datum"), called_time("updates")
        (True, False)
    """
    return _TIME_NAME.fullmatch(column.strip()) is not None


def read_times(
    values: Sequence[Any],
    places: Sequence[str],
    column: str,
    rules: TimeRules | None = None,
    groups: Sequence[str] | None = None,
) -> TimeColumn:
    """Times out of a column: plain numbers stay numbers, all else is read as dates.

    Args:
        values: as written, or timestamps.
        places: where each stands, for messages: ``prices.csv, line 3``.
        column: the column's name.
        rules: what is known of it.
        groups: the series to which each belongs.

    Raises:
        DataError: a time is missing or cannot be read, days and months cannot be distinguished, or some times have an
            offset and others not.

    Example:
        >>> read_times(["13.01.2020", "14.01.2020"], ["line 2", "line 3"], "date").times.astype("M8[D]").tolist()
        [datetime.date(2020, 1, 13), datetime.date(2020, 1, 14)]
        >>> read_times(["2026-01-01", "soon"], ["line 2", "line 3"], "date")
        Traceback (most recent call last):
        gatewise.errors.DataError: line 3: 'soon' in the column 'date' is not a time; expected: ...
    """
    rules = rules or TimeRules()
    given = pd.Series(list(values), dtype=object)
    blank = given.isna() | given.map(lambda value: isinstance(value, str) and not value.strip())
    if blank.any():
        raise DataError(
            f"{places[int(blank.to_numpy().argmax())]}: the time in the column {column!r} is missing",
            fix="fill it, or delete the row",
        )
    names = np.array(groups if groups is not None else [""] * len(given), dtype=object)
    if given.map(lambda value: isinstance(value, (datetime, np.datetime64))).any():
        found = _stamps(given, places, column)
    else:
        words = given.map(_word)
        if rules.date_format == EXCEL:
            found = _serial_dates(words, places, column)
        elif rules.date_format is not None:
            found = _by_format(words, places, column, rules.date_format)
        else:
            numbers = _numbers(given, words, places, column, rules)
            if isinstance(numbers, TimeColumn):
                return numbers
            found = numbers or _by_pattern(words, places, column, rules, names)
    if found.instants is None and rules.timezone is not None:
        found.instants = as_instants(found.wall, rules.timezone, names, places, column)
    if found.instants is None:
        return TimeColumn(found.wall, found.form, found.notes)
    times, form, notes = by_clock(found.wall, found.instants, found.form, rules.timezone, names, rules.step)
    return TimeColumn(times, form, [*found.notes, *notes])


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _numbers(
    given: pd.Series[Any], words: pd.Series[str], places: Sequence[str], column: str, rules: TimeRules
) -> TimeColumn | Found | None:
    """Numbers: plain ones, since 1970, or dates such as 20260131 and 202601."""
    numbers = pd.to_numeric(given, errors="coerce")
    if numbers.isna().any() or given.map(lambda value: isinstance(value, bool)).any():
        return None
    if words.str.fullmatch(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])").all():
        return _by_format(words, places, column, "%Y%m%d")
    for shape, digits in (("%Y%m", r"(19|20)\d{2}(0[1-9]|1[0-2])"), ("%m.%Y", r"(0?[1-9]|1[0-2])\.(19|20)\d{2}")):
        if len(words) < 3 or not words.str.fullmatch(digits).all():
            continue
        months = _by_format(words, places, column, shape)
        return replace(months, notes=[f"the numbers in the column {column!r} were read as years and months"])
    found = numbers.to_numpy(dtype=np.float64)
    if not np.isfinite(found).all():
        raise DataError(f"{places[int((~np.isfinite(found)).argmax())]}: the time is not finite")
    fractions = words.str.extract(r"^-?\d+(?:\.(\d+))?$")[0]
    plain = bool(words.str.fullmatch(r"-?\d+(\.\d+)?").all())
    decimals = int(fractions.fillna("").str.len().max()) if plain else None
    for unit, each in EPOCHS.items():
        if len(found) > 1 and found.min() >= 3e8 * each and found.max() <= 4.2e9 * each:
            micro = _microseconds(words, found, each)
            form = TimeForm("epoch", digits=decimals or 0, unit=unit, clock="utc")
            note = f"the numbers in the column {column!r} were read as {unit} since 1970"
            return Found(micro, form, micro, [note])
    serial = bool(len(found) > 1 and found.min() >= _SERIALS[0] and found.max() <= _SERIALS[1])
    dated = _DATE_NAME.fullmatch(column.strip()) is not None
    if serial and (rules.workbook or dated or (rules.form is not None and rules.form.kind == "excel")):
        dates = _serial_dates(words, places, column)
        return replace(dates, notes=[f"the numbers in the column {column!r} were read as dates of Excel"])
    hint = f"the numbers in the column {column!r} count by themselves; if they are dates of Excel: --date-format excel"
    return TimeColumn(found, TimeForm("number", digits=decimals), [hint] if serial else [])


def _serial_dates(words: pd.Series[str], places: Sequence[str], column: str) -> Found:
    """Days since the end of 1899, rounded to the coarsest of hour, minute and second that their digits allow.

    Raises:
        DataError: one is no number, or none of the years 1954 to 2173.
    """
    days = pd.to_numeric(words.str.replace(",", ".", regex=False), errors="coerce")
    days = days.where((days >= _SERIALS[0]) & (days <= _SERIALS[1]))
    fix = "correct it, or omit --date-format excel"
    expected = "a number of days as Excel counts them, such as 45000 or 45000.5"
    _refuse_unread(days, words, places, column, expected, fix)
    digits = int(words.str.extract(r"[.,](\d+)$")[0].fillna("").str.len().max())
    seconds = days.to_numpy(dtype=np.float64) * 86_400
    slack = 43_200 * 10.0**-digits + 1e-3
    rounded = np.round(seconds, 3)
    for unit in (86_400, 3_600, 60, 1):
        nearest = np.round(seconds / unit) * unit
        if slack < unit / 4 and (np.abs(nearest - seconds) <= slack).all():
            rounded = nearest
            break
    micro = np.round(rounded * 1e6).astype(np.int64).astype("timedelta64[us]")
    return Found(SERIAL_START + micro, TimeForm("excel", digits=min(digits, 10)))


def _microseconds(words: pd.Series[str], found: npt.NDArray[np.float64], each: int) -> Times:
    """Numbers since 1970 to times; whole numbers lose nothing on the way."""
    if words.str.fullmatch(r"\d+").all():
        whole = words.astype("int64").to_numpy()
        micro = whole * (1_000_000 // each) if each <= 1_000_000 else whole // 1_000
        return np.asarray(micro).astype("datetime64[us]")
    return np.round(found * (1_000_000 / each)).astype(np.int64).astype("datetime64[us]")


def _stamps(given: pd.Series[Any], places: Sequence[str], column: str) -> Found:
    """Timestamps of pandas, with or without a zone."""
    stamps = [pd.Timestamp(value) for value in given]
    zones = [stamp.tzinfo is not None for stamp in stamps]
    if any(zones) and not all(zones):
        raise _mixed_zones(given.map(str), np.array(zones), places, column)
    wall = np.array([stamp.tz_localize(None).to_datetime64() for stamp in stamps]).astype("datetime64[us]")
    days = bool((wall == wall.astype("datetime64[D]")).all())
    whole = bool((wall == wall.astype("datetime64[s]")).all())
    form = TimeForm(format="%Y-%m-%d" if days else "%Y-%m-%d %H:%M:%S", digits=0 if days or whole else 6)
    if not any(zones):
        return Found(wall, form)
    instants = np.array([stamp.tz_convert("UTC").tz_localize(None).to_datetime64() for stamp in stamps])
    name = {str(stamp.tz) for stamp in stamps}
    zone = next(iter(name)) if len(name) == 1 and name <= available_timezones() - {"UTC"} else ""
    form = replace(form, format="%Y-%m-%d %H:%M:%S", offset="+00:00", zone=zone)
    return Found(wall, form, instants.astype("datetime64[us]"))


def _by_format(words: pd.Series[str], places: Sequence[str], column: str, date_format: str) -> Found:
    """Dates in a form that a person named."""
    weekly = with_weekday(date_format) != date_format
    dated = words + "-1" if weekly else words
    read = pd.to_datetime(dated, format=with_weekday(date_format), errors="coerce", utc="%z" in date_format)
    _refuse_unread(read, words, places, column, f"a time written as {date_format!r}", "another --date-format, or none")
    shape = re.sub(r"\s?%[zZ]", "", date_format)
    instants = None
    offset = ""
    wall = _naive(read)
    if "%z" in date_format:
        instants = wall
        offset = _offset_style(words)
        bare = words.str.replace(_ZONE, "", regex=True)
        wall = _naive(pd.to_datetime(bare, format=shape, errors="coerce"))
    form = TimeForm(format=shape, offset=offset)
    unpadded = replace(form, format=re.sub("%([dmHI])", r"%-\1", shape))
    sample = words.str.replace(_ZONE, "", regex=True)[:1000].tolist() if offset else words[:1000].tolist()
    for each in (form, unpadded):
        if replace(each, offset="").written(wall[:1000]) == sample:
            return Found(wall, each, instants)
    return Found(wall, form, instants)


def _by_pattern(
    words: pd.Series[str], places: Sequence[str], column: str, rules: TimeRules, groups: npt.NDArray[Any]
) -> Found:
    """Dates in one of the known patterns, else in a form with names of months."""
    pattern = _pattern(words)
    if pattern is None:
        return _by_names(words, places, column)
    quick = _iso(words) if pattern is PATTERNS[0] else None
    if quick is not None:
        return quick
    parts = words.str.extract(pattern.regex)
    usual = words[int(parts["year"].notna().to_numpy().argmax())]
    separator = parts["separator"].dropna().mode()[0]
    strange = parts["year"].isna() | (parts["separator"] != separator)
    expected = f"a date or time, written as in the first row: {usual!r}"
    if not strange.any():
        zoned = parts["zone"].notna().to_numpy() if "zone" in parts else np.zeros(len(words), dtype=bool)
        if zoned.any() and not zoned.all():
            raise _mixed_zones(words, zoned, places, column)
    notes: list[str] = []
    order = pattern.order
    if order is None:
        order, notes = order_of(parts.where(~strange), words, places, column, rules.form, groups, rules.step)
    read = order.read(parts)
    read[strange.to_numpy()] = np.datetime64("NaT")
    fix = f"correct it; {_ALWAYS}" + ("" if rules.date_format else "; or say how dates are written with --date-format")
    _refuse_unread(pd.Series(read), words, places, column, expected, fix)
    form = form_of(parts, pattern, order, separator)
    if "zone" not in parts or parts["zone"].isna().any():
        return Found(read, form, notes=notes)
    return Found(read, replace(form, offset=_offset_style(words)), read - _offsets(parts["zone"]), notes)


def _pattern(words: pd.Series[str]) -> Pattern | None:
    """The pattern of the first word, else that of most."""
    for pattern in PATTERNS:
        if re.fullmatch(pattern.regex, words.iloc[0]):
            return pattern
    counts = {pattern: int(words.str.fullmatch(pattern.regex).sum()) for pattern in PATTERNS}
    best = max(counts, key=lambda pattern: counts[pattern])
    return best if 2 * counts[best] > len(words) else None


def _iso(words: pd.Series[str]) -> Found | None:
    """Dates of ISO 8601 without a zone that are all equally long, which is quick; None where they are not."""
    parts = words[:1].str.extract(PATTERNS[0].regex)
    if parts["zone"].notna().any() or words.str.len().nunique() > 1:
        return None
    try:
        read = pd.to_datetime(words, format="ISO8601", errors="coerce")
    except ValueError:
        return None
    if read.isna().any() or read.dtype.kind != "M" or getattr(read.dt, "tz", None) is not None:
        return None
    if read.min().year < 1:
        return None
    return Found(_naive(read), form_of(parts, PATTERNS[0], PATTERNS[0].order or DAY_FIRST, "-"))


def _by_names(words: pd.Series[str], places: Sequence[str], column: str) -> Found:
    """Dates with names of months, and whatever else pandas understands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        guessed = guess_datetime_format(words.iloc[0])
        forms = [guessed] if guessed is not None and "%z" not in guessed else list(_NAMED)
        for each in forms:
            read = pd.to_datetime(words, format=each, errors="coerce")
            if read.notna().mean() > 0.5:
                break
        else:
            read = pd.to_datetime(words, errors="coerce", utc=True).dt.tz_localize(None)
            each = "%Y-%m-%d %H:%M:%S"
    expected = "a date or time"
    if not read.isna().iloc[0]:
        expected += f", written as in the first row: {words.iloc[0]!r}"
    fix = f"correct it; {_ALWAYS}; or say how dates are written with --date-format"
    _refuse_unread(read, words, places, column, expected, fix)
    wall = _naive(read)
    for form in (TimeForm(format=each), TimeForm(format=re.sub("%([dm])", r"%-\1", each))):
        if form.written(wall[:1000]) == words[:1000].tolist():
            return Found(wall, form)
    return Found(wall, TimeForm(format=each))


def _refuse_unread(
    read: pd.Series[Any], words: pd.Series[str], places: Sequence[str], column: str, expected: str, fix: str
) -> None:
    if read.isna().any():
        row = int(read.isna().to_numpy().argmax())
        raise DataError(
            f"{places[row]}: {words.iloc[row]!r} in the column {column!r} is not a time", expected=expected, fix=fix
        )


def _mixed_zones(words: pd.Series[str], zoned: npt.NDArray[np.bool_], places: Sequence[str], column: str) -> DataError:
    other = int((~zoned if zoned[0] else zoned).argmax())
    return DataError(
        f"{places[other]}: the times in the column {column!r} are written with and without a time zone",
        expected=f"all like {words.iloc[0]!r}",
        got=repr(words.iloc[other]),
        fix="write the offset everywhere, or nowhere",
    )


def _naive(read: pd.Series[Any]) -> Times:
    plain = read.dt.tz_localize(None) if getattr(read.dt, "tz", None) is not None else read
    return np.asarray(plain.to_numpy()).astype("datetime64[us]")


def _offset_style(words: pd.Series[str]) -> str:
    """How offsets are written; one that is a number says more than Z."""
    found = words.str.extract(r"(\s?(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))$")[0].dropna()
    numbers = found[found.str.contains(r"\d", regex=True)]
    if not len(numbers):
        return str(found.iloc[0])
    return re.sub(r"\d", "0", str(numbers.iloc[0])).replace("-", "+")


def _offsets(zone: pd.Series[str]) -> npt.NDArray[Any]:
    """(N,) offsets as differences of time."""
    parts = zone.str.extract(r"([+-])(\d{2}):?(\d{2})?")
    minutes = parts[1].fillna("0").astype(int) * 60 + parts[2].fillna("0").astype(int)
    signed = np.where(parts[0] == "-", -minutes, minutes)
    return np.asarray(signed).astype("timedelta64[m]").astype("timedelta64[us]")
