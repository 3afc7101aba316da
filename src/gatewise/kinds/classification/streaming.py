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
        inputs = [self._embedding[each.steps] for each in streams]
        outputs, layers = self.streams.advance(np.stack([each.state["layers"] for each in streams]), inputs)
        states, pooled, counts = [], [], []
        for each, output, state in zip(streams, outputs, layers, strict=True):
            after, rows = self._pooled(each.state, output)
            states.append(after | {"layers": state})
            pooled.append(rows if each.every else rows[-1:])
            counts.append(len(pooled[-1]))
        scores = each_row(np.concatenate(pooled), self._weight, self._bias).astype(np.float64)
        if self.multi_label:
            chances = 1 / (1 + np.exp(-scores))
        else:
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            chances = powers / powers.sum(axis=1, keepdims=True)
        found, start = [], 0
        for state, count in zip(states, counts, strict=True):
            rows = chances[start : start + count]
            found.append(Advanced(state, [answer_of(self.names, row, multi_label=self.multi_label) for row in rows]))
            start += count
        return found

    def _pooled(self, state: State, output: Array) -> tuple[dict[str, Array], Array]:
        """The new sums, and what the head reads after each step: (T, parts * H)."""
        after: dict[str, Array] = {}
        parts = []
        for kind in self.pooling:
            if kind == "mean":
                sums = np.add.accumulate(np.concatenate([state["sum"][None], output]), axis=0)[1:]
                counts = state["count"] + np.arange(1, len(output) + 1)
                after["sum"], after["count"] = sums[-1], counts[-1:]
                parts.append(sums / counts[:, None].astype(np.float32))
            elif kind == "max":
                greatest = np.maximum.accumulate(np.concatenate([state["max"][None], output]), axis=0)[1:]
                after["max"] = greatest[-1]
                parts.append(greatest)
            else:
                parts.append(output)
        return after, np.concatenate(parts, axis=1)
