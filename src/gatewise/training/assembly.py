"""From names and values, as a command line or a keyword gives them, to a run's spec. Imports no torch."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from gatewise.errors import OptionError, did_you_mean
from gatewise.training.checks import check_choice, flag
from gatewise.training.run_spec import TASKS, RunSpec
from gatewise.training.spec import TrainingSpec

__all__ = ["ALIASES", "PARTS", "make_spec", "setting_fields", "typed_value"]

ALIASES = {"hidden": "hidden_size", "lr": "learning_rate"}
PARTS = ("data", "model", "training")


def setting_fields(task: str, part: str) -> dict[str, Any]:
    """The settings of a part of a task's runs, with their usual values, in the order of the spec.

    Args:
        task: a key of `TASKS`.
        part: ``data``, ``model`` or ``training``.

    Example:
        >>> setting_fields("classification", "training")["batch_size"]
        32
        >>> "horizon" in setting_fields("forecasting", "data")
        True
    """
    check_choice("task", task, TASKS)
    kind = TASKS[task]
    usual: Any = {"data": kind.data, "model": kind.model}.get(part, TrainingSpec)
    found = {entry.name: entry.default for entry in dataclasses.fields(usual)}
    return {**found, **kind.training} if part == "training" else found


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
    part = _part_of(task, name)
    spec: Any = {"data": TASKS[task].data, "model": TASKS[task].model}.get(part, TrainingSpec)
    kinds = set(typing.get_args(typing.get_type_hints(spec)[name])) or {typing.get_type_hints(spec)[name]}
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
        settings: any field of the task's data spec, model spec and of `TrainingSpec`.

    Raises:
        OptionError: there is no such setting for this task, or a value is out of range.

    Example:
        >>> make_spec("classification", "imdb", {"cell": "lstm", "epochs": 5}).training.epochs
        5
        >>> make_spec("language-modelling", "ptb", {"pooling": "mean"})
        Traceback (most recent call last):
        gatewise.errors.OptionError: --pooling does not go with language-modelling; expected: a setting of ...
    """
    parts: dict[str, dict[str, Any]] = {"data": {"data": data}, "model": {}, "training": {}}
    check_choice("task", task, TASKS)
    for given, value in settings.items():
        name = ALIASES.get(given, given)
        parts[_part_of(task, name)][name] = value
    kind = TASKS[task]
    return RunSpec(
        task=task,
        data=kind.data(**parts["data"]),
        model=kind.model(**parts["model"]),
        training=TrainingSpec(**{**kind.training, **parts["training"]}),
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
