"""Coverage of the intervals and false positives of the tests, by simulation: the tables of docs/statistics.md.

python benchmarks/coverage.py --rounds 2000                 one number per example
python benchmarks/coverage.py --counts --rounds 1000        span F1, word error rate, BLEU, macro-F1, AUROC
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
POINTS = {"span F1, nearly all found": ((0.1,), 0.1), "AUROC, nearly perfect": ((0.1,), 0.2)}
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


def measure(case: Case, rounds: int, resamples: int) -> Coverage:
    return simulate(
        {**WORLDS, **COUNTS}[case.world],
        seeds=case.seeds,
        examples=case.examples,
        spread=case.spread,
        gap=case.gap,
        rounds=rounds,
        resamples=resamples,
        generator=np.random.default_rng(case.seed),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", action="store_true", help="figures of several counts per example")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=499, help="of the bootstrap; comparisons draw 9,999")
    parser.add_argument("--examples", type=int, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--worlds", nargs="+")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if given.counts:
        sizes = given.examples or [200, 1000, 3500]
        cases = list(counts(given.worlds or list(COUNTS), given.seeds or [1, 3, 5], sizes))
    else:
        cases = list(means(given.worlds or list(WORLDS), given.seeds or [1, 2, 3, 5, 10], given.examples or [500]))
    work = partial(measure, rounds=given.rounds, resamples=given.resamples)
    with ProcessPoolExecutor(given.processes) as pool:
        found = zip(cases, pool.map(work, cases), strict=True)
        if given.counts:
            print(
                "| measure | seeds | examples | spread | figure | difference | false positives "
                "| apart | figure | difference | found |"
            )
            print("|---" * 11 + "|")
            for (case, equal), (other, apart) in zip(found, found, strict=True):
                start = f"| {case.world} | {case.seeds} | {case.examples:,} | {case.shown[0]:g} "
                print(f"{start}| {shares(equal)} | {other.shown[1]:g} | {shares(apart)} |", flush=True)
        else:
            print("| contributions | seeds | spread of seeds | figure | difference | false positives |")
            print("|---" * 6 + "|")
            for case, each in found:
                print(f"| {case.world} | {case.seeds} | {case.shown[0]:g} | {shares(each)} |", flush=True)


def shares(found: Coverage) -> str:
    return " | ".join(f"{100 * share:.1f} %" for share in (found.figure, found.difference, found.found))


if __name__ == "__main__":
    main()
