"""How fast a comparison is: several processes against one, the machinery's own time, and a thousand finished trials.

    python benchmarks/comparison.py [jobs] [overhead] [cached]

Twelve trainings on 800 sentences of Rotten Tomatoes; each arrangement starts from an empty folder in a fresh process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = {"epochs": 6, "hidden_size": 64, "embedding_size": 64, "examples": 800}
CELLS, SEEDS = ("rnn", "lstm", "gru"), 4
_ONE = """
import json, sys, time
import gatewise
from gatewise.comparison.run.events import PlanReady, TrialDone
began, first, entries = time.perf_counter(), [], []
def listen(event):
    if isinstance(event, PlanReady):
        first.append(time.perf_counter())
gatewise.compare("rotten-tomatoes", cells={cells!r}, seeds={seeds}, out={out!r}, jobs={jobs}, cost=False,
                 on_event=listen, **{settings!r})
print(json.dumps({{"trials": time.perf_counter() - first[0], "whole": time.perf_counter() - began}}))
"""


def main() -> None:
    wanted = sys.argv[1:] or ["jobs", "overhead", "cached"]
    print(f"{os.cpu_count()} cores, {os.getloadavg()[0]:.1f} processes busy before")
    with tempfile.TemporaryDirectory() as place:
        if "jobs" in wanted or "overhead" in wanted:
            measure_jobs(Path(place), several="jobs" in wanted)
        if "cached" in wanted:
            measure_cached(Path(place))


def measure_jobs(place: Path, *, several: bool) -> None:
    """Time the same twelve trainings one after the other and two at a time."""
    alone = carry_out(place / "alone", 1)
    told = measurements(place / "alone")
    training = sum(entry["training_seconds"] for entry in told)
    inside = sum(entry["wall_seconds"] for entry in told)
    print(
        f"one after the other: {alone['trials']:.1f} s for 12 trainings and the baseline; whole {alone['whole']:.1f} s"
    )
    print(f"  of it training steps {training:.1f} s, trials with validation and test {inside:.1f} s")
    print(f"  machinery around the trials: {100 * (alone['trials'] - inside) / training:.1f} % of the training time")
    if several:
        beside = carry_out(place / "beside", 2)
        print(f"--jobs 2: {beside['trials']:.1f} s, {alone['trials'] / beside['trials']:.2f} times as fast")


def carry_out(out: Path, jobs: int) -> dict[str, float]:
    program = _ONE.format(cells=CELLS, seeds=SEEDS, out=str(out), jobs=jobs, settings=SETTINGS)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measurements(out: Path) -> list[dict[str, Any]]:
    return [json.loads(place.read_text())["run"] for place in (out / "measurements").glob("*.json")]


def measure_cached(place: Path) -> None:
    """Ask again for a thousand trainings that are finished: 2 cells, 496 trials and 4 seeds each."""
    import gatewise
    from gatewise.comparison import worker

    grid = {
        "learning_rate": [1e-3 * (1 + number / 31) for number in range(31)],
        "dropout": [0.02 * n for n in range(16)],
    }
    asked: dict[str, Any] = {"cells": ["rnn", "gru"], "seeds": 4, "out": place / "cached", "grid": grid, "cost": False}
    settings = {**SETTINGS, "examples": 200, "epochs": 1, "hidden_size": 8, "embedding_size": 8, "threads": 1}
    # one training of each cell is real; the others are given its result, each under its own key
    real: dict[str, dict[str, Any]] = {}
    carry = worker._carry_out

    def once(task: worker.Task, dataset: Any, say: worker.Told) -> tuple[dict[str, Any], Any]:
        trial = task.trial
        if trial.phase != "tuning":
            return carry(task, dataset, say)
        if trial.cell not in real:
            real[trial.cell] = carry(task, dataset, say)[0]
        return {**real[trial.cell], **worker._named(trial)}, None

    worker._carry_out = once
    gatewise.compare("rotten-tomatoes", **asked, **settings)
    worker._carry_out = carry
    began, busy = time.perf_counter(), time.process_time()
    study = gatewise.compare("rotten-tomatoes", **asked, **settings)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    count = len(study.record["tuning"]) + sum(len(model["runs"]) for model in study.record["models"])
    print(f"{count:,} finished trials loaded and reported in {seconds:.1f} s ({busy:.1f} s of computing)")


if __name__ == "__main__":
    main()
