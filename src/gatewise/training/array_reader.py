"""A network on arrays as `gatewise explain` reads with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.errors import DataError
from gatewise.training.kind import RecurrentInputs
from gatewise.training.prefixes import prefix_summaries
from gatewise.training.reader import Reader, ReadInput, Step

if TYPE_CHECKING:
    from gatewise.training.array_runs import TrainedArrays

__all__ = ["ArrayReader"]


class ArrayReader(Reader):
    """Sequences of numbers in, O numbers out; a kind derives from it to name columns and answers, or to be classes.

    Args:
        trained: the network.
        dataset: its data, for examples and the training mean; None: without.
    """

    def __init__(self, trained: TrainedArrays, dataset: Any = None) -> None:
        self.trained, self.dataset, self.network = trained, dataset, trained.model
        self._model = cast("Any", trained.model)
        size = int(self._model.recurrent.input_size)
        with torch.inference_mode():
            outputs = trained.model(torch.zeros(1, 1, size)).shape[1]
        self.names = ("answer",) if outputs == 1 else tuple(f"answer {place + 1}" for place in range(outputs))
        self.answers = "values"
        self.columns = tuple(f"column {place + 1}" for place in range(size))
        self._mean = np.zeros(len(self.columns), dtype=np.float32)
        if dataset is not None:
            self._mean = dataset.inputs[dataset.parts["train"]].mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
            self.baseline_name = "the training mean of each column"

    def examples(self, count: int) -> Sequence[ReadInput]:
        """The first test sequences."""
        if self.dataset is None:
            return []
        rows = self.dataset.parts["test"][:count]
        return [
            self._read(self.dataset.inputs[row], self.truth(self.dataset.targets[row]), f"test sequence {place + 1}")
            for place, row in enumerate(rows)
        ]

    def truth(self, target: Any) -> str:
        """The right answer in words."""
        return ", ".join(f"{float(each):.4g}" for each in np.atleast_1d(target).ravel())

    def parse(self, given: Any) -> ReadInput:
        """(T, I) numbers, or ``FILE`` or ``FILE:3`` for a sequence of a file of this kind, the first or the third.

        Raises:
            DataError: no such file or sequence, or another width.
        """
        title = "a sequence"
        if isinstance(given, (str, Path)):
            title = str(given)
            given = self._from_file(title)
        try:
            rows = np.asarray(given, dtype=np.float32)
        except (TypeError, ValueError):
            rows = np.zeros(0, dtype=np.float32)
        rows = rows[:, None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != len(self.columns) or not np.isfinite(rows).all():
            raise DataError(
                "the sequence does not fit the network",
                expected=f"(T, {len(self.columns)}) finite numbers",
                got=f"{rows.shape}",
            )
        return self._read(rows, None, title)

    def _from_file(self, words: str) -> npt.NDArray[Any]:
        import dataclasses

        from gatewise.training.arrays import checked_inputs

        name, _, number = words.rpartition(":")
        if not name or not number.isdigit():
            name, number = words, "1"
        inputs, _ = self.trained.kind.read_file(dataclasses.replace(self.trained.spec.data, data=name))
        checked = checked_inputs(name, inputs)
        if not 1 <= int(number) <= len(checked):
            raise DataError(f"{name} has no sequence {number}", expected=f"1 to {len(checked)}")
        row: npt.NDArray[Any] = checked[int(number) - 1]
        return row

    def _read(self, rows: npt.NDArray[np.float32], truth: str | None, title: str) -> ReadInput:
        steps = tuple(Step(str(place + 1)) for place in range(len(rows)))
        return ReadInput(steps, rows, columns=self.columns, values=rows.astype(np.float64), truth=truth, title=title)

    def embed(self, read: ReadInput) -> Tensor:
        """The sequence itself."""
        return torch.from_numpy(np.ascontiguousarray(read.encoded))[:, None]

    def baseline(self, read: ReadInput) -> Tensor:
        """The training mean, or zeros where the data are not at hand."""
        return torch.from_numpy(self._mean).expand(len(read.steps), 1, -1).clone()

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """The network's answer."""
        found: Tensor = self._model(embedded)
        return found

    def prefixes(self, read: ReadInput) -> npt.NDArray[np.float64]:
        """The answer to every beginning: of a `LastStep` at once, of another network one after the other."""
        from gatewise.training.array_runs import LastStep

        embedded = self.embed(read)
        with torch.inference_mode():
            if type(self._model) is LastStep:
                return self.shares(self._model.head(prefix_summaries(self._model.recurrent, embedded)))
            ends = range(1, len(embedded) + 1)
            return self.shares(torch.cat([self.answer(read, embedded[:end]) for end in ends]))

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The recurrent layers."""
        return {"recurrent": RecurrentInputs(self._model.recurrent, self.embed(read), None)}
