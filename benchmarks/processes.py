"""Times an epoch's steps: two processes of one thread that share each batch, against one process of two threads.

    python benchmarks/processes.py rotten-tomatoes --batch-size 64
    python benchmarks/processes.py ptb --batch-size 64

Both train the same steps in turns. Of each step the shortest time over the turns counts, so that what other programs
take is left out as far as it can be; the sum of all steps of one turn is given beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WAYS = {"one process of two threads": (1, 2), "two processes of one thread": (2, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--way", nargs=2, type=int, help=argparse.SUPPRESS)
    given, settings = parser.parse_known_args()
    if given.way is not None:
        print(json.dumps(_seconds(given.data, given.steps, *given.way, settings)))
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


if __name__ == "__main__":
    main()
