"""Parts of small charts as SVG that take their colours from the page, so that they follow light and dark.

Series are distinguished by colour, by marker shape and by a label. All numbers are in the units of a 480 x 300 drawing
that scales with the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from gatewise.drawing.labels import text_width
from gatewise.drawing.styles import shape
from gatewise.drawing.ticks import nice_ticks

__all__ = ["Axis", "TickWords", "axis_for", "drawing", "frame", "left_edge", "marker", "text"]

WIDTH, HEIGHT = 480.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 64.0, 14.0, 42.0
TickWords = Callable[[Sequence[float]], Sequence[str]]
"""Writes the ticks of one axis, all in the same way."""
_TICK_GAP = 8.0


@dataclass(frozen=True)
class Axis:
    """Places values along one direction of the drawing.

    Args:
        ticks: values that get a mark, rising.
        low: value at the start.
        high: value at the end.
        start: place of ``low`` in the drawing.
        end: place of ``high``.
        logarithmic: whether equal ratios are equally far apart.
    """

    ticks: tuple[float, ...]
    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; what lies outside is put at the edge."""
        low, high = self._warp(self.low), self._warp(self.high)
        share = (self._warp(max(value, self.low) if self.logarithmic else value) - low) / ((high - low) or 1.0)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def _warp(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def axis_for(
    values: Sequence[float],
    start: float,
    end: float,
    *,
    logarithmic: bool = False,
    tight: bool = False,
    ticks: Sequence[float] | None = None,
    limits: tuple[float, float] | None = None,
) -> Axis:
    """An axis for some values.

    Args:
        values: what has to fit; for a logarithmic axis only positive ones count.
        start: its place in the drawing.
        end: its end's place.
        logarithmic: equal ratios equally far apart.
        tight: the axis ends at the values, not at the next tick.
        ticks: marks to choose from, instead of round numbers.
        limits: between which all values lie, such as 0 and 1 for a share: the axis goes no further.

    Example:
        >>> axis = axis_for([0.0, 10.0], 0.0, 100.0)
        >>> axis(5.0), axis.ticks
        (50.0, (0.0, 2.5, 5.0, 7.5, 10.0))
        >>> axis_for([0.01, 100.0], 0.0, 100.0, logarithmic=True).ticks
        (0.01, 0.1, 1.0, 10.0, 100.0)
    """
    if logarithmic:
        known = [value for value in values if value > 0] or [0.1, 1.0]
        low, high = min(known), max(known)
        low, high = (low / 1.5, high * 1.5) if tight else _decades(low, high)
        marks = list(ticks) if ticks is not None else _powers(low, high)
    else:
        marks = list(ticks) if ticks is not None else nice_ticks(min(values), max(values), limits=limits)
        low, high = (min(values), max(values)) if tight else (marks[0], marks[-1])
        if high <= low:
            low, high = low - 0.5, high + 0.5
    inside = tuple(tick for tick in marks if low * (1 - 1e-9) - 1e-12 <= tick <= high * (1 + 1e-9) + 1e-12)
    return Axis(inside, low, high, start, end, logarithmic)


def _decades(low: float, high: float) -> tuple[float, float]:
    """The powers of ten around a range; inside one decade, the range with room."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    return 10.0**first, 10.0 ** max(last, first + 1)


def _powers(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, math.ceil((last - first) / 6))
    return [float(f"1e{power}") for power in range(first, last + 1, step)]


def left_edge(down: Axis, y_words: TickWords) -> float:
    """Where the plot begins, so that the numbers of the vertical axis have room before it.

    Example:
        >>> axis = axis_for([0.0, 10.0], 250.0, 14.0)
        >>> left_edge(axis, lambda ticks: ["1,234,567" for _ in ticks]) > LEFT == left_edge(axis, lambda ticks: [])
        True
    """
    return max([LEFT, *(14 + text_width(words) for words in y_words(down.ticks))])


def frame(down: Axis, along: Axis, y_words: TickWords, x_words: TickWords, x_title: str) -> str:
    """Grid lines, ticks and the title below. Of ticks that would cover each other only some have words."""
    left, right = along.start, along.end
    lines = [f'<path class="grid" d="M{left:.0f} {down(tick):.1f}H{right:.0f}"/>' for tick in down.ticks]
    lines.append(f'<path class="axis" d="M{left:.0f} {HEIGHT - BOTTOM:.1f}H{right:.0f}"/>')
    for tick, words in zip(down.ticks, y_words(down.ticks), strict=True):
        lines.append(text(left - 8, down(tick) + 4, words, "tick end"))
    end = -math.inf
    for tick, words in zip(along.ticks, x_words(along.ticks), strict=True):
        half = text_width(words) / 2
        middle = min(along(tick), WIDTH - half)
        if middle - half >= end + _TICK_GAP:
            lines.append(text(middle, HEIGHT - BOTTOM + 18, words, "tick middle"))
            end = middle + half
    lines.append(text((left + right) / 2, HEIGHT - 6, x_title, "tick middle"))
    return "".join(lines)


def marker(x: float, y: float, style: int, size: float = 4.0) -> str:
    """The sign of a style: circle, square, triangle, diamond ...; a baseline (style 0) is a ring."""
    kind = f'class="mark s{style}"'
    name = shape(style)
    if name == "ring":
        return f'<circle class="mark hollow s0" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
    if name == "circle":
        return f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
    if name == "square":
        side = 0.9 * size
        return f'<rect {kind} x="{x - side:.1f}" y="{y - side:.1f}" width="{2 * side:.1f}" height="{2 * side:.1f}"/>'
    if name == "triangle":
        return f'<path {kind} d="M{x:.1f} {y - 1.25 * size:.1f}l{1.2 * size:.1f} {2.1 * size:.1f}h{-2.4 * size:.1f}z"/>'
    if name == "triangle-down":
        return (
            f'<path {kind} d="M{x:.1f} {y + 1.25 * size:.1f}l{1.2 * size:.1f} {-2.1 * size:.1f}h{-2.4 * size:.1f}z"/>'
        )
    if name == "plus":
        a, b = 0.45 * size, 0.75 * size
        arms = f"h{b:.1f}v{2 * a:.1f}h{-b:.1f}v{b:.1f}h{-2 * a:.1f}v{-b:.1f}h{-b:.1f}v{-2 * a:.1f}h{b:.1f}v{-b:.1f}z"
        return f'<path {kind} d="M{x - a:.1f} {y - a - b:.1f}h{2 * a:.1f}v{b:.1f}{arms}"/>'
    d = 1.3 * size
    return f'<path {kind} d="M{x:.1f} {y - d:.1f}l{d:.1f} {d:.1f}l{-d:.1f} {d:.1f}l{-d:.1f} {-d:.1f}z"/>'


def text(x: float, y: float, words: str, style: str) -> str:
    """Words at a place; the class says whether they start, end or stand in the middle there."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def drawing(title: str, parts: Sequence[str]) -> Markup:
    """The whole picture; the title is for those who hear the page."""
    start = f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(title)}">'
    return Markup(start + "".join(parts) + "</svg>")
