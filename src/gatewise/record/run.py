"""What one training, or one baseline, gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Cost",
    "Epoch",
    "Failure",
    "GradientNorms",
    "Kernel",
    "Learning",
    "MedianLag",
    "Memory",
    "Run",
    "TimeToTarget",
]


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What ran the recurrent layers, and why it was chosen."""

    implementation: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of training.

    Attributes:
        epoch: its number, from 1.
        training: figures over the epoch's steps, ``loss`` among them.
        validation: figures on the validation part after it.
        seconds: of training steps; validation is not counted.
        validation_seconds: of the validation after it; None in older records.
        steps: training steps of it; fewer than in the others where the training ended within it.
        examples_per_second: in the kind's unit.
        learning_rate: of its last step.
        phase: of training.
    """

    epoch: int
    training: Mapping[str, float | None]
    validation: Mapping[str, float | None]
    seconds: float
    examples_per_second: float
    learning_rate: float
    phase: str = "training"
    validation_seconds: float | None = None
    steps: int | None = None


@dataclass(frozen=True, kw_only=True)
class TimeToTarget:
    """Seconds and epochs of training until the validation figure reached a target; None: it never did."""

    target: float
    seconds: float | None
    epochs: float | None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a model costs. None: not measured. Times in seconds, sizes in bytes.

    Attributes:
        parameters: trained numbers.
        multiply_adds_per_step: of the recurrent layers, for one step of one sequence.
        seconds_per_epoch: training steps of one epoch; None for a baseline.
        seconds_per_epoch_from: ``turns`` (measured in turns with the other cells, see `gatewise.record.Times`) or
            ``training`` (the fastest epoch of the trainings).
        training_seconds: of one run, from the data in memory to the network with its weights: preparing, training steps
            of all phases, validating. Of a baseline: its fit, which is the same.
        preparation_seconds: the part of that before the first step, in a process that has nothing prepared.
        time_to_target: training time until a validation figure was reached.
        training_memory_bytes: most memory while training.
        step_p50: median time of one streaming step.
        step_p99: its 99th percentile.
        step_kernel: what ran the streaming step.
        step_reason: why that, or why there is no streaming step.
        one_example: from raw input to prediction, one example at a time (median).
        one_example_p90: its 90th percentile.
        per_example_in_batch: the same per example of a batch.
        batch: examples in that batch.
        file_bytes: of the model's files.
        energy_joules: of the training steps of one run above what the idle machine takes, where the processor
            measures it.
        training_kernel: what ran the recurrent layers in training.
        threads: CPU threads.
    """

    parameters: float | None = None
    multiply_adds_per_step: float | None = None
    seconds_per_epoch: float | None = None
    seconds_per_epoch_from: str | None = None
    training_seconds: float | None = None
    preparation_seconds: float | None = None
    time_to_target: TimeToTarget | None = None
    training_memory_bytes: float | None = None
    step_p50: float | None = None
    step_p99: float | None = None
    step_kernel: str | None = None
    step_reason: str | None = None
    one_example: float | None = None
    one_example_p90: float | None = None
    per_example_in_batch: float | None = None
    batch: float | None = None
    file_bytes: float | None = None
    energy_joules: float | None = None
    training_kernel: str | None = None
    threads: float | None = None


@dataclass(frozen=True, kw_only=True)
class GradientNorms:
    """How strongly the last state depends on the input so many steps back.

    Attributes:
        norms: one per lag.
        median_lag: the lag within which half of the squared gradient lies; None: there is none, or an older record.
        settled: whether more lags would hardly move it; else it is a lower bound.
        reach: the last lag at which the norm is a hundredth of the largest; None: the last one measured.
    """

    norms: tuple[float, ...]
    median_lag: float | None = None
    settled: bool | None = None
    reach: int | None = None


@dataclass(frozen=True, kw_only=True)
class MedianLag:
    """The lag within which half of the squared gradient lies, over the trained networks of one model.

    Attributes:
        mean: over them.
        least: of them.
        most: of them.
        runs: how many were measured, one per seed.
        settled: whether more lags would hardly move any of them; else the mean is a lower bound.
    """

    mean: float
    least: float
    most: float
    runs: int
    settled: bool


@dataclass(frozen=True, kw_only=True)
class Memory:
    """How far back the gradient reaches.

    Attributes:
        lags: steps back: 0, 1, ...
        trained: after training.
        initialisation: before training.
        sequences: how many were measured.
        projections: random projections per sequence; None: the whole Jacobian.
        estimator: how it was estimated, in words.
        kernel: what ran the layers.
        stacks: the same of the network's other recurrent stacks, by name.
    """

    lags: tuple[float, ...]
    trained: GradientNorms
    initialisation: GradientNorms | None = None
    sequences: int | None = None
    projections: int | None = None
    estimator: str | None = None
    kernel: str | None = None
    stacks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How one training ended: what the last quarter of its learning brought on the validation part.

    Attributes:
        run: name of the run.
        epochs: that were trained.
        best_epoch: the first one with the best validation figure; the weights that were kept may be of a later one.
        stopped: ``epochs`` (all done) or ``patience`` (stopped early).
        left: how far the best validation figure is from a perfect one.
        first_epoch: the epoch after which the last quarter begins, counted by the sum of the learning rates; None after
            a single epoch, as are the following.
        gain: by how much the figure became better in it, in the metric's unit; negative where it became worse.
        noise: standard error of the gain.
        share: the gain as a fraction of all that was learned.
        derived_epochs: how many epochs the size of the data calls for; None in older records.
        least_loss_epoch: the last one with the least validation loss; None where it is not known and in older records.
    """

    run: str
    epochs: int
    best_epoch: int
    stopped: str
    left: float
    first_epoch: int | None = None
    gain: float | None = None
    noise: float | None = None
    share: float | None = None
    derived_epochs: int | None = None
    least_loss_epoch: int | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished training, or a fitted baseline.

    Attributes:
        name: ``gru-seed0``.
        cell: the cell or variant, or the baseline's name.
        seed: None for a baseline.
        state: ``finished``.
        folder: its run folder inside the comparison's; None for a baseline.
        key: hash of all that the result depends on.
        settings: values that were tuned.
        point: value of the axis; None where there is none.
        baseline: it is no recurrent network.
        title: of a baseline.
        reason: of a baseline: what it does.
        tunable: of a baseline: whether it has settings to choose from; None in older records.
        parameters: trained numbers.
        kernel: what ran the recurrent layers.
        epochs: of the last phase of training.
        best_epoch: the one whose weights were kept.
        stopped: ``epochs`` (all done) or ``patience`` (stopped early).
        derived_epochs: how many epochs the size of the data calls for; None in older records.
        training_seconds: preparing, training steps of all phases, validating; of a baseline, its fit.
        seconds_per_epoch: training steps of the fastest epoch.
        step_seconds: of the training steps of all phases; None in older records, as are the next three.
        steps: of the last phase, over all epochs.
        preparation_seconds: what came before the first step; less where the process had prepared the data before.
        validation_seconds: of all phases.
        pretraining_seconds: the earlier phases' part of `step_seconds`.
        wall_seconds: of everything, measuring included.
        validation: figures on the validation part at the epoch that was kept.
        test: figures on the test part, and whatever the kind of problem counts there (confusion, error by horizon).
        predictions: what the kind keeps of single test examples.
        details: what the kind shows of the network besides (samples of generated text).
        cost: what was measured of its cost.
        memory: how far back the gradient reaches.
    """

    name: str
    cell: str
    seed: int | None
    parameters: int
    kernel: Kernel
    training_seconds: float
    state: Literal["finished"] = "finished"
    folder: str | None = None
    key: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    point: Any = None
    baseline: bool = False
    title: str | None = None
    reason: str | None = None
    tunable: bool | None = None
    epochs: tuple[Epoch, ...] = ()
    best_epoch: int | None = None
    stopped: str | None = None
    derived_epochs: int | None = None
    seconds_per_epoch: float | None = None
    step_seconds: float | None = None
    steps: int | None = None
    preparation_seconds: float | None = None
    validation_seconds: float | None = None
    pretraining_seconds: float | None = None
    wall_seconds: float | None = None
    validation: Mapping[str, float | None] = field(default_factory=dict)
    test: Mapping[str, Any] = field(default_factory=dict)
    predictions: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost | None = None
    memory: Memory | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A run that was not finished, and why.

    Attributes:
        name: ``gru-seed0``.
        cell: the cell or variant.
        seed: None where no trial of the cell was finished.
        error: the message.
        state: ``failed``.
        error_kind: class of the error, or ``killed``.
        title: the cell's.
        folder: its run folder inside the comparison's.
        key: hash of all that the result depends on.
        settings: values that were tuned.
        point: value of the axis; None where there is none.
    """

    name: str
    cell: str
    seed: int | None
    error: str
    state: Literal["failed"] = "failed"
    error_kind: str | None = None
    title: str | None = None
    folder: str | None = None
    key: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    point: Any = None
