"""The baselines of forecasting as every comparison sees them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from gatewise.kinds.forecasting import baseline_models
from gatewise.kinds.forecasting.figures import evaluate_forecasts
from gatewise.kinds.forecasting.series.records import SeriesDataset, Windows
from gatewise.kinds.forecasting.series.scaling import fit_scaling
from gatewise.training.kind import Baseline
from gatewise.training.problem import Evaluation

__all__ = ["DriftBaseline", "PersistenceBaseline", "RidgeBaseline", "SeasonalNaiveBaseline"]


class _ForecastBaseline(Baseline):
    """Base of the four baselines."""

    def fit(self, dataset: Any) -> None:
        """Fit the scalings, which the figures need, on the training part."""
        flags = dataset.covariates.flags
        self._scalings = [fit_scaling(each, len(dataset.targets), "value", flags) for each in dataset.series]

    @property
    def parameters(self) -> int:
        """None is trained."""
        return 0

    @abstractmethod
    def _predict(self, dataset: SeriesDataset, windows: Windows) -> npt.NDArray[np.float64]:
        """Forecasts (N, H, K) in values."""

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        return evaluate_forecasts(dataset, self._scalings, part, self._predict(dataset, dataset.windows(part)))

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From series to forecasts of the first windows of the test part."""
        windows = dataset.windows("test")
        return lambda count: self._predict(dataset, Windows(windows.series[:count], windows.origins[:count]))


class PersistenceBaseline(_ForecastBaseline):
    """The last value, see `gatewise.kinds.forecasting.baseline_models.persistence`."""

    name: ClassVar[str] = "persistence"
    title: ClassVar[str] = "Persistence"
    reason: ClassVar[str] = "the last value at every step"

    def _predict(self, dataset: SeriesDataset, windows: Windows) -> npt.NDArray[np.float64]:
        return baseline_models.persistence(dataset, windows)


class SeasonalNaiveBaseline(_ForecastBaseline):
    """The value one season before."""

    name: ClassVar[str] = "seasonal-naive"
    title: ClassVar[str] = "Seasonal naive"
    reason: ClassVar[str] = "the value one season before"

    def _predict(self, dataset: SeriesDataset, windows: Windows) -> npt.NDArray[np.float64]:
        return baseline_models.seasonal_naive(dataset, windows)


class DriftBaseline(_ForecastBaseline):
    """The line through the window's first and last value."""

    name: ClassVar[str] = "drift"
    title: ClassVar[str] = "Drift"
    reason: ClassVar[str] = "the line through the window's first and last value"

    def _predict(self, dataset: SeriesDataset, windows: Windows) -> npt.NDArray[np.float64]:
        return baseline_models.drift(dataset, windows)


class RidgeBaseline(_ForecastBaseline):
    """A linear map of the window, see `gatewise.kinds.forecasting.baseline_models.RidgeOnWindow`."""

    name: ClassVar[str] = "ridge"
    title: ClassVar[str] = "Ridge on the window"
    reason: ClassVar[str] = "linear model of the window, its penalty chosen on the validation part"

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """How many of the window's last steps are read, and relative to what."""
        whole = dataset.lookback
        steps = dict.fromkeys(max(1, whole // part) for part in (1, 2, 4, 8, 16))
        return {"steps": tuple(steps), "relative_to": baseline_models.LEVELS}

    def fit(self, dataset: Any) -> None:
        """Fit on the training windows."""
        super().fit(dataset)
        model = baseline_models.RidgeOnWindow(**self.setting_values(dataset))
        self._model = model.fit(dataset, self._scalings)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self._model.parameters

    def _predict(self, dataset: SeriesDataset, windows: Windows) -> npt.NDArray[np.float64]:
        return self._model.predict(dataset, windows)
