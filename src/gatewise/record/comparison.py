"""A finished comparison: what `comparison.json` holds. Documented key by key in docs/comparison-schema.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gatewise.record.figures import Difference, Figure, Metric, Skill
from gatewise.record.run import Cost, Failure, Kernel, Learning, MedianLag, Memory, Run
from gatewise.record.search import SearchAnalysis
from gatewise.record.times import TimeBudget, Times
from gatewise.record.verdict import Verdict

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "Axis",
    "AxisFigure",
    "AxisPoint",
    "Comparison",
    "Data",
    "ModelEntry",
    "ReachDecision",
    "Sizes",
    "Tuning",
]

FORMAT = "gatewise.comparison"
FORMAT_VERSION = 3


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many examples each part of the data has."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True, kw_only=True)
class Data:
    """On what was compared.

    Attributes:
        name: of the data set or file.
        source: which place it came from.
        split_note: what the test part is.
        fingerprint: SHA-256 of all records and parts.
        sizes: how many examples each part has.
        notes: what was dropped or repaired.
        details: what the kind of problem adds: class names, columns, token counts.
    """

    name: str
    source: str
    split_note: str
    fingerprint: str
    sizes: Sizes
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model: the finished runs of a cell or variant, or a baseline.

    Attributes:
        name: ``gru``, ``bilstm``, ``gru*2``, or the baseline's.
        title: as a reader knows it.
        kind: ``recurrent`` or ``baseline``.
        figure: the metric on the test part.
        cost: what it costs, means over runs.
        kernel: what ran the recurrent layers.
        reason: what a baseline does.
        figures: further figures of the test part, means over runs.
        validation: figures of the validation part at the epoch that was kept, means over runs.
        settings: values that were tuned, where all runs have the same.
        skill: the fraction of a baseline's error that it saves, where the kind of problem asks for skill.
        memory: how far back the gradient reaches, of the first run that measured it.
        median_lag: of all runs that measured it; None: none did, or an older record.
        details: what the kind of problem shows besides.
        learning: how the training of each run ended, by its validation curve; empty for a baseline.
        budget: under ``--match time``, the seconds that it was given and took.
        runs: one per seed.
    """

    name: str
    title: str
    kind: Literal["recurrent", "baseline"]
    figure: Figure
    cost: Cost
    kernel: Kernel
    runs: tuple[Run, ...]
    reason: str | None = None
    figures: Mapping[str, float | None] = field(default_factory=dict)
    validation: Mapping[str, float | None] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    skill: Skill | None = None
    memory: Memory | None = None
    median_lag: MedianLag | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    learning: tuple[Learning, ...] = ()
    budget: TimeBudget | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether it is no recurrent network."""
        return self.kind == "baseline"


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """A trial from which settings were chosen, apart from the final runs.

    Attributes:
        name: of the trial.
        cell: for which cell or baseline.
        seed: of its training; None for a baseline.
        settings: that were tried.
        state: ``finished`` or ``failed``.
        validation: figures on the validation part; None where it failed.
        training_seconds: of the trial.
        chosen: whether its settings were taken.
        error: why it failed.
        point: value of the axis; None where there is none.
        for_seed: the seed of the final run that it is for, where each has a search of its own; None: all of them.
    """

    name: str
    cell: str
    seed: int | None
    settings: Mapping[str, Any]
    state: Literal["finished", "failed"]
    chosen: bool
    validation: Mapping[str, float | None] | None = None
    training_seconds: float | None = None
    error: str | None = None
    point: Any = None
    for_seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class AxisFigure:
    """A model's figure at one point of the axis."""

    name: str
    title: str
    figure: Figure


@dataclass(frozen=True, kw_only=True)
class ReachDecision:
    """What was decided on whether a cell reaches one point.

    Attributes:
        cell: name of the cell.
        baseline: name of the best baseline there.
        estimate: the cell's figure; None where none of its runs finished there.
        baseline_estimate: the baseline's.
        half_way: the figure half of the way from the baseline's to a perfect one.
        adjusted_p_value: of "no difference between the two", corrected for all pairs of the point and earlier looks.
        enough: whether all seeds of the cell finished, and there are enough independent blocks for a claim.
    """

    cell: str
    baseline: str
    estimate: float | None
    baseline_estimate: float
    half_way: float
    adjusted_p_value: float
    enough: bool = True


@dataclass(frozen=True, kw_only=True)
class AxisPoint:
    """One value of the axis.

    Attributes:
        value: of the setting.
        models: every model's figure there.
        decisions: what the reach of each cell was decided on; empty where there is no reach, or no baseline.
    """

    value: Any
    models: tuple[AxisFigure, ...]
    decisions: tuple[ReachDecision, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What varies beside cell and seed.

    Attributes:
        name: of the setting.
        title: in words.
        points: in the plan's order.
        reach: for each cell the greatest value that it reaches, None: it reaches none; empty where greater values are
            not harder.
    """

    name: str
    title: str
    points: tuple[AxisPoint, ...]
    reach: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that a comparison measured.

    Attributes:
        created: time of writing, ISO 8601.
        command: the command line that repeats it.
        task: the kind of problem.
        unit: what a test example is, in the plural.
        metric: the figure by which models are compared.
        margin: differences within it make none in practice, in the metric's unit.
        plan: what was asked.
        data: on what.
        environment: versions, processor, threads.
        verdict: the outcome in words.
        models: baselines and cells with at least one finished run.
        differences: every cell with every other model.
        failed: final runs that were not finished.
        tuning: trials from which the settings were chosen.
        axis: what varies beside cell and seed; None: nothing.
        times: what was measured in turns; None: nothing was.
        details: what the kind of problem adds for its part of the report.
        looks: how many seeds each cell had when this comparison was judged before, for each time.
        search: what the trials say beside the settings that they chose; None: nothing, or an older record.
    """

    created: str
    command: str
    task: str
    unit: str
    metric: Metric
    margin: float
    plan: Mapping[str, Any]
    data: Data
    environment: Mapping[str, Any]
    verdict: Verdict
    models: tuple[ModelEntry, ...]
    differences: tuple[Difference, ...] = ()
    failed: tuple[Failure, ...] = ()
    tuning: tuple[Tuning, ...] = ()
    axis: Axis | None = None
    times: Times | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    looks: tuple[int, ...] = ()
    search: SearchAnalysis | None = None
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON: the content of `comparison.json`."""
        from gatewise.record.writing import plain

        content: dict[str, Any] = plain(self)
        first = {name: content.pop(name) for name in ("format", "format_version")}
        return first | content

    def model(self, name: str) -> ModelEntry:
        """The model of a name.

        Raises:
            KeyError: there is none.
        """
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)

    @property
    def cells(self) -> tuple[ModelEntry, ...]:
        """The recurrent models."""
        return tuple(model for model in self.models if not model.is_baseline)
