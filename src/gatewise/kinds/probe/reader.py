"""A network that was trained on a probe, as `gatewise explain` reads with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.errors import DataError
from gatewise.kinds.probe.generation import ProbePart, make_probe
from gatewise.kinds.probe.network import batch_inputs
from gatewise.training.kind import RecurrentInputs
from gatewise.training.prefixes import prefix_summaries
from gatewise.training.reader import Reader, ReadInput, Step

if TYPE_CHECKING:
    from gatewise.kinds.probe.trained import TrainedProbe

__all__ = ["ProbeReader"]

_SYMBOLS = {"temporal-order": "<>abcdXY", "copy": "01234567_!", "parity": "01"}
_ANSWERS = {"temporal-order": ("XX", "XY", "YX", "YY"), "copy": tuple("01234567"), "parity": ("even", "odd")}
_SHOWN = 40


class ProbeReader(Reader):
    """Generated sequences in, the answer after every step out.

    Args:
        trained: the network.
        dataset: the probe's sequences, for examples; None: some are generated.
    """

    def __init__(self, trained: TrainedProbe, dataset: Any = None) -> None:
        data: Any = trained.spec.data
        self.model, self.probe = trained.model, str(data.data)
        self.network = trained.model
        self._data, self._made = data, dataset
        self.names = _ANSWERS.get(self.probe, ("sum",))
        self.answers = "classes" if self.probe in _ANSWERS else "values"
        self.baseline_name = "no symbol at all (zeros)" if self.probe in _ANSWERS else "zeros without a mark"

    def examples(self, count: int) -> Sequence[ReadInput]:
        """The first test sequences."""
        data = self._made
        if data is None:
            size = max(10, 5 * count)
            data = make_probe(self.probe, length=self._data.length, examples=size, seed=self._data.data_seed)
        part, found = data.test, []
        for row in range(min(count, len(part))):
            values = None if part.values is None else part.values[row]
            found.append(self._read(part.symbols[row], values, self._truth(part.answers[row])))
        return found

    def _truth(self, answers: npt.NDArray[Any]) -> str:
        if self.answers == "values":
            return f"{float(answers[-1]):.3f}"
        return "".join(self.names[int(each)] for each in (answers[-1:] if self.probe == "parity" else answers))

    def parse(self, given: Any) -> ReadInput:
        """A word of the probe's symbols; of adding (T, 2) numbers, or words such as ``0.3 0.5* 0.1 0.2*``."""
        if self.answers == "values":
            return self._values(given)
        known = _SYMBOLS[self.probe]
        word = "".join(given.split()) if isinstance(given, str) else ""
        if not word or set(word) - set(known):
            raise DataError(
                f"the sequence does not fit the probe {self.probe}",
                expected=f"symbols of {known}",
                got=repr(given)[:60],
            )
        return self._read(np.array([known.index(sign) for sign in word], dtype=np.uint8), None, None)

    def _values(self, given: Any) -> ReadInput:
        try:
            if isinstance(given, str):
                words = given.replace(",", " ").split()
                rows = np.array([[float(word.rstrip("*")), float(word.endswith("*"))] for word in words])
            else:
                rows = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            rows = np.zeros(0)
        if rows.ndim != 2 or rows.shape[1:] != (2,) or not len(rows) or not np.isfinite(rows).all():
            raise DataError(
                "the sequence does not fit the probe adding",
                expected="numbers, of which a star marks two: 0.3 0.5* 0.1 0.2*",
                got=repr(given)[:60],
            )
        return self._read(rows[:, 1].astype(np.uint8), rows[:, 0].astype(np.float32), None)

    def _read(
        self, symbols: npt.NDArray[np.uint8], values: npt.NDArray[np.float32] | None, truth: str | None
    ) -> ReadInput:
        if values is not None:
            marked = np.stack([values, symbols.astype(np.float32)], axis=1)
            labels = [f"{value:.2f}{'*' if mark else ''}" for value, mark in marked]
            steps = tuple(Step(label) for label in labels)
            title = " ".join(labels[:8]) + " …"
            return ReadInput(
                steps,
                marked,
                columns=("value", "mark"),
                values=marked.astype(np.float64),
                truth=truth,
                title=title,
                extra={"symbols": symbols},
            )
        word = "".join(_SYMBOLS[self.probe][sign] for sign in symbols)
        return ReadInput(
            tuple(Step(sign, place, place + 1) for place, sign in enumerate(word)),
            symbols,
            text=word,
            truth=truth,
            title=word if len(word) <= _SHOWN else word[:_SHOWN] + "…",
            extra={"symbols": symbols},
        )

    def embed(self, read: ReadInput) -> Tensor:
        """The sequence itself: symbols one by one, or values and marks."""
        symbols = read.extra["symbols"][None]
        values = None if self.answers == "classes" else read.encoded[:, 0][None].astype(np.float32)
        part = ProbePart(values, symbols, np.zeros((1, 1), dtype=np.float32))
        return batch_inputs(part, np.zeros(1, dtype=np.int64), self.model.recurrent.input_size)

    def baseline(self, read: ReadInput) -> Tensor:
        """Zeros."""
        return torch.zeros_like(self.embed(read))

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """After the last step, or after the one that is explained."""
        output, _ = self.model.recurrent(embedded)
        scores: Tensor = self.model.head(output[-1 if read.place is None else read.place])
        return scores

    def prefixes(self, read: ReadInput) -> npt.NDArray[np.float64]:
        """The answer after every step."""
        with torch.inference_mode():
            return self.shares(self.model.head(prefix_summaries(self.model.recurrent, self.embed(read))))

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The recurrent layers."""
        return {"recurrent": RecurrentInputs(self.model.recurrent, self.embed(read), None)}
