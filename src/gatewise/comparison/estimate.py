"""How long a plan will take, from a few measured steps of each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewise.comparison.cache import saved_measurement
from gatewise.comparison.grid import Range
from gatewise.comparison.plan import Plan
from gatewise.comparison.trials import Trial, trial_key
from gatewise.errors import TrainingError

if TYPE_CHECKING:
    from gatewise.comparison.execution import Workplace

__all__ = ["estimate_seconds"]


def estimate_seconds(plan: Plan, work: Workplace, jobs: int) -> float | None:
    """Seconds until all trials are trained, every one to its last epoch; None if nothing is left to train.

    A search is estimated from the cheapest and the dearest of its settings. What was finished before is left out where
    it can be told: not for the trials of a search that has yet to ask for them.

    Args:
        plan: what is to be done.
        work: where.
        jobs: trials at the same time.
    """
    whole = 0.0
    for cell in plan.cells:
        for point in plan.points:
            if plan.search is not None:
                ends = [_end(plan, cell, point, work, last=last) for last in (False, True)]
                whole += (plan.search.trials + len(plan.seeds)) * sum(ends) / len(ends)
                continue
            settings = work.budget.chosen(cell, point, {})
            for seed in plan.seeds:
                spec = plan.spec(cell, seed, settings, point)
                key = trial_key(spec, work.datasets[point].fingerprint, work.code)
                name = cell if plan.axis is None else f"{cell}-{plan.axis.name}{point}"
                trial = Trial(f"{name}-seed{seed}", cell, seed, "final", spec, key, {}, point)
                if saved_measurement(work.folder, trial) is None:
                    whole += _training(spec, point, work)
    return whole / jobs if whole else None


def _end(plan: Plan, cell: str, point: Any, work: Workplace, *, last: bool) -> float:
    """A training with the first or the last value of every setting of the search."""
    assert plan.search is not None
    settings = {}
    for name, values in plan.search.space.items():
        ends = (values.low, values.high) if isinstance(values, Range) else (values[0], values[-1])
        settings[name] = ends[-1 if last else 0]
    spec = plan.spec(cell, plan.search.seed, work.budget.chosen(cell, point, settings), point)
    return _training(spec, point, work)


def _training(spec: Any, point: Any, work: Workplace) -> float:
    try:
        return work.budget.epoch_seconds(spec, point) * int(spec.training.epochs)
    except TrainingError:
        # the trial itself will say what is wrong
        return 0.0
