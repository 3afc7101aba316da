"""What a comparison tells while it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatewise.comparison.plan import Plan
from gatewise.training.events import Event as TrainingEvent

if TYPE_CHECKING:
    from gatewise.data.records import TextDataset

__all__ = ["ComparisonEvent", "ComparisonListener", "DataReady", "ModelDone", "ModelStarted", "RunProgress"]


@dataclass(frozen=True)
class DataReady:
    """The data is read and split; ``resumed`` says that the folder already holds a part of this comparison."""

    plan: Plan
    dataset: TextDataset
    folder: Path
    resumed: bool


@dataclass(frozen=True)
class ModelStarted:
    """One of the comparison's models begins; ``seed`` is None for the baseline, ``number`` counts from 1.

    ``reused`` says that it was trained and measured before.
    """

    name: str
    seed: int | None
    number: int
    total: int
    reused: bool


@dataclass(frozen=True)
class RunProgress:
    """A training event of the current model; ``seconds_left`` estimates the time until all models are trained."""

    started: ModelStarted
    event: TrainingEvent
    seconds_left: float | None


@dataclass(frozen=True)
class ModelDone:
    """A model is trained and measured on the test part."""

    started: ModelStarted
    accuracy: float
    training_seconds: float


ComparisonEvent = DataReady | ModelStarted | RunProgress | ModelDone
ComparisonListener = Callable[[ComparisonEvent], None]
