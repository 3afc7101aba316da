"""How times are written, and by which clock they count, so that a forecast is written as its input is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.errors import DataError, RunError

__all__ = ["EPOCHS", "SERIAL_START", "TimeForm", "render"]

Times = npt.NDArray[Any]
EPOCHS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
"""Units of numbers that count from 1970, by how many of them are a second."""
SERIAL_START = np.datetime64("1899-12-30", "us")
"""The day 0 of Excel, right for every day from March 1900 on."""
_UTC_STYLES = ("Z", "UTC", "GMT")
_TOKEN = re.compile(r"%(-?)([a-zA-Z%])")
_BETWEEN = "\x1f"
"""In a format, between the parts that stand in columns of their own."""
_NUMBERS = frozenset(("%Y", "%G", "%q", "%-m", "%-d", "%-V", "%-H", "%-K", "%-M"))
"""Formats of a column of whole numbers without leading zeros."""
_END = np.datetime64("10000-01-01", "us")
_MINUTE = np.timedelta64(1, "m")
_FINEST = (("S", "s", 1_000_000), ("M", "m", 60_000_000), ("HIK", "h", 3_600_000_000), ("dj", "D", 86_400_000_000))


@dataclass(frozen=True)
class TimeForm:
    """The form of a column of times.

    Args:
        kind: ``number`` (plain numbers), ``epoch`` (numbers that count from 1970, UTC), ``excel`` (days as Excel counts
            them) or ``date``.
        format: of dates, as for ``strptime``; ``%-d`` is a day without a leading zero, ``%q`` a quarter, ``%P`` am or
            pm in small letters, ``%K`` an hour of 1 to 24, ``%N`` one of ``months``.
        digits: behind the point of seconds or numbers; None: as many as a number needs.
        unit: of an epoch, one of `EPOCHS`.
        offset: how offsets from UTC are written: ``+00:00``, ``+0000``, ``+00``, ``Z``, ``UTC``, ``GMT``, with a space
            before them where they have one; empty: not at all.
        minutes: the last offset, for times that have one and no zone.
        zone: name of the time zone, such as ``Europe/Berlin``; empty: not known.
        clock: what the read times are: ``wall`` (as the clock on the wall shows them) or ``utc``.
        columns: names of the columns over which the parts of a time are spread; empty: it stands in one.
        months: twelve names of the months, where they are written with such.

    Example:
        >>> TimeForm(format="%d.%m.%Y").written(np.array(["2020-01-13"], dtype="datetime64[us]"))
        ['13.01.2020']
        >>> TimeForm("epoch").written(np.array(["2021-08-23T00:53:20"], dtype="datetime64[us]"))
        ['1629680000']
    """

    kind: Literal["number", "epoch", "excel", "date"] = "date"
    format: str = "%Y-%m-%d"
    digits: int | None = 0
    unit: str = "seconds"
    offset: str = ""
    minutes: int = 0
    zone: str = ""
    clock: Literal["wall", "utc"] = "wall"
    columns: tuple[str, ...] = ()
    months: tuple[str, ...] = ()

    @classmethod
    def spread(cls, form: TimeForm, parts: Mapping[str, str], months: Sequence[str] = ()) -> TimeForm:
        """The form of times whose parts stand in several columns.

        Args:
            form: of the same times written in one.
            parts: by name of the column, the format of its part.
            months: twelve names of the months, for ``%N``.

        Example:
            >>> form = TimeForm.spread(TimeForm(), {"year": "%Y", "quarter": "Q%q"})
            >>> times = np.array(["2026-04-01"], dtype="datetime64[us]")
            >>> form.cells(times), form.written(times)
            ([('2026', 'Q2')], ['2026, Q2'])
        """
        return replace(form, format=_BETWEEN.join(parts.values()), columns=tuple(parts), months=tuple(months))

    def names(self, time: str) -> tuple[str, ...]:
        """The columns in which times stand, where the one that was asked for is called so."""
        return self.columns or (time,)

    @property
    def aware(self) -> bool:
        """Whether the instant of each time is known, not only what a clock showed."""
        return self.kind == "epoch" or bool(self.offset or self.zone)

    def instants(self, times: Times) -> Times:
        """Read times in UTC; those of no known zone stay as they are."""
        if not self.aware or self.clock == "utc":
            return times
        if not self.zone:
            return np.asarray(times - self.minutes * _MINUTE)
        early = np.ones(len(times), dtype=bool)
        index = pd.DatetimeIndex(times).tz_localize(self.zone, ambiguous=early, nonexistent="shift_forward")
        return _plain(index.tz_convert("UTC"))

    def shown(self, times: Times) -> Times:
        """Read times as a clock in their zone shows them."""
        if not self.aware:
            return times
        instants = self.instants(times)
        if self.zone:
            return _plain(pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(self.zone))
        return np.asarray(instants + self.minutes * _MINUTE)

    def written(self, times: Times) -> list[str]:
        """Times as they are written in a file.

        Args:
            times: (N,) by this form's clock, or numbers.

        Example:
            >>> form = TimeForm(format="%Y-%m-%d %H:%M", offset="+00:00", zone="Europe/Berlin", clock="utc")
            >>> form.written(np.array(["2026-03-29T00:00", "2026-03-29T01:00"], dtype="datetime64[us]"))
            ['2026-03-29 01:00+01:00', '2026-03-29 03:00+02:00']
        """
        words = self._words(times)
        return [word.replace(_BETWEEN, ", ") for word in words] if self.columns else words

    def cells(self, times: Times) -> list[tuple[str, ...]]:
        """The same, cut into the columns of `names`."""
        return [tuple(word.split(_BETWEEN)) if self.columns else (word,) for word in self._words(times)]

    def _words(self, times: Times) -> list[str]:
        if times.dtype.kind != "M":
            return [_number(float(value), self.digits) for value in times]
        if self.kind == "epoch":
            return [_number(value, self.digits) for value in self._epochs(times)]
        if self.kind == "excel":
            return [_serial(value, self.digits) for value in self._serials(times)]
        style = self.offset.strip()
        instants = self.instants(times)
        shown = instants if style in _UTC_STYLES else self.shown(times)
        shown, form = _fitting(shown, self)
        offsets = ((shown - instants) / _MINUTE).round().astype(int).tolist() if self.offset else [0] * len(times)
        if len(shown) and shown.max() >= _END:
            raise DataError("the forecast runs past the year 9999", fix="a smaller horizon, or correct the times")
        moments = shown.astype("datetime64[us]").tolist()
        return [
            render(moment, form.format, form.digits or 0, self.months) + _offset(self.offset, minutes)
            for moment, minutes in zip(moments, offsets, strict=True)
        ]

    def index(self, times: Times) -> pd.Index[Any]:
        """Times as pandas has them: zoned ones zoned, numbers as numbers, columns as levels, others without a zone."""
        if self.columns:
            levels: list[Any] = []
            for each, words in zip(self.format.split(_BETWEEN), zip(*self.cells(times), strict=True), strict=True):
                levels.append([int(word) for word in words] if each in _NUMBERS else list(words))
            return pd.MultiIndex.from_arrays(levels, names=self.columns)
        if times.dtype.kind != "M":
            whole = self.digits == 0 and bool((times == np.round(times)).all())
            numbers: pd.Index[Any] = pd.Index(times.astype(np.int64) if whole else times)
            return numbers
        if self.kind == "epoch":
            epochs: pd.Index[Any] = pd.Index(self._epochs(times))
            return epochs
        if self.kind == "excel":
            serials: pd.Index[Any] = pd.Index(
                [float(word) if "." in word else int(word) for word in self.written(times)]
            )
            return serials
        if not self.offset:
            return pd.DatetimeIndex(self.shown(times))
        zone: Any = self.zone or (timezone(timedelta(minutes=self.minutes)) if self.minutes else "UTC")
        return pd.DatetimeIndex(self.instants(times)).tz_localize("UTC").tz_convert(zone)

    def _epochs(self, times: Times) -> list[Any]:
        """Whole numbers, if the column has such; nothing is lost on the way."""
        micro, each = self.instants(times).astype("datetime64[us]").astype(np.int64), EPOCHS[self.unit]
        if self.digits == 0:
            return [(int(value) * each + 500_000) // 1_000_000 for value in micro]
        return list((micro / (1_000_000 / each)).tolist())

    def _serials(self, times: Times) -> list[float]:
        """Days since the end of 1899 by the clock on the wall."""
        found: list[float] = ((self.shown(times) - SERIAL_START) / np.timedelta64(1, "D")).tolist()
        return found

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON; of times in one column without what only several have."""
        return {name: value for name, value in asdict(self).items() if value != ()}

    @classmethod
    def from_dict(cls, record: Any, place: str) -> TimeForm:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged.

        Example:
            >>> TimeForm.from_dict(TimeForm(zone="UTC").to_dict(), "scaler.json").zone
            'UTC'
        """
        try:
            lists = {name: tuple(map(str, record[name])) for name in ("columns", "months") if name in record}
            found = cls(**{**record, **lists})
        except TypeError as error:
            raise RunError(f"{place} is damaged", expected="the form of the times") from error
        sound = len(found.months) in (0, 12) and str(found.format).count(_BETWEEN) == max(0, len(found.columns) - 1)
        if found.kind not in ("number", "epoch", "excel", "date") or found.unit not in EPOCHS or not sound:
            raise RunError(f"{place} is damaged", expected="a known form of the times", got=repr(found.kind))
        return found


def render(moment: datetime, form: str, digits: int = 0, months: Sequence[str] = ()) -> str:
    """A time as a format has it; see `TimeForm`.

    Args:
        moment: the time.
        form: as for ``strftime``, with ``%-d``, ``%q``, ``%P``, ``%K`` and ``%N`` on every system.
        digits: behind the point of the seconds.
        months: names of the months, for ``%N``.

    Example:
        >>> render(datetime(2020, 1, 9, 15, 5), "%-d.%-m.%Y %I:%M%P")
        '9.1.2020 03:05pm'
    """

    def token(match: re.Match[str]) -> str:
        bare, letter = match.groups()
        if letter == "q":
            return str((moment.month + 2) // 3)
        if letter == "N":
            return months[moment.month - 1]
        if letter == "P":
            return moment.strftime("%p").lower()
        hour = moment.hour + 1 if letter == "K" else 0
        words = f"{moment.year:04}" if letter == "Y" else f"{hour:02}" if hour else moment.strftime(f"%{letter}")
        words = (words.lstrip("0") or "0") if bare else words
        return f"{words}.{moment.microsecond:06}"[: len(words) + 1 + digits] if letter == "S" and digits else words

    return _TOKEN.sub(token, form)


def _fitting(shown: Times, form: TimeForm) -> tuple[Times, TimeForm]:
    """Times rounded to what the form can say; a finer form where two of them would then be the same."""
    found = [(unit, size) for letters, unit, size in _FINEST if re.search(f"%-?[{letters}]", form.format)]
    unit, size = found[0] if found else ("M", 0)
    if unit == "M" or (unit == "s" and "%f" in form.format):
        return shown, form
    fine = np.timedelta64(max(1, size // 10 ** (form.digits or 0)) if unit == "s" else size, "us")
    since = shown - np.datetime64(0, "us")
    rounded = np.datetime64(0, "us") + (since + fine // 2) // fine * fine
    if len(np.unique(rounded)) == len(np.unique(shown)):
        return rounded, form
    longer = {
        "s": form.format,
        "m": re.sub("%(-?)M", r"%\1M:%S", form.format),
        "h": re.sub("%(-?)([HIK])", r"%\1\2:%M:%S", form.format),
        "D": f"{form.format} %H:%M:%S",
    }[unit]
    whole = bool((shown == shown.astype("datetime64[s]")).all())
    return shown, replace(form, format=longer, digits=0 if whole else 6)


def _number(value: float, digits: int | None) -> str:
    """A number with the digits of its column; more where it needs them."""
    if isinstance(value, int):
        return str(value)
    if digits == 0 and abs(value) < 1e18:
        near = round(value)
        if abs(value - near) <= 1e-9 * max(1.0, abs(value)) or abs(value) > 1e8:
            return str(near)
    if digits:
        words = f"{value:.{digits}f}"
        if abs(float(words) - value) <= 1e-9 * max(1.0, abs(value)):
            return words
    return f"{value:.15g}"


def _serial(value: float, digits: int | None) -> str:
    """A number of days with at most the digits of its column."""
    words = f"{value:.{digits or 0}f}"
    return words.rstrip("0").rstrip(".") if "." in words else words


def _offset(style: str, minutes: int) -> str:
    """An offset in a style."""
    bare = style.strip()
    if not bare or bare in _UTC_STYLES:
        return style
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    words = f"{sign}{hours:02}" + ("" if bare == "+00" and not rest else f"{':' if ':' in bare else ''}{rest:02}")
    return style[: len(style) - len(style.lstrip())] + words


def _plain(index: Any) -> Times:
    """(N,) what the clock of an index shows, as datetime64[us] without a zone."""
    return np.asarray(index.tz_localize(None).to_numpy()).astype("datetime64[us]")
