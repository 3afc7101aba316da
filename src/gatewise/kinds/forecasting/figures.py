"""Figures of forecasts: one evaluation for networks and baselines alike. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.kinds.forecasting.examples import fans
from gatewise.kinds.forecasting.series.records import SeriesDataset, Windows
from gatewise.kinds.forecasting.series.scaling import Scaling
from gatewise.statistics.measure import Mean
from gatewise.training.problem import Evaluation

__all__ = ["MEAN_SQUARED_ERROR", "directional_accuracy", "evaluate_forecasts", "wilson_interval"]

Array = npt.NDArray[np.float64]
MEAN_SQUARED_ERROR = Mean(
    "mean_squared_error",
    "mean squared error",
    higher_is_better=False,
    dependence="serial",
    contribution="a window's squared error, each target divided by its deviation in the training part, mean over "
    "horizon and targets",
)


def evaluate_forecasts(
    dataset: SeriesDataset,
    scalings: Sequence[Scaling],
    part: str,
    forecasts: Array,
    quantiles: Mapping[float, Array] | None = None,
) -> Evaluation:
    """Measure forecasts of all windows of a part.

    ::

        MSE   = mean ((y - f) / s)^2        s: deviation of the target in the training part of its series
        MAE   = mean |y - f| / s            RMSE = sqrt(MSE)
        MASE  = mean |y - f| / d            d: mean |y_t - y_(t-1)| there (Hyndman and Koehler, 2006)
        sMAPE = mean 2 |y - f| / (|y| + |f|)

    Args:
        dataset: the series.
        scalings: one per series, fitted on its training part.
        part: ``validation`` or ``test``.
        forecasts: (N, H, K) values, windows as ``dataset.windows(part)``.
        quantiles: by probability, (N, H, K) values.

    Returns:
        Metrics: ``mean_squared_error``, ``mean_absolute_error``, ``root_mean_squared_error``,
        ``mean_absolute_scaled_error``, ``symmetric_mean_absolute_percentage_error``, ``directional_accuracy`` with
        ``directional_accuracy_interval`` (None where no direction is forecast), for one target
        ``scaled_price_mean_squared_error`` (values scaled to 0..1 by least and greatest value of the training part),
        ``coverage`` (how often the truth lay below each quantile) and ``by_horizon`` (the mean squared error of each
        step). Predictions: ``by_horizon`` (every figure by step), ``by_target`` (errors in the target's own unit),
        ``fans`` (a few windows with past, truth and forecast).
    """
    windows = dataset.windows(part)
    truth, last = dataset.truth(windows), dataset.past(windows)[:, -1, : len(dataset.targets)]
    errors = forecasts - truth
    deviation = _of_windows(scalings, "target_deviation", windows)
    squared = (errors / deviation) ** 2
    steps = _by_step(errors, truth, forecasts, last, deviation, _of_windows(scalings, "naive_error", windows))
    moves = _directions(forecasts, truth, last)
    hits, counted = int(moves[0].sum()), int(moves[1].sum())
    # neighbouring windows forecast the same steps: each step is counted once
    once = max(1, counted // dataset.horizon)
    metrics: dict[str, Any] = {
        "mean_squared_error": float(squared.mean()),
        "loss": float(squared.mean()),
        "mean_absolute_error": float((np.abs(errors) / deviation).mean()),
        "root_mean_squared_error": float(np.sqrt(squared.mean())),
        "mean_absolute_scaled_error": _mean(steps["mean_absolute_scaled_error"]),
        "symmetric_mean_absolute_percentage_error": _mean(steps["symmetric_mean_absolute_percentage_error"]),
        "directional_accuracy": hits / counted if counted else None,
        "directional_accuracy_interval": list(wilson_interval(hits / counted * once, once)) if counted else None,
        "n": len(truth),
    }
    if len(dataset.targets) == 1:
        spread = _of_windows(scalings, "high", windows) - _of_windows(scalings, "low", windows)
        metrics["scaled_price_mean_squared_error"] = float(((errors / spread) ** 2).mean())
    metrics["by_horizon"] = steps["mean_squared_error"]
    if quantiles:
        metrics |= _coverage(quantiles, truth, steps)
    return Evaluation(
        metrics,
        np.asarray(squared.mean(axis=(1, 2)), dtype=np.float64),
        {
            "by_horizon": {name: [_short(value) for value in row] for name, row in steps.items()},
            "by_target": _by_target(dataset.targets, errors),
            "fans": fans(dataset, windows, forecasts, quantiles or {}),
        },
    )


def _of_windows(scalings: Sequence[Scaling], name: str, windows: Windows) -> Array:
    """A number of the training part, for each window and target: (N, 1, K)."""
    return np.stack([getattr(scaling, name) for scaling in scalings])[windows.series][:, None]


def _by_step(
    errors: Array, truth: Array, forecasts: Array, last: Array, deviation: Array, naive: Array
) -> dict[str, list[Any]]:
    """Every figure at every step of the horizon."""
    size = np.abs(errors)
    squared = ((errors / deviation) ** 2).mean(axis=(0, 2))
    both = np.abs(truth) + np.abs(forecasts)
    percentage = np.divide(2 * size, both, out=np.zeros_like(size), where=both > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(naive > 0, size / naive, np.nan)
    known = np.isfinite(scaled).all()
    hits, counted = _directions(forecasts, truth, last)
    shares = [int(hit) / int(count) if count else None for hit, count in zip(hits, counted, strict=True)]
    return {
        "mean_squared_error": squared.tolist(),
        "root_mean_squared_error": np.sqrt(squared).tolist(),
        "mean_absolute_error": (size / deviation).mean(axis=(0, 2)).tolist(),
        "mean_absolute_scaled_error": scaled.mean(axis=(0, 2)).tolist() if known else [None] * size.shape[1],
        "symmetric_mean_absolute_percentage_error": percentage.mean(axis=(0, 2)).tolist(),
        "directional_accuracy": shares,
    }


def _directions(forecasts: Array, truth: Array, last: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """By step: correct directions, and directions forecast where the value moved: (H,), (H,)."""
    forecast, moved = np.sign(forecasts - last[:, None]), np.sign(truth - last[:, None])
    counted = (forecast != 0) & (moved != 0)
    return ((forecast == moved) & counted).sum(axis=(0, 2)), counted.sum(axis=(0, 2))


def directional_accuracy(forecasts: Array, truth: Array, last: Array) -> float | None:
    """Share of moves whose direction from the last known value was forecast correctly.

    Moves of zero and forecasts of no move are not counted; None where none is left, as for persistence.

    Args:
        forecasts: (N, H, K).
        truth: (N, H, K).
        last: (N, K).

    Example:
        >>> directional_accuracy(np.array([[[2.0]], [[0.5]]]), np.array([[[3.0]], [[3.0]]]), np.ones((2, 1)))
        0.5
    """
    hits, counted = _directions(forecasts, truth, last)
    return int(hits.sum()) / int(counted.sum()) if counted.sum() else None


def wilson_interval(hits: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of independent trials (Wilson, 1927).

    Args:
        hits: successes.
        count: trials.

    Example:
        >>> [round(end, 3) for end in wilson_interval(50, 100)]
        [0.404, 0.596]
    """
    z = 1.959963984540054
    share = hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return middle - half, middle + half


def _coverage(quantiles: Mapping[float, Array], truth: Array, steps: dict[str, list[Any]]) -> dict[str, Any]:
    """How often the truth lay below each quantile, and between the outermost, by step too."""
    found: dict[str, Any] = {
        "coverage": {f"{level:g}": float((truth < below).mean()) for level, below in quantiles.items()}
    }
    levels = sorted(quantiles)
    if len(levels) > 1:
        within = (truth >= quantiles[levels[0]]) & (truth <= quantiles[levels[-1]])
        found["interval_coverage"] = float(within.mean())
        steps["interval_coverage"] = within.mean(axis=(0, 2)).tolist()
    return found


def _by_target(targets: Sequence[str], errors: Array) -> dict[str, dict[str, float]]:
    return {
        name: {
            "mean_absolute_error": _short(float(np.abs(errors[:, :, place]).mean())),
            "root_mean_squared_error": _short(float(np.sqrt((errors[:, :, place] ** 2).mean()))),
        }
        for place, name in enumerate(targets)
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _short(value: Any) -> Any:
    return None if value is None else float(f"{value:.6g}")
