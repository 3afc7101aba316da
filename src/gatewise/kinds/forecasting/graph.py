"""What a trained forecaster computes: from values as measured to forecasts in the same units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.export.graph import Example, Graph, GraphBuilder, spread
from gatewise.export.graph.layers import stack_of
from gatewise.kinds.forecasting.exported import window_inputs
from gatewise.kinds.forecasting.figures import MEAN_SQUARED_ERROR
from gatewise.kinds.forecasting.network import _LEAST_DEVIATION, SCALED
from gatewise.kinds.forecasting.onnx_program import program_of
from gatewise.kinds.forecasting.series.loading import known_columns
from gatewise.kinds.forecasting.series.records import Windows
from gatewise.statistics.measure import Measure

if TYPE_CHECKING:
    from torch.nn import Linear

    from gatewise.kinds.forecasting.trained import TrainedForecaster

__all__ = ["examples_of", "graph_of", "scores_of"]

_VARIANCE = 1e-5


def graph_of(trained: TrainedForecaster) -> Graph:
    """What is measured in, ``forecast`` (H, K * (1 + Q)) in the same units out.

    Inputs: ``past`` (T, C) of targets, features and known columns, with one row more before them where differences are
    read (the first row again where there is none, or a gap); ``ahead`` (H, N) of the known columns and ``static`` (S,)
    where there are any; ``mean`` and ``deviation`` (C,) where several series were trained on. ``forecast`` holds for
    each target the central value and then its quantiles, in rising order.
    """
    return _Forecast(trained).graph()


@dataclass
class _Window:
    """A group of columns without its level and scale, and what restores them; None: there is none."""

    windows: str
    level: str | None
    scale: str | None
    future: str | None


class _Forecast:
    """States a forecaster's graph."""

    def __init__(self, trained: TrainedForecaster) -> None:
        self.trained, self.model, self.build = trained, trained.model, GraphBuilder("forecasting")
        self.targets, self.features = len(trained.targets), len(trained.features)
        self.columns = self.targets + self.features + self.model.known
        self.several = len(trained.scalings) != 1
        self.stacks: dict[str, str] = {}

    def graph(self) -> Graph:
        build, model, data = self.build, self.model, self.trained.data_spec
        more = 0 if data.transform == "value" else 1
        raw = build.input("past", self.trained.lookback + more, self.columns, wide=True, meaning="values as measured")
        ahead = static = None
        if model.known:
            ahead = build.input("ahead", data.horizon, model.known, wide=True, meaning="known columns of the future")
        if model.static:
            static = build.input("static", None, model.static, meaning="what is constant, encoded")
        mean, deviation = self._scaling()
        past = self._scaled(self._transformed(raw), mean, deviation)
        if ahead is not None:
            first = self.columns - model.known
            parts = [build.part(each, first, self.columns) for each in (mean, deviation)]
            ahead = self._scaled(ahead, *parts)
        if static is not None:
            past = build.apply("concat", past, static)
        groups = [self._group(past, ahead, target) for target in range(self.targets // model.alone)]
        found = build.convert(self._sorted(build.concat(groups)), wide=True)
        build.output("forecast", self._restored(found, raw, mean, deviation))
        return build.graph(self._metadata(), program=program_of())

    def _metadata(self) -> dict[str, Any]:
        trained, data = self.trained, self.trained.data_spec
        columns = ", ".join((*trained.targets, *trained.features, *trained.covariates.known_names))
        return {
            "task": "forecasting",
            "preprocessing": f"The columns of `past` are, in this order and in the units of the file: {columns}; a row "
            "for each step of time, the last one the latest.",
            "targets": list(trained.targets),
            "features": list(trained.features),
            **trained.covariates.to_dict(),
            "lookback": trained.lookback,
            "horizon": data.horizon,
            "transform": data.transform,
            "quantiles": list(trained.levels),
            "spacing": trained.spacing.to_dict(),
            "time": trained.time,
            "form": None if trained.form is None else trained.form.to_dict(),
            "scalings": {name: scaling.to_dict() for name, scaling in trained.scalings.items()},
            "reading": self._reading(),
            "until": {
                name: str(last) if isinstance(last, np.datetime64) else last for name, last in trained.until.items()
            },
        }

    def _reading(self) -> dict[str, Any]:
        """The settings with which another file is read; nothing of where the training file was."""
        data = self.trained.data_spec
        group = known_columns(data.data, data.time, data.target, data.group)[2]
        names = ("date_format", "timezone", "decimal", "thousands", "lookback", "horizon", "transform")
        return {"data": "model.onnx", "group": group, **{name: getattr(data, name) for name in names}}

    def _scaling(self) -> tuple[str, str]:
        """Mean and deviation of all columns: weights of the only series, else inputs."""
        if self.several:
            return (
                self.build.input("mean", None, self.columns, wide=True, meaning="of the series, as it was trained"),
                self.build.input("deviation", None, self.columns, wide=True, meaning="of the series"),
            )
        (scaling,) = self.trained.scalings.values()
        return (
            self.build.weight(scaling.mean, "scaling.mean", wide=True),
            self.build.weight(scaling.deviation, "scaling.deviation", wide=True),
        )

    def _transformed(self, raw: str) -> str:
        """Targets as differences or log returns; the row before the window is gone."""
        transform, lookback, build = self.trained.data_spec.transform, self.trained.lookback, self.build
        if transform == "value":
            return raw
        inner = build.slice(raw, 0, self.targets)
        if transform == "log-return":
            inner = build.apply("log", inner)
        moved = build.apply("sub", build.take(inner, 1, lookback), build.take(inner, 0, lookback))
        if self.columns == self.targets:
            return moved
        return build.apply("concat", moved, build.slice(build.take(raw, 1, lookback), self.targets, self.columns))

    def _scaled(self, value: str, mean: str, deviation: str) -> str:
        build = self.build
        return build.convert(build.apply("div", build.apply("sub", value, mean), deviation), wide=False)

    def _group(self, past: str, ahead: str | None, target: int) -> str:
        """Forecasts (H, alone * written) of all targets together, or of one by itself, in the scale of the training."""
        build, model = self.build, self.model
        if model.alone != self.targets:
            rest = build.width(past) - self.targets
            parts = [build.slice(past, target, target + 1)]
            parts += [build.slice(past, self.targets, self.targets + rest)] if rest else []
            past = build.concat(parts)
        window = self._window(past, ahead)
        found = {"direct": self._direct, "recursive": self._recursive}.get(model.decoding)
        written = self._segments(window, target) if found is None else found(window)
        if model.shortcut is not None:
            written = build.apply("add", written, self._shortcut(model.shortcut, window.windows))
        for operation, value in (("mul", window.scale), ("add", window.level)):
            if value is not None:
                written = build.apply(operation, written, self._spread(value))
        return written

    def _shortcut(self, shortcut: Linear, windows: str) -> str:
        """The map of the targets' windows, (H, alone * written): the same for central values and quantiles."""
        build, model, columns = self.build, self.model, []
        for place in range(model.alone):
            window = build.reshape(build.slice(windows, place, place + 1), None, model.lookback)
            mapped = build.linear(window, shortcut.weight, shortcut.bias, "shortcut")
            columns += [build.reshape(mapped, model.horizon, 1)] * model.written
        return build.concat(columns)

    def _spread(self, value: str) -> str:
        """One number per target, repeated for its central value and quantiles."""
        value = self.build.slice(value, 0, self.model.alone)
        if self.model.written == 1:
            return value
        matrix = np.repeat(np.eye(self.model.alone), self.model.written, axis=0)
        return self.build.linear(value, matrix, name="spread")

    def _window(self, past: str, ahead: str | None) -> _Window:
        build, model = self.build, self.model
        read, width = model.alone + model.features, build.width(past)
        fixed = [build.slice(past, read, width)] if width > read else []
        windows = build.slice(past, 0, read)
        level = scale = None
        if model.normalisation != "none":
            level = build.pool(windows, "mean" if model.normalisation == "standard" else "last")
        if model.normalisation in SCALED:
            scale = build.apply("sqrt", build.apply("add", self._variance(windows), _VARIANCE))
        windows = windows if level is None else build.apply("sub", windows, level)
        windows = windows if scale is None else build.apply("div", windows, scale)
        if ahead is not None and model.known_normalisation != "none":
            known, ahead = self._known(build.slice(fixed[0], 0, model.known), ahead)
            fixed = [known, *([build.slice(fixed[0], model.known, width - read)] if model.static else [])]
        return _Window(build.concat([windows, *fixed]), level, scale, ahead)

    def _variance(self, values: str) -> str:
        moved = self.build.apply("sub", values, self.build.pool(values, "mean"))
        return self.build.pool(self.build.apply("mul", moved, moved), "mean")

    def _known(self, past: str, ahead: str) -> tuple[str, str]:
        """Known columns of past and future relative to the window, where they hold numbers."""
        build, model = self.build, self.model
        mask = model._relative.cpu().numpy().astype(np.float32)
        relative = build.weight(mask, "known.relative")
        level = build.pool(past, "mean" if model.known_normalisation == "standard" else "last")
        scale = None
        if model.known_normalisation in SCALED:
            deviation = build.apply("sqrt", self._variance(past))
            deviation = build.apply("max", deviation, _LEAST_DEVIATION)
            scale = build.apply(
                "add", build.apply("mul", deviation, relative), build.weight(1 - mask, "known.absolute")
            )
        level = build.apply("mul", level, relative)
        moved = [build.apply("sub", each, level) for each in (past, ahead)]
        first, second = moved if scale is None else [build.apply("div", each, scale) for each in moved]
        return first, second

    def _stack(self, name: str, layer: Any) -> str:
        if name not in self.stacks:
            self.stacks[name] = self.build.stack(*stack_of(name, layer))
        return self.stacks[name]

    def _head(self, value: str) -> str:
        return self.build.linear(value, self.model.head.weight, self.model.head.bias, "head")

    def _direct(self, window: _Window) -> str:
        build, model = self.build, self.model
        output = build.run(self._stack("recurrent", model.recurrent), window.windows)
        summary = build.pool(output, "last", 2 if model.recurrent.bidirectional else 1)
        written = build.reshape(self._head(summary), model.horizon, model.alone * model.written)
        if window.future is None:
            return written
        decoded = build.run(self._stack("decoder", model.decoder), window.future, output)
        return build.apply("add", written, build.linear(decoded, model.decoded.weight, name="decoded"))

    def _recursive(self, window: _Window) -> str:
        build, model = self.build, self.model
        start, windows = model.alone + model.features, window.windows
        end, width = start + model.known, build.width(window.windows)
        last = build.pool(windows, "last")
        if window.future is not None:
            steps = int(build.steps(windows) or 0)
            known = build.slice(windows, start, end)
            following = [build.take(known, 1, steps - 1)] if steps > 1 else []
            parts = [build.slice(windows, 0, start), build.join([*following, build.take(window.future, 0, 1)])]
            windows = build.concat([*parts, *([build.slice(windows, end, width)] if width > end else [])])
        stack = self._stack("recurrent", model.recurrent)
        output = build.run(stack, windows)
        found: list[str] = []
        while True:
            written = self._head(build.pool(output, "last"))
            found.append(written)
            if len(found) == model.horizon:
                return build.join(found)
            inputs = [self._central(written)]
            inputs += [build.slice(last, model.alone, start)] if model.features else []
            if window.future is not None:
                inputs.append(build.reshape(build.take(window.future, len(found), 1), None, model.known))
            inputs += [build.slice(last, end, width)] if model.static else []
            step = build.concat(inputs)
            output = build.run(stack, build.reshape(step, 1, build.width(step)), output)

    def _central(self, written: str) -> str:
        """Of central values and quantiles (alone * written,) the central ones (alone,)."""
        if self.model.written == 1:
            return written
        places = range(0, self.build.width(written), self.model.written)
        return self.build.concat([self.build.slice(written, place, place + 1) for place in places])

    def _segments(self, window: _Window, target: int) -> str:
        build, model = self.build, self.model
        count, width = model.lookback // model.segment, build.width(window.windows)
        recent = build.take(window.windows, -count * model.segment, count * model.segment)
        cut = build.reshape(recent, count, model.segment * width)
        read = build.linear(cut, model.read_segment.weight, model.read_segment.bias, "read_segment")
        stack = self._stack("recurrent", model.recurrent)
        whole = build.run(stack, build.apply("relu", read))
        places = model.place.shape[0]
        future = None
        if window.future is not None:
            future = window.future
            beyond = places * model.segment - model.horizon
            if beyond:
                zeros = build.weight(np.zeros(model.known), "known.beyond")
                future = build.join([future, *[build.apply("constant", zeros)] * beyond])
        found = []
        for place in range(places):
            asked = model.place[place].detach().numpy()
            asked = np.concatenate([asked, model.channel[target].detach().numpy()]) if model.channel.shape[1] else asked
            value = build.apply("constant", build.weight(asked, f"asked.{target}_{place}"))
            if future is not None:
                part = build.take(future, place * model.segment, model.segment)
                flat = build.reshape(part, None, model.segment * model.known)
                value = build.apply(
                    "add", value, build.linear(flat, model.read_known.weight, model.read_known.bias, "read_known")
                )
            output = build.run(stack, build.reshape(value, 1, build.width(value)), whole)
            # both directions of a single step are at that step
            written = self._head(build.reshape(output, None, build.width(output)))
            found.append(build.reshape(written, model.segment, model.alone * model.written))
        joined = build.join(found)
        return joined if build.steps(joined) == model.horizon else build.take(joined, 0, model.horizon)

    def _sorted(self, value: str) -> str:
        """Quantiles in rising order, by odd-even transposition (Knuth, 1973)."""
        build, written = self.build, self.model.written
        if written <= 2:
            return value
        rows = build.reshape(value, self.model.horizon * self.targets, written)
        columns = [build.slice(rows, place, place + 1) for place in range(written)]
        count = written - 1
        for turn in range(count):
            for place in range(1 + turn % 2, count, 2):
                low, high = columns[place], columns[place + 1]
                columns[place], columns[place + 1] = build.apply("min", low, high), build.apply("max", low, high)
        return build.reshape(build.concat(columns), self.model.horizon, self.targets * written)

    def _restored(self, found: str, raw: str, mean: str, deviation: str) -> str:
        """From scaled, transformed forecasts to values."""
        build, transform = self.build, self.trained.data_spec.transform
        found = build.apply("mul", found, self._wide(deviation))
        found = build.apply("add", found, self._wide(mean))
        if transform == "value":
            return found
        last, summed = self._wide(build.pool(build.slice(raw, 0, self.targets), "last")), build.accumulate(found)
        if transform == "difference":
            return build.apply("add", summed, last)
        return build.apply("mul", build.apply("exp", summed), last)

    def _wide(self, value: str) -> str:
        """Of the targets, repeated for quantiles."""
        value = self.build.part(value, 0, self.targets)
        if self.model.written == 1:
            return value
        matrix = np.repeat(np.eye(self.targets), self.model.written, axis=0)
        return self.build.spread(value, matrix, "spread.wide")


def examples_of(trained: TrainedForecaster, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
    """Windows spread evenly over a part, with their forecasts."""
    picked = _picked(dataset, count, part)
    central, quantiles = trained._values(dataset.series, picked)
    whole = np.stack([central, *quantiles.values()], axis=-1)
    several = len(trained.scalings) != 1
    scalings = trained.scalings_of(dataset.series) if several else [None] * len(dataset.series)
    return [
        Example(
            window_inputs(dataset.series[number], int(origin), trained.data_spec, scalings[number]),
            {"forecast": whole[row].reshape(whole.shape[1], -1)},
        )
        for row, (number, origin) in enumerate(zip(picked.series, picked.origins, strict=True))
    ]


def _picked(dataset: Any, count: int, part: str) -> Windows:
    windows = dataset.windows(part)
    chosen = spread(len(windows.origins), count)
    return Windows(windows.series[chosen], windows.origins[chosen])


def scores_of(trained: TrainedForecaster, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure]:
    """The squared errors of forecasts of test windows, as `evaluate_forecasts` has them."""
    picked = _picked(dataset, len(outputs), "test")
    written = 1 + len(trained.levels)
    found = np.stack([each["forecast"][:, ::written] for each in outputs])
    scalings = np.stack([each.target_deviation for each in trained.scalings_of(dataset.series)])
    errors = (found - dataset.truth(picked)) / scalings[picked.series][:, None]
    overlap = dataset.horizon * len(dataset.series) * len(outputs) / max(1, len(dataset.windows("test").origins))
    return (errors**2).mean(axis=(1, 2)), replace(MEAN_SQUARED_ERROR, overlap=max(1, round(overlap)))
