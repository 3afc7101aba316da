"""Continues series: what a forecaster answers, given forecasts of windows; without torch."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.series.ahead import known_ahead
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.building import Future, raw_series, whole
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.reading import TimeRules
from gatewise.kinds.forecasting.series.records import Series, Windows
from gatewise.kinds.forecasting.series.scaling import Scaling, fit_scaling
from gatewise.kinds.forecasting.series.signs import Marks
from gatewise.kinds.forecasting.series.table import SeriesTable
from gatewise.kinds.forecasting.spec import SeriesSpec

__all__ = ["Continuing"]

Array = npt.NDArray[np.float64]


class Continuing(ABC):
    """Continues series from their last row.

    Attributes:
        targets: the columns it forecasts.
        features: the columns it reads besides.
        spacing: what a step is.
        scalings: by name of the series.
        form: how the times of the training were written; None: not known.
        time: the column of the times, or several with commas between them; None: rows follow each other.
        covariates: the columns known for the future too, and the constant ones.
    """

    targets: tuple[str, ...]
    features: tuple[str, ...]
    spacing: Spacing
    scalings: dict[str, Scaling]
    form: TimeForm | None
    time: str | None
    covariates: Covariates

    @property
    @abstractmethod
    def data_spec(self) -> SeriesSpec:
        """Columns, horizon, look-back, transform."""

    @property
    def lookback(self) -> int:
        """Steps to forecast from."""
        steps = self.data_spec.lookback
        assert steps is not None  # that of the data set, where the run's spec leaves it open
        return steps

    @property
    def marks(self) -> Marks:
        """The marks within the numbers of the training's file."""
        return Marks(self.data_spec.decimal, self.data_spec.thousands)

    @property
    @abstractmethod
    def levels(self) -> tuple[float, ...]:
        """The quantiles that are forecast besides the central value."""

    @abstractmethod
    def _values(
        self, series: Sequence[Series], windows: Windows, scalings: Sequence[Scaling] | None = None
    ) -> tuple[Array, dict[float, Array]]:
        """Forecasts of windows: (N, H, K) values, and the same by probability."""

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
                known.append(whole(each, self.lookback))
            except DataError as error:
                refused.append((each.name, error))
        if not known:
            raise refused[0][1]
        if refused:
            names = ", ".join(name for name, _ in refused[:5]) + (" ..." if len(refused) > 5 else "")
            words = f"left out, with fewer than {self.lookback} steps without gaps at their end: {names}"
            warnings.warn(words, stacklevel=3)
        if notes is not None:
            notes += self._constants(known)
        futures: list[Future] = []
        for series in known:
            try:
                futures.append(self._continued(series, count, table.form, ahead))
            except DataError:
                if not partial or (series is known[-1] and not futures):
                    raise
        return futures

    def _constants(self, series: Sequence[Series]) -> list[str]:
        """A note on series that were not trained on and never changed."""
        count = len(self.targets)
        unknown = [each for each in series if each.name not in self.scalings]
        still = [each.name for each in unknown if not np.ptp(each.values[:, :count], axis=0).any()]
        if not still:
            return []
        if not any(still):
            return ["the series never changed: its forecast is its constant"]
        shown = ", ".join(still[:5]) + (" ..." if len(still) > 5 else "")
        return [f"series that never changed, whose forecast is their constant: {shown}"]

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

    def scalings_of(self, series: Sequence[Series]) -> list[Scaling]:
        """Of the training; of a series that was not trained on, by its own rows before its first border."""
        return self._scalings(series)

    def _scalings(self, series: Sequence[Series]) -> list[Scaling]:
        transform = self.data_spec.transform
        targets, flags = len(self.targets), self.covariates.flags
        return [
            self.scalings.get(each.name) or fit_scaling(each, targets, transform, flags, foreign=True)
            for each in series
        ]
