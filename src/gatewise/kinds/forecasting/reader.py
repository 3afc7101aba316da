"""A forecaster as `gatewise explain` reads with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import DataError
from gatewise.kinds.forecasting.network import Forecaster
from gatewise.kinds.forecasting.series.ahead import cut_ahead, known_ahead
from gatewise.kinds.forecasting.series.building import raw_series, whole
from gatewise.kinds.forecasting.series.covariate_columns import Asked
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.loading import known_columns, read_table
from gatewise.kinds.forecasting.series.records import Series, Windows
from gatewise.kinds.forecasting.series.table import SeriesTable, read_frame
from gatewise.training.kind import RecurrentInputs
from gatewise.training.prefixes import STEPS_AT_ONCE
from gatewise.training.reader import Array, Reader, ReadInput, Step

if TYPE_CHECKING:
    from gatewise.kinds.forecasting.trained import TrainedForecaster

__all__ = ["SeriesReader", "horizons_shown"]

_MOST_HORIZONS = 8
_BASELINES = {
    "none": "the training mean of every column",
    "last": "every value as the last one of the window",
    "standard": "every value at the mean of the window",
    "last-scaled": "every value as the last one of the window",
}


class SeriesReader(Reader):
    """Windows of series in, forecasts out, in the units of the data.

    Reasons are about the window as the network normalises it; what it adds back to the forecast, the level and scale
    of the window, is taken as given.

    Args:
        trained: the forecaster.
        dataset: its series, for examples; None: there are none.
    """

    answers = "values"
    after = (
        "the forecast made at that step, normalised by what is known then; of the steps before the window, its first "
        "value is repeated"
    )

    def __init__(self, trained: TrainedForecaster, dataset: Any = None) -> None:
        self.trained, self.dataset, self.model = trained, dataset, trained.model
        self.network = trained.model
        self.horizons = horizons_shown(self.model.horizon)
        single = self.model.channel_independent and self.model.targets > 1
        targets = trained.targets[:1] if single else trained.targets
        self.names = tuple(f"{name} +{step}" for name in targets for step in self.horizons)
        self.baseline_name = _BASELINES[self.model.normalisation]

    def examples(self, count: int) -> Sequence[ReadInput]:
        """Test windows, spread evenly."""
        if self.dataset is None:
            return []
        windows = self.dataset.windows("test")
        shown = min(count, len(windows.origins))
        chosen = [(2 * place + 1) * len(windows.origins) // (2 * shown) for place in range(shown)]
        picked = Windows(windows.series[chosen], windows.origins[chosen])
        truth = self.dataset.truth(picked)
        found = []
        for place, (row, origin) in enumerate(zip(picked.series, picked.origins, strict=True)):
            words = ", ".join(f"+{step}: {truth[place, step - 1, 0]:.4g}" for step in self.horizons)
            what = f"{self.trained.targets[0]} {words}"
            read = self._read(self.dataset.series[row], int(origin), what, self.dataset.form)
            found.append(replace(read, extra={**read.extra, "truth": truth[place]}))
        return found

    def parse(self, given: Any) -> ReadInput:
        """(T, C) numbers, at least as many rows as the look-back, or a table's file: its (first) series' last window.

        The window ends at the last row that has a target; where columns are known for the future, and the rows after
        it are fewer than the horizon, so many rows earlier.

        Raises:
            DataError: too few rows, other columns, or a file that cannot be read.
        """
        form: TimeForm | None = None
        if isinstance(given, (str, Path)):
            series, form = self._from_file(Path(given).expanduser())
        else:
            try:
                rows = np.asarray(given, dtype=np.float64)
            except (TypeError, ValueError):
                rows = np.zeros(0)
            rows = rows[:, None] if rows.ndim == 1 else rows
            if rows.ndim != 2 or rows.shape[1] != len(self._columns) or not np.isfinite(rows).all():
                raise DataError(
                    "the window does not fit the network",
                    expected=f"(T, {len(self._columns)}) finite numbers: {', '.join(self._columns)}",
                    got=f"{rows.shape}",
                )
            if self.model.static:
                raise DataError("the window lacks the constant columns", fix="give a table's file")
            end = len(rows)
            series = Series("", np.arange(end), rows, (end, end, end), known=self.model.known)
        origin = len(series.values) - 1 - (self.model.horizon if self.model.known else 0)
        if origin + 1 < self.model.lookback:
            needed = self.model.lookback + (self.model.horizon if self.model.known else 0)
            raise DataError("the series is too short", expected=f"at least {needed} rows", got=f"{len(series.values)}")
        return self._read(series, origin, None, form)

    @property
    def _columns(self) -> tuple[str, ...]:
        known = self.trained.covariates.known_names
        return (*self.trained.targets, *self.trained.features, *known)

    def _from_file(self, file: Path) -> tuple[Series, TimeForm]:
        trained = self.trained
        if not file.is_file():
            raise DataError(f"{file} does not exist", fix="name a table with the columns of the training")
        frame, places = read_frame(file)
        data = trained.data_spec
        group = known_columns(data.data, data.time, data.target, data.group)[2]
        columns = (*trained.targets, *trained.features)
        how = (trained.time, group, trained.rules({}, file), Asked.as_trained(trained.covariates), trained.marks)
        whole_table = read_table(frame, places, file.name, columns, *how, notice=False)[0]
        table, ahead = cut_ahead(whole_table, len(trained.targets))
        raw, _, _ = raw_series(table, columns, trained.spacing)
        series = whole(raw[0], trained.lookback)
        return series if ahead is None else self._with_future(series, ahead, table.form), table.form

    def _with_future(self, series: Series, ahead: SeriesTable, form: TimeForm) -> Series:
        """A series with the rows after its last target, of which the known columns alone are read."""
        covariates, count = self.trained.covariates, min(self.model.horizon, ahead.groups.count(series.name))
        if not count:
            return series
        how = (covariates.columns("known"), series.name, series.times[-1], count, self.trained.spacing, form)
        times, known = known_ahead([ahead], *how)
        rows = np.repeat(series.values[-1:], count, axis=0)
        rows[:, rows.shape[1] - known.shape[1] :] = known
        return replace(
            series, values=np.concatenate([series.values, rows]), times=np.concatenate([series.times, times])
        )

    def _read(self, series: Series, origin: int, truth: str | None, form: TimeForm | None = None) -> ReadInput:
        size, horizon = self.model.lookback, self.model.horizon
        rows = slice(origin - size + 1, origin + 1)
        if not self.model.known:
            # what comes after the window is not read; the network only asks that it is there
            filled = np.concatenate(
                [series.values[: origin + 1], np.repeat(series.values[origin : origin + 1], horizon, 0)]
            )
            given = replace(series, values=filled, times=np.arange(len(filled)))
        else:
            given = series
        scaled = self.trained._scaled([given])
        windows, first = Windows(np.zeros(1, dtype=np.int64), np.array([origin])), np.zeros(1, dtype=np.int64)
        past, ahead = scaled.past(windows, first), scaled.ahead(windows, first)
        times = series.times[rows]
        labels = [str(each) for each in times] if form is None else form.written(times)  # as the file has them
        scaling = self.trained.scalings_of([given])[0]
        return ReadInput(
            tuple(Step(label) for label in labels),
            past[:, 0].numpy(),
            columns=self._columns + self.trained.covariates.static_names,
            values=np.concatenate([series.values[rows], np.tile(series.static, (size, 1))], axis=1),
            truth=truth,
            title=f"{series.name + ', ' if series.name else ''}up to {labels[-1]}",
            extra={"past": past, "ahead": ahead, "scaling": scaling, "series": series, "origin": origin, "form": form},
        )

    def changeable(self, read: ReadInput) -> int:
        """All columns but the constant ones."""
        return len(self._columns)

    def edited(self, read: ReadInput, values: Any) -> ReadInput:
        """The window with other numbers; what comes before and after it stays.

        Raises:
            DataError: another shape, numbers that are not finite, or none above zero where their logarithm is taken.
        """
        series, origin, size = read.extra["series"], read.extra["origin"], self.model.lookback
        rows = np.asarray(values, dtype=np.float64)
        columns = len(self._columns)
        if rows.ndim != 2 or len(rows) != size or rows.shape[1] < columns or not np.isfinite(rows).all():
            raise DataError(
                "the window does not fit the network",
                expected=f"({size}, {columns}) finite numbers: {', '.join(self._columns)}",
                got=f"{rows.shape}",
            )
        if self.trained.data_spec.transform == "log-return" and (rows[:, : self.model.targets] <= 0).any():
            raise DataError("the network reads logarithms of what it forecasts", expected="values above zero")
        start = max(0, origin - size)  # a difference needs the row before the window
        changed = series.values[start:].copy()
        end = origin + 1 - start
        changed[end - size : end] = rows[:, :columns]
        if not self.model.known:
            changed = changed[:end]
        count = len(changed)
        times = series.times[start : start + count]
        cut = replace(series, values=changed, times=times, borders=(count, count, count), breaks=())
        found = self._read(cut, end - 1, read.truth, read.extra["form"])
        truth = {"truth": read.extra["truth"]} if "truth" in read.extra else {}
        return replace(found, title=read.title, extra={**found.extra, **truth})

    def input_columns(self, read: ReadInput) -> tuple[str, ...]:
        """As the network reads them: where channels are independent, the first target alone of the targets."""
        single = self.model.channel_independent and self.model.targets > 1
        return (*read.columns[:1], *read.columns[self.model.targets :]) if single else read.columns

    def embed(self, read: ReadInput) -> Tensor:
        """The window as the network normalises it; where channels are independent, that of the first target."""
        with torch.no_grad():
            windows, _, _, _ = self.model._read(read.extra["past"], read.extra["ahead"])
            return windows[:, :1].clone()

    def baseline(self, read: ReadInput) -> Tensor:
        """Zeros, see `baseline_name`."""
        return torch.zeros_like(self.embed(read))

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """Forecasts in the units of the data."""
        past, ahead = read.extra["past"], read.extra["ahead"]
        with torch.no_grad():
            _, level, scale, future = self.model._read(past, ahead)
        level, scale = level[:, :1], scale[:, :1]
        batch = embedded.shape[1]
        if future is not None:
            future = future[:, :1].expand(-1, batch, -1)
        written = _decoded(self.model, embedded, future)
        found = written[..., 0] * scale + level
        return self._in_units(read, found, np.asarray(read.values)[-1:])

    def _in_units(self, read: ReadInput, scaled: Tensor, last: Array) -> Tensor:
        """From scaled forecasts (H, B, K') to those of `names` in the units of the data: (B, names)."""
        scaling, count = read.extra["scaling"], scaled.shape[2]
        values = scaled.double() * torch.from_numpy(scaling.deviation[:count]) + torch.from_numpy(scaling.mean[:count])
        start = torch.from_numpy(last[:, :count])
        transform = self.trained.data_spec.transform
        if transform != "value":
            summed = values.cumsum(dim=0)
            values = start + summed if transform == "difference" else start * summed.exp()
        chosen = values[[step - 1 for step in self.horizons]]
        return chosen.permute(1, 2, 0).flatten(1)

    def prefixes(self, read: ReadInput) -> Array:
        """The forecasts made at each step of the window; the last are the network's own."""
        past, ahead = read.extra["past"], read.extra["ahead"]
        steps, targets = past.shape[0], len(self.names) // len(self.horizons)
        found = []
        size = max(1, STEPS_AT_ONCE // steps)
        begin = self.model.targets + self.model.features
        known = past[:, :, begin : begin + self.model.known]
        following = None if ahead is None else torch.cat([known, ahead])[:, 0]
        with torch.inference_mode():
            for start in range(0, steps, size):
                ends = torch.arange(start, min(start + size, steps))
                rows = (torch.arange(steps)[:, None] - (steps - 1) + ends).clamp(min=0)
                later = None
                if following is not None:
                    later = following[torch.arange(1, self.model.horizon + 1)[:, None] + ends]
                forecasts = self.model(past[:, 0][rows], later)[:, :, :targets, 0]
                last = np.asarray(read.values)[ends.numpy()]
                found.append(self._in_units(read, forecasts, last))
        return torch.cat(found).numpy()

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The recurrent layers over the window, and those over the known columns of the future."""
        with torch.no_grad():
            inputs, future = self.model.encoded(read.extra["past"], read.extra["ahead"])
        found = {"recurrent": RecurrentInputs(self.model.recurrent, inputs[:, :1].clone(), None)}
        if future is not None and self.model.decoding == "direct":
            with torch.no_grad():
                _, state = self.model.recurrent(inputs[:, :1])
            found["decoder"] = RecurrentInputs(self.model.decoder, future[:, :1].clone(), None, state)
        return found

    def span(self, stack: str) -> tuple[int, int]:
        """Of segments: the first step read, and how many are one."""
        if stack != "recurrent":
            return 0, 0
        return self.model.lookback % self.model.segment, self.model.segment

    def loss(self, read: ReadInput, embedded: Tensor, target: int) -> Tensor:
        """Half the squared error of one value in deviations of the training part; see `true_value`."""
        deviation = float(read.extra["scaling"].target_deviation[target // len(self.horizons)])
        found = self.answer(read, embedded)[0, target]
        return 0.5 * ((found - self.true_value(read, target)) / deviation).square()

    def true_value(self, read: ReadInput, target: int) -> float:
        """What came; of a window whose future is not known its last value, as if nothing would change."""
        column, step = divmod(target, len(self.horizons))
        truth = read.extra.get("truth")
        known = np.asarray(read.values)[-1, column] if truth is None else truth[self.horizons[step] - 1, column]
        return float(known)

    def turned(self, read: ReadInput, after: Array, target: int) -> tuple[int, ...]:
        """The steps at which a forecast of a rise became one of a fall, or the other way round."""
        column = target // len(self.horizons)
        rises = after[:, target] > np.asarray(read.values)[:, column]
        return tuple(int(t) + 1 for t in np.flatnonzero(np.diff(rises)))


def horizons_shown(horizon: int) -> tuple[int, ...]:
    """The steps ahead that are shown: all up to eight, else eight that grow by about the same factor.

    Example:
        >>> horizons_shown(3), horizons_shown(96)
        ((1, 2, 3), (1, 2, 4, 7, 14, 26, 50, 96))
    """
    if horizon <= _MOST_HORIZONS:
        return tuple(range(1, horizon + 1))
    return tuple(dict.fromkeys(np.geomspace(1, horizon, _MOST_HORIZONS).round().astype(int).tolist()))


def _decoded(model: Forecaster, windows: Tensor, future: Tensor | None) -> Tensor:
    """Forecasts (H, B, K', 1 + Q) of normalised windows (T, B, C'), K' = 1 where channels are independent."""
    if model.decoding == "direct":
        return model._direct(windows, future)
    if model.decoding == "recursive":
        return model._recursive(windows, future)
    if not model.channel.shape[1]:
        return model._segments(windows, future)
    # every target has an embedding of its own: read the window as that of each, and keep the first
    future = None if future is None else future.repeat_interleave(model.targets, dim=1)
    return model._segments(windows.repeat_interleave(model.targets, dim=1), future)[:, :: model.targets]
