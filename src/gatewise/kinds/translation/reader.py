"""A translator as `gatewise explain` reads with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data import Ragged
from gatewise.data.subwords import END, PADDING, Subwords
from gatewise.errors import DataError
from gatewise.kinds.translation.problem import translate_encoded
from gatewise.nn.writer import Read
from gatewise.training.kind import RecurrentInputs
from gatewise.training.reader import ReadInput, Step
from gatewise.training.written_reader import SPACE, WrittenReader

if TYPE_CHECKING:
    from gatewise.kinds.translation.trained import TrainedTranslator

__all__ = ["MOST_TOKENS", "TranslationReader"]

MOST_TOKENS = 120
"""Longer sentences are cut, and that is said: what is read again after every token grows with the square of it."""
_TITLE = 70


class TranslationReader(WrittenReader):
    """Sentences in, their translations out; one written token is explained, see `WrittenReader`.

    Args:
        trained: the translator.
        dataset: its data, for examples; None: there are none.
    """

    unit = "token"
    baseline_name = "the mean of all source tokens' embeddings"
    after = "the chance of that word of the translation if the sentence ended there, given the words before it"

    def __init__(self, trained: TrainedTranslator, dataset: Any = None) -> None:
        super().__init__(trained.model, trained.target_subwords)
        self.trained, self.dataset, self.model = trained, dataset, trained.model

    def examples(self, count: int) -> Sequence[ReadInput]:
        """The first test sentences, with their references."""
        if self.dataset is None:
            return []
        part = self.dataset.test
        return self._read(part.sources[:count], part.targets[:count])

    def parse(self, given: Any) -> ReadInput:
        """A sentence."""
        if not isinstance(given, str):
            raise DataError("a translator reads a text", expected="a string", got=type(given).__name__)
        if not given.split():
            raise DataError("the text has no word", got=repr(given)[:60], fix="give at least one word")
        return self._read([given], [None])[0]

    def _read(self, texts: Sequence[str], truths: Sequence[str | None]) -> list[ReadInput]:
        """Sentences with their translations, which are searched for together."""
        cut = [_pieces(" ".join(text.split()), self.trained.source_subwords) for text in texts]
        rows = [np.append(numbers[: MOST_TOKENS - 1], END).astype(np.int64) for numbers, _ in cut]
        found = []
        for (_, steps), row, target, text, truth in zip(cut, rows, self._translated(rows), texts, truths, strict=True):
            line = " ".join(text.split())
            over = len(steps) >= MOST_TOKENS
            notes = [f"Only the first {MOST_TOKENS - 1} of {len(steps):,} tokens are read."] if over else []
            read = ReadInput(
                (*steps[: len(row) - 1], Step("∎", len(line), len(line))),
                row,
                text=line,
                truth=truth,
                title=line if len(line) <= _TITLE else line[: _TITLE - 1] + "…",
                notes=tuple(notes),
            )
            found.append(self._with_written(read, target))
        return found

    def _translated(self, rows: Sequence[npt.NDArray[np.int64]]) -> list[npt.NDArray[np.int64]]:
        """The translation of each by the run's beam search."""
        model = self.trained.spec.model
        source = Ragged.join([row.astype(np.int32) for row in rows])
        found = translate_encoded(self.model, source, beam=model.beam, length_power=model.length_power)
        return [np.asarray(numbers, dtype=np.int64) for numbers in found]

    def _source(self, embedded: Tensor) -> Read:
        return self.model.read_embedded(embedded, torch.full((embedded.shape[1],), len(embedded)))

    def embed(self, read: ReadInput) -> Tensor:
        """The tokens' vectors."""
        with torch.no_grad():
            return self.model.embedded_source(torch.from_numpy(read.encoded)[:, None])

    def baseline(self, read: ReadInput) -> Tensor:
        """The mean of all tokens' vectors: there is no padding that the network has read."""
        with torch.no_grad():
            every = self.model.embedded_source(torch.arange(self.model.source.num_embeddings)[:, None])
            return every.mean(dim=0).expand(len(read.steps), 1, -1).clone()

    def _beginnings(self, read: ReadInput, steps: npt.NDArray[np.int64]) -> Read:
        """The sentence up to each of some steps, with its end; after its own end the whole."""
        lengths = np.minimum(steps + 2, len(read.encoded))
        rows = np.arange(int(lengths.max()))[:, None]
        source = np.where(rows < lengths - 1, read.encoded[: len(rows), None], np.where(rows < lengths, END, PADDING))
        return self.model.read(torch.from_numpy(source), torch.from_numpy(lengths))

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The encoder over the sentence; the decoder's layers over the translation."""
        return {"encoder": RecurrentInputs(self.model.encoder, self.embed(read), None), **self._decoder_stacks(read)}

    def span(self, stack: str) -> tuple[int, int]:
        """The decoder walks over the translation."""
        return (0, 1) if stack == "encoder" else (0, 0)

    def drafts(self, read: ReadInput) -> tuple[str, ...]:
        """The translation of every beginning of the sentence, by the run's beam search."""
        rows = [np.append(read.encoded[: step + 1], END) for step in range(len(read.encoded) - 1)]
        texts = [self.trained.target_subwords.decode(numbers) for numbers in self._translated(rows)]
        return (*texts, texts[-1])


def _pieces(text: str, subwords: Subwords) -> tuple[npt.NDArray[np.int64], list[Step]]:
    """The tokens of a text with their places in it; of a character that is cut, its first part has the place."""
    places = subwords.places(text)
    numbers = np.array([number for number, _, _ in places], dtype=np.int64)
    steps, end = [], 0
    for _, start, stop in places:
        start += text[start:stop].startswith(" ")
        start, stop = max(start, end), max(stop, end)
        label = text[start:stop]
        steps.append(Step(label or ("·" if stop == end else SPACE), start, stop))
        end = stop
    return numbers, steps
