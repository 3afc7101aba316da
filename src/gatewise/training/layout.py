"""Where the weights of a network, their gradients and moments lie in memory that several processes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from gatewise.training.flat import LARGE
from gatewise.training.weights import MOMENTS

__all__ = ["FIGURES", "Layout", "Piece"]

FIGURES = 256
"""So many figures of a step are passed on at most."""
_LINE = 64


@dataclass(frozen=True)
class Piece:
    """A range of a weight's numbers that one process updates.

    Attributes:
        at: number of the weight.
        start: of its first number among those of all weights.
        stop: behind its last.
    """

    at: int
    start: int
    stop: int


class Layout:
    """Puts weights side by side: large tables first, each divided by rows, then all others, divided by numbers.

    Args:
        weights: of the network.
        processes: N, each of which updates 1/N of every table and of the others together.

    Attributes:
        tables: numbers of the large tables among the weights.
        others: numbers of the other weights.
        begin: of each weight, its first number's place.
        block: the place of the first weight that is no table.
        total: how many numbers there are.

    Example:
        >>> layout = Layout([torch.zeros(2, 3), torch.zeros(4)], 2)
        >>> layout.total, layout.pieces(1)
        (10, [Piece(at=0, start=5, stop=6), Piece(at=1, start=6, stop=10)])
    """

    def __init__(self, weights: Sequence[Tensor], processes: int) -> None:
        self.processes = processes
        self.shapes = [each.shape for each in weights]
        self.tables = [at for at, each in enumerate(weights) if each.ndim == 2 and each.numel() >= LARGE]
        self.others = [at for at in range(len(weights)) if at not in self.tables]
        order = [*self.tables, *self.others]
        places = list(accumulate((self.shapes[at].numel() for at in order), initial=0))
        self.begin = dict(zip(order, places, strict=False))
        self.block, self.total = places[len(self.tables)], places[-1]
        rows = list(accumulate((self.shapes[at][0] for at in self.tables), initial=0))
        self.first_row = dict(zip(self.tables, rows, strict=False))
        self._parts = {
            **dict.fromkeys(("weight", "average", *MOMENTS), (torch.float32, self.total)),
            "gradient": (torch.float32, processes * self.total),
            "row": (torch.int64, processes * rows[-1]),
            "note": (torch.float64, processes * (len(weights) + FIGURES)),
            "square": (torch.float64, processes),
        }

    @property
    def size(self) -> int:
        """Bytes of everything; those that are never written take no memory."""
        return sum(_bytes(*part) for part in self._parts.values())

    def tensors(self, content: memoryview) -> dict[str, Tensor]:
        """All parts of the memory by name; what every process has its own of is (processes, numbers)."""
        found, begin = {}, 0
        for name, (kind, count) in self._parts.items():
            whole = torch.empty(0, dtype=kind)
            if count:
                whole = torch.frombuffer(content, dtype=kind, count=count, offset=begin)
            shared = name in ("weight", "average", *MOMENTS)
            found[name] = whole if shared else whole.view(self.processes, count // self.processes)
            begin += _bytes(kind, count)
        return found

    def rows(self, at: int, rank: int) -> tuple[int, int]:
        """The rows of a table that a process updates, from and to."""
        count = self.shapes[at][0]
        return count * rank // self.processes, count * (rank + 1) // self.processes

    def numbers(self, rank: int) -> tuple[int, int]:
        """The numbers of the other weights that a process updates, from and to, by their places."""
        count = self.total - self.block
        return self.block + count * rank // self.processes, self.block + count * (rank + 1) // self.processes

    def pieces(self, rank: int) -> list[Piece]:
        """All that a process updates."""
        found = []
        for at in self.tables:
            first, last = self.rows(at, rank)
            width = self.shapes[at][1]
            found.append(Piece(at, self.begin[at] + first * width, self.begin[at] + last * width))
        first, last = self.numbers(rank)
        for at in self.others:
            begin = self.begin[at]
            start, stop = max(first, begin), min(last, begin + self.shapes[at].numel())
            if start < stop:
                found.append(Piece(at, start, stop))
        return found


def _bytes(kind: torch.dtype, count: int) -> int:
    """Bytes of a part, in whole cache lines."""
    return -(-count * kind.itemsize // _LINE) * _LINE
