"""What differs between two comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Changes", "ModelChange", "Named", "SettingChange"]


@dataclass(frozen=True, kw_only=True)
class Named:
    """One of the two comparisons: when it was made, by which command, what it found."""

    created: str
    command: str
    headline: str


@dataclass(frozen=True, kw_only=True)
class ModelChange:
    """A model that both comparisons have.

    Attributes:
        name: the model's.
        title: as a reader knows it.
        old: its figure before.
        new: its figure now.
        difference: now minus before.
        reach: the largest difference that chance explains.
        reading: ``better``, ``worse``, or ``same``: not beyond the intervals.
        old_seconds_per_epoch: before; None for a baseline.
        new_seconds_per_epoch: now.
    """

    name: str
    title: str
    old: float
    new: float
    difference: float
    reach: float
    reading: Literal["better", "worse", "same"]
    old_seconds_per_epoch: float | None
    new_seconds_per_epoch: float | None


@dataclass(frozen=True, kw_only=True)
class SettingChange:
    """A setting, or a part of the machine, that is not what it was; None: it was not there."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What differs from an older comparison to a newer one.

    Attributes:
        old: the older one.
        new: the newer one.
        same_data: whether the data have the same fingerprint.
        same_verdict: whether the headline is the same.
        models: those that both have.
        added: titles of models that only the newer one has.
        removed: titles of models that only the older one has.
        settings: of the plan.
        environment: machine and versions.
        sentences: all of it in words.
    """

    old: Named
    new: Named
    same_data: bool
    same_verdict: bool
    models: tuple[ModelChange, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    settings: tuple[SettingChange, ...]
    environment: tuple[SettingChange, ...]
    sentences: tuple[str, ...] = ()
