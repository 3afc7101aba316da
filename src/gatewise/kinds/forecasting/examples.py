"""A few windows with past, truth and forecast for reports, the same for every model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.kinds.forecasting.series.records import SeriesDataset, Windows

__all__ = ["fans"]

_FANS = 3
_PAST = 96
_FUTURE = 192
_TIMES = 12


def fans(
    dataset: SeriesDataset,
    windows: Windows,
    forecasts: npt.NDArray[np.float64],
    quantiles: Mapping[float, npt.NDArray[np.float64]],
) -> list[dict[str, Any]]:
    """Three windows, spread evenly over the part, each with its first target.

    Args:
        dataset: the series.
        windows: the windows of the part.
        forecasts: (N, H, K) values.
        quantiles: by probability, (N, H, K) values.

    Returns:
        Entries with ``series``, ``target``, ``origin`` (time of the last known step), ``past``, ``truth``,
        ``forecast``, ``quantiles`` (by probability) and, where rows have times, ``times`` of some steps, by their
        number after the last known one.
    """
    count = len(windows.origins)
    shown = min(_FANS, count)
    chosen = [(2 * place + 1) * count // (2 * shown) for place in range(shown)]
    picked = Windows(windows.series[chosen], windows.origins[chosen])
    past, truth = dataset.past(picked), dataset.truth(picked)
    found = []
    for place, row in enumerate(chosen):
        series = dataset.series[picked.series[place]]
        origin = series.times[picked.origins[place]]
        found.append(
            {
                "series": series.name,
                "target": dataset.targets[0],
                "origin": str(origin) if isinstance(origin, np.datetime64) else float(origin),
                "past": _short(past[place, -_PAST:, 0]),
                "truth": _short(truth[place, :_FUTURE, 0]),
                "forecast": _short(forecasts[row, :_FUTURE, 0]),
                "quantiles": {f"{level:g}": _short(each[row, :_FUTURE, 0]) for level, each in quantiles.items()},
                "times": _times(series.times, int(picked.origins[place]), past.shape[1], truth.shape[1]),
            }
        )
    return found


def _times(times: npt.NDArray[Any], origin: int, lookback: int, horizon: int) -> dict[str, str]:
    """The times of some steps about a row, equally far apart, for the axis of a picture."""
    if not np.issubdtype(times.dtype, np.datetime64):
        return {}
    first, last = 1 - min(_PAST, lookback), min(_FUTURE, horizon)
    apart = max(1, (last - first) // _TIMES)
    steps = [step for step in range(first - first % -apart, last + 1, apart) if 0 <= origin + step < len(times)]
    return {str(step): str(times[origin + step]) for step in steps}


def _short(values: npt.NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
