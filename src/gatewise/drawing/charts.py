"""Charts of the page: curves, and quality against cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from gatewise.drawing.labels import LABEL_LINE, Box, free_label, label_lines, spread, text_width
from gatewise.drawing.svg import (
    BOTTOM,
    HEIGHT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    TickWords,
    axis_for,
    drawing,
    frame,
    left_edge,
    marker,
    text,
)
from gatewise.drawing.ticks import tick_words

__all__ = ["Mark", "Series", "front", "line_chart", "scatter_chart"]

_MOST_MARKERS = 20
_WIDEST_LABEL = 150.0
_LABEL_SPACE = 20.0
_TICK_SPACE = 56.0
_ROUND_TIMES = (
    *(float(f"{factor}e{power}") for power in range(-7, 1) for factor in (1, 2, 5)),
    *(10, 20, 30, 60, 120, 300, 600, 1200, 3600, 7200, 18000, 36000, 86400),
)
_ROUNDEST = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 60, 600, 3600, 36000)


@dataclass(frozen=True)
class Series:
    """Lines of one model: a thin one per seed and their mean.

    Args:
        title: the model's.
        style: number of its colour and marker.
        lines: values, a line per seed.
        dashed: a line to compare with, such as the state before training.
        band: lower and upper ends of an interval around the mean.
    """

    title: str
    style: int
    lines: tuple[tuple[float, ...], ...]
    dashed: bool = False
    band: tuple[tuple[float, ...], tuple[float, ...]] | None = None

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
    unit: TickWords,
    x_title: str,
    x_values: Sequence[float] | None = None,
    logarithmic: bool = False,
    x_logarithmic: bool = False,
    x_unit: TickWords | None = None,
    floor: float = 0.0,
    limits: tuple[float, float] | None = None,
) -> Markup:
    """Curves over epochs 1, 2, ... or over given values, each named at the right edge.

    Args:
        series: the models.
        title: what is shown, for those who hear the page.
        unit: writes the ticks of the vertical axis.
        x_title: name of the horizontal axis.
        x_values: the places along it; None: 1, 2, ...
        logarithmic: of the vertical axis.
        x_logarithmic: of the horizontal axis, whose ticks are then the values themselves.
        x_unit: writes the ticks of the horizontal axis; None: as numbers.
        floor: on a logarithmic axis, smaller values are drawn at this one.
        limits: between which all values lie: the vertical axis goes no further.

    Example:
        >>> chart = line_chart([Series("GRU", 1, ((0.5, 0.3),))], title="Loss", unit=tick_words, x_title="epoch")
        >>> chart.startswith("<svg"), "GRU" in chart
        (True, True)
    """
    values = [max(value, floor) for one in series for line in one.lines for value in line if math.isfinite(value)]
    longest = max(len(line) for one in series for line in one.lines)
    places = [float(place) for place in (x_values or range(1, longest + 1))][:longest]
    down = axis_for(values, HEIGHT - BOTTOM, TOP, logarithmic=logarithmic, limits=limits)
    names = {one.title: label_lines(one.title, _WIDEST_LABEL) for one in series}
    widest = max(text_width(line) for lines in names.values() for line in lines)
    right = WIDTH - max(RIGHT, widest + _LABEL_SPACE)
    along = _across(places, left_edge(down, unit), right, epochs=x_values is None, logarithmic=x_logarithmic)
    parts = [frame(down, along, unit, x_unit or (tick_words if not x_logarithmic else _each), x_title)]
    ends = []
    for one in series:
        if one.band is not None:
            parts.append(_band(one, places, along, down))
        dashed = " dashed" if one.dashed else ""
        if len(one.lines) > 1:
            parts += [_polyline(line, places, along, down, f"line thin{dashed} s{one.style}") for line in one.lines]
        mean = one.mean
        parts.append(_polyline(mean, places, along, down, f"line{dashed} s{one.style}"))
        if one.dashed:
            continue
        if longest <= _MOST_MARKERS:
            parts += [marker(along(x), down(y), one.style) for x, y in zip(places, mean, strict=False)]
        ends.append((along(places[len(mean) - 1]), down(mean[-1]), one))
    return drawing(title, [*parts, *_names(ends, names, right)])


def _names(ends: Sequence[tuple[float, float, Series]], names: dict[str, list[str]], right: float) -> list[str]:
    """The names beside the ends of their lines; a dotted line leads to one that stands apart from it."""
    heights = [LABEL_LINE * len(names[one.title]) for _, _, one in ends]
    middles = spread([y for _, y, _ in ends], heights, TOP - 8, HEIGHT - BOTTOM + 4)
    parts = []
    for middle, (x, y, one) in zip(middles, ends, strict=True):
        if abs(middle - y) > 5 or right - x > 8:
            parts.append(f'<path class="leader s{one.style}" d="M{x + 6:.1f} {y:.1f}L{right + 11:.1f} {middle:.1f}"/>')
        lines = names[one.title]
        first = middle + 4.5 - LABEL_LINE * (len(lines) - 1) / 2
        for number, line in enumerate(lines):
            parts.append(text(right + 13, first + LABEL_LINE * number, line, f"label s{one.style}"))
    return parts


def scatter_chart(
    marks: Sequence[Mark],
    *,
    title: str,
    unit: TickWords,
    x_unit: TickWords,
    x_title: str,
    higher_is_better: bool,
    limits: tuple[float, float] | None = None,
) -> Markup:
    """Points with vertical intervals and the line of those that no other beats in both ways.

    The horizontal axis is logarithmic where the values span more than a factor of 4.

    Args:
        marks: one per model, ``x`` positive.
        title: what is shown, for those who hear the page.
        unit: writes the ticks of the vertical axis.
        x_unit: writes those of the horizontal axis.
        x_title: name of the horizontal axis.
        higher_is_better: direction of the vertical axis.
        limits: between which all values lie: the vertical axis goes no further.

    Example:
        >>> marks = [Mark("GRU", 1, 90.0, 0.88, 0.87, 0.89), Mark("LSTM", 2, 120.0, 0.89, 0.88, 0.9)]
        >>> chart = scatter_chart(
        ...     marks, title="-", unit=tick_words, x_unit=tick_words, x_title="time", higher_is_better=True
        ... )
        >>> ">60<" in chart
        True
    """
    down = axis_for([value for mark in marks for value in (mark.low, mark.high)], HEIGHT - BOTTOM, TOP, limits=limits)
    left, right = left_edge(down, unit), WIDTH - 16
    along = _costs([mark.x for mark in marks], left, right)
    parts = [frame(down, along, unit, x_unit, x_title)]
    places = {mark: (along(mark.x), down(mark.y)) for mark in marks}
    best = [places[mark] for mark in front(marks, higher_is_better=higher_is_better)]
    if len(best) > 1:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in best)
        parts.append(f'<polyline class="front" points="{points}"/>')
    covered = {
        mark: Box(x - 8, min(down(mark.high), y - 8), x + 8, max(down(mark.low), y + 8))
        for mark, (x, y) in places.items()
    }
    for mark, (x, y) in places.items():
        parts.append(f'<path class="line s{mark.style}" d="M{x:.1f} {down(mark.low):.1f}V{down(mark.high):.1f}"/>')
        parts.append(marker(x, y, mark.style, size=6.0))
    taken = [*covered.values(), *_along(best)]
    room = Box(left, TOP - 12, WIDTH, HEIGHT - BOTTOM - 1)
    for mark, (x, y) in places.items():
        others = [box for box in taken if box is not covered[mark]]
        (words, *_) = label_lines(mark.title, WIDTH - left - 40)
        box = free_label(text_width(words), x, y, covered[mark], others, room)
        taken.append(box)
        parts += _name_of(mark, words, (x, y), box)
    return drawing(title, parts)


def _along(points: Sequence[tuple[float, float]]) -> list[Box]:
    """Small boxes along a line, which names had better not cover."""
    found = []
    for (x, y), (next_x, next_y) in pairwise(points):
        count = max(1, int(math.hypot(next_x - x, next_y - y) / 8))
        middles = [(x + (next_x - x) * step / count, y + (next_y - y) * step / count) for step in range(count)]
        found += [Box(across - 4, down - 3, across + 4, down + 3) for across, down in middles]
    return found


def _name_of(mark: Mark, words: str, point: tuple[float, float], box: Box) -> list[str]:
    """The name of a point; a dotted line leads to one that stands apart from it."""
    x, y = point
    height = (box.top + box.bottom) / 2
    if box.left > x:
        where, style, near = box.left, "label", box.left - 2
    elif box.right < x:
        where, style, near = box.right, "label end", box.right + 2
    else:
        where, style, near = (box.left + box.right) / 2, "label middle", None
    lead = ""
    if near is not None and abs(height - y) > 14:
        lead = f'<path class="leader s{mark.style}" d="M{x:.1f} {y:.1f}L{near:.1f} {height:.1f}"/>'
    return [part for part in (lead, text(where, box.bottom - 4.5, words, f"{style} s{mark.style}")) if part]


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


def _across(places: Sequence[float], left: float, right: float, *, epochs: bool, logarithmic: bool) -> Axis:
    """The horizontal axis of curves."""
    if logarithmic:
        return Axis(tuple(places), places[0] / 1.15, places[-1], left, right, logarithmic=True)
    if not epochs:
        return axis_for(places, left, right, tight=True)
    last = len(places)
    ticks = [float(place) for place in range(1, last + 1, max(1, math.ceil(last / 10)))]
    low, high = (0.8, float(last)) if last > 1 else (0.5, 1.5)
    return Axis(tuple(ticks), low, high, left, right)


def _costs(values: Sequence[float], left: float, right: float) -> Axis:
    """The horizontal axis of times: logarithmic where they span much."""
    low, high = min(values), max(values)
    if high > 4 * low > 0:
        axis = axis_for(values, left, right, logarithmic=True, tight=True, ticks=_ROUND_TIMES)
        kept: list[float] = []
        # the roundest first; the others where they leave room
        for tick in sorted(axis.ticks, key=lambda tick: (tick not in _ROUNDEST, tick)):
            if all(abs(axis(tick) - axis(other)) >= _TICK_SPACE for other in kept):
                kept.append(tick)
        return axis_for(values, left, right, logarithmic=True, tight=True, ticks=sorted(kept))
    power = 10.0 ** math.floor(math.log10(high)) if 0 < high < 1 else 0.0
    steps = [power / 5, power / 2, power, 2 * power] if power else _ROUND_TIMES
    step = next((time for time in steps if 5 * time >= high), _ROUND_TIMES[-1])
    ticks = [step * index for index in range(math.ceil(high / step) + 1)]
    return Axis(tuple(ticks), 0.0, max(high * 1.1, ticks[-1]), left, right)


def _each(values: Sequence[float]) -> list[str]:
    """Values of an axis that have to stay as they are."""
    return [f"{value:,g}" for value in values]


def _band(one: Series, places: Sequence[float], along: Axis, down: Axis) -> str:
    """The area between the ends of a line's interval."""
    assert one.band is not None
    low, high = one.band
    there = [f"{along(x):.1f} {down(y):.1f}" for x, y in zip(places, high, strict=False)]
    back = [f"{along(x):.1f} {down(y):.1f}" for x, y in zip(places, low, strict=False)][::-1]
    return f'<path class="band s{one.style}" d="M{"L".join([*there, *back])}Z"/>'


def _polyline(values: Sequence[float], places: Sequence[float], along: Axis, down: Axis, style: str) -> str:
    points = " ".join(f"{along(x):.1f},{down(y):.1f}" for x, y in zip(places, values, strict=False))
    return f'<polyline class="{style}" points="{points}"/>'
