"""How good a trained forecaster is on another file: a backtest on its last windows, without training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.errors import DataError
from gatewise.kinds.forecasting import baseline_models
from gatewise.kinds.forecasting.figures import MEAN_SQUARED_ERROR, evaluate_forecasts
from gatewise.kinds.forecasting.series.ahead import cut_ahead
from gatewise.kinds.forecasting.series.building import RawSeries, raw_series, split_series
from gatewise.kinds.forecasting.series.records import Series, SeriesDataset, series_fingerprint
from gatewise.kinds.forecasting.series.table import SeriesTable
from gatewise.kinds.forecasting.until import seen_rows

if TYPE_CHECKING:
    from gatewise.kinds.forecasting.exported import ExportedForecaster
    from gatewise.kinds.forecasting.trained import TrainedForecaster

__all__ = ["Backtest", "backtest"]


@dataclass(frozen=True)
class Backtest:
    """A forecaster's figures on a file, beside persistence's.

    Attributes:
        metrics: of the network, as `gatewise.kinds.forecasting.figures.evaluate_forecasts` names them.
        persistence: the same of the last value.
        windows: how many windows were measured.
        first: the first step that was forecast, as the file writes it.
        last: the last one.
        in_training: whether rows were measured that the network was trained on; None: nobody knows.
        notes: findings about the rows.
    """

    metrics: Mapping[str, Any]
    persistence: Mapping[str, Any]
    windows: int
    first: str
    last: str
    in_training: bool | None
    notes: tuple[str, ...]

    @property
    def skill(self) -> float | None:
        """Which fraction of persistence's error is saved."""
        error, naive = (float(each[MEAN_SQUARED_ERROR.name]) for each in (self.metrics, self.persistence))
        return 1 - error / naive if naive > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON; what is not finite is None."""
        found: dict[str, Any] = _finite(
            {
                "metric": MEAN_SQUARED_ERROR.name,
                **self.metrics,
                "skill": self.skill,
                "persistence": dict(self.persistence),
                "windows": self.windows,
                "first": self.first,
                "last": self.last,
                "in_training": self.in_training,
                "notes": list(self.notes),
            }
        )
        return found


def backtest(trained: TrainedForecaster | ExportedForecaster, table: SeriesTable, name: str) -> Backtest:
    """Measure on the windows of a file that the network has not seen.

    Those are the windows whose future lies behind the rows that it was trained on or chosen by. Where there is none, or
    nobody knows, the last 20 % of all times are measured; what is measured of the training rows is said. Errors are
    divided by the deviation of the training part, of a series that was not trained on by that of its rows before.

    Args:
        trained: the network.
        table: rows with the columns of the training.
        name: of the file.

    Raises:
        DataError: no window fits in.
    """
    table, _ = cut_ahead(table, len(trained.targets))
    raw, _, notes = raw_series(table, (*trained.targets, *trained.features), trained.spacing)
    series, in_training = _cut(trained, table, raw)
    data = trained.data_spec
    dataset = SeriesDataset(
        name=name,
        source=f"the file {name}",
        split_note="",
        fingerprint=series_fingerprint(series, (*trained.targets, *trained.features), data.horizon, trained.lookback),
        notes=tuple(notes),
        targets=trained.targets,
        features=trained.features,
        series=tuple(series),
        horizon=data.horizon,
        lookback=trained.lookback,
        spacing=trained.spacing,
        season=trained.spacing.season or 1,
        form=table.form,
        time=trained.time,
        covariates=trained.covariates,
    )
    windows = dataset.windows("test")
    if not len(windows.origins):
        longest = max(len(each.times) for each in series)
        raise DataError(
            f"{name} is too short to be measured",
            expected=f"at least {trained.lookback + data.horizon} steps in a row: look-back and horizon",
            got=f"{longest}",
            fix="give more of its past before the steps to be forecast",
        )
    if in_training:
        notes.append("steps are measured that the network was trained on: its figures flatter it")
    if in_training is None:
        notes.append("whether the network was trained on these steps is not known; the last 20 % of them are measured")
    scalings = trained.scalings_of(series)
    unknown = [each for each in series if each.name not in trained.scalings]
    still = [each.name for each in unknown if _never_moved(each, len(trained.targets))]
    if still:
        which = f" of {', '.join(still[:5])}{' ...' * (len(still) > 5)}" if any(still) else ""
        notes.append(
            f"targets{which} never changed before the steps that are measured: they have no deviation, and their "
            "errors are divided by 1"
        )
    naive = evaluate_forecasts(dataset, scalings, "test", baseline_models.persistence(dataset, windows))
    steps = [(series[place].times, origin) for place, origin in zip(*windows, strict=True)]
    first = min(times[origin + 1] for times, origin in steps)
    last = max(times[origin + data.horizon] for times, origin in steps)
    begin, end = table.form.written(np.array([first, last]))
    found = trained.test(dataset).metrics
    return Backtest(found, naive.metrics, len(windows.origins), begin, end, in_training, tuple(notes))


def _cut(
    trained: TrainedForecaster | ExportedForecaster, table: SeriesTable, raw: list[RawSeries]
) -> tuple[list[Series], bool | None]:
    """Series whose test part is what the network has not seen, and whether that could not be had."""
    data = trained.data_spec
    known = table.times is not None and bool(trained.until)
    shares = split_series(raw, table.times is not None)
    starts = []
    for each, split in zip(raw, shares, strict=True):
        seen = seen_rows(trained.until, each.name, each.times, table.form) if known else None
        late = max(1, min(split.borders[1], len(each.times) - data.horizon))
        starts.append(int(seen.sum()) if seen is not None and each.name in trained.until else late)
    series = [_from(each, max(start, trained.lookback)) for each, start in zip(raw, starts, strict=True)]
    if any(len(each.origins("test", trained.lookback, data.horizon)) for each in series):
        return series, False if known else None
    late_starts = [max(1, min(split.borders[1], len(split.times) - data.horizon)) for split in shares]
    series = [_from(each, max(start, trained.lookback)) for each, start in zip(raw, late_starts, strict=True)]
    return series, True if known else None


def _never_moved(series: Series, targets: int) -> bool:
    """Whether a target is constant before the first step that is measured."""
    before = series.values[: series.borders[0], :targets]
    return bool(len(before)) and not np.ptp(before, axis=0).all()


def _from(series: RawSeries, start: int) -> Series:
    rows = len(series.times)
    start = min(start, rows)
    return series.split((start, start, rows))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
