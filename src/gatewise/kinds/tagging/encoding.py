"""Sentences as numbers, and batches of them with each distinct word's characters once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.errors import ShapeError
from gatewise.kinds.tagging.sentences import Sentence
from gatewise.kinds.tagging.vocabulary import WordVocabulary, shape_of
from gatewise.words import plural

__all__ = ["EncodedSentences", "TaggingBatch", "encode"]

Integers = npt.NDArray[np.int64]


class TaggingBatch(NamedTuple):
    """A padded batch of sentences, time first; 0 past a sentence's end.

    Attributes:
        words: (T, B) int64.
        shapes: (T, B) int64, see `vocabulary.SHAPES`.
        rare: (T, B) bool, words that the training part holds once.
        forms: (T, B) int64, which of the batch's distinct words, from 0.
        characters: (M, F) int64, the F distinct words' characters.
        character_lengths: (F,) int64, each at least 1.
        lengths: (B,) int64, each at least 1.
        tags: (T, B) int64; None where they are not known.
    """

    words: Tensor
    shapes: Tensor
    rare: Tensor
    forms: Tensor
    characters: Tensor
    character_lengths: Tensor
    lengths: Tensor
    tags: Tensor | None

    def to(self, device: torch.device | str) -> TaggingBatch:
        """The same batch on another device."""
        return TaggingBatch(*[None if each is None else each.to(device) for each in self])  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class EncodedSentences:
    """Many sentences as numbers, concatenated; attributes of words are stored once per distinct form.

    Attributes:
        forms: (words,) int32, each word's form.
        offsets: (N + 1,) int64; sentence n is ``forms[offsets[n]:offsets[n + 1]]``.
        form_words: (F,) int32, number in the vocabulary.
        form_shapes: (F,) int8.
        form_rare: (F,) bool.
        characters: all forms' characters, int32.
        character_offsets: (F + 1,) int64.
        tags: (words,) int32; None where they are not known.
        notes: on words that were cut.

    Example:
        >>> sentences = [Sentence(("a", "b", "a"), (), 1), Sentence(("b",), (), 5)]
        >>> encoded = encode(sentences, WordVocabulary(["a"], ["a", "b"], 3))
        >>> batch = encoded.batch([0, 1])
        >>> batch.words.T.tolist(), batch.forms.T.tolist(), batch.characters.tolist()
        ([[2, 1, 2], [1, 0, 0]], [[0, 1, 0], [1, 0, 0]], [[2, 3]])
    """

    forms: npt.NDArray[np.int32]
    offsets: Integers
    form_words: npt.NDArray[np.int32]
    form_shapes: npt.NDArray[np.int8]
    form_rare: npt.NDArray[np.bool_]
    characters: npt.NDArray[np.int32]
    character_offsets: Integers
    tags: npt.NDArray[np.int32] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Integers:
        """(N,) words per sentence."""
        return np.diff(self.offsets)

    def batch(self, rows: Sequence[int] | Integers) -> TaggingBatch:
        """A padded batch of the given sentences."""
        chosen = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[chosen]
        steps = np.arange(int(lengths.max(initial=0)))[:, None]
        real = steps < lengths
        places = np.where(real, self.offsets[chosen] + steps, self.offsets[chosen])
        forms = self.forms[places]
        distinct, inverse = np.unique(forms, return_inverse=True)
        inverse = inverse.reshape(forms.shape)
        sizes = np.diff(self.character_offsets)[distinct]
        signs = np.arange(int(sizes.max(initial=0)))[:, None]
        spelt = signs < sizes
        starts = self.character_offsets[distinct]
        characters = np.where(spelt, self.characters[np.where(spelt, starts + signs, starts)], 0)
        tags = None if self.tags is None else np.where(real, self.tags[places], 0)
        return TaggingBatch(
            words=_tensor(np.where(real, self.form_words[forms], 0)),
            shapes=_tensor(np.where(real, self.form_shapes[forms], 0)),
            rare=torch.from_numpy(real & self.form_rare[forms]),
            forms=_tensor(np.where(real, inverse, 0)),
            characters=_tensor(characters),
            character_lengths=_tensor(sizes),
            lengths=_tensor(lengths),
            tags=None if tags is None else _tensor(tags),
        )


def encode(
    sentences: Sequence[Sentence],
    vocabulary: WordVocabulary,
    tags: Sequence[Integers] | None = None,
    max_characters: int = 30,
) -> EncodedSentences:
    """Turn sentences into numbers.

    Args:
        sentences: each with at least one word.
        vocabulary: of the training part.
        tags: numbers of each sentence's tags, see `TagSet.encode`; None: not known.
        max_characters: of longer words the first and last halves of these are read; the notes count them.

    Raises:
        ShapeError: tags of other sentences.
    """
    numbers: dict[str, int] = {}
    forms = np.fromiter(
        (numbers.setdefault(word, len(numbers)) for sentence in sentences for word in sentence.words), dtype=np.int32
    )
    lengths = np.fromiter((len(sentence) for sentence in sentences), dtype=np.int64, count=len(sentences))
    if tags is not None and [len(row) for row in tags] != lengths.tolist():
        raise ShapeError("tags and sentences do not fit", expected="one tag for each word", got="other lengths")
    form_words = np.fromiter(map(vocabulary.number, numbers), dtype=np.int32, count=len(numbers))
    spelt = [vocabulary.spell(form, max_characters) for form in numbers]
    cut = sum(len(form) > max_characters for form in numbers)
    longest = f"of {plural(cut, 'distinct word')} longer than {max_characters} characters the first and last are read"
    return EncodedSentences(
        forms=forms,
        offsets=_offsets(lengths),
        form_words=form_words,
        form_shapes=np.fromiter(map(shape_of, numbers), dtype=np.int8, count=len(numbers)),
        form_rare=form_words >= vocabulary.first_rare,
        characters=np.fromiter((sign for form in spelt for sign in form), dtype=np.int32),
        character_offsets=_offsets(np.fromiter(map(len, spelt), dtype=np.int64, count=len(spelt))),
        tags=None if tags is None else np.concatenate([*tags, np.empty(0, dtype=np.int64)]).astype(np.int32),
        notes=(longest,) if cut else (),
    )


def _offsets(lengths: Integers) -> Integers:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _tensor(values: npt.NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(values.astype(np.int64))
