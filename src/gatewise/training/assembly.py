"""From settings by name, as a command line or keywords give them, to a run's spec. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from gatewise.errors import OptionError, did_you_mean
from gatewise.training.checks import check_threads, flag
from gatewise.training.kind import Kind
from gatewise.training.registry import kind_names, kind_of, kinds
from gatewise.training.run_spec import RunSpec
from gatewise.training.settings import Setting, setting_value, settings_of
from gatewise.training.spec import TrainingSpec

__all__ = [
    "PARTS",
    "PRETRAIN",
    "aliases",
    "make_spec",
    "path_settings",
    "setting_fields",
    "setting_of",
    "settings_in",
    "typed_value",
]

PARTS = ("data", "model", "training", "pretraining")
PRETRAIN = Setting(
    "pretrain", bool, False, "Train embedding and recurrent layers on the data without labels first, an earlier phase."
)
"""The switch of the earlier phase."""


def settings_in(kind: Kind, part: str) -> dict[str, Setting]:
    """The settings of a part of a kind's runs, in the order of the spec.

    Args:
        kind: of problem.
        part: ``data``, ``model``, ``training``, or ``pretraining`` with its switch ``pretrain``.

    Example:
        >>> settings_in(kind_of("forecasting"), "data")["horizon"].help
        'Steps to forecast.'
    """
    specs = {"data": kind.data_spec, "model": kind.model_spec, "training": TrainingSpec}
    spec = specs.get(part, kind.pretraining_spec)
    found = {} if spec is None else dict(settings_of(spec))
    return {PRETRAIN.name: PRETRAIN, **found} if part == "pretraining" and found else found


def setting_fields(task: str, part: str, *, pretrain: bool = False) -> dict[str, Any]:
    """The settings of a part of a task's runs, with their defaults, in the order of the spec.

    Args:
        task: name of a kind.
        part: one of `PARTS`.
        pretrain: whether the run is pre-trained, which changes the defaults.

    Example:
        >>> setting_fields("classification", "training")["batch_size"]
        32
        >>> "horizon" in setting_fields("forecasting", "data")
        True
    """
    kind = kind_of(task)
    found = {name: entry.default for name, entry in settings_in(kind, part).items()}
    tuned = kind.defaults_with_pretraining.get(part, {}) if pretrain else {}
    return {**found, **(kind.default_training if part == "training" else {}), **tuned}


@cache
def _aliases(names: tuple[str, ...]) -> dict[str, str]:
    every = [entry for kind in kinds() for part in PARTS for entry in settings_in(kind, part).values()]
    return {alias: entry.name for entry in every for alias in entry.aliases}


def aliases() -> Mapping[str, str]:
    """Further names of settings, by the alias.

    Example:
        >>> aliases()["lr"]
        'learning_rate'
    """
    return _aliases(kind_names())


def path_settings() -> Mapping[str, tuple[str, ...]]:
    """Names of all settings that name a file, each with the words that name none."""
    every = [entry for kind in kinds() for part in ("data", "model") for entry in settings_in(kind, part).values()]
    return {entry.name: entry.words for entry in every if entry.is_path}


def typed_value(task: str, name: str, word: str) -> Any:
    """A setting's value from a word, typed as its spec says.

    Args:
        task: name of a kind.
        name: the setting, or an alias such as ``lr``.
        word: the value as written.

    Raises:
        OptionError: no such setting, or the word does not fit its type.

    Example:
        >>> typed_value("classification", "lr", "3e-3"), typed_value("classification", "bidirectional", "true")
        (0.003, True)
    """
    return setting_value(setting_of(task, name), word)


def setting_of(task: str, name: str) -> Setting:
    """A task's setting by its name or an alias.

    Raises:
        OptionError: there is none.
    """
    name = aliases().get(name, name)
    return settings_in(kind_of(task), _part_of(task, name))[name]


def make_spec(task: str, data: str, settings: Mapping[str, Any]) -> RunSpec:
    """A run's spec from settings by name; those not given keep the task's defaults.

    Args:
        task: name of a kind.
        data: registry name or path.
        settings: any field of the kind's data spec, model spec and of `TrainingSpec`; with ``pretrain`` true, also of
            its pre-training spec, and the defaults are those with pre-training.

    Raises:
        OptionError: there is no such setting for this task, or a value is out of range.

    Example:
        >>> make_spec("classification", "imdb", {"cell": "lstm", "epochs": 5}).training.epochs
        5
        >>> make_spec("language-modelling", "ptb", {"pooling": "mean"})
        Traceback (most recent call last):
        gatewise.errors.OptionError: --pooling does not go with language-modelling; expected: a setting of ...
    """
    kind = kind_of(task)
    parts: dict[str, dict[str, Any]] = {"data": {"data": data}, "model": {}, "training": {}, "pretraining": {}}
    for given, value in settings.items():
        name = aliases().get(given, given)
        parts[_part_of(task, name)][name] = value
    pretrain = parts["pretraining"].pop(PRETRAIN.name, False)
    if pretrain is not True and parts["pretraining"]:
        name = next(iter(parts["pretraining"]))
        raise OptionError(f"{flag(name)} is for pre-training only", fix=f"add --pretrain, or omit {flag(name)}")
    check_threads(parts["training"].get("threads"))
    usual = {part: setting_fields(task, part, pretrain=pretrain is True) for part in ("model", "training")}
    return RunSpec(
        data=kind.data_spec(**parts["data"]),
        model=kind.model_spec(**{**usual["model"], **parts["model"]}),
        training=TrainingSpec(**{**usual["training"], **parts["training"]}),
        pretraining=kind.pretraining_spec(**parts["pretraining"])
        if pretrain is True and kind.pretraining_spec
        else None,
        task=kind.name,
    )


def _part_of(task: str, name: str) -> str:
    """Which part of a task's spec has a setting of this name."""
    known = {part: settings_in(kind_of(task), part) for part in PARTS}
    for part, fields in known.items():
        if name in fields:
            return part
    others = [other.name for other in kinds() if any(name in settings_in(other, part) for part in PARTS)]
    if others:
        raise OptionError(
            f"{flag(name)} does not go with {task}",
            expected=f"a setting of {task}",
            got=f"one of {', '.join(others)}",
            fix=f"omit {flag(name)}",
        )
    names = [name for fields in known.values() for name in fields]
    raise OptionError(f"there is no setting {name!r}", fix=did_you_mean(name, names))
