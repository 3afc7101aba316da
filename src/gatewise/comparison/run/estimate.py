"""How long a plan will take, from a few measured steps of each cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewise.comparison.plan.grid import Range
from gatewise.comparison.plan.plan import Plan
from gatewise.comparison.run.cache import saved_measurement
from gatewise.comparison.run.trials import Trial, trial_key
from gatewise.errors import TrainingError

if TYPE_CHECKING:
    from gatewise.comparison.run.execution import ExecutionContext

__all__ = ["estimate_seconds", "measuring_seconds"]

_FORWARD = 1 / 3
_MEASURED_ALONE, _IN_TURNS, _IN_TURNS_FIRST = 6.0, 6.0, 5.0


def estimate_seconds(plan: Plan, context: ExecutionContext, jobs: int) -> float | None:
    """Seconds until all trials are trained and validated, every one to its last epoch; None if nothing is left.

    An example of the validation part counts as a third of one of the training part: a training step is a
    forward pass and a backward one, which costs about two. Baselines, the test part and the report are not counted.

    A search is estimated from the cheapest and the dearest of its settings. Finished trials are left
    out, except those of a search, whose settings are not known beforehand.

    Args:
        plan: the plan.
        context: with which it is executed.
        jobs: trials at the same time.
    """
    whole = 0.0
    shared: dict[str, float] = {}
    for cell in plan.cells:
        for point in plan.points:
            if plan.search is not None:
                ends = [_end(plan, cell, point, context, last=last) for last in (False, True)]
                trials = plan.search.trials + len(plan.seeds)
                whole += trials * sum(_last(end) for end in ends) / len(ends)
                for end in ends:
                    shared |= _earlier(end)
                continue
            settings = context.budget.chosen(cell, point, {})
            for seed in plan.seeds:
                spec = plan.spec(cell, seed, settings, point)
                key = trial_key(spec, context.datasets[point].fingerprint, context.code)
                name = cell if plan.axis is None else f"{cell}-{plan.axis.name}{point}"
                trial = Trial(f"{name}-seed{seed}", cell, seed, "final", spec, key, {}, point)
                if saved_measurement(context.folder, trial) is None:
                    phases = _training(spec, point, context)
                    whole += _last(phases)
                    shared |= _earlier(phases)
    whole += sum(shared.values())
    return whole / jobs if whole else None


def measuring_seconds(plan: Plan, context: ExecutionContext) -> float:
    """Seconds to measure what every cell costs: each alone in a fresh process, and the times of all in turns in one.

    Most of it is bounded by the clock, see `gatewise.comparison.cost.together`. What was measured is not counted.
    """
    kept = {place.name.split("-seed")[0] for place in (context.folder / "measurements").glob("*.cost.json")}
    at = "" if plan.axis is None else f"-{plan.axis.name}{plan.points[-1]}"
    alone = sum(f"{cell}{at}" not in kept for cell in plan.cells)
    whole = _IN_TURNS_FIRST + _IN_TURNS * len(plan.cells)
    timed = not alone and (context.folder / "measurements" / "times.json").exists()
    return _MEASURED_ALONE * alone + (0.0 if timed else whole)


def _end(plan: Plan, cell: str, point: Any, context: ExecutionContext, *, last: bool) -> dict[str, float]:
    """A training with the first or the last value of every setting of the search."""
    assert plan.search is not None
    settings = {}
    for name, values in plan.search.space.items():
        ends = (values.low, values.high) if isinstance(values, Range) else (values[0], values[-1])
        settings[name] = ends[-1 if last else 0]
    spec = plan.spec(cell, plan.search.seed, context.budget.chosen(cell, point, settings), point)
    return _training(spec, point, context)


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
