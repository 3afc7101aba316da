"""A dataset as numbers, ready for batches; kept for the next run on the same data."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.data import EncodedTexts, Labels, TextDataset, Vocabulary

__all__ = ["PreparedTexts", "prepare_texts"]


@dataclass(frozen=True)
class PreparedTexts:
    """Vocabulary of the training part; training and validation part as numbers with their labels."""

    vocabulary: Vocabulary
    train: EncodedTexts
    train_labels: Labels
    validation: EncodedTexts
    validation_labels: Labels


_latest: dict[tuple[str, int, int], PreparedTexts] = {}


def prepare_texts(dataset: TextDataset, vocabulary_size: int, max_tokens: int) -> PreparedTexts:
    """Fit the vocabulary on the training part and encode; the latest result is kept in memory and given again.

    Args:
        dataset: the texts.
        vocabulary_size: entries, the two special ones included.
        max_tokens: longer texts keep their first and last halves.
    """
    key = (dataset.fingerprint, vocabulary_size, max_tokens)
    if key not in _latest:
        texts = dataset.train.texts
        vocabulary = Vocabulary.fit(texts, vocabulary_size, minimum_count=2 if len(texts) >= 1_000 else 1)
        prepared = PreparedTexts(
            vocabulary,
            vocabulary.encode(texts, max_tokens),
            dataset.train.labels,
            vocabulary.encode(dataset.validation.texts, max_tokens),
            dataset.validation.labels,
        )
        _latest.clear()
        _latest[key] = prepared
    return _latest[key]
