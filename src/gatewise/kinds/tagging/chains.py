"""Forward and backward recursions of a linear chain in one pass, in scaled probabilities or in logarithms.

::

    forward    a_1 = start * e_1,   a_t = (a_t-1 M) * e_t          M = exp(transition), e = exp(emission)
    backward   b_L = end,           b_t-1 = M (e_t * b_t)          (Rabiner, 1989, with his scaling)
    tags       p(y_t = c)                ~ a_t[c] * b_t[c]
    moves      p(y_t-1 = i, y_t = j)     ~ a_t-1[i] * M[i, j] * e_t[j] * b_t[j]

The backward recursion of g_t = e_t * b_t has the same form as the forward one, with M transposed and the row reversed:
so one batched product per step serves both. Scaled probabilities can lose a path whose weight falls below the smallest
number of the precision; where that could matter the logarithms are taken instead, at several times the cost.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Chain", "Logarithms", "Scaled", "chain"]

_RESCALE = 2
_MARGIN = 100.0

Expectations = tuple[Tensor, Tensor, Tensor, Tensor]


class Chain(Protocol):
    """The results of the recursions.

    Attributes:
        log_partition: (B,).
    """

    log_partition: Tensor

    def expectations(self, weights: Tensor) -> Expectations:
        """Expected counts under the model, each row times its weight.

        Args:
            weights: (B,).

        Returns:
            Tags (T, B, C), 0 past a row's end; moves (C, C); first tags (C,); last tags (C,).
        """
        ...


def chain(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> Chain:
    """Run both recursions, scaled where that is exact, else in logarithms.

    Args:
        emissions: (T, B, C).
        transitions: (C, C), -inf where forbidden.
        start: (C,).
        end: (C,).
        lengths: (B,) int64, each 1 to T.

    Example:
        >>> zero = torch.zeros(3)
        >>> run = chain(torch.zeros(2, 1, 3), torch.zeros(3, 3), zero, zero, torch.tensor([2]))
        >>> type(run).__name__, run.log_partition.exp()
        ('Scaled', tensor([9.]))
        >>> far = torch.tensor([[[0.0, 500.0, 0.0]]])
        >>> type(chain(far, torch.zeros(3, 3), zero, zero, torch.tensor([1]))).__name__
        'Logarithms'
    """
    with torch.no_grad():
        emissions, transitions, start, end = (each.detach() for each in (emissions, transitions, start, end))
        scaled = Scaled(emissions, transitions, start, end, lengths)
        return scaled if scaled.exact else Logarithms(emissions, transitions, start, end, lengths)


class Scaled:
    """The recursions on probabilities, rescaled to sum 1 every few steps.

    Attributes:
        exact: whether no relevant path underflowed: no single step spans more than the precision, and the product of
            forward and backward, by which every marginal is divided, is far above its smallest number.
        log_partition: (B,).
    """

    def __init__(self, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> None:
        steps, batch, _ = emissions.shape
        place = torch.arange(steps, device=emissions.device)[:, None]
        self.real = place < lengths
        self.lengths = lengths
        clean = emissions.masked_fill(~self.real[:, :, None], 0)
        peaks = clean.amax(dim=2, keepdim=True)
        factors = (clean - peaks).exp_()
        most = transitions.max(), start.max(), end.max()
        self.moves = (transitions - most[0]).exp_()
        edges = torch.stack([start - most[1], end - most[2]]).exp_()
        # position of step t when the row is read from its end, as rows of (T * B, C)
        mirrored = (lengths - 1 - place).clamp_min_(0) * batch + torch.arange(batch, device=emissions.device)
        self._mirrored = mirrored.reshape(-1)
        both = torch.stack([factors, self._mirror(factors)], dim=1)
        before, after, logs = _recursion(both, edges, torch.stack([self.moves, self.moves.t()]))
        self.forward = after[:, 0]
        self.backward = self._mirror(before[:, 1])  # b_t
        self.inner = self._mirror(after[:, 1])  # e_t * b_t, up to scale
        self.products = self.forward * self.backward
        self.whole = self.products.sum(dim=2)
        last = (lengths - 1)[None]
        self.log_partition = (
            self.whole.gather(0, last)[0].log()
            + logs.gather(0, last // _RESCALE)[0]
            + peaks.squeeze(2).sum(dim=0)
            + (lengths - 1) * most[0]
            + (most[1] + most[2])
        )
        self.exact = self._is_exact(factors, torch.cat([self.moves.reshape(-1), edges.reshape(-1)]))

    def expectations(self, weights: Tensor) -> Expectations:
        """See `Chain.expectations`."""
        scale = (weights / self.whole).masked_fill(~self.real, 0)[:, :, None]
        tags = self.products * scale
        count = self.moves.shape[0]
        left = self.forward[:-1] * scale[:-1] * self.real[1:, :, None]
        moves = self.moves * (left.reshape(-1, count).t() @ self.inner[1:].reshape(-1, count))
        last = tags[self.lengths - 1, torch.arange(len(self.lengths), device=tags.device)]
        return tags, moves, tags[0].sum(dim=0), last.sum(dim=0)

    def _mirror(self, values: Tensor) -> Tensor:
        """Reverse each row (T, B, C) within its own length; padding holds arbitrary values of the row."""
        return values.reshape(-1, values.shape[2]).index_select(0, self._mirrored).view(values.shape)

    def _is_exact(self, factors: Tensor, moves: Tensor) -> bool:
        tiny = torch.finfo(factors.dtype).tiny
        span = factors.min() * torch.where(moves > 0, moves, 1.0).min() > _MARGIN * tiny
        kept = self.whole.masked_fill(~self.real, 1.0).min() > tiny**0.5
        return bool(span & kept)


def _recursion(factors: Tensor, edges: Tensor, moves: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both recursions in one batched product per step.

    Args:
        factors: (T, 2, B, C).
        edges: (2, C), factors before the first step.
        moves: (2, C, C).

    Returns:
        (T, 2, B, C) before and after each step's factor, and (T // _RESCALE + 1, B): the sum of the logarithms that
        the forward recursion was divided by, after each rescaling.
    """
    steps, _, batch, _ = factors.shape
    before, after = torch.empty_like(factors), torch.empty_like(factors)
    sums = factors.new_ones((steps - 1) // _RESCALE + 1, 2, batch, 1)
    before[0] = edges[:, None]
    torch.mul(before[0], factors[0], out=after[0])
    befores, afters, each = before.unbind(0), after.unbind(0), factors.unbind(0)
    for step in range(1, steps):
        torch.bmm(afters[step - 1], moves, out=befores[step])
        torch.mul(befores[step], each[step], out=afters[step])
        if step % _RESCALE == 0:
            torch.sum(afters[step], 2, keepdim=True, out=sums[step // _RESCALE])
            afters[step].div_(sums[step // _RESCALE])
    return before, after, sums[:, 0, :, 0].log().cumsum(dim=0)


class Logarithms:
    """The recursions on logarithms in double precision: any input that is finite, several times slower."""

    def __init__(self, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> None:
        steps, _, _ = emissions.shape
        self.dtype = emissions.dtype
        self.real = torch.arange(steps, device=emissions.device)[:, None] < lengths
        self.lengths, self.transitions = lengths, transitions.double()
        self.emissions = emissions.double().masked_fill(~self.real[:, :, None], 0)
        forward = [start.double() + self.emissions[0]]
        for emission in self.emissions[1:]:
            forward.append(torch.logsumexp(forward[-1][:, :, None] + self.transitions, dim=1) + emission)
        last = end.double()
        backward = [last.expand_as(emissions[0])]
        for step in range(steps - 1, 0, -1):
            inner = torch.logsumexp(self.transitions + (self.emissions[step] + backward[-1])[:, None], dim=2)
            backward.append(torch.where(self.real[step][:, None], inner, last))
        self.forward, self.backward = torch.stack(forward), torch.stack(backward[::-1])
        self._whole = torch.logsumexp(self.forward[0] + self.backward[0], dim=1)
        self.log_partition = self._whole.to(self.dtype)

    def expectations(self, weights: Tensor) -> Expectations:
        """See `Chain.expectations`."""
        past = ~self.real[:, :, None]
        wide = weights.double()[:, None]
        tags = (self.forward + self.backward - self._whole[:, None]).exp().mul(wide).masked_fill(past, 0)
        moves = torch.zeros_like(self.transitions)
        for step in range(1, len(self.emissions)):
            inner = self.emissions[step] + self.backward[step] - self._whole[:, None]
            pairs = (self.forward[step - 1][:, :, None] + self.transitions + inner[:, None]).exp() * wide[:, :, None]
            moves += pairs.masked_fill(past[step][:, :, None], 0).sum(dim=0)
        last = tags[self.lengths - 1, torch.arange(len(self.lengths), device=tags.device)]
        counts = tags, moves, tags[0].sum(dim=0), last.sum(dim=0)
        return counts[0].to(self.dtype), counts[1].to(self.dtype), counts[2].to(self.dtype), counts[3].to(self.dtype)
