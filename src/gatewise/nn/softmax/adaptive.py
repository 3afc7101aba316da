"""The adaptive softmax: frequent tokens in full, rare ones in clusters with smaller weights (Grave et al., 2017)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.errors import OptionError
from gatewise.nn.softmax.loss import chunked_cross_entropy, token_losses

__all__ = ["AdaptiveSoftmax", "default_cutoffs"]


def default_cutoffs(vocabulary_size: int) -> tuple[int, ...]:
    """Where the clusters begin: after a tenth of the tokens, and after four tenths.

    Example:
        >>> default_cutoffs(20_000)
        (2000, 8000)
    """
    places = (vocabulary_size // 10, vocabulary_size * 4 // 10)
    return tuple(dict.fromkeys(place for place in places if 0 < place < vocabulary_size))


class AdaptiveSoftmax(nn.Module):
    """An exact distribution over V tokens, sorted by falling frequency, whose rare ones cost little.

    ::

        p(v) = softmax(W_0 h)_v                                     v among the frequent tokens
        p(v) = softmax(W_0 h)_cluster * softmax(W_c P_c h)_v        v in cluster c; P_c: (H / 4^c, H)

    The same function as ``torch.nn.AdaptiveLogSoftmaxWithLoss`` without the head's bias; here no scores of all tokens
    are held.

    Args:
        size: H.
        vocabulary_size: V.
        cutoffs: first token of each cluster; None: `default_cutoffs`.

    Raises:
        OptionError: the cutoffs do not rise within the vocabulary, or the vocabulary is too small to be divided.

    Example:
        >>> softmax = AdaptiveSoftmax(8, 100)
        >>> chances = softmax.log_probabilities(torch.randn(2, 8)).exp()
        >>> chances.shape, bool(torch.allclose(chances.sum(dim=1), torch.ones(2)))
        (torch.Size([2, 100]), True)
    """

    def __init__(self, size: int, vocabulary_size: int, cutoffs: tuple[int, ...] | None = None) -> None:
        super().__init__()
        cutoffs = default_cutoffs(vocabulary_size) if cutoffs is None else tuple(cutoffs)
        if not cutoffs or list(cutoffs) != sorted(set(cutoffs)) or not 0 < cutoffs[0] <= cutoffs[-1] < vocabulary_size:
            raise OptionError(
                "the adaptive softmax cannot divide the vocabulary",
                expected=f"rising cutoffs from 1 to {vocabulary_size - 1}",
                got=cutoffs,
                fix="use the full softmax for a small vocabulary",
            )
        self.cutoffs = cutoffs
        self.borders = (*cutoffs, vocabulary_size)
        self.head = nn.Parameter(torch.empty(cutoffs[0] + len(cutoffs), size))
        self.projections, self.tails = nn.ParameterList(), nn.ParameterList()
        for number, (start, stop) in enumerate(zip(cutoffs, self.borders[1:], strict=True)):
            inner = max(1, size // 4 ** (number + 1))
            self.projections.append(torch.empty(inner, size))
            self.tails.append(torch.empty(stop - start, inner))
        for weight in self.parameters():
            bound = 1 / math.sqrt(weight.shape[1])
            nn.init.uniform_(weight, -bound, bound)

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Mean negative log-likelihood of targets (N,) after hidden (N, H), in nats."""
        heads, members = self._divide(targets)
        total = chunked_cross_entropy(hidden, self.head, None, heads)
        for number, rows in enumerate(members):
            if len(rows):
                inner = hidden[rows] @ self.projections[number].t()
                part = chunked_cross_entropy(inner, self.tails[number], None, targets[rows] - self.cutoffs[number])
                total = total + part * (len(rows) / len(targets))
        return total

    def losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Each token's negative log-likelihood (N,), in nats, without gradient."""
        with torch.no_grad():
            heads, members = self._divide(targets)
            found = token_losses(hidden, self.head, None, heads)
            for number, rows in enumerate(members):
                if len(rows):
                    inner = hidden[rows] @ self.projections[number].t()
                    goals = targets[rows] - self.cutoffs[number]
                    found[rows] += token_losses(inner, self.tails[number], None, goals)
            return found

    def log_probabilities(self, hidden: Tensor) -> Tensor:
        """ln p of every token: (N, V)."""
        head = functional.linear(hidden, self.head).log_softmax(dim=1)
        frequent = self.cutoffs[0]
        parts = [head[:, :frequent]]
        for number, tail in enumerate(self.tails):
            inner = functional.linear(functional.linear(hidden, self.projections[number]), tail)
            parts.append(head[:, frequent + number, None] + inner.log_softmax(dim=1))
        return torch.cat(parts, dim=1)

    def _divide(self, targets: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Each token's place in the head, and the rows of each cluster's tokens."""
        heads, members = targets.clone(), []
        for number, (start, stop) in enumerate(zip(self.cutoffs, self.borders[1:], strict=True)):
            inside = (targets >= start) & (targets < stop)
            heads[inside] = self.cutoffs[0] + number
            members.append(inside.nonzero()[:, 0])
        return heads, members
