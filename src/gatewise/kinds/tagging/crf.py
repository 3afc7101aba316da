"""A linear-chain conditional random field (Lafferty, McCallum and Pereira, 2001) over the tags of a sentence.

::

    score(y) = start[y_1] + sum_t emission[t, y_t] + sum_t transition[y_t-1, y_t] + end[y_T]
    p(y)     = exp(score(y)) / Z,     Z = sum over all y of exp(score(y))

Emissions are (T, B, C), time first, each row up to its own length; transitions are (C, C), from row to column, -inf
where a move is forbidden. Padding past a row's end is never read.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

from gatewise.errors import ShapeError
from gatewise.kernels.once import once
from gatewise.kinds.tagging.chains import chain

__all__ = ["ConditionalRandomField", "log_partition", "marginals", "path_score", "viterbi"]

_REFUSAL = (
    "the CRF's log Z has no second derivative: its gradient, the marginals, is computed in closed form without a graph"
)


class _LogPartition(torch.autograd.Function):
    """log Z with the gradient in closed form: the marginals of tags and moves."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
    ) -> Tensor:
        ctx.chain = chain(emissions, transitions, start, end, lengths)
        ctx.save_for_backward(emissions, transitions, start, end)  # read with create_graph=True alone
        value: Tensor = ctx.chain.log_partition
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        with torch.no_grad():
            found: list[Tensor | None] = list(ctx.chain.expectations(gradient))
        if torch.is_grad_enabled():
            found = once(found, (*ctx.saved_tensors, gradient), _REFUSAL)
        return *found, None


def log_partition(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> Tensor:
    """The logarithm of Z of every row, by the forward recursion; its gradient by forward and backward together.

    Args:
        emissions: (T, B, C).
        transitions: (C, C), from row to column.
        start: (C,).
        end: (C,).
        lengths: (B,) int64, each 1 to T.

    Returns:
        (B,).

    Example:
        >>> zero = torch.zeros(3)
        >>> log_partition(torch.zeros(2, 1, 3), torch.zeros(3, 3), zero, zero, torch.tensor([2])).exp()
        tensor([9.])
    """
    _check(emissions, transitions, lengths)
    value: Tensor = _LogPartition.apply(emissions, transitions, start, end, lengths)  # type: ignore[no-untyped-call]
    return value


def path_score(
    emissions: Tensor, tags: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
) -> Tensor:
    """The score of one sequence of tags per row.

    Args:
        emissions: (T, B, C).
        tags: (T, B) int64; anything from 0 to C - 1 past a row's end.
        transitions: (C, C).
        start: (C,).
        end: (C,).
        lengths: (B,) int64.

    Returns:
        (B,).
    """
    _check(emissions, transitions, lengths)
    real = _real(emissions, lengths)
    count = transitions.shape[0]
    chosen = emissions.gather(2, tags[:, :, None]).squeeze(2).masked_fill(~real, 0).sum(dim=0)
    moves = transitions.reshape(-1)[tags[:-1] * count + tags[1:]].masked_fill(~real[1:], 0).sum(dim=0)
    last = tags.gather(0, (lengths - 1)[None])[0]
    score: Tensor = chosen + moves + start[tags[0]] + end[last]
    return score


@torch.no_grad()
def marginals(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> Tensor:
    """The probability of each tag at each word.

    Returns:
        (T, B, C), each word's summing to 1; 0 past a row's end.
    """
    _check(emissions, transitions, lengths)
    tags, _, _, _ = chain(emissions, transitions, start, end, lengths).expectations(emissions.new_ones(lengths.shape))
    return tags


@torch.no_grad()
def viterbi(
    emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """The sequence of tags with the highest score (Viterbi, 1967); of equal ones the lower tag, from the end.

    Args:
        emissions: (T, B, C).
        transitions: (C, C); -inf is never taken.
        start: (C,).
        end: (C,).
        lengths: (B,) int64.

    Returns:
        Tags (T, B) int64, 0 past a row's end, and their scores (B,).
    """
    _check(emissions, transitions, lengths)
    steps, batch, count = emissions.shape
    best = torch.empty_like(emissions)
    torch.add(emissions[0], start, out=best[0])
    candidates = emissions.new_empty(count, batch, count)  # from, row, to
    moves, rows = transitions[:, None], best.unbind(0)
    for step, emission in enumerate(emissions.unbind(0)[1:], start=1):
        torch.add(rows[step - 1].t()[:, :, None], moves, out=candidates)
        torch.amax(candidates, 0, out=rows[step])
        rows[step].add_(emission)
    final = best[lengths - 1, torch.arange(batch, device=emissions.device)] + end
    scores, last = final.max(dim=1)
    tags = torch.zeros(steps, batch, dtype=torch.int64, device=emissions.device)
    current, into = last, transitions.t().contiguous()
    for step in range(steps - 1, -1, -1):
        if step + 1 < steps:
            before = (rows[step] + into[current]).argmax(dim=1)
            current = torch.where(lengths > step + 1, before, last)
        tags[step] = current
    return tags.masked_fill_(~_real(emissions, lengths), 0), scores


class ConditionalRandomField(nn.Module):
    """A CRF's own weights: transitions, start and end; moves that a scheme forbids have probability zero.

    Args:
        count: C tags.
        moves: (C, C) bool, which tag may follow which, see `schemes.allowed_moves`; None: any.
        starts: (C,) bool, which tag may begin a sentence.
        ends: (C,) bool, which tag may end it.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> field = ConditionalRandomField(3)
        >>> emissions, lengths = torch.zeros(4, 2, 3), torch.tensor([4, 2])
        >>> field(emissions, field.decode(emissions, lengths), lengths).shape
        torch.Size([2])
    """

    forbidden_moves: Tensor
    forbidden_starts: Tensor
    forbidden_ends: Tensor

    def __init__(
        self,
        count: int,
        moves: npt.ArrayLike | None = None,
        starts: npt.ArrayLike | None = None,
        ends: npt.ArrayLike | None = None,
    ) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.empty(count, count))
        self.start = nn.Parameter(torch.empty(count))
        self.end = nn.Parameter(torch.empty(count))
        for name, allowed, shape in (
            ("moves", moves, (count, count)),
            ("starts", starts, (count,)),
            ("ends", ends, (count,)),
        ):
            mask = (
                torch.ones(shape, dtype=torch.bool) if allowed is None else torch.as_tensor(allowed, dtype=torch.bool)
            )
            if mask.shape != shape:
                raise ShapeError(f"the CRF's {name} have another shape", expected=shape, got=tuple(mask.shape))
            self.register_buffer(f"forbidden_{name}", ~mask, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights from U(-0.1, 0.1)."""
        for weight in self.parameters():
            nn.init.uniform_(weight, -0.1, 0.1)

    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions (C, C), start (C,) and end (C,), -inf where forbidden."""
        return (
            self.transitions.masked_fill(self.forbidden_moves, -torch.inf),
            self.start.masked_fill(self.forbidden_starts, -torch.inf),
            self.end.masked_fill(self.forbidden_ends, -torch.inf),
        )

    def forward(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood of each row's tags in nats, (B,); see `log_partition` and `path_score`."""
        emissions = self._widened(emissions)
        transitions, start, end = self.weights()
        whole = log_partition(emissions, transitions, start, end, lengths)
        return whole - path_score(emissions, tags, transitions, start, end, lengths)

    def decode(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """The most probable tags, (T, B); see `viterbi`."""
        return viterbi(self._widened(emissions), *self.weights(), lengths)[0]

    def marginals(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Each tag's probability at each word, (T, B, C)."""
        return marginals(self._widened(emissions), *self.weights(), lengths)

    def _widened(self, emissions: Tensor) -> Tensor:
        """Emissions of half precision, as autocast gives them, in that of the weights."""
        return emissions.to(self.transitions.dtype)


def _real(emissions: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(emissions.shape[0], device=emissions.device)[:, None] < lengths


def _check(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> None:
    steps, batch, count = emissions.shape if emissions.dim() == 3 else (0, 0, 0)
    if steps == 0 or transitions.shape != (count, count) or lengths.shape != (batch,):
        raise ShapeError(
            "the CRF's input does not fit",
            expected="emissions (T, B, C) with T >= 1, transitions (C, C), lengths (B,)",
            got=f"{tuple(emissions.shape)}, {tuple(transitions.shape)}, {tuple(lengths.shape)}",
        )
