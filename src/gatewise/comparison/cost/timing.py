"""From samples taken in turns to the record's times, ratios and budgets. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gatewise.record import Interval, Run, TimeBudget, TimeRatio, Times
from gatewise.statistics.times import Location, paired_times, typical_time

__all__ = ["BUDGET_RANGE", "budget_of", "times_of"]

BUDGET_RANGE = 0.10
"""A cell that took more or less than this fraction of its budget of time is flagged."""
_RATIOS = ("training_step", "streaming_step", "one_example", "training_joules")
_METHOD = (
    "measured in turns in one process that did nothing else, in an order drawn anew each time; ratios paired by round, "
    "with intervals by signed ranks; p values corrected for all pairs of all quantities"
)


def times_of(found: Mapping[str, Any], steps_trained: Mapping[str, float]) -> Times:
    """Times with their intervals, and the ratios of every two cells.

    Args:
        found: what `gatewise.comparison.cost.together.measure_together` gave.
        steps_trained: of each cell's runs, their mean, for the energy.

    Example:
        >>> rounds = [1.0, 1.1, 1.0, 1.2, 1.1, 1.0, 1.3, 1.0, 1.1, 1.0, 1.2, 1.1]
        >>> samples = {"training_step": {"gru": rounds, "rnn": [0.5 * each for each in rounds]}}
        >>> times = times_of({"samples": samples, "steps": {"gru": 10, "rnn": 10}}, {})
        >>> times.intervals["rnn"]["seconds_per_epoch"].estimate, times.ratios[0].reading
        (5.5, 'slower')
    """
    samples = found["samples"]
    factors = {
        "training_step": ("seconds_per_epoch", found["steps"]),
        "streaming_step": ("step_p50", {}),
        "one_example": ("one_example", {}),
        "example_in_batch": ("per_example_in_batch", {}),
        "training_joules": ("energy_joules", steps_trained),
    }
    intervals: dict[str, dict[str, Interval]] = {}
    for quantity, (name, factor) in factors.items():
        for cell, values in samples.get(quantity, {}).items():
            scaled = [value * factor.get(cell, 1) for value in values]
            location = typical_time(scaled, of_sum=quantity.startswith("training"))
            if location is not None:
                intervals.setdefault(cell, {})[name] = _interval(location)
    pairs = paired_times({name: samples[name] for name in _RATIOS if name in samples})
    return Times(method=_METHOD, intervals=intervals, ratios=tuple(TimeRatio(**asdict(pair)) for pair in pairs))


def budget_of(
    cell: str,
    runs: Mapping[str, Sequence[Run]],
    first: str,
    planned: int,
    found: Mapping[str, Any] | None,
    times: Times | None,
) -> TimeBudget | None:
    """What a cell took of the time that the first cell's planned steps take.

    Where the two were measured in turns, by that; else by the clocks of the trainings, which other programs disturb.
    Validation is not counted, an earlier phase of training is.

    Args:
        cell: its name.
        runs: the finished runs of every cell.
        first: name of the first cell.
        planned: steps of the first cell's training, to its last epoch.
        found: what `gatewise.comparison.cost.together.measure_together` gave; None: nothing.
        times: what `times_of` made of it.

    Returns:
        None where one of the two has no finished run.
    """
    own, others = runs.get(cell, ()), runs.get(first, ())
    if any(run.step_seconds is None or not run.steps for run in (*own, *others)) or not own or not others:
        return None
    early = any(run.stopped == "patience" for run in own)
    earlier, first_earlier = (_mean([run.pretraining_seconds or 0.0 for run in each]) for each in (own, others))
    pace, first_pace = (_pace(name, found, times) for name in (cell, first))
    steps = _mean([float(run.steps or 0) for run in own])
    in_turns = None not in (pace, first_pace)
    if pace is None or first_pace is None:
        pace, first_pace = _own_pace(own), _own_pace(others)
    target, seconds = first_earlier + planned * first_pace, earlier + steps * pace
    ratio = None
    if in_turns and times is not None and not earlier and not first_earlier:
        paired = 1.0, 1.0, 1.0
        if cell != first:
            paired = _paired(times, cell, first)
        estimate, low, high = (value * steps / planned for value in paired)
        ratio = Interval(estimate=estimate, low=low, high=high, level=0.95)
    share = seconds / target if ratio is None else ratio.estimate
    return TimeBudget(
        target=target,
        seconds=seconds,
        share=share,
        clock="turns" if in_turns else "training",
        ratio=ratio,
        stopped_early=early,
        kept=abs(share - 1.0) <= BUDGET_RANGE,
    )


def _pace(name: str, found: Mapping[str, Any] | None, times: Times | None) -> float | None:
    """Seconds of one step, measured in turns."""
    if found is None or times is None or "seconds_per_epoch" not in times.intervals.get(name, {}):
        return None
    return times.intervals[name]["seconds_per_epoch"].estimate / float(found["steps"][name])


def _own_pace(runs: Sequence[Run]) -> float:
    """Seconds of one step by the clocks of the trainings."""
    return _mean([((run.step_seconds or 0.0) - (run.pretraining_seconds or 0.0)) / (run.steps or 1) for run in runs])


def _paired(times: Times, cell: str, first: str) -> tuple[float, float, float]:
    """A cell's time of a training step as a multiple of the first one's, with its interval."""
    for pair in times.ratios:
        if pair.quantity == "training_step" and (pair.first, pair.second) == (cell, first):
            return pair.estimate, pair.low, pair.high
        if pair.quantity == "training_step" and (pair.first, pair.second) == (first, cell):
            return 1 / pair.estimate, 1 / pair.high, 1 / pair.low
    raise KeyError((cell, first))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _interval(at: Location) -> Interval:
    return Interval(estimate=at.estimate, low=at.low, high=at.high, level=at.level)
