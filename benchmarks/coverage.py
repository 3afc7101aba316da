"""Coverage of the intervals and false positives of the tests, by simulation: the tables of docs/statistics.md.

python benchmarks/coverage.py --rounds 2000                 one number per example
python benchmarks/coverage.py --counts --rounds 1000        span F1, word error rate, BLEU
"""

from __future__ import annotations

import argparse
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np

from simulation import COUNTS, WORLDS, Coverage, simulate

SPREADS = {
    "accuracy": (0.02, 0.1),
    "squared error": (0.03, 0.2),
    "series, correlation 0.3": (0.02, 0.2),
    "series, correlation 0.7": (0.02, 0.2),
}
POINTS = {"span F1, nearly all found": ((0.1,), 0.1)}
USUAL_POINTS = ((0.5, 2.0), 2.0)
"""Standard deviations between seeds, and the gap between different models, in points of the figure."""


class Case(NamedTuple):
    """What is simulated; ``shown`` is what the table says of spread and gap."""

    world: str
    seeds: int
    examples: int
    spread: float = 0.0
    gap: float = 0.0
    shown: tuple[float, float] = (0.0, 0.0)
    seed: int = 0


def means(worlds: list[str], seeds: list[int], examples: list[int]) -> Iterator[Case]:
    for name, count, size in product(worlds, seeds, examples):
        for spread in (0.0,) if count == 1 else (0.0, *SPREADS[name]):
            yield Case(name, count, size, spread, 0.0, (spread, 0.0))


def counts(worlds: list[str], seeds: list[int], examples: list[int]) -> Iterator[Case]:
    for name, count, size in product(worlds, seeds, examples):
        spreads, gap = POINTS.get(name, USUAL_POINTS)
        point = 0.01 / COUNTS[name].steepness()
        for spread, between in product((0.0,) if count == 1 else spreads, (0.0, gap)):
            seed = zlib.crc32(f"{name} {count} {size} {spread} {between}".encode())
            yield Case(name, count, size, spread * point, between * point, (spread, between), seed)


def measure(case: Case, rounds: int) -> Coverage:
    return simulate(
        {**WORLDS, **COUNTS}[case.world],
        seeds=case.seeds,
        examples=case.examples,
        spread=case.spread,
        gap=case.gap,
        rounds=rounds,
        generator=np.random.default_rng(case.seed),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", action="store_true", help="figures of several counts per example")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--examples", type=int, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--worlds", nargs="+")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if given.counts:
        cases = list(
            counts(given.worlds or list(COUNTS), given.seeds or [1, 3, 5], given.examples or [200, 1000, 3500])
        )
        unit = "points"
    else:
        cases = list(means(given.worlds or list(WORLDS), given.seeds or [1, 2, 3, 5, 10], given.examples or [500]))
        unit = "own unit"
    print(f"| figure | seeds | examples | spread of seeds ({unit}) | true difference | figure | difference | found |")
    print("|---|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(given.processes) as pool:
        for case, found in zip(cases, pool.map(partial(measure, rounds=given.rounds), cases), strict=True):
            print(
                f"| {case.world} | {case.seeds} | {case.examples:,} | {case.shown[0]:g} | {case.shown[1]:g} "
                f"| {100 * found.figure:.1f} % | {100 * found.difference:.1f} % | {100 * found.found:.1f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
