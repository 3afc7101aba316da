"""All gradients of a network in one tensor, so that one sum over the processes is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["FlatGradients"]


class FlatGradients:
    """The gradients of a network's weights side by side in one tensor, with figures of a step behind them.

    Args:
        weights: of the network.
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self.weights = list(weights)
        self._sizes = [weight.numel() for weight in self.weights]
        self._buffer = torch.empty(0)
        self._gradients: list[Tensor] = []

    def forget(self) -> None:
        """Drop the gradients of the step before."""
        for weight in self.weights:
            weight.grad = None

    def summed(self, figures: Sequence[float], add: Callable[[Tensor], None]) -> list[float]:
        """Sum the gradients of all processes; one that no process has stays None.

        Args:
            figures: further numbers to sum, the same number of them in every process.
            add: sums a tensor over the processes, in place.

        Returns:
            The sums of the figures.
        """
        extra = len(figures) + len(self.weights)
        if self._buffer.numel() != sum(self._sizes) + extra:
            self._buffer = torch.empty(sum(self._sizes) + extra)
            parts = self._buffer[:-extra].split(self._sizes)
            self._gradients = [part.view_as(weight) for part, weight in zip(parts, self.weights, strict=True)]
        there = [weight.grad is not None for weight in self.weights]
        with torch.no_grad():
            for own, weight in zip(self._gradients, self.weights, strict=True):
                own.zero_() if weight.grad is None else own.copy_(weight.grad)
            self._buffer[-extra:] = torch.tensor([*figures, *map(float, there)])
        add(self._buffer)
        sums: list[float] = self._buffer[-extra:].tolist()
        for own, weight, count in zip(self._gradients, self.weights, sums[len(figures) :], strict=True):
            weight.grad = own.to(weight.dtype) if count else None
        return sums[: len(figures)]

    def divide(self, divisor: float) -> None:
        """Divide the summed gradients; by 0: leave them as they are."""
        if divisor:
            self._buffer[: sum(self._sizes)] /= divisor
