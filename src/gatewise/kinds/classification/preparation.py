"""A dataset as numbers, ready for batches; cached for the next run on the same data."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gatewise import words
from gatewise.data import Labels, Ragged, TextDataset, Vocabulary
from gatewise.data.cooccurrence import cooccurrence_vectors, random_vectors, scaled
from gatewise.data.scripts import spaceless_script
from gatewise.data.seen import Seen
from gatewise.data.word_vectors import read_vectors
from gatewise.errors import OptionError, did_you_mean
from gatewise.training.common_settings import EMBEDDINGS

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "PreparedTexts",
    "StartingVectors",
    "encode_whole",
    "prepare_texts",
    "seen_texts",
    "starting_vectors",
    "with_vocabulary_notes",
]


@dataclass(frozen=True)
class PreparedTexts:
    """Vocabulary of the training part; training and validation part as numbers with their labels."""

    vocabulary: Vocabulary
    train: Ragged
    train_labels: Labels
    validation: Ragged
    validation_labels: Labels


@dataclass(frozen=True, eq=False)
class StartingVectors:
    """What an embedding starts from.

    Attributes:
        values: (V, I) float32; None: as it was drawn.
        notes: what a user should know of them, a sentence each.
    """

    values: npt.NDArray[np.float32] | None
    notes: tuple[str, ...] = ()

    def initialise(self, embedding: nn.Embedding) -> None:
        """Overwrite the vectors of all words; padding stays zero."""
        if self.values is not None:
            import torch

            with torch.no_grad():
                embedding.weight[1:].copy_(torch.from_numpy(self.values[1:]))


_latest: dict[tuple[str, int, int, int], PreparedTexts] = {}


def prepare_texts(
    dataset: TextDataset, vocabulary_size: int, max_tokens: int, training_tokens: int = sys.maxsize
) -> PreparedTexts:
    """Fit the vocabulary and encode; the latest result is cached in memory.

    The vocabulary is fitted on the training part and the unlabelled texts.

    Args:
        dataset: the texts.
        vocabulary_size: entries, the two special ones included.
        max_tokens: longer texts keep their first and last halves.
        training_tokens: the same of the training part, if fewer.
    """
    shorter = min(training_tokens, max_tokens)
    key = (dataset.fingerprint, vocabulary_size, max_tokens, shorter)
    if key not in _latest:
        vocabulary = _vocabulary(dataset, vocabulary_size)
        prepared = PreparedTexts(
            vocabulary,
            _shortened(_whole(dataset, vocabulary), len(dataset.train.texts), shorter),
            dataset.train.labels,
            vocabulary.encode(dataset.validation.texts, max_tokens),
            dataset.validation.labels,
        )
        _latest.clear()
        _latest[key] = prepared
    return _latest[key]


def encode_whole(dataset: TextDataset, vocabulary_size: int) -> tuple[Vocabulary, Ragged, Ragged]:
    """The texts to pre-train on, from beginning to end.

    Args:
        dataset: the texts; the test part is not read.
        vocabulary_size: entries, the two special ones included.

    Returns:
        (vocabulary as `prepare_texts` fits it, training and unlabelled texts, validation texts)
    """
    vocabulary = _vocabulary(dataset, vocabulary_size)
    return vocabulary, _whole(dataset, vocabulary), vocabulary.encode(dataset.validation.texts, sys.maxsize)


def with_vocabulary_notes(
    dataset: TextDataset, size: int, max_tokens: int = sys.maxsize, training_tokens: int = sys.maxsize
) -> TextDataset:
    """Add to a data set's notes how its texts are split, how many words of its test part are unknown, what is not read.

    Args:
        dataset: the texts.
        size: entries of the usual vocabulary, the two special ones included.
        max_tokens: of longer texts networks usually read the first and last halves of so many.
        training_tokens: the same of texts that are trained on.

    Example:
        >>> import numpy as np
        >>> from gatewise.data import Split
        >>> train, test = Split(("a fine film", "a poor one"), np.array([0, 1])), Split(("a new film",), np.array([0]))
        >>> dataset = TextDataset("films", "here", "-", ("good", "bad"), train, test, test, "films")
        >>> with_vocabulary_notes(dataset, 20_000).notes
        ('33.3 % of the words of the test part are unknown: not in the training part',)
    """
    notes = []
    vocabulary = _vocabulary(dataset, size)
    unit = "words"
    if vocabulary.tokenisation == "characters":
        script = spaceless_script(dataset.train.texts) or "these"
        unit = "characters"
        notes.append(f"{script} texts have no spaces between words: each of their characters is a token of its own")
    texts = dataset.test.texts[:: -(-len(dataset.test.texts) // _COUNTED) or 1]
    encoded = vocabulary.encode(texts, sys.maxsize)
    tokens = encoded.values
    unknown = float((tokens == 1).mean()) if len(tokens) else 0.0
    if unknown > 0:
        about = "" if len(texts) == len(dataset.test.texts) else "about "
        where = "the training part" if not dataset.unlabelled else "the training part and the texts without labels"
        if len(vocabulary) == size:
            why = f"not among the {len(vocabulary.words):,} most frequent of {where}"
        else:
            why = f"not in {where}" + (" at least twice" if _minimum_count(dataset) == 2 else "")
        much = "; all models know such texts only by what else stands in them" if unknown > _MOSTLY else ""
        notes.append(f"{about}{words.share(unknown)} of the {unit} of the test part are unknown: {why}{much}")
    notes += _cut_note(encoded, unit, max_tokens, training_tokens)
    return replace(dataset, notes=(*dataset.notes, *notes))


def _cut_note(texts: Ragged, unit: str, max_tokens: int, training_tokens: int) -> list[str]:
    """A note where many texts are longer than what networks read of them."""
    share = float((texts.lengths > max_tokens).mean()) if len(texts.lengths) else 0.0
    if share < _OFTEN:
        return []
    trained = "" if training_tokens >= max_tokens else f", {training_tokens:,} in training (--training-tokens)"
    read = f"{max_tokens:,} in all unless --max-tokens says otherwise"
    return [
        f"{words.share(share)} of the test texts have more than {max_tokens:,} {unit} and signs: networks read the "
        f"first and last of them, {read}{trained}; the baseline counts every word"
    ]


def seen_texts(dataset: TextDataset) -> Seen:
    """Hashes of the texts of the training and validation part; the latest result is cached in memory."""
    if dataset.fingerprint not in _latest_seen:
        found = Seen.of(dataset.train.texts, dataset.validation.texts)
        _latest_seen.clear()
        _latest_seen[dataset.fingerprint] = found
    return _latest_seen[dataset.fingerprint]


_latest_seen: dict[str, Seen] = {}


def starting_vectors(dataset: TextDataset, vocabulary: Vocabulary, embeddings: str, width: int) -> StartingVectors:
    """What an embedding of the words starts from; the latest result is cached in memory.

    Args:
        dataset: the texts; the training part and the unlabelled ones are counted.
        vocabulary: fitted on them.
        embeddings: ``cooccurrence``, ``random``, or the path of a file of word vectors.
        width: numbers per word.

    Raises:
        OptionError: there is no such file, or its vectors have another width.
        DataError: the file is damaged, or has none of the words.
    """
    if embeddings == "random":
        return StartingVectors(None)
    if embeddings == "cooccurrence":
        key = (dataset.fingerprint, len(vocabulary), width)
        if key not in _latest_vectors:
            found = cooccurrence_vectors(_whole(dataset, vocabulary), len(vocabulary), width)
            _latest_vectors.clear()
            _latest_vectors[key] = found
        return StartingVectors(_latest_vectors[key])
    path = Path(embeddings).expanduser()
    if not path.exists():
        raise OptionError(
            f"there is no file {embeddings} of word vectors",
            expected="cooccurrence, random, or a text file of word vectors",
            fix=did_you_mean(embeddings, EMBEDDINGS) or "correct --embeddings",
        )
    read = read_vectors(path, vocabulary.words)
    if read.vectors.shape[1] != width:
        raise OptionError(
            f"the vectors of {embeddings} do not fit the network",
            expected=f"{width} numbers per word, as embedding_size says",
            got=f"{read.vectors.shape[1]} numbers",
            fix=f"--embedding-size {read.vectors.shape[1]}",
        )
    values = random_vectors(len(vocabulary), width)
    values[read.numbers] = scaled(read.vectors)
    return StartingVectors(values, (f"{read.note}; the others start random",))


_latest_vectors: dict[tuple[str, int, int], npt.NDArray[np.float32]] = {}


def _whole(dataset: TextDataset, vocabulary: Vocabulary) -> Ragged:
    """Training and unlabelled texts as numbers, from beginning to end; the latest result is cached in memory."""
    key = (dataset.fingerprint, len(vocabulary))
    if key not in _latest_whole:
        found = vocabulary.encode((*dataset.train.texts, *dataset.unlabelled), sys.maxsize)
        _latest_whole.clear()
        _latest_whole[key] = found
    return _latest_whole[key]


_latest_whole: dict[tuple[str, int], Ragged] = {}


def _shortened(texts: Ragged, count: int, max_tokens: int) -> Ragged:
    """The first texts; of those longer than ``max_tokens``, the first and last halves."""
    first, last = max_tokens - max_tokens // 2, max_tokens // 2
    rows = [texts.row(number) for number in range(count)]
    return Ragged.join(
        [row if len(row) <= max_tokens else np.concatenate([row[:first], row[len(row) - last :]]) for row in rows]
    )


_COUNTED = 2_000
_MOSTLY = 0.5
_OFTEN = 0.05
_all_words: dict[str, Vocabulary] = {}


def _vocabulary(dataset: TextDataset, size: int) -> Vocabulary:
    """The most frequent words; all of them are counted once for a data set, whatever the size."""
    if dataset.fingerprint not in _all_words:
        texts = (*dataset.train.texts, *dataset.unlabelled)
        found = Vocabulary.fit(texts, _EVERY, _minimum_count(dataset))
        _all_words.clear()
        _all_words[dataset.fingerprint] = found
    found = _all_words[dataset.fingerprint]
    return Vocabulary(found.words[: max(0, size - 2)], found.tokenisation)


_EVERY = 2**31


def _minimum_count(dataset: TextDataset) -> int:
    return 2 if len(dataset.train.texts) + len(dataset.unlabelled) >= 1_000 else 1
