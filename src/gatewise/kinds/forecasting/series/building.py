"""From a checked table to series: order, duplicates, gaps, missing values, and the split in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.axis import Spacing, find_spacing, steps_between
from gatewise.kinds.forecasting.series.constant import changing_series
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.records import Series
from gatewise.kinds.forecasting.series.table import SeriesTable
from gatewise.words import plural

__all__ = ["GAP", "SHARES", "Future", "RawSeries", "build_series", "raw_series", "split_series", "whole"]

GAP = 5
"""Missing steps or values in a row that are filled with the last value before them; longer gaps cut the series."""
_ZONE_FIX = (
    "where clocks were set back in this hour, name the time zone with --timezone, such as Europe/Berlin, and keep the "
    "rows in order of time; else keep one row a time, or name the column of the series with --group"
)
SHARES = (0.7, 0.8)
"""Of all times: the training part, and training with validation part."""


@dataclass(frozen=True, eq=False)
class RawSeries:
    """One series in order of time, without gaps, not yet split.

    Attributes:
        name: of the series.
        times: (T,).
        values: (T, C).
        breaks: rows after a long gap.
        carried: (T, C) which values were filled with the one before them; None: none.
        known: how many of the last columns are known for the future too.
        static: (S,) what is constant, encoded.
    """

    name: str
    times: npt.NDArray[Any]
    values: npt.NDArray[np.float64]
    breaks: tuple[int, ...] = ()
    carried: npt.NDArray[np.bool_] | None = None
    known: int = 0
    static: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def split(self, borders: tuple[int, int, int]) -> Series:
        """The series with its parts, up to the end of the test part."""
        rows = slice(0, borders[2])
        return Series(self.name, self.times[rows], self.values[rows], borders, self.breaks, self.known, self.static)


@dataclass(frozen=True, eq=False)
class Future:
    """The forecast of one series.

    Attributes:
        name: of the series.
        times: (H,) of the steps forecast.
        values: (H, K).
        quantiles: (H, K) by probability.
    """

    name: str
    times: npt.NDArray[Any]
    values: npt.NDArray[np.float64]
    quantiles: dict[float, npt.NDArray[np.float64]]


def raw_series(
    table: SeriesTable, columns: Sequence[str], spacing: Spacing | None = None
) -> tuple[list[RawSeries], Spacing, list[str]]:
    """Put rows in order and fill what is missing.

    Rules: rows are sorted by time; two rows of a series at the same time are an error. Where most steps have the same
    length, longer intervals contain missing steps. Up to `GAP` missing steps or values in a row are
    filled with the last value before them, which uses nothing later; longer gaps cut the series, and no window
    crosses the cut. Business days and uneven times are taken row by row.

    Args:
        table: the rows.
        columns: names of the values, for messages.
        spacing: of the series, if known; None: that of the longest series.

    Returns:
        (the series, by name; the spacing; notes)

    Raises:
        DataError: a time comes twice.
    """
    notes = list(table.notes)
    names = list(dict.fromkeys(table.groups))
    members = {name: np.flatnonzero(np.array(table.groups, dtype=object) == name) for name in names}
    longest = max(names, key=lambda name: len(members[name]))
    known, spacing = spacing, Spacing("rows")
    if table.times is not None:
        times = table.times
        if any((np.diff(times[rows]) < np.zeros(1, dtype=np.diff(times).dtype)).any() for rows in members.values()):
            notes.append("rows were sorted by time")
        members = {name: rows[np.argsort(times[rows], kind="stable")] for name, rows in members.items()}
        for name, rows in members.items():
            _check_twice(times[rows], [table.places[row] for row in rows], name, table.form)
        spacing = known or find_spacing(times[members[longest]])
        if spacing.rule in ("uneven", "business"):
            notes.append(f"times follow each other {spacing.title}: a row is a step")
    counts = {"steps": 0, "values": 0, "cuts": 0}
    found = [_whole(table, name, rows, spacing, counts) for name, rows in members.items()]
    width = len(table.covariates.known_names)
    found = [replace(each, known=width, static=table.static.get(each.name, each.static)) for each in found]
    for kind in ("steps", "values"):
        if count := counts[kind]:
            filled = (
                "was filled with the last value before it"
                if count == 1
                else "were filled with the last value before them"
            )
            notes.append(f"{plural(count, f'missing {kind[:-1]}')} {filled}")
    if count := counts["cuts"]:
        crosses = "cuts a series; no window crosses it" if count == 1 else "cut a series; no window crosses them"
        notes.append(f"{plural(count, 'gap')} of more than {GAP} steps {crosses}")
    empty = [each.name for each in found if len(each.values) == 0]
    if len(empty) == len(found):
        raise DataError(
            f"no row has a value in every column of {', '.join(columns)}",
            fix="name other columns with --target and --features, or fill in what is missing",
        )
    if empty:
        notes.append(f"series without values were left out: {', '.join(empty[:5])}")
    return [each for each in found if len(each.values)], spacing, notes


def _check_twice(times: npt.NDArray[Any], places: Sequence[str], name: str, form: TimeForm) -> None:
    same = np.flatnonzero(times[1:] == times[:-1])
    if len(same):
        row = int(same[0])
        time = form.written(times[row : row + 1])[0]
        raise DataError(
            f"{places[row + 1]}: the time {time} comes twice" + (f" in the series {name!r}" if name else ""),
            got=f"also in {places[row]}; {len(same)} such row{'s' if len(same) > 1 else ''}",
            fix=_ZONE_FIX
            if _in_autumn(times, form)
            else "keep one row a time"
            if name
            else "name the column of the series with --group, or keep one row a time",
        )


def _in_autumn(times: npt.NDArray[Any], form: TimeForm) -> bool:
    """Whether times come twice as they do in a night in which clocks are set back: within three hours, after 0:00."""
    if times.dtype.kind != "M" or form.aware:
        return False
    twice = pd.DatetimeIndex(times[1:][times[1:] == times[:-1]])
    nights = bool(((twice.hour < 4) & (twice.day_of_week >= 5)).all())
    return nights and bool(np.unique(times.astype("datetime64[D]")).size * 2 <= times.size)


def _whole(
    table: SeriesTable, name: str, rows: npt.NDArray[np.int64], spacing: Spacing, counts: dict[str, int]
) -> RawSeries:
    values = table.values[rows]
    times = np.arange(len(rows), dtype=np.float64) if table.times is None else table.times[rows]
    inserted = np.zeros(len(times), dtype=bool)
    if (spacing.rule == "even" or spacing.months) and len(times) > 1:
        times, values, inserted = _every_step(times, values, spacing)
    breaks = _long_pauses(times) if spacing.rule in ("uneven", "business") else []
    return _filled(name, times, values, breaks, counts, inserted)


def _every_step(
    times: npt.NDArray[Any], values: npt.NDArray[np.float64], spacing: Spacing
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Insert the steps that are missing, without values, and say which they are."""
    steps = steps_between(times, spacing)
    assert steps is not None
    if (steps == 1).all() or (steps < 1).any() or steps.sum() > 20 * len(times):
        return times, values, np.zeros(len(times), dtype=bool)
    places = np.concatenate([[0], np.cumsum(steps)])
    if spacing.months:
        every = np.concatenate([times[:1], spacing.after(times[0], int(places[-1]))])
    else:
        unit = np.timedelta64(round(spacing.step * 1e6), "us") if times.dtype.kind == "M" else spacing.step
        every = times[0] + np.arange(places[-1] + 1) * unit
    whole = np.full((len(every), values.shape[1]), np.nan)
    whole[places] = values
    inserted = np.ones(len(every), dtype=bool)
    inserted[places] = False
    return every, whole, inserted


def _long_pauses(times: npt.NDArray[Any]) -> list[int]:
    """Rows after a pause of more than ten median steps."""
    if len(times) < 3:
        return []
    differences = np.diff(times)
    median = np.median(differences.astype(np.float64))
    return [int(row) + 1 for row in np.flatnonzero(differences.astype(np.float64) > 10 * median)]


def _filled(
    name: str,
    times: npt.NDArray[Any],
    values: npt.NDArray[np.float64],
    breaks: list[int],
    counts: dict[str, int],
    inserted: npt.NDArray[np.bool_],
) -> RawSeries:
    """Carry values forward over short gaps, drop long ones and all rows before the first value."""
    missing = np.isnan(values)
    if not missing.any():
        return RawSeries(name, times, values, tuple(breaks))
    age = np.zeros(values.shape, dtype=np.int64)
    held = values.copy()
    for row in range(len(values)):
        if not missing[row].any():
            continue
        before = held[row - 1] if row else np.full(values.shape[1], np.nan)
        held[row] = np.where(missing[row], before, values[row])
        age[row] = np.where(missing[row], (age[row - 1] if row else GAP) + 1, 0)
    kept = np.asarray(~(np.isnan(held) | (age > GAP)).any(axis=1))
    # a gap that is too long is dropped as a whole, its first steps too
    some = np.asarray(missing.any(axis=1))
    for begun in np.flatnonzero(~kept[1:] & kept[:-1]).tolist():
        while begun >= 0 and some[begun]:
            kept[begun] = False
            begun -= 1
    counts["steps"] += int((kept & inserted).sum())
    counts["values"] += int(missing[kept & ~inserted].sum())
    rows = np.flatnonzero(kept)
    cuts = (np.flatnonzero(np.diff(rows) > 1) + 1).tolist()
    counts["cuts"] += len(cuts)
    moved = np.searchsorted(rows, breaks).tolist() if breaks else []
    return RawSeries(name, times[rows], held[rows], tuple(sorted({*cuts, *moved})), missing[rows])


def split_series(series: Sequence[RawSeries], timed: bool, shares: tuple[float, float] = SHARES) -> list[Series]:
    """Split every series at the same two times: 70 % of all times for training, 10 % for validation, 20 % for the test.

    Without times, each series is split at the same shares of its own rows.

    Args:
        series: the series.
        timed: whether their times can be compared.
        shares: of all times, before the validation and before the test part.

    Example:
        >>> raw = RawSeries("", np.arange(10.0), np.ones((10, 1)))
        >>> split_series([raw], timed=True)[0].borders
        (7, 8, 10)
    """
    if not timed:
        cuts = [[int(share * len(each.times) + 1e-9) for share in shares] for each in series]
    else:
        every = np.unique(np.concatenate([each.times for each in series]))
        counts = [int(share * len(every) + 1e-9) for share in shares]
        cuts = [[_rows_before(each.times, every, count) for count in counts] for each in series]
    return [each.split((first, second, len(each.times))) for each, (first, second) in zip(series, cuts, strict=True)]


def _rows_before(times: npt.NDArray[Any], every: npt.NDArray[Any], count: int) -> int:
    """Rows that are among the first so many of all times."""
    return int(np.searchsorted(times, every[count - 1], side="right")) if count else 0


def build_series(
    series: Sequence[Series],
    targets: Sequence[str],
    features: Sequence[str],
    *,
    lookback: int,
    horizon: int,
    tested: bool = True,
) -> tuple[tuple[Series, ...], list[str]]:
    """Keep the series that can be trained on.

    Args:
        series: split.
        targets: names of the leading columns.
        features: names of the others.
        lookback: steps to forecast from.
        horizon: steps to forecast.
        tested: whether there is a test part.

    Returns:
        (the series kept, notes)

    Raises:
        DataError: no series is long enough, or none changes.
    """
    notes = []
    enough = [each for each in series if len(each.origins("train", lookback, horizon))]
    if not enough:
        longest = max(series, key=lambda each: each.borders[0])
        gaps = len(longest.breaks) > 0
        raise DataError(
            "the series are too short for this look-back and horizon",
            expected=f"at least {lookback + horizon} steps in a row in the training part",
            got=f"{longest.borders[0]} of {len(longest.times)} in all"
            + (f", in {longest.name!r}" if longest.name else "")
            + _stretches(longest),
            fix="a smaller --lookback or --horizon, or longer series" + (", or fill the gaps" if gaps else ""),
        )
    if len(enough) < len(series):
        left = [each.name for each in series if all(each is not other for other in enough)]
        words = ", ".join(left[:5]) + (" ..." if len(left) > 5 else "")
        notes.append(f"left out, with too few steps in the training part: {words}")
    changing, more = changing_series(enough, targets, features)
    notes += more
    _refuse_short_parts(changing, lookback, horizon, ("validation", "test")[: 2 if tested else 1])
    return tuple(changing), notes


def _refuse_short_parts(series: Sequence[Series], lookback: int, horizon: int, parts: Sequence[str]) -> None:
    """Refuse series none of which has a window in one of the parts."""
    for part in parts:
        if not any(len(each.origins(part, lookback, horizon)) for each in series):
            longest = max(series, key=lambda each: len(each.times))
            rows, gaps = longest.rows(part), len(longest.breaks) > 0
            before = f" after {plural(lookback, 'step')} without a gap" if gaps else ""
            raise DataError(
                f"the {part} part is too short for this horizon",
                expected=f"at least {plural(horizon, 'step')}{before}",
                got=plural(rows[1] - rows[0], "step") + _stretches(longest),
                fix="a smaller --horizon, or longer series"
                if not gaps
                else "a smaller --lookback or --horizon, longer series, or fill the gaps",
            )


def _stretches(series: Series) -> str:
    """How long a series goes on without a gap, to follow its length; empty where it has none."""
    if not len(series.breaks):
        return ""
    return f"; the longest stretch without a gap has {series.longest_stretch(len(series.times)):,}"


def whole(series: RawSeries, lookback: int) -> Series:
    """A series to be continued: all of it is past.

    Args:
        series: not split.
        lookback: steps that are read of it.

    Raises:
        DataError: it is too short, or has a gap in its last steps.

    Example:
        >>> whole(RawSeries("", np.arange(3.0), np.ones((3, 1))), 3).borders
        (3, 3, 3)
    """
    rows = len(series.times)
    start = max((row for row in series.breaks if row < rows), default=0)
    if rows - start < lookback:
        raise DataError(
            "the series is too short to be continued" + (f": {series.name!r}" if series.name else ""),
            expected=f"at least {lookback} steps without gaps at its end",
            got=f"{rows - start}",
            fix="give more of its past",
        )
    return series.split((rows, rows, rows))
