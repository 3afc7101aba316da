"""Forecasting as a kind of problem. Imports no torch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gatewise.kinds.forecasting.spec import ForecastModelSpec, SeriesSpec
from gatewise.training.amount import Amount
from gatewise.training.kind import Baseline, ExportedModel, Judgement, Kind, Predicting, Request, Trained
from gatewise.training.settings import Spec

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo
    from gatewise.kinds.forecasting.problem import ForecastingProblem
    from gatewise.kinds.forecasting.series.records import SeriesDataset
    from gatewise.statistics.measure import Measure
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["ForecastingKind"]


class ForecastingKind(Kind):
    """Series in, their next steps out."""

    name: ClassVar[str] = "forecasting"
    unit: ClassVar[str] = "windows"
    data_spec: ClassVar[type[Spec]] = SeriesSpec
    model_spec: ClassVar[type[Spec]] = ForecastModelSpec
    default_training: ClassVar[Mapping[str, Any]] = {
        "batch_size": 64,
        "learning_rate": 1e-3,
    }
    amount: ClassVar[Amount] = Amount(least=20, most=400, patience=5)
    known: ClassVar[tuple[str, ...]] = ("stocks", "sp500", "nasdaq", "ett", "etth1", "etth2")
    files: ClassVar[tuple[str, ...]] = ("scaler.json",)
    prediction_settings: ClassVar[tuple[str, ...]] = ("date_format", "timezone", "decimal", "thousands", "future")
    estimators: ClassVar[Mapping[str, str]] = {"Forecaster": "gatewise.kinds.forecasting.estimator"}
    report: ClassVar[str | None] = "gatewise.kinds.forecasting.report"

    def datasets(self, cache: Path | None = None) -> Sequence[DatasetInfo]:
        """Prices and transformer temperatures."""
        from gatewise.kinds.forecasting.series.known import series_infos

        return series_infos(cache)

    def claims(self, path: Path) -> int:
        """Tables whose rows have a date and numbers, and no text."""
        from gatewise.kinds.forecasting.by_content import holds_series

        return 3 if holds_series(path) else 0

    def load(self, data: Any) -> SeriesDataset:
        """Load and split the series; see `gatewise.kinds.forecasting.series.loading.load_series`."""
        from gatewise.kinds.forecasting.series.loading import load_series

        return load_series(
            data.data,
            time=data.time,
            target=data.target,
            features=data.features,
            known=data.known,
            static=data.static,
            group=data.group,
            date_format=data.date_format,
            timezone=data.timezone,
            decimal=data.decimal,
            thousands=data.thousands,
            horizon=data.horizon,
            lookback=data.lookback,
            download=data.download,
        )

    def settled(self, spec: RunSpec, dataset: Any) -> RunSpec:
        """With the columns, the look-back and the decoding that are derived where none is given."""
        from gatewise.kinds.forecasting.decoding import with_decoding

        spec = super().settled(spec, dataset)
        columns = {"time": dataset.time, "target": ",".join(dataset.targets)}
        lookback = dataset.lookback if spec.data.lookback is None else spec.data.lookback
        model = with_decoding(spec.model, lookback, dataset.horizon, dataset.spacing.season)
        return replace(spec, data=replace(spec.data, lookback=lookback, **columns), model=model)

    def problem(self, spec: RunSpec, dataset: Any) -> ForecastingProblem:
        """The network on its windows."""
        from gatewise.kinds.forecasting.trained import problem_of

        return problem_of(spec, dataset)

    def check_request(self, command: str, spec: RunSpec, request: Request) -> None:
        """Also refuse texts, no file, and a forecast that would be written over its input."""
        super().check_request(command, spec, request)
        if command == "predict":
            from gatewise.kinds.forecasting.commands import check_predict

            check_predict(request)

    def open(self, run: RunFolder) -> Trained:
        """The network of a finished run."""
        from gatewise.kinds.forecasting.trained import open_run

        return open_run(run)

    def exported(self, model: ExportedModel) -> Predicting:
        """The forecaster of an exported model."""
        from gatewise.kinds.forecasting.exported import ExportedForecaster

        return ExportedForecaster(model)

    def baselines(self, data: Any) -> Sequence[Baseline]:
        """Persistence, seasonal naive, drift, ridge on the window."""
        from gatewise.kinds.forecasting.baselines import (
            DriftBaseline,
            PersistenceBaseline,
            RidgeBaseline,
            SeasonalNaiveBaseline,
        )

        return [PersistenceBaseline(), SeasonalNaiveBaseline(), DriftBaseline(), RidgeBaseline()]

    def measure(self, dataset: Any) -> Measure:
        """The mean squared error; so many windows in a row hold the same step as there are steps and series."""
        from gatewise.kinds.forecasting.figures import MEAN_SQUARED_ERROR

        return replace(MEAN_SQUARED_ERROR, overlap=dataset.horizon * len(dataset.series))

    def judgement(self, dataset: Any) -> Judgement:
        """Skill is what beats persistence."""
        return Judgement(skill=True, skill_against="persistence")

    def describe(self, dataset: Any) -> dict[str, Any]:
        """Columns, series, spacing, season, horizon and look-back."""
        found: dict[str, Any] = {
            which: list(names) for which in ("known", "static") if (names := dataset.covariates.columns(which))
        }
        return found | {
            "targets": list(dataset.targets),
            "features": list(dataset.features),
            "series": [each.name for each in dataset.series],
            "steps": {each.name: len(each.times) for each in dataset.series},
            "spacing": dataset.spacing.title,
            "season": dataset.season,
            "horizon": dataset.horizon,
            "lookback": dataset.lookback,
        }

    def use(self, folder: Path) -> str:
        """Forecast what comes after a new file."""
        return f"gatewise predict {shlex.quote(str(folder))} --file new.csv --out forecast.csv"
