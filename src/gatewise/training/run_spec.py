"""What a run is, complete, for every kind of problem. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gatewise.errors import OptionError, RunError
from gatewise.files import refuse_newer
from gatewise.training.checks import check_choice, refuse_unknown
from gatewise.training.kind import Kind
from gatewise.training.registry import kind_names, kind_of, kinds
from gatewise.training.settings import settings_of
from gatewise.training.spec import TrainingSpec

__all__ = ["FORMAT_VERSION", "RunSpec"]

FORMAT_VERSION = 1


@dataclass(frozen=True)
class RunSpec:
    """One training run, complete: the same spec on the same data gives the same bits.

    Args:
        data: which records; its class decides the kind of problem.
        model: which network; None: the kind's default.
        training: how it is trained.
        pretraining: an earlier phase of training; None: the network starts from random weights.
        task: the kind of problem; empty: the one that the data spec belongs to.
        format_version: version of the run folder's format.

    Example:
        >>> from gatewise.kinds.classification.spec import DataSpec, ModelSpec
        >>> spec = RunSpec(DataSpec(), ModelSpec(cell="lstm"))
        >>> spec.task, RunSpec.from_dict(spec.to_dict()) == spec
        ('classification', True)
    """

    data: Any
    model: Any = None
    training: TrainingSpec = field(default_factory=TrainingSpec)
    pretraining: Any = None
    task: str = ""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        kind = kind_of(self.task) if self.task else _kind_of_data(self.data)
        object.__setattr__(self, "task", kind.name)
        if self.model is None:
            object.__setattr__(self, "model", kind.model_spec())
        for name, wanted in (("data", kind.data_spec), ("model", kind.model_spec)):
            if type(getattr(self, name)) is not wanted:
                raise OptionError(
                    f"the {name} spec does not go with the task {self.task!r}",
                    expected=wanted.__name__,
                    got=type(getattr(self, name)).__name__,
                )
        if self.pretraining is not None and type(self.pretraining) is not kind.pretraining_spec:
            raise OptionError(f"there is no such pre-training for {self.task}", fix="omit --pretrain")
        kind.check(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON."""
        return asdict(self)

    def to_identity(self) -> dict[str, Any]:
        """What hashes of a run are made from: `to_dict`, with ``processes`` only where there are several,
        ``precision`` only where it is not float32, and settings that were `added` only where they have another value
        than runs before them.

        So runs of versions that had neither keep their hashes.
        """
        record = self.to_dict()
        for part, spec in (("data", self.data), ("model", self.model)):
            for name, entry in settings_of(type(spec)).items():
                if entry.added and record[part][name] == entry.before:
                    del record[part][name]
        if self.training.processes == 1:
            del record["training"]["processes"]
        if self.training.precision == "float32":
            del record["training"]["precision"]
        return record

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
        refuse_newer(record, FORMAT_VERSION, place)
        refuse_unknown(record, [entry.name for entry in dataclasses.fields(cls)], place)
        try:
            task = record.get("task")
            if isinstance(task, str) and task not in kind_names():
                raise RunError(
                    f"{place} is of the kind of problem {task!r}, which is not installed here",
                    expected=", ".join(kind_names()),
                    fix="install the package that offers this kind, or name the module that registers it: "
                    "--import MODULE",
                )
            check_choice("task", task, kind_names())
            kind = kind_of(str(task))
            return cls(
                data=_part(kind.data_spec, record, "data", place),
                model=_part(kind.model_spec, record, "model", place),
                training=_part(TrainingSpec, record, "training", place),
                pretraining=_pretraining(kind, record, place),
                task=kind.name,
                format_version=version,
            )
        except OptionError as error:
            fix = error.fix
            if error.message.startswith("there is no cell"):
                fix = "name the module that registers it: --import MODULE, or --import code/my_cells.py"
            raise RunError(f"{place}: {error.message}", expected=error.expected, got=error.got, fix=fix) from error


def _kind_of_data(data: object) -> Kind:
    """The kind whose data a spec describes."""
    for kind in kinds():
        if type(data) is kind.data_spec:
            return kind
    raise OptionError(
        "the data spec belongs to no kind of problem",
        expected=", ".join(kind.data_spec.__name__ for kind in kinds()),
        got=type(data).__name__,
    )


def _part(spec: type[Any], record: Mapping[str, Any], name: str, place: str) -> Any:
    values = record.get(name, {})
    if not isinstance(values, Mapping):
        raise RunError(f"{place} is damaged at {name!r}", expected="a JSON object", got=type(values).__name__)
    refuse_unknown(values, [entry.name for entry in dataclasses.fields(spec)], f"{place}, {name}")
    earlier = {name: entry.earlier for name, entry in settings_of(spec).items() if entry.earlier is not ...}
    return spec(**{**earlier, **values})


def _pretraining(kind: Kind, record: Mapping[str, Any], place: str) -> Any:
    if record.get("pretraining") is None:
        return None
    if kind.pretraining_spec is None:
        raise RunError(f"{place} has a pre-training", expected="none for this task", fix="restore it from a copy")
    return _part(kind.pretraining_spec, record, "pretraining", place)
