"""Times that were measured in turns, and the budget of time that a cell kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gatewise.record.figures import Interval

__all__ = ["TimeBudget", "TimeRatio", "Times"]


@dataclass(frozen=True, kw_only=True)
class TimeRatio(Interval):
    """Two cells' times or energies: the first one's as a multiple of the second one's, paired by round.

    Attributes:
        quantity: ``training_step``, ``streaming_step``, ``one_example`` or ``training_joules``.
        first: name of a cell.
        second: name of another.
        p_value: of "the same".
        adjusted_p_value: corrected for all pairs of all quantities (Holm, 1979).
        reading: of the first: ``faster``, ``slower``, ``same`` (the interval lies within 5 % either way) or
            ``undecided``.
        rounds: in which both were measured.
    """

    quantity: str
    first: str
    second: str
    p_value: float
    adjusted_p_value: float
    reading: Literal["faster", "slower", "same", "undecided"]
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Times:
    """What was measured in turns, after all trainings, in a process that did nothing else.

    Attributes:
        method: how, in words.
        intervals: for each cell and each of ``seconds_per_epoch``, ``step_p50``, ``one_example``,
            ``per_example_in_batch`` and ``energy_joules`` that was measured, the typical value with its interval.
        ratios: of every two cells.
    """

    method: str
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    ratios: tuple[TimeRatio, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TimeBudget:
    """The time that ``--match time`` gave a cell, and what it took.

    Attributes:
        target: seconds that the first cell's planned training steps take.
        seconds: those of the steps that this cell was trained, mean over its runs.
        ratio: seconds by target, with its interval; None where the times were not measured in turns.
        share: seconds by target.
        clock: what the seconds are of: ``turns`` (measured in turns) or ``training`` (the trainings' own).
        stopped_early: whether patience ended at least one of its runs.
        kept: whether the share lies within a tenth of 1.
    """

    target: float
    seconds: float
    share: float
    clock: Literal["turns", "training"]
    ratio: Interval | None = None
    stopped_early: bool = False
    kept: bool = True
