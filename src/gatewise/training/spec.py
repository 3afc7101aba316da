"""What a run is: data, model and training as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from gatewise.errors import GatewiseError, OptionError, RunError, did_you_mean

__all__ = ["FORMAT_VERSION", "POOLINGS", "SCHEDULES", "DataSpec", "ModelSpec", "RunSpec", "TrainingSpec"]

FORMAT_VERSION = 1
POOLINGS = ("last", "mean", "max", "mean+max", "last+mean+max")
SCHEDULES = ("constant", "linear", "cosine")
_BUILT_IN_CELLS = ("rnn", "lstm", "gru", "mingru", "minlstm")
_Record = TypeVar("_Record", bound="DataSpec | ModelSpec | TrainingSpec")


@dataclass(frozen=True)
class DataSpec:
    """Which records a run learns from.

    Args:
        data: a registry name (``imdb``, ``rotten-tomatoes``) or the path of a file, folder or archive.
        text: column that holds the texts, for a file of one's own; None: the column called ``text``.
        label: column that holds the labels; None: the column called ``label``.
        test: path of a second file used only for testing; None: a part is held out.
        download: whether the registry may fetch the official archive from the network.

    Example:
        >>> DataSpec("reviews.csv", text="review", label="sentiment").label
        'sentiment'
    """

    data: str = "imdb"
    text: str | None = None
    label: str | None = None
    test: str | None = None
    download: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.data, str) or not self.data.strip():
            raise OptionError(
                "the data has no name",
                expected="a registry name or a path",
                got=repr(self.data),
                fix="name the data, for example: imdb",
            )
        for name in ("text", "label", "test"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise OptionError(f"{name} has the wrong type", expected="a string or none", got=repr(value))
        _check_boolean("download", self.download)


@dataclass(frozen=True)
class ModelSpec:
    """The network: embedding, recurrent layers, pooling, linear head.

    Args:
        cell: ``rnn``, ``lstm``, ``gru`` or the name of a registered cell of one's own.
        hidden_size: H, units per layer and direction.
        embedding_size: numbers per word.
        num_layers: L, recurrent layers on top of each other.
        bidirectional: whether a second direction reads each text backwards (doubles the cost).
        pooling: how the steps become one vector: ``last``, ``mean``, ``max``, ``mean+max``, ``last+mean+max``.
        dropout: probability p with which inputs (one mask for all steps of a text), the layers between, and pooled
            features are zeroed while training.
        word_dropout: probability with which a whole word is left blank while training.
        vocabulary_size: words kept, the most frequent of the training part.
        max_tokens: longer texts keep their first and last halves of this many tokens.

    Example:
        >>> ModelSpec(cell="lstm").hidden_size
        128
        >>> ModelSpec(cell="gur")
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no cell 'gur'; expected: rnn, ...; fix: did you mean 'gru'?
    """

    cell: str = "gru"
    hidden_size: int = 128
    embedding_size: int = 128
    num_layers: int = 1
    bidirectional: bool = False
    pooling: str = "last+mean+max"
    dropout: float = 0.5
    word_dropout: float = 0.1
    vocabulary_size: int = 20_000
    max_tokens: int = 256

    def __post_init__(self) -> None:
        _check_choice("cell", self.cell, _known_cells())
        for name in ("hidden_size", "embedding_size", "num_layers"):
            _check_whole(name, getattr(self, name), minimum=1)
        _check_whole("vocabulary_size", self.vocabulary_size, minimum=3)
        _check_whole("max_tokens", self.max_tokens, minimum=2)
        _check_boolean("bidirectional", self.bidirectional)
        _check_choice("pooling", self.pooling, POOLINGS)
        for name in ("dropout", "word_dropout"):
            _check_real(name, getattr(self, name), minimum=0.0, below=1.0)


@dataclass(frozen=True)
class TrainingSpec:
    """How the network is trained.

    Args:
        epochs: passes over the training part, at most.
        batch_size: B, texts per step.
        learning_rate: Adam's, at its height.
        schedule: how the rate goes over the run: ``constant``, ``linear`` or ``cosine`` down to zero.
        clip_norm: the gradient of all parameters together is scaled down to this Euclidean norm.
        averaging: decay per step of the exponential average of the weights that is evaluated and kept; 0: none.
        patience: stop after this many epochs without a better validation accuracy.
        seed: start of every random number of the run.
        threads: CPU threads; None: one per core that the process may use.
        device: ``cpu``, ``cuda``, ``cuda:0`` ...

    Example:
        >>> TrainingSpec(epochs=0)
        Traceback (most recent call last):
        gatewise.errors.OptionError: epochs is out of range; expected: a whole number of at least 1; got: 0; fix: give --epochs a valid value
    """  # noqa: E501

    epochs: int = 2
    batch_size: int = 32
    learning_rate: float = 2e-3
    schedule: str = "linear"
    clip_norm: float = 1.0
    averaging: float = 0.0
    patience: int = 2
    seed: int = 0
    threads: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            _check_whole(name, getattr(self, name), minimum=1)
        _check_whole("seed", self.seed, minimum=0)
        if self.threads is not None:
            _check_whole("threads", self.threads, minimum=1)
        _check_real("learning_rate", self.learning_rate, minimum=0.0, open_minimum=True)
        _check_real("clip_norm", self.clip_norm, minimum=0.0, open_minimum=True)
        _check_real("averaging", self.averaging, minimum=0.0, below=1.0)
        _check_choice("schedule", self.schedule, SCHEDULES)
        if not isinstance(self.device, str) or self.device.split(":")[0] not in ("cpu", "cuda", "mps"):
            raise OptionError(
                "the device is not known", expected="cpu, cuda, cuda:N or mps", got=repr(self.device), fix="use cpu"
            )


@dataclass(frozen=True)
class RunSpec:
    """One training run, complete: the same spec on the same data gives the same bits.

    Args:
        task: ``classification``.
        data: which records.
        model: which network.
        training: how it is trained.
        format_version: version of the run folder's format.

    Example:
        >>> spec = RunSpec(model=ModelSpec(cell="lstm"))
        >>> RunSpec.from_dict(spec.to_dict()) == spec
        True
    """

    task: str = "classification"
    data: DataSpec = field(default_factory=DataSpec)
    model: ModelSpec = field(default_factory=ModelSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        _check_choice("task", self.task, ("classification",))

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
        _refuse_unknown(record, [entry.name for entry in dataclasses.fields(cls)], place)
        try:
            return cls(
                task=record.get("task", "classification"),
                data=_part(DataSpec, record, "data", place),
                model=_part(ModelSpec, record, "model", place),
                training=_part(TrainingSpec, record, "training", place),
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
    _refuse_unknown(values, [entry.name for entry in dataclasses.fields(kind)], f"{place}, {name}")
    return kind(**values)


def _refuse_unknown(record: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    known = list(known)
    for key in record:
        if key not in known:
            raise RunError(f"{place} has the unknown key {key!r}", fix=did_you_mean(str(key), known))


def _known_cells() -> tuple[str, ...]:
    """The built-in names and, once `gatewise.nn` is loaded, every registered cell."""
    layers = sys.modules.get("gatewise.nn")
    registered = getattr(layers, "cells", None)
    names = tuple(registered()) if callable(registered) else ()
    return tuple(dict.fromkeys((*_BUILT_IN_CELLS, *names)))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _out_of_range(name: str, expected: str, value: object) -> GatewiseError:
    return OptionError(
        f"{name} is out of range", expected=expected, got=repr(value), fix=f"give {_flag(name)} a valid value"
    )


def _check_whole(name: str, value: object, minimum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise _out_of_range(name, f"a whole number of at least {minimum}", value)


def _check_real(
    name: str, value: object, minimum: float, below: float = math.inf, *, open_minimum: bool = False
) -> None:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or not (minimum < value if open_minimum else minimum <= value) or not value < below:  # type: ignore[operator]
        words = f"a number {'above' if open_minimum else 'of at least'} {minimum:g}"
        raise _out_of_range(name, words if below == math.inf else f"{words} and below {below:g}", value)


def _check_boolean(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise OptionError(f"{name} has the wrong type", expected="true or false", got=repr(value))


def _check_choice(name: str, value: object, known: Iterable[str]) -> None:
    known = list(known)
    if value not in known:
        raise OptionError(
            f"there is no {name} {value!r}", expected=", ".join(known), fix=did_you_mean(str(value), known)
        )
