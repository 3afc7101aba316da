"""From names and values, as a command line or a keyword gives them, to a run's spec. Imports no torch."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from gatewise.errors import OptionError, did_you_mean
from gatewise.training.checks import check_choice, flag
from gatewise.training.pretraining_spec import USUAL_WITH_PRETRAINING
from gatewise.training.run_spec import TASKS, RunSpec
from gatewise.training.spec import TrainingSpec

__all__ = ["ALIASES", "PARTS", "make_spec", "setting_fields", "setting_types", "typed_value"]

ALIASES = {"hidden": "hidden_size", "lr": "learning_rate"}
PARTS = ("data", "model", "training", "pretraining")
_SWITCH = "pretrain"


def setting_fields(task: str, part: str, *, pretrain: bool = False) -> dict[str, Any]:
    """The settings of a part of a task's runs, with their usual values, in the order of the spec.

    Args:
        task: a key of `TASKS`.
        part: ``data``, ``model``, ``training``, or ``pretraining`` with its switch ``pretrain``.
        pretrain: whether the run is pre-trained, which makes other values the usual ones.

    Example:
        >>> setting_fields("classification", "training")["batch_size"]
        32
        >>> "horizon" in setting_fields("forecasting", "data")
        True
    """
    check_choice("task", task, TASKS)
    usual = _spec(task, part)
    found = {} if usual is None else {entry.name: entry.default for entry in dataclasses.fields(usual)}
    if part == "pretraining" and usual is not None:
        return {_SWITCH: False, **found}
    tuned = USUAL_WITH_PRETRAINING.get(part, {}) if pretrain else {}
    return {**found, **(TASKS[task].training if part == "training" else {}), **tuned}


def setting_types(task: str, part: str) -> dict[str, Any]:
    """The types of the settings of `setting_fields`.

    Example:
        >>> setting_types("classification", "pretraining")["pretrain"]
        <class 'bool'>
    """
    usual = _spec(task, part)
    hints = {} if usual is None else typing.get_type_hints(usual)
    return {name: hints.get(name, bool) for name in setting_fields(task, part)}


def _spec(task: str, part: str) -> Any:
    """The record that describes a part, or None."""
    kind = TASKS[task]
    return {"data": kind.data, "model": kind.model, "training": TrainingSpec}.get(part, kind.pretraining)


def typed_value(task: str, name: str, word: str) -> Any:
    """A setting's value from a word, typed as its spec says.

    Args:
        task: a key of `TASKS`.
        name: the setting, or an alias such as ``lr``.
        word: the value as written.

    Raises:
        OptionError: no such setting, or the word does not fit its type.

    Example:
        >>> typed_value("classification", "lr", "3e-3"), typed_value("classification", "bidirectional", "true")
        (0.003, True)
    """
    name = ALIASES.get(name, name)
    hint = setting_types(task, _part_of(task, name))[name]
    kinds = set(typing.get_args(hint)) or {hint}
    text = word.strip()
    if type(None) in kinds and text.lower() == "none":
        return None
    try:
        if bool in kinds:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        if int in kinds:
            return int(text)
        if float in kinds:
            return float(text)
    except (KeyError, ValueError) as error:
        names = " or ".join(sorted(_WORDS[kind] for kind in kinds if kind in _WORDS))
        raise OptionError(f"{name} has the wrong type", expected=names, got=repr(word)) from error
    return text


_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def make_spec(task: str, data: str, settings: Mapping[str, Any]) -> RunSpec:
    """A run's spec from settings by name; those not given keep the task's usual values.

    Args:
        task: a key of `TASKS`.
        data: registry name or path.
        settings: any field of the task's data spec, model spec and of `TrainingSpec`; with ``pretrain`` true, also of
            `PretrainingSpec`, and what is not given is as pre-training wants it (see there).

    Raises:
        OptionError: there is no such setting for this task, or a value is out of range.

    Example:
        >>> make_spec("classification", "imdb", {"cell": "lstm", "epochs": 5}).training.epochs
        5
        >>> make_spec("language-modelling", "ptb", {"pooling": "mean"})
        Traceback (most recent call last):
        gatewise.errors.OptionError: --pooling does not go with language-modelling; expected: a setting of ...
    """
    parts: dict[str, dict[str, Any]] = {"data": {"data": data}, "model": {}, "training": {}, "pretraining": {}}
    check_choice("task", task, TASKS)
    for given, value in settings.items():
        name = ALIASES.get(given, given)
        parts[_part_of(task, name)][name] = value
    kind = TASKS[task]
    pretrain = parts["pretraining"].pop(_SWITCH, False)
    if pretrain is not True and parts["pretraining"]:
        name = next(iter(parts["pretraining"]))
        raise OptionError(f"{flag(name)} is for pre-training only", fix=f"add --pretrain, or leave {flag(name)} away")
    usual = {part: setting_fields(task, part, pretrain=pretrain is True) for part in ("model", "training")}
    return RunSpec(
        task=task,
        data=kind.data(**parts["data"]),
        model=kind.model(**{**usual["model"], **parts["model"]}),
        training=TrainingSpec(**{**usual["training"], **parts["training"]}),
        pretraining=kind.pretraining(**parts["pretraining"]) if pretrain is True and kind.pretraining else None,
    )


def _part_of(task: str, name: str) -> str:
    """Which part of a task's spec has a setting of this name."""
    known = {part: setting_fields(task, part) for part in PARTS}
    for part, fields in known.items():
        if name in fields:
            return part
    others = [other for other in TASKS if any(name in setting_fields(other, part) for part in PARTS)]
    if others:
        raise OptionError(
            f"{flag(name)} does not go with {task}",
            expected=f"a setting of {task}",
            got=f"one of {', '.join(others)}",
            fix=f"leave {flag(name)} away",
        )
    names = [name for fields in known.values() for name in fields]
    raise OptionError(f"there is no setting {name!r}", fix=did_you_mean(name, names))
