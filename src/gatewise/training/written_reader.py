"""What the readers of all networks have in common that write tokens about something they have read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data.subwords import BEGIN, END, PADDING, Subwords
from gatewise.errors import DataError
from gatewise.nn.writer import Read, Writer
from gatewise.training.kind import RecurrentInputs
from gatewise.training.prefixes import STEPS_AT_ONCE
from gatewise.training.reader import Array, Reader, ReadInput, Step

__all__ = ["SPACE", "WrittenReader"]

SPACE = "␣"
"""How a token is shown that is nothing but a space."""
_SPECIAL = {PADDING: "(padding)", BEGIN: "(begin)"}
Numbers = npt.NDArray[np.int64]


class WrittenReader(Reader):
    """Something in, tokens out; one written token is explained, the tokens before it being given.

    ``ReadInput.written`` is what the run's beam search finds, ``ReadInput.extra["target"]`` its tokens with the end.
    ``ReadInput.place`` is the one whose reasons are asked for: at first that whose log-odds depend on the input the
    most, which are compared with those for the baseline.

    Args:
        model: the network.
        subwords: of what it writes.
    """

    def __init__(self, model: Writer, subwords: Subwords) -> None:
        self.writer, self.subwords = model, subwords
        self.network = model

    @abstractmethod
    def _source(self, embedded: Tensor) -> Read:
        """What the network makes of variants of an input (T, B, I)."""

    @abstractmethod
    def _beginnings(self, read: ReadInput, steps: Numbers) -> Read:
        """What the network makes of the input up to each of some steps."""

    @cached_property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The tokens as a person sees them: one that continues a word begins with ``…``."""
        pieces = self.subwords.pieces(range(len(self.subwords)))
        found: dict[str, None] = {}
        for number, piece in enumerate(pieces):
            name = _SPECIAL.get(number, _name(piece) if number > END else piece)
            found[name if name not in found else f"{name} ({number})"] = None
        return tuple(found)

    def _with_written(self, read: ReadInput, tokens: Sequence[int] | Numbers) -> ReadInput:
        """The input with what is written about it, and the token of that which depends on it the most."""
        target = np.append(np.asarray(tokens, dtype=np.int64), END)
        whole = replace(read, place=0, written=_written(target, self.subwords), extra={**read.extra, "target": target})
        return replace(whole, place=self._dependent(whole))

    def _dependent(self, read: ReadInput) -> int:
        """The written token whose log-odds differ the most from those for the baseline."""
        with torch.inference_mode():
            embedded = torch.cat([self.embed(read), self.baseline(read)], dim=1)
            scores = self.writer.scores(self._source(embedded), self._inputs(read, len(read.written)).expand(-1, 2))
            goals = torch.from_numpy(read.extra["target"])
            chances = scores[torch.arange(len(goals)), :, goals].double().clamp(max=-1e-9)
            odds = chances - torch.log(-torch.expm1(chances))
        return int((odds[:, 0] - odds[:, 1]).argmax())

    @staticmethod
    def _inputs(read: ReadInput, count: int) -> Tensor:
        """What the decoder reads until it writes so many tokens: (count, 1)."""
        return torch.from_numpy(np.concatenate([[BEGIN], read.extra["target"][: count - 1]]))[:, None]

    @staticmethod
    def _place(read: ReadInput) -> int:
        return len(read.written) - 1 if read.place is None else read.place

    def _until(self, read: ReadInput) -> Tensor:
        """What it reads until it writes the token that is explained."""
        return self._inputs(read, self._place(read) + 1)

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """ln p of every token at ``read.place``, the tokens before it as they were written."""
        inputs = self._until(read)
        return self.writer.last_scores(self._source(embedded), inputs.expand(-1, embedded.shape[1]))

    def prefixes(self, read: ReadInput) -> Array:
        """The same after every beginning of the input."""
        inputs, steps, found = self._until(read), len(read.steps), []
        at_once = max(1, STEPS_AT_ONCE // (steps + len(inputs)))
        with torch.inference_mode():
            for part in np.array_split(np.arange(steps), -(-steps // at_once)):
                found.append(self.writer.last_scores(self._beginnings(read, part), inputs.expand(-1, len(part))))
        return self.shares(torch.cat(found))

    def following(self, read: ReadInput) -> Array:
        """The chance of every token at each written one."""
        with torch.inference_mode():
            source = self._source(self.embed(read))
            return self.shares(self.writer.scores(source, self._inputs(read, len(read.written)))[:, 0])

    def _decoder_stacks(self, read: ReadInput) -> dict[str, RecurrentInputs]:
        """The decoder's layers over what is written, in the states in which they begin."""
        with torch.no_grad():
            source, inputs = self._source(self.embed(read)), self._inputs(read, len(read.written))
            found = self.writer.decoder_stacks(source, inputs, torch.tensor([len(inputs)]))
        return {name: RecurrentInputs(layers, given, None, state) for name, layers, given, state in found}

    def target_of(self, target: int | str | None, final: Array, read: ReadInput | None = None) -> int:
        """By default the token that was written, which need not be the likeliest where a beam is wide."""
        if target is None and read is not None:
            return int(read.extra["target"][self._place(read)])
        if isinstance(target, str) and target not in self.names and read is not None:
            written = dict.fromkeys(self.names[number] for number in read.extra["target"])
            raise DataError(
                f"there is no token {target!r}",
                expected=f"what it writes here ({', '.join(written)}), or another token by its name",
                fix="a token that continues a word is named …ung",
            )
        return super().target_of(target, final, read)

    def at(self, read: ReadInput, target: int | str | None) -> ReadInput:
        """Where a token of that name is first written; anything else is asked about where it is."""
        named = [self.names[number] for number in read.extra["target"]]
        return replace(read, place=named.index(target)) if isinstance(target, str) and target in named else read

    def attention(self, read: ReadInput) -> Array | None:
        """Of every written token over the steps of the input; None: the network has no attention."""
        inputs = self._inputs(read, len(read.written))
        with torch.inference_mode():
            weights = self.writer.written_weights(self._source(self.embed(read)), inputs, torch.tensor([len(inputs)]))
        if weights is None:
            return None
        found: Array = weights[0].double().numpy()
        return found

    def turned(self, read: ReadInput, after: Array, target: int) -> tuple[int, ...]:
        """The steps with which the followed token came to lead, or ceased to."""
        leads = after.argmax(axis=1) == target
        return tuple(int(step) + 1 for step in np.flatnonzero(np.diff(leads.astype(np.int64))))


def _name(piece: str) -> str:
    """A piece as a word, or, where letters continue a word, after an ellipsis."""
    word = piece.strip()
    return (f"…{word}" if piece[:1].isalnum() else word) if word else SPACE


def _written(target: Numbers, subwords: Subwords) -> tuple[Step, ...]:
    """The tokens of a text, each with its place in the text that they make."""
    steps, text = [], ""
    for number, piece in zip(target.tolist(), subwords.pieces(target.tolist()), strict=True):
        shown = piece if text else piece.lstrip()
        start = len(text) + len(shown) - len(shown.lstrip())
        text += "" if number == END else shown
        label = "∎" if number == END else shown.strip() or SPACE
        steps.append(Step(label, min(start, len(text)), len(text)))
    return tuple(steps)
