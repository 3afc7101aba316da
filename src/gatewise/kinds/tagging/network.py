"""The tagging network: words, their characters and shapes, recurrent layers, a CRF or a softmax per word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.errors import ShapeError
from gatewise.kinds.tagging.characters import READERS, CharacterReader
from gatewise.kinds.tagging.crf import ConditionalRandomField, viterbi
from gatewise.kinds.tagging.encoding import TaggingBatch
from gatewise.kinds.tagging.vocabulary import SHAPES, UNKNOWN
from gatewise.nn import Recurrent

__all__ = ["READERS", "SequenceTagger"]

Moves = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]


class SequenceTagger(nn.Module):
    """Sentences in, a tag for every word out (Huang, Xu and Yu, 2015; Lample et al., 2016).

    ::

        x_t    = dropout([E[word_t], characters(word_t), S[shape_t]])
        h_1..T = recurrent(x_1..T)                           up to each sentence's own length
        e_t    = W dropout(h_t) + b                          emissions of a CRF, or scores of a softmax

    In training a word that the training part holds once is replaced by the unknown one with probability
    ``unknown_rate``; dropout draws one mask per sentence (Gal and Ghahramani, 2016) where ``locked``.

    Args:
        words: entries of the vocabulary, padding and the unknown word included.
        characters: entries of the characters' vocabulary.
        tags: C.
        moves: which tag may follow which, begin and end, see `TagSet.moves`; predictions obey it. None: any.
        cell: a registered recurrent cell.
        hidden_size: H of one direction.
        num_layers: L.
        bidirectional: D = 2 directions.
        word_size: numbers per word.
        character_reader: recurrent, convolution or none.
        character_size: numbers per character.
        character_hidden: width of one direction of the characters' cell, or half the filters.
        character_cell: None: ``cell``.
        shape_size: numbers per shape; 0: none.
        crf: a CRF over the tags; else each word's tag by itself.
        dropout: p on the inputs, between layers and on the outputs.
        locked: one dropout mask for all words of a sentence; else one for each word.
        unknown_rate: see above.

    Example:
        >>> from gatewise.kinds.tagging.encoding import encode
        >>> from gatewise.kinds.tagging.sentences import Sentence
        >>> from gatewise.kinds.tagging.vocabulary import WordVocabulary
        >>> sentences = [Sentence(("to", "Bonn"), (), 1), Sentence(("to",), (), 4)]
        >>> vocabulary = WordVocabulary(["to", "bonn"], list("tobn"), 3)
        >>> model = SequenceTagger(4, 6, 3, cell="gru", hidden_size=8, word_size=5).eval()
        >>> batch = encode(sentences, vocabulary).batch([0, 1])
        >>> model.decode(batch).shape, model.probabilities(batch).shape
        (torch.Size([2, 2]), torch.Size([2, 2, 3]))
    """

    _moves: Tensor
    _starts: Tensor
    _ends: Tensor

    def __init__(
        self,
        words: int,
        characters: int,
        tags: int,
        moves: Moves | None = None,
        *,
        cell: str = "lstm",
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = True,
        word_size: int = 100,
        character_reader: str = "recurrent",
        character_size: int = 25,
        character_hidden: int = 25,
        character_cell: str | None = None,
        shape_size: int = 8,
        crf: bool = True,
        dropout: float = 0.5,
        locked: bool = False,
        unknown_rate: float = 0.5,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, word_size, padding_idx=0)
        self.characters = (
            None
            if character_reader == "none"
            else CharacterReader(
                characters,
                character_reader,
                size=character_size,
                hidden_size=character_hidden,
                cell=character_cell or cell,
            )
        )
        self.shapes = nn.Embedding(len(SHAPES), shape_size, padding_idx=0) if shape_size else None
        width = word_size + shape_size + (self.characters.width if self.characters is not None else 0)
        self.recurrent = Recurrent(
            cell,
            width,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.head = nn.Linear(hidden_size * (2 if bidirectional else 1), tags)
        self.field = ConditionalRandomField(tags, *(moves or ())) if crf else None
        for name, allowed in zip(("moves", "starts", "ends"), moves or (), strict=False):
            limit = torch.zeros(allowed.shape).masked_fill(~torch.as_tensor(allowed), -torch.inf)
            self.register_buffer(f"_{name}", limit, persistent=False)
        self._limited = moves is not None
        self.dropout, self.locked, self.unknown_rate = dropout, locked, unknown_rate
        self._draw()

    def loss(self, batch: TaggingBatch) -> Tensor:
        """Nats per word: the CRF's negative log-likelihood of whole sentences, or the softmax's of each word.

        Raises:
            ShapeError: the batch has no tags.
        """
        if batch.tags is None:
            raise ShapeError("a loss needs the batch's tags", fix="encode the sentences with their tags")
        emissions, words = self.emissions(batch), batch.lengths.sum()
        if self.field is not None:
            likelihood: Tensor = self.field(emissions, batch.tags, batch.lengths)
            return likelihood.sum() / words
        real = torch.arange(emissions.shape[0], device=emissions.device)[:, None] < batch.lengths
        return functional.cross_entropy(emissions[real], batch.tags[real])

    @torch.no_grad()
    def decode(self, batch: TaggingBatch) -> Tensor:
        """The most probable tags (T, B) that obey the scheme, 0 past a sentence's end."""
        emissions = self.emissions(batch)
        if self.field is not None:
            return self.field.decode(emissions, batch.lengths)
        if not self._limited:
            past = torch.arange(emissions.shape[0], device=emissions.device)[:, None] >= batch.lengths
            return emissions.argmax(dim=2).masked_fill(past, 0)
        return viterbi(emissions, self._moves, self._starts, self._ends, batch.lengths)[0]

    @torch.no_grad()
    def probabilities(self, batch: TaggingBatch) -> Tensor:
        """The probability of every tag of every word, (T, B, C); 0 past a sentence's end."""
        emissions = self.emissions(batch)
        if self.field is not None:
            return self.field.marginals(emissions, batch.lengths)
        past = torch.arange(emissions.shape[0], device=emissions.device)[:, None] >= batch.lengths
        return emissions.softmax(dim=2).masked_fill(past[:, :, None], 0)

    def emissions(self, batch: TaggingBatch) -> Tensor:
        """Scores of the tags of each word by itself, (T, B, C)."""
        output, _ = self.recurrent(self.inputs(batch), lengths=batch.lengths)
        scores: Tensor = self.head(self._drop(output))
        return scores

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers in the last call, and why: ``implementation`` and ``reason``."""
        reasons = dict.fromkeys(choice.reason for _, choice in self.recurrent.choices)
        return {"implementation": self.recurrent.kernel or "not run yet", "reason": "; ".join(reasons)}

    def inputs(self, batch: TaggingBatch) -> Tensor:
        """Inputs of the recurrent layers: words, characters and shapes concatenated, (T, B, I)."""
        words = batch.words
        if self.training and self.unknown_rate > 0:
            replaced = torch.rand(words.shape, device=words.device) < self.unknown_rate
            words = words.masked_fill(replaced & batch.rare, UNKNOWN)
        parts = [self.embedding(words)]
        if self.characters is not None:
            spelt = self.characters(batch.characters, batch.character_lengths)
            parts.append(functional.embedding(batch.forms, spelt))
        if self.shapes is not None:
            parts.append(self.shapes(batch.shapes))
        return self._drop(torch.cat(parts, dim=2))

    def _drop(self, values: Tensor) -> Tensor:
        if not self.training or self.dropout == 0:
            return values
        if self.locked:
            return values * functional.dropout(values.new_ones(values.shape[1:]), self.dropout, True)
        return functional.dropout(values, self.dropout, True)

    @torch.no_grad()
    def _draw(self) -> None:
        """Redraw what torch.nn draws too wide: embeddings from U(-sqrt(3 / size), sqrt(3 / size))."""
        for table in (self.embedding, self.shapes):
            if table is not None:
                bound = (3.0 / table.embedding_dim) ** 0.5
                table.weight.uniform_(-bound, bound)
                table.weight[0].zero_()
