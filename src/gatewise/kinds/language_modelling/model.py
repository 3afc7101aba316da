"""The network of a language model: embedding, recurrent layers, a softmax over the vocabulary."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.errors import OptionError
from gatewise.nn import Recurrent
from gatewise.nn.softmax.adaptive import AdaptiveSoftmax
from gatewise.nn.softmax.loss import chunked_cross_entropy, token_losses

__all__ = ["LanguageModel", "Read", "locked_dropout"]

_EMBEDDING_RANGE = 0.1
_LAYER_NAME = re.compile(r"_l0$")


class Read(NamedTuple):
    """The result of reading a block of tokens.

    Attributes:
        output: (T, B, H) of the last layer, its dropout applied.
        raw: (T, B, H) before that dropout.
        state: each layer's state after the block, ready for the next one.
    """

    output: Tensor
    raw: Tensor
    state: list[Any]


class LanguageModel(nn.Module):
    """Tokens in, a distribution over the next token out.

    ::

        x_t    = m_x * (m_E * E)[token_t]                 E: (V, embedding_size); masks: see below
        h_t    = recurrent layers (x_1 .. x_t)            a mask between the layers
        z_t    = W (m_h * h_t) + b                        tied: W = E (Press and Wolf, 2017), or E P where sizes differ
        p(next token = v) = softmax(z_t)_v

    The masks m_x, m_h and those between layers hold for all steps of a block of tokens (locked dropout: Gal and
    Ghahramani, 2016); m_E zeroes whole tokens for a block. The recurrent weights can lose entries for a block (weight
    dropout: Merity et al., 2018).

    Args:
        vocabulary_size: V.
        cell: a registered recurrent cell.
        hidden_size: H.
        embedding_size: numbers per token.
        num_layers: L.
        last_size: units of the last layer; None: ``hidden_size``.
        tied: whether the output layer uses the embedding's weights.
        dropout: p of m_x.
        layer_dropout: p between layers.
        output_dropout: p of m_h.
        embedding_dropout: p of m_E.
        weight_dropout: p on the recurrent weights.
        adaptive_softmax: whether rare tokens share a smaller output layer (Grave et al., 2017).

    Raises:
        OptionError: an adaptive softmax that is tied.

    Example:
        >>> model = LanguageModel(50, cell="lstm", hidden_size=8, embedding_size=6).eval()
        >>> read = model.read(torch.tensor([[4], [7]]))
        >>> model.losses(read.output, torch.tensor([[7], [1]])).shape
        torch.Size([2])
    """

    def __init__(
        self,
        vocabulary_size: int,
        *,
        cell: str = "gru",
        hidden_size: int = 128,
        embedding_size: int = 128,
        num_layers: int = 1,
        last_size: int | None = None,
        tied: bool = True,
        dropout: float = 0.0,
        layer_dropout: float = 0.0,
        output_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        adaptive_softmax: bool = False,
    ) -> None:
        super().__init__()
        if adaptive_softmax and tied:
            raise OptionError(
                "an adaptive softmax has no weights to share with the embedding",
                expected="tied false, or adaptive_softmax false",
                fix="give --no-tied with --adaptive-softmax",
            )
        self.vocabulary_size, self.tied = vocabulary_size, tied
        self.dropout, self.layer_dropout = dropout, layer_dropout
        self.output_dropout, self.embedding_dropout = output_dropout, embedding_dropout
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        widths = [hidden_size] * (num_layers - 1) + [last_size or hidden_size]
        sizes = [embedding_size, *widths]
        self.layers = nn.ModuleList(
            Recurrent(cell, before, width, weight_dropout=weight_dropout)
            for before, width in zip(sizes, widths, strict=False)
        )
        self.adaptive: AdaptiveSoftmax | None = None
        self.projection: nn.Parameter | None = None
        if adaptive_softmax:
            self.adaptive = AdaptiveSoftmax(widths[-1], vocabulary_size)
        else:
            self.bias = nn.Parameter(torch.zeros(vocabulary_size))
            if not tied:
                self.head = nn.Parameter(torch.empty(vocabulary_size, widths[-1]))
            elif widths[-1] != embedding_size:
                self.projection = nn.Parameter(torch.empty(embedding_size, widths[-1]))
        self._draw()

    def _draw(self) -> None:
        nn.init.uniform_(self.embedding.weight, -_EMBEDDING_RANGE, _EMBEDDING_RANGE)
        if self.projection is not None:
            bound = 1 / math.sqrt(self.projection.shape[1])
            nn.init.uniform_(self.projection, -bound, bound)
        if not self.tied and self.adaptive is None:
            nn.init.uniform_(self.head, -_EMBEDDING_RANGE, _EMBEDDING_RANGE)

    def begin_at_frequencies(self, counts: Tensor) -> None:
        """Initialise the output's bias with the tokens' log frequencies.

        Args:
            counts: (V,) how often each token occurs in the training text; one is added to each.
        """
        if self.adaptive is None:
            with torch.no_grad():
                chances = counts.to(self.bias) + 1
                self.bias.copy_((chances / chances.sum()).log())

    def read(self, tokens: Tensor, state: list[Any] | None = None) -> Read:
        """Run the recurrent layers over a block.

        Args:
            tokens: (T, B) int64.
            state: what the block before left; None: the layers' initial state.
        """
        weight = self.embedding.weight
        if self.training and self.embedding_dropout:
            kept = functional.dropout(weight.new_ones(weight.shape[0], 1), self.embedding_dropout)
            x = functional.embedding(tokens, weight) * functional.embedding(tokens, kept)
        else:
            x = functional.embedding(tokens, weight)
        x = locked_dropout(x, self.dropout, self.training)
        states: list[Any] = []
        raw = x
        for number, layer in enumerate(self.layers):
            raw, after = layer(x, None if state is None else state[number])
            states.append(after)
            last = number + 1 == len(self.layers)
            x = locked_dropout(raw, self.output_dropout if last else self.layer_dropout, self.training)
        return Read(x, raw, states)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Mean negative log-likelihood of the targets, in nats.

        Args:
            output: (T, B, H) of `read`.
            targets: (T, B).
        """
        hidden, goals = output.flatten(0, 1), targets.flatten()
        if self.adaptive is not None:
            return self.adaptive.loss(hidden, goals)
        hidden, weight = self._output_product(hidden)
        return chunked_cross_entropy(hidden, weight, self.bias, goals)

    def losses(self, output: Tensor, targets: Tensor) -> Tensor:
        """Each target's negative log-likelihood under the exact distribution: (T*B,), in nats, without gradient."""
        with torch.no_grad():
            hidden, goals = output.flatten(0, 1), targets.flatten()
            if self.adaptive is not None:
                return self.adaptive.losses(hidden, goals)
            hidden, weight = self._output_product(hidden)
            return token_losses(hidden, weight, self.bias, goals)

    def log_probabilities(self, output: Tensor) -> Tensor:
        """ln p of every token as the next one: (N, V).

        Args:
            output: (N, H), of the last layer.
        """
        with torch.no_grad():
            if self.adaptive is not None:
                return self.adaptive.log_probabilities(output)
            hidden, weight = self._output_product(output)
            return functional.linear(hidden, weight, self.bias).log_softmax(dim=1)

    def _output_product(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The factors of the product over the vocabulary: rows (N, K) and weights (V, K), in the cheaper order."""
        if not self.tied:
            return hidden, self.head
        weight = self.embedding.weight
        if self.projection is None:
            return hidden, weight
        width, inner = self.projection.shape
        tokens = hidden.shape[0]
        if tokens * width > (tokens + width) * inner:
            return hidden, weight @ self.projection
        return hidden @ self.projection.t(), weight

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers in the last call, and why: ``implementation`` and ``reason``."""
        used = dict.fromkeys(layer.kernel or "not run yet" for layer in self._recurrent())
        reasons = dict.fromkeys(choice.reason for layer in self._recurrent() for _, choice in layer.choices)
        return {"implementation": " + ".join(used), "reason": "; ".join(reasons)}

    def _recurrent(self) -> list[Recurrent]:
        return [layer for layer in self.layers if isinstance(layer, Recurrent)]

    def stacked(self) -> Recurrent:
        """The recurrent layers as one stack in evaluation mode, with copies of the weights.

        Example:
            >>> model = LanguageModel(20, hidden_size=4, embedding_size=3, num_layers=2)
            >>> model.stacked()(torch.zeros(5, 1, 3))[0].shape
            torch.Size([5, 1, 4])
        """
        layers = self._recurrent()
        widths = [layer.widths[0] for layer in layers]
        with torch.random.fork_rng():
            stack = Recurrent(layers[0].cell, layers[0].input_size, widths if len(set(widths)) > 1 else widths[0],
                              num_layers=len(widths))  # fmt: skip
        named = {
            _LAYER_NAME.sub(f"_l{number}", name): value.detach().clone()
            for number, layer in enumerate(layers)
            for name, value in layer.named_parameters()
        }
        stack.load_state_dict(named)
        return stack.eval()


def locked_dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """Drop the same units at all steps of a block.

    Args:
        x: (T, B, H).
        p: probability; what stays is scaled by 1 / (1 - p).
        training: x is returned unchanged where false.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> dropped = locked_dropout(torch.ones(3, 1, 8), 0.5)
        >>> bool((dropped[0] == dropped[2]).all())
        True
    """
    if not training or p == 0:
        return x
    return x * functional.dropout(x.new_ones(1, *x.shape[1:]), p)
