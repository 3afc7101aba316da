"""Events that a comparison emits while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.comparison.plan.plan import Plan
from gatewise.comparison.run.trials import Trial

if TYPE_CHECKING:
    from gatewise.statistics.measure import Measure
    from gatewise.training.kind import Dataset

__all__ = [
    "BaselineTrials",
    "ComparisonEvent",
    "ComparisonListener",
    "DataReady",
    "FittingBaseline",
    "Measuring",
    "PlanReady",
    "TrialDone",
    "TrialStatus",
    "TuningDone",
]


@dataclass(frozen=True)
class DataReady:
    """The data is read and split; ``resumed``: the folder already holds a part of this comparison."""

    plan: Plan
    dataset: Dataset
    folder: Path
    resumed: bool
    metric: Measure


@dataclass(frozen=True)
class PlanReady:
    """The plan is frozen and about to be executed.

    Attributes:
        plan: the plan.
        trainings: number of networks to train, at most.
        seconds: of training and validation if none stops early, estimated from a few measured steps of each cell, and
            of the baselines' search, from one fit of each; None: nothing left to do; 0: not known.
        jobs: trials at the same time.
        threads: CPU threads of each.
        where: ``this process``, ``2 processes`` or the cluster's address.
        widths: the hidden size of each cell where the plan matches parameters; else empty.
        epochs: of each training, at most, where they are derived from the size of the data; else None.
        measuring: seconds to measure what each cell costs, after the trials; 0 where that is omitted or done.
        baselines: how the settings of each baseline are chosen; empty where nothing is searched.
        finishing: seconds to start worker processes, to read the test part, and to write the report.
    """

    plan: Plan
    trainings: int
    seconds: float | None
    jobs: int
    threads: int
    where: str
    widths: dict[str, int]
    epochs: int | None = None
    measuring: float = 0.0
    baselines: tuple[BaselineTrials, ...] = ()
    finishing: float = 0.0


@dataclass(frozen=True)
class TrialStatus:
    """The progress of a trial.

    Attributes:
        name: of the trial.
        phase: ``begun``, ``training`` or ``pretraining``.
        epoch: the present one, from 1.
        epochs: of the run, at most.
        step: steps of the epoch that are done.
        steps: of an epoch.
        loss: of the last step.
        rate: examples per second, in ``unit``.
        unit: what an example is.
        seconds_left: of this trial.
        parameters: of its network.
        kernel: what computes its recurrent layers.
        figure: the metric on the validation part after the last whole epoch.
        resumed: the epoch in which it was resumed, or None.
        notes: what a user should know of how it was prepared, a sentence each.
    """

    name: str
    phase: str = "begun"
    epoch: int = 1
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    rate: float | None = None
    unit: str = "examples"
    seconds_left: float | None = None
    parameters: int = 0
    kernel: str = ""
    figure: float | None = None
    resumed: int | None = None
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class TrialDone:
    """A trial is finished, or has failed.

    Attributes:
        trial: the trial.
        number: of the trials done so far.
        total: of all trials, at most.
        reused: it was trained and measured before.
        error: why it failed, or None.
        validation: the metric on the validation part, or None.
        test: the metric on the test part; None while settings are chosen.
        training_seconds: its training time without preparing, which a process does once for several trials; that of a
            baseline's fit; or None.
    """

    trial: Trial
    number: int
    total: int
    reused: bool
    error: str | None
    validation: float | None
    test: float | None
    training_seconds: float | None


@dataclass(frozen=True)
class TuningDone:
    """The settings of a cell or a baseline are chosen.

    Attributes:
        cell: the variant, or the baseline's name.
        point: value of the axis, or None.
        settings: the winner's.
        figure: the winner's on the validation part.
        trials: how many there were.
        for_seed: the seed of the final run that they are for; None: all of them.
        title: of a baseline.
    """

    cell: str
    point: Any
    settings: dict[str, Any]
    figure: float
    trials: int
    for_seed: int | None = None
    title: str | None = None


@dataclass(frozen=True)
class FittingBaseline:
    """A baseline is fitted with its default settings, from which the time of its search is estimated."""

    title: str
    trials: int


@dataclass(frozen=True)
class BaselineTrials:
    """How the settings of a baseline are chosen: as many trials as each cell has, or all that its space holds."""

    title: str
    trials: int
    space: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Measuring:
    """All trials are done; cost and memory are measured in a separate process."""

    runs: int


ComparisonEvent = DataReady | FittingBaseline | PlanReady | TrialStatus | TrialDone | TuningDone | Measuring
ComparisonListener = Callable[[ComparisonEvent], None]
