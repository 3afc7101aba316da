"""Parts of small charts as SVG that take their colours from the page, so that they follow light and dark.

Series are distinguished by colour, by marker shape and by a label. All numbers are in the units of a 480 x 300 drawing
that scales with the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup, escape

__all__ = ["Axis", "Box", "axis_for", "drawing", "frame", "free_label", "marker", "nice_ticks", "spread", "text"]

WIDTH, HEIGHT = 480.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 64.0, 14.0, 42.0
_LABEL_GAP = 16.0


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
) -> Axis:
    """An axis for some values.

    Args:
        values: what has to fit; for a logarithmic axis only positive ones count.
        start: its place in the drawing.
        end: its end's place.
        logarithmic: equal ratios equally far apart.
        tight: the axis ends at the values, not at the next tick.
        ticks: marks to choose from, instead of round numbers.

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
        marks = list(ticks) if ticks is not None else nice_ticks(min(values), max(values))
        low, high = (min(values), max(values)) if tight else (marks[0], marks[-1])
        if high <= low:
            low, high = low - 0.5, high + 0.5
    inside = tuple(tick for tick in marks if low * (1 - 1e-9) - 1e-12 <= tick <= high * (1 + 1e-9) + 1e-12)
    return Axis(inside, low, high, start, end, logarithmic)


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
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(index * step, digits) for index in range(first, last + 1)]


def _decades(low: float, high: float) -> tuple[float, float]:
    """The powers of ten around a range; inside one decade, the range with room."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    return 10.0**first, 10.0 ** max(last, first + 1)


def _powers(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, math.ceil((last - first) / 6))
    return [float(f"1e{power}") for power in range(first, last + 1, step)]


class Box(NamedTuple):
    """A rectangle of the drawing; the vertical axis points down."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)


def free_label(words: str, x: float, y: float, taken: Sequence[Box]) -> tuple[Box, str]:
    """The place beside a point where a label covers least of what is there already.

    Returns:
        The label's box, and whether its text starts or ends there: ``start`` or ``end``.
    """
    width, height = 7.6 * len(words), 17.0
    candidates = []
    for shift in (0.0, -18.0, 18.0, -36.0, 36.0):
        top = y - height / 2 + shift
        candidates.append((Box(x + 11, top, x + 11 + width, top + height), "start"))
        candidates.append((Box(x - 11 - width, top, x - 11, top + height), "end"))

    def cost(candidate: tuple[Box, str]) -> float:
        box = candidate[0]
        outside = max(0.0, LEFT - box.left) + max(0.0, box.right - WIDTH)
        outside += max(0.0, TOP - box.top) + max(0.0, box.bottom - (HEIGHT - BOTTOM))
        return sum(box.overlap(other) for other in taken) + 20 * outside

    return min(candidates, key=cost)


def spread(heights: Sequence[float]) -> list[float]:
    """Move labels apart that would cover each other, keeping their order.

    Example:
        >>> spread([100.0, 104.0, 200.0])
        [100.0, 116.0, 200.0]
    """
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    placed = list(heights)
    for above, below in pairwise(order):
        placed[below] = max(placed[below], placed[above] + _LABEL_GAP)
    overflow = max([0.0, *(placed[index] - (HEIGHT - BOTTOM) for index in order)])
    return [height - overflow for height in placed]


def frame(
    down: Axis,
    along: Axis,
    y_unit: Callable[[float], str],
    x_unit: Callable[[float], str],
    x_title: str,
    right: float = WIDTH - RIGHT,
) -> str:
    """Grid lines, ticks and the title below."""
    lines = [f'<path class="grid" d="M{LEFT:.0f} {down(tick):.1f}H{right:.0f}"/>' for tick in down.ticks]
    lines.append(f'<path class="axis" d="M{LEFT:.0f} {HEIGHT - BOTTOM:.1f}H{right:.0f}"/>')
    lines += [text(LEFT - 8, down(tick) + 4, y_unit(tick), "tick end") for tick in down.ticks]
    lines += [text(along(tick), HEIGHT - BOTTOM + 18, x_unit(tick), "tick middle") for tick in along.ticks]
    lines.append(text((LEFT + right) / 2, HEIGHT - 6, x_title, "tick middle"))
    return "".join(lines)


def marker(x: float, y: float, style: int, size: float = 4.0) -> str:
    """Circle, square, triangle, diamond; a baseline (style 0) is a ring."""
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


def text(x: float, y: float, words: str, style: str) -> str:
    """Words at a place; the class says whether they start, end or stand in the middle there."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def drawing(title: str, parts: Sequence[str]) -> Markup:
    """The whole picture; the title is for those who hear the page."""
    start = f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(title)}">'
    return Markup(start + "".join(parts) + "</svg>")
