"""The weights of a network as the optimizer sees them: gradients, their norm, moments, averages."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["MOMENTS", "STEP", "Moments", "Weights"]

Moments = dict[str, Tensor]
"""Of one weight by Adam: ``step``, ``exp_avg`` and ``exp_avg_sq``."""

MOMENTS = ("exp_avg", "exp_avg_sq")
STEP = "step"


class Weights:
    """The weights of a network, all of which this process updates.

    Processes of one machine divide them instead, see `gatewise.training.shares.SharedWeights`.

    Args:
        model: the network.

    Attributes:
        named: its parameters by name.
    """

    def __init__(self, model: nn.Module) -> None:
        self.named = dict(model.named_parameters())

    def pieces(self, name: str) -> list[Tensor]:
        """What this process updates of a weight; the gradients are in their ``grad``."""
        return [self.named[name]]

    def clip(self, limit: float) -> float:
        """Scale the gradients so that their norm is ``limit`` at most, unless it is NaN or infinite.

        Returns:
            The norm before.
        """
        total = torch.nn.utils.get_total_norm([each.grad for each in self.named.values() if each.grad is not None])
        norm = float(total)
        if math.isfinite(norm) and limit / (total + 1e-6) < 1:  # else torch would multiply every gradient by one
            torch.nn.utils.clip_grads_with_norm_(self.named.values(), limit, total)
        return norm

    def first_moments(self, piece: Tensor) -> Moments | None:
        """Where Adam's moments of a piece are kept; None: in memory of their own, and zero at first."""
        return None

    def moments(self, name: str, held: Mapping[Tensor, Moments]) -> Moments | None:
        """Adam's moments of a whole weight; None: it never had a gradient.

        Args:
            name: of the weight.
            held: moments by piece.
        """
        return held.get(self.named[name])

    def restore(self, name: str, moments: Moments, held: dict[Tensor, Moments]) -> None:
        """Take over what `moments` gave.

        Args:
            name: of the weight.
            moments: of it.
            held: moments by piece; changed.
        """
        weight = self.named[name]
        held[weight] = {each: value.to(weight.device, copy=True) for each, value in moments.items()}

    def copies(self) -> dict[str, Tensor]:
        """Copies by name, for averages, which `own` then finds."""
        return {name: value.detach().clone() for name, value in self.named.items()}

    def own(self, copies: Mapping[str, Tensor] | None = None) -> list[Tensor]:
        """All pieces that this process updates, or those of copies."""
        return list((self.named if copies is None else copies).values())

    def finish(self) -> None:
        """To be called after each update."""
