"""A forecaster that was exported: continues series without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError
from gatewise.kinds.forecasting.continuing import Continuing
from gatewise.kinds.forecasting.figures import evaluate_forecasts
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.records import Series, SeriesDataset, Windows
from gatewise.kinds.forecasting.series.scaling import Scaling
from gatewise.kinds.forecasting.spec import SeriesSpec
from gatewise.kinds.forecasting.until import until_times
from gatewise.training.problem import Evaluation

if TYPE_CHECKING:
    from gatewise.training.kind import ExportedModel, Request

__all__ = ["ExportedForecaster", "window_inputs"]

Array = npt.NDArray[np.float64]
_PLACE = "the model's metadata"
_AT_ONCE = 256


def window_inputs(series: Series, origin: int, data: SeriesSpec, scaling: Scaling | None) -> dict[str, Any]:
    """One window as the graph reads it.

    Args:
        series: the rows.
        origin: the last known row.
        data: look-back, horizon and transform.
        scaling: of the series, where the graph has it as an input.

    Example:
        >>> one = Series("", np.arange(4.0), np.arange(4.0)[:, None], (4, 4, 4))
        >>> window_inputs(one, 2, SeriesSpec("x.csv", lookback=2, transform="difference"), None)["past"].ravel()
        array([0., 1., 2.])
    """
    assert data.lookback is not None  # a trained network's
    first = origin - data.lookback + 1
    past = series.values[first : origin + 1]
    if data.transform != "value":
        before = first if first == 0 or first in series.breaks else first - 1
        past = np.concatenate([series.values[before : before + 1], past])
    given: dict[str, Any] = {"past": past}
    if series.known:
        given["ahead"] = series.values[origin + 1 : origin + 1 + data.horizon, -series.known :]
    if len(series.static):
        given["static"] = series.static
    if scaling is not None:
        given |= {"mean": scaling.mean, "deviation": scaling.deviation}
    return given


class ExportedForecaster(Continuing):
    """An exported model as the commands `predict` and `evaluate` use a forecaster.

    Args:
        model: the model.
    """

    def __init__(self, model: ExportedModel) -> None:
        found = model.metadata
        self.model = model
        self.targets, self.features = tuple(found["targets"]), tuple(found["features"])
        self.spacing = Spacing.from_dict(found["spacing"], _PLACE)
        self.scalings = {name: Scaling.from_dict(entry, _PLACE) for name, entry in found["scalings"].items()}
        self.form = None if found["form"] is None else TimeForm.from_dict(found["form"], _PLACE)
        self.time = found["time"]
        self.covariates = Covariates.from_dict(found, _PLACE)
        self._levels = tuple(found["quantiles"])
        self._data = SeriesSpec(**found["reading"])
        self.until = until_times(found, _PLACE)

    @property
    def data_spec(self) -> SeriesSpec:
        """Columns, horizon, look-back, transform."""
        return self._data

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles that are forecast besides the central value."""
        return self._levels

    def _values(
        self, series: Sequence[Series], windows: Windows, scalings: Sequence[Scaling] | None = None
    ) -> tuple[Array, dict[float, Array]]:
        several = len(self.scalings) != 1
        scalings = self._scalings(series) if scalings is None else scalings
        examples = []
        for number, origin in zip(windows.series, windows.origins, strict=True):
            one = series[number]
            if not several and one.name not in self.scalings:
                raise DataError(
                    f"the exported model scales by its only series, and {one.name!r} is another one",
                    expected=", ".join(map(repr, self.scalings)),
                    fix="continue it with the run folder, or train on several series",
                )
            examples.append(window_inputs(one, int(origin), self._data, scalings[number] if several else None))
        found = np.stack(self.model.run(examples)["forecast"])
        written = found.reshape(len(examples), self._data.horizon, len(self.targets), 1 + len(self._levels))
        quantiles = {level: written[..., place] for place, level in enumerate(self._levels, start=1)}
        return written[..., 0], quantiles

    def predict_command(self, request: Request) -> None:
        """Continue the series of a file; see `gatewise.kinds.forecasting.commands.predict`."""
        from gatewise.kinds.forecasting.commands import predict

        predict(self, request)

    def test(self, dataset: SeriesDataset, part: str = "test") -> Evaluation:
        """Measure on a part; see `gatewise.kinds.forecasting.figures.evaluate_forecasts`."""
        windows, scalings = dataset.windows(part), self._scalings(dataset.series)
        parts = []
        for start in range(0, len(windows.origins), _AT_ONCE):
            some = Windows(*(rows[start : start + _AT_ONCE] for rows in (windows.series, windows.origins)))
            parts.append(self._values(dataset.series, some, scalings))
        values = np.concatenate([found for found, _ in parts])
        quantiles = {level: np.concatenate([found[level] for _, found in parts]) for level in self.levels}
        return evaluate_forecasts(dataset, scalings, part, values, quantiles)

    def evaluate_command(self, request: Request) -> None:
        """Measure on the last windows of a file; see `gatewise.kinds.forecasting.commands.evaluate`."""
        from gatewise.kinds.forecasting.commands import evaluate

        evaluate(self, request)
