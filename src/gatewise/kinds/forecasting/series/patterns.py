"""The patterns in which dates are written with numbers, and which of two numbers is the day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.axis import find_spacing, share_of_equal_steps
from gatewise.kinds.forecasting.series.forms import TimeForm

__all__ = ["DAY_FIRST", "MONTH_FIRST", "PATTERNS", "Order", "Pattern", "form_of", "order_of"]

Times = npt.NDArray[Any]
_TIME = (
    r"(?:(?P<gap>, ?|T| +)(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?P<half> ?[AaPp][Mm])?(?:\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?)?"
)


@dataclass(frozen=True)
class Order:
    """Which part of a pattern is what.

    Args:
        month: name of the part with the month; empty: there is none.
        day: name of the part with the day; empty: there is none.
    """

    month: str
    day: str

    def read(self, parts: pd.DataFrame) -> Times:
        """(N,) datetime64[us]; NaT where there is no such time."""
        if "week" in parts:
            return _weeks(parts)
        year = pd.to_numeric(parts["year"])
        short = parts["year"].str.len() == 2
        year = year.where(~short, year + np.where(year < 69, 2000, 1900))
        year = year.where(year > 0)
        month = pd.to_numeric(parts[self.month]).fillna(1) if self.month else pd.Series(1, index=parts.index)
        if "quarter" in parts:
            month = pd.to_numeric(parts["quarter"]) * 3 - 2
        day = pd.to_numeric(parts[self.day]).fillna(1) if self.day else pd.Series(1, index=parts.index)
        dates = pd.to_datetime(pd.DataFrame({"year": year, "month": month, "day": day}), errors="coerce")
        found = dates.to_numpy().astype("datetime64[us]")
        if "hour" not in parts or parts["hour"].isna().all():
            return found
        hour = pd.to_numeric(parts["hour"]).fillna(0)
        half = parts["half"].str.strip().str.lower()
        wrong = (hour > 23) | (half.notna() & ((hour < 1) | (hour > 12)))
        hour = hour.where(half.isna(), hour % 12 + np.where(half == "pm", 12, 0))
        minute, second = (pd.to_numeric(parts[name]).fillna(0) for name in ("minute", "second"))
        micro = pd.to_numeric(parts["fraction"].str.ljust(6, "0").str[:6]).fillna(0)
        wrong |= (minute > 59) | (second > 59)
        total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro
        found = found + total.fillna(0).to_numpy().astype(np.int64).astype("timedelta64[us]")
        found[wrong.to_numpy()] = np.datetime64("NaT")
        return np.asarray(found)


@dataclass(frozen=True)
class Pattern:
    """A way to write dates.

    Args:
        regex: with the groups ``year`` and ``separator`` at least.
        order: which part is what; None: it has to be found.
        format: with ``{separator}``.
    """

    regex: str
    order: Order | None
    format: str


DAY_FIRST, MONTH_FIRST = Order("second_part", "first_part"), Order("first_part", "second_part")
_PLAIN = Order("month", "day")
PATTERNS = (
    Pattern(rf"^(?P<year>\d{{4}})(?P<separator>-)(?P<month>\d{{2}})-(?P<day>\d{{2}}){_TIME}$", _PLAIN, "%Y-%m-%d"),
    Pattern(r"^(?P<year>\d{4})(?P<separator>[-./])(?P<month>\d{1,2})$", Order("month", ""), "%Y{}%m"),
    Pattern(
        rf"^(?P<year>\d{{4}})(?P<separator>[-./])(?P<month>\d{{1,2}})(?P=separator)(?P<day>\d{{1,2}}){_TIME}$",
        _PLAIN,
        "%Y{0}%m{0}%d",
    ),
    Pattern(
        rf"^(?P<first_part>\d{{1,2}})(?P<separator>[-./])(?P<second_part>\d{{1,2}})(?P=separator)"
        rf"(?P<year>\d{{4}}|\d{{2}}){_TIME}$",
        None,
        "",
    ),
    Pattern(r"^(?P<month>\d{1,2})(?P<separator>[-./])(?P<year>\d{4})$", Order("month", ""), "%m{}%Y"),
    Pattern(r"^(?P<year>\d{4})(?P<separator>[- ]?Q)(?P<quarter>[1-4])$", Order("", ""), "%Y{}%q"),
    Pattern(r"^Q(?P<quarter>[1-4])(?P<separator>[-/ ]?)(?P<year>\d{4})$", Order("", ""), "Q%q{}%Y"),
    Pattern(
        r"^(?P<year>\d{4})(?P<separator>-?W)(?P<week>\d{2})(?P<dash>-?)(?P<weekday>[1-7])?$", Order("", ""), "%G{}%V"
    ),
)


def _weeks(parts: pd.DataFrame) -> Times:
    """(N,) days of ISO 8601 weeks, Mondays where none is named; NaT where the year has no such week."""
    year, week = (pd.to_numeric(parts[name]) for name in ("year", "week"))
    day = pd.to_numeric(parts["weekday"]).fillna(1)
    # the fourth of January is in the first week
    fourth = pd.to_datetime(pd.DataFrame({"year": year.where(year > 0), "month": 1, "day": 4}), errors="coerce")
    monday = fourth - pd.to_timedelta(fourth.dt.day_of_week, unit="D")
    found = monday + pd.to_timedelta(7 * (week - 1) + day - 1, unit="D")
    said = (monday + pd.to_timedelta(7 * (week - 1), unit="D")).dt.isocalendar()
    wrong = (said["week"] != week) | (said["year"] != year) | ((parts["dash"] != "") & parts["weekday"].isna())
    return np.asarray(found.mask(wrong.fillna(True).astype(bool)).to_numpy().astype("datetime64[us]"))


def form_of(parts: pd.DataFrame, pattern: Pattern, order: Order, separator: str) -> TimeForm:
    """How times of a pattern are written: of shorter and longer ones, as the longest.

    Args:
        parts: the groups of the pattern, by row.
        pattern: the pattern.
        order: which part is what.
        separator: between the parts.
    """
    form = pattern.format.format(separator)
    if "week" in parts and parts["weekday"].notna().any():
        form += f"{parts['dash'].mode()[0]}%u"
    if pattern.order is None:
        year = "%Y" if (parts["year"].str.len() == 4).all() else "%y"
        form = separator.join(("%d", "%m", year) if order == DAY_FIRST else ("%m", "%d", year))
    for letter, name in (("d", order.day), ("m", order.month)):
        if name and (parts[name].str.len() == 1).any():
            form = form.replace(f"%{letter}", f"%-{letter}")
    if "hour" not in parts or parts["hour"].isna().all():
        return TimeForm(format=form)
    half = parts["half"].dropna()
    hour = ("%-" if (parts["hour"].str.len() == 1).any() else "%") + ("I" if len(half) else "H")
    clock = hour + "".join(f":%{letter}" for letter, name in (("M", "minute"), ("S", "second")) if _any(parts[name]))
    if len(half):
        first = str(half.iloc[0])
        clock += " " * first.startswith(" ") + ("%p" if first.strip().isupper() else "%P")
    digits = int(parts["fraction"].dropna().str.len().max()) if _any(parts["fraction"]) else 0
    return TimeForm(format=form + str(parts["gap"].dropna().iloc[0]) + clock, digits=min(digits, 6))


def _any(column: pd.Series[Any]) -> bool:
    return bool(column.notna().any())


def order_of(
    parts: pd.DataFrame,
    words: pd.Series[str],
    places: Sequence[str],
    column: str,
    known: TimeForm | None,
    groups: npt.NDArray[Any],
    step: float | None = None,
) -> tuple[Order, list[str]]:
    """Whether the day or the month stands first, and a note unless it is the month beyond doubt.

    A number above 12 is a day. Where there is none, that reading is taken in which all steps are alike, if only one
    is such; then that of the training data; then, for dates with dots, the day first.

    Args:
        parts: the groups of the pattern, by row.
        words: as written.
        places: where each stands.
        column: the column's name.
        known: form of the times that the network was trained on.
        groups: the series to which each belongs.
        step: seconds of a step of the training, where it is known.

    Raises:
        DataError: rows contradict each other, or both readings are as good.
    """
    first, second = (pd.to_numeric(parts[name]) for name in ("first_part", "second_part"))
    days, months = (first > 12).to_numpy(), (second > 12).to_numpy()
    if days.any() and months.any():
        one, other = int(days.argmax()), int(months.argmax())
        raise DataError(
            f"{places[max(one, other)]}: day and month stand the other way round than in {places[min(one, other)]}",
            expected=f"the order of {words.iloc[min(one, other)]!r}",
            got=repr(words.iloc[max(one, other)]),
            fix="write all dates in one order, or say it with --date-format",
        )
    if days.any():
        order, reason = DAY_FIRST, f"the first number goes up to {first.max():.0f}"
    elif months.any():
        return MONTH_FIRST, []
    elif (first == second).all():
        return DAY_FIRST, []
    else:
        order, reason = _ambiguous(parts, words, places, column, known, groups, step)
    which = "day" if order == DAY_FIRST else "month"
    return order, [f"the dates in the column {column!r} were read with the {which} first: {reason}"]


def _ambiguous(
    parts: pd.DataFrame,
    words: pd.Series[str],
    places: Sequence[str],
    column: str,
    known: TimeForm | None,
    groups: npt.NDArray[Any],
    step: float | None = None,
) -> tuple[Order, str]:
    trained = _trained_order(known)
    names, counts = np.unique(groups.astype(str), return_counts=True)
    longest = groups.astype(str) == names[counts.argmax()]
    even = [each for each in (DAY_FIRST, MONTH_FIRST) if _is_even(each.read(parts)[longest], step)]
    dots = bool((parts["separator"] == ".").any())
    if len(even) == 1:
        return even[0], "only so do all rows follow each other in equal steps"
    if trained is not None:
        return trained, "as in the training data"
    if dots:
        return DAY_FIRST, "as usual with dots"
    row = int((parts["first_part"] != parts["second_part"]).to_numpy().argmax())
    raise DataError(
        f"{places[row]}: {words.iloc[row]!r} in the column {column!r} may have the day or the month first",
        expected="a number above 12 somewhere in the column, or steps that are equal in one of the two readings only",
        got="neither",
        fix="say it with --date-format '%d/%m/%Y' or --date-format '%m/%d/%Y'".replace(
            "/", str(parts["separator"].dropna().iloc[0])
        ),
    )


def _is_even(times: Times, step: float | None) -> bool:
    """Whether all steps are alike, and as long as those of the training, where they are known."""
    if share_of_equal_steps(times) < 1.0:
        return False
    return step is None or 0.8 < find_spacing(np.sort(times)).step / step < 1.25


def _trained_order(known: TimeForm | None) -> Order | None:
    """The order of the training data's dates, if the year stands last in them."""
    if known is None or known.kind != "date":
        return None
    places = [known.format.replace("-", "").lower().find(token) for token in ("%d", "%m", "%y")]
    day, month, year = places
    if min(places) < 0 or year < max(day, month):
        return None
    return DAY_FIRST if day < month else MONTH_FIRST
