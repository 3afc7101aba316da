"""Events that a run emits, and the records that it leaves. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gatewise.training.run_spec import RunSpec

__all__ = [
    "EpochDone",
    "EpochRecord",
    "Event",
    "Listener",
    "RunFinished",
    "RunResult",
    "RunStarted",
    "StepDone",
]


@dataclass(frozen=True)
class EpochRecord:
    """One line of ``metrics.jsonl``: the figures of an epoch.

    Attributes:
        epoch: its number, from 1.
        training: figures over the epoch's steps: ``loss``, and further sums of the kind of problem.
        validation: figures on the validation part after the epoch: ``loss``, the kind's metric, and others.
        seconds: time spent training, validation not counted.
        examples_per_second: in the kind's unit.
        learning_rate: that of the epoch's last step.
        phase: ``training``, or the name of an earlier phase.
        validation_seconds: time spent on the validation part after the epoch.
        steps: training steps of the epoch; fewer than all where the training's number of steps cut it short.

    Example:
        >>> record = EpochRecord(1, {"loss": 0.5}, {"loss": 0.4, "accuracy": 0.8}, 10.0, 2000.0, 1e-3)
        >>> record.to_dict()["validation"]["accuracy"]
        0.8
    """

    epoch: int
    training: dict[str, float]
    validation: dict[str, float]
    seconds: float
    examples_per_second: float
    learning_rate: float
    phase: str = "training"
    validation_seconds: float = 0.0
    steps: int = 0

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    ``seconds`` is the time of the training steps of all epochs together, pre-training included (``pretraining_seconds`` is its part,
    also where the language model was there already), ``kernel`` what ran the recurrent layers with the
    reason for its choice, ``stopped`` is ``epochs`` (all done) or ``patience`` (stopped early), ``derived_epochs`` how many
    epochs the size of the data calls for (None in runs of before it was kept), ``preparation_seconds`` the time before the
    first step and ``validation_seconds`` that on the validation part, both over all phases.

    Example:
        >>> from gatewise.kinds.classification import DataSpec
        >>> RunResult(Path("run"), RunSpec(DataSpec()), (), 1, 10, 0.0, {"implementation": "torch", "reason": "-"}, "epochs").stopped
        'epochs'
    """  # noqa: E501

    folder: Path
    spec: RunSpec
    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    parameters: int
    seconds: float
    kernel: dict[str, str] = field(default_factory=dict)
    stopped: str = "epochs"
    pretraining_seconds: float = 0.0
    derived_epochs: int | None = None
    preparation_seconds: float = 0.0
    validation_seconds: float = 0.0

    @property
    def training_seconds(self) -> float:
        """From the data in memory to the finished network: preparing, the steps of all phases, and validating."""
        return self.preparation_seconds + self.seconds + self.validation_seconds

    @property
    def best(self) -> EpochRecord:
        """The epoch whose weights were kept."""
        return self.epochs[self.best_epoch - 1]

    def to_dict(self) -> dict[str, Any]:
        """All but folder and spec, ready for JSON."""
        found = {name: value for name, value in vars(self).items() if name not in ("folder", "spec")}
        return {**found, "epochs": [each.to_dict() for each in self.epochs]}

    @classmethod
    def from_dict(cls, record: dict[str, Any], folder: Path, spec: RunSpec) -> RunResult:
        """Read what `to_dict` gave."""
        epochs = tuple(EpochRecord(**each) for each in record["epochs"])
        return cls(folder, spec, **{**record, "epochs": epochs})


@dataclass(frozen=True)
class RunStarted:
    """The first step is about to be taken; ``resumed_from_epoch`` is None for a fresh run.

    ``unit`` is what the rates count: ``texts``, ``windows``, ``tokens``; ``phase`` is ``training``
    or the name of an earlier phase, whose ``title`` completes the model's name; ``notes`` are those of the problem.
    """

    parameters: int
    steps_per_epoch: int
    epochs: int
    kernel: dict[str, str]
    resumed_from_epoch: int | None = None
    unit: str = "examples"
    phase: str = "training"
    title: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepDone:
    """One optimiser step was taken; ``seconds_left`` is estimated for the whole run; steps and epochs count from 1."""

    epoch: int
    step: int
    steps: int
    loss: float
    examples_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class EpochDone:
    """An epoch was trained and validated."""

    record: EpochRecord


@dataclass(frozen=True)
class RunFinished:
    """The run is complete; its folder holds the best weights."""

    result: RunResult


Event = RunStarted | StepDone | EpochDone | RunFinished
Listener = Callable[[Event], None]
