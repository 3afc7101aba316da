"""Sums the gradients of processes that share memory: each process sums its share of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatewise.errors import TrainingError
from gatewise.training.flat import touched_rows
from gatewise.training.layout import FIGURES, Layout, Piece

__all__ = ["SharedGradients"]

_NONE, _ALL = -1, -2
_SAMPLE = 64


@dataclass
class _Part:
    """A part of the summed gradients: all its values, or those of the rows that have any."""

    values: Tensor
    table: Tensor | None = None
    rows: Tensor | None = None

    def multiply(self, factor: float) -> None:
        self.values.mul_(factor)
        if self.table is not None and self.rows is not None:
            self.table.index_copy_(0, self.rows, self.values)


class _Table:
    """The summed gradient of this process's rows of a table.

    Attributes:
        first: row of the table.
        last: behind the last one.
        numbers: the gradient, (last - first, width).
        there: to which rows something was added.
        rows: that are not zero; None: all may be.
    """

    def __init__(self, first: int, last: int, width: int) -> None:
        self.first, self.last = first, last
        self.numbers = torch.zeros(last - first, width)
        self.there = torch.zeros(last - first, dtype=torch.bool)
        self.rows: Tensor | None = None

    def begin(self, gradients: Sequence[Tensor]) -> None:
        """Begin a sum with gradients of all these rows, or with zero."""
        if len(gradients) > 1:
            torch.add(gradients[0], gradients[1], out=self.numbers)
            for each in gradients[2:]:
                self.numbers += each
        elif gradients:
            self.numbers.copy_(gradients[0])
        elif self.rows is None:
            self.numbers.zero_()
        else:
            self.numbers.index_fill_(0, self.rows, 0.0)
        self.there.zero_()

    def add(self, rows: Tensor, values: Tensor) -> None:
        """Add the values of rows of the whole table, each of which may come several times."""
        chosen = ((rows >= self.first) & (rows < self.last)).nonzero().flatten()
        places = rows[chosen] - self.first
        self.numbers.index_add_(0, places, values.index_select(0, chosen))
        self.there.index_fill_(0, places, True)


class SharedGradients:
    """The gradients of a network's weights in several processes, each of which sums its share of them.

    A process writes its gradients where the others see them. When all have, it adds theirs to its own, within its
    share. Of a large table it writes the rows that have a gradient, where these are at most half of all; a sparse
    gradient says which these are.

    Args:
        weights: of the network.
        layout: of them.
        room: the parts of the shared memory.
        rank: number of this process.
        wait: returns when all processes have called it.
    """

    def __init__(
        self, weights: Sequence[Tensor], layout: Layout, room: dict[str, Tensor], rank: int, wait: Callable[[], None]
    ) -> None:
        self._weights, self._layout, self._rank, self._wait = list(weights), layout, rank, wait
        self._processes, self._slots, self._rows = layout.processes, room["gradient"], room["row"]
        # few small numbers: numpy needs less time for each
        self._notes, self._squares = room["note"].numpy(), room["square"].numpy()[:, 0]
        self._zeros = {at: torch.zeros(layout.shapes[at].numel()) for at in layout.others}
        self._tables = {at: _Table(*layout.rows(at, rank), layout.shapes[at][1]) for at in layout.tables}
        self._parts: list[_Part] = []
        self._divisor = 1.0
        self.there = [False] * len(self._weights)

    def forget(self) -> None:
        """Drop the gradients of the step before."""
        for weight in self._weights:
            weight.grad = None

    def summed(self, figures: Sequence[float]) -> list[float]:
        """Sum this process's share of all gradients, yet to be divided by the first figure's sum (`clip`).

        Args:
            figures: numbers to sum, as many in every process.

        Returns:
            The sums of the figures.
        """
        if len(figures) > FIGURES:
            raise TrainingError(f"a step of several processes has {FIGURES} figures at most", got=str(len(figures)))
        with torch.no_grad():
            kinds = [_NONE if weight.grad is None else _ALL for weight in self._weights]
            for at in self._layout.tables:
                kinds[at] = self._tell_table(at)
            self._tell_others()
            count = len(kinds)
            self._notes[self._rank, : count + len(figures)] = [*kinds, *figures]
            self._wait()
            notes = self._notes[:, : count + len(figures)].tolist()
            sums = [sum(each) for each in zip(*(note[count:] for note in notes), strict=True)]
            by_weight = [[int(kind) for kind in each] for each in zip(*(note[:count] for note in notes), strict=True)]
            self.there = [any(kind != _NONE for kind in each) for each in by_weight]
            self._parts = [self._add_table(at, by_weight[at]) for at in self._layout.tables if self.there[at]]
            self._parts.append(self._add_others())
        self._divisor = sums[0] or 1.0  # no process has an example with a loss: all gradients are zero
        return sums

    def gradient(self, piece: Piece) -> Tensor:
        """Where the summed gradient of a piece of this process's share is, the same place after each step."""
        if piece.at in self._tables:
            return self._tables[piece.at].numbers.view(-1)
        return self._slots[self._rank, piece.start : piece.stop]

    def clip(self, limit: float) -> float:
        """Divide the share by the first figure's sum, so that the norm of all gradients is ``limit`` at most.

        Returns:
            The norm before; where it is NaN or infinite, nothing is changed.
        """
        with torch.no_grad():
            self._squares[self._rank] = sum(float(torch.linalg.vector_norm(part.values)) ** 2 for part in self._parts)
            self._wait()
            norm = math.sqrt(sum(self._squares.tolist())) / self._divisor
            if math.isfinite(norm):
                factor = min(1.0, limit / (norm + 1e-6)) / self._divisor
                for part in self._parts if factor != 1 else ():
                    part.multiply(factor)
        return norm

    def _tell_table(self, at: int) -> int:
        """Write a table's gradient for the others; returns of how many rows, `_NONE` or `_ALL`."""
        gradient, slot = self._weights[at].grad, self._slot(self._rank, at)
        if gradient is None:
            return _NONE
        few = len(slot) // 2
        if gradient.is_sparse:
            rows, values = gradient._indices()[0], gradient._values()
            if len(rows) > few:
                gradient = self._weights[at].grad = gradient.to_dense()
        else:
            rows = _rows_in_use(gradient)
            values = gradient.index_select(0, rows) if len(rows) <= few else gradient
        if len(rows) <= few:
            self._row_numbers(self._rank, at)[: len(rows)] = rows
            slot[: len(rows)] = values
            return len(rows)
        first, last = self._layout.rows(at, self._rank)
        slot[:first] = gradient[:first]
        slot[last:] = gradient[last:]
        return _ALL

    def _tell_others(self) -> None:
        gradients = [(at, self._weights[at].grad) for at in self._layout.others]
        if gradients:
            parts = [self._zeros[at] if each is None else each.reshape(-1) for at, each in gradients]
            torch.cat(parts, out=self._slots[self._rank, self._layout.block :])

    def _add_table(self, at: int, kinds: Sequence[int]) -> _Part:
        """The sum of all processes' gradients of this one's rows of a table."""
        table = self._tables[at]
        table.begin([self._whole_rows(rank, at) for rank, kind in enumerate(kinds) if kind == _ALL])
        for rank, kind in enumerate(kinds):
            if kind >= 0:
                table.add(self._row_numbers(rank, at)[:kind], self._slot(rank, at)[:kind])
        if all(kind != _ALL for kind in kinds):
            table.rows = table.there.nonzero().flatten()
            return _Part(table.numbers.index_select(0, table.rows), table.numbers, table.rows)
        table.rows = None
        return _Part(table.numbers)

    def _add_others(self) -> _Part:
        first, last = self._layout.numbers(self._rank)
        share = self._slots[:, first:last]
        total = share[self._rank]
        for rank in range(self._processes):
            if rank != self._rank:
                total += share[rank]
        return _Part(total)

    def _whole_rows(self, rank: int, at: int) -> Tensor:
        """A process's gradient of this one's rows of a table, where it has one of most rows."""
        own = self._weights[at].grad
        held = own if rank == self._rank and own is not None else self._slot(rank, at)
        return held[self._tables[at].first : self._tables[at].last]

    def _slot(self, rank: int, at: int) -> Tensor:
        shape, begin = self._layout.shapes[at], self._layout.begin[at]
        return self._slots[rank, begin : begin + shape.numel()].view(shape)

    def _row_numbers(self, rank: int, at: int) -> Tensor:
        begin = self._layout.first_row[at]
        return self._rows[rank, begin : begin + self._layout.shapes[at][0]]


def _rows_in_use(gradient: Tensor) -> Tensor:
    """The rows of a table that have a gradient; all, where most of some evenly chosen ones have."""
    chosen = gradient[:: max(1, len(gradient) // _SAMPLE)]
    if 4 * int(touched_rows(chosen).sum()) > 3 * len(chosen):
        return torch.arange(len(gradient))
    return touched_rows(gradient).nonzero().flatten()
