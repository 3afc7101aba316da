"""What changed from one comparison to another: figures beyond their intervals, times, settings, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gatewise.errors import RunError
from gatewise.words import Scale, duration, join, ratio

__all__ = ["changes"]

_SAME_TIME = 0.1
_NAMED = 4
Record = Mapping[str, Any]


def changes(old: Record, new: Record) -> dict[str, Any]:
    """Set a comparison against an older one.

    A model's figure *changed* if the two estimates are farther apart than the root of the sum of the squares of their
    intervals' half-widths on the sides that face each other: what the interval of the difference of two independent
    measurements leaves out. On the same test examples the two are not independent, and the rule is the stricter for it.
    Times changed if they differ by more than 10 %.

    Args:
        old: the older record, as `gatewise.comparison.load_comparison` reads it.
        new: the newer one.

    Returns:
        ``old`` and ``new`` (``created``, ``command``, ``headline``), ``models`` (``name``, ``title``, ``old``,
        ``new``, ``difference``, ``reach``, ``reading``: ``better``, ``worse`` or ``same``, ``seconds_per_epoch``
        before and after), ``added``, ``removed``, ``settings`` and ``environment`` (``name``, ``old``, ``new``),
        ``same_data``, ``same_verdict`` and ``sentences``.

    Raises:
        RunError: the two are of different kinds, or judge by different metrics.

    Example:
        >>> changes({"task": "probe", "metric": {"name": "accuracy"}}, {"task": "probe", "metric": {"name": "loss"}})
        Traceback (most recent call last):
        gatewise.errors.RunError: the two comparisons cannot be set against each other: ...
    """
    for name, before, now in (
        ("task", old["task"], new["task"]),
        ("metric", old["metric"]["name"], new["metric"]["name"]),
    ):
        if before != now:
            raise RunError(
                f"the two comparisons cannot be set against each other: the {name} differs",
                expected=f"{name} {now}",
                got=f"{name} {before} in the older one",
                fix="name a comparison of the same kind with --against",
            )
    before = {model["name"]: model for model in old["models"]}
    now = {model["name"]: model for model in new["models"]}
    higher = bool(new["metric"]["higher_is_better"])
    found: dict[str, Any] = {
        "old": _named(old),
        "new": _named(new),
        "same_data": old["data"]["fingerprint"] == new["data"]["fingerprint"],
        "same_verdict": old["verdict"]["headline"] == new["verdict"]["headline"],
        "models": [_model(before[name], model, higher=higher) for name, model in now.items() if name in before],
        "added": [model["title"] for name, model in now.items() if name not in before],
        "removed": [model["title"] for name, model in before.items() if name not in now],
        "settings": _different(old["plan"], new["plan"]),
        "environment": _different(old["environment"], new["environment"]),
    }
    figures = [abs(model["figure"]["estimate"]) for model in (*old["models"], *new["models"])]
    found["sentences"] = _sentences(found, Scale.of(new["metric"], max(figures, default=0.0)))
    return found


def _model(old: Record, new: Record, *, higher: bool) -> dict[str, Any]:
    """One model before and after."""
    first, second = old["figure"], new["figure"]
    difference = second["estimate"] - first["estimate"]
    rising = difference > 0
    widths = (
        first["high"] - first["estimate"] if rising else first["estimate"] - first["low"],
        second["estimate"] - second["low"] if rising else second["high"] - second["estimate"],
    )
    reach = math.hypot(*widths)
    changed = abs(difference) > reach
    return {
        "name": new["name"],
        "title": new["title"],
        "old": first["estimate"],
        "new": second["estimate"],
        "difference": difference,
        "reach": reach,
        "reading": "same" if not changed else "better" if rising == higher else "worse",
        "seconds_per_epoch": {"old": old["cost"]["seconds_per_epoch"], "new": new["cost"]["seconds_per_epoch"]},
    }


def _sentences(found: Record, scale: Scale) -> list[str]:
    sentences = []
    if not found["same_data"]:
        sentences.append("The data are not the same, so the figures do not compare the models alone.")
    for reading in ("better", "worse"):
        models = [model for model in found["models"] if model["reading"] == reading]
        told = [
            f"{model['title']} ({scale.value(model['old'])} to {scale.value(model['new'])})"
            for model in models[:_NAMED]
        ]
        if len(models) > _NAMED:
            told.append(f"{len(models) - _NAMED} more")
        if told:
            verb = "is" if len(models) == 1 else "are"
            sentences.append(f"{join(told)} {verb} {reading} than before, beyond the intervals.")
    same = [model["title"] for model in found["models"] if model["reading"] == "same"]
    if found["models"] and len(same) == len(found["models"]):
        sentences.append(f"No model's {scale.title} changed beyond its interval.")
    elif same:
        sentences.append(f"No change beyond the intervals: {join(same)}.")
    sentences += _times(found["models"])
    for name, verb in (("added", "New"), ("removed", "No longer there")):
        if found[name]:
            sentences.append(f"{verb}: {join(found[name])}.")
    if found["settings"]:
        told = [f"{entry['name']} {_word(entry['old'])} to {_word(entry['new'])}" for entry in found["settings"]]
        sentences.append(f"Settings changed: {_few(told)}.")
    if found["environment"]:
        told = [f"{entry['name']} {_word(entry['old'])} to {_word(entry['new'])}" for entry in found["environment"]]
        sentences.append(f"Machine or versions changed: {_few(told)}.")
    if found["same_verdict"]:
        sentences.append("The verdict is the same.")
    else:
        sentences.append(f"The verdict was: {found['old']['headline']}. It is: {found['new']['headline']}.")
    return sentences


def _times(models: Sequence[Record]) -> list[str]:
    """A sentence on the models whose time per epoch changed by more than a tenth."""
    told = []
    for model in models:
        before, now = model["seconds_per_epoch"]["old"], model["seconds_per_epoch"]["new"]
        if before and now and abs(now / before - 1) > _SAME_TIME:
            told.append(f"{model['title']} {duration(before)} to {duration(now)} ({ratio(now / before)})")
    return [f"Time per epoch changed: {_few(told)}."] if told else []


def _few(told: Sequence[str]) -> str:
    return join([*told[:_NAMED], *([f"{len(told) - _NAMED} more"] if len(told) > _NAMED else [])])


def _named(record: Record) -> dict[str, str]:
    return {
        "created": record["created"],
        "command": record["command"],
        "headline": record["verdict"]["headline"],
    }


def _different(old: Record, new: Record) -> list[dict[str, Any]]:
    """Entries that differ, cells and seeds aside where they merely grew."""
    before, now = _flat(old), _flat(new)
    names = [name for name in dict.fromkeys([*now, *before]) if before.get(name) != now.get(name)]
    return [{"name": name, "old": before.get(name), "new": now.get(name)} for name in names if name != "cells"]


def _flat(record: Record) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat.update(_flat(value) if isinstance(value, Mapping) else {name.replace("_", " "): value})
    return flat


def _word(value: Any) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(str, value))})"
    return "none" if value is None else str(value)
