"""A recurrent decoder with attention: writes tokens about something that was read, a sentence or a picture."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.nn.attention import Attention
from gatewise.nn.decoding import Written, beam_search
from gatewise.nn.dropout import hashed_dropout
from gatewise.nn.recurrent import Recurrent
from gatewise.nn.softmax.loss import smoothed_cross_entropy, token_losses
from gatewise.nn.writer_state import Read, Writing, as_state, rows_of, widths_of

__all__ = ["Read", "Writer", "Writing"]


class Writer(nn.Module):
    """What writes tokens about a `Read`; a subclass makes that, after whatever it reads.

    ::

        h_t     = decoder(dropout(E[y_t-1]), h_t-1)                       h_0 = tanh(W_0 summary)
        c_t     = attention of h_t over the values
        g_t     = h_t, or with feeding "layer" or "again" a further layer's output for [h_t, c_t]
        c'_t    = c_t, or with feeding "again" attention of g_t over the values: a second look, from where the first was
        r_t     = dropout(tanh(W_r [g_t, c'_t, E[y_t-1]] + b_r))          deep output of Bahdanau et al. (2015)
        p(y_t)  = softmax(E r_t + b)                                      tied; else a matrix of its own

    With coverage the second look's scores depend on how much the first looks of all steps before, the sum of a_s for
    s < t, attended to each value. With feeding "input" the decoder reads [E[y_t-1], r_t-1] (input feeding, Luong et al.
    2015), step by step; otherwise known targets run in one call. Without an attention c_t is the summary. Axis letters:
    B examples, S values, V their width, T target tokens, E embedding, H hidden.

    Args:
        feeding: output, layer, again or input: what reads what was attended, besides the output layer.
        tied: the output layer uses the embedding.
        dropout: p, of what recurrent layers give and of whatever is not named below.
        embedding_dropout: of embeddings; None: p.
        readout_dropout: of the readout; None: p.
        label_smoothing: of the loss, see `gatewise.nn.softmax.loss.smoothed_cross_entropy`.
        word_noise: probability that the decoder reads the token of another example at the same place while training, so
            that it relies on what was read more than on which tokens follow each other (after Wang et al., 2018,
            who draw from the whole vocabulary).
        coverage: the second look of feeding "again" knows what has been looked at, see `gatewise.nn.attention`.
        direct: the readout reads E[y_t-1]; if not, the decoder's state alone knows which tokens follow each other.
    """

    target: nn.Embedding
    decoder: Recurrent
    upper: Recurrent | None
    attention: Attention | None
    again: Attention | None
    bridge: nn.Linear
    readout: nn.Linear
    bias: nn.Parameter
    head: nn.Parameter

    def __init__(
        self,
        *,
        feeding: str,
        tied: bool,
        dropout: float,
        embedding_dropout: float | None = None,
        readout_dropout: float | None = None,
        label_smoothing: float,
        word_noise: float = 0.0,
        coverage: bool = False,
        direct: bool = True,
    ) -> None:
        super().__init__()
        self.dropout, self.label_smoothing, self.feeding, self.tied = dropout, label_smoothing, feeding, tied
        self.embedding_dropout = dropout if embedding_dropout is None else embedding_dropout
        self.readout_dropout = dropout if readout_dropout is None else readout_dropout
        self.word_noise, self.coverage, self.direct = word_noise, coverage, direct

    def make_decoder(
        self, width: int, *, cell: str, hidden_size: int, num_layers: int, embedding_size: int, attention: str
    ) -> None:
        """Draw the decoder; the embedding is there already, and so is all that reads: the order belongs to a seed.

        Args:
            width: V.
            cell: a registered recurrent cell.
            hidden_size: H.
            num_layers: L.
            embedding_size: E.
            attention: multiplicative, additive or none.
        """
        fed = embedding_size if self.feeding == "input" else 0
        between = self.dropout if num_layers > 1 else 0.0
        self.decoder = Recurrent(cell, embedding_size + fed, hidden_size, num_layers=num_layers, dropout=between)
        self.upper = Recurrent(cell, hidden_size + width, hidden_size) if self.feeding in ("layer", "again") else None
        self.attention = None if attention == "none" else Attention(hidden_size, width, attention)
        second = self.feeding == "again" and self.attention is not None
        self.again = Attention(hidden_size, width, attention, coverage=self.coverage) if second else None
        self.bridge = nn.Linear(width, sum(widths_of(self.decoder)) + sum(widths_of(self.upper)))
        self.readout = nn.Linear(hidden_size + width + embedding_size * self.direct, embedding_size)
        self.bias = nn.Parameter(torch.zeros(self.target.num_embeddings))
        if not self.tied:
            self.head = nn.Parameter(torch.empty(self.target.num_embeddings, embedding_size))

    @torch.no_grad()
    def draw_embeddings(self, *others: nn.Embedding) -> None:
        """Embeddings from N(0, 1 / size), so that first scores have variance about that of the readout."""
        tables = {id(table): table for table in (self.target, *others)}
        for table in tables.values():
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
        if not self.tied:
            nn.init.normal_(self.head, std=self.head.shape[1] ** -0.5)

    def begin_at_frequencies(self, counts: Tensor) -> None:
        """Initialise the output's bias with the target tokens' log frequencies, (tokens,); one is added to each."""
        with torch.no_grad():
            chances = counts.to(self.bias) + 1
            self.bias.copy_((chances / chances.sum()).log())

    def as_read(self, values: Tensor, real: Tensor | None, summary: Tensor) -> Read:
        """What was read, with what queries are compared with."""
        keys = values if self.attention is None else self.attention.keys(values)
        return Read(values, keys, None if self.again is None else self.again.keys(values), real, summary)

    def written_loss(self, read: Read, inputs: Tensor, targets: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The smoothed loss to differentiate and the mean negative log-likelihood of a target token, in nats.

        Args:
            read: of B examples.
            inputs: (T, B), each target with a begin before it.
            targets: (at least T, B), each with its end.
            lengths: (B,).
        """
        hidden, goals = self._teacher_forced(read, inputs, targets, lengths)
        return smoothed_cross_entropy(hidden, self._weight, self.bias, goals, self.label_smoothing)

    def written_losses(self, read: Read, inputs: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        """Each target token's negative log-likelihood in nats, without gradient: (tokens,)."""
        with torch.no_grad():
            hidden, goals = self._teacher_forced(read, inputs, targets, lengths)
            return token_losses(hidden, self._weight, self.bias, goals)

    def written_weights(self, read: Read, inputs: Tensor, lengths: Tensor) -> Tensor | None:
        """How much each target token's step attended to each value: (B, T, S); None: no attention."""
        if self.attention is None:
            return None
        with torch.no_grad():
            return self._written(read, inputs, lengths)[1]

    def scores(self, read: Read, inputs: Tensor) -> Tensor:
        """ln p of every token after each of known target tokens (T, B): (T, B, V), differentiable in what was read."""
        return functional.linear(self._readouts(read, inputs), self._weight, self.bias).log_softmax(dim=2)

    def last_scores(self, read: Read, inputs: Tensor) -> Tensor:
        """As `scores`, after the last of the target tokens alone: (B, V)."""
        return functional.linear(self._readouts(read, inputs)[-1], self._weight, self.bias).log_softmax(dim=1)

    def _readouts(self, read: Read, inputs: Tensor) -> Tensor:
        lengths = torch.full((inputs.shape[1],), len(inputs), device=inputs.device)
        return self._written(read, inputs, lengths)[0]

    def decoder_stacks(self, read: Read, inputs: Tensor, lengths: Tensor) -> list[tuple[str, Recurrent, Tensor, Any]]:
        """The decoder's layers by name: each with what it reads of known targets (T, B, ..), and its first state."""
        embedded = self._embedded(self.target, inputs)
        lower, upper = self._begin(read)
        if self.feeding == "input":
            outputs, _ = self._step_by_step(read, embedded)
            fed = torch.cat([torch.zeros_like(outputs[:1]), outputs[:-1]])
            return [("decoder", self.decoder, torch.cat([embedded, fed], dim=2), lower)]
        found = [("decoder", self.decoder, embedded, lower)]
        if self.upper is not None:
            hidden, _ = self.decoder(embedded, lower, lengths=lengths)
            context, _ = self._attended(read, hidden)
            found.append(("above the attention", self.upper, torch.cat([hidden, context], dim=2), upper))
        return found

    @torch.no_grad()
    def write(
        self,
        read: Read,
        limits: Tensor,
        *,
        begin: int,
        end: int,
        beam: int = 1,
        length_power: float = 1.0,
        thorough: bool = False,
    ) -> Written:
        """Search for the best sequence about each example; see `gatewise.nn.decoding.beam_search`.

        With evidence a sequence's score is the sum of log p(y_t) and of the evidence of its different tokens. A greedy
        search does without it: it would take what has evidence at once, before what must be written first.

        Args:
            read: of B examples.
            limits: (B,), most target tokens of each, the end counted.
            begin: the token that is read first.
            end: the token that ends a sequence.
            beam: hypotheses kept of each.
            length_power: of the normalisation.
            thorough: go on while an unfinished hypothesis is ahead.
        """
        lower, upper = self._begin(read)
        rows = torch.arange(len(limits), device=limits.device).repeat_interleave(beam)
        fed = read.values.new_zeros(len(rows), self.readout.out_features) if self.feeding == "input" else None
        covered = self.coverage and self.again is not None
        seen = read.values.new_zeros(len(rows), read.values.shape[1]) if covered else None
        evidence = None if read.evidence is None or beam == 1 else read.evidence[rows]
        kept = read._replace(evidence=None)  # each row has its own from here on
        state = Writing(kept, rows_of(lower, rows), rows_of(upper, rows), fed, seen, evidence)
        return beam_search(
            self, state, limits, begin=begin, end=end, beam=beam, length_power=length_power, thorough=thorough
        )

    def step(self, tokens: Tensor, state: Writing) -> tuple[Tensor, Writing]:
        """Log-probabilities of the next tokens, (N, tokens), and the state after reading ``tokens`` (N,).

        With evidence, the sums of both.
        """
        embedded = self._embedded(self.target, tokens)
        read, examples = state.read, len(state.read.summary)
        inputs = embedded if state.fed is None else torch.cat([embedded, state.fed], dim=1)
        output, lower = self.decoder(inputs[None], state.lower)
        hidden = self._drop(output[0])
        # the K hypotheses of an example are K queries over the same values
        queries = hidden.view(examples, -1, hidden.shape[1]).transpose(0, 1)
        context, weights = self._attended(read, queries)
        context = context.transpose(0, 1).reshape(len(tokens), -1)
        upper, seen = state.upper, state.seen
        if self.upper is not None:
            output, upper = self.upper(torch.cat([hidden, context], dim=1)[None], upper)
            hidden = self._drop(output[0])
        if self.again is not None:
            queries = hidden.view(examples, -1, hidden.shape[1]).transpose(0, 1)
            before = None if seen is None else seen.view(examples, -1, seen.shape[1])
            context = self._looked_again(read, queries, before)[0].transpose(0, 1).reshape(len(tokens), -1)
            if seen is not None and weights is not None:
                seen = seen + weights.reshape(seen.shape)
        found = self._read_out(hidden, context, embedded)
        scores = functional.linear(found, self._weight, self.bias).log_softmax(dim=1)
        evidence = state.evidence
        if evidence is not None:
            evidence = evidence.scatter(1, tokens[:, None], 0.0)
            scores = scores + evidence
        return scores, Writing(read, lower, upper, None if state.fed is None else found, seen, evidence)

    def select(self, state: Writing, rows: Tensor, examples: Tensor) -> Writing:
        """The state of other rows, see `gatewise.nn.decoding.Decoder`."""
        read = state.read if len(examples) == len(state.read.summary) else state.read.select(examples)
        fed = None if state.fed is None else state.fed[rows]
        seen = None if state.seen is None else state.seen[rows, : read.values.shape[1]]
        evidence = None if state.evidence is None else state.evidence[rows]
        return Writing(read, rows_of(state.lower, rows), rows_of(state.upper, rows), fed, seen, evidence)

    def _teacher_forced(self, read: Read, inputs: Tensor, targets: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The readout of every real target token (tokens, E), and the tokens."""
        outputs, _ = self._written(read, inputs, lengths)
        real = torch.arange(len(inputs), device=inputs.device)[:, None] < lengths
        return outputs[real], targets[: len(inputs)][real]

    def _written(self, read: Read, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Readouts (T, B, E) of known target tokens, and the attention's weights (B, T, S)."""
        if self.training and self.word_noise:
            others = inputs[:, torch.randperm(inputs.shape[1], device=inputs.device)]
            replaced = (torch.rand(inputs.shape, device=inputs.device) < self.word_noise) & (others > 0)
            inputs = torch.where(replaced, others, inputs)
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
        if self.again is not None:
            seen = weights.cumsum(dim=1) - weights if self.coverage and weights is not None else None
            context, weights = self._looked_again(read, hidden, seen)
        return self._read_out(hidden, context, embedded), weights

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

    def _looked_again(self, read: Read, hidden: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor]:
        """As `_attended`, by the second attention, which may know what has been seen, (B, T, S)."""
        assert self.again is not None and read.again is not None
        context, weights = self.again(hidden.transpose(0, 1), read.again, read.values, read.real, seen)
        return context.transpose(0, 1), weights

    def _read_out(self, hidden: Tensor, context: Tensor, embedded: Tensor) -> Tensor:
        parts = [hidden, context, embedded] if self.direct else [hidden, context]
        found = torch.tanh(self.readout(torch.cat(parts, dim=-1)))
        return hashed_dropout(found, self.readout_dropout, self.training)

    def _begin(self, read: Read) -> tuple[Any, Any]:
        """The first states of the decoder's layers, from the summary."""
        first = torch.tanh(self.bridge(read.summary))
        widths = widths_of(self.decoder)
        lower = as_state(self.decoder, first[:, : sum(widths)])
        return lower, None if self.upper is None else as_state(self.upper, first[:, sum(widths) :])

    @property
    def _weight(self) -> Tensor:
        return self.target.weight if self.tied else self.head

    def _embedded(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        # rows of length about 1 become features of variance about 1
        embedded = functional.embedding(tokens, table.weight) * math.sqrt(table.embedding_dim)
        return hashed_dropout(embedded, self.embedding_dropout, self.training)

    def _drop(self, values: Tensor) -> Tensor:
        return hashed_dropout(values, self.dropout, self.training)

    @property
    def stacks(self) -> list[Recurrent]:
        """All recurrent layers, in the order in which they run."""
        return [layer for layer in (self.decoder, self.upper) if layer is not None]

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers in the last call, and why: ``implementation`` and ``reason``."""
        used = dict.fromkeys(layer.kernel or "not run yet" for layer in self.stacks)
        reasons = dict.fromkeys(choice.reason for layer in self.stacks for _, choice in layer.choices)
        return {"implementation": " + ".join(used), "reason": "; ".join(reasons)}
