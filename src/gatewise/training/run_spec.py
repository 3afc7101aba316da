"""What a run is, complete, for every kind of problem. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from gatewise.errors import OptionError, RunError
from gatewise.training.checks import check_choice, refuse_unknown
from gatewise.training.forecasting_spec import ForecastModelSpec, SeriesSpec
from gatewise.training.language_spec import CorpusSpec, LanguageModelSpec
from gatewise.training.pretraining_spec import PretrainingSpec
from gatewise.training.probe_spec import ProbeModelSpec, ProbeSpec
from gatewise.training.spec import DataSpec, ModelSpec, TrainingSpec

__all__ = ["FORMAT_VERSION", "TASKS", "AnyDataSpec", "AnyModelSpec", "RunSpec", "TaskSpecs", "training_defaults"]

FORMAT_VERSION = 1
AnyDataSpec = DataSpec | SeriesSpec | CorpusSpec | ProbeSpec
AnyModelSpec = ModelSpec | ForecastModelSpec | LanguageModelSpec | ProbeModelSpec
_Record = TypeVar("_Record", bound="AnyDataSpec | AnyModelSpec | TrainingSpec | PretrainingSpec")


@dataclass(frozen=True)
class TaskSpecs:
    """Which records describe a kind of problem, and the training that suits it.

    Args:
        data: the data's spec.
        model: the network's spec.
        training: fields of `TrainingSpec` whose usual value differs for this kind.
        pretraining: the language model's spec, for a kind whose network can be pre-trained.
    """

    data: type[Any]
    model: type[Any]
    training: Mapping[str, Any] = field(default_factory=dict)
    pretraining: type[Any] | None = None


TASKS: dict[str, TaskSpecs] = {
    "classification": TaskSpecs(DataSpec, ModelSpec, pretraining=PretrainingSpec),
    "forecasting": TaskSpecs(
        SeriesSpec, ForecastModelSpec, {"epochs": 20, "batch_size": 64, "learning_rate": 1e-3, "patience": 5}
    ),
    "language-modelling": TaskSpecs(
        CorpusSpec,
        LanguageModelSpec,
        {"epochs": 12, "batch_size": 20, "learning_rate": 2e-3, "schedule": "cosine", "clip_norm": 0.25, "patience": 3},
    ),
    "probe": TaskSpecs(ProbeSpec, ProbeModelSpec, {"epochs": 20, "batch_size": 50, "patience": 20}),
}


def training_defaults(task: str) -> TrainingSpec:
    """The usual training of a kind of problem.

    Example:
        >>> training_defaults("classification") == TrainingSpec()
        True
    """
    check_choice("task", task, TASKS)
    return TrainingSpec(**TASKS[task].training)


@dataclass(frozen=True)
class RunSpec:
    """One training run, complete: the same spec on the same data gives the same bits.

    Args:
        task: the kind of problem, one of `TASKS`.
        data: which records.
        model: which network.
        training: how it is trained.
        pretraining: the language model that it starts from; None: it starts from random weights.
        format_version: version of the run folder's format.

    Example:
        >>> spec = RunSpec(model=ModelSpec(cell="lstm"))
        >>> RunSpec.from_dict(spec.to_dict()) == spec
        True
    """

    task: str = "classification"
    data: AnyDataSpec = field(default_factory=DataSpec)
    model: AnyModelSpec = field(default_factory=ModelSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    pretraining: PretrainingSpec | None = None
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        check_choice("task", self.task, TASKS)
        kind = TASKS[self.task]
        for name, wanted in (("data", kind.data), ("model", kind.model)):
            if type(getattr(self, name)) is not wanted:
                raise OptionError(
                    f"the {name} spec does not go with the task {self.task!r}",
                    expected=wanted.__name__,
                    got=type(getattr(self, name)).__name__,
                )
        self._check_pretraining(kind)

    def _check_pretraining(self, kind: TaskSpecs) -> None:
        """Refuse a pre-training that this network cannot have, and texts for one that is not asked for."""
        data, model = self.data, self.model
        if self.pretraining is None:
            if isinstance(data, DataSpec) and data.unlabelled is not None:
                raise OptionError(
                    "texts without labels are for pre-training only",
                    got=f"--unlabelled {data.unlabelled}",
                    fix="add --pretrain, or leave --unlabelled away",
                )
            return
        if kind.pretraining is None or not isinstance(self.pretraining, kind.pretraining):
            raise OptionError(
                f"there is no pre-training for {self.task}", expected="classification", fix="leave --pretrain away"
            )
        if isinstance(model, ModelSpec) and model.bidirectional and model.num_layers > 1:
            raise OptionError(
                "several bidirectional layers cannot be pre-trained: from the second layer on, each direction has "
                "already seen the word that it should tell",
                expected="one bidirectional layer, or layers of one direction",
                got=f"{model.num_layers} bidirectional layers",
                fix="--num-layers 1, or leave --bidirectional or --pretrain away",
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str = "the run's spec") -> RunSpec:
        """Read what `to_dict` gave.

        Args:
            record: the dictionary.
            place: where it came from, for messages.

        Raises:
            RunError: it is from a newer version, has unknown keys, or a value is out of range.

        Example:
            >>> RunSpec.from_dict({"format_version": 99})
            Traceback (most recent call last):
            gatewise.errors.RunError: the run's spec is from a newer Gatewise; expected: format 1 or older; ...
        """
        if not isinstance(record, Mapping):
            raise RunError(f"{place} is damaged", expected="a JSON object", got=type(record).__name__)
        version = record.get("format_version", 0)
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise RunError(f"{place} is damaged", expected="a format_version of at least 1", got=repr(version))
        if version > FORMAT_VERSION:
            raise RunError(
                f"{place} is from a newer Gatewise",
                expected=f"format {FORMAT_VERSION} or older",
                got=f"format {version}",
                fix="update Gatewise: pip install --upgrade gatewise",
            )
        refuse_unknown(record, [entry.name for entry in dataclasses.fields(cls)], place)
        try:
            task = record.get("task", "classification")
            check_choice("task", task, TASKS)
            kind = TASKS[task]
            return cls(
                task=task,
                data=_part(kind.data, record, "data", place),
                model=_part(kind.model, record, "model", place),
                training=_part(TrainingSpec, record, "training", place),
                pretraining=_pretraining(kind, record, place),
                format_version=version,
            )
        except OptionError as error:
            raise RunError(
                f"{place}: {error.message}", expected=error.expected, got=error.got, fix=error.fix
            ) from error


def _part(kind: type[_Record], record: Mapping[str, Any], name: str, place: str) -> _Record:
    values = record.get(name, {})
    if not isinstance(values, Mapping):
        raise RunError(f"{place} is damaged at {name!r}", expected="a JSON object", got=type(values).__name__)
    refuse_unknown(values, [entry.name for entry in dataclasses.fields(kind)], f"{place}, {name}")
    return kind(**values)


def _pretraining(kind: TaskSpecs, record: Mapping[str, Any], place: str) -> PretrainingSpec | None:
    if record.get("pretraining") is None:
        return None
    if kind.pretraining is None:
        raise RunError(f"{place} has a pre-training", expected="none for this task", fix="restore it from a copy")
    part: PretrainingSpec = _part(kind.pretraining, record, "pretraining", place)
    return part
