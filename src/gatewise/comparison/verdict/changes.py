"""What changed from one comparison to another: figures beyond their intervals, times, settings, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gatewise.errors import RunError
from gatewise.record import Changes, Comparison, ModelChange, ModelEntry, Named, SettingChange
from gatewise.words import Scale, duration, join, ratio

__all__ = ["changes"]

_SAME_TIME = 0.1
_NAMED = 4


def changes(old: Comparison, new: Comparison) -> Changes:
    """Set a comparison against an older one.

    A model's figure *changed* if the two estimates are farther apart than the root of the sum of the squares of their
    intervals' half-widths on the sides that face each other: what the interval of the difference of two independent
    measurements leaves out. On the same test examples the two are not independent, and the rule is the stricter for it.
    Times changed if they differ by more than 10 %.

    Args:
        old: the older record.
        new: the newer one.

    Raises:
        RunError: the two are of different kinds, or judge by different metrics.
    """
    for name, before, now in (("task", old.task, new.task), ("metric", old.metric.name, new.metric.name)):
        if before != now:
            raise RunError(
                f"the two comparisons cannot be set against each other: the {name} differs",
                expected=f"{name} {now}",
                got=f"{name} {before} in the older one",
                fix="name a comparison of the same kind with --against",
            )
    earlier = {model.name: model for model in old.models}
    later = {model.name: model for model in new.models}
    higher = new.metric.higher_is_better
    found = Changes(
        old=_named(old),
        new=_named(new),
        same_data=old.data.fingerprint == new.data.fingerprint,
        same_verdict=old.verdict.headline == new.verdict.headline,
        models=tuple(_model(earlier[name], model, higher=higher) for name, model in later.items() if name in earlier),
        added=tuple(model.title for name, model in later.items() if name not in earlier),
        removed=tuple(model.title for name, model in earlier.items() if name not in later),
        settings=_different(old.plan, new.plan),
        environment=_different(old.environment, new.environment),
    )
    figures = [abs(model.figure.estimate) for model in (*old.models, *new.models)]
    return replace(found, sentences=tuple(_sentences(found, Scale.of(new.metric, max(figures, default=0.0)))))


def _model(old: ModelEntry, new: ModelEntry, *, higher: bool) -> ModelChange:
    """One model before and after."""
    first, second = old.figure, new.figure
    difference = second.estimate - first.estimate
    rising = difference > 0
    widths = (
        first.high - first.estimate if rising else first.estimate - first.low,
        second.estimate - second.low if rising else second.high - second.estimate,
    )
    reach = math.hypot(*widths)
    changed = abs(difference) > reach
    return ModelChange(
        name=new.name,
        title=new.title,
        old=first.estimate,
        new=second.estimate,
        difference=difference,
        reach=reach,
        reading="same" if not changed else "better" if rising == higher else "worse",
        old_seconds_per_epoch=old.cost.seconds_per_epoch,
        new_seconds_per_epoch=new.cost.seconds_per_epoch,
    )


def _sentences(found: Changes, scale: Scale) -> list[str]:
    sentences = []
    if not found.same_data:
        sentences.append("The data are not the same, so the figures do not compare the models alone.")
    for reading in ("better", "worse"):
        models = [model for model in found.models if model.reading == reading]
        named = [f"{model.title} ({scale.value(model.old)} to {scale.value(model.new)})" for model in models]
        if named:
            verb = "is" if len(models) == 1 else "are"
            sentences.append(f"{_few(named)} {verb} {reading} than before, beyond the intervals.")
    same = [model.title for model in found.models if model.reading == "same"]
    if found.models and len(same) == len(found.models):
        sentences.append(f"No model's {scale.title} changed beyond its interval.")
    elif same:
        sentences.append(f"No change beyond the intervals: {join(same)}.")
    sentences += _times(found.models)
    for titles, verb in ((found.added, "New"), (found.removed, "No longer there")):
        if titles:
            sentences.append(f"{verb}: {join(titles)}.")
    for start, entries in (("Settings", found.settings), ("Machine or versions", found.environment)):
        if entries:
            named = [f"{entry.name} {_word(entry.old)} to {_word(entry.new)}" for entry in entries]
            sentences.append(f"{start} changed: {_few(named)}.")
    if found.same_verdict:
        sentences.append("The verdict is the same.")
    else:
        sentences.append(f"The verdict was: {found.old.headline}. It is: {found.new.headline}.")
    return sentences


def _times(models: Sequence[ModelChange]) -> list[str]:
    """A sentence on the models whose time per epoch changed by more than a tenth."""
    named = []
    for model in models:
        before, now = model.old_seconds_per_epoch, model.new_seconds_per_epoch
        if before and now and abs(now / before - 1) > _SAME_TIME:
            named.append(f"{model.title} {duration(before)} to {duration(now)} ({ratio(now / before)})")
    return [f"Time per epoch changed: {_few(named)}."] if named else []


def _few(named: Sequence[str]) -> str:
    return join([*named[:_NAMED], *([f"{len(named) - _NAMED} more"] if len(named) > _NAMED else [])])


def _named(record: Comparison) -> Named:
    return Named(created=record.created, command=record.command, headline=record.verdict.headline)


def _different(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[SettingChange, ...]:
    """Entries that differ, but for the cells, which stand among the models."""
    before, now = _flat(old), _flat(new)
    names = [name for name in dict.fromkeys([*now, *before]) if before.get(name) != now.get(name)]
    return tuple(SettingChange(name=name, old=before.get(name), new=now.get(name)) for name in names if name != "cells")


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat.update(_flat(value) if isinstance(value, Mapping) else {name.replace("_", " "): value})
    return flat


def _word(value: Any) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(str, value))})"
    return "none" if value is None else str(value)
