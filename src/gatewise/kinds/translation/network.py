"""The translation network: a recurrent encoder, attention over what it read, a recurrent decoder."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from gatewise.data.subwords import BEGIN, END
from gatewise.kinds.translation.encoding import TranslationBatch
from gatewise.nn import Recurrent
from gatewise.nn.decoding import Written
from gatewise.nn.writer import Read, Writer

__all__ = ["TranslationNetwork"]


class TranslationNetwork(Writer):
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
        embedding_dropout: of the embeddings; None: p.
        readout_dropout: of what the output layer reads; None: p.
        label_smoothing: of the loss, see `gatewise.nn.softmax.loss.smoothed_cross_entropy`.
        word_noise: of what the decoder reads, see `gatewise.nn.writer.Writer`.

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
        embedding_dropout: float | None = None,
        readout_dropout: float | None = None,
        label_smoothing: float = 0.0,
        word_noise: float = 0.0,
    ) -> None:
        super().__init__(
            feeding=feeding,
            tied=tied,
            dropout=dropout,
            embedding_dropout=embedding_dropout,
            readout_dropout=readout_dropout,
            label_smoothing=label_smoothing,
            word_noise=word_noise,
        )
        self.target = nn.Embedding(target_size, embedding_size)
        if not shared:
            self._modules["source"] = nn.Embedding(source_size, embedding_size)
        self.encoder = Recurrent(
            cell,
            embedding_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.make_decoder(
            hidden_size * (2 if bidirectional else 1),
            cell=cell,
            hidden_size=hidden_size,
            num_layers=num_layers,
            embedding_size=embedding_size,
            attention=attention,
        )
        self.draw_embeddings(self.source)

    @property
    def source(self) -> nn.Embedding:
        """The embedding of source tokens: the target's where both share one, which is kept once."""
        return cast("nn.Embedding", self._modules.get("source", self.target))

    def read(self, source: Tensor, lengths: Tensor) -> Read:
        """Run the encoder over sentences (S, B)."""
        return self.read_embedded(self._embedded(self.source, source), lengths)

    def read_embedded(self, embedded: Tensor, lengths: Tensor) -> Read:
        """Run the encoder over what it reads, (S, B, E) of `embedded_source`."""
        output, _ = self.encoder(embedded, lengths=lengths)
        output = self._drop(output)
        values = output.transpose(0, 1)
        real = torch.arange(len(embedded), device=embedded.device) < lengths[:, None]
        rows = torch.arange(len(lengths), device=embedded.device)
        if self.encoder.bidirectional:
            half = self.encoder.hidden_size
            summary = torch.cat([output[lengths - 1, rows, :half], output[0, :, half:]], dim=1)
        else:
            summary = output[lengths - 1, rows]
        return self.as_read(values, real, summary)

    def loss(self, batch: TranslationBatch) -> tuple[Tensor, Tensor]:
        """The smoothed loss to differentiate and the mean negative log-likelihood of a target token, in nats."""
        return self.written_loss(*self._known(batch))

    def losses(self, batch: TranslationBatch) -> Tensor:
        """Each target token's negative log-likelihood in nats, without gradient: (tokens,)."""
        with torch.no_grad():
            return self.written_losses(*self._known(batch))

    def weights(self, batch: TranslationBatch) -> Tensor | None:
        """How much each target token's step attended to each source token: (B, T, S); None: no attention."""
        with torch.no_grad():
            return self.written_weights(self.read(batch.source, batch.lengths), batch.inputs, batch.target_lengths)

    def _known(self, batch: TranslationBatch) -> tuple[Read, Tensor, Tensor, Tensor]:
        """What was read of a batch, and its known targets."""
        return self.read(batch.source, batch.lengths), batch.inputs, batch.targets, batch.target_lengths

    def embedded_source(self, tokens: Tensor) -> Tensor:
        """What the encoder reads: (S, B, E)."""
        return self._embedded(self.source, tokens)

    def decoder_inputs(self, batch: TranslationBatch) -> list[tuple[str, Recurrent, Tensor, Any]]:
        """The decoder's layers, see `gatewise.nn.writer.Writer.decoder_stacks`."""
        return self.decoder_stacks(self.read(batch.source, batch.lengths), batch.inputs, batch.target_lengths)

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
        return self.write(read, limits, begin=BEGIN, end=END, beam=beam, length_power=length_power)

    @property
    def stacks(self) -> list[Recurrent]:
        """Encoder, decoder and the layer above the attention."""
        return [self.encoder, *super().stacks]
