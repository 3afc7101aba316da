"""The time axis of series: reading it, finding its spacing, continuing it. Every error names the line."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.errors import DataError, RunError

__all__ = ["Spacing", "find_spacing", "read_times"]

Times = npt.NDArray[Any]
_SEASONS = {60: 60, 900: 96, 1_800: 48, 3_600: 24, 86_400: 7, 604_800: 52}
_CALENDAR_SEASONS = {"M": 12, "Q": 4, "B": 5, "W": 52, "D": 7, "h": 24}


@dataclass(frozen=True)
class Spacing:
    """What one step is.

    Args:
        rule: ``rows`` (no time column: a row is a step), ``even`` (always the same difference), ``calendar`` (months,
            quarters and the like), ``business`` (days without Saturday and Sunday: a row is a step) or ``uneven`` (a
            row is a step, whatever time lies between).
        step: seconds (or units of a numeric time column) of a step; of uneven ones, the middle difference.
        alias: pandas' name of a calendar step, such as ``MS``.

    Example:
        >>> Spacing("even", 3600.0).season, Spacing("even", 3600.0).title
        (24, 'every hour')
    """

    rule: Literal["rows", "even", "calendar", "business", "uneven"]
    step: float = 1.0
    alias: str = ""

    @property
    def title(self) -> str:
        """As text."""
        if self.rule in ("rows", "business"):
            return {"rows": "row by row", "business": "every business day"}[self.rule]
        if self.rule == "calendar":
            return f"by the calendar ({self.alias})"
        names = {1: "second", 60: "minute", 3_600: "hour", 86_400: "day", 604_800: "week"}
        length = names.get(int(self.step), "") if self.step == int(self.step) else ""
        words = length or f"{self.step:g} seconds"
        return f"every {words}" if self.rule == "even" else f"unevenly, in the middle {'1 ' if length else ''}{words}"

    @property
    def season(self) -> int | None:
        """Steps of the season that such a spacing typically has; None: no typical one."""
        if self.rule == "business":
            return 5
        if self.rule == "calendar":
            return next((season for name, season in _CALENDAR_SEASONS.items() if self.alias.startswith(name)), None)
        return _SEASONS.get(int(self.step)) if self.rule == "even" else None

    def after(self, last: Any, count: int) -> Times:
        """The times of the next steps.

        Args:
            last: the last known time.
            count: steps.

        Example:
            >>> Spacing("business").after(np.datetime64("2026-01-02"), 2).astype("datetime64[D]").tolist()
            [datetime.date(2026, 1, 5), datetime.date(2026, 1, 6)]
        """
        if not isinstance(last, np.datetime64):
            return np.asarray(last + self.step * np.arange(1, count + 1))
        if self.rule in ("calendar", "business"):
            start = pd.Timestamp(last)
            dates = pd.date_range(start, periods=count + 1, freq=self.alias or "B")
            following = dates[dates > start][:count]
            if len(following) < count:
                following = pd.date_range(start, periods=count + 2, freq=self.alias or "B")[-count:]
            return following.to_numpy().astype("datetime64[us]")
        steps = np.round(self.step * 1e6 * np.arange(1, count + 1)).astype("timedelta64[us]")
        return np.asarray(last + steps)

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {"rule": self.rule, "step": self.step, "alias": self.alias}

    @classmethod
    def from_dict(cls, record: Any, place: str) -> Spacing:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged.

        Example:
            >>> Spacing.from_dict(Spacing("business").to_dict(), "series.json").rule
            'business'
        """
        try:
            found = cls(record["rule"], float(record["step"]), str(record["alias"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{place} is damaged", expected="the spacing of the series") from error
        if found.rule not in ("rows", "even", "calendar", "business", "uneven"):
            raise RunError(f"{place} is damaged", expected="a known spacing", got=repr(found.rule))
        return found


def read_times(values: Sequence[Any], places: Sequence[str], column: str) -> tuple[Times, list[str]]:
    """Times from a column: numbers stay numbers, all else is read as dates.

    Times with an offset are converted to UTC.

    Args:
        values: as written, or timestamps.
        places: of each value, for messages: ``prices.csv, line 3``.
        column: the column's name.

    Returns:
        (times: datetime64[us] or float64, notes)

    Raises:
        DataError: a time is missing or cannot be read, or some have an offset and others not.

    Example:
        >>> read_times(["2026-01-01", "2026-01-02"], ["line 2", "line 3"], "date")[0].dtype
        dtype('<M8[us]')
        >>> read_times(["2026-01-01", "soon"], ["line 2", "line 3"], "date")
        Traceback (most recent call last):
        gatewise.errors.DataError: line 3: 'soon' in the column 'date' is not a time; expected: ...
    """
    given = pd.Series(list(values), dtype=object)
    blank = given.isna() | given.map(lambda value: isinstance(value, str) and not value.strip())
    if blank.any():
        raise DataError(
            f"{places[int(blank.to_numpy().argmax())]}: the time in the column {column!r} is missing",
            fix="fill it, or delete the row",
        )
    numbers = pd.to_numeric(given, errors="coerce")
    if numbers.notna().all() and not given.map(lambda value: isinstance(value, bool)).any() and not _dates(given):
        found = numbers.to_numpy(dtype=np.float64)
        if not np.isfinite(found).all():
            raise DataError(f"{places[int((~np.isfinite(found)).argmax())]}: the time is not finite")
        return found, []
    return _read_dates(given, places, column)


def _dates(given: pd.Series[Any]) -> bool:
    """Whether numbers are meant as dates: eight digits, year first, or timestamps."""
    if given.map(lambda value: isinstance(value, (pd.Timestamp, np.datetime64))).any():
        return True
    words = given.map(str)
    return bool(words.str.fullmatch(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])").all())


def _read_dates(given: pd.Series[Any], places: Sequence[str], column: str) -> tuple[Times, list[str]]:
    words = given.map(str).str.strip()
    aware = words.str.contains(r"(?:Z|[+-]\d{2}:?\d{2}|UTC|GMT)$", regex=True) & words.str.contains(":")
    if aware.any() and not aware.all():
        other = int((~aware if aware.iloc[0] else aware).to_numpy().argmax())
        raise DataError(
            f"{places[other]}: the times in the column {column!r} are written with and without a time zone",
            expected=f"all like {words.iloc[0]!r}",
            got=repr(words.iloc[other]),
            fix="write the offset everywhere, or nowhere",
        )
    read = pd.to_datetime(words, errors="coerce", utc=bool(aware.any()), format=_form(words))
    if read.isna().any():
        row = int(read.isna().to_numpy().argmax())
        raise DataError(
            f"{places[row]}: {words.iloc[row]!r} in the column {column!r} is not a time",
            expected=f"a date or time, written as in the first row: {words.iloc[0]!r}",
            fix="correct it; 2026-01-31 and 2026-01-31 18:00 are always understood",
        )
    notes = []
    if aware.any():
        read = read.dt.tz_localize(None)
        offsets = words.str.extract(r"(Z|[+-]\d{2}:?\d{2}|UTC|GMT)$")[0].nunique()
        notes = ["times were converted to UTC" + (f" from {offsets} different offsets" if offsets > 1 else "")]
    return read.to_numpy().astype("datetime64[us]"), notes


def _form(words: pd.Series[Any]) -> str | None:
    """ISO 8601 is read in any of its lengths; other forms as the first row shows."""
    return "ISO8601" if words.str.match(r"\d{4}-\d{2}(-\d{2})?([T ].*)?$").all() else None


def find_spacing(times: Times) -> Spacing:
    """The spacing of a series; gaps are recognised only where most steps have the same length.

    Args:
        times: (T,), rising.

    Example:
        >>> find_spacing(np.array([0.0, 1.0, 2.0, 4.0, 5.0]))
        Spacing(rule='even', step=1.0, alias='')
    """
    if len(times) < 3:
        return Spacing("uneven", float(_seconds(np.diff(times))[0]) if len(times) == 2 else 1.0)
    differences = _seconds(np.diff(times))
    lengths, counts = np.unique(differences, return_counts=True)
    usual = float(lengths[counts.argmax()])
    if times.dtype.kind == "M" and len(lengths) > 1:
        dates = pd.DatetimeIndex(times)
        if (
            usual == 86_400
            and (dates.day_of_week < 5).all()
            and len(times) >= 10
            and (dates == dates.normalize()).all()
        ):
            return Spacing("business", usual, "B")
        alias = _calendar(dates)
        if alias[:1] in tuple("MQYAB"):
            return Spacing("calendar", float(np.median(differences)), alias)
    steps = differences / usual
    if np.allclose(steps, np.round(steps)) and (steps.round() == 1).mean() >= 0.5:
        return Spacing("even", usual)
    return Spacing("uneven", float(np.median(differences)))


def _calendar(dates: pd.DatetimeIndex) -> str:
    """pandas' name of the frequency; empty where there is none."""
    with warnings.catch_warnings():
        # pandas 4 will give an object that has the name
        warnings.simplefilter("ignore")
        found = pd.infer_freq(dates)
    return "" if found is None else str(getattr(found, "freqstr", found))


def _seconds(differences: Times) -> npt.NDArray[np.float64]:
    if differences.dtype.kind == "m":
        return np.asarray(differences / np.timedelta64(1, "s"), dtype=np.float64)
    return np.asarray(differences, dtype=np.float64)
