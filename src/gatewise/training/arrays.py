"""A kind of problem in a few lines: sequences of one length as arrays, a target each.

Derive from `ArrayKind`, define how data are loaded, the loss and the baselines; training,
comparison, reports, `predict` and `evaluate` follow. Axis letters: N sequences, T time, I input, B batch, O outputs.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, GatewiseError
from gatewise.training.kind import Baseline, Kind, Trained
from gatewise.training.problem import Evaluation, Problem
from gatewise.training.settings import settings_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gatewise.statistics.measure import Measure
    from gatewise.training.array_runs import TrainedArrays
    from gatewise.training.reader import Reader
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["SIZES_FILE", "ArrayBaseline", "ArrayDataset", "ArrayKind", "checked_inputs"]

Array = npt.NDArray[Any]
SIZES_FILE = "sizes.json"
_FEWEST = 10
_SHOWN = 20


@dataclass(frozen=True, eq=False)
class ArrayDataset:
    """Sequences with their targets, split.

    Attributes:
        name: registry name or file name.
        source: where the records came from, in a sentence.
        split_note: what the test part is, in a sentence.
        inputs: (N, T, I) float32.
        targets: (N, ...).
        parts: rows of ``train``, ``validation`` and ``test``.
        notes: what was dropped or repaired, a sentence each.
    """

    name: str
    source: str
    split_note: str
    inputs: npt.NDArray[np.float32]
    targets: Array
    parts: Mapping[str, npt.NDArray[np.int64]]
    notes: tuple[str, ...] = ()

    @classmethod
    def split(
        cls, name: str, inputs: npt.ArrayLike, targets: npt.ArrayLike, *, notes: tuple[str, ...] = ()
    ) -> ArrayDataset:
        """Hold a tenth out for validation and a fifth for the test, by content: the same ones every time.

        Equal sequences go to the same part.

        Args:
            name: where the arrays came from.
            inputs: (N, T, I) or (N, T) numbers.
            targets: (N, ...).
            notes: what was dropped or repaired.

        Raises:
            DataError: other shapes, fewer than ten sequences, or values that are not finite.

        Example:
            >>> data = ArrayDataset.split("walks", np.random.default_rng(0).normal(size=(100, 5)), np.zeros(100))
            >>> data.inputs.shape, sum(data.sizes.values())
            ((100, 5, 1), 100)
        """
        x, y = checked_inputs(name, inputs), np.asarray(targets)
        if len(x) != len(y) or len(x) < _FEWEST:
            raise DataError(
                f"the arrays of {name} do not fit",
                expected=f"as many targets as inputs, at least {_FEWEST}",
                got=f"inputs {x.shape}, targets {y.shape}",
            )
        digests = np.array([int.from_bytes(hashlib.sha256(row.tobytes()).digest()[:6], "little") for row in x])
        share = digests / 2.0**48
        parts = {
            "train": np.flatnonzero(share >= 0.3),
            "validation": np.flatnonzero((share >= 0.2) & (share < 0.3)),
            "test": np.flatnonzero(share < 0.2),
        }
        for part, rows in parts.items():
            if len(rows) == 0:
                raise DataError(f"{name} is too small: nothing is left for the {part} part", got=f"{len(x)} sequences")
        note = f"a fifth of {name}, held out by content, the same ones every time"
        return cls(Path(name).name, f"the file {name}", note, x, y, parts, notes)

    @property
    def sizes(self) -> dict[str, int]:
        """Sequences of each part."""
        return {part: len(rows) for part, rows in self.parts.items()}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all values and parts."""
        digest = hashlib.sha256(repr((self.inputs.shape, self.targets.shape, str(self.targets.dtype))).encode())
        for each in (self.inputs, self.targets):
            digest.update(np.ascontiguousarray(each).tobytes())
        for part, rows in self.parts.items():
            digest.update(f"{part} {len(rows)}".encode() + np.ascontiguousarray(rows).tobytes())
        return digest.hexdigest()


def checked_inputs(name: str, inputs: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Inputs as (N, T, I) float32.

    Raises:
        DataError: another shape, or values that are not finite.
    """
    x = np.asarray(inputs, dtype=np.float32)
    x = x[..., None] if x.ndim == 2 else x
    if x.ndim != 3:
        raise DataError(f"the inputs of {name} have the wrong shape", expected="(N, T, I) or (N, T)", got=x.shape)
    if not np.isfinite(x).all():
        raise DataError(f"the inputs of {name} have NaN or infinity", fix="leave those sequences out, or fill them")
    return x


class ArrayBaseline(Baseline):
    """A baseline on arrays: define `fit_arrays` and `answer`.

    Args:
        kind: its kind of problem.
    """

    def __init__(self, kind: ArrayKind) -> None:
        self.kind = kind

    @abstractmethod
    def fit_arrays(self, inputs: Array, targets: Array) -> int:
        """Fit on (N, T, I) and (N, ...); returns the number of parameters."""

    @abstractmethod
    def answer(self, inputs: Array) -> Array:
        """Predictions (N, O) for (N, T, I)."""

    def fit(self, dataset: Any) -> None:
        """Fit on the training part."""
        rows = dataset.parts["train"]
        self._parameters = self.fit_arrays(dataset.inputs[rows], dataset.targets[rows])

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return self._parameters

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        rows = dataset.parts[part]
        return self.kind.evaluation(np.asarray(self.answer(dataset.inputs[rows])), dataset.targets[rows], dataset)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From arrays to predictions."""
        inputs = dataset.inputs[dataset.parts["test"]]
        return lambda count: self.answer(inputs[:count])


class ArrayKind(Kind):
    """A kind of problem whose data are an `ArrayDataset`; its network is `LastStep` unless `network` says otherwise."""

    files = (SIZES_FILE,)

    @abstractmethod
    def read(self, data: Any) -> tuple[Array, Array | None]:
        """Read the file of a data spec: (N, T, I) or (N, T) inputs; (N, ...) targets, None if there are none."""

    def read_file(self, data: Any) -> tuple[Array, Array | None]:
        """`read`, with an error that names the file where it is missing or holds something else.

        Raises:
            DataError: there is no such file, or `read` failed.
        """
        path = Path(data.data).expanduser()
        if settings_of(type(data))["data"].is_path and not path.exists():
            raise DataError(f"there is no file {path}", fix="check the path")
        try:
            return self.read(data)
        except GatewiseError:
            raise
        except KeyError as error:
            fix = f"write the file as the kind of problem {self.name!r} reads it"
            raise DataError(f"{path} has no {error}", fix=fix) from error
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read: {error}", expected=f"a file of the kind {self.name}") from error

    def load(self, data: Any) -> ArrayDataset:
        """Read and split; see `ArrayDataset.split`."""
        inputs, targets = self.read_file(data)
        if targets is None:
            raise DataError(f"{data.data} has no targets to train on", fix="name a file with targets")
        return ArrayDataset.split(str(data.data), inputs, targets)

    @abstractmethod
    def losses(self, answers: Tensor, targets: Tensor) -> Tensor:
        """(B,) the loss of each prediction, differentiable: answers (B, O), targets (B, ...)."""

    @abstractmethod
    def measure(self, dataset: Any) -> Measure:
        """The figure by which models are compared; its contributions are `contributions`."""

    def contributions(self, answers: Array, targets: Array) -> npt.NDArray[np.float64]:
        """(N,) or (N, K) what each prediction contributes to the measure; the losses unless a kind says otherwise."""
        return self._losses(answers, targets)

    def network(self, spec: Any, features: int, outputs: int) -> nn.Module:
        """The network of a model spec: (T, B, I) -> (B, O), with its recurrent layers as ``recurrent``."""
        from gatewise.training.array_runs import LastStep

        return LastStep(features, outputs, **{name: getattr(spec, name) for name in settings_of(type(spec))})

    def outputs(self, dataset: ArrayDataset) -> int:
        """O: one number per target."""
        return int(np.prod(dataset.targets.shape[1:], dtype=int))

    def describe(self, dataset: Any) -> dict[str, Any]:
        """Steps and numbers per step."""
        return {"steps": dataset.inputs.shape[1], "features": dataset.inputs.shape[2]}

    def problem(self, spec: RunSpec, dataset: Any) -> Problem:
        """The network on its sequences."""
        from gatewise.training.array_runs import ArrayProblem

        network = self.network(spec.model, dataset.inputs.shape[2], self.outputs(dataset))
        return ArrayProblem(self, network.to(spec.training.device), dataset, spec)

    def open(self, run: RunFolder) -> Trained:
        """The network of a finished run."""
        from gatewise.training.array_runs import open_arrays

        return open_arrays(self, run)

    def reader(self, trained: TrainedArrays, dataset: Any) -> Reader:
        """How answers come about, for `gatewise explain`: numbers, unless a kind derives from `ArrayReader`."""
        from gatewise.training.array_reader import ArrayReader

        return ArrayReader(trained, dataset)

    def evaluation(self, answers: Array, targets: Array, dataset: Any) -> Evaluation:
        """Figures of predictions: the measure and the mean loss."""
        contributions = self.contributions(answers, targets)
        measure = self.measure(dataset)
        figures = {
            "loss": float(self._losses(answers, targets).mean()),
            measure.name: measure.of(contributions),
        }
        shown = {"answers": np.round(answers[:_SHOWN], 6).tolist(), "truth": targets[:_SHOWN].tolist()}
        return Evaluation(figures, contributions, shown)

    def _losses(self, answers: Array, targets: Array) -> npt.NDArray[np.float64]:
        import torch

        given, wanted = torch.from_numpy(np.asarray(answers)), torch.from_numpy(np.asarray(targets))
        found: npt.NDArray[np.float64] = self.losses(given, wanted).double().numpy()
        return found
