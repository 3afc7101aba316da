"""Measures what one run of each cell costs after all trials, so that nothing else runs at the same time."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.comparison.cost.timing import budget_of, times_of
from gatewise.comparison.run.trials import Trial, own_cell_modules
from gatewise.errors import RunError
from gatewise.files import read_json, write_json
from gatewise.record import Cost, Memory, Run, TimeBudget, TimeToTarget, part_from, plain
from gatewise.training.registry import foreign_module

if TYPE_CHECKING:
    from gatewise.comparison.plan.plan import Plan
    from gatewise.comparison.run.execution import ExecutionContext, Outcome

__all__ = ["TIMES_FILE", "measure_runs", "time_budgets"]

FORMAT_VERSION = 2
TIMES_FILE = "times.json"


def measure_runs(plan: Plan, context: ExecutionContext, outcome: Outcome) -> None:
    """Complete the entries with what one run of each cell costs: the first finished one at the last point of the axis.

    Memory and sizes of each are measured in a fresh process of its own, times and energy of all of them in turns in
    one more. What was measured before is reused. A measurement that fails is reported as a warning: the comparison is
    valid without it.

    Args:
        plan: what was compared.
        context: with which it was executed.
        outcome: its entries get ``cost`` and ``memory``, itself ``samples`` and ``times``.
    """
    firsts: dict[str, Trial] = {}
    for trial in outcome.trials:
        if trial.phase == "final" and trial.point == plan.points[-1]:
            firsts.setdefault(trial.cell, trial)
    for trial in firsts.values():
        place = context.folder / "measurements" / f"{trial.folder}.cost.json"
        found = _kept_or(place, trial.key, partial(_measured, plan, context, trial))
        if found is not None:
            cost = part_from(found["cost"], Cost, place=place, at="found.cost")
            memory = found["memory"] and part_from(found["memory"], Memory, place=place, at="found.memory")
            _complete(outcome, trial.name, cost=cost, memory=memory)
    if firsts:
        place = context.folder / "measurements" / TIMES_FILE
        key = "-".join(trial.key for trial in firsts.values())
        outcome.samples = _kept_or(place, key, partial(_timed, plan, context, firsts))
    if outcome.samples is not None:
        _add_times(outcome, firsts, outcome.samples)
    _add_times_to_target(plan, context, outcome)


def _add_times(outcome: Outcome, firsts: Mapping[str, Trial], found: Mapping[str, Any]) -> None:
    """Make the record's times out of the samples, and write them into the costs."""
    runs = _final_runs(outcome, firsts)
    steps = {cell: sum(run.steps or 0 for run in each) / len(each) for cell, each in runs.items()}
    outcome.times = times_of(found, steps)
    for cell, trial in firsts.items():
        intervals = outcome.times.intervals.get(cell, {})
        known: dict[str, Any] = dict(found["details"][cell])
        known |= {name: interval.estimate for name, interval in intervals.items()}
        if "seconds_per_epoch" in known:
            known["seconds_per_epoch_from"] = "turns"
        run = next(entry for entry in outcome.entries if entry.name == trial.name)
        assert isinstance(run, Run)
        _complete(outcome, trial.name, cost=dataclasses.replace(run.cost or Cost(), **known))


def time_budgets(plan: Plan, context: ExecutionContext, outcome: Outcome) -> dict[str, TimeBudget]:
    """What each cell took of the time that ``--match time`` gave it, at the last point of the axis."""
    point = plan.points[-1]
    finals = [trial for trial in outcome.trials if trial.phase == "final" and trial.point == point]
    runs = _final_runs(outcome, {trial.cell: trial for trial in finals})
    planned = context.budget.planned_steps(point)
    budgets = {
        cell: budget_of(cell, runs, plan.cells[0], planned, outcome.samples, outcome.times) for cell in plan.cells
    }
    return {cell: budget for cell, budget in budgets.items() if budget is not None}


def _final_runs(outcome: Outcome, firsts: Mapping[str, Trial]) -> dict[str, list[Run]]:
    """The finished runs of each cell, at the point at which it was measured."""
    found: dict[str, list[Run]] = {}
    for entry in outcome.entries:
        if isinstance(entry, Run) and entry.cell in firsts and entry.point == firsts[entry.cell].point:
            found.setdefault(entry.cell, []).append(entry)
    return found


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


def _timed(plan: Plan, context: ExecutionContext, firsts: Mapping[str, Trial]) -> dict[str, Any]:
    """Times of all cells, in turns."""
    from gatewise.comparison.cost.together import measure_together, measure_together_alone
    from gatewise.training import load_run

    folders = {cell: context.folder / str(trial.run_folder) for cell, trial in firsts.items()}
    own = own_cell_modules(trial.spec.model.cell for trial in firsts.values())
    if "__main__" not in (*own.values(), foreign_module(plan.task)):
        return measure_together_alone(folders, modules=plan.imports)
    datasets = context.datasets
    return measure_together(
        {cell: (load_run(folder), datasets[firsts[cell].point]) for cell, folder in folders.items()}
    )


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


def _kept_or(place: Path, key: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What was measured before under this key, or else is measured now; None, with a warning, where that fails."""
    try:
        kept = read_json(place)
        if kept["key"] == key and kept["format_version"] == FORMAT_VERSION:
            return dict(kept["found"])
    except (RunError, KeyError, TypeError):
        pass
    try:
        found = measure()
    except RunError as error:
        warnings.warn(str(error), stacklevel=3)
        return None
    write_json(place, {"format_version": FORMAT_VERSION, "key": key, "found": found})
    return found
