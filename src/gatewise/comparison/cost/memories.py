"""How far back the gradient reaches in every run of a comparison, measured in one process of its own."""

from __future__ import annotations

import dataclasses
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.comparison.cost.alone import answer, measured_alone
from gatewise.comparison.run.trials import Trial, own_cell_modules
from gatewise.errors import GatewiseError, RunError
from gatewise.files import read_json, write_json
from gatewise.record import Memory, Run, part_from
from gatewise.training.registry import foreign_module

if TYPE_CHECKING:
    from gatewise.comparison.plan.plan import Plan
    from gatewise.comparison.run.execution import ExecutionContext, Outcome

__all__ = ["measure_memories"]

FORMAT_VERSION = 1
_SECONDS_EACH = 120.0


def measure_memories(plan: Plan, context: ExecutionContext, outcome: Outcome) -> None:
    """Complete the entries of the runs whose memory curve was not measured along with their cost: the other seeds'.

    What was measured before is reused. A measurement that fails is reported as a warning: the comparison is valid
    without it.

    Args:
        plan: what was compared.
        context: with which it was executed.
        outcome: its entries get ``memory``.
    """
    entries = {entry.name: entry for entry in outcome.entries if isinstance(entry, Run)}
    wanted: list[tuple[Trial, Path]] = []
    for trial in outcome.trials:
        if trial.phase != "final" or trial.point != plan.points[-1] or trial.name not in entries:
            continue
        if entries[trial.name].memory is None:
            wanted.append((trial, context.folder / "measurements" / f"{trial.folder}.memory.json"))
    missing = [(trial, place) for trial, place in wanted if _kept(place, trial) is None]
    if missing:
        try:
            measured = _measured(plan, context, [trial for trial, _ in missing])
        except RunError as error:
            warnings.warn(str(error), stacklevel=2)
            measured = [None] * len(missing)
        for (trial, place), found in zip(missing, measured, strict=True):
            if found is not None:
                write_json(place, {"format_version": FORMAT_VERSION, "key": trial.key, "memory": found})
    for trial, place in wanted:
        kept = _kept(place, trial)
        if kept is not None:
            run = entries[trial.name]
            memory = part_from(kept, Memory, place=place, at="memory")
            outcome.entries[outcome.entries.index(run)] = dataclasses.replace(run, memory=memory)


def _measured(plan: Plan, context: ExecutionContext, trials: Sequence[Trial]) -> list[dict[str, Any] | None]:
    folders = [context.folder / str(trial.run_folder) for trial in trials]
    own = {name for trial in trials for name in own_cell_modules([trial.spec.model.cell]).values()}
    if "__main__" in {*own, foreign_module(plan.task)}:
        # only this process knows the cell, or the kind of problem
        return [_memory(folder, context.datasets[trial.point]) for folder, trial in zip(folders, trials, strict=True)]
    asked = json.dumps({"folders": [str(folder) for folder in folders], "modules": list(plan.imports)})
    found: list[dict[str, Any] | None] = measured_alone(
        "gatewise.comparison.cost.memories",
        asked,
        seconds=_SECONDS_EACH * (1 + len(trials)),
        late="the memory curves",
        failed="the memory curves could not be measured",
    )
    return found


def _memory(folder: Path, dataset: Any) -> dict[str, Any] | None:
    """The curve of a run; None where it has none."""
    from gatewise.inspection import memory_of
    from gatewise.training import load_run

    try:
        return memory_of(load_run(folder), dataset)
    except GatewiseError:
        return None


def _kept(place: Path, trial: Trial) -> Any:
    try:
        kept = read_json(place)
        return kept["memory"] if kept["key"] == trial.key and kept["format_version"] == FORMAT_VERSION else None
    except (RunError, KeyError, TypeError):
        return None


def main(arguments: Sequence[str]) -> None:
    """Measure the runs of the folders, after importing the modules."""
    from gatewise.training import kind_of, load_run
    from gatewise.training.registry import import_modules

    wanted = json.loads(arguments[0])
    import_modules(wanted["modules"])
    found, datasets = [], {}
    for folder in wanted["folders"]:
        spec = load_run(folder).spec
        data = json.dumps(spec.to_dict()["data"], sort_keys=True)
        if data not in datasets:
            datasets[data] = kind_of(spec.task).load(spec.data)
        found.append(_memory(Path(folder), datasets[data]))
    answer(found)


if __name__ == "__main__":
    main(sys.argv[1:])
