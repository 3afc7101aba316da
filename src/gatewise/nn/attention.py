"""Attention of queries over a sequence of values, for decoders that look at their input while they write."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gatewise.errors import OptionError

__all__ = ["SCORES", "Attention"]

SCORES = ("additive", "multiplicative")


class Attention(nn.Module):
    """A weighted mean of values for each query, the weights from how well query and value fit.

    ::

        multiplicative (Luong, Pham and Manning, 2015, "general")    s = q . W v
        additive (Bahdanau, Cho and Bengio, 2015)                    s = u . tanh(W q + U v)
        weights a = softmax of s over the values                     context = sum a v

    With `coverage` (after Tu et al., 2016), s + (q . w) seen instead of s, where seen is how much each value has been
    attended to so far: so a query can ask for what has not been looked at, whatever that is.

    What depends on the values alone (`keys`) is computed once for all queries. Axis letters: B batch, T queries, S
    values, Q and V their widths.

    Args:
        query_size: Q.
        value_size: V.
        score: ``multiplicative`` or ``additive``.
        size: width of the additive score's hidden layer; None: Q.
        coverage: whether scores depend on what has been attended to.

    Raises:
        OptionError: an unknown score.

    Example:
        >>> attention = Attention(4, 6)
        >>> values = torch.randn(2, 5, 6)
        >>> context, weights = attention(torch.randn(2, 3, 4), attention.keys(values), values)
        >>> context.shape, weights.shape, bool((weights.sum(2) - 1).abs().max() < 1e-5)
        (torch.Size([2, 3, 6]), torch.Size([2, 3, 5]), True)
    """

    def __init__(
        self,
        query_size: int,
        value_size: int,
        score: str = "multiplicative",
        size: int | None = None,
        *,
        coverage: bool = False,
    ) -> None:
        super().__init__()
        if score not in SCORES:
            raise OptionError("unknown score of an attention", expected=", ".join(SCORES), got=repr(score))
        self.score = score
        width = query_size if score == "multiplicative" or size is None else size
        self.of_values = nn.Linear(value_size, width, bias=score == "additive")
        if score == "additive":
            self.of_queries = nn.Linear(query_size, width, bias=False)
            self.sum = nn.Parameter(torch.empty(width).uniform_(-1 / math.sqrt(width), 1 / math.sqrt(width)))
        self.of_seen = nn.Linear(query_size, 1, bias=False) if coverage else None

    def keys(self, values: Tensor) -> Tensor:
        """What is compared with the queries: (B, S, V) gives (B, S, width)."""
        found: Tensor = self.of_values(values)
        return found

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        real: Tensor | None = None,
        seen: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            queries: (B, T, Q).
            keys: (B, S, width), of `keys`.
            values: (B, S, V).
            real: (B, S) bool, False where there is only padding; None: all are real. Each row has a real value.
            seen: (B, T, S), how much each value has been attended to before each query; with `coverage` alone.

        Returns:
            The contexts (B, T, V), and the weights (B, T, S), which sum to 1 over S.
        """
        if self.score == "additive":
            scores = torch.tanh(self.of_queries(queries)[:, :, None] + keys[:, None]) @ self.sum
        else:
            scores = torch.bmm(queries, keys.transpose(1, 2))
        if self.of_seen is not None and seen is not None:
            scores = scores + self.of_seen(queries) * seen
        if real is not None:
            scores = scores.masked_fill(~real[:, None], -math.inf)
        weights = scores.softmax(dim=2)
        return torch.bmm(weights, values), weights
