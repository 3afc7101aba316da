"""Forecasting as a problem to train: windows in random order, squared or absolute error, and quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call

from gatewise.kinds.forecasting.figures import MEAN_SQUARED_ERROR
from gatewise.kinds.forecasting.network import Forecaster
from gatewise.kinds.forecasting.series.records import SeriesDataset, Windows
from gatewise.kinds.forecasting.series.scaling import Scaling
from gatewise.kinds.forecasting.windows import ScaledSeries
from gatewise.statistics.measure import Measure
from gatewise.training.problem import Problem, StepLoss

__all__ = ["ForecastingProblem", "forecast_windows", "pinball_loss"]

_BATCH = 256


class ForecastingProblem(Problem):
    """A network and its training windows.

    Args:
        model: the network, on its device.
        dataset: the series.
        scalings: one per series, fitted on its training part.
        scaled: what the network reads of the series.
        levels: Q probabilities whose quantiles are forecast.
        loss: ``squared`` or ``absolute`` error of the central forecast.
        batch_size: windows per step.
        seed: of the order of the windows.
        files: see `Problem.files`.
    """

    unit: ClassVar[str] = "windows"
    metric: ClassVar[Measure] = MEAN_SQUARED_ERROR
    later: ClassVar[frozenset[str]] = frozenset({"decimal"})
    model: Forecaster

    def __init__(
        self,
        model: Forecaster,
        dataset: SeriesDataset,
        scalings: Sequence[Scaling],
        scaled: ScaledSeries,
        *,
        levels: Sequence[float] = (),
        loss: str = "squared",
        batch_size: int,
        seed: int,
        files: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        self.model, self.dataset, self.scalings, self.scaled = model, dataset, tuple(scalings), scaled
        self.levels, self.error, self.batch_size, self.seed = tuple(levels), loss, batch_size, seed
        self._train = dataset.windows("train")
        self._files = dict(files or {})
        self.examples_per_epoch = len(self._train.origins)
        self.steps_per_epoch = -(-self.examples_per_epoch // batch_size)
        self._order: npt.NDArray[np.int64] = np.arange(self.examples_per_epoch)

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Shuffle the windows."""
        self._order = np.random.default_rng([self.seed, epoch]).permutation(self.examples_per_epoch)

    def loss(self, step: int) -> StepLoss:
        """Error of a batch in the scale of the training part, mean over horizon and targets."""
        chosen = self.part.rows(self._order[step * self.batch_size : (step + 1) * self.batch_size])
        past, future = self.scaled.gather(self._train, chosen)
        found = self.model(past, self.scaled.ahead(self._train, chosen))
        errors = found[..., 0] - future
        value = errors.square().mean() if self.error == "squared" else errors.abs().mean()
        loss = value
        if self.levels:
            loss = value + pinball_loss(found[..., 1:], future, self.levels)
        return StepLoss(loss, value, len(chosen), {"mean_squared_error": errors.detach().square().mean() * len(chosen)})

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss and mean squared error on the validation part, of values, as in the test."""
        windows = self.dataset.windows("validation")
        forecasts = forecast_windows(self.model, self.scaled, windows, weights)[..., 0]
        values = self.scaled.values(forecasts, windows)
        deviation = np.stack([each.target_deviation for each in self.scalings])[windows.series][:, None]
        errors = (values - self.dataset.truth(windows)) / deviation
        squared, absolute = float((errors**2).mean()), float(np.abs(errors).mean())
        return {
            "loss": squared if self.error == "squared" else absolute,
            "mean_squared_error": squared,
            "mean_absolute_error": absolute,
        }

    def probe(self) -> None:
        """Run the first batch."""
        chosen = np.arange(min(self.batch_size, self.examples_per_epoch))
        self.model(self.scaled.past(self._train, chosen), self.scaled.ahead(self._train, chosen))

    def files(self) -> dict[str, dict[str, Any]]:
        """Columns and scalings."""
        return self._files


def pinball_loss(found: Tensor, truth: Tensor, levels: Sequence[float]) -> Tensor:
    """Mean pinball loss of quantile forecasts (Koenker and Bassett, 1978), summed over the levels.

    Args:
        found: (H, B, K, Q).
        truth: (H, B, K).
        levels: Q probabilities.

    Example:
        >>> pinball_loss(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1), [0.9]).item()
        0.8999...
    """
    errors = truth[..., None] - found
    chances = torch.tensor(list(levels), dtype=errors.dtype, device=errors.device)
    return torch.maximum(chances * errors, (chances - 1) * errors).mean(dim=(0, 1, 2)).sum()


def forecast_windows(
    model: Forecaster, scaled: ScaledSeries, windows: Windows, weights: Mapping[str, Tensor] | None = None
) -> npt.NDArray[np.float64]:
    """Scaled forecasts of windows; quantiles are sorted.

    Args:
        model: the network; it is in evaluation mode afterwards.
        scaled: the series.
        windows: N windows.
        weights: other weights to use instead of the model's own.

    Returns:
        (N, H, K, 1 + Q).
    """
    count = len(windows.origins)
    result = np.empty((count, model.horizon, model.targets, model.written))
    model.eval()
    with torch.inference_mode():
        for start in range(0, count, _BATCH):
            chosen = np.arange(start, min(start + _BATCH, count))
            read = (scaled.past(windows, chosen), scaled.ahead(windows, chosen))
            found = model(*read) if weights is None else functional_call(model, dict(weights), read)
            result[chosen] = found.transpose(0, 1).double().cpu().numpy()
    result[..., 1:].sort(axis=-1)
    return result
