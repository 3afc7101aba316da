"""How long a plan will take, from a few measured steps of each cell."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewise.comparison.plan.grid import Range
from gatewise.comparison.plan.plan import Plan
from gatewise.comparison.run.cache import saved_measurement
from gatewise.comparison.run.events import FittingBaseline
from gatewise.comparison.run.trial_maker import TrialMaker
from gatewise.comparison.run.trials import fit_for_a_file
from gatewise.comparison.run.tuning import baseline_candidates
from gatewise.errors import TrainingError
from gatewise.record import Run

if TYPE_CHECKING:
    from gatewise.comparison.run.execution import ExecutionContext
    from gatewise.training.run_spec import RunSpec

__all__ = ["estimate_seconds", "finishing_seconds", "measuring_seconds", "starting_seconds"]

_FORWARD = 1 / 3
_SOON = 10.0
_LEAST_START, _MOST_START = 3.0, 30.0
_MOST_BUSY = 8.0
_ALONE, _ALONE_STEPS = 2.0, 12
"""To measure one run alone, in a process that is ready: seconds, and training steps besides."""
_IN_TURNS, _STEPPED, _STEPS_IN_TURNS = 3.0, 3.0, 24
"""Of each cell in turns: seconds of predictions and streaming; of training steps at least, and so many steps."""
_REPORT = 5.0


def estimate_seconds(plan: Plan, context: ExecutionContext, jobs: int) -> float | None:
    """Seconds until all trials are trained and validated, every one to its last epoch.

    None if nothing is left; 0 where something is, but no step of it could be measured.

    An example of the validation part counts as a third of one of the training part: a training step is a
    forward pass and a backward one, which costs about two. The test part and the report are in
    `finishing_seconds`, and baselines count only where their settings are searched: each trial as long as the fit with
    the defaults.

    A cell's search is estimated from the cheapest and the dearest of its settings. Finished trials are left
    out, except those of a cell's search, whose settings are not known beforehand.

    Args:
        plan: the plan.
        context: with which it is executed.
        jobs: trials at the same time.
    """
    maker = TrialMaker(plan, context)
    context.budget.measure(_runs(plan, maker, context))
    whole = _baseline_seconds(plan, context)
    left = plan.search is not None and whole > 0
    shared: dict[str, float] = {}
    for cell in plan.cells:
        for point in plan.points:
            if plan.search is not None:
                ends = [
                    _training(_end(plan, cell, point, context, last=last), point, context) for last in (False, True)
                ]
                trials = plan.search.trials * len(plan.search.seeds(plan.seeds)) + len(plan.seeds)
                whole += trials * sum(_last(end) for end in ends) / len(ends)
                left = True
                for end in ends:
                    shared |= _earlier(end)
                continue
            for seed in plan.seeds:
                trial = maker.final(cell, point, seed)
                if saved_measurement(context.folder, trial) is None:
                    phases = _training(trial.spec, point, context)
                    whole += _last(phases)
                    left = True
                    shared |= _earlier(phases)
    whole += sum(shared.values())
    return whole / jobs if left else None


def _baseline_seconds(plan: Plan, context: ExecutionContext) -> float:
    """Seconds of the baselines' search that are left, by the time of its first trials, which are run if they were not.

    The first trial has the defaults. Where that is soon done the second is run too and timed instead: the first
    one's time may be that of reading a library.
    """
    if plan.search is None:
        return 0.0
    maker, whole = TrialMaker(plan, context), 0.0
    for point in plan.points:
        for baseline in context.baselines:
            asked = baseline_candidates(baseline, plan.search, context.datasets[point])
            trials = [maker.baseline(baseline, point, settings, tuning=True) for settings in asked]
            for trial in trials:
                context.log.fetch(context.folder, trial)
            left = sum(saved_measurement(context.folder, trial) is None for trial in trials)
            if left == 0:
                continue
            if left == len(trials):
                context.listener(FittingBaseline(baseline.title, len(trials)))
            seconds = 0.0
            for trial in trials[:2]:
                if saved_measurement(context.folder, trial) is None:
                    list(context.pool.run([maker.task(trial)]))
                    left -= 1
                entry = saved_measurement(context.folder, trial)
                seconds = (entry.wall_seconds or 0.0) if isinstance(entry, Run) else seconds
                if seconds > _SOON:
                    break
            whole += (left + 1) * seconds
    return whole


def starting_seconds() -> float:
    """How long a further process takes until it has loaded libraries and data, as this one did, beside what else runs.

    Example:
        >>> 3.0 <= starting_seconds() <= 240.0
        True
    """
    return min(max(time.process_time(), _LEAST_START), _MOST_START) * _busy()


def _busy() -> float:
    """How many times as long work takes because others use the processor; 1 where that is not known."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return min(max(1.0, load / (os.cpu_count() or 1)), _MOST_BUSY)


def measuring_seconds(plan: Plan, context: ExecutionContext) -> float:
    """Seconds to measure what every cell costs: each alone in a fresh process, and the times of all in turns in one.

    Starting the processes counts. Of the rest much is bounded by the clock, see `gatewise.comparison.cost.together`,
    but not below a number of training steps. What was measured is not counted.
    """
    kept = {place.name.split("-seed")[0] for place in (context.folder / "measurements").glob("*.cost.json")}
    at = "" if plan.axis is None else f"-{plan.axis.name}{plan.points[-1]}"
    left = [cell for cell in plan.cells if f"{fit_for_a_file(cell)}{at}" not in kept]
    if not left and (context.folder / "measurements" / "times.json").exists():
        return 0.0
    start, point = starting_seconds(), plan.points[-1]
    steps = {cell: _step_seconds(plan, cell, point, context) for cell in plan.cells}
    alone = sum(start + _ALONE + _ALONE_STEPS * steps[cell] for cell in left)
    return alone + start + sum(_IN_TURNS + max(_STEPPED, _STEPS_IN_TURNS * step) for step in steps.values())


def _step_seconds(plan: Plan, cell: str, point: Any, context: ExecutionContext) -> float:
    try:
        spec = plan.spec(cell, plan.seeds[0], context.budget.chosen(cell, point, {}), point)
        return context.budget.step_seconds(spec, point)
    except TrainingError:
        return 0.0


def finishing_seconds(plan: Plan, context: ExecutionContext, jobs: int) -> float:
    """Seconds of what is neither training nor measuring: starting worker processes, the test part, and the report."""
    whole = _REPORT * _busy() + (starting_seconds() if jobs > 1 else 0.0)
    maker = TrialMaker(plan, context)
    for point in plan.points:
        sizes = context.datasets[point].sizes
        share = _FORWARD * sizes["test"] / max(1, sizes["train"])
        for cell in plan.cells if plan.search is None else ():
            trials = [maker.final(cell, point, seed) for seed in plan.seeds]
            left = [each for each in trials if saved_measurement(context.folder, each) is None]
            with contextlib.suppress(TrainingError):
                whole += len(left) * share * (context.budget.epoch_seconds(left[0].spec, point) if left else 0.0) / jobs
    return whole


def _runs(plan: Plan, maker: TrialMaker, context: ExecutionContext) -> list[tuple[RunSpec, Any]]:
    """The trainings that the estimate is made of, each with its point: one a cell, or both ends of its search."""
    runs: list[tuple[RunSpec, Any]] = []
    for cell in plan.cells:
        for point in plan.points:
            if plan.search is not None:
                runs += [(_end(plan, cell, point, context, last=last), point) for last in (False, True)]
                continue
            trials = [maker.final(cell, point, seed) for seed in plan.seeds]
            left = [each for each in trials if saved_measurement(context.folder, each) is None]
            runs += [(each.spec, point) for each in left[:1]]
    return runs


def _end(plan: Plan, cell: str, point: Any, context: ExecutionContext, *, last: bool) -> RunSpec:
    """A training with the first or the last value of every setting of the search."""
    assert plan.search is not None
    settings = {}
    for name, values in plan.search.space.items():
        ends = (values.low, values.high) if isinstance(values, Range) else (values[0], values[-1])
        settings[name] = ends[-1 if last else 0]
    return plan.spec(cell, plan.search.seed, context.budget.chosen(cell, point, settings), point)


def _training(spec: Any, point: Any, context: ExecutionContext) -> dict[str, float]:
    """Seconds of each phase, the last one last."""
    try:
        phases = context.budget.phase_seconds(spec, point)
        sizes = context.datasets[point].sizes
        factor = 1 + _FORWARD * sizes["validation"] / max(1, sizes["train"])
        return {name: factor * seconds for name, seconds in phases.items()}
    except TrainingError:
        # the trial itself will report the error
        return {}


def _last(phases: Mapping[str, float]) -> float:
    return list(phases.values())[-1] if phases else 0.0


def _earlier(phases: Mapping[str, float]) -> dict[str, float]:
    """Seconds of the phases before the last, which runs may share."""
    return dict(list(phases.items())[:-1])
