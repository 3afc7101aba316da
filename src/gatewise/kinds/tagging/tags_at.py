r"""The chances of the tags of one word under a CRF, given the whole sentence, with their gradient in closed form.

::

    d ln p(y_p = c) / d emission[t, j] = p(y_t = j | y_p = c) - p(y_t = j)

Given all emissions the tags are a Markov chain from the word p outwards, so that the first term, weighted by the
gradient that comes from above, is a vector walked step by step: no copy of the sentence for every tag.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gatewise.kinds.tagging.chains import Scaled, chain

__all__ = ["log_chances_at"]


def log_chances_at(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, place: int) -> Tensor:
    """The logarithm of the probability of every tag at one word; differentiable once, by the emissions alone.

    Args:
        emissions: (T, B, C), rows of one length.
        transitions: (C, C), from row to column, -inf where forbidden.
        start: (C,).
        end: (C,).
        place: the word, from 0; negative from the end.

    Returns:
        (B, C); -inf where no sequence has the tag there.

    Example:
        >>> zero = torch.zeros(2)
        >>> log_chances_at(torch.zeros(3, 1, 2), torch.zeros(2, 2), zero, zero, 1).exp()
        tensor([[0.5000, 0.5000]])
    """
    found: Tensor = _LogChances.apply(emissions, transitions, start, end, place % len(emissions))  # type: ignore[no-untyped-call]
    return found


class _LogChances(torch.autograd.Function):
    """ln p(y_place = c) of every row and tag."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, place: int
    ) -> Tensor:
        lengths = torch.full((emissions.shape[1],), len(emissions), device=emissions.device)
        # in double precision chances as small as 1e-300 are none of zero
        ctx.chain = chain(emissions.double(), transitions.double(), start.double(), end.double(), lengths)
        ctx.place, ctx.dtype = place, emissions.dtype
        return _log_chances(ctx.chain, place).to(emissions.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        walked = _walked(ctx.chain, ctx.place, gradient.to(ctx.chain.forward.dtype))
        total = gradient.sum(dim=1, keepdim=True)
        return (walked - total * _chances(ctx.chain)).to(ctx.dtype), None, None, None, None


def _log_chances(run: Any, place: int) -> Tensor:
    if isinstance(run, Scaled):
        return (run.products[place] / run.whole[place][:, None]).log()
    found: Tensor = run.forward[place] + run.backward[place] - run._whole[:, None]
    return found


def _chances(run: Any) -> Tensor:
    """(T, B, C) of every word."""
    if isinstance(run, Scaled):
        return run.products / run.whole[:, :, None]
    found: Tensor = (run.forward + run.backward - run._whole[:, None]).exp()
    return found


def _walked(run: Any, place: int, gradient: Tensor) -> Tensor:
    """(T, B, C): the gradient of the tags at a place, carried to all words by the chances of neighbours given it."""
    found = torch.empty_like(run.forward)
    found[place] = gradient
    after, before = (_after, _before) if isinstance(run, Scaled) else (_after_in_logarithms, _before_in_logarithms)
    for step in range(place + 1, len(found)):
        found[step] = after(run, step, found[step - 1])
    for step in range(place - 1, -1, -1):
        found[step] = before(run, step, found[step + 1])
    return found


def _after(run: Any, step: int, carried: Tensor) -> Tensor:
    """From the word before: p(y_t = j | y_t-1 = i) ~ M[i, j] e_t[j] b_t[j]."""
    inner: Tensor = run.inner[step]
    found: Tensor = (_share(carried, inner @ run.moves.t()) @ run.moves) * inner
    return found


def _before(run: Any, step: int, carried: Tensor) -> Tensor:
    """From the word after: p(y_t = i | y_t+1 = j) ~ a_t[i] M[i, j]."""
    forward: Tensor = run.forward[step]
    found: Tensor = (_share(carried, forward @ run.moves) @ run.moves.t()) * forward
    return found


def _share(carried: Tensor, whole: Tensor) -> Tensor:
    """The quotient; 0 for tags that no sequence has."""
    return torch.where(whole > 0, carried / whole, 0.0)


def _after_in_logarithms(run: Any, step: int, carried: Tensor) -> Tensor:
    inner = run.transitions + (run.emissions[step] + run.backward[step])[:, None]
    return torch.einsum("bi,bij->bj", carried, inner.softmax(dim=2).nan_to_num(0.0))


def _before_in_logarithms(run: Any, step: int, carried: Tensor) -> Tensor:
    inner = run.forward[step][:, :, None] + run.transitions
    return torch.einsum("bj,bij->bi", carried, inner.softmax(dim=1).nan_to_num(0.0))
