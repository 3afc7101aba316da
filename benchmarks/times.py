"""What may be said of times: simulated on made-up machines, tried on identical cells, measured for the articles.

    python benchmarks/times.py simulate
    python benchmarks/times.py identical --studies 40
    python benchmarks/times.py articles

``simulate`` lets `gatewise.statistics.times.paired_times` judge cells that take the same time, on machines that disturb
in several ways; ``identical`` really measures three equal GRUs, as often as asked, each study in a process of its own;
``articles`` measures the training steps of the three cells of each part of `gatewise suite articles`, on new networks.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable

import numpy as np

from gatewise.statistics.times import PairedTime, paired_times, typical_time

Machine = Callable[[np.random.Generator, int, int], np.ndarray]


def quiet(generator: np.random.Generator, rounds: int, cells: int) -> np.ndarray:
    return np.exp(generator.normal(0, 0.01, (rounds, cells)))


def spikes(generator: np.random.Generator, rounds: int, cells: int) -> np.ndarray:
    """A fifth of the samples meets another program, for times without a variance."""
    hit = generator.random((rounds, cells)) < 0.2
    return quiet(generator, rounds, cells) * (1 + hit * generator.pareto(1.5, (rounds, cells)))


def bursts(generator: np.random.Generator, rounds: int, cells: int) -> np.ndarray:
    """Another program comes and goes, and stays for several samples."""
    busy = np.zeros(rounds * cells)
    for place in range(1, len(busy)):
        busy[place] = busy[place - 1] if generator.random() < 0.85 else generator.integers(2)
    return _shuffled(generator, (1 + busy.reshape(rounds, cells)) * quiet(generator, rounds, cells))


def drift(generator: np.random.Generator, rounds: int, cells: int) -> np.ndarray:
    slope = np.linspace(1.0, 1.6, rounds * cells).reshape(rounds, cells)
    return _shuffled(generator, slope * quiet(generator, rounds, cells))


def cold(generator: np.random.Generator, rounds: int, cells: int) -> np.ndarray:
    """The first of a round finds a cold cache."""
    times = quiet(generator, rounds, cells)
    times[:, 0] *= 1.3
    return _shuffled(generator, times)


def ragged(generator: np.random.Generator, rounds: int, cells: int) -> np.ndarray:
    """Every round has another batch."""
    return np.exp(generator.normal(0, 0.5, (rounds, 1))) * quiet(generator, rounds, cells)


def _shuffled(generator: np.random.Generator, slots: np.ndarray) -> np.ndarray:
    """Which cell is measured at which place of its round is drawn anew, as `in_turns` does."""
    return np.stack([row[generator.permutation(len(row))] for row in slots])


MACHINES: dict[str, Machine] = {
    "quiet": quiet,
    "spikes": spikes,
    "bursts": bursts,
    "drift": drift,
    "cold first": cold,
    "ragged batches": ragged,
}


def simulate(studies: int) -> None:
    generator = np.random.default_rng(0)
    print("| machine | cells | any p < .05 | any claim | single timing | interval covers | 0.8 is found |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, machine in MACHINES.items():
        for cells in (2, 3, 6):
            print(f"| {name} | {cells} | {' | '.join(_row(machine, cells, studies, generator))} |", flush=True)


def _row(machine: Machine, cells: int, studies: int, generator: np.random.Generator, rounds: int = 16) -> list[str]:
    counts = np.zeros(5)
    for _ in range(studies):
        times = machine(generator, rounds, cells)
        pairs = _pairs(times)
        # what was said before: the least of one timing of each, and 5 % more counts as the same
        once = np.sort(times[0])
        # cells that are equal but for the first, which takes 0.8 of the time
        faster = machine(generator, rounds, cells)
        faster[:, 0] *= 0.8
        pair = _pairs(faster[:, :2])[0]
        counts += (
            any(each.adjusted_p_value < 0.05 for each in pairs),
            any(each.reading in ("faster", "slower") for each in pairs),
            once[1] > 1.05 * once[0],
            pair.low <= 0.8 <= pair.high,
            pair.reading == "faster",
        )
    return [f"{100 * value:.1f} %" for value in counts / studies]


def _pairs(times: np.ndarray) -> list[PairedTime]:
    return paired_times({"training_step": {str(cell): times[:, cell].tolist() for cell in range(times.shape[1])}})


def identical(studies: int, data: str) -> None:
    """Three GRUs that differ in nothing; a study is a process, as in a comparison."""
    claims = 0
    for number in range(studies):
        command = [sys.executable, __file__, "phases", json.dumps([data, ["gru"] * 3, {"examples": 2000}, number])]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        pairs = paired_times(found)
        said = [pair for pair in pairs if pair.reading in ("faster", "slower")]
        claims += bool(said)
        words = ", ".join(f"{pair.estimate:.3f} ({pair.low:.3f} to {pair.high:.3f}) {pair.reading}" for pair in pairs)
        print(f"study {number + 1}: {words}", flush=True)
    print(f"{claims} of {studies} studies of identical cells call one faster")


def articles(parts: list[str], seconds: float) -> None:
    """Each pair of cells of each part, beside what is claimed of it."""
    from gatewise.suites.articles import CELLS, articles_parts
    from gatewise.suites.run import _settings

    samples = {}
    for part in articles_parts():
        if part.name in parts:
            asked = json.dumps([part.name, list(CELLS), _settings(part, quick=False), 0, seconds])
            command = [sys.executable, __file__, "phases", asked]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            for quantity, cells in json.loads(done.stdout.splitlines()[-1]).items():
                samples[f"{part.name} {quantity}"] = {name.split("-")[0]: times for name, times in cells.items()}
    for quantity, cells in samples.items():
        for name, times in cells.items():
            at = typical_time(times, of_sum=True)
            if at is not None:
                print(f"{quantity} {name}: {1e3 * at.estimate:.1f} ms ({1e3 * at.low:.1f} to {1e3 * at.high:.1f})")
    print("| part | pair | ratio | 95 % interval | rounds | p | reading |\n|---|---|---:|---|---:|---:|---|")
    for pair in paired_times(samples):
        part = pair.quantity.split()[0]
        print(
            f"| {part} | {pair.first} / {pair.second} | {pair.estimate:.2f} | {pair.low:.2f} to {pair.high:.2f} | "
            f"{pair.rounds} | {pair.p_value:.2g} | {pair.reading} |"
        )


def phases(data: str, cells: list[str], settings: dict[str, object], seed: int, seconds: float = 3.0) -> None:
    """Measure new networks in turns, and print the samples; one thread."""
    import torch

    from gatewise.comparison.cost.together import measure_phases
    from gatewise.training.assembly import make_spec
    from gatewise.training.registry import kind_of, task_of

    torch.set_num_threads(1)
    task = task_of(data)
    specs = [make_spec(task, data, {**settings, "cell": cell, "seed": 0, "threads": 1}) for cell in cells]
    dataset = kind_of(task).load(specs[0].data)
    named = {
        f"{cell}-{number}": kind_of(task).phases(spec, dataset)[-1]
        for number, (cell, spec) in enumerate(zip(cells, specs, strict=True))
    }
    samples, _ = measure_phases(named, seed=seed, seconds=seconds)
    print(json.dumps({"training_step": samples["training_step"]}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["simulate", "identical", "articles", "phases"])
    parser.add_argument("asked", nargs="?", help="of phases: JSON, for this program's own processes")
    parser.add_argument("--studies", type=int, default=None)
    parser.add_argument("--data", default="rotten-tomatoes")
    parser.add_argument("--parts", default="imdb,stocks,ptb")
    parser.add_argument("--seconds", type=float, default=15.0, help="of articles: for each cell's steps, about")
    given = parser.parse_args()
    if given.what == "simulate":
        simulate(given.studies or 2000)
    elif given.what == "identical":
        identical(given.studies or 40, given.data)
    elif given.what == "articles":
        articles(given.parts.split(","), given.seconds)
    else:
        phases(*json.loads(given.asked))


if __name__ == "__main__":
    main()
