"""Cross-entropy over a large vocabulary that never holds all scores at once.

The scores of N tokens over V words are N*V numbers, most of the memory and most of the time of a small language model.
Here they are computed for a few tokens at a time together with their gradients, so that each score is computed once
and not kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gatewise.errors import ShapeError
from gatewise.kernels.once import once
from gatewise.nn.softmax.products import product

__all__ = ["chunked_cross_entropy", "smoothed_cross_entropy", "token_losses"]

_CHUNK_BYTES = 12 << 20
_SMALLEST = 1e-30
"""Probabilities below this are taken from their logarithm instead."""
_REFUSAL = (
    "the chunked cross-entropy has no second derivative; for gradients of gradients take "
    "functional.cross_entropy(functional.linear(hidden, weight, bias), targets)"
)


def chunked_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, *, chunk_rows: int | None = None
) -> Tensor:
    """Mean cross-entropy of a full softmax over V words, in nats::

        z = W h + b        loss = mean over tokens of (log sum_v exp z_v - z_target)

    The value and the gradients equal those of ``functional.cross_entropy(hidden @ weight.T + bias, targets)``. The
    gradients of hidden, weight and bias are computed together with the value, so the backward pass only scales them.

    Args:
        hidden: (N, H), one row a token.
        weight: W, (V, H).
        bias: b, (V,), or None.
        targets: (N,) int64, each 0 to V-1.
        chunk_rows: tokens whose scores are held at once; None: as many as fit the processor's cache.

    Returns:
        Scalar, in the precision of hidden.

    Raises:
        ShapeError: shapes that do not fit, or no token.

    Example:
        >>> hidden = torch.zeros(3, 2, requires_grad=True)
        >>> loss = chunked_cross_entropy(hidden, torch.ones(4, 2), None, torch.tensor([0, 1, 3]))
        >>> round(loss.exp().item(), 4)
        4.0
    """
    _check(hidden, weight, bias, targets)
    if not torch.is_grad_enabled():
        return token_losses(hidden, weight, bias, targets, chunk_rows=chunk_rows).mean()
    result: Tensor = _ChunkedCrossEntropy.apply(hidden, weight, bias, targets, _rows(chunk_rows, weight), 0.0)[0]
    return result


def smoothed_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    smoothing: float,
    *,
    chunk_rows: int | None = None,
) -> tuple[Tensor, Tensor]:
    """`chunked_cross_entropy` with label smoothing (Szegedy et al., 2016), in nats::

        loss = mean over tokens of (1 - e) (-log p_target) + e / V sum_v (-log p_v)

    Args:
        hidden: (N, H).
        weight: (V, H).
        bias: (V,), or None.
        targets: (N,) int64.
        smoothing: e, 0 to below 1.
        chunk_rows: tokens whose scores are held at once.

    Returns:
        The loss to differentiate, and the mean negative log-likelihood of the targets, without gradient.

    Example:
        >>> loss, value = smoothed_cross_entropy(torch.ones(1, 2), torch.eye(2), None, torch.tensor([0]), 0.1)
        >>> round(loss.item(), 4), round(value.item(), 4)
        (0.6931, 0.6931)
    """
    _check(hidden, weight, bias, targets)
    found: tuple[Tensor, Tensor] = _ChunkedCrossEntropy.apply(
        hidden, weight, bias, targets, _rows(chunk_rows, weight), smoothing
    )
    return found


def token_losses(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, *, chunk_rows: int | None = None
) -> Tensor:
    """Each token's negative log-likelihood under the full softmax, in nats, without gradient.

    Args:
        hidden: (N, H).
        weight: (V, H).
        bias: (V,), or None.
        targets: (N,) int64.
        chunk_rows: tokens whose scores are held at once.

    Returns:
        (N,), in the precision of hidden.

    Example:
        >>> token_losses(torch.zeros(2, 3), torch.zeros(5, 3), None, torch.tensor([0, 4])).exp()
        tensor([5., 5.])
    """
    _check(hidden, weight, bias, targets)
    size = _rows(chunk_rows, weight)
    with torch.no_grad():
        parts = zip(hidden.detach().split(size), targets[:, None].split(size), strict=True)
        return torch.cat([_losses(part, weight, bias, goals) for part, goals in parts])


def _losses(part: Tensor, weight: Tensor, bias: Tensor | None, goals: Tensor) -> Tensor:
    """-log of the targets' probabilities for a few tokens, (N,)."""
    scores = product(part, weight, bias)
    if scores.dtype not in (torch.float32, torch.float64):  # probabilities of fewer digits are too coarse
        return functional.cross_entropy(scores, goals[:, 0], reduction="none")
    # in place, a third of the time of log_softmax, whose result has to be written beside the scores
    chosen = torch.softmax(scores, dim=1, out=scores).gather(1, goals)
    return _negative_log(chosen, part, weight, bias, goals)


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The value and, in the same pass, the gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        chunk_rows: int,
        smoothing: float,
    ) -> tuple[Tensor, Tensor]:
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        tokens = len(targets)
        losses, pull = hidden.new_empty(tokens), hidden.new_zeros(())
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        # laid out (H, V), because that product runs along the rows of the probabilities
        grad_weight: Tensor | None = None
        grad_bias = weight.new_zeros(weight.shape[0]) if wants_bias else None
        transposed = weight.t()
        for start in range(0, tokens, chunk_rows):
            rows = slice(start, start + chunk_rows)
            part, goals = hidden[rows], targets[rows, None]
            scores = product(part, weight, bias)
            if smoothing:
                # sum_v (-log p_v) / V = -log p_target + z_target - mean of z
                pull += (scores.gather(1, goals)[:, 0] - scores.mean(dim=1)).sum()
            chances = torch.softmax(scores, dim=1, out=scores)
            chosen = chances.gather(1, goals)
            losses[rows] = _negative_log(chosen, part, weight, bias, goals)
            chances.scatter_(1, goals, chosen - (1 - smoothing))
            if smoothing:
                chances -= smoothing / chances.shape[1]
            if grad_hidden is not None:
                grad_hidden[rows] = product(chances, transposed)
            if wants_weight:
                share = product(part.t(), chances.t())
                grad_weight = share if grad_weight is None else grad_weight.add_(share)
            if grad_bias is not None:
                grad_bias += chances.sum(dim=0)
        for gradient in (grad_hidden, grad_weight, grad_bias):
            if gradient is not None:
                gradient /= tokens
        # copied into the weight's own layout, in which a tied embedding's gradient is added ten times as fast
        weight_first = None if grad_weight is None else grad_weight.t().contiguous()
        ctx.gradients = (grad_hidden, weight_first, grad_bias)
        ctx.save_for_backward(hidden, weight, bias)  # read with create_graph=True alone
        value = losses.mean()
        ctx.mark_non_differentiable(value)
        return value + smoothing / tokens * pull, value

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        one = grad.item() == 1.0
        with torch.no_grad():
            gradients = [each if each is None or one else each * grad for each in ctx.gradients]
        if torch.is_grad_enabled():
            gradients = once(gradients, (*ctx.saved_tensors, grad), _REFUSAL)
        return *gradients, None, None, None


def _negative_log(chosen: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor | None, goals: Tensor) -> Tensor:
    """-log of the targets' probabilities (N, 1); where one is too small to be held, from the scores again."""
    losses = -chosen[:, 0].log()
    tiny = (chosen[:, 0] < _SMALLEST).nonzero()[:, 0]
    if len(tiny):
        losses[tiny] = functional.cross_entropy(product(hidden[tiny], weight, bias), goals[tiny, 0], reduction="none")
    return losses


def _rows(chunk_rows: int | None, weight: Tensor) -> int:
    if chunk_rows is not None:
        return max(1, chunk_rows)
    return max(16, _CHUNK_BYTES // (weight.shape[0] * weight.element_size()))


def _check(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> None:
    fits = hidden.dim() == 2 and weight.dim() == 2 and hidden.shape[1] == weight.shape[1]
    if not fits or targets.shape != hidden.shape[:1] or (bias is not None and bias.shape != weight.shape[:1]):
        raise ShapeError(
            "the cross-entropy's shapes do not fit",
            expected="hidden (N, H), weight (V, H), bias (V,) or None, targets (N,)",
            got=f"hidden {tuple(hidden.shape)}, weight {tuple(weight.shape)}, "
            f"bias {None if bias is None else tuple(bias.shape)}, targets {tuple(targets.shape)}",
        )
    if len(targets) == 0:
        raise ShapeError("the cross-entropy of no token is not defined", expected="at least one target")
