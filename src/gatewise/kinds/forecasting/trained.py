"""A trained forecaster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from gatewise.errors import RunError
from gatewise.files import refuse_newer
from gatewise.kinds.forecasting.continuing import Continuing
from gatewise.kinds.forecasting.decoding import with_decoding
from gatewise.kinds.forecasting.figures import evaluate_forecasts
from gatewise.kinds.forecasting.network import Forecaster
from gatewise.kinds.forecasting.problem import ForecastingProblem, forecast_windows
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.checks import DECIMALS, THOUSANDS
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.loading import known_columns
from gatewise.kinds.forecasting.series.records import Series, SeriesDataset, Windows
from gatewise.kinds.forecasting.series.scaling import Scaling, fit_scaling
from gatewise.kinds.forecasting.series.signs import Marks
from gatewise.kinds.forecasting.spec import DECODINGS, ForecastModelSpec, SeriesSpec
from gatewise.kinds.forecasting.until import until_times, until_words
from gatewise.kinds.forecasting.windows import ScaledSeries
from gatewise.training.kind import RecurrentInputs, Request, Trained
from gatewise.training.problem import Evaluation
from gatewise.training.reader import Reader
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

if TYPE_CHECKING:
    from gatewise.training.streaming import Streaming

__all__ = ["TrainedForecaster", "open_run", "problem_of"]

Array = npt.NDArray[np.float64]
_FILE = "scaler.json"
_FORMAT_VERSION = 1


class TrainedForecaster(Continuing, Trained):
    """A network with the columns and scalings that it was trained with.

    Args:
        spec: the run it came from.
        targets: the columns it forecasts.
        features: the columns it reads besides.
        spacing: what a step is.
        scalings: by name of the series.
        model: the network, with its best weights.
        form: how the times of the training were written; None: not known.
        time: the column of the times; None: rows follow each other.
        until: by name of the series, the last time that was learnt from or chosen by, in UTC where that is known.
        covariates: the columns known for the future too, and the constant ones.
        thousands: the mark between the thousands of the training's numbers; None: none.
        decimal: the decimal mark that was found in the training's file; None: that of the spec.
    """

    graph_module: ClassVar[str | None] = "gatewise.kinds.forecasting.graph"

    def __init__(
        self,
        spec: RunSpec,
        targets: Sequence[str],
        features: Sequence[str],
        spacing: Spacing,
        scalings: Mapping[str, Scaling],
        model: Forecaster,
        form: TimeForm | None = None,
        time: str | None = None,
        until: Mapping[str, Any] | None = None,
        covariates: Covariates | None = None,
        thousands: str | None = None,
        decimal: str | None = None,
    ) -> None:
        self.spec = spec
        self.targets, self.features, self.spacing = tuple(targets), tuple(features), spacing
        self.scalings = dict(scalings)
        self.model = model.eval()
        self.form, self.time, self.until = form, time, dict(until or {})
        self.covariates, self.thousands, self.decimal = covariates or Covariates(), thousands, decimal

    @property
    def data_spec(self) -> SeriesSpec:
        """Columns, horizon, look-back, transform."""
        data = _data_spec(self.spec)
        thousands = data.thousands or self.thousands
        return replace(data, lookback=self.model.lookback, thousands=thousands, decimal=self.decimal or data.decimal)

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles that are forecast besides the central value."""
        return _model_spec(self.spec).quantile_levels()

    def forecasts(self, dataset: SeriesDataset, part: str = "test") -> tuple[Array, dict[float, Array]]:
        """Forecasts of all windows of a part: (N, H, K) values, and the same by probability."""
        return self._values(dataset.series, dataset.windows(part))

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part; see `gatewise.kinds.forecasting.figures.evaluate_forecasts`."""
        values, quantiles = self.forecasts(dataset, part)
        return evaluate_forecasts(dataset, self._scalings(dataset.series), part, values, quantiles)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From series to forecasts of the first windows of the test part."""
        windows = dataset.windows("test")

        def predict(count: int) -> object:
            return self._values(dataset.series, Windows(windows.series[:count], windows.origins[:count]))

        return predict

    input_schema: ClassVar[Mapping[str, Any]] = {
        "type": "array",
        "items": {"type": "object"},
        "description": "a table: rows with the columns of the training, in order of time",
    }

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The next steps of every series of each table."""
        from gatewise.kinds.forecasting import commands

        return [commands.answer(self, rows) for rows in inputs]

    def streaming(self) -> Streaming:
        """A forecast after every row."""
        from gatewise.kinds.forecasting.streaming import ForecastStreaming

        return ForecastStreaming(self)

    def evaluate_command(self, request: Request) -> None:
        """Measure on the last windows of a file; see `gatewise.kinds.forecasting.commands.evaluate`."""
        from gatewise.kinds.forecasting import commands

        commands.evaluate(self, request)

    def predict_command(self, request: Request) -> None:
        """Continue the series of a file; see `gatewise.kinds.forecasting.commands.predict`."""
        from gatewise.kinds.forecasting import commands

        commands.predict(self, request)

    def reader(self, dataset: Any = None) -> Reader:
        """How its answers come about, see `gatewise.kinds.forecasting.reader.SeriesReader`."""
        from gatewise.kinds.forecasting.reader import SeriesReader

        return SeriesReader(self, dataset)

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """The first test windows as the recurrent layers read them; of longer ones the last ``steps`` steps."""
        windows = dataset.windows("test")
        chosen = np.arange(min(count, len(windows.origins)))
        with torch.no_grad():
            scaled = self._scaled(dataset.series)
            inputs, ahead = self.model.encoded(scaled.past(windows, chosen), scaled.ahead(windows, chosen))
        found = {"recurrent": RecurrentInputs(self.model.recurrent, inputs[-steps:, :count].clone(), None)}
        if ahead is not None and self.model.decoding == "direct":
            with torch.no_grad():
                _, state = self.model.recurrent(inputs[:, :count])
            found["decoder"] = RecurrentInputs(self.model.decoder, ahead[:steps, :count].clone(), None, state)
        return found

    def _values(
        self, series: Sequence[Series], windows: Windows, scalings: Sequence[Scaling] | None = None
    ) -> tuple[Array, dict[float, Array]]:
        scaled = self._scaled(series, scalings)
        found = forecast_windows(self.model, scaled, windows)
        values = [scaled.values(found[..., place], windows) for place in range(found.shape[3])]
        return values[0], dict(zip(self.levels, values[1:], strict=True))

    def _scaled(self, series: Sequence[Series], scalings: Sequence[Scaling] | None = None) -> ScaledSeries:
        data = self.data_spec
        return ScaledSeries(
            series,
            scalings or self._scalings(series),
            len(self.targets),
            data.transform,
            lookback=self.lookback,
            horizon=data.horizon,
        )


def problem_of(spec: RunSpec, dataset: SeriesDataset) -> ForecastingProblem:
    """The network on its windows."""
    data = _data_spec(spec)
    model = with_decoding(_model_spec(spec), dataset.lookback, data.horizon, dataset.spacing.season)
    targets = len(dataset.targets)
    scalings = [fit_scaling(each, targets, data.transform, dataset.covariates.flags) for each in dataset.series]
    scaled = ScaledSeries(
        dataset.series,
        scalings,
        targets,
        data.transform,
        lookback=dataset.lookback,
        horizon=data.horizon,
        device=spec.training.device,
    )
    network = _network(data, model, dataset.lookback, targets, len(dataset.features), dataset.covariates)
    names = [each.name for each in dataset.series]
    named = Marks(data.decimal, data.thousands).decimal
    return ForecastingProblem(
        network.to(spec.training.device),
        dataset,
        scalings,
        scaled,
        levels=model.quantile_levels(),
        loss=model.loss,
        batch_size=spec.training.batch_size,
        seed=spec.training.seed,
        files={
            _FILE: {
                "format_version": _FORMAT_VERSION,
                "targets": list(dataset.targets),
                "features": list(dataset.features),
                **dataset.covariates.to_dict(),
                "spacing": dataset.spacing.to_dict(),
                "time": dataset.time,
                # runs of before there were marks of thousands resume: their file has none
                **({} if dataset.thousands is None else {"thousands": dataset.thousands}),
                **({} if dataset.decimal == named else {"decimal": dataset.decimal}),
                "lookback": dataset.lookback,
                "decoding": model.decoding,
                "segment_length": model.segment_length,
                "form": dataset.form.to_dict(),
                "until": until_words(dataset),
                "series": {name: scaling.to_dict() for name, scaling in zip(names, scalings, strict=True)},
            }
        },
    )


def open_run(run: RunFolder) -> TrainedForecaster:
    """The network of a finished run."""
    spec = run.spec()
    record, place = run.content(_FILE), str(run.path / _FILE)
    refuse_newer(record, _FORMAT_VERSION, place)
    targets, features, series = (record.get(name) for name in ("targets", "features", "series"))
    if not isinstance(targets, list) or not isinstance(features, list) or not isinstance(series, dict):
        raise RunError(f"{place} is damaged", expected="targets, features and series")
    scalings = {str(name): Scaling.from_dict(entry, place) for name, entry in series.items()}
    spacing = Spacing.from_dict(record.get("spacing"), place)
    data = _data_spec(spec)
    steps = data.lookback if data.lookback is not None else record.get("lookback")
    if not isinstance(steps, int):
        raise RunError(f"{place} is damaged", expected="lookback, a whole number")
    covariates = Covariates.from_dict(record, place)
    with torch.random.fork_rng():
        given = _decoded(_model_spec(spec), record, place)
        model = _network(data, given, steps, len(targets), len(features), covariates)
    run.load_weights_into(model)
    form = None if record.get("form") is None else TimeForm.from_dict(record["form"], place)
    time = record.get("time", known_columns(data.data, data.time, None, None)[0])
    until = until_times(record, place)
    thousands = record.get("thousands")
    if thousands is not None and thousands not in THOUSANDS:
        raise RunError(f"{place} is damaged", expected="a known mark of thousands", got=repr(thousands))
    decimal = record.get("decimal")
    if decimal is not None and decimal not in DECIMALS:
        raise RunError(f"{place} is damaged", expected="a known decimal mark", got=repr(decimal))
    return TrainedForecaster(
        spec, targets, features, spacing, scalings, model, form, time, until, covariates, thousands, decimal
    )


def _data_spec(spec: RunSpec) -> SeriesSpec:
    if not isinstance(spec.data, SeriesSpec):
        raise RunError("the run is not a forecast", expected="forecasting", got=spec.task)
    return spec.data


def _model_spec(spec: RunSpec) -> ForecastModelSpec:
    if not isinstance(spec.model, ForecastModelSpec):
        raise RunError("the run is not a forecast", expected="forecasting", got=spec.task)
    return spec.model


def _decoded(model: ForecastModelSpec, record: Mapping[str, Any], place: str) -> ForecastModelSpec:
    """The spec with the decoding that was derived when the run was trained."""
    if model.decoding is not None and model.segment_length is not None:
        return model
    decoding, length = record.get("decoding"), record.get("segment_length")
    if decoding not in DECODINGS or not isinstance(length, int):
        raise RunError(f"{place} is damaged", expected="decoding and segment_length")
    return replace(model, decoding=decoding, segment_length=length)


def _network(
    data: SeriesSpec, model: ForecastModelSpec, lookback: int, targets: int, features: int, covariates: Covariates
) -> Forecaster:
    """The network that the specs describe, with weights drawn from torch's present random state."""
    # differences and returns are relative to the last value already
    relative = {} if data.transform == "value" else {"last": "none", "last-scaled": "standard"}
    assert model.decoding is not None and model.segment_length is not None  # derived, or recorded
    return Forecaster(
        targets,
        features,
        lookback=lookback,
        horizon=data.horizon,
        cell=model.cell,
        hidden_size=model.hidden_size,
        num_layers=model.num_layers,
        bidirectional=model.bidirectional,
        dropout=model.dropout,
        decoding=model.decoding,
        segment_length=model.segment_length,
        normalisation=relative.get(model.normalisation, model.normalisation),
        channel_independent=model.channel_independent,
        quantiles=len(model.quantile_levels()),
        known=len(covariates.known_names),
        relative=covariates.relative,
        known_normalisation=model.normalisation,
        static=len(covariates.static_names),
        shortcut=model.shortcut,
    )
