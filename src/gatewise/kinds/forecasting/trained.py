"""A trained forecaster."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gatewise.errors import DataError, OptionError, RunError
from gatewise.export.graph import Example, Graph
from gatewise.files import refuse_newer
from gatewise.kinds.forecasting.figures import evaluate_forecasts
from gatewise.kinds.forecasting.network import Forecaster
from gatewise.kinds.forecasting.problem import ForecastingProblem, forecast_windows
from gatewise.kinds.forecasting.series.ahead import known_ahead
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.building import Future, raw_series, whole
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.loading import known_columns
from gatewise.kinds.forecasting.series.reading import TimeRules
from gatewise.kinds.forecasting.series.records import Series, SeriesDataset, Windows
from gatewise.kinds.forecasting.series.scaling import Scaling, fit_scaling
from gatewise.kinds.forecasting.series.table import SeriesTable
from gatewise.kinds.forecasting.spec import ForecastModelSpec, SeriesSpec
from gatewise.kinds.forecasting.until import until_times, until_words
from gatewise.kinds.forecasting.windows import ScaledSeries
from gatewise.training.kind import RecurrentInputs, Request, Trained
from gatewise.training.problem import Evaluation
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

__all__ = ["TrainedForecaster", "open_run", "problem_of"]

Array = npt.NDArray[np.float64]
_FILE = "scaler.json"
_FORMAT_VERSION = 1


class TrainedForecaster(Trained):
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
    """

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
    ) -> None:
        self.spec = spec
        self.targets, self.features, self.spacing = tuple(targets), tuple(features), spacing
        self.scalings = dict(scalings)
        self.model = model.eval()
        self.form, self.time, self.until = form, time, dict(until or {})
        self.covariates = covariates or Covariates()

    @property
    def data_spec(self) -> SeriesSpec:
        """Columns, horizon, look-back, transform."""
        return _data_spec(self.spec)

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles that are forecast besides the central value."""
        return _model_spec(self.spec).quantile_levels()

    def rules(self, settings: Mapping[str, Any] | None = None, file: Path | None = None) -> TimeRules:
        """How the times of another file are read: as those of the training, unless settings say otherwise."""
        data, given = self.data_spec, settings or {}
        return TimeRules(
            given.get("date_format", data.date_format),
            given.get("timezone", data.timezone),
            self.form,
            None if self.spacing.rule in ("rows", "uneven") else self.spacing.step,
            file is not None and file.suffix.lower() == ".xlsx",
        )

    def future(
        self,
        table: SeriesTable,
        steps: int | None = None,
        notes: list[str] | None = None,
        ahead: Sequence[SeriesTable] = (),
        *,
        partial: bool = False,
    ) -> list[Future]:
        """Continue every series of a table from its last row.

        A series that was not trained on is scaled by its own rows, all before the forecast. Beyond the
        horizon of the training, forecasts are fed back as inputs, and features keep their last value. Of
        several series, those too short to be continued are left out, with a warning that names them.

        Args:
            table: rows with the columns of the training; of each series at least as many as the look-back.
            steps: steps to forecast; None: the horizon of the training.
            notes: a list to which findings about the rows are added.
            ahead: rows with the known columns of the steps to forecast; an earlier table goes before a later one.
            partial: whether series whose known columns end too soon are left out, unless all do.

        Raises:
            DataError: every series is too short, has a gap in its look-back, or a known column ends too soon.
            OptionError: quantiles beyond the horizon of the training.
        """
        data = self.data_spec
        count = data.horizon if steps is None else steps
        if count > data.horizon and self.levels:
            raise OptionError(
                "quantiles end at the horizon of the training",
                expected=f"at most {data.horizon} steps",
                got=f"{count}",
                fix="train with a longer horizon, or without quantiles",
            )
        raw, _, found = raw_series(table, (*self.targets, *self.features), self.spacing)
        if notes is not None:
            notes += found
        known, refused = [], []
        for each in raw:
            try:
                known.append(whole(each, data.lookback))
            except DataError as error:
                refused.append((each.name, error))
        if not known:
            raise refused[0][1]
        if refused:
            names = ", ".join(name for name, _ in refused[:5]) + (" ..." if len(refused) > 5 else "")
            words = f"left out, with fewer than {data.lookback} steps without gaps at their end: {names}"
            warnings.warn(words, stacklevel=3)
        futures: list[Future] = []
        for series in known:
            try:
                futures.append(self._continued(series, count, table.form, ahead))
            except DataError:
                if not partial or (series is known[-1] and not futures):
                    raise
        return futures

    def _continued(self, series: Series, count: int, form: TimeForm, ahead: Sequence[SeriesTable]) -> Future:
        """Forecast repeatedly until there are enough steps."""
        targets, horizon, read = len(self.targets), self.data_spec.horizon, len(self.targets) + len(self.features)
        times = self.spacing.after(series.times[-1], count)
        rounds = -(-count // horizon)
        known = np.zeros((rounds * horizon, 0))
        if self.covariates.known:
            columns = self.covariates.columns("known")
            times, found = known_ahead(ahead, columns, series.name, series.times[-1], count, self.spacing, form)
            # steps that are not asked for are not known: they get the last values, and are dropped again
            known = np.concatenate([found, np.repeat(found[-1:], rounds * horizon - count, axis=0)])
        scalings = self._scalings([series])
        values = series.values
        quantiles: dict[float, Array] = {}
        for turn in range(rounds):
            following = np.full((horizon, values.shape[1]), np.nan)
            following[:, targets:read] = values[-1, targets:read]
            following[:, read:] = known[turn * horizon : (turn + 1) * horizon]
            grown = np.concatenate([values, following])
            whole = replace(series, values=grown, times=np.arange(len(grown), dtype=np.float64))
            windows = Windows(np.zeros(1, dtype=np.int64), np.array([len(values) - 1]))
            central, quantiles = self._values([whole], windows, scalings)
            grown[len(values) :, :targets] = central[0]
            values = grown
        start = len(series.values)
        return Future(
            series.name,
            times,
            values[start : start + count, :targets],
            {level: found[0, :count] for level, found in quantiles.items()},
        )

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

    def evaluate_command(self, request: Request) -> None:
        """Measure on the last windows of a file; see `gatewise.kinds.forecasting.commands.evaluate`."""
        from gatewise.kinds.forecasting import commands

        commands.evaluate(self, request)

    def predict_command(self, request: Request) -> None:
        """Continue the series of a file; see `gatewise.kinds.forecasting.commands.predict`."""
        from gatewise.kinds.forecasting import commands

        commands.predict(self, request)

    def graph(self) -> Graph:
        """What it computes; see `gatewise.kinds.forecasting.graph.graph_of`."""
        from gatewise.kinds.forecasting.graph import graph_of

        return graph_of(self)

    def graph_examples(self, dataset: Any, count: int) -> Sequence[Example]:
        """Test examples with what the network makes of them."""
        from gatewise.kinds.forecasting.graph import examples_of

        return examples_of(self, dataset, count)

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """The first test windows as the recurrent layers read them; of longer ones the last ``steps`` steps."""
        windows = dataset.windows("test")
        chosen = np.arange(min(count, len(windows.origins)))
        with torch.no_grad():
            scaled = self._scaled(dataset.series)
            inputs, ahead = self.model.encoded(scaled.past(windows, chosen), scaled.ahead(windows, chosen))
        found = {"recurrent": RecurrentInputs(self.model.recurrent, inputs[-steps:, :count].clone(), None)}
        if ahead is not None and self.model.decoding == "direct":
            found["decoder"] = RecurrentInputs(self.model.decoder, ahead[:steps, :count].clone(), None)
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
            lookback=data.lookback,
            horizon=data.horizon,
        )

    def scalings_of(self, series: Sequence[Series]) -> list[Scaling]:
        """Of the training; of a series that was not trained on, by its own rows before its first border."""
        return self._scalings(series)

    def _scalings(self, series: Sequence[Series]) -> list[Scaling]:
        transform = self.data_spec.transform
        targets, flags = len(self.targets), self.covariates.flags
        return [self.scalings.get(each.name) or fit_scaling(each, targets, transform, flags) for each in series]


def problem_of(spec: RunSpec, dataset: SeriesDataset) -> ForecastingProblem:
    """The network on its windows."""
    data, model = _data_spec(spec), _model_spec(spec)
    targets = len(dataset.targets)
    scalings = [fit_scaling(each, targets, data.transform, dataset.covariates.flags) for each in dataset.series]
    scaled = ScaledSeries(
        dataset.series,
        scalings,
        targets,
        data.transform,
        lookback=data.lookback,
        horizon=data.horizon,
        device=spec.training.device,
    )
    network = _network(data, model, targets, len(dataset.features), dataset.covariates)
    names = [each.name for each in dataset.series]
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
    covariates = Covariates.from_dict(record, place)
    with torch.random.fork_rng():
        model = _network(data, _model_spec(spec), len(targets), len(features), covariates)
    run.load_weights_into(model)
    form = None if record.get("form") is None else TimeForm.from_dict(record["form"], place)
    time = record.get("time", known_columns(data.data, data.time, None, None)[0])
    until = until_times(record, place)
    return TrainedForecaster(spec, targets, features, spacing, scalings, model, form, time, until, covariates)


def _data_spec(spec: RunSpec) -> SeriesSpec:
    if not isinstance(spec.data, SeriesSpec):
        raise RunError("the run is not a forecast", expected="forecasting", got=spec.task)
    return spec.data


def _model_spec(spec: RunSpec) -> ForecastModelSpec:
    if not isinstance(spec.model, ForecastModelSpec):
        raise RunError("the run is not a forecast", expected="forecasting", got=spec.task)
    return spec.model


def _network(
    data: SeriesSpec, model: ForecastModelSpec, targets: int, features: int, covariates: Covariates
) -> Forecaster:
    """The network that the specs describe, with weights drawn from torch's present random state."""
    # differences and returns are relative to the last value already
    relative = data.transform != "value" and model.normalisation == "last"
    return Forecaster(
        targets,
        features,
        lookback=data.lookback,
        horizon=data.horizon,
        cell=model.cell,
        hidden_size=model.hidden_size,
        num_layers=model.num_layers,
        bidirectional=model.bidirectional,
        dropout=model.dropout,
        decoding=model.decoding,
        segment_length=model.segment_length,
        normalisation="none" if relative else model.normalisation,
        channel_independent=model.channel_independent,
        quantiles=len(model.quantile_levels()),
        known=len(covariates.known_names),
        relative=covariates.relative,
        known_normalisation=model.normalisation,
        static=len(covariates.static_names),
    )
