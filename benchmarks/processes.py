"""Times an epoch's steps: two processes of one thread that share each batch, against one process of two threads.

    python benchmarks/processes.py rotten-tomatoes --batch-size 64
    python benchmarks/processes.py ptb --batch-size 64

Both train the same steps in turns. Of each step the shortest time over the turns counts, so that what other programs
take is left out as far as it can be; the sum of all steps of one turn is given beside it.

    python benchmarks/processes.py rotten-tomatoes --batch-size 64 --parts

says for the first of two processes how much processor time the parts of a step take.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WAYS = {"one process of two threads": (1, 2), "two processes of one thread": (2, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--way", nargs=2, type=int, help=argparse.SUPPRESS)
    given, settings = parser.parse_known_args()
    if given.way is not None:
        print(json.dumps(_seconds(given.data, given.steps, *given.way, settings)))
        return
    if given.parts:
        _print_parts(given.data, given.turns, given.steps, settings)
        return
    taken: dict[str, list[list[float]]] = {name: [] for name in WAYS}
    for turn in range(given.turns):
        for name, way in WAYS.items():
            words = [given.data, "--steps", str(given.steps), "--way", *map(str, way), *settings]
            done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE)
            taken[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"turn {turn + 1}, {name}: {sum(taken[name][-1]):.2f} s for {given.steps} steps", flush=True)
    least = {name: float(np.min(turns, axis=0).sum()) for name, turns in taken.items()}
    whole = {name: float(np.median(np.sum(turns, axis=1))) for name, turns in taken.items()}
    for name in WAYS:
        print(f"{name}: {1000 * least[name] / given.steps:.1f} ms a step at the least, {whole[name]:.2f} s in a turn")
    one, two = WAYS
    ratios = least[one] / least[two], whole[one] / whole[two]
    print(f"the first over the second: {ratios[0]:.2f} at the least, {ratios[1]:.2f} in turns")


def _seconds(data: str, steps: int, processes: int, threads: int, settings: list[str]) -> list[float]:
    """The time of each step but the first five, in which memory is taken and kernels are chosen."""
    from gatewise.training import StepDone, kind_of, task_of, train_run
    from gatewise.training.assembly import make_spec, typed_value

    names = [word.removeprefix("--").replace("-", "_") for word in settings[::2]]
    task = task_of(data, given=tuple(names))
    values = {name: typed_value(task, name, word) for name, word in zip(names, settings[1::2], strict=True)}
    own = {"training_steps": steps + 5, "processes": processes, "threads": threads}
    spec = make_spec(task, data, {**values, **own})
    times: list[float] = []

    def listen(event: object) -> None:
        if isinstance(event, StepDone):
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as place:
        train_run(spec, kind_of(task).load(spec.data), Path(place) / "run", on_event=listen)
    return np.diff(times)[4:].tolist()


def _print_parts(data: str, turns: int, steps: int, settings: list[str]) -> None:
    """Medians over the steps, then over the turns, of the first process's processor time in milliseconds."""
    import torch

    from gatewise.training.loop import Phase, _Run
    from gatewise.training.optimisation import Optimisation
    from gatewise.training.team import Team

    taken: dict[str, list[float]] = defaultdict(list)
    begun: list[float] = []

    def timed(owner: Any, name: str, part: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def call(*given: Any, **options: Any) -> Any:
            began = time.thread_time()
            found = original(*given, **options)
            taken[part].append(time.thread_time() - began)
            return found

        setattr(owner, name, call)

    timed(torch.Tensor, "backward", "backward")
    timed(Team, "differentiated", "sum")
    timed(Optimisation, "step", "norm and optimizer")
    prepare = _Run.__init__

    def prepared(run: Any, phase: Phase, problem: Any, *given: Any, **options: Any) -> None:
        timed(problem, "loss", "forward")
        compute = problem.loss

        def loss(step: int) -> Any:
            begun.append(time.process_time())
            return compute(step)

        problem.loss = loss
        prepare(run, phase, problem, *given, **options)

    _Run.__init__ = prepared  # type: ignore[method-assign]
    medians: dict[str, list[float]] = defaultdict(list)
    for _ in range(turns):
        taken.clear()
        begun.clear()
        _seconds(data, steps, 2, 1, settings)
        parts = {part: np.array(times[5:]) for part, times in taken.items()}
        parts["sum"] = parts["sum"] - parts["backward"]
        parts["whole step"] = np.diff(begun)[5:]
        for part, times in parts.items():
            medians[part].append(1000 * float(np.median(times)))
    for part in ("forward", "backward", "sum", "norm and optimizer", "whole step"):
        print(f"{part}: {np.median(medians[part]):.2f} ms")


if __name__ == "__main__":
    main()
