"""From CTC's probabilities to text: greedy, or prefix-beam search (Graves et al., 2006; Hannun et al., 2014).

CTC's classes are the blank (0) and the units (1 to C - 1). A path has one class at each step; its units are what is
left when repeats are merged and then blanks dropped. No torch.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["BLANK", "BeamSearch", "GreedySearch", "best_path", "merged"]

BLANK = 0
LogProbabilities = npt.NDArray[np.floating]
_NEVER = -math.inf


def merged(path: Sequence[int]) -> list[int]:
    """The units of a path: repeats merged, blanks dropped.

    Example:
        >>> merged([0, 2, 2, 0, 2, 1])
        [2, 2, 1]
    """
    return [int(each) for place, each in enumerate(path) if each != BLANK and (place == 0 or path[place - 1] != each)]


def best_path(log_probabilities: LogProbabilities) -> list[int]:
    """The units of the most probable path of (T, C)."""
    return merged(np.asarray(log_probabilities).argmax(axis=1).tolist())


@dataclass
class GreedySearch:
    """The best path of a stream; `units` grows and is never changed.

    Example:
        >>> search = GreedySearch()
        >>> for row in np.log([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.4, 0.6]]):
        ...     search.accept(row[None])
        >>> search.units
        [1, 1]
    """

    units: list[int] = field(default_factory=list)
    _last: int = BLANK

    def accept(self, log_probabilities: LogProbabilities) -> None:
        """The next steps (T, C)."""
        for best in np.asarray(log_probabilities).argmax(axis=1).tolist():
            if best not in (BLANK, self._last):
                self.units.append(best)
            self._last = best


class BeamSearch:
    """The most probable units, the sum over all paths that give them, among the prefixes that are kept.

    Of every prefix two probabilities are kept: of the paths that end in a blank, and in its last unit. With a beam
    that no prefix falls out of the result is exact.

    Args:
        width: prefixes that are kept.

    Example:
        >>> search = BeamSearch(4)
        >>> search.accept(np.log([[0.6, 0.4], [0.6, 0.4]]))
        >>> best_path(np.log([[0.6, 0.4], [0.6, 0.4]])), search.units, round(math.exp(search.log_probability), 2)
        ([], [1], 0.64)
    """

    def __init__(self, width: int = 16) -> None:
        self.width = width
        self._beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, _NEVER)}

    def accept(self, log_probabilities: LogProbabilities) -> None:
        """The next steps (T, C)."""
        for row in np.asarray(log_probabilities, dtype=np.float64):
            self._step(row.tolist())

    @property
    def units(self) -> list[int]:
        """Of the most probable prefix so far."""
        return list(self._best()[0])

    @property
    def log_probability(self) -> float:
        """Of these units."""
        return _add(*self._best()[1])

    def _best(self) -> tuple[tuple[int, ...], tuple[float, float]]:
        return max(self._beam.items(), key=lambda entry: (_add(*entry[1]), entry[0]))

    def _step(self, row: list[float]) -> None:
        found: dict[tuple[int, ...], tuple[float, float]] = {}
        wholes: dict[tuple[int, ...], float] = {}
        for prefix, (in_blank, in_unit) in self._beam.items():
            wholes[prefix] = whole = _add(in_blank, in_unit)
            found[prefix] = whole + row[BLANK], in_unit + row[prefix[-1]] if prefix else _NEVER
        for prefix, (in_blank, _) in self._beam.items():
            whole, last = wholes[prefix], prefix[-1] if prefix else BLANK
            for unit in range(1, len(row)):
                chance = (in_blank if unit == last else whole) + row[unit]
                longer = (*prefix, unit)
                # a sequence is reached from one shorter one only, so it is there already only if it was in the beam
                held = found.get(longer)
                found[longer] = (_NEVER, chance) if held is None else (held[0], _add(held[1], chance))
        totals = ((_add(*chances), prefix) for prefix, chances in found.items())
        best = heapq.nsmallest(self.width, ((-total, prefix) for total, prefix in totals))
        self._beam = {prefix: found[prefix] for _, prefix in best}


def _add(first: float, second: float) -> float:
    """The logarithm of the sum of two probabilities."""
    if second == _NEVER:
        return first
    high, low = (first, second) if first >= second else (second, first)
    return high if low == _NEVER else high + math.log1p(math.exp(low - high))
