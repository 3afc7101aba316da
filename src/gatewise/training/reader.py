"""What a kind of problem says of its networks so that they can be explained: what they read, answer, and from where.

`gatewise.inspection` measures with nothing but this; `Trained.reader` gives it. Axis letters: T steps, B batch,
I input, K answers, C columns. Imports no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gatewise.training.kind import RecurrentInputs

__all__ = ["Picture", "ReadInput", "Reader", "Step"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One step of time as a reader shows it.

    Attributes:
        label: the word, the time, or the step's number.
        start: where it begins in the text, in characters; None: it is no text.
        end: where it ends in the text.
        known: False where the network has no word for it and reads "unknown".
    """

    label: str
    start: int | None = None
    end: int | None = None
    known: bool = True


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that was read in patches, which are the steps: row by row, each from the left.

    Attributes:
        png: as the network sees it, a file's content.
        rows: of patches.
        columns: of patches.
    """

    png: bytes
    rows: int
    columns: int


@dataclass(frozen=True, eq=False)
class ReadInput:
    """One sequence as a network reads it.

    Attributes:
        steps: T of them.
        encoded: what the network is fed, (T,) word numbers or (T, C) scaled numbers.
        text: as it was written; None: it is no text.
        columns: names of the C columns.
        values: (T, C) in the units of the data; None: it is text.
        truth: the right answer, where it is known.
        title: a few words, to choose it from a list.
        notes: what was cut, which words are unknown, a sentence each.
        place: the step whose answer is explained, of ``written`` where there is any; None: the one after the last step.
        written: what the network writes for it, where that is a sequence of its own, such as a translation.
        picture: of which the steps are patches; None: it is no picture.
        extra: what the kind's reader keeps for itself.
    """

    steps: tuple[Step, ...]
    encoded: npt.NDArray[Any]
    text: str | None = None
    columns: tuple[str, ...] = ()
    values: Array | None = None
    truth: str | None = None
    title: str = ""
    notes: tuple[str, ...] = ()
    place: int | None = None
    written: tuple[Step, ...] = ()
    picture: Picture | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answer_step(self) -> int:
        """The step of the input after which the explained answer stands: ``place``, or the last one."""
        return -1 if self.place is None or self.written else self.place


class Reader(ABC):
    """A trained network as `gatewise.inspection` reads with it.

    Attributes:
        unit: what a step is: ``token``, ``step``, ``frame``.
        names: of the K answers.
        network: what answers, with all its parameters.
        answers: ``classes`` (K probabilities that sum to 1), ``labels`` (K probabilities, each of its own), or
            ``values`` (K numbers, a forecast).
        after: what "the answer after step t" means here, in a sentence.
        baseline_name: what `baseline` is, in a few words.
        method: of the reasons where none is asked for, see `gatewise.inspection.reasons.METHODS`.
        file: what a person may open on the page, in a word: ``picture``, whose content `parse` takes as bytes; empty:
            nothing.
        file_types: of it, as a browser's file field names them: ``image/*``.
        crowding: the power by which gradients on the line from the baseline to the input crowd at the baseline, for
            networks that turn there at once: one that normalises by a variance, which of a plain picture is 0.
        thresholds: the probability from which on each of the labels is answered; None: 0.5.
    """

    unit: ClassVar[str] = "step"
    method: ClassVar[str] = "integrated-gradients"
    crowding: ClassVar[int] = 1
    file: ClassVar[str] = ""
    file_types: ClassVar[str] = ""
    answers: str = "classes"
    after: str = "the answer if the sequence ended there"
    baseline_name: str = "zeros"
    thresholds: Sequence[float] | Array | None = None
    names: tuple[str, ...]
    network: nn.Module

    @abstractmethod
    def examples(self, count: int) -> Sequence[ReadInput]:
        """Test examples to choose from, with the right answer where it is known; none without the data.

        Args:
            count: at most so many.
        """

    @abstractmethod
    def parse(self, given: Any) -> ReadInput:
        """What a person typed, or (T, C) numbers in the units of the data, as the network reads it.

        Raises:
            DataError: it cannot be read.
        """

    @abstractmethod
    def embed(self, read: ReadInput) -> Tensor:
        """(T, 1, I): what the first recurrent stack reads."""

    @abstractmethod
    def baseline(self, read: ReadInput) -> Tensor:
        """(T, 1, I): an input that says nothing, such as the padding word's embedding or the training mean."""

    @abstractmethod
    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """(B, K) scores of B variants of one input: logits, or forecast values; differentiable.

        Args:
            read: the input.
            embedded: (T, B, I), variants of `embed`.
        """

    @abstractmethod
    def prefixes(self, read: ReadInput) -> Array:
        """(T, K) what is answered after each step, see `after`: probabilities or values, as `shares` gives."""

    @abstractmethod
    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The recurrent stacks by name, the first reading `embed`, each with what it reads for this input."""

    def at(self, read: ReadInput, target: int | str | None) -> ReadInput:
        """The input, with the place where an answer is written that is asked for by name; see ``ReadInput.written``."""
        return read

    def attention(self, read: ReadInput) -> Array | None:
        """(W, T) how much each written step looked at each step of the input, rows summing to 1; None: not at all."""
        return None

    def following(self, read: ReadInput) -> Array | None:
        """(W, K) the chance of every answer at each written step, those before it being given; None: nothing is."""
        return None

    def drafts(self, read: ReadInput) -> tuple[str, ...]:
        """T texts: what would be written if the input ended after each step; none where nothing is written."""
        return ()

    def changeable(self, read: ReadInput) -> int:
        """How many of the first columns of ``values`` a person may change, see `edited`; 0: none."""
        return 0

    def edited(self, read: ReadInput, values: Any) -> ReadInput:
        """The same input with other numbers.

        Args:
            read: an input with ``values``.
            values: (T, C) in the units of the data.

        Raises:
            DataError: the network reads no numbers, or not these.
        """
        raise DataError("the numbers of this input cannot be changed", expected="a window of a series")

    def input_columns(self, read: ReadInput) -> tuple[str, ...]:
        """Names of the I numbers of a step, where each has a meaning of its own; empty: reasons are per step."""
        return read.columns

    def span(self, stack: str) -> tuple[int, int]:
        """How the steps of a stack lie on those of the input: its first one, and how many are one of the stack.

        (0, 0): it walks over something else, such as the future.
        """
        return 0, 1

    def shares(self, scores: Tensor) -> Array:
        """(.., K) probabilities from logits; values stay as they are, in the units of the data."""
        wide = scores.detach().double().cpu()
        if self.answers == "classes":
            wide = wide.softmax(dim=-1)
        elif self.answers == "labels":
            wide = wide.sigmoid()
        found: Array = wide.numpy()
        return found

    def score(self, scores: Tensor, target: int) -> Tensor:
        """(B,): the number that reasons explain: a class's or label's log-odds, or a value.

        Args:
            scores: (B, K), of `answer`.
            target: which of the K answers.
        """
        import torch

        if self.answers != "classes":
            return scores[:, target]
        others = torch.cat([scores[:, :target], scores[:, target + 1 :]], dim=1)
        return scores[:, target] - others.logsumexp(dim=1)

    @property
    def score_name(self) -> str:
        """What `score` is, in a few words."""
        return "the answer's value" if self.answers == "values" else "the answer's log-odds"

    def loss(self, read: ReadInput, embedded: Tensor, target: int) -> Tensor:
        """The loss at one answer, as gradient flow follows it backwards.

        Args:
            read: the input.
            embedded: (T, 1, I).
            target: the answer taken as right; of values: half the square of its error, where the truth is not known of
                the value itself.
        """
        from torch.nn import functional

        found = self.answer(read, embedded)
        if self.answers == "classes":
            return -found.log_softmax(dim=1)[0, target]
        return (
            functional.softplus(-found[0, target])
            if self.answers == "labels"
            else (0.5 * (found[0, target] - self.true_value(read, target)).square())
        )

    def true_value(self, read: ReadInput, target: int) -> float:
        """The right value of an answer, where it is known; else 0."""
        try:
            return float(read.truth or 0.0)
        except ValueError:
            return 0.0

    def turned(self, read: ReadInput, after: Array, target: int) -> tuple[int, ...]:
        """The steps with which the answer changed: the leading class; a label's crossing of its threshold.

        Of values: the steps that moved the value the most, each by more than a fifth of its range.
        """
        if self.answers == "classes":
            lead = after.argmax(axis=1)
        elif self.answers == "labels":
            limit = 0.5 if self.thresholds is None else float(self.thresholds[target])
            lead = (after[:, target] >= limit).astype(np.int64)
        else:
            moves = np.abs(np.diff(after[:, target]))
            span = float(np.ptp(after[:, target])) if len(after) else 0.0
            return tuple(int(t) + 1 for t in np.flatnonzero(moves > 0.2 * span)) if span > 0 else ()
        return tuple(int(t) + 1 for t in np.flatnonzero(np.diff(lead)))

    def target_of(self, target: int | str | None, final: Array, read: ReadInput | None = None) -> int:
        """The index of an answer: by number or name; None: the leading one.

        Args:
            target: number or name.
            final: (K,) the answer.
            read: the input, where the answer followed by default depends on it.

        Raises:
            DataError: there is no such answer.
        """
        if target is None:
            return 0 if self.answers == "values" else int(np.argmax(final))
        if isinstance(target, str):
            if target in self.names:
                return self.names.index(target)
        elif 0 <= target < len(self.names):
            return int(target)
        shown = ", ".join(self.names[:10]) + (", ..." if len(self.names) > 10 else "")
        raise DataError(f"there is no answer {target!r}", expected=shown, fix="name one of the answers")
