"""Whether the number of seeds that `gatewise plan` gives finds the difference as often as it says.

    python benchmarks/planning.py                       # the table of docs/statistics.md
    python benchmarks/planning.py --rounds 300 --pilots 3 5

Three cells, right and wrong answers on 1,000 test examples drawn as in `false_claims`; one cell is better by a number
of points. A pilot tells the variance components; a comparison with as many seeds as it plans, drawn anew, either finds
the difference (corrected p below 0.05) or not. ``exact``: components of a pilot of 60 seeds.
"""

from __future__ import annotations

import argparse
import functools

import numpy as np

from false_claims import ACCURACY, EXAMPLES, POINT, WORLDS
from gatewise.comparison.verdict import figures
from gatewise.statistics.components import Components
from gatewise.statistics.planning import seeds_needed

CELLS = ("a", "b", "c")
_MOST = 60


def draw(world: str, gap: float, seeds: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """(S, N) right or wrong by cell; the first is better by about so many points."""
    found, known = {}, WORLDS[world]
    ease = generator.normal(1.2, 1.0, EXAMPLES)
    for place, cell in enumerate(CELLS):
        quality = known.spread / 100 * POINT * generator.normal(size=(seeds, 1)) + (place == 0) * gap / 100 * POINT
        chance = generator.normal(0.0, 0.6, (seeds, EXAMPLES)) + known.own * generator.normal(size=EXAMPLES)
        found[cell] = (ease + chance + quality > 0).astype(np.float64)
    return found


def pair_of(tables: dict[str, np.ndarray]) -> dict[str, object]:
    """The entry of the first and the second cell."""
    return next(
        pair for pair in figures.difference_entries(tables, ACCURACY, [], margin=0.005) if pair["second"] == "b"
    )


def true_gap(world: str, gap: float, generator: np.random.Generator) -> float:
    """The difference of accuracies that the latent one makes."""
    tables = [draw(world, gap, 20, generator) for _ in range(40)]
    return float(np.mean([table["a"].mean() - table["b"].mean() for table in tables]))


def planned(world: str, gap: float, difference: float, pilot: int, generator: np.random.Generator) -> int | None:
    """The seeds that a pilot plans for the difference."""
    parts = Components(**pair_of(draw(world, gap, pilot, generator))["variance"])  # type: ignore[arg-type]
    return seeds_needed(parts, difference, significance=0.05 / len(CELLS))


def main() -> None:
    """Measure every world and pilot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--pilots", type=int, nargs="+", default=[3, 5, _MOST])
    parser.add_argument("--gap", type=float, default=3.0)
    parser.add_argument("--worlds", nargs="+", default=["0.9 points", "3 points"], choices=list(WORLDS), metavar="NAME")
    chosen = parser.parse_args()
    figures.paired_difference = functools.partial(figures.paired_difference, resamples=199)  # type: ignore[attr-defined]
    print("| spread of seeds | difference | pilot | seeds planned, median (10 to 90 %) | found | not plannable |")
    print("|---|---|---|---|---|---|")
    for world in chosen.worlds:
        for pilot in chosen.pilots:
            generator = np.random.default_rng(0)
            difference = true_gap(world, chosen.gap, generator)
            sizes, found, without = [], 0, 0
            for _ in range(chosen.rounds):
                seeds = planned(world, chosen.gap, difference, pilot, generator)
                if seeds is None or seeds > _MOST:
                    without += 1
                    continue
                sizes.append(seeds)
                found += pair_of(draw(world, chosen.gap, seeds, generator))["adjusted_p_value"] < 0.05  # type: ignore[operator]
            low, middle, high = np.quantile(sizes, [0.1, 0.5, 0.9]) if sizes else (0, 0, 0)
            name = "exact" if pilot == _MOST else f"{pilot} seeds"
            print(
                f"| {world} | {100 * difference:.1f} points | {name} | {middle:.0f} ({low:.0f} to {high:.0f}) | "
                f"{100 * found / max(1, len(sizes)):.0f} % | {100 * without / chosen.rounds:.0f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
