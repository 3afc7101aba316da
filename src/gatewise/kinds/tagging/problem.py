"""Sequence tagging as a problem to train: batches of about equal length, negative log-likelihood, span F1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call

from gatewise.data import Ragged, shuffled_batches
from gatewise.data.seen import SEEN_FILE, Seen
from gatewise.kinds.tagging.encoding import EncodedSentences, TaggingBatch
from gatewise.kinds.tagging.evaluating import SPAN_F1, TAG_ACCURACY, contributions_of, measure_of
from gatewise.kinds.tagging.figures import tag_contributions
from gatewise.kinds.tagging.network import SequenceTagger
from gatewise.kinds.tagging.sentences import ColumnsRead
from gatewise.kinds.tagging.tag_set import TagSet
from gatewise.kinds.tagging.vocabulary import WordVocabulary
from gatewise.statistics import Measure
from gatewise.training.problem import Problem, StepLoss

__all__ = ["SPAN_F1", "TAG_ACCURACY", "TaggingProblem", "contributions_of", "decode_sentences", "measure_of"]

_BATCH = 64
Numbers = npt.NDArray[np.int64]


class TaggingProblem(Problem):
    """A tagger and its training sentences.

    Args:
        model: the network, on its device.
        tags: scheme and tags.
        vocabulary: words and characters.
        train: encoded training sentences, with their tags.
        validation: encoded sentences that decide which weights are kept, with their tags.
        batch_size: sentences per step.
        seed: of the order of the batches.
        device: of the model.
        columns: of words and tags in the training file, kept for `gatewise evaluate`.
        seen: makes the record of what was trained on, see `gatewise.data.seen`; None: the run keeps none.
    """

    unit: ClassVar[str] = "sentences"
    model: SequenceTagger

    def __init__(
        self,
        model: SequenceTagger,
        tags: TagSet,
        vocabulary: WordVocabulary,
        train: EncodedSentences,
        validation: EncodedSentences,
        *,
        batch_size: int,
        seed: int,
        device: str = "cpu",
        columns: ColumnsRead | None = None,
        seen: Callable[[], Seen] | None = None,
    ) -> None:
        self._seen = seen
        self.model, self.tags, self.vocabulary = model, tags, vocabulary
        self.train, self.validation = train, validation
        self.batch_size, self.seed, self.device = batch_size, seed, device
        self.columns = columns
        self.examples_per_epoch = len(train)
        self.steps_per_epoch = -(-len(train) // batch_size)
        self._forms = Ragged(train.forms, train.offsets)
        self._truth = [tags.decode(row) for row in _rows(validation)]
        self._order: list[Numbers] = []

    @property
    def metric(self) -> Measure:  # type: ignore[override]
        """Span F1, or accuracy."""
        return measure_of(self.tags)

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Shuffle; see `gatewise.data.shuffled_batches`."""
        self._order = shuffled_batches(self._forms, self.batch_size, self.seed, epoch)

    def loss(self, step: int) -> StepLoss:
        """Negative log-likelihood of the batch's tags, in nats per word."""
        rows = self.part.rows(self._order[step])
        batch = self.train.batch(rows)
        loss = self.model.loss(batch.to(self.device))
        return StepLoss(loss, loss, len(rows), weight=int(batch.lengths.sum()))

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss per word, the figure, and the accuracy of the tags on the validation part."""
        loss, words = 0.0, 0
        for _, batch in _batches(self.validation, self.device):
            count = int(batch.lengths.sum())
            loss += count * float(_called(self.model, weights, "loss", batch))
            words += count
        rows = decode_sentences(self.model, self.validation, weights, self.device)
        predictions = [self.tags.decode(row) for row in rows]
        figure = self.metric.of(contributions_of(self._truth, predictions, self.tags))
        right = tag_contributions(self._truth, predictions).sum(axis=0)
        return {"loss": loss / words, self.metric.name: figure, "accuracy": float(right[0] / right[1])}

    def probe(self) -> None:
        """Run the first batch."""
        self.model.loss(self.train.batch(np.arange(min(self.batch_size, len(self.train)))).to(self.device))

    def files(self) -> dict[str, dict[str, Any]]:
        """Tags, with the columns that they were read from, vocabulary, and hashes of the sentences."""
        columns = None if self.columns is None else asdict(self.columns)
        found = {
            "tags.json": {**self.tags.to_dict(), "columns": columns},
            "vocabulary.json": self.vocabulary.to_dict(),
        }
        return found if self._seen is None else {**found, SEEN_FILE: self._seen().to_dict()}


def decode_sentences(
    model: SequenceTagger,
    sentences: EncodedSentences,
    weights: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
) -> list[Numbers]:
    """The numbers of the most probable tags of each sentence.

    Args:
        model: the network; it is in evaluation mode afterwards.
        sentences: encoded sentences.
        weights: other weights to use instead of the model's own.
        device: of the model.
    """
    found: list[Numbers] = [np.empty(0, dtype=np.int64)] * len(sentences)
    model.eval()
    for rows, batch in _batches(sentences, device):
        tags = _called(model, weights, "decode", batch).cpu().numpy()
        for column, (row, length) in enumerate(zip(rows, batch.lengths.tolist(), strict=True)):
            found[int(row)] = tags[:length, column]
    return found


def _batches(sentences: EncodedSentences, device: str) -> Iterator[tuple[Numbers, TaggingBatch]]:
    """All sentences by falling length."""
    order = np.argsort(-sentences.lengths, kind="stable")
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        yield rows, sentences.batch(rows).to(device)


def _rows(sentences: EncodedSentences) -> list[npt.NDArray[np.int32]]:
    assert sentences.tags is not None
    return np.split(sentences.tags, sentences.offsets[1:-1])


class _Method(torch.nn.Module):
    """One method of a network as a module, so that it can be called with other weights."""

    def __init__(self, model: SequenceTagger, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, batch: TaggingBatch) -> Tensor:
        found: Tensor = getattr(self.model, self.name)(batch)
        return found


def _called(model: SequenceTagger, weights: Mapping[str, Tensor] | None, name: str, batch: TaggingBatch) -> Tensor:
    """A method's result in evaluation mode, with other weights where they are given."""
    model.eval()
    with torch.inference_mode():
        if weights is None:
            found: Tensor = getattr(model, name)(batch)
            return found
        named = {f"model.{key}": value for key, value in weights.items()}
        result: Tensor = functional_call(_Method(model, name), named, (batch,))
        return result
