"""A translator as `gatewise explain` reads with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data import Ragged
from gatewise.data.subwords import BEGIN, END, PADDING, Subwords
from gatewise.errors import DataError
from gatewise.kinds.translation.encoding import TranslationBatch
from gatewise.kinds.translation.problem import translate_encoded
from gatewise.training.kind import RecurrentInputs
from gatewise.training.prefixes import STEPS_AT_ONCE
from gatewise.training.reader import Array, Reader, ReadInput, Step

if TYPE_CHECKING:
    from gatewise.kinds.translation.trained import TrainedTranslator

__all__ = ["MOST_TOKENS", "TranslationReader"]

MOST_TOKENS = 120
"""Longer sentences are cut, and that is said: what is read again after every token grows with the square of it."""
_TITLE = 70
_SPECIAL = {PADDING: "(padding)", BEGIN: "(begin)"}
_SPACE = "␣"


class TranslationReader(Reader):
    """Sentences in, their translations out; one written token is explained, the tokens before it being given.

    ``ReadInput.written`` is the translation that the run's beam search finds, ``ReadInput.place`` the token of it whose
    reasons are asked for: at first the one whose log-odds depend on the sentence the most, which are compared with
    those for the baseline.

    Args:
        trained: the translator.
        dataset: its data, for examples; None: there are none.
    """

    unit = "token"
    baseline_name = "the mean of all source tokens' embeddings"
    after = "the chance of that word of the translation if the sentence ended there, given the words before it"

    def __init__(self, trained: TrainedTranslator, dataset: Any = None) -> None:
        self.trained, self.dataset, self.model = trained, dataset, trained.model
        self.network = trained.model

    @cached_property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The target tokens as a person sees them: one that continues a word begins with ``…``."""
        pieces = self.trained.target_subwords.pieces(range(len(self.trained.target_subwords)))
        found: dict[str, None] = {}
        for number, piece in enumerate(pieces):
            name = _SPECIAL.get(number, _name(piece) if number > END else piece)
            found[name if name not in found else f"{name} ({number})"] = None
        return tuple(found)

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
                place=0,
                written=_written(target, self.trained.target_subwords),
                extra={"target": target},
            )
            found.append(replace(read, place=self._dependent(read)))
        return found

    def _translated(self, rows: Sequence[npt.NDArray[np.int64]]) -> list[npt.NDArray[np.int64]]:
        """The translation of each by the run's beam search, with its end."""
        model = self.trained.spec.model
        source = Ragged.join([row.astype(np.int32) for row in rows])
        found = translate_encoded(self.model, source, beam=model.beam, length_power=model.length_power)
        return [np.append(numbers, END).astype(np.int64) for numbers in found]

    def _dependent(self, read: ReadInput) -> int:
        """The written token whose log-odds differ the most from those for the baseline."""
        with torch.inference_mode():
            embedded = torch.cat([self.embed(read), self.baseline(read)], dim=1)
            inputs = torch.from_numpy(self._inputs(read, len(read.written)))[:, None].expand(-1, 2)
            scores = self.model.scores(self._source(embedded), inputs)
            goals = torch.from_numpy(read.extra["target"])
            chances = scores[torch.arange(len(goals)), :, goals].double().clamp(max=-1e-9)
            odds = chances - torch.log(-torch.expm1(chances))
        return int((odds[:, 0] - odds[:, 1]).argmax())

    @staticmethod
    def _inputs(read: ReadInput, count: int) -> npt.NDArray[np.int64]:
        """What the decoder reads until it writes so many tokens."""
        found: npt.NDArray[np.int64] = np.concatenate([[BEGIN], read.extra["target"][: count - 1]])
        return found

    def _source(self, embedded: Tensor) -> Any:
        return self.model.read_embedded(embedded, torch.full((embedded.shape[1],), len(embedded)))

    def _place(self, read: ReadInput) -> int:
        return len(read.written) - 1 if read.place is None else read.place

    def embed(self, read: ReadInput) -> Tensor:
        """The tokens' vectors."""
        with torch.no_grad():
            return self.model.embedded_source(torch.from_numpy(read.encoded)[:, None])

    def baseline(self, read: ReadInput) -> Tensor:
        """The mean of all tokens' vectors: there is no padding that the network has read."""
        with torch.no_grad():
            every = self.model.embedded_source(torch.arange(self.model.source.num_embeddings)[:, None])
            return every.mean(dim=0).expand(len(read.steps), 1, -1).clone()

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """ln p of every target token at ``read.place``, the tokens before it as they were written."""
        inputs = torch.from_numpy(self._inputs(read, self._place(read) + 1))[:, None]
        return self.model.last_scores(self._source(embedded), inputs.expand(-1, embedded.shape[1]))

    def prefixes(self, read: ReadInput) -> Array:
        """The same after every beginning of the sentence, each with its end."""
        inputs = torch.from_numpy(self._inputs(read, self._place(read) + 1))[:, None]
        steps = len(read.encoded)
        at_once = max(1, STEPS_AT_ONCE // (steps + len(inputs)))
        found = []
        with torch.inference_mode():
            for part in np.array_split(np.arange(steps), -(-steps // at_once)):
                source, lengths = self._beginnings(read, part)
                inner = self.model.read(source, lengths)
                found.append(self.model.last_scores(inner, inputs.expand(-1, len(part))))
        return self.shares(torch.cat(found))

    @staticmethod
    def _beginnings(read: ReadInput, steps: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """The sentence up to each of some steps, with its end; after its own end the whole."""
        lengths = np.minimum(steps + 2, len(read.encoded))
        rows = np.arange(int(lengths.max()))[:, None]
        source = np.where(rows < lengths - 1, read.encoded[: len(rows), None], np.where(rows < lengths, END, PADDING))
        return torch.from_numpy(source), torch.from_numpy(lengths)

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The encoder over the sentence; the decoder's layers over the translation."""
        target = torch.from_numpy(read.extra["target"])[:, None]
        inputs = torch.from_numpy(self._inputs(read, len(target)))[:, None]
        source = torch.from_numpy(read.encoded)[:, None]
        batch = TranslationBatch(source, torch.tensor([len(source)]), inputs, target, torch.tensor([len(target)]))
        with torch.no_grad():
            found = {"encoder": RecurrentInputs(self.model.encoder, self.embed(read), None)}
            begun = self.model._begin(self._source(self.embed(read)))
            for (name, layers, given), state in zip(self.model.decoder_inputs(batch), begun, strict=False):
                found[name] = RecurrentInputs(layers, given, None, state)
        return found

    def span(self, stack: str) -> tuple[int, int]:
        """The decoder walks over the translation."""
        return (0, 1) if stack == "encoder" else (0, 0)

    def target_of(self, target: int | str | None, final: Array, read: ReadInput | None = None) -> int:
        """By default the token that was written, which need not be the likeliest where a beam is wide."""
        if target is None and read is not None:
            return int(read.extra["target"][self._place(read)])
        if isinstance(target, str) and target not in self.names and read is not None:
            written = dict.fromkeys(self.names[number] for number in read.extra["target"])
            raise DataError(
                f"there is no token {target!r}",
                expected=f"what it writes here ({', '.join(written)}), or another target token by its name",
                fix="a token that continues a word is named …ung",
            )
        return super().target_of(target, final, read)

    def at(self, read: ReadInput, target: int | str | None) -> ReadInput:
        """Where a token of that name is first written; anything else is asked about where it is."""
        named = [self.names[number] for number in read.extra["target"]]
        return replace(read, place=named.index(target)) if isinstance(target, str) and target in named else read

    def attention(self, read: ReadInput) -> Array | None:
        """Of every written token over the sentence; None: the network has no attention."""
        if self.model.attention is None:
            return None
        with torch.inference_mode():
            inputs = torch.from_numpy(self._inputs(read, len(read.written)))[:, None]
            _, weights = self.model._written(self._source(self.embed(read)), inputs, torch.tensor([len(inputs)]))
        assert weights is not None
        found: Array = weights[0].double().numpy()
        return found

    def drafts(self, read: ReadInput) -> tuple[str, ...]:
        """The translation of every beginning of the sentence, by the run's beam search."""
        rows = [np.append(read.encoded[: step + 1], END) for step in range(len(read.encoded) - 1)]
        texts = [self.trained.target_subwords.decode(numbers) for numbers in self._translated(rows)]
        return (*texts, texts[-1])

    def turned(self, read: ReadInput, after: Array, target: int) -> tuple[int, ...]:
        """The steps with which the followed token came to lead, or ceased to."""
        leads = after.argmax(axis=1) == target
        return tuple(int(step) + 1 for step in np.flatnonzero(np.diff(leads.astype(np.int64))))


def _name(piece: str) -> str:
    """A piece as a word, or, where letters continue a word, after an ellipsis."""
    word = piece.strip()
    return (f"…{word}" if piece[:1].isalnum() else word) if word else _SPACE


def _pieces(text: str, subwords: Subwords) -> tuple[npt.NDArray[np.int64], list[Step]]:
    """The tokens of a text with their places in it; of a character that is cut, its first part has the place."""
    places = subwords.places(text)
    numbers = np.array([number for number, _, _ in places], dtype=np.int64)
    steps, end = [], 0
    for _, start, stop in places:
        start += text[start:stop].startswith(" ")
        start, stop = max(start, end), max(stop, end)
        label = text[start:stop]
        steps.append(Step(label or ("·" if stop == end else _SPACE), start, stop))
        end = stop
    return numbers, steps


def _written(target: npt.NDArray[np.int64], subwords: Subwords) -> tuple[Step, ...]:
    """A translation's tokens, each with its place in the text that they make."""
    steps, text = [], ""
    for number, piece in zip(target.tolist(), subwords.pieces(target.tolist()), strict=True):
        shown = piece if text else piece.lstrip()
        start = len(text) + len(shown) - len(shown.lstrip())
        text += "" if number == END else shown
        label = "∎" if number == END else shown.strip() or _SPACE
        steps.append(Step(label, min(start, len(text)), len(text)))
    return tuple(steps)
