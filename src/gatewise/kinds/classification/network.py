"""Text classification: embedding, recurrent layers, pooling over time, linear head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.errors import OptionError, did_you_mean
from gatewise.kinds.classification.figures import ClassificationMetrics, classification_metrics
from gatewise.kinds.classification.spec import POOLINGS
from gatewise.nn import Recurrent

__all__ = ["ClassificationMetrics", "SequenceClassifier", "classification_metrics", "pool"]


_EMBEDDING_SCALE = 0.1


class SequenceClassifier(nn.Module):
    """Word numbers in, class scores out.

    ::

        x_t    = m * E[token_t]                          E: (V, embedding_size); m: one dropout mask per text
        h_1..T = recurrent(x_1..T)                       up to each text's own length
        p      = dropout(pool(h_1..T))
        y      = W p + b

    Args:
        vocabulary_size: V; entry 0 is padding.
        classes: C.
        cell: a registered recurrent cell.
        hidden_size: H.
        embedding_size: numbers per word.
        num_layers: L.
        bidirectional: D = 2 directions.
        pooling: one of `POOLINGS`; several are concatenated.
        recurrent_start: factor of the recurrent layers' weights as they are drawn.
        dropout: p on the inputs, between layers and before the head. The inputs' mask is drawn once per text and holds
            for all its steps (Gal and Ghahramani, 2016): it regularises a recurrence better than one per step.
        word_dropout: p with which a whole word is zeroed (Iyyer et al., 2015).

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = SequenceClassifier(50, 2, cell="gru", hidden_size=8, embedding_size=4)
        >>> model(torch.tensor([[4, 5], [7, 0]]), torch.tensor([2, 1])).shape
        torch.Size([2, 2])
    """

    def __init__(
        self,
        vocabulary_size: int,
        classes: int,
        *,
        cell: str = "gru",
        hidden_size: int = 128,
        embedding_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "last+mean+max",
        recurrent_start: float = 1.0,
        dropout: float = 0.5,
        word_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise OptionError(
                f"there is no pooling {pooling!r}", expected=", ".join(POOLINGS), fix=did_you_mean(pooling, POOLINGS)
            )
        self.pooling = pooling
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        self.recurrent = Recurrent(
            cell,
            embedding_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = word_dropout
        width = hidden_size * (2 if bidirectional else 1) * len(pooling.split("+"))
        self.head = nn.Linear(width, classes)
        with torch.no_grad():
            self.embedding.weight.normal_(std=_EMBEDDING_SCALE)
            self.embedding.weight[0].zero_()
            for name, weight in self.recurrent.named_parameters():
                if name.startswith(("weight_ih", "weight_hh")):
                    weight.mul_(recurrent_start)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Score texts.

        Args:
            tokens: (T, B) int64, time first, anything past a text's end.
            lengths: (B,) int64, on the CPU, each 1 to T.

        Returns:
            (B, C) scores; their softmax is the probability of each class.
        """
        return self.score(self.embed(tokens), lengths)

    def score(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Score texts whose words are embedded already: (T, B, embedding_size) to (B, C)."""
        output, _ = self.recurrent(embedded, lengths=lengths)
        pooled = pool(output, lengths, self.pooling, bidirectional=self.recurrent.bidirectional)
        scores: Tensor = self.head(self.dropout(pooled))
        return scores

    def embed(self, tokens: Tensor) -> Tensor:
        """Embedded words (T, B, embedding_size), in training with words and features dropped."""
        if self.training and self.word_dropout > 0:
            tokens = tokens.masked_fill(torch.rand(tokens.shape, device=tokens.device) < self.word_dropout, 0)
        embedded: Tensor = self.embedding(tokens)
        if not self.training or self.dropout.p == 0:
            return embedded
        mask: Tensor = self.dropout(embedded.new_ones(embedded.shape[1:]))
        return embedded * mask

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers in the last call, and why: ``implementation`` and ``reason``."""
        reasons = dict.fromkeys(choice.reason for _, choice in self.recurrent.choices)
        return {"implementation": self.recurrent.kernel or "not run yet", "reason": "; ".join(reasons)}


def pool(output: Tensor, lengths: Tensor, pooling: str, *, bidirectional: bool = False) -> Tensor:
    """Turn the steps of each text into one vector; steps past its end never count.

    Args:
        output: (T, B, D*H), zero past each text's end.
        lengths: (B,), each 1 to T.
        pooling: ``last`` (the state after the last step; of the backward direction: after the first), ``mean``,
            ``max``, or several joined with ``+``.
        bidirectional: D = 2.

    Returns:
        (B, parts * D*H).

    Example:
        >>> output = torch.tensor([[[1.0]], [[3.0]], [[0.0]]])
        >>> pool(output, torch.tensor([2]), "last+mean+max")
        tensor([[3., 2., 3.]])
    """
    lengths = lengths.to(output.device)
    parts = []
    for kind in pooling.split("+"):
        if kind == "mean":
            parts.append(output.sum(dim=0) / lengths[:, None].to(output.dtype))
        elif kind == "max":
            past_end = torch.arange(output.shape[0], device=output.device)[:, None] >= lengths
            parts.append(output.masked_fill(past_end[..., None], -torch.inf).amax(dim=0))
        else:
            width = output.shape[2] // 2 if bidirectional else output.shape[2]
            rows = torch.arange(output.shape[1], device=output.device)
            parts.append(output[lengths - 1, rows, :width])
            if bidirectional:
                parts.append(output[0, :, width:])
    return torch.cat(parts, dim=1)


def classification_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy in nats of scores (B, C) against labels (B,)."""
    return functional.cross_entropy(scores, labels)
