"""The models behind the baselines: persistence, seasonal naive, drift, ridge on the window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from gatewise.kinds.forecasting.series.records import SeriesDataset, Windows
from gatewise.kinds.forecasting.series.scaling import Scaling

__all__ = ["LEVELS", "RidgeOnWindow", "drift", "persistence", "seasonal_naive"]

LEVELS = ("last value", "mean of the window", "mean of the training part")

Array = npt.NDArray[np.float64]


def persistence(dataset: SeriesDataset, windows: Windows) -> Array:
    """The last known value at every step: (N, H, K)."""
    last = dataset.past(windows)[:, -1:, : len(dataset.targets)]
    return np.repeat(last, dataset.horizon, axis=1)


def seasonal_naive(dataset: SeriesDataset, windows: Windows) -> Array:
    """The value one season before, of the last season that is wholly known: (N, H, K).

    It reads the series' own past, beyond the look-back if necessary; the last value where there is none yet.
    """
    targets = len(dataset.targets)
    steps = np.arange(dataset.horizon) % dataset.season + 1 - dataset.season
    found = persistence(dataset, windows)
    for place, each in enumerate(dataset.series):
        chosen = np.flatnonzero(windows.series == place)
        rows = windows.origins[chosen][:, None] + steps
        known = (rows >= 0).all(axis=1)
        found[chosen[known]] = each.values[rows[known]][:, :, :targets]
    return found


def drift(dataset: SeriesDataset, windows: Windows) -> Array:
    """The straight line through the first and the last value of the window, continued: (N, H, K)."""
    past = dataset.past(windows)[:, :, : len(dataset.targets)]
    slope = (past[:, -1] - past[:, 0]) / max(dataset.lookback - 1, 1)
    steps = np.arange(1, dataset.horizon + 1, dtype=np.float64)[None, :, None]
    return np.asarray(past[:, -1:] + slope[:, None] * steps)


class RidgeOnWindow:
    """A linear map from the window to the horizon, the same for all series and targets.

    Each target's window (and the features') is scaled by the training part and has its last value (or another level)
    subtracted; the horizon is forecast as a linear function of it by ridge regression (Hoerl and Kennard, 1970), whose
    penalty is chosen on the validation part. Columns known for the future are read of the window and of the horizon,
    numbers relative to the window's last value too and zeros and ones as they are, and so are constant columns.

    Args:
        penalties: the penalties to choose from, per window.
        steps: the window's last steps that are read; None: all.
        relative_to: what is subtracted from the target's window and its horizon, one of `LEVELS`.

    Example:
        >>> RidgeOnWindow().penalties[0]
        1e-06
    """

    def __init__(
        self,
        penalties: Sequence[float] = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0),
        *,
        steps: int | None = None,
        relative_to: str = LEVELS[0],
    ) -> None:
        self.penalties = tuple(penalties)
        self.steps, self.relative_to = steps, relative_to

    def fit(self, dataset: SeriesDataset, scalings: Sequence[Scaling]) -> RidgeOnWindow:
        """Fit on the training windows.

        Args:
            dataset: the series.
            scalings: one per series, fitted on its training part.
        """
        self._scalings = tuple(scalings)
        self._relative = np.array(dataset.covariates.relative, dtype=bool)
        known = len(dataset.covariates.known_names)
        width = min(dataset.lookback, self.steps or dataset.lookback) * (1 + len(dataset.features) + known) + 1
        width += dataset.horizon * known + len(dataset.covariates.static_names)
        products, answers, count = np.zeros((width, width)), np.zeros((width, dataset.horizon)), 0
        for rows, future in self._batches(dataset, dataset.windows("train")):
            products += rows.T @ rows
            answers += rows.T @ future
            count += len(rows)
        strengths, directions = np.linalg.eigh(products / count)
        rotated = directions.T @ (answers / count)
        best = np.inf
        for penalty in self.penalties:
            weights = directions @ (rotated / (np.maximum(strengths, 0.0) + penalty)[:, None])
            error = self._error(dataset, weights)
            if error < best:
                best, self.penalty, self.weights = error, penalty, weights
        return self

    def _error(self, dataset: SeriesDataset, weights: Array) -> float:
        """Mean squared error on the validation part."""
        total, count = 0.0, 0
        for rows, future in self._batches(dataset, dataset.windows("validation")):
            total += float(((rows @ weights - future) ** 2).sum())
            count += future.size
        return total / count

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return int(self.weights.size)

    def predict(self, dataset: SeriesDataset, windows: Windows) -> Array:
        """Forecasts (N, H, K) in values."""
        targets = len(dataset.targets)
        found = np.empty((len(windows.origins), dataset.horizon, targets))
        for start in range(0, len(found), 512):
            part = Windows(windows.series[start : start + 512], windows.origins[start : start + 512])
            past = self._past(dataset, part)
            for place in range(targets):
                deviation = self._of(part, "target_deviation")[:, place, None]
                written = self._rows(dataset, past, part, place) @ self.weights
                found[start : start + 512, :, place] = written * deviation + self._level(past, part, place)
        return found

    def _past(self, dataset: SeriesDataset, windows: Windows) -> Array:
        """(N, steps, C) what is read of each window."""
        past = dataset.past(windows)
        return past if self.steps is None else past[:, -self.steps :]

    def _level(self, past: Array, windows: Windows, place: int) -> Array:
        """(N, 1) what a target is relative to."""
        if self.relative_to == LEVELS[1]:
            return np.asarray(past[:, :, place].mean(axis=1, keepdims=True))
        if self.relative_to == LEVELS[2]:
            return self._of(windows, "target_mean")[:, place, None]
        return past[:, -1:, place]

    def _batches(self, dataset: SeriesDataset, windows: Windows) -> Iterator[tuple[Array, Array]]:
        """Inputs and targets, a few hundred windows at a time."""
        for start in range(0, len(windows.origins), 512):
            part = Windows(windows.series[start : start + 512], windows.origins[start : start + 512])
            past, truth = self._past(dataset, part), dataset.truth(part)
            for place in range(len(dataset.targets)):
                deviation = self._of(part, "target_deviation")[:, place, None]
                yield (
                    self._rows(dataset, past, part, place),
                    (truth[:, :, place] - self._level(past, part, place)) / deviation,
                )

    def _of(self, windows: Windows, name: str) -> Array:
        return np.stack([getattr(scaling, name) for scaling in self._scalings])[windows.series]

    def _rows(self, dataset: SeriesDataset, past: Array, windows: Windows, place: int) -> Array:
        """(N, columns) what the linear map reads for one target, the constant 1 last."""
        targets, read = self._scalings[0].target_mean.size, len(dataset.targets) + len(dataset.features)
        deviation = self._of(windows, "target_deviation")[:, place, None]
        parts = [(past[:, :, place] - self._level(past, windows, place)) / deviation]
        deviations = self._of(windows, "deviation")
        for feature in range(targets, read):
            parts.append((past[:, :, feature] - past[:, -1:, feature]) / deviations[:, feature, None])
        if past.shape[2] > read:
            mean, scale = self._of(windows, "mean")[:, None, read:], deviations[:, None, read:]
            level = np.where(self._relative, past[:, -1:, read:], mean)
            for known in (past[:, :, read:], dataset.ahead(windows)):
                parts.append(((known - level) / scale).reshape(len(past), -1))
        return np.concatenate([*parts, dataset.static(windows), np.ones((len(past), 1))], axis=1)
