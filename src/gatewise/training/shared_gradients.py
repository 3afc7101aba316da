"""Sums the gradients of processes that share memory: each process sums its share of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatewise.errors import TrainingError
from gatewise.training.flat import touched_rows
from gatewise.training.layout import FIGURES, Layout

__all__ = ["SharedGradients"]

_NONE, _ALL = -1, -2


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


class SharedGradients:
    """The gradients of a network's weights in several processes, each of which sums its share of them.

    A process writes its gradients where the others see them. When all have, it adds theirs to its own, within its
    share. Of a large table it writes the rows that have a gradient, where these are less than half of all; that changes
    the time and no number.

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
        self._slots, self._rows, self._kinds = room["gradient"], room["row"], room["kind"]
        self._figures, self._squares = room["figure"], room["square"][:, 0]
        self._processes = layout.processes
        self._first, self._last = layout.numbers(rank)
        self._zeros = {at: torch.zeros(layout.shapes[at].numel()) for at in layout.others}
        self._parts: list[_Part] = []
        self._tables: dict[int, Tensor] = {}
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
            self._figures[self._rank, : len(figures)] = torch.tensor(figures, dtype=torch.float64)
            own = [_NONE if weight.grad is None else _ALL for weight in self._weights]
            rows = {at: self._tell_table(at) for at in self._layout.tables}
            for at, chosen in rows.items():
                own[at] = own[at] if chosen is None else len(chosen)
            self._tell_others()
            self._kinds[self._rank] = torch.tensor(own)
            self._wait()
            sums: list[float] = self._figures[:, : len(figures)].sum(dim=0).tolist()
            kinds = self._kinds.tolist()
            self.there = [any(kind[at] != _NONE for kind in kinds) for at in range(len(self._weights))]
            self._parts = []
            self._tables = {
                at: self._add_table(at, rows[at], [kind[at] for kind in kinds])
                for at in self._layout.tables
                if self.there[at]
            }
            self._add_others()
        self._divisor = sums[0] or 1.0  # no process has an example with a loss: all gradients are zero
        return sums

    def gradient(self, at: int, start: int, stop: int) -> Tensor | None:
        """The summed gradient of a piece of this process's share; None: no process has one."""
        if not self.there[at]:
            return None
        if at in self._tables:
            return self._tables[at].view(-1)
        return self._slots[self._rank, start:stop]

    def clip(self, limit: float) -> float:
        """Divide the share by the first figure's sum, so that the norm of all gradients is ``limit`` at most.

        Returns:
            The norm before; where it is NaN or infinite, nothing is changed.
        """
        with torch.no_grad():
            self._squares[self._rank] = sum(float(torch.linalg.vector_norm(part.values)) ** 2 for part in self._parts)
            self._wait()
            norm = math.sqrt(float(self._squares.sum())) / self._divisor
            if math.isfinite(norm):
                factor = min(1.0, limit / (norm + 1e-6)) / self._divisor
                for part in self._parts if factor != 1 else ():
                    part.multiply(factor)
        return norm

    def _tell_table(self, at: int) -> Tensor | None:
        """Write a table's gradient for the others; returns the rows that have one, or None: all, or no gradient."""
        gradient, slot = self._weights[at].grad, self._slot(self._rank, at)
        if gradient is None:
            return None
        rows = touched_rows(gradient).nonzero().flatten()
        if 2 * len(rows) >= len(gradient):
            first, last = self._layout.rows(at, self._rank)
            slot[:first] = gradient[:first]
            slot[last:] = gradient[last:]
            return None
        self._row_numbers(self._rank, at)[: len(rows)] = rows
        torch.index_select(gradient, 0, rows, out=slot[: len(rows)])
        return rows

    def _tell_others(self) -> None:
        gradients = [(at, self._weights[at].grad) for at in self._layout.others]
        if gradients:
            parts = [self._zeros[at] if each is None else each.reshape(-1) for at, each in gradients]
            torch.cat(parts, out=self._slots[self._rank, self._layout.block :])

    def _add_table(self, at: int, own: Tensor | None, kinds: Sequence[int]) -> Tensor:
        """The sum of all processes' gradients of this one's rows of a table."""
        first, last = self._layout.rows(at, self._rank)
        gradient = self._weights[at].grad
        table = (torch.zeros(self._layout.shapes[at]) if gradient is None else gradient)[first:last]
        few = all(kind != _ALL for kind in kinds)
        touched = [] if own is None else [own[slice(*_between(own, first, last))] - first]
        for rank in range(self._processes):
            if rank == self._rank or kinds[rank] == _NONE:
                continue
            slot = self._slot(rank, at)
            if kinds[rank] == _ALL:
                table += slot[first:last]
                continue
            rows = self._row_numbers(rank, at)[: kinds[rank]]
            start, stop = _between(rows, first, last)
            chosen = rows[start:stop] - first
            table.index_add_(0, chosen, slot[start:stop])
            touched.append(chosen)
        if few:
            rows = torch.cat(touched).unique()
            self._parts.append(_Part(table.index_select(0, rows), table, rows))
        else:
            self._parts.append(_Part(table))
        return table

    def _add_others(self) -> None:
        share = self._slots[:, self._first : self._last]
        total = share[self._rank]
        for rank in range(self._processes):
            if rank != self._rank:
                total += share[rank]
        self._parts.append(_Part(total))

    def _slot(self, rank: int, at: int) -> Tensor:
        shape, begin = self._layout.shapes[at], self._layout.begin[at]
        return self._slots[rank, begin : begin + shape.numel()].view(shape)

    def _row_numbers(self, rank: int, at: int) -> Tensor:
        begin = self._layout.first_row[at]
        return self._rows[rank, begin : begin + self._layout.shapes[at][0]]


def _between(rows: Tensor, first: int, last: int) -> tuple[int, int]:
    """Where sorted row numbers from ``first`` on begin, and those from ``last`` on."""
    start, stop = torch.searchsorted(rows, torch.tensor([first, last])).tolist()
    return start, stop
