"""One fold of a backtest: forecasts from the rows that are known, and their errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gatewise.kinds.forecasting.continuing import Continuing
from gatewise.kinds.forecasting.series.ahead import cut_ahead, some_rows
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.table import SeriesTable

__all__ = ["errors_of_fold", "numbered"]


def numbered(groups: Sequence[str]) -> np.ndarray[Any, Any]:
    """(N,) the place of each row in its own series, where there are no times.

    Example:
        >>> numbered(["a", "b", "a"]).tolist()
        [0.0, 0.0, 1.0]
    """
    names = pd.Series(list(groups), dtype=object)
    return names.groupby(names, sort=False).cumcount().to_numpy(dtype=np.float64)


def errors_of_fold(
    trained: Continuing,
    table: SeriesTable,
    times: np.ndarray[Any, Any],
    known: np.ndarray[Any, Any],
    ahead: np.ndarray[Any, Any],
    targets: Sequence[str],
    origin: Any,
) -> list[dict[str, Any]]:
    """Errors of one fold, by target.

    Args:
        trained: the forecaster.
        table: all rows.
        times: (N,) of each row, or its number.
        known: (N,) which rows are known.
        ahead: (N,) which are forecast.
        targets: names of the columns.
        origin: the last time known, as the result has it.
    """
    truths: list[np.ndarray[Any, Any]] = []
    found: list[np.ndarray[Any, Any]] = []
    last: list[np.ndarray[Any, Any]] = []
    names = np.array(table.groups, dtype=object)
    past, _ = cut_ahead(some_rows(table, np.flatnonzero(known)), len(targets))
    kept = np.isin(np.array(table.places, dtype=object), np.array(past.places, dtype=object))
    for future in trained.future(past, ahead=[some_rows(table, np.flatnonzero(~kept))], partial=True):
        mine = names == future.name
        rows = np.flatnonzero(mine & ahead)
        rows = rows[np.argsort(times[rows], kind="stable")]
        before = np.flatnonzero(mine & known)
        before = before[np.argsort(times[before], kind="stable")]
        untold = int((mine & known & ~kept).sum())
        rows, steps = _steps(rows, times, future.times, trained.spacing, untold)
        truths.append(table.values[rows, : len(targets)])
        found.append(future.values[steps])
        latest = pd.DataFrame(table.values[before, : len(targets)]).ffill().to_numpy()[-1:]
        last.append(np.repeat(latest, len(rows), axis=0))
    truth, forecast, naive = np.concatenate(truths), np.concatenate(found), np.concatenate(last)
    return [
        {
            "origin": origin,
            "target": name,
            "mean_absolute_error": float(np.nanmean(np.abs(forecast - truth)[:, place])),
            "root_mean_squared_error": float(np.sqrt(np.nanmean((forecast - truth)[:, place] ** 2))),
            "persistence_mean_absolute_error": float(np.nanmean(np.abs(naive - truth)[:, place])),
            "persistence_root_mean_squared_error": float(np.sqrt(np.nanmean((naive - truth)[:, place] ** 2))),
        }
        for place, name in enumerate(targets)
    ]


def _steps(
    rows: np.ndarray[Any, Any],
    times: np.ndarray[Any, Any],
    forecast: np.ndarray[Any, Any],
    spacing: Spacing,
    untold: int,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The rows that were forecast, and which step each of them is: by its time, or its place where a row is a step.

    The forecast begins with the known rows that have no target, of which there may be some.
    """
    if spacing.rule not in ("even", "calendar"):
        count = max(0, min(len(rows), len(forecast) - untold))
        return rows[:count], untold + np.arange(count)
    step = np.timedelta64(round(1e6 * spacing.step), "us") if forecast.dtype.kind == "M" else spacing.step
    near = np.abs(times[rows][:, None] - forecast) < step / 4
    return rows[near.any(axis=1)], near.argmax(axis=1)[near.any(axis=1)]
