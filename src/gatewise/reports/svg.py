"""Small charts as SVG that take their colours from the page, so that they follow light and dark.

Series are told apart by colour, by marker shape and by a label at the line's end. All numbers are in the units of a
480 x 300 drawing that scales with the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup, escape

__all__ = ["Mark", "Series", "line_chart", "nice_ticks", "scatter_chart"]

_WIDTH, _HEIGHT = 480.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, 64.0, 14.0, 42.0
_LABEL_GAP = 16.0
_ROUND_TIMES = (
    1e-3,
    1e-2,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1200,
    3600,
    7200,
    18000,
    36000,
    86400,
)


@dataclass(frozen=True)
class Series:
    """Lines of one model: a thin one per seed and their mean; ``style`` is the number of its colour and marker."""

    title: str
    style: int
    lines: tuple[tuple[float, ...], ...]

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean over the seeds that got so far, epoch by epoch.

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


def line_chart(series: Sequence[Series], *, title: str, unit: Callable[[float], str], x_title: str) -> Markup:
    """Curves over epochs 1, 2, ...

    Args:
        series: the models.
        title: what is shown, for those who hear the page.
        unit: writes a value of the vertical axis.
        x_title: name of the horizontal axis.

    Example:
        >>> chart = line_chart([Series("GRU", 1, ((0.5, 0.3),))], title="Loss", unit=str, x_title="epoch")
        >>> chart.startswith("<svg"), "GRU" in chart
        (True, True)
    """
    values = [value for one in series for line in one.lines for value in line]
    epochs = max(len(line) for one in series for line in one.lines)
    ticks = nice_ticks(min(values), max(values))
    across = _scale(0.8 if epochs > 1 else 0.5, epochs + (0.0 if epochs > 1 else 0.5), _LEFT, _WIDTH - _RIGHT)
    down = _scale(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    step = max(1, math.ceil(epochs / 10))
    parts = [_frame(ticks, down, unit)]
    parts += [_tick_below(across(epoch), str(epoch)) for epoch in range(1, epochs + 1, step)]
    parts.append(_axis_title(x_title))
    ends = []
    for one in series:
        if len(one.lines) > 1:
            parts += [_polyline(line, across, down, f"line thin s{one.style}") for line in one.lines]
        mean = one.mean
        parts.append(_polyline(mean, across, down, f"line s{one.style}"))
        parts += [_marker(across(place), down(value), one.style) for place, value in enumerate(mean, start=1)]
        ends.append((down(mean[-1]), across(len(mean)), one))
    for height, (_, right, one) in zip(_spread([end[0] for end in ends]), ends, strict=True):
        parts.append(_text(right + 10, height + 4, one.title, f"label s{one.style}"))
    return _svg(title, parts)


def scatter_chart(marks: Sequence[Mark], *, title: str, x_unit: Callable[[float], str], x_title: str) -> Markup:
    """Points with vertical intervals; the horizontal axis is logarithmic where the values span more than a factor of 4.

    Args:
        marks: one per model; ``y`` a share, ``x`` positive.
        title: what is shown, for those who hear the page.
        x_unit: writes a value of the horizontal axis.
        x_title: name of the horizontal axis.

    Example:
        >>> marks = [Mark("GRU", 1, 90.0, 0.88, 0.87, 0.89), Mark("LSTM", 2, 120.0, 0.89, 0.88, 0.9)]
        >>> ">60 s<" in scatter_chart(marks, title="Accuracy and time", x_unit=lambda s: f"{s:g} s", x_title="time")
        True
    """
    ticks = nice_ticks(min(mark.low for mark in marks), max(mark.high for mark in marks))
    lowest, highest = min(mark.x for mark in marks), max(mark.x for mark in marks)
    logarithmic = lowest > 0 and highest > 4 * lowest
    x_ticks = _time_ticks(lowest, highest) if logarithmic else _time_steps(highest)
    convert: Callable[[float], float] = math.log if logarithmic else float
    low, high = (lowest / 1.5, highest * 1.5) if logarithmic else (0.0, max(highest * 1.1, x_ticks[-1]))
    along = _scale(convert(low), convert(high), _LEFT, _WIDTH - 16)
    down = _scale(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(ticks, down, lambda share: f"{100 * share:g} %", right=_WIDTH - 16)]
    parts += [_tick_below(along(convert(tick)), x_unit(tick)) for tick in x_ticks if low <= tick <= high]
    parts.append(_axis_title(x_title, right=_WIDTH - 16))
    places = [(along(convert(mark.x)), down(mark.y)) for mark in marks]
    taken = [
        _Box(x - 8, min(down(mark.high), y - 8), x + 8, max(down(mark.low), y + 8))
        for mark, (x, y) in zip(marks, places, strict=True)
    ]
    for mark, (x, y) in zip(marks, places, strict=True):
        parts.append(f'<path class="line s{mark.style}" d="M{x:.1f} {down(mark.low):.1f}V{down(mark.high):.1f}"/>')
        parts.append(_marker(x, y, mark.style, size=6.0))
    for mark, (x, y) in zip(marks, places, strict=True):
        box, anchor = _free_label(mark.title, x, y, taken)
        taken.append(box)
        where, style = (box.left, "label") if anchor == "start" else (box.right, "label end")
        parts.append(_text(where, box.bottom - 4, mark.title, f"{style} s{mark.style}"))
    return _svg(title, parts)


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that enclose a range.

    Example:
        >>> nice_ticks(0.83, 0.891)
        [0.82, 0.84, 0.86, 0.88, 0.9]
        >>> nice_ticks(2.0, 2.0)
        [1.8, 1.9, 2.0, 2.1, 2.2]
    """
    if high <= low:
        span = abs(low) / 10 or 0.1
        low, high = low - span, high + span
    raw = (high - low) / max(1, wanted - 1)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def _time_ticks(low: float, high: float) -> list[float]:
    """Round times for a logarithmic axis."""
    inside = [tick for tick in _ROUND_TIMES if low / 1.5 <= tick <= high * 1.5]
    return inside[:: max(1, math.ceil(len(inside) / 6))]


def _time_steps(high: float) -> list[float]:
    """Round times from zero for a linear axis."""
    step = next((time for time in _ROUND_TIMES if 5 * time >= high), _ROUND_TIMES[-1])
    return [step * index for index in range(math.ceil(high / step) + 1)]


class _Box(NamedTuple):
    """A rectangle of the drawing; the vertical axis points down."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        """Area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)


def _free_label(words: str, x: float, y: float, taken: Sequence[_Box]) -> tuple[_Box, str]:
    """The place beside a point where a label covers least of what is there already."""
    width, height = 7.6 * len(words), 17.0
    candidates = []
    for shift in (0.0, -18.0, 18.0, -36.0, 36.0):
        top = y - height / 2 + shift
        candidates.append((_Box(x + 11, top, x + 11 + width, top + height), "start"))
        candidates.append((_Box(x - 11 - width, top, x - 11, top + height), "end"))

    def cost(candidate: tuple[_Box, str]) -> float:
        box = candidate[0]
        outside = max(0.0, _LEFT - box.left) + max(0.0, box.right - _WIDTH)
        outside += max(0.0, _TOP - box.top) + max(0.0, box.bottom - (_HEIGHT - _BOTTOM))
        return sum(box.overlap(other) for other in taken) + 20 * outside

    return min(candidates, key=cost)


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    width = (high - low) or 1.0
    return lambda value: start + (value - low) / width * (end - start)


def _spread(heights: Sequence[float]) -> list[float]:
    """Move labels apart that would cover each other, keeping their order."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    placed = list(heights)
    for above, below in pairwise(order):
        placed[below] = max(placed[below], placed[above] + _LABEL_GAP)
    overflow = max([0.0, *(placed[index] - (_HEIGHT - _BOTTOM) for index in order)])
    return [height - overflow for height in placed]


def _frame(
    ticks: Sequence[float], down: Callable[[float], float], unit: Callable[[float], str], right: float = _WIDTH - _RIGHT
) -> str:
    lines = [f'<path class="grid" d="M{_LEFT:.0f} {down(tick):.1f}H{right:.0f}"/>' for tick in ticks[1:]]
    lines.append(f'<path class="axis" d="M{_LEFT:.0f} {down(ticks[0]):.1f}H{right:.0f}"/>')
    return "".join(lines) + "".join(_text(_LEFT - 8, down(tick) + 4, unit(tick), "tick end") for tick in ticks)


def _tick_below(x: float, words: str) -> str:
    return _text(x, _HEIGHT - _BOTTOM + 18, words, "tick middle")


def _axis_title(words: str, right: float = _WIDTH - _RIGHT) -> str:
    return _text((_LEFT + right) / 2, _HEIGHT - 6, words, "tick middle")


def _polyline(
    values: Sequence[float], across: Callable[[float], float], down: Callable[[float], float], style: str
) -> str:
    points = " ".join(f"{across(place):.1f},{down(value):.1f}" for place, value in enumerate(values, start=1))
    return f'<polyline class="{style}" points="{points}"/>'


def _marker(x: float, y: float, style: int, size: float = 4.0) -> str:
    """Circle, square, triangle, diamond; the baseline (style 0) a ring."""
    kind = f'class="mark s{style}"'
    if style == 0:
        return f'<circle class="mark hollow s0" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
    if style % 4 == 1:
        return f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
    if style % 4 == 2:
        side = 0.9 * size
        return f'<rect {kind} x="{x - side:.1f}" y="{y - side:.1f}" width="{2 * side:.1f}" height="{2 * side:.1f}"/>'
    if style % 4 == 3:
        return f'<path {kind} d="M{x:.1f} {y - 1.25 * size:.1f}l{1.2 * size:.1f} {2.1 * size:.1f}h{-2.4 * size:.1f}z"/>'
    d = 1.3 * size
    return f'<path {kind} d="M{x:.1f} {y - d:.1f}l{d:.1f} {d:.1f}l{-d:.1f} {d:.1f}l{-d:.1f} {-d:.1f}z"/>'


def _text(x: float, y: float, words: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _svg(title: str, parts: Sequence[str]) -> Markup:
    start = f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="{escape(title)}">'
    return Markup(start + "".join(parts) + "</svg>")
