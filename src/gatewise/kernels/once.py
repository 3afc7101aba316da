"""Gradients that refuse to be differentiated again, also where another way leads to the same tensor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["once", "refusal"]


def refusal(kernels: str) -> str:
    """What is said where a second derivative of these kernels is asked for.

    Args:
        kernels: which, in the plural.

    Example:
        >>> refusal("the fused kernels").partition(";")[0]
        'the fused kernels have no second derivative'
    """
    return (
        f"{kernels} have no second derivative; run with GATEWISE_KERNEL=reference, or inside "
        "gatewise.kernels.dispatch.force('reference'), for gradients of gradients"
    )


class _Once(torch.autograd.Function):
    """A gradient that depends on everything it was computed from, and cannot say how."""

    @staticmethod
    def forward(ctx: Any, message: str, gradient: Tensor, *sources: Tensor) -> Tensor:
        """The gradient."""
        ctx.message = message
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Refuse."""
        raise RuntimeError(ctx.message)


def once(gradients: Iterable[Tensor | None], sources: Iterable[Tensor | None], message: str) -> list[Tensor | None]:
    """The gradients as they are, or where ``create_graph`` asks for their graph, as ones that refuse it.

    ``torch.autograd.function.once_differentiable``, and a gradient that counts as a leaf, would cut the graph off
    instead: where a source also reaches the loss by another way, a second derivative would silently lack a part.

    Args:
        gradients: what a backward pass computed, without a graph.
        sources: what it computed them from, with their graphs: the differentiable inputs, and the gradients of the
            outputs.
        message: the error of a second derivative; says what to do instead.

    Example:
        >>> gradient = torch.ones(2)
        >>> once([gradient, None], [], "none")[0] is gradient
        True
        >>> source = torch.ones(2, requires_grad=True)
        >>> once([gradient], [source], "no second derivative")[0].sum().backward()
        Traceback (most recent call last):
        RuntimeError: no second derivative
    """
    if not torch.is_grad_enabled():
        return list(gradients)
    needed = [each for each in sources if each is not None and each.requires_grad]
    if not needed:
        return list(gradients)
    return [None if each is None else _Once.apply(message, each, *needed) for each in gradients]
