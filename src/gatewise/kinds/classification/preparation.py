"""A dataset as numbers, ready for batches; cached for the next run on the same data."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from gatewise.data import Labels, Ragged, TextDataset, Vocabulary

__all__ = ["PreparedTexts", "encode_whole", "prepare_texts"]


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


def _vocabulary(dataset: TextDataset, size: int) -> Vocabulary:
    texts = (*dataset.train.texts, *dataset.unlabelled)
    return Vocabulary.fit(texts, size, minimum_count=2 if len(texts) >= 1_000 else 1)
