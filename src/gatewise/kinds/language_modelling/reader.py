"""A language model as `gatewise explain` reads with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from gatewise.errors import DataError
from gatewise.training.kind import RecurrentInputs
from gatewise.training.reader import Array, Reader, ReadInput, Step
from gatewise.words import plural

if TYPE_CHECKING:
    from gatewise.kinds.language_modelling.trained import TrainedLanguageModel
    from gatewise.nn import Recurrent

__all__ = ["LanguageReader"]

_MOST_NUMBERS = 10_000_000
_LEAST_TOKENS = 64
_LEAST_EXAMPLE = 4
_START = "(start)"
_TITLE = 70
_LEAST_TURN = float(np.log(1.5))


class LanguageReader(Reader):
    """The beginning of a text in, the next token out.

    Args:
        trained: the language model.
        dataset: its data, for examples; None: there are none.
    """

    unit = "token"
    after = "the next token after the text so far"
    baseline_name = "the mean of all tokens' embeddings"

    def __init__(self, trained: TrainedLanguageModel, dataset: Any = None) -> None:
        self.model, self.vocabulary, self.dataset = trained.model, trained.vocabulary, dataset
        self.network = trained.model

    @cached_property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The tokens, as a reader sees them."""
        return tuple(self.vocabulary.shown(number) for number in range(len(self.vocabulary)))

    @cached_property
    def _stack(self) -> Recurrent:
        return self.model.stacked()

    @property
    def most_tokens(self) -> int:
        """Longer texts are read from so many tokens before their end: the answers of each step are many numbers."""
        return max(_LEAST_TOKENS, _MOST_NUMBERS // len(self.vocabulary))

    def examples(self, count: int) -> Sequence[ReadInput]:
        """Lines of the test text without their last word, which is the right answer."""
        found: list[ReadInput] = []
        for line in () if self.dataset is None else self.dataset.test_lines:
            begin, _, last = line.rstrip().rpartition(" ")
            if len(begin.split()) < _LEAST_EXAMPLE:
                continue
            kind = self.vocabulary.kind
            if kind == "character":
                found.append(self._read(line.rstrip()[:-1], line.rstrip()[-1]))
            else:
                tokens = self.vocabulary.split(last) if kind != "bpe" else []
                found.append(self._read(begin, tokens[0] if tokens else last))
            if len(found) == count:
                break
        return found

    def parse(self, given: Any) -> ReadInput:
        """The beginning of a text."""
        if not isinstance(given, str):
            raise DataError("a language model reads a text", expected="a string", got=type(given).__name__)
        return self._read(given, None)

    def _read(self, text: str, truth: str | None) -> ReadInput:
        numbers = self.vocabulary.encode_prompt(text)
        places = self._places(text, numbers)
        notes = []
        if len(numbers) > self.most_tokens:
            numbers, places = numbers[-self.most_tokens :], places[-self.most_tokens :]
            notes.append(f"Of the text the last {self.most_tokens:,} tokens are read.")
        unknown = self.vocabulary.unknown_tokens(text)
        if unknown:
            notes.append(f"{plural(len(unknown), 'word')} not known: " + ", ".join(unknown[:8]))
        steps = [Step(_START)]
        for number, (start, end) in zip(numbers, places, strict=True):
            label = text[start:end] if start is not None else self.vocabulary.shown(int(number))
            known = self.vocabulary.unknown is None or int(number) != self.vocabulary.unknown
            steps.append(Step(label, start, end, known))
        line = " ".join(text.split())
        return ReadInput(
            tuple(steps),
            np.concatenate([[self.vocabulary.start], numbers]).astype(np.int64),
            text=text,
            truth=truth,
            title=line if len(line) <= _TITLE else "…" + line[1 - _TITLE :],
            notes=tuple(notes),
        )

    def _places(self, text: str, numbers: npt.NDArray[Any]) -> list[tuple[int | None, int | None]]:
        """Where each token stands in the text; pieces of characters have no place."""
        if self.vocabulary.kind == "bpe":
            offsets = self.vocabulary._tokenizer.encode(text).offsets
            return [(start, end) for start, end in offsets]
        tokens = list(text) if self.vocabulary.kind == "character" else self.vocabulary.split(text)
        found: list[tuple[int | None, int | None]] = []
        position = 0
        for token in tokens:
            start = text.find(token, position)
            found.append((start, start + len(token)) if start >= 0 else (None, None))
            position = start + len(token) if start >= 0 else position
        return found

    def embed(self, read: ReadInput) -> Tensor:
        """The tokens' vectors."""
        with torch.no_grad():
            vectors: Tensor = self.model.embedding(torch.from_numpy(read.encoded)[:, None])
            return vectors

    def baseline(self, read: ReadInput) -> Tensor:
        """The mean of all tokens' vectors: there is no padding."""
        mean: Tensor = self.model.embedding.weight.detach().mean(dim=0)
        return mean.expand(len(read.steps), 1, -1).clone()

    def _log_chances(self, output: Tensor) -> Tensor:
        """ln p of every token after outputs (N, H): (N, V), differentiable."""
        if self.model.adaptive is not None:
            return self.model.adaptive.log_probabilities(output)
        hidden, weight = self.model._output_product(output)
        return functional.linear(hidden, weight, self.model.bias).log_softmax(dim=1)

    def _output(self, embedded: Tensor) -> Tensor:
        x = embedded
        for layer in self.model._recurrent():
            x, _ = layer(x)
        return x

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """ln p of every token as the next one."""
        return self._log_chances(self._output(embedded)[-1 if read.place is None else read.place])

    def prefixes(self, read: ReadInput) -> Array:
        """The distribution of the next token after every step."""
        with torch.inference_mode():
            return self.shares(self._log_chances(self._output(self.embed(read))[:, 0]))

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The recurrent layers as one stack."""
        return {"recurrent": RecurrentInputs(self._stack, self.embed(read), None)}

    def turned(self, read: ReadInput, after: Array, target: int) -> tuple[int, ...]:
        """The steps that moved the followed token's log-probability by more than a fifth of its range, and by half.

        The leading token changes with almost every step, and says little.
        """
        chances = np.log(np.maximum(after[:, target], np.finfo(np.float64).tiny))
        moves, span = np.abs(np.diff(chances)), float(np.ptp(chances))
        return tuple(int(t) + 1 for t in np.flatnonzero(moves > max(0.2 * span, _LEAST_TURN)))
