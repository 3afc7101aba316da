"""Generates the sequences of the probes from a seed. Imports no torch.

Axis letters: N sequences, T steps of a sequence, K targets of a sequence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError, did_you_mean

__all__ = ["COPIED", "DESCRIPTIONS", "ProbeDataset", "ProbePart", "make_probe"]

COPIED = 10
"""Symbols to remember in the copy problem."""
_COPY_SYMBOLS = 8
DESCRIPTIONS = {
    "adding": "two of the values are marked, one in each half; the answer is their sum",
    "temporal-order": "an X or Y in the second tenth, one in the sixth, distractors between; the answer is their order",
    "copy": "ten symbols, a delay, a call; the answer is the ten symbols",
    "parity": "the answer is whether the ones are odd in number",
}


@dataclass(frozen=True, eq=False)
class ProbePart:
    """Sequences with their targets.

    Attributes:
        values: (N, T) numbers (adding) or None.
        symbols: (N, T) uint8: which symbol, or whether the value is marked (adding).
        answers: (N, K): sums as float32, or classes as int64. K is 1, or `COPIED`, or T (parity: one after each step).
    """

    values: npt.NDArray[np.float32] | None
    symbols: npt.NDArray[np.uint8]
    answers: npt.NDArray[np.float32] | npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.symbols)


@dataclass(frozen=True, eq=False)
class ProbeDataset:
    """A probe's sequences, split.

    Attributes:
        probe: ``adding``, ``temporal-order``, ``copy`` or ``parity``.
        length: T as given; sequences of the copy problem have 20 steps more.
        seed: from which everything was drawn.
        train, validation, test: the parts.
        features: I, numbers per step: symbols one by one (one-hot), or value and mark.
        classes: C, answers to choose from; 0: the answer is a number.
    """

    probe: str
    length: int
    seed: int
    train: ProbePart
    validation: ProbePart
    test: ProbePart
    features: int
    classes: int

    @property
    def name(self) -> str:
        """The probe's name."""
        return self.probe

    @property
    def source(self) -> str:
        """Where the sequences came from."""
        return f"generated from seed {self.seed}, {self.length} steps: {DESCRIPTIONS[self.probe]}"

    @property
    def split_note(self) -> str:
        """What the test part is."""
        return "sequences drawn in the same way as the training part; short ones may occur in both"

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing was dropped or repaired."""
        return ()

    @property
    def sizes(self) -> dict[str, int]:
        """Sequences of each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all sequences and targets."""
        digest = hashlib.sha256(f"{self.probe} {self.length}".encode())
        for part in (self.train, self.validation, self.test):
            for array in (part.values, part.symbols, part.answers):
                if array is not None:
                    digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def make_probe(probe: str, *, length: int = 100, examples: int = 10_000, seed: int = 0) -> ProbeDataset:
    """Draw a probe's sequences.

    - ``adding``: values from U[0, 1], two of them marked, the first in the first half, the second in the second; the
      answer is their sum (Hochreiter & Schmidhuber 1997, in the form of Le, Jaitly & Hinton 2015). Always predicting 1
      has a mean squared error of 1/6.
    - ``temporal-order``: a start symbol, distractors a to d, an X or Y in the second tenth and one in the sixth, an end
      symbol; the answer is which of XX, XY, YX, YY it was (Hochreiter & Schmidhuber 1997, task 6a). Chance: 1/4.
    - ``copy``: 10 of 8 symbols, T - 1 blanks, a call, 10 blanks in which they have to be repeated (Arjovsky, Shah &
      Bengio 2016; Hochreiter & Schmidhuber 1997). Chance: 1/8 per symbol.
    - ``parity``: T random bits; the answer is whether the ones so far are odd in number, judged after the last step.
      Chance: 1/2.

    Args:
        probe: one of these.
        length: T, at least 10.
        examples: training sequences; a tenth as many for validation, a fifth for testing.
        seed: of all draws.

    Raises:
        OptionError: no such probe, or numbers out of range.

    Example:
        >>> data = make_probe("adding", length=20, examples=100)
        >>> data.sizes, data.train.symbols.shape, data.features
        ({'train': 100, 'validation': 10, 'test': 20}, (100, 20), 2)
    """
    if probe not in _MAKERS:
        raise OptionError(f"there is no probe {probe!r}", fix=did_you_mean(probe, _MAKERS))
    if length < 10 or examples < 10:
        raise OptionError(
            "a probe needs sequences",
            expected="length and examples of at least 10",
            got=f"length {length}, examples {examples}",
        )
    make, features, classes = _MAKERS[probe]
    children = np.random.SeedSequence(seed).spawn(3)
    counts = (examples, max(1, examples // 10), max(1, examples // 5))
    train, validation, test = (
        make(count, length, np.random.default_rng(child)) for count, child in zip(counts, children, strict=True)
    )
    return ProbeDataset(probe, length, seed, train, validation, test, features, classes)


def _adding(count: int, length: int, generator: np.random.Generator) -> ProbePart:
    values = generator.random((count, length), dtype=np.float32)
    marks = np.zeros((count, length), dtype=np.uint8)
    rows, half = np.arange(count), length // 2
    first, second = generator.integers(0, half, count), generator.integers(half, length, count)
    marks[rows, first] = marks[rows, second] = 1
    return ProbePart(values, marks, (values[rows, first] + values[rows, second])[:, None])


def _temporal_order(count: int, length: int, generator: np.random.Generator) -> ProbePart:
    """Symbols: 0 start, 1 end, 2 to 5 distractors, 6 X, 7 Y."""
    symbols = generator.integers(2, 6, (count, length), dtype=np.uint8)
    symbols[:, 0], symbols[:, -1] = 0, 1
    rows, order = np.arange(count), generator.integers(0, 4, count)
    first = generator.integers(length // 10, length // 5, count)
    second = generator.integers(length // 2, max(length // 2 + 1, 3 * length // 5), count)
    symbols[rows, first], symbols[rows, second] = 6 + order // 2, 6 + order % 2
    return ProbePart(None, symbols, order[:, None].astype(np.int64))


def _copy(count: int, length: int, generator: np.random.Generator) -> ProbePart:
    """Symbols: 0 to 7 to copy, 8 blank, 9 call."""
    wanted = generator.integers(0, _COPY_SYMBOLS, (count, COPIED))
    symbols = np.full((count, length + 2 * COPIED), _COPY_SYMBOLS, dtype=np.uint8)
    symbols[:, :COPIED] = wanted
    symbols[:, COPIED + length - 1] = _COPY_SYMBOLS + 1
    return ProbePart(None, symbols, wanted.astype(np.int64))


def _parity(count: int, length: int, generator: np.random.Generator) -> ProbePart:
    bits = generator.integers(0, 2, (count, length), dtype=np.uint8)
    return ProbePart(None, bits, np.cumsum(bits, axis=1, dtype=np.int64) % 2)


_Maker = Callable[[int, int, np.random.Generator], ProbePart]
_MAKERS: dict[str, tuple[_Maker, int, int]] = {
    "adding": (_adding, 2, 0),
    "temporal-order": (_temporal_order, 8, 4),
    "copy": (_copy, _COPY_SYMBOLS + 2, _COPY_SYMBOLS),
    "parity": (_parity, 2, 2),
}
