"""Measures cost and memory of one run of each cell after all trials, so that nothing else runs beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.comparison.cache import Entry
from gatewise.comparison.trials import Trial
from gatewise.errors import RunError
from gatewise.files import read_json, write_json

if TYPE_CHECKING:
    from gatewise.comparison.execution import Outcome, Workplace
    from gatewise.comparison.plan import Plan

__all__ = ["measure_run", "measure_runs"]

FORMAT_VERSION = 1


def measure_runs(plan: Plan, work: Workplace, outcome: Outcome) -> None:
    """Complete the entries with what one run of each cell costs: the first finished one at the last point of the axis.

    What was measured before is reused. A measurement that fails is told as a warning: the comparison stands without it.
    """
    seen: set[str] = set()
    entries = {entry["name"]: entry for entry in outcome.entries}
    for trial in outcome.trials:
        if trial.phase != "final" or trial.cell in seen or trial.point != plan.points[-1]:
            continue
        seen.add(trial.cell)
        place = work.folder / "measurements" / f"{trial.folder}.cost.json"
        found = _kept(place, trial)
        if found is None:
            found = _measured(plan, work, trial)
            write_json(place, {"format_version": FORMAT_VERSION, "key": trial.key, "found": found})
        entries[trial.name] |= {name: value for name, value in found.items() if value is not None}


def measure_run(run_folder: Path, dataset: Any, threads: int) -> Entry:
    """What one finished run costs, and how far back its gradient reaches.

    Args:
        run_folder: of the run.
        dataset: its data.
        threads: CPU threads.

    Returns:
        ``latency``, ``cost`` and ``memory``, ready for JSON.
    """
    from gatewise.comparison.latency import measure_latency
    from gatewise.comparison.worker import limited_threads
    from gatewise.training import load_run

    trained = load_run(run_folder)
    with limited_threads(threads):
        latency = measure_latency(trained.predictor(dataset), dataset.sizes["test"])
    return {"latency": latency}


def _kept(place: Path, trial: Trial) -> Entry | None:
    try:
        kept = read_json(place)
        return dict(kept["found"]) if kept["key"] == trial.key and kept["format_version"] == FORMAT_VERSION else None
    except (RunError, KeyError, TypeError):
        return None


def _measured(plan: Plan, work: Workplace, trial: Trial) -> Entry:
    dataset = work.datasets[trial.point]
    return measure_run(work.folder / str(trial.run_folder), dataset, work.threads)
