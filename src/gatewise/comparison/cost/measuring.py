"""Measures cost and memory of one run of each cell after all trials, so that nothing else runs at the same time."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.comparison.run.trials import Trial, own_cell_modules
from gatewise.errors import RunError
from gatewise.files import read_json, write_json
from gatewise.record import Cost, Memory, Run, TimeToTarget, part_from, plain
from gatewise.training.registry import foreign_module

if TYPE_CHECKING:
    from gatewise.comparison.plan.plan import Plan
    from gatewise.comparison.run.execution import ExecutionContext, Outcome

__all__ = ["measure_runs"]

FORMAT_VERSION = 1


def measure_runs(plan: Plan, context: ExecutionContext, outcome: Outcome) -> None:
    """Complete the entries with what one run of each cell costs: the first finished one at the last point of the axis.

    Each is measured in a fresh process, and what was measured before is reused. A measurement that fails is
    reported as a warning: the comparison is valid without it.

    Args:
        plan: what was compared.
        context: with which it was executed.
        outcome: its entries get ``cost`` and ``memory``.
    """
    seen: set[str] = set()
    for trial in outcome.trials:
        if trial.phase != "final" or trial.cell in seen or trial.point != plan.points[-1]:
            continue
        seen.add(trial.cell)
        place = context.folder / "measurements" / f"{trial.folder}.cost.json"
        found = _kept(place, trial)
        if found is None:
            try:
                found = _measured(plan, context, trial)
            except RunError as error:
                warnings.warn(str(error), stacklevel=2)
                continue
            write_json(place, {"format_version": FORMAT_VERSION, "key": trial.key, "found": found})
        cost = part_from(found["cost"], Cost, place=place, at="found.cost")
        memory = found["memory"] and part_from(found["memory"], Memory, place=place, at="found.memory")
        _complete(outcome, trial.name, cost=cost, memory=memory)
    _add_times_to_target(plan, context, outcome)


def _measured(plan: Plan, context: ExecutionContext, trial: Trial) -> dict[str, Any]:
    from gatewise.comparison.cost.cost import measure_alone, measure_cost
    from gatewise.inspection import memory_of
    from gatewise.training import load_run

    run_folder = context.folder / str(trial.run_folder)
    own = (*own_cell_modules([trial.spec.model.cell]).values(), foreign_module(plan.task))
    if "__main__" not in own:
        return measure_alone(run_folder, modules=plan.imports)
    # only this process knows the cell, or the kind of problem
    trained, dataset = load_run(run_folder), context.datasets[trial.point]
    return {"cost": measure_cost(trained, dataset, run_folder), "memory": memory_of(trained, dataset)}


def _complete(outcome: Outcome, name: str, **parts: Any) -> None:
    """Add what was measured to the entry of a run."""
    place = next(place for place, entry in enumerate(outcome.entries) if entry.name == name)
    outcome.entries[place] = dataclasses.replace(outcome.entries[place], **parts)


def _add_times_to_target(plan: Plan, context: ExecutionContext, outcome: Outcome) -> None:
    """How long each run trained until it was as good on the validation part as the worst run ever was."""
    from gatewise.comparison.cost.cost import common_target, time_to_target

    entries = {entry.name: entry for entry in outcome.entries if isinstance(entry, Run)}
    finals = [trial for trial in outcome.trials if trial.phase == "final" and trial.point == plan.points[-1]]
    runs = [entries[trial.name] for trial in finals]
    epochs = {run.name: plain(run.epochs) for run in runs}
    target = common_target(list(epochs.values()), context.metric)
    for run in runs if target is not None else []:
        reached = time_to_target(epochs[run.name], context.metric, float(target or 0.0))
        found = part_from(reached, TimeToTarget, place=run.name, at="cost.time_to_target")
        _complete(outcome, run.name, cost=dataclasses.replace(run.cost or Cost(), time_to_target=found))


def _kept(place: Path, trial: Trial) -> dict[str, Any] | None:
    try:
        kept = read_json(place)
        return dict(kept["found"]) if kept["key"] == trial.key and kept["format_version"] == FORMAT_VERSION else None
    except (RunError, KeyError, TypeError):
        return None
