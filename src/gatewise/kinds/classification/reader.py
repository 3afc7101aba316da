"""A text classifier as `gatewise explain` reads with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data.vocabulary import UNKNOWN
from gatewise.errors import DataError
from gatewise.grammar import listed
from gatewise.kinds.classification.network import pool
from gatewise.training.kind import RecurrentInputs
from gatewise.training.prefixes import prefix_summaries
from gatewise.training.reader import Reader, ReadInput, Step
from gatewise.words import plural

if TYPE_CHECKING:
    from gatewise.kinds.classification.trained import TrainedClassifier

__all__ = ["TextReader"]

_TITLE = 70


class TextReader(Reader):
    """Texts in, class probabilities out, token by token.

    Args:
        trained: the classifier.
        dataset: its data, for examples; None: there are none.
    """

    unit = "token"

    def __init__(self, trained: TrainedClassifier, dataset: Any = None) -> None:
        self.trained, self.dataset, self.network = trained, dataset, trained.model
        self.names = trained.label_names
        self.answers = "labels" if trained.multi_label else "classes"
        self.thresholds = trained.thresholds if trained.multi_label else None
        self.baseline_name = "the padding word's embedding"
        both = trained.model.recurrent.bidirectional
        self.after = "the answer to the text up to that token" + (", read again in both directions" if both else "")

    def examples(self, count: int) -> Sequence[ReadInput]:
        """The first test texts."""
        if self.dataset is None:
            return []
        part = self.dataset.test
        found = []
        for row, text in enumerate(part.texts[:count]):
            labels = np.asarray(part.labels[row])
            chosen = [int(labels)] if labels.ndim == 0 else np.flatnonzero(labels).tolist()
            found.append(self._read(text, ", ".join(self.names[each] for each in chosen)))
        return found

    def parse(self, given: Any) -> ReadInput:
        """A text."""
        if not isinstance(given, str):
            raise DataError("a text classifier reads a text", expected="a string", got=type(given).__name__)
        return self._read(given, None)

    def _read(self, text: str, truth: str | None) -> ReadInput:
        limit = self.trained.max_tokens
        places = self.trained.vocabulary.places(text, limit)
        steps = tuple(Step(text[start:end] or UNKNOWN, start, end, known=number != 1) for number, start, end in places)
        notes = []
        if len(places) == limit and len(self.trained.vocabulary.tokens(text)) > limit:
            notes.append(f"The text is longer than {limit} tokens: its middle is not read.")
        unknown = list(dict.fromkeys(step.label for step in steps if not step.known))
        if unknown:
            shown = ", ".join(map(listed, unknown[:8])) + (", ..." if len(unknown) > 8 else "")
            notes.append(f"{plural(len(unknown), 'word')} not known, read as {UNKNOWN}: {shown}")
        line = " ".join(text.split())
        return ReadInput(
            steps,
            np.array([number for number, _, _ in places], dtype=np.int64),
            text=text,
            truth=truth,
            title=line if len(line) <= _TITLE else line[: _TITLE - 1] + "…",
            notes=tuple(notes),
        )

    def embed(self, read: ReadInput) -> Tensor:
        """The words' vectors."""
        with torch.no_grad():
            vectors: Tensor = self.trained.model.embedding(torch.from_numpy(read.encoded)[:, None])
            return vectors

    def baseline(self, read: ReadInput) -> Tensor:
        """The padding word's vector at every step."""
        padding: Tensor = self.trained.model.embedding.weight[0].detach()
        return padding.expand(len(read.steps), 1, -1).clone()

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """Scores before the softmax."""
        model = self.trained.model
        lengths = torch.full((embedded.shape[1],), embedded.shape[0])
        output, _ = model.recurrent(embedded)
        pooled = pool(output, lengths, model.pooling, bidirectional=model.recurrent.bidirectional)
        scores: Tensor = model.head(pooled)
        return scores

    def prefixes(self, read: ReadInput) -> npt.NDArray[np.float64]:
        """The probabilities of every beginning of the text: of one direction all from one pass."""
        model = self.trained.model
        embedded = self.embed(read)
        with torch.inference_mode():
            if not model.recurrent.bidirectional:
                return self.shares(
                    model.head(_pooled_so_far(prefix_summaries(model.recurrent, embedded), model.pooling))
                )
            pooled = prefix_summaries(
                model.recurrent,
                embedded,
                lambda output, lengths: pool(output, lengths, model.pooling, bidirectional=True),
            )
            return self.shares(model.head(pooled))

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The recurrent layers on the words' vectors."""
        return {"recurrent": RecurrentInputs(self.trained.model.recurrent, self.embed(read), None)}


def _pooled_so_far(output: Tensor, pooling: str) -> Tensor:
    """The pooling of every beginning: (T, H) to (T, parts * H).

    Example:
        >>> _pooled_so_far(torch.tensor([[1.0], [3.0], [2.0]]), "last+mean+max").tolist()
        [[1.0, 1.0, 1.0], [3.0, 2.0, 3.0], [2.0, 2.0, 3.0]]
    """
    count = torch.arange(1, len(output) + 1, dtype=output.dtype)[:, None]
    parts = {
        "last": lambda: output,
        "mean": lambda: output.cumsum(dim=0) / count,
        "max": lambda: output.cummax(dim=0).values,
    }
    return torch.cat([parts[kind]() for kind in pooling.split("+")], dim=1)
