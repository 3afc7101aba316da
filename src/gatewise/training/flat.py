"""All gradients of a network in one tensor, so that one sum over the processes is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

__all__ = ["LARGE", "FlatGradients", "touched_rows"]

LARGE = 2**18
"""A matrix of so many numbers is a table, of which perhaps few rows have a gradient."""


def touched_rows(gradient: Tensor) -> Tensor:
    """Of which rows of a table the gradient is not zero: (rows,), true or false.

    Example:
        >>> touched_rows(torch.tensor([[0.0, -1e-30], [0.0, 0.0]]))
        tensor([ True, False])
    """
    # by bytes, in one pass: a sum or a norm would take what is nearly zero for zero
    return gradient.contiguous().view(torch.uint8).amax(dim=1).ne(0)


class FlatGradients:
    """The gradients of a network's weights side by side in one tensor, with figures of a step behind them.

    Of a large table, such as an embedding, only the rows that have a gradient in any process are in it, where these are
    less than half of all: a first, small sum tells which. That changes the time and no number.

    Args:
        weights: of the network.
        add: sums a tensor over the processes, in place.

    Example:
        >>> weight = torch.zeros(2, requires_grad=True)
        >>> (6 * weight).sum().backward()
        >>> FlatGradients([weight], lambda values: values.mul_(3)).summed([4.0, 5.0]), weight.grad  # of three alike
        ([12.0, 15.0], tensor([1.5000, 1.5000]))
    """

    def __init__(self, weights: Sequence[Tensor], add: Callable[[Tensor], object]) -> None:
        self.weights = list(weights)
        self._add = add
        self._room = torch.empty(0)
        self._tables = [at for at, each in enumerate(self.weights) if each.ndim == 2 and each.numel() >= LARGE]

    def forget(self) -> None:
        """Drop the gradients of the step before."""
        for weight in self.weights:
            weight.grad = None

    def summed(self, figures: Sequence[float]) -> list[float]:
        """Sum the gradients of all processes and divide them by the first figure's sum; what no process has stays None.

        Args:
            figures: numbers to sum, as many in every process.

        Returns:
            The sums of the figures.
        """
        with torch.no_grad():
            rows = self._rows()
            parts = [self._part(at, rows[at]) for at in range(len(self.weights))]
            there = [float(weight.grad is not None) for weight in self.weights]
            last = torch.tensor([*figures, *there])
            buffer, ends = self._joined([*parts, last])
            self._add(buffer)
            sums: list[float] = buffer[ends[-2] :].tolist()
            if sums[0]:  # else no process has an example with a loss, and all gradients are zero
                buffer[: ends[-2]] /= sums[0]
            for at, (start, end) in enumerate(pairwise(ends[:-1])):
                self._take(at, buffer[start:end], rows[at], exists=sums[len(figures) + at] > 0)
        return sums[: len(figures)]

    def _rows(self) -> list[Tensor | None]:
        """Of each weight the rows that have a gradient in any process; None: all, or more than are worth a choice."""
        found: list[Tensor | None] = [None] * len(self.weights)
        if not self._tables:
            return found
        # as integers, which are exact for any number of processes
        masks = [self._used(self.weights[at]) for at in self._tables]
        used = torch.cat(masks)
        self._add(used)
        for at, mask in zip(self._tables, used.split([len(mask) for mask in masks]), strict=True):
            rows = mask.nonzero().flatten()
            found[at] = rows if 2 * len(rows) < len(mask) else None
        return found

    def _used(self, weight: Tensor) -> Tensor:
        if weight.grad is None:
            return torch.zeros(len(weight), dtype=torch.int32)
        return touched_rows(weight.grad).to(torch.int32)

    def _part(self, at: int, rows: Tensor | None) -> Tensor:
        weight = self.weights[at]
        if weight.grad is None:
            size = weight.numel() if rows is None else len(rows) * weight.shape[1]
            return torch.zeros(size, dtype=torch.float32)
        return (weight.grad if rows is None else weight.grad.index_select(0, rows)).flatten()

    def _joined(self, parts: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
        """Tensors one after the other in memory that is used again, and where each begins and ends."""
        ends = [0]
        for part in parts:
            ends.append(ends[-1] + len(part))
        if ends[-1] > len(self._room):
            self._room = torch.empty(ends[-1])
        for part, (start, end) in zip(parts, pairwise(ends), strict=True):
            self._room[start:end] = part
        return self._room[: ends[-1]], ends

    def _take(self, at: int, values: Tensor, rows: Tensor | None, *, exists: bool) -> None:
        """Give a weight its summed gradient."""
        weight = self.weights[at]
        if not exists:
            weight.grad = None
        elif rows is None:
            weight.grad = values.view_as(weight).to(weight.dtype)
        else:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            weight.grad.index_copy_(0, rows, values.view(len(rows), -1).to(weight.dtype))
