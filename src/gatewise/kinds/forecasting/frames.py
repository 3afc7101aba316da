"""What a person hands to `Forecaster`: a frame or series of pandas, indexed by time, by (group, time), or not."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.table import column_names, time_columns
from gatewise.kinds.forecasting.series.together import may_be_together

__all__ = ["Rows", "Shape", "read_rows"]

_INDEX = "time"
_GROUP = "series"


class Shape(NamedTuple):
    """What the index of a forecast is, beside its times.

    Args:
        period: frequency of the periods that were given as times; empty: they were none.
        time_first: whether the times stand before the series' names.
        single: whether one series of pandas was given.
    """

    period: str = ""
    time_first: bool = False
    single: bool = False

    def times(self, index: pd.Index[Any]) -> pd.Index[Any]:
        """Times as they were given: as periods, if they were such."""
        return index.to_period(self.period) if self.period and isinstance(index, pd.DatetimeIndex) else index


class Rows(NamedTuple):
    """A frame without an index, what its columns are, and what a forecast of it looks like."""

    frame: pd.DataFrame
    time: str | None
    group: str | None
    targets: tuple[str, ...]
    shape: Shape


def read_rows(
    given: pd.DataFrame | pd.Series[Any],
    time: str | None,
    group: str | None,
    target: Any,
    features: Any,
    covariates: Any = (),
) -> Rows:
    """Turn the index into columns and find the targets.

    An index of times is the time of each row; of an index with several levels, the one that is no time is the group.

    Args:
        given: the frame or series.
        time: column of the times, or several with commas between them; None: the index, if it holds times.
        group: column that tells series apart; None: the other level of an index with two.
        target: columns to forecast; None: all columns of numbers that are nothing else.
        features: further columns to read.
        covariates: columns that are neither targets nor features.

    Raises:
        DataError: it is not a pandas object, has no column of numbers, or an index with too many levels.

    Example:
        >>> index = pd.MultiIndex.from_product([["a", "b"], pd.date_range("2026-01-01", periods=2)])
        >>> rows = read_rows(pd.Series([1.0, 2.0, 3.0, 4.0], index=index), None, None, None, None)
        >>> rows.time, rows.group, rows.targets
        ('time', 'series', ('value',))
    """
    if not isinstance(given, (pd.DataFrame, pd.Series)):
        raise DataError("this is not a pandas object", expected="a DataFrame or a Series", got=type(given).__name__)
    frame = given.to_frame(str(given.name or "value")) if isinstance(given, pd.Series) else given
    frame = frame.rename(columns=str)
    index = frame.index
    frame = frame.reset_index(drop=True)
    shape = Shape(_period(index), False, isinstance(given, pd.Series))
    parts = _parts(index, time, frame)
    if parts:
        time, group, levels = _spread(index, parts, group, list(frame.columns))
        frame = frame.assign(**levels)
        shape = shape._replace(time_first=group in levels and next(iter(levels)) != group)
    elif isinstance(index, pd.MultiIndex):
        time, group, levels = _levels(index, time, group, list(frame.columns))
        frame = frame.assign(**levels)
        first = next((name for name in levels if name in (time, group)), None)
        shape = shape._replace(time_first=time is not None and first == time and group in levels)
    elif time is None and isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)):
        time = _free(str(index.name or _INDEX), list(frame.columns))
        frame = frame.assign(**{time: _stamps(index)})
    elif time is not None and time == index.name and time not in frame:
        frame = frame.assign(**{time: _stamps(index)})
    if time is not None and time in frame and isinstance(frame[time].dtype, pd.PeriodDtype):
        periods = pd.PeriodIndex(frame[time])
        shape = shape._replace(period=str(periods.freqstr))
        frame = frame.assign(**{time: periods.to_timestamp()})
    taken = {*time_columns(time, frame), group, *column_names(features), *covariates}
    numbers = [name for name in frame.columns if name not in taken and _is_number(frame[name])]
    targets = column_names(target) or tuple(numbers)
    if not targets:
        raise DataError("there is no column of numbers to forecast", got=", ".join(frame.columns))
    return Rows(frame, time, group, targets, shape)


def _parts(index: pd.Index[Any], time: str | None, frame: pd.DataFrame) -> tuple[str, ...]:
    """The levels of an index that are one time together, by their names: a year and a month."""
    levels = {str(name): index.get_level_values(place) for place, name in enumerate(index.names) if name is not None}
    if time is not None:
        asked = column_names(time, [*frame.columns, *levels])
        return asked if len(asked) > 1 and time not in frame and set(asked) <= set(levels) else ()
    if len(levels) < 2 or any(isinstance(level, (pd.DatetimeIndex, pd.PeriodIndex)) for level in levels.values()):
        return ()
    found = may_be_together(pd.DataFrame({name: list(level) for name, level in levels.items()}), (), ())
    return next(found, ())


def _spread(
    index: pd.Index[Any], parts: tuple[str, ...], group: str | None, columns: list[str]
) -> tuple[str, str | None, dict[str, Any]]:
    """Names of time and group, and the levels as columns, of an index several of whose levels are one time."""
    others = [str(name) for name in index.names if str(name) not in parts]
    if len(others) > 1:
        raise DataError(
            "the index has more than one level besides the time",
            expected=f"{', '.join(parts)}, and one level that tells series apart",
            got=", ".join(map(str, index.names)),
            fix="join them into one column, and name it with group=",
        )
    names = [str(name) for name in index.names]
    levels = {name: index.get_level_values(place) for place, name in enumerate(names) if name not in columns}
    return ",".join(parts), others[0] if others and group is None else group, levels


def _levels(
    index: pd.MultiIndex, time: str | None, group: str | None, columns: list[str]
) -> tuple[str | None, str | None, dict[str, Any]]:
    """Names of time and group, and the levels as columns."""
    values = [index.get_level_values(place) for place in range(index.nlevels)]
    timed = [place for place, level in enumerate(values) if isinstance(level, (pd.DatetimeIndex, pd.PeriodIndex))]
    place = timed[0] if timed else None
    if place is None and time is None and values[-1].dtype.kind in "fiu":
        place = index.nlevels - 1
    names = [
        str(name) if name is not None else (_INDEX if at == place else _GROUP if index.nlevels == 2 else f"level {at}")
        for at, name in enumerate(index.names)
    ]
    names = [_free(name, columns) if name not in (time, group) else name for name in names]
    if time is None and place is not None:
        time = names[place]
    others = [name for name in names if name != time]
    if group is None and len(others) > 1:
        raise DataError(
            "the index has more than one level besides the time",
            expected="one level that tells series apart, and one with times",
            got=", ".join(names),
            fix="join them into one column, and name it with group=",
        )
    if group is None and others:
        group = others[0]
    levels = zip(names, values, strict=True)
    return time, group, {name: _stamps(level) for name, level in levels if name not in columns}


def _period(index: pd.Index[Any]) -> str:
    """The frequency of the periods in an index, one of its levels; empty where there are none."""
    levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
    return next((str(level.freqstr) for level in levels if isinstance(level, pd.PeriodIndex)), "")


def _free(name: str, columns: list[str]) -> str:
    """A name that no column has."""
    while name in columns:
        name += "_index"
    return name


def _stamps(index: pd.Index[Any]) -> pd.Index[Any]:
    return index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
