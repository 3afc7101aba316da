"""`Forecaster`: a recurrent forecaster in scikit-learn's manner; pandas in, pandas out."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.folds import errors_of_fold, numbered
from gatewise.kinds.forecasting.frames import Shape, read_rows
from gatewise.kinds.forecasting.series.ahead import cut_ahead
from gatewise.kinds.forecasting.series.building import Future
from gatewise.kinds.forecasting.series.checks import named_time
from gatewise.kinds.forecasting.series.covariate_columns import Asked
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.loading import read_table, series_from_table
from gatewise.kinds.forecasting.series.noticed import notice_time, refuse_unused_times
from gatewise.kinds.forecasting.series.reading import TimeRules
from gatewise.kinds.forecasting.series.signs import Marks
from gatewise.kinds.forecasting.series.table import SeriesTable, column_names, time_columns
from gatewise.kinds.forecasting.series.unused import is_unused_note, unused_notes
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

    The last 15 % of all times are the validation part. Without ``time`` the index is read, if it holds times, or has a
    year and a month (or quarter, ...) as levels; without ``target`` all numeric columns without another role are
    forecast. Rows after the last target of a series, whose targets are missing, are forecast, not filled.

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
        table, ahead = cut_ahead(whole, len(targets))
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
        for note in table.notes:
            if is_unused_note(note):
                warnings.warn(note, stacklevel=2)
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
            table, ahead = cut_ahead(whole, len(self._trained.targets))
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
            index = shape.times(table.form.index(future.times))
            part = pd.DataFrame(columns, index=index if table.form.columns else index.rename(time or _INDEX))
            parts.append(part if group is None else pd.concat({future.name: part}, names=[group]))
        found = pd.concat(parts)
        if shape.time_first and group is not None:
            order = np.argsort(np.concatenate([each.times for each in futures]), kind="stable")
            found = found.reorder_levels([*range(1, found.index.nlevels), 0]).iloc[order]
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
        table, _ = cut_ahead(whole, len(targets))
        frame = frame.iloc[_kept(whole, table)]
        times = numbered(table.groups) if table.times is None else table.times
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
            found = errors_of_fold(model._trained, table, times, known, ahead, targets, origin)
            rows += [{**row, "in_training": bool(seen.any())} for row in found]
        result = pd.DataFrame(rows)
        if result["in_training"].any():
            warnings.warn(
                "the backtest measures rows that the network was trained on, so its figures flatter it: give later "
                "rows, or refit=True (see the column in_training)",
                stacklevel=2,
            )
        return result

    def score(self, frame: pd.DataFrame | pd.Series[Any], y: object = None) -> float:
        """Which fraction of persistence's squared error the forecasts save: the skill of `gatewise evaluate`.

        ::

            score = 1 - MSE / MSE of persistence

        1 is a perfect forecast, 0 one as good as repeating the last value, below 0 a worse one. It is no R², which
        compares with the mean of the values measured: of a series with a trend nobody could have forecast that.

        Measured are all windows of the frame (look-back and horizon) whose steps ahead lie behind the rows of the fit;
        each error is divided by its target's deviation in the training part. Where there is no such window, those of
        the last 20 % of all times are measured, with a warning. What `backtest` measures is in the targets' own units,
        one horizon after the other.

        Args:
            frame: as for `fit`; with the rows before the steps that are measured.
            y: nothing; for scikit-learn, which scores with two arguments.

        Returns:
            The score; NaN where persistence makes no error, since the targets do not move.

        Raises:
            DataError: no window fits in.
        """
        check_is_fitted(self)
        from gatewise.kinds.forecasting.evaluating import backtest

        table = self._read(frame, Asked.as_trained(self._trained.covariates))[1]
        found = backtest(self._trained, table, "the frame")
        if found.in_training is not False:
            warnings.warn(
                "the score measures rows that the network was trained on, or may have been, so it flatters it: give "
                "later rows",
                stacklevel=2,
            )
        return float("nan") if found.skill is None else found.skill

    def _keep(self, run: RunFolder, trained: Trained, result: RunResult) -> None:
        super()._keep(run, trained, result)
        self._table, self._ahead, self._shape = None, None, Shape()

    def _read(
        self, frame: pd.DataFrame | pd.Series[Any], asked: Asked | None = None
    ) -> tuple[RunSpec, SeriesTable, tuple[str, ...], tuple[str, ...], Shape]:
        """Check arguments and rows: (spec, table, targets, features, shape)."""
        known, static = column_names(self.known), column_names(self.static)
        covariates = (*known, *static)
        named, looked_for = named_time(self.time, frame.columns if isinstance(frame, pd.DataFrame) else ())
        if not looked_for and not isinstance(frame.index, pd.MultiIndex):
            frame = frame.reset_index(drop=True)
        rows, time, group, targets, shape = read_rows(frame, named, self.group, self.target, self.features, covariates)
        features = column_names(self.features)
        marks = Marks(self.decimal, self.thousands) if asked is None else self._trained.marks
        fitting, asked = asked is None, asked or Asked.named(known, static, group)
        places = [f"row {number}" for number in range(len(rows))]
        rules = TimeRules(self.date_format, self.timezone)
        said: list[str] = []
        taken = (*(targets if self.target is not None else ()), *features, *covariates)
        if time is None and looked_for and (fitting or self.target is None):
            refuse_unused_times(rows, places, "the frame", taken, group, rules, named=self.target is not None)
        if time is None and looked_for and self.target is None:
            time, said = notice_time(rows, places, taken, group, rules)
            # of the columns of numbers, a year and a month are not forecast
            targets = _but(targets, time_columns(time, rows))
        columns = (*targets, *features)
        first = asked.encoding is None  # columns are chosen now, not by a network that was trained
        how = (time, group, rules, asked, marks)
        table, time = read_table(rows, places, "the frame", columns, *how, notice=looked_for)
        unused: list[str] = []
        if first and not (features or covariates):
            used = (*targets, *time_columns(time, rows))
            unused = unused_notes(rows, used, group, time is not None, rules, marks)
        table = replace(table, notes=[*said, *table.notes, *unused])
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
        rows = read_rows(frame, named_time(self.time, frame.columns)[0], self.group, list(names), None)
        frame = rows.frame.rename(columns={rows.time: data.time} if rows.time and data.time else {})
        if rows.group is not None and data.group is not None:
            frame = frame.rename(columns={rows.group: data.group})
        places = [f"row {number} of the future" for number in range(len(frame))]
        rules = TimeRules(self.date_format, self.timezone, table.form)
        asked = Asked.as_trained(Covariates(covariates.known))
        return read_table(frame, places, "the future", (), data.time, data.group, rules, asked, self._trained.marks)[0]


def _but(targets: tuple[str, ...], times: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of numbers that are no times.

    Raises:
        DataError: all are.
    """
    found = tuple(name for name in targets if name not in times)
    if not found:
        raise DataError(
            "there is no column of numbers to forecast", got=f"times: {', '.join(times)}", fix="name one with target="
        )
    return found


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
