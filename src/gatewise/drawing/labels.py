"""Places for the names in a chart: beside the ends of lines, and beside points, without covering each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Box", "free_label", "label_lines", "spread", "text_width"]

LABEL_LINE = 15.0
"""Height of a line of a label."""
_SHIFTS = (10.0, 14.0, 18.0, *(float(size) for size in range(24, 240, 8)))
_NARROW, _THIN = frozenset("ijlI.,:;|'!()[]"), frozenset('frt -/"')
_WIDTHS = {"narrow": 4.6, "thin": 5.8, "wide": 10.2, "usual": 8.6}


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


def text_width(words: str) -> float:
    """About how wide a label is, in a wide bold font of 13.5 units.

    Example:
        >>> text_width("") == 0, text_width("LSTM") > text_width("lilt")
        (True, True)
    """
    return sum(_WIDTHS[_class(letter)] for letter in words)


def _class(letter: str) -> str:
    if letter in _NARROW:
        return "narrow"
    if letter in _THIN:
        return "thin"
    return "wide" if letter.isupper() or letter in "mwMW%@&—" or ord(letter) > 0x2FFF else "usual"


def label_lines(words: str, most: float) -> list[str]:
    """A name in one line, or in two where it is too wide; what does not fit then is cut, with dots.

    Example:
        >>> label_lines("GRU", 140.0), label_lines("TF-IDF + logistic regression", 140.0)
        (['GRU'], ['TF-IDF + logistic', 'regression'])
        >>> label_lines("a_cell_with_a_very_long_name_of_one_word", 140.0)
        ['a_cell_with_a_ver…']
    """
    if text_width(words) <= most:
        return [words]
    parts = words.split()
    splits = [(" ".join(parts[:cut]), " ".join(parts[cut:])) for cut in range(1, len(parts))]
    fitting = [lines for lines in splits if text_width(lines[0]) <= most]
    lines = list(fitting[-1]) if fitting else [words]
    if len(lines) == 2 and text_width(lines[1]) <= most:
        return lines
    return [*lines[:-1], _cut(lines[-1], most)]


def _cut(words: str, most: float) -> str:
    if text_width(words) <= most:
        return words
    while words and text_width(words + "…") > most:
        words = words[:-1]
    return words.rstrip() + "…"


def spread(wanted: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """Middles of labels, as near to the wanted ones as they go without covering each other, their order kept.

    The least-squares solution, by pooling neighbours that are too near (isotonic regression).

    Args:
        wanted: middles.
        heights: of the labels.
        low, high: between which they have to be; where there is too little room, they begin at ``low``.

    Example:
        >>> spread([100.0, 104.0, 200.0], [16.0, 16.0, 16.0], 0.0, 300.0)
        [94.0, 110.0, 200.0]
        >>> spread([299.0, 299.0], [16.0, 16.0], 0.0, 300.0)
        [276.0, 292.0]
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    offsets, total = [], 0.0
    for index in order:
        offsets.append(total + heights[index] / 2)
        total += heights[index]
    pools: list[tuple[float, int]] = []
    for index, offset in zip(order, offsets, strict=True):
        mean, count = wanted[index] - offset, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    shifts = [min(max(mean, low), max(low, high - total)) for mean, count in pools for _ in range(count)]
    placed = list(wanted)
    for index, offset, shift in zip(order, offsets, shifts, strict=True):
        placed[index] = shift + offset
    return placed


def free_label(width: float, x: float, y: float, mark: Box, taken: Sequence[Box], room: Box) -> Box:
    """The place near a point where a label covers least of what is there already.

    Args:
        width: of the label.
        x, y: the point.
        mark: what the point and its interval cover.
        taken: what other points, intervals and labels cover.
        room: inside which the label has to be.
    """
    height = LABEL_LINE + 2
    candidates = []
    for shift in (0.0, *(sign * size for size in _SHIFTS for sign in (-1, 1))):
        top = y - height / 2 + shift
        candidates.append((abs(shift), Box(x + 11, top, x + 11 + width, top + height)))
        candidates.append((abs(shift) + 0.5, Box(x - 11 - width, top, x - 11, top + height)))
    for distance, top in ((y - mark.top, mark.top - height - 1), (mark.bottom - y, mark.bottom + 1)):
        candidates.append((distance + 6, Box(x - width / 2, top, x + width / 2, top + height)))

    chosen, least = candidates[0][1], math.inf
    for distance, box in candidates:
        outside = max(0.0, room.left - box.left) + max(0.0, box.right - room.right)
        outside += max(0.0, room.top - box.top) + max(0.0, box.bottom - room.bottom)
        if 0.4 * distance + 1000 * outside >= least:
            continue  # whatever it covers, it cannot be better: the sum is most of the time that a chart takes
        cost = 0.4 * distance + sum(box.overlap(other) for other in (mark, *taken)) + 1000 * outside
        if cost < least:
            chosen, least = box, cost
    return chosen
