"""A text classifier as the text is read: the classes after every token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from gatewise.kinds.classification.labelling import answer_of
from gatewise.nn.streams import Streams, each_row
from gatewise.training.streaming import Advance, Advanced, Arrived, State, Streaming, settled, text_of

if TYPE_CHECKING:
    from gatewise.kinds.classification.trained import TrainedClassifier

__all__ = ["ClassifierStreaming"]

Array = npt.NDArray[Any]


class ClassifierStreaming(Streaming):
    """Reads a text token by token; after each one the classes are those of the text so far.

    ::

        mean_t = (h_1 + .. + h_t) / t        max_t = max(max_t-1, h_t)

    A text is not cut to the length of the training, so beyond it the answers differ from those for the whole text.

    Args:
        classifier: the network, of one direction.

    Raises:
        ConversionError: it has two directions.
    """

    unit: ClassVar[str] = "token"
    message: ClassVar[Mapping[str, Any]] = {
        "text": {"type": "string", "description": "the next part of the text; a last word without a space waits"}
    }

    def __init__(self, classifier: TrainedClassifier) -> None:
        model = classifier.model
        self.streams = Streams(model.recurrent)
        self.names, self.multi_label = classifier.label_names, classifier.multi_label
        self.thresholds = classifier.thresholds
        self.vocabulary, self.pooling = classifier.vocabulary, model.pooling.split("+")
        self._embedding = model.embedding.weight.detach().numpy()
        self._weight, self._bias = model.head.weight.detach().numpy(), model.head.bias.detach().numpy()
        self._width = model.recurrent.widths[-1]

    def initial(self, settings: Mapping[str, Any]) -> State:
        """The layers' states, the sum and the greatest of the outputs, and how many there were."""
        found: dict[str, Array] = {"layers": self.streams.initial()}
        if "mean" in self.pooling:
            found["sum"], found["count"] = np.zeros(self._width, np.float32), np.zeros(1, np.int64)
        if "max" in self.pooling:
            found["max"] = np.full(self._width, -np.inf, np.float32)
        return found

    def arrived(self, message: Mapping[str, Any], rest: str, settings: Mapping[str, Any]) -> Arrived:
        """Numbers of the tokens."""
        text = rest + text_of(message)
        cut = settled(text, end=bool(message.get("end")))
        return Arrived(self.vocabulary.numbers(text[:cut]), text[cut:])

    def advance(self, streams: Sequence[Advance]) -> list[Advanced]:
        """Read tokens of many streams at once."""
        lengths = np.array([len(each.steps) for each in streams], dtype=np.int64)
        tokens = np.zeros((int(lengths.max()), len(streams)), np.int64)
        for row, each in enumerate(streams):
            tokens[: len(each.steps), row] = each.steps
        before = {name: np.stack([each.state[name] for each in streams]) for name in streams[0].state}
        output, layers = self.streams.advance_padded(before["layers"], self._embedding[tokens], lengths)
        last = (lengths - 1, np.arange(len(streams)))
        pooled = {name: self._pooled(name, before, output) for name in self.pooling}
        after: dict[str, Array] = {"layers": layers}
        if "mean" in pooled:
            after |= {"sum": pooled["mean"][last], "count": before["count"] + lengths[:, None]}
        if "max" in pooled:
            after["max"] = pooled["max"][last]
        counts = [len(each.steps) if each.every else 1 for each in streams]
        rows = np.repeat(last[1], counts)
        steps = np.concatenate(
            [np.arange(length - count, length) for length, count in zip(lengths, counts, strict=True)]
        )
        read = []
        for name, values in pooled.items():
            found = values[steps, rows]
            if name == "mean":
                found = found / (before["count"][rows] + steps[:, None] + 1).astype(np.float32)
            read.append(found)
        answers = iter(self._answers(np.concatenate(read, axis=1)))
        return [
            # copies, so that a stream does not keep what belongs to the others
            Advanced(
                {name: values[row].copy() for name, values in after.items()}, [next(answers) for _ in range(count)]
            )
            for row, count in enumerate(counts)
        ]

    def _pooled(self, name: str, before: Mapping[str, Array], output: Array) -> Array:
        """After every step the sum, the greatest or the last of the outputs: (T, B, H)."""
        if name == "last":
            return output
        combine, value = (np.add, before["sum"]) if name == "mean" else (np.maximum, before["max"])
        found = np.empty_like(output)
        for step, each in enumerate(output):
            value = combine(value, each, out=found[step])
        return found

    def _answers(self, pooled: Array) -> list[dict[str, Any]]:
        scores = each_row(pooled, self._weight, self._bias).astype(np.float64)
        if self.multi_label:
            chances = 1 / (1 + np.exp(-scores))
        else:
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            chances = powers / powers.sum(axis=1, keepdims=True)
        return [answer_of(self.names, row, multi_label=self.multi_label, thresholds=self.thresholds) for row in chances]
