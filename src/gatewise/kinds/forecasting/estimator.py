"""`Forecaster`: a recurrent forecaster in scikit-learn's manner; pandas in, pandas out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.frames import Shape, read_rows
from gatewise.kinds.forecasting.series.ahead import cut_ahead, some_rows
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.building import Future
from gatewise.kinds.forecasting.series.covariate_columns import Asked
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.loading import read_table, series_from_table
from gatewise.kinds.forecasting.series.noticed import refuse_unused_times
from gatewise.kinds.forecasting.series.reading import TimeRules
from gatewise.kinds.forecasting.series.table import SeriesTable, column_names
from gatewise.kinds.forecasting.until import seen_rows
from gatewise.training.estimator import RunEstimator
from gatewise.training.events import Listener, RunResult
from gatewise.training.kind import Trained
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

if TYPE_CHECKING:
    from gatewise.kinds.forecasting.trained import TrainedForecaster

__all__ = ["Forecaster"]

_INDEX = "time"
_SHARES = (0.85, 1.0)


class Forecaster(RunEstimator, task="forecasting", first=("horizon", "lookback"), omit=("future",)):
    """Forecast series with a recurrent network; works in ``clone`` and with ``get_params`` and ``set_params``.

    The last 15 % of all times are the validation part. Without ``time`` the index is read, if it holds times;
    without ``target`` all numeric columns without another role are forecast.

    {settings}

    Attributes:
        result_: the `gatewise.training.RunResult` of the fit: curves, kernel, time.
        notes_: what was found in the rows of the fit: times, missing steps, series left out.

    Example:
        >>> days = pd.date_range("2026-01-01", periods=60, freq="D")
        >>> frame = pd.DataFrame({"sales": np.tile([5.0, 6.0, 7.0], 20)}, index=days)
        >>> model = Forecaster(horizon=2, lookback=6, hidden_size=8, epochs=2, threads=1).fit(frame)
        >>> model.predict().index.strftime("%d %B").tolist()
        ['02 March', '03 March']
    """

    _trained: TrainedForecaster
    _table: SeriesTable | None
    _ahead: SeriesTable | None
    _shape: Shape

    def fit(self, frame: pd.DataFrame | pd.Series[Any], *, on_event: Listener | None = None) -> Forecaster:
        """Fit on series.

        Args:
            frame: a row per time (and series); or one series, indexed by time. Rows after the last target are read for
                the known columns alone.
            on_event: called with each training event.

        Raises:
            DataError: columns, times or numbers that cannot be used, or too few rows.
            OptionError: an argument of the constructor is out of range.
        """
        spec, whole, targets, features, shape = self._read(frame)
        table, ahead = cut_ahead(whole, len(targets), empty=False)
        horizon, lookback = int(self.horizon), None if self.lookback is None else int(self.lookback)
        dataset = series_from_table(
            table,
            spec.data.data,
            "series given to Forecaster.fit",
            targets,
            features,
            horizon=horizon,
            lookback=lookback,
            shares=_SHARES,
            time=spec.data.time,
        )
        self._train(spec, dataset, on_event)
        self.notes_ = dataset.notes
        self._table, self._ahead, self._shape = table, ahead, shape
        return self

    def predict(
        self,
        horizon: int | None = None,
        frame: pd.DataFrame | pd.Series[Any] | None = None,
        future: pd.DataFrame | None = None,
    ) -> pd.DataFrame | pd.Series[Any]:
        """Forecast what follows.

        Of several series, those too short to be continued are left out, with a warning that names them.

        Args:
            horizon: steps; None: those trained for. Further steps are forecast from the forecasts before them.
            frame: series to continue, with the columns of the training; None: those of the training. The known columns
                of the steps to forecast are read of its rows after the last target.
            future: the known columns of the steps to forecast, with the times (and series) as in the frame.

        Returns:
            One row a step, indexed as the frame was: by time or period, with several series by group and time, in the
            order of the frame's levels; one column per target, and one per target and quantile, such as ``close_0.1``.
            A Series where a Series was fitted without quantiles.

        Raises:
            DataError: every series is too short, or a known column ends too soon.
            OptionError: the horizon is not a whole number of at least 1, or quantiles beyond the trained one.
        """
        check_is_fitted(self)
        if isinstance(horizon, (pd.DataFrame, pd.Series)):
            raise OptionError(
                "the first argument of predict is the horizon, and a table was given",
                expected="the number of steps, or the series to continue as frame",
                got=type(horizon).__name__,
                fix="predict(frame=...)",
            )
        if horizon is not None and (not isinstance(horizon, (int, np.integer)) or horizon < 1):
            raise OptionError("horizon is out of range", expected="a whole number of at least 1", got=repr(horizon))
        if frame is None:
            table, ahead, shape = self._table, self._ahead, self._shape
        else:
            whole, *_, shape = self._read(frame, Asked.as_trained(self._trained.covariates))[1:]
            table, ahead = cut_ahead(whole, len(self._trained.targets), empty=False)
        if table is None:
            raise DataError(
                "a forecaster that was opened has no series of its own", fix="give the series to continue: frame=..."
            )
        known = [*([] if future is None else [self._future(future, table)]), *([] if ahead is None else [ahead])]
        found = self._trained.future(table, None if horizon is None else int(horizon), ahead=known)
        return self._as_frame(found, table, shape)

    def _as_frame(self, futures: list[Future], table: SeriesTable, shape: Shape) -> pd.DataFrame | pd.Series[Any]:
        """Forecasts as pandas has them."""
        group, time = self._trained.data_spec.group, self._trained.time
        parts = []
        for future in futures:
            columns = {name: future.values[:, place] for place, name in enumerate(self._trained.targets)}
            for level in sorted(future.quantiles):
                for place, name in enumerate(self._trained.targets):
                    columns[f"{name}_{level:g}"] = future.quantiles[level][:, place]
            part = pd.DataFrame(columns, index=shape.times(table.form.index(future.times)).rename(time or _INDEX))
            parts.append(part if group is None else pd.concat({future.name: part}, names=[group]))
        found = pd.concat(parts)
        if shape.time_first and group is not None:
            found = found.swaplevel().sort_index(level=0, sort_remaining=False, kind="stable")
        return found.iloc[:, 0] if shape.single and found.shape[1] == 1 else found

    def backtest(self, frame: pd.DataFrame | pd.Series[Any], folds: int = 3, *, refit: bool = True) -> pd.DataFrame:
        """Rolling origin: fit on the past, forecast the next steps, advance (Tashman, 2000).

        The last ``folds`` times ``horizon`` times of the frame are forecast, one horizon after the other, each by a
        network trained only on the times before; or, with ``refit=False``, all by this fitted one. Where rows are
        missing, each forecast is compared with the row of its own time; rows beyond the horizon are not measured.
        Without times, the rows of each series are numbered from its first.

        Args:
            frame: as for `fit`.
            folds: horizons to forecast.
            refit: whether a network is trained for each fold.

        Returns:
            One row per fold and target: ``origin`` (last time known), ``mean_absolute_error``,
            ``root_mean_squared_error``, and the same of persistence, in the target's unit, over all series; and
            ``in_training``, whether steps were measured that the network was trained on or chosen by, which a warning
            says too. Without times, rows are compared by their numbers.

        Raises:
            DataError: too few rows.
            OptionError: ``folds`` is not a whole number of at least 1.
        """
        if not isinstance(folds, (int, np.integer)) or isinstance(folds, bool) or folds < 1:
            raise OptionError("folds is out of range", expected="a whole number of at least 1", got=repr(folds))
        if not refit:
            check_is_fitted(self)
        _, whole, targets, _, shape = self._read(frame, None if refit else Asked.as_trained(self._trained.covariates))
        table, _ = cut_ahead(whole, len(targets), empty=False)
        frame = frame.iloc[_kept(whole, table)]
        times = _numbered(table.groups) if table.times is None else table.times
        every = np.unique(times)
        rows = []
        for fold in range(folds, 0, -1):
            end = len(every) - fold * int(self.horizon)
            if end < 1:
                raise DataError("the series are too short for so many folds", got=f"{len(every)} times, {folds} folds")
            known = times <= every[end - 1]
            ahead = ~known & (times <= every[min(end + int(self.horizon), len(every)) - 1])
            model: Forecaster = clone(self).fit(_rows(frame, known)) if refit else self
            origin = shape.times(table.form.index(every[end - 1 : end]))[0]
            seen = _seen(model, table, times) & ahead
            found = _errors(model, table, times, known, ahead, targets, origin)
            rows += [{**row, "in_training": bool(seen.any())} for row in found]
        result = pd.DataFrame(rows)
        if result["in_training"].any():
            warnings.warn(
                "the backtest measures rows that the network was trained on, so its figures flatter it: give later "
                "rows, or refit=True (see the column in_training)",
                stacklevel=2,
            )
        return result

    def _keep(self, run: RunFolder, trained: Trained, result: RunResult) -> None:
        super()._keep(run, trained, result)
        self._table, self._ahead, self._shape = None, None, Shape()

    def _read(
        self, frame: pd.DataFrame | pd.Series[Any], asked: Asked | None = None
    ) -> tuple[RunSpec, SeriesTable, tuple[str, ...], tuple[str, ...], Shape]:
        """Check arguments and rows: (spec, table, targets, features, shape)."""
        known, static = column_names(self.known), column_names(self.static)
        covariates = (*known, *static)
        rows, time, group, targets, shape = read_rows(
            frame, self.time, self.group, self.target, self.features, covariates
        )
        features = column_names(self.features)
        asked = asked or Asked.named(known, static, group)
        places = [f"row {number}" for number in range(len(rows))]
        rules = TimeRules(self.date_format, self.timezone)
        columns = (*targets, *features)
        if time is None and self.target is None:
            refuse_unused_times(rows, places, "the frame", (*columns, *known, *static), group, rules)
        table, time = read_table(rows, places, "the frame", columns, time, group, rules, asked, self.decimal)
        given = {
            "target": ",".join(targets),
            "features": ",".join(features) or None,
            "known": ",".join(known) or None,
            "static": ",".join(static) or None,
            "time": time,
            "group": group,
        }
        return self._spec("series in memory", **given), table, targets, features, shape

    def _future(self, frame: pd.DataFrame, table: SeriesTable) -> SeriesTable:
        """The known columns of the steps to forecast."""
        covariates = self._trained.covariates
        if not covariates.known:
            raise OptionError(
                "the forecaster reads no column that is known for the future",
                got="future=...",
                fix="omit it, or fit with known='column'",
            )
        data = self._trained.data_spec
        names = covariates.columns("known")
        rows = read_rows(frame, self.time, self.group, list(names), None)
        frame = rows.frame.rename(columns={rows.time: data.time} if rows.time and data.time else {})
        if rows.group is not None and data.group is not None:
            frame = frame.rename(columns={rows.group: data.group})
        places = [f"row {number} of the future" for number in range(len(frame))]
        rules = TimeRules(self.date_format, self.timezone, table.form)
        asked = Asked.as_trained(Covariates(covariates.known))
        return read_table(frame, places, "the future", (), data.time, data.group, rules, asked, self.decimal)[0]


def _kept(whole: SeriesTable, past: SeriesTable) -> list[int]:
    """The rows of a table that its past has."""
    places = {place: row for row, place in enumerate(whole.places)}
    return [places[place] for place in past.places]


def _rows(frame: pd.DataFrame | pd.Series[Any], chosen: np.ndarray[Any, Any]) -> pd.DataFrame | pd.Series[Any]:
    return frame.loc[chosen] if isinstance(frame, pd.DataFrame) else frame[chosen]


def _seen(model: Forecaster, table: SeriesTable, times: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(N,) whether the network was trained on each row, or chosen by it."""
    names = np.array(table.groups, dtype=object)
    found = np.zeros(len(times), dtype=bool)
    for name in dict.fromkeys(table.groups):
        found[names == name] = seen_rows(model._trained.until, name, times[names == name], table.form)
    return found


def _numbered(groups: Sequence[str]) -> np.ndarray[Any, Any]:
    """(N,) the place of each row in its own series, where there are no times."""
    names = pd.Series(list(groups), dtype=object)
    return names.groupby(names, sort=False).cumcount().to_numpy(dtype=np.float64)


def _errors(
    model: Forecaster,
    table: SeriesTable,
    times: np.ndarray[Any, Any],
    known: np.ndarray[Any, Any],
    ahead: np.ndarray[Any, Any],
    targets: Sequence[str],
    origin: Any,
) -> list[dict[str, Any]]:
    """Errors of one fold, by target."""
    truths: list[np.ndarray[Any, Any]] = []
    found: list[np.ndarray[Any, Any]] = []
    last: list[np.ndarray[Any, Any]] = []
    names = np.array(table.groups, dtype=object)
    past, later = (some_rows(table, np.flatnonzero(rows)) for rows in (known, ~known))
    for future in model._trained.future(past, ahead=[later], partial=True):
        mine = names == future.name
        rows = np.flatnonzero(mine & ahead)
        rows = rows[np.argsort(times[rows], kind="stable")]
        before = np.flatnonzero(mine & known)
        before = before[np.argsort(times[before], kind="stable")]
        rows, steps = _steps(rows, times, future.times, model._trained.spacing)
        truths.append(table.values[rows, : len(targets)])
        found.append(future.values[steps])
        latest = pd.DataFrame(table.values[before, : len(targets)]).ffill().to_numpy()[-1:]
        last.append(np.repeat(latest, len(rows), axis=0))
    truth, forecast, naive = np.concatenate(truths), np.concatenate(found), np.concatenate(last)
    return [
        {
            "origin": origin,
            "target": name,
            "mean_absolute_error": float(np.nanmean(np.abs(forecast - truth)[:, place])),
            "root_mean_squared_error": float(np.sqrt(np.nanmean((forecast - truth)[:, place] ** 2))),
            "persistence_mean_absolute_error": float(np.nanmean(np.abs(naive - truth)[:, place])),
            "persistence_root_mean_squared_error": float(np.sqrt(np.nanmean((naive - truth)[:, place] ** 2))),
        }
        for place, name in enumerate(targets)
    ]


def _steps(
    rows: np.ndarray[Any, Any], times: np.ndarray[Any, Any], forecast: np.ndarray[Any, Any], spacing: Spacing
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The rows that were forecast, and which step each of them is: by its time, or its place where a row is a step."""
    if spacing.rule not in ("even", "calendar"):
        count = min(len(rows), len(forecast))
        return rows[:count], np.arange(count)
    step = np.timedelta64(round(1e6 * spacing.step), "us") if forecast.dtype.kind == "M" else spacing.step
    near = np.abs(times[rows][:, None] - forecast) < step / 4
    return rows[near.any(axis=1)], near.argmax(axis=1)[near.any(axis=1)]
