"""The time axis of series: finding its spacing, continuing it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.errors import RunError

__all__ = ["Spacing", "find_spacing", "share_of_equal_steps", "steps_between"]

Times = npt.NDArray[Any]
_SEASONS = {60: 60, 900: 96, 1_800: 48, 3_600: 24, 86_400: 7, 604_800: 52}
_CALENDAR_SEASONS = {"M": 12, "Q": 4, "B": 5, "W": 52, "D": 7, "h": 24}
_MONTH_SEASONS = {1: 12, 2: 6, 3: 4, 4: 3, 6: 2}
_MONTH_NAMES = {1: "month", 3: "quarter", 6: "half-year", 12: "year"}


@dataclass(frozen=True)
class Spacing:
    """What one step is.

    Args:
        rule: ``rows`` (no time column: a row is a step), ``even`` (always the same difference), ``calendar`` (months,
            quarters and the like), ``business`` (days without Saturday and Sunday: a row is a step) or ``uneven`` (a
            row is a step, whatever time lies between).
        step: seconds (or units of a numeric time column) of a step; of uneven ones, the middle difference.
        alias: pandas' name of a calendar step, such as ``MS``.
        months: of a calendar step that is whole months; 0: it is none.
        day: the day of those months, 31 for their last.

    Example:
        >>> Spacing("even", 3600.0).season, Spacing("even", 3600.0).title
        (24, 'every hour')
    """

    rule: Literal["rows", "even", "calendar", "business", "uneven"]
    step: float = 1.0
    alias: str = ""
    months: int = 0
    day: int = 0

    @property
    def title(self) -> str:
        """As text."""
        if self.rule in ("rows", "business"):
            return {"rows": "row by row", "business": "every business day"}[self.rule]
        if self.months:
            return f"every {_MONTH_NAMES.get(self.months, f'{self.months} months')}"
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
        if self.months:
            return _MONTH_SEASONS.get(self.months)
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
        if self.months:
            return _after_months(last, self.months * np.arange(1, count + 1), self.day)
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
        found = {"rule": self.rule, "step": self.step, "alias": self.alias}
        return found | ({"months": self.months, "day": self.day} if self.months else {})

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
            more = {name: int(record.get(name, 0)) for name in ("months", "day")}
            found = cls(record["rule"], float(record["step"]), str(record["alias"]), **more)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{place} is damaged", expected="the spacing of the series") from error
        if found.rule not in ("rows", "even", "calendar", "business", "uneven"):
            raise RunError(f"{place} is damaged", expected="a known spacing", got=repr(found.rule))
        return found


def find_spacing(times: Times) -> Spacing:
    """The spacing of a series; gaps are recognised only where most steps have the same length.

    Args:
        times: (T,), rising.

    Example:
        >>> find_spacing(np.array([0.0, 1.0, 2.0, 4.0, 5.0])).title
        'every second'
    """
    if len(times) < 3:
        return Spacing("uneven", float(_seconds(np.diff(times))[0]) if len(times) == 2 else 1.0)
    differences = _seconds(np.diff(times))
    lengths, counts = np.unique(differences, return_counts=True)
    usual = float(lengths[counts.argmax()])
    months = _find_months(times)
    if months is not None:
        return months
    if times.dtype.kind == "M" and len(lengths) > 1:
        dates = pd.DatetimeIndex(times)
        if (
            usual == 86_400
            and (dates.day_of_week < 5).all()
            and len(times) >= 10
            and len(np.unique(dates - dates.normalize())) == 1
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


def _find_months(times: Times) -> Spacing | None:
    """Steps of whole months, with or without some that are missing; None where a step is something else."""
    if times.dtype.kind != "M" or (np.diff(times) < np.timedelta64(28, "D")).any():
        return None
    dates = pd.DatetimeIndex(times)
    if len(np.unique(dates - dates.normalize())) > 1:
        return None
    last = dates.days_in_month.to_numpy()
    days = dates.day.to_numpy()
    day = 31 if (days == last).all() else int(days.max())
    if (days != np.minimum(day, last)).any():
        return None
    gaps = np.diff(dates.year.to_numpy() * 12 + dates.month.to_numpy())
    lengths, counts = np.unique(gaps, return_counts=True)
    usual = int(lengths[counts.argmax()])
    if usual < 1 or (gaps % usual).any() or (gaps == usual).mean() < 0.5:
        return None
    alias = ("Y" if usual % 12 == 0 else "Q" if usual == 3 else "M") + ("E" if day == 31 else "S" if day == 1 else "")
    return Spacing("calendar", float(np.median(_seconds(np.diff(times)))), alias, usual, day)


def _after_months(start: Any, months: npt.NDArray[np.int64], day: int) -> Times:
    """Times so many months after another, on a day of the month or, where it has none, on its last."""
    first = np.datetime64(start, "us")
    clock = first - first.astype("datetime64[D]")
    begun = first.astype("datetime64[M]") + months
    if first.astype("datetime64[D]") != _on_day(first.astype("datetime64[M]"), day):
        day = int(str(first)[8:10])
    return np.asarray(_on_day(begun, day).astype("datetime64[us]") + clock)


def _on_day(months: Any, day: int) -> Any:
    """A day of each month, its last where it has none such."""
    length = (months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")
    return months.astype("datetime64[D]") + np.minimum(np.timedelta64(day, "D"), length) - np.timedelta64(1, "D")


def steps_between(times: Times, spacing: Spacing) -> npt.NDArray[np.int64] | None:
    """Steps between rows that follow each other; None where a row is a step, whatever lies between.

    Args:
        times: (T,), rising.
        spacing: what a step is.

    Example:
        >>> months = np.array(["2026-01-31", "2026-02-28", "2026-04-30"], dtype="datetime64[us]")
        >>> steps_between(months, Spacing("calendar", 86_400.0 * 30, "ME", 1, 31)).tolist()
        [1, 2]
    """
    if spacing.months:
        counted: Any = times.astype("datetime64[M]").astype(np.int64)
        gaps = counted[1:] - counted[:-1]
        return np.asarray(np.round(gaps / spacing.months), dtype=np.int64)
    if spacing.rule != "even":
        return None
    unit = np.timedelta64(round(spacing.step * 1e6), "us") if times.dtype.kind == "M" else spacing.step
    differences: Any = np.diff(times)
    return np.asarray(np.round(differences / unit), dtype=np.int64)


def share_of_equal_steps(times: Times) -> float:
    """Which share of the steps has the usual length; 0 where there is none, or a time is missing or comes twice.

    Args:
        times: (T,) in any order.

    Example:
        >>> share_of_equal_steps(np.array(["2026-01-01", "2026-02-01", "2026-03-01"], dtype="datetime64[us]"))
        1.0
    """
    if np.isnat(times).any() or len(times) < 3:
        return 0.0
    ordered = np.sort(times)
    if (ordered[1:] == ordered[:-1]).any():
        return 0.0
    spacing = find_spacing(ordered)
    steps = steps_between(ordered, spacing)
    if steps is None:
        return 0.0 if spacing.rule == "uneven" else 1.0
    return float((steps == 1).mean())
