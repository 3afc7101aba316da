"""Time zones: local times to instants, and the clock by which a column of times counts evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.axis import find_spacing
from gatewise.kinds.forecasting.series.forms import TimeForm

__all__ = ["as_instants", "by_clock"]

Times = npt.NDArray[Any]
_DAY = 86_400.0


def as_instants(wall: Times, zone: str, groups: npt.NDArray[Any], places: Sequence[str], column: str) -> Times:
    """Local times to UTC; of the hour that comes twice in autumn, the earlier row of a series is the earlier hour.

    Args:
        wall: (N,) as the clock showed them.
        zone: its name.
        groups: (N,) the series to which each belongs.
        places: where each stands, for messages.
        column: the column's name.

    Raises:
        DataError: a time that the zone's clocks leave out, or a doubled hour in rows that are in no order.

    Example:
        >>> hours = np.array(["2025-10-26T02:00", "2025-10-26T02:00"], dtype="datetime64[us]")
        >>> found = as_instants(hours, "Europe/Berlin", np.array(["", ""]), ["line 2", "line 3"], "time")
        >>> found.astype("M8[h]").tolist()
        [datetime.datetime(2025, 10, 26, 0, 0), datetime.datetime(2025, 10, 26, 1, 0)]
    """
    index = pd.DatetimeIndex(wall)
    summer = index.tz_localize(zone, ambiguous=np.ones(len(wall), dtype=bool), nonexistent="NaT")
    if summer.isna().any():
        row = int(summer.isna().argmax())
        raise DataError(
            f"{places[row]}: the time {_short(wall[row])} in the column {column!r} does not exist in {zone}: "
            "its clocks were set forward over it",
            fix="name the zone in which the times were written with --timezone (UTC is one), or correct the row",
        )
    winter = index.tz_localize(zone, ambiguous=np.zeros(len(wall), dtype=bool), nonexistent="NaT")
    twice = np.asarray(summer != winter)
    later = np.zeros(len(wall), dtype=bool)
    for name in dict.fromkeys(groups[twice].tolist()):
        rows = np.flatnonzero(groups == name)
        rows = rows[::-1] if (np.diff(wall[rows]) < np.timedelta64(0)).sum() > len(rows) / 2 else rows
        chosen = rows[twice[rows]]
        seen = pd.Series(wall[chosen]).duplicated().to_numpy()
        if seen.any() and (np.diff(wall[rows]) < np.timedelta64(-1, "h")).any():
            row = int(chosen[seen.argmax()])
            raise DataError(
                f"{places[row]}: the time {_short(wall[row])} in the column {column!r} comes twice in autumn in "
                f"{zone}, and the rows are in no order of time that tells which is which",
                fix="sort the rows by time, or write the offset from UTC behind each time",
            )
        later[chosen] = seen
    found = summer.where(~later, winter)
    return np.asarray(found.tz_convert("UTC").tz_localize(None).to_numpy()).astype("datetime64[us]")


def by_clock(
    wall: Times,
    instants: Times,
    form: TimeForm,
    zone: str | None,
    groups: npt.NDArray[Any],
    step: float | None = None,
) -> tuple[Times, TimeForm, list[str]]:
    """Count times in UTC or by the clock on the wall, whichever makes equal steps.

    Days and longer steps go by the clock on the wall where that is even, hours and shorter ones by UTC.

    Args:
        wall: (N,) as written.
        instants: (N,) in UTC.
        form: as written.
        zone: the zone that a person named.
        groups: (N,) the series to which each belongs.
        step: seconds of a step, where they are known.

    Returns:
        (times, form with its clock, notes)
    """
    known = zone or form.zone
    if known:
        local = pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(known)
        wall = np.asarray(local.tz_localize(None).to_numpy()).astype("datetime64[us]")
    names, counts = np.unique(groups.astype(str), return_counts=True)
    rows = np.flatnonzero(groups.astype(str) == names[counts.argmax()])
    usual = find_spacing(np.sort(instants[rows])).step if step is None else step
    clocks = {"utc": instants, "wall": wall}
    order: tuple[Literal["wall", "utc"], ...] = ("wall", "utc") if usual >= _DAY - 3_600 else ("utc", "wall")
    clock: Literal["wall", "utc"] = next((name for name in order if _even(clocks[name][rows])), "utc")
    offsets = ((wall - instants) / np.timedelta64(1, "m")).round().astype(int)
    last = int(offsets[instants.argmax()])
    several = len(np.unique(offsets))
    notes = []
    if clock == "wall" and (known or several > 1):
        notes = [f"times count by the clock on the wall{f' in {known}' if known else ''}"]
    elif clock == "utc" and form.kind != "epoch":
        notes = ["times were converted to UTC" + (f" from {several} different offsets" if several > 1 else "")]
    if several > 1 and not known and form.offset.strip() not in ("Z", "UTC", "GMT"):
        notes.append("forecasts are written with the last offset: name the zone with --timezone to have its changes")
    found = replace(form, zone=known or "", clock=clock, minutes=0 if known else last)
    return clocks[clock], found, notes


def _even(times: Times) -> bool:
    ordered = np.sort(times)
    if len(ordered) > 1 and (ordered[1:] == ordered[:-1]).any():
        return False
    return find_spacing(ordered).rule != "uneven"


def _short(time: Any) -> str:
    return str(time.astype("datetime64[s]")).replace("T", " ")
