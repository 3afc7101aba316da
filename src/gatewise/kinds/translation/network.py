"""The translation network: a recurrent encoder, attention over what it read, a recurrent decoder."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.data.subwords import BEGIN, END
from gatewise.kinds.translation.encoding import TranslationBatch
from gatewise.nn import Recurrent
from gatewise.nn.attention import Attention
from gatewise.nn.decoding import Written, beam_search
from gatewise.nn.dropout import hashed_dropout
from gatewise.nn.softmax.loss import smoothed_cross_entropy, token_losses

__all__ = ["Read", "TranslationNetwork", "Writing"]


class Read(NamedTuple):
    """What the encoder made of B sentences.

    Attributes:
        values: (B, S, V), one for each source token.
        keys: what queries are compared with, (B, S, H); without an attention the same as values.
        real: (B, S) bool, False past a sentence's end.
        summary: (B, V), the outputs of each direction after its last step.
    """

    values: Tensor
    keys: Tensor
    real: Tensor
    summary: Tensor

    def select(self, examples: Tensor) -> Read:
        """Those of some sentences, without the padding that none of them needs."""
        real = self.real[examples]
        steps = int(real.sum(dim=1).max())
        return Read(self.values[examples, :steps], self.keys[examples, :steps], real[:, :steps], self.summary[examples])


class Writing(NamedTuple):
    """The state of the decoder in N rows, which are K hypotheses of each of B sentences.

    Attributes:
        read: of the B sentences.
        lower: state of the layers that read the tokens.
        upper: state of the layer that reads the attended source too; None: there is none.
        fed: (N, E), the step before's readout; None: it is not fed back.
    """

    read: Read
    lower: Any
    upper: Any
    fed: Tensor | None


class TranslationNetwork(nn.Module):
    """Source tokens in, a distribution over each next target token out.

    ::

        v_1..S  = encoder(dropout(E_s[x]))
        h_t     = decoder(dropout(E_t[y_t-1]), h_t-1)                     h_0 = tanh(W_0 summary of v)
        c_t     = attention of h_t over v
        g_t     = h_t, or with feeding "layer" a further layer's output for [h_t, c_t]
        r_t     = dropout(tanh(W_r [g_t, c_t, E_t[y_t-1]] + b_r))        deep output of Bahdanau et al. (2015)
        p(y_t)  = softmax(E_t r_t + b)                                   tied; else a matrix of its own

    With feeding "input" the decoder reads [E_t[y_t-1], r_t-1] (input feeding, Luong et al. 2015), step by step.
    Without an attention c_t is the summary of v: the encoder's last outputs (Cho et al., 2014).

    Args:
        source_size: source tokens.
        target_size: target tokens.
        cell: a registered recurrent cell, of encoder and decoder.
        hidden_size: H of decoder and each direction of the encoder.
        num_layers: L of both.
        bidirectional: the encoder reads in both directions.
        embedding_size: numbers per token.
        attention: multiplicative, additive or none.
        feeding: output, layer or input.
        tied: the output layer uses the target embedding.
        shared: source and target have one embedding; the sizes are equal.
        dropout: p.
        label_smoothing: of the loss, see `gatewise.nn.softmax.loss.smoothed_cross_entropy`.

    Example:
        >>> network = TranslationNetwork(20, 30, hidden_size=8, embedding_size=6).eval()
        >>> source = torch.tensor([[5, 6], [7, 2], [2, 0]])
        >>> network.translate(source, torch.tensor([3, 2]), torch.tensor([4, 4]), beam=2).tokens.shape[0]
        2
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        *,
        cell: str = "gru",
        hidden_size: int = 256,
        num_layers: int = 1,
        bidirectional: bool = True,
        embedding_size: int = 256,
        attention: str = "multiplicative",
        feeding: str = "output",
        tied: bool = True,
        shared: bool = False,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout, self.label_smoothing, self.feeding, self.tied = dropout, label_smoothing, feeding, tied
        self.target = nn.Embedding(target_size, embedding_size)
        if not shared:
            self._modules["source"] = nn.Embedding(source_size, embedding_size)
        between = dropout if num_layers > 1 else 0.0
        self.encoder = Recurrent(
            cell,
            embedding_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=between,
        )
        width = hidden_size * (2 if bidirectional else 1)
        fed = embedding_size if feeding == "input" else 0
        self.decoder = Recurrent(cell, embedding_size + fed, hidden_size, num_layers=num_layers, dropout=between)
        self.upper = Recurrent(cell, hidden_size + width, hidden_size) if feeding == "layer" else None
        self.attention = None if attention == "none" else Attention(hidden_size, width, attention)
        self.bridge = nn.Linear(width, sum(_widths(self.decoder)) + sum(_widths(self.upper)))
        self.readout = nn.Linear(hidden_size + width + embedding_size, embedding_size)
        self.bias = nn.Parameter(torch.zeros(target_size))
        if not tied:
            self.head = nn.Parameter(torch.empty(target_size, embedding_size))
        self._draw()

    @property
    def source(self) -> nn.Embedding:
        """The embedding of source tokens: the target's where both share one, which is kept once."""
        return cast("nn.Embedding", self._modules.get("source", self.target))

    @torch.no_grad()
    def _draw(self) -> None:
        """Embeddings from N(0, 1 / size), so that first scores have variance about that of the readout."""
        tables = {id(table): table for table in (self.target, self.source)}
        for table in tables.values():
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
        if not self.tied:
            nn.init.normal_(self.head, std=self.head.shape[1] ** -0.5)

    def begin_at_frequencies(self, counts: Tensor) -> None:
        """Initialise the output's bias with the target tokens' log frequencies, (V,); one is added to each."""
        with torch.no_grad():
            chances = counts.to(self.bias) + 1
            self.bias.copy_((chances / chances.sum()).log())

    def read(self, source: Tensor, lengths: Tensor) -> Read:
        """Run the encoder over sentences (S, B)."""
        output, _ = self.encoder(self._embedded(self.source, source), lengths=lengths)
        output = self._drop(output)
        values = output.transpose(0, 1)
        real = torch.arange(source.shape[0], device=source.device) < lengths[:, None]
        rows = torch.arange(len(lengths), device=source.device)
        if self.encoder.bidirectional:
            half = self.encoder.hidden_size
            summary = torch.cat([output[lengths - 1, rows, :half], output[0, :, half:]], dim=1)
        else:
            summary = output[lengths - 1, rows]
        return Read(values, values if self.attention is None else self.attention.keys(values), real, summary)

    def loss(self, batch: TranslationBatch) -> tuple[Tensor, Tensor]:
        """The smoothed loss to differentiate and the mean negative log-likelihood of a target token, in nats."""
        hidden, goals = self._teacher_forced(batch)
        return smoothed_cross_entropy(hidden, self._weight, self.bias, goals, self.label_smoothing)

    def losses(self, batch: TranslationBatch) -> Tensor:
        """Each target token's negative log-likelihood in nats, without gradient: (tokens,)."""
        with torch.no_grad():
            hidden, goals = self._teacher_forced(batch)
            return token_losses(hidden, self._weight, self.bias, goals)

    def weights(self, batch: TranslationBatch) -> Tensor | None:
        """How much each target token's step attended to each source token: (B, T, S); None: no attention."""
        if self.attention is None:
            return None
        with torch.no_grad():
            return self._written(self.read(batch.source, batch.lengths), batch.inputs, batch.target_lengths)[1]

    def _teacher_forced(self, batch: TranslationBatch) -> tuple[Tensor, Tensor]:
        """The readout of every real target token (tokens, E), and the tokens."""
        read = self.read(batch.source, batch.lengths)
        outputs, _ = self._written(read, batch.inputs, batch.target_lengths)
        real = torch.arange(len(batch.inputs), device=batch.inputs.device)[:, None] < batch.target_lengths
        return outputs[real], batch.targets[: len(batch.inputs)][real]

    def _written(self, read: Read, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Readouts (T, B, E) of known target tokens, and the attention's weights (B, T, S)."""
        embedded = self._embedded(self.target, inputs)
        if self.feeding == "input":
            return self._step_by_step(read, embedded)
        lower, upper = self._begin(read)
        hidden, _ = self.decoder(embedded, lower, lengths=lengths)
        hidden = self._drop(hidden)
        context, weights = self._attended(read, hidden)
        if self.upper is not None:
            hidden, _ = self.upper(torch.cat([hidden, context], dim=2), upper, lengths=lengths)
            hidden = self._drop(hidden)
        return self._read_out(hidden, context, embedded), weights

    def embedded_source(self, tokens: Tensor) -> Tensor:
        """What the encoder reads: (S, B, E)."""
        return self._embedded(self.source, tokens)

    def decoder_inputs(self, batch: TranslationBatch) -> list[tuple[str, Recurrent, Tensor]]:
        """The decoder's layers by name, each with what it reads of known targets: (T, B, ..)."""
        read, embedded = self.read(batch.source, batch.lengths), self._embedded(self.target, batch.inputs)
        if self.feeding == "input":
            outputs, _ = self._step_by_step(read, embedded)
            fed = torch.cat([torch.zeros_like(outputs[:1]), outputs[:-1]])
            return [("decoder", self.decoder, torch.cat([embedded, fed], dim=2))]
        found = [("decoder", self.decoder, embedded)]
        if self.upper is not None:
            lower, _ = self._begin(read)
            hidden, _ = self.decoder(embedded, lower, lengths=batch.target_lengths)
            context, _ = self._attended(read, hidden)
            found.append(("above the attention", self.upper, torch.cat([hidden, context], dim=2)))
        return found

    def _step_by_step(self, read: Read, embedded: Tensor) -> tuple[Tensor, Tensor | None]:
        state, _ = self._begin(read)
        fed = embedded.new_zeros(embedded.shape[1:])
        outputs, weights = [], []
        for each in embedded.unbind(0):
            hidden, state = self.decoder(torch.cat([each, fed], dim=1)[None], state)
            hidden = self._drop(hidden)
            context, found = self._attended(read, hidden)
            fed = self._read_out(hidden, context, each[None])[0]
            outputs.append(fed)
            weights.append(found)
        return torch.stack(outputs), None if weights[0] is None else torch.cat(weights, dim=1)  # type: ignore[arg-type]

    def _attended(self, read: Read, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        """The contexts (T, B, V) of queries (T, B, H), and the weights (B, T, S)."""
        if self.attention is None:
            return read.summary.expand(len(hidden), *read.summary.shape), None
        context, weights = self.attention(hidden.transpose(0, 1), read.keys, read.values, read.real)
        return context.transpose(0, 1), weights

    def _read_out(self, hidden: Tensor, context: Tensor, embedded: Tensor) -> Tensor:
        found = torch.tanh(self.readout(torch.cat([hidden, context, embedded], dim=-1)))
        return self._drop(found)

    def _begin(self, read: Read) -> tuple[Any, Any]:
        """The first states of the decoder's layers, from the summary."""
        first = torch.tanh(self.bridge(read.summary))
        widths = _widths(self.decoder)
        lower = _as_state(self.decoder, first[:, : sum(widths)])
        return lower, None if self.upper is None else _as_state(self.upper, first[:, sum(widths) :])

    @property
    def _weight(self) -> Tensor:
        return self.target.weight if self.tied else self.head

    def _embedded(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        # rows of length about 1 become features of variance about 1
        return self._drop(functional.embedding(tokens, table.weight) * math.sqrt(table.embedding_dim))

    def _drop(self, values: Tensor) -> Tensor:
        return hashed_dropout(values, self.dropout, self.training)

    @torch.no_grad()
    def translate(
        self, source: Tensor, lengths: Tensor, limits: Tensor, *, beam: int = 1, length_power: float = 1.0
    ) -> Written:
        """Search for the best translation of each sentence; see `gatewise.nn.decoding.beam_search`.

        Args:
            source: (S, B).
            lengths: (B,).
            limits: (B,), most target tokens of each, the end counted.
            beam: hypotheses kept of each.
            length_power: of the normalisation.
        """
        read = self.read(source, lengths)
        lower, upper = self._begin(read)
        rows = torch.arange(len(lengths), device=source.device).repeat_interleave(beam)
        fed = read.values.new_zeros(len(rows), self.readout.out_features) if self.feeding == "input" else None
        state = Writing(read, _rows(lower, rows), _rows(upper, rows), fed)
        return beam_search(self, state, limits, begin=BEGIN, end=END, beam=beam, length_power=length_power)

    def step(self, tokens: Tensor, state: Writing) -> tuple[Tensor, Writing]:
        """Log-probabilities of the next tokens, (N, V), and the state after reading ``tokens`` (N,)."""
        embedded = self._embedded(self.target, tokens)
        read, examples = state.read, len(state.read.summary)
        inputs = embedded if state.fed is None else torch.cat([embedded, state.fed], dim=1)
        output, lower = self.decoder(inputs[None], state.lower)
        hidden = self._drop(output[0])
        # the K hypotheses of a sentence are K queries over the same values
        queries = hidden.view(examples, -1, hidden.shape[1]).transpose(0, 1)
        context = self._attended(read, queries)[0].transpose(0, 1).reshape(len(tokens), -1)
        upper = state.upper
        if self.upper is not None:
            output, upper = self.upper(torch.cat([hidden, context], dim=1)[None], upper)
            hidden = self._drop(output[0])
        found = self._read_out(hidden, context, embedded)
        scores = functional.linear(found, self._weight, self.bias).log_softmax(dim=1)
        return scores, Writing(read, lower, upper, None if state.fed is None else found)

    def select(self, state: Writing, rows: Tensor, examples: Tensor) -> Writing:
        """The state of other rows, see `gatewise.nn.decoding.Decoder`."""
        read = state.read if len(examples) == len(state.read.summary) else state.read.select(examples)
        fed = None if state.fed is None else state.fed[rows]
        return Writing(read, _rows(state.lower, rows), _rows(state.upper, rows), fed)

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers in the last call, and why: ``implementation`` and ``reason``."""
        layers = [layer for layer in (self.encoder, self.decoder, self.upper) if layer is not None]
        used = dict.fromkeys(layer.kernel or "not run yet" for layer in layers)
        reasons = dict.fromkeys(choice.reason for layer in layers for _, choice in layer.choices)
        return {"implementation": " + ".join(used), "reason": "; ".join(reasons)}


def _widths(layer: Recurrent | None) -> list[int]:
    """Widths of all states of a stack in one direction, one after the other."""
    if layer is None:
        return []
    state = layer.initial_state(1)
    parts = state if isinstance(state, tuple) else (state,)
    return [part.shape[0] * part.shape[2] for part in parts]


def _as_state(layer: Recurrent, values: Tensor) -> Any:
    """A state of a stack from (B, sum of its widths)."""
    parts = [
        part.view(len(part), layer.num_layers, -1).transpose(0, 1).contiguous()
        for part in values.split(_widths(layer), dim=1)
    ]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _rows(state: Any, rows: Tensor) -> Any:
    """Rows of a state, whose tensors are (L, N, H)."""
    if state is None:
        return None
    if isinstance(state, tuple):
        return tuple(part.index_select(1, rows) for part in state)
    return state.index_select(1, rows)
