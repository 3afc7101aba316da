"""Charts of the page: curves, and quality against cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gatewise.drawing.svg import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Box,
    axis_for,
    drawing,
    frame,
    free_label,
    marker,
    spread,
    text,
)

__all__ = ["Mark", "Series", "front", "line_chart", "scatter_chart"]

_MOST_MARKERS = 20
_ROUND_TIMES = (
    *(1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600, 7200),
    *(18000, 36000, 86400),
)


@dataclass(frozen=True)
class Series:
    """Lines of one model: a thin one per seed and their mean.

    Args:
        title: the model's.
        style: number of its colour and marker.
        lines: values, a line per seed.
        dashed: a line to compare with, such as the state before training.
    """

    title: str
    style: int
    lines: tuple[tuple[float, ...], ...]
    dashed: bool = False

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean over the seeds that got so far, step by step.

        Example:
            >>> Series("GRU", 1, ((1.0, 3.0), (2.0,))).mean
            (1.5, 3.0)
        """
        longest = max(len(line) for line in self.lines)
        columns = [[line[step] for line in self.lines if len(line) > step] for step in range(longest)]
        return tuple(sum(column) / len(column) for column in columns)


@dataclass(frozen=True)
class Mark:
    """A point with a vertical interval."""

    title: str
    style: int
    x: float
    y: float
    low: float
    high: float


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    unit: Callable[[float], str],
    x_title: str,
    x_values: Sequence[float] | None = None,
    logarithmic: bool = False,
    x_logarithmic: bool = False,
    floor: float = 0.0,
) -> Markup:
    """Curves over epochs 1, 2, ... or over given values.

    Args:
        series: the models.
        title: what is shown, for those who hear the page.
        unit: writes a value of the vertical axis.
        x_title: name of the horizontal axis.
        x_values: the places along it; None: 1, 2, ...
        logarithmic: of the vertical axis.
        x_logarithmic: of the horizontal axis, whose ticks are then the values themselves.
        floor: on a logarithmic axis, smaller values are drawn at this one.

    Example:
        >>> chart = line_chart([Series("GRU", 1, ((0.5, 0.3),))], title="Loss", unit=str, x_title="epoch")
        >>> chart.startswith("<svg"), "GRU" in chart
        (True, True)
    """
    values = [max(value, floor) for one in series for line in one.lines for value in line if math.isfinite(value)]
    longest = max(len(line) for one in series for line in one.lines)
    places = [float(place) for place in (x_values or range(1, longest + 1))]
    down = axis_for(values, HEIGHT - BOTTOM, TOP, logarithmic=logarithmic)
    along = _across(places, epochs=x_values is None, logarithmic=x_logarithmic)
    parts = [frame(down, along, unit, lambda value: f"{value:,g}", x_title)]
    ends = []
    for one in series:
        dashed = " dashed" if one.dashed else ""
        if len(one.lines) > 1:
            parts += [_polyline(line, places, along, down, f"line thin{dashed} s{one.style}") for line in one.lines]
        mean = one.mean
        parts.append(_polyline(mean, places, along, down, f"line{dashed} s{one.style}"))
        if one.dashed:
            continue
        if longest <= _MOST_MARKERS:
            parts += [marker(along(x), down(y), one.style) for x, y in zip(places, mean, strict=False)]
        ends.append((down(mean[-1]), along(places[len(mean) - 1]), one))
    for height, (_, right, one) in zip(spread([end[0] for end in ends]), ends, strict=True):
        parts.append(text(right + 10, height + 4, one.title, f"label s{one.style}"))
    return drawing(title, parts)


def scatter_chart(
    marks: Sequence[Mark],
    *,
    title: str,
    unit: Callable[[float], str],
    x_unit: Callable[[float], str],
    x_title: str,
    higher_is_better: bool,
) -> Markup:
    """Points with vertical intervals and the line of those that no other beats in both ways.

    The horizontal axis is logarithmic where the values span more than a factor of 4.

    Args:
        marks: one per model, ``x`` positive.
        title: what is shown, for those who hear the page.
        unit: writes a value of the vertical axis.
        x_unit: writes a value of the horizontal axis.
        x_title: name of the horizontal axis.
        higher_is_better: direction of the vertical axis.

    Example:
        >>> marks = [Mark("GRU", 1, 90.0, 0.88, 0.87, 0.89), Mark("LSTM", 2, 120.0, 0.89, 0.88, 0.9)]
        >>> chart = scatter_chart(
        ...     marks, title="-", unit=str, x_unit=lambda s: f"{s:g} s", x_title="time", higher_is_better=True
        ... )
        >>> ">60 s<" in chart
        True
    """
    right = WIDTH - 16
    down = axis_for([value for mark in marks for value in (mark.low, mark.high)], HEIGHT - BOTTOM, TOP)
    along = _costs([mark.x for mark in marks], right)
    parts = [frame(down, along, unit, x_unit, x_title, right)]
    places = {mark: (along(mark.x), down(mark.y)) for mark in marks}
    best = [places[mark] for mark in front(marks, higher_is_better=higher_is_better)]
    if len(best) > 1:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in best)
        parts.append(f'<polyline class="front" points="{points}"/>')
    taken = [
        Box(x - 8, min(down(mark.high), y - 8), x + 8, max(down(mark.low), y + 8)) for mark, (x, y) in places.items()
    ]
    for mark, (x, y) in places.items():
        parts.append(f'<path class="line s{mark.style}" d="M{x:.1f} {down(mark.low):.1f}V{down(mark.high):.1f}"/>')
        parts.append(marker(x, y, mark.style, size=6.0))
    for mark, (x, y) in places.items():
        box, anchor = free_label(mark.title, x, y, taken)
        taken.append(box)
        where, style = (box.left, "label") if anchor == "start" else (box.right, "label end")
        parts.append(text(where, box.bottom - 4, mark.title, f"{style} s{mark.style}"))
    return drawing(title, parts)


def front(marks: Sequence[Mark], *, higher_is_better: bool) -> list[Mark]:
    """The marks that no other beats in cost without losing in quality (Pareto's front), the cheapest first.

    Example:
        >>> marks = [Mark("a", 1, 1.0, 0.8, 0, 1), Mark("b", 1, 2.0, 0.7, 0, 1), Mark("c", 1, 3.0, 0.9, 0, 1)]
        >>> [mark.title for mark in front(marks, higher_is_better=True)]
        ['a', 'c']
    """
    sign = 1.0 if higher_is_better else -1.0
    found: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: (mark.x, -sign * mark.y)):
        if not found or sign * mark.y > sign * found[-1].y:
            found.append(mark)
    return found


def _across(places: Sequence[float], *, epochs: bool, logarithmic: bool) -> Axis:
    """The horizontal axis of curves."""
    right = WIDTH - RIGHT
    if logarithmic:
        return axis_for(places, LEFT, right, logarithmic=True, tight=True, ticks=places)
    if not epochs:
        return axis_for(places, LEFT, right, tight=True)
    last = len(places)
    ticks = [float(place) for place in range(1, last + 1, max(1, math.ceil(last / 10)))]
    low, high = (0.8, float(last)) if last > 1 else (0.5, 1.5)
    return Axis(tuple(ticks), low, high, LEFT, right)


def _costs(values: Sequence[float], right: float) -> Axis:
    """The horizontal axis of times: logarithmic where they span much."""
    low, high = min(values), max(values)
    if high > 4 * low > 0:
        inside = [tick for tick in _ROUND_TIMES if low / 1.5 <= tick <= high * 1.5]
        ticks = inside[:: max(1, math.ceil(len(inside) / 6))]
        return axis_for(values, LEFT, right, logarithmic=True, tight=True, ticks=ticks)
    power = 10.0 ** math.floor(math.log10(high)) if 0 < high < 1 else 0.0
    steps = [power / 5, power / 2, power, 2 * power] if power else _ROUND_TIMES
    step = next((time for time in steps if 5 * time >= high), _ROUND_TIMES[-1])
    ticks = [step * index for index in range(math.ceil(high / step) + 1)]
    return Axis(tuple(ticks), 0.0, max(high * 1.1, ticks[-1]), LEFT, right)


def _polyline(values: Sequence[float], places: Sequence[float], along: Axis, down: Axis, style: str) -> str:
    points = " ".join(f"{along(x):.1f},{down(y):.1f}" for x, y in zip(places, values, strict=False))
    return f'<polyline class="{style}" points="{points}"/>'
