"""The page's charts, made from the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.charts import Mark, Series, line_chart, scatter_chart
from gatewise.drawing.svg import TickWords
from gatewise.drawing.ticks import hundredths_words, percent_words, tick_words, time_words
from gatewise.record import Comparison, Epoch, ModelEntry, Run

__all__ = ["charts", "limits_of"]

_FLOOR = 1e-6


def charts(record: Comparison, styles: Mapping[str, int], scale: words.Scale) -> dict[str, Any]:
    """Curves, quality against each cost, memory and axis; a picture that has nothing to show is None.

    Args:
        record: a comparison.
        styles: number of each model's colour and marker.
        scale: how the metric's values are written.
    """
    cells = [model for model in record.models if not model.is_baseline and _curves(model)]
    metric = record.metric.name
    lossy = [model for model in cells if all(epoch.training.get("loss") is not None for epoch in _epochs(model))]
    learnt = [model for model in cells if all(epoch.validation.get(metric) is not None for epoch in _epochs(model))]
    return {
        "loss": _per_epoch(lossy, styles, "training", "loss", "Training loss", tick_words),
        "validation": _per_epoch(
            learnt, styles, "validation", metric, f"Validation {scale.title}", ticks_of(scale), limits_of(scale)
        ),
        "costs": [
            picture
            for key, name in (
                ("training_seconds", "training time of one run"),
                ("step_p50", "time of one streaming step"),
            )
            if (picture := _cost(record, styles, scale, key, name)) is not None
        ],
        "memory": _memory(record.models, styles),
        "axis": _axis(record, styles, scale),
    }


def _per_epoch(
    models: Sequence[ModelEntry],
    styles: Mapping[str, int],
    part: Literal["training", "validation"],
    name: str,
    title: str,
    unit: TickWords,
    limits: tuple[float, float] | None = None,
) -> Markup | None:
    if not models:
        return None
    series = [
        Series(
            model.title,
            styles[model.name],
            tuple(_line(run, part, name) for run in model.runs if run.epochs),
        )
        for model in models
    ]
    return line_chart(series, title=f"{title} per epoch, a line per cell", unit=unit, x_title="epoch", limits=limits)


def _cost(
    record: Comparison, styles: Mapping[str, int], scale: words.Scale, key: str, name: str
) -> dict[str, Any] | None:
    """Quality against one cost, where at least two models have it."""
    models = [model for model in record.models if getattr(model.cost, key) is not None]
    if len(models) < 2:
        return None
    marks = [
        Mark(
            model.title,
            styles[model.name],
            max(getattr(model.cost, key), 1e-9),
            model.figure.estimate,
            model.figure.low,
            model.figure.high,
        )
        for model in models
    ]
    title = f"{scale.title[:1].upper()}{scale.title[1:]} against {name}"
    picture = scatter_chart(
        marks,
        title=f"{title}, a point per model",
        unit=ticks_of(scale),
        x_unit=time_words,
        x_title=name,
        higher_is_better=scale.higher_is_better,
        limits=limits_of(scale),
    )
    return {"title": title, "picture": picture}


def _memory(models: Sequence[ModelEntry], styles: Mapping[str, int]) -> Markup | None:
    """How strongly a state depends on an input k steps back: trained solid, before training dashed."""
    found = [(model, model.memory) for model in models if model.memory is not None]
    if not found:
        return None
    lags = found[0][1].lags
    series = []
    for model, memory in found:
        if memory.initialisation is not None and memory.initialisation.norms:
            line = _down_to(memory.initialisation.norms, _FLOOR)
            series.append(Series(model.title, styles[model.name], (line,), dashed=True))
        norms = [run.memory.trained.norms for run in model.runs if run.memory is not None]
        lines = tuple(_down_to(each, _FLOOR) for each in norms or [memory.trained.norms] if each)
        if lines:
            series.append(Series(model.title, styles[model.name], lines))
    return line_chart(
        series,
        title="Norm of the gradient of the last state with respect to the input k steps back, a line per cell",
        unit=lambda ticks: [_power(tick) for tick in ticks],
        x_title="steps back",
        x_values=lags,
        logarithmic=True,
        floor=_FLOOR,
    )


def _down_to(norms: Sequence[float], floor: float) -> tuple[float, ...]:
    """A curve until it first falls to a floor, where it ends.

    Example:
        >>> _down_to([1.0, 0.1, 1e-9, 1e-9], 1e-6)
        (1.0, 0.1, 1e-06)
    """
    line: list[float] = []
    for norm in norms:
        line.append(max(float(norm), floor))
        if norm <= floor:
            break
    return tuple(line)


def _axis(record: Comparison, styles: Mapping[str, int], scale: words.Scale) -> Markup | None:
    axis = record.axis
    if axis is None or len(axis.points) < 2:
        return None
    series = []
    for model in record.models:
        found = [entry for point in axis.points for entry in point.models if entry.name == model.name]
        if len(found) == len(axis.points):
            line = tuple(entry.figure.estimate for entry in found)
            series.append(Series(model.title, styles[model.name], (line,)))
    values = [point.value for point in axis.points]
    if not series or not all(isinstance(value, (int, float)) and value > 0 for value in values):
        return None
    return line_chart(
        series,
        title=f"{scale.title} against {axis.title}, a line per model",
        unit=ticks_of(scale),
        x_title=axis.title,
        x_values=values,
        x_logarithmic=True,
        limits=limits_of(scale),
    )


def _curves(model: ModelEntry) -> bool:
    return any(run.epochs for run in model.runs)


def _epochs(model: ModelEntry) -> list[Epoch]:
    return [epoch for run in model.runs for epoch in run.epochs]


def _line(run: Run, part: Literal["training", "validation"], name: str) -> tuple[float, ...]:
    """A figure over the epochs."""
    return tuple((epoch.training if part == "training" else epoch.validation)[name] or 0.0 for epoch in run.epochs)


def limits_of(scale: words.Scale) -> tuple[float, float] | None:
    """Between which a metric's values lie, where that is known: a share is never above 100 %."""
    return (0.0, 1.0) if scale.percent else None


def ticks_of(scale: words.Scale) -> TickWords:
    """How the ticks of a metric's axis are written."""
    return percent_words if scale.in_percent else hundredths_words if scale.percent else tick_words


def _power(value: float) -> str:
    """A power of ten with a raised exponent.

    Example:
        >>> _power(0.001), _power(1.0)
        ('10⁻³', '1')
    """
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    exponent = f"{value:e}".partition("e")[2]
    return "1" if value == 1.0 else f"10{str(int(exponent)).translate(raised)}"
