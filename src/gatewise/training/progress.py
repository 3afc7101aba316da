"""How far a run is: what a checkpoint holds besides the tensors. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gatewise.training.events import EpochRecord, RunResult

__all__ = ["NOTHING_SPENT", "Progress", "Spent"]


@dataclass
class Progress:
    """The run's progress: all that a checkpoint holds besides the tensors.

    Attributes:
        epoch: the present one, from 1.
        step: its steps that are done.
        examples: seen in it.
        loss_sum: of its examples' losses.
        sums: of its further figures, over the examples.
        seconds: spent training in it.
        best_epoch: the one whose weights are kept so far; 0 before the first.
        records: of the finished epochs.

    Example:
        >>> progress = Progress()
        >>> progress.add(0.5, 10, {"accuracy": 7.0})
        >>> progress.training(), Progress.from_dict(progress.to_dict()) == progress
        ({'loss': 0.5, 'accuracy': 0.7}, True)
    """

    epoch: int = 1
    step: int = 0
    examples: int = 0
    loss_sum: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    best_epoch: int = 0
    records: list[EpochRecord] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON."""
        return {**self.__dict__, "records": [record.to_dict() for record in self.records]}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Progress:
        """Read what `to_dict` gave."""
        return cls(**{**record, "records": [EpochRecord(**entry) for entry in record["records"]]})

    def begin_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch, self.step, self.examples = self.epoch + 1, 0, 0
        self.loss_sum, self.sums, self.seconds = 0.0, {}, 0.0

    def add(self, loss: float, examples: int, sums: dict[str, float]) -> None:
        """Count a step: its mean loss, its examples, and its further sums."""
        self.step += 1
        self.examples += examples
        self.loss_sum += loss * examples
        for name, value in sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def training(self) -> dict[str, float]:
        """The epoch's mean figures."""
        figures = {"loss": self.loss_sum, **self.sums}
        return {name: value / self.examples for name, value in figures.items()}


@dataclass(frozen=True)
class Spent:
    """Seconds that the phases before took.

    Attributes:
        steps: training steps.
        preparation: what came before the first one.
        validation: on the validation part.
    """

    steps: float = 0.0
    preparation: float = 0.0
    validation: float = 0.0

    def after(self, result: RunResult) -> Spent:
        """With those of one more phase."""
        return Spent(
            self.steps + result.seconds,
            self.preparation + result.preparation_seconds,
            self.validation + result.validation_seconds,
        )


NOTHING_SPENT = Spent()
