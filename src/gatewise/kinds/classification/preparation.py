"""A dataset as numbers, ready for batches; cached for the next run on the same data."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from gatewise import words
from gatewise.data import Labels, Ragged, TextDataset, Vocabulary
from gatewise.data.scripts import spaceless_script

__all__ = ["PreparedTexts", "encode_whole", "prepare_texts", "with_vocabulary_notes"]


@dataclass(frozen=True)
class PreparedTexts:
    """Vocabulary of the training part; training and validation part as numbers with their labels."""

    vocabulary: Vocabulary
    train: Ragged
    train_labels: Labels
    validation: Ragged
    validation_labels: Labels


_latest: dict[tuple[str, int, int], PreparedTexts] = {}


def prepare_texts(dataset: TextDataset, vocabulary_size: int, max_tokens: int) -> PreparedTexts:
    """Fit the vocabulary and encode; the latest result is cached in memory.

    The vocabulary is fitted on the training part and the unlabelled texts.

    Args:
        dataset: the texts.
        vocabulary_size: entries, the two special ones included.
        max_tokens: longer texts keep their first and last halves.
    """
    key = (dataset.fingerprint, vocabulary_size, max_tokens)
    if key not in _latest:
        vocabulary = _vocabulary(dataset, vocabulary_size)
        prepared = PreparedTexts(
            vocabulary,
            vocabulary.encode(dataset.train.texts, max_tokens),
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
    train = vocabulary.encode((*dataset.train.texts, *dataset.unlabelled), sys.maxsize)
    return vocabulary, train, vocabulary.encode(dataset.validation.texts, sys.maxsize)


def with_vocabulary_notes(dataset: TextDataset, size: int) -> TextDataset:
    """Add to a data set's notes how its texts are split and how many words of its test part are unknown.

    Args:
        dataset: the texts.
        size: entries of the usual vocabulary, the two special ones included.

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
    tokens = vocabulary.encode(texts, sys.maxsize).values
    unknown = float((tokens == 1).mean()) if len(tokens) else 0.0
    if unknown > 0:
        about = "" if len(texts) == len(dataset.test.texts) else "about "
        where = "the training part" if not dataset.unlabelled else "the training part and the texts without labels"
        if len(vocabulary) == size:
            why = f"not among the {len(vocabulary.words):,} most frequent of {where}"
        else:
            why = f"not in {where}" + (" at least twice" if _minimum_count(dataset) == 2 else "")
        notes.append(f"{about}{words.share(unknown)} of the {unit} of the test part are unknown: {why}")
    return replace(dataset, notes=(*dataset.notes, *notes))


_COUNTED = 2_000
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
