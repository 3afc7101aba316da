"""Gradients that refuse to be differentiated again, also where another way leads to the same tensor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["once"]


class _Once(torch.autograd.Function):
    """A gradient that depends on everything it was computed from, and cannot say how.

    ``torch.autograd.function.once_differentiable`` would cut it off instead: where the input is also reached by another
    way, a second derivative would silently lack a part.
    """

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *sources: Tensor) -> Tensor:
        """The gradient."""
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Refuse."""
        raise RuntimeError(
            "the Triton kernels have no second derivative; run with GATEWISE_KERNEL=reference, or inside "
            "gatewise.kernels.dispatch.force('reference'), for gradients of gradients"
        )


def once(gradients: Iterable[Tensor | None], sources: Iterable[Tensor | None]) -> list[Tensor | None]:
    """The gradients as they are, or where ``create_graph`` asks for their graph, as ones that refuse it.

    Args:
        gradients: what a backward pass computed.
        sources: what it computed them from.

    Example:
        >>> gradient = torch.ones(2)
        >>> once([gradient, None], [])[0] is gradient
        True
    """
    needed = [each for each in sources if each is not None and each.requires_grad]
    if not torch.is_grad_enabled() or not needed:
        return list(gradients)
    return [None if each is None else _Once.apply(each, *needed) for each in gradients]
