"""How often a comparison of equally good cells says that some differ: whole comparisons, drawn again and again.

    python benchmarks/false_claims.py                                # the table of docs/statistics.md
    python benchmarks/false_claims.py --cells 3 6 --seeds 3 --rounds 2000
    python benchmarks/false_claims.py --looks 3 5 10                 # a comparison that is continued with more seeds

Right and wrong answers on 1,000 test examples, about 84 % right. In points of accuracy the standard deviation between
seeds is given; ``cells`` says whether cells have strengths of their own on single examples; ``unequal``: one cell
spreads three times as much as the others; ``failures``: one seed in eight falls 2.5 times the spread below the others.
Of every comparison the least corrected p value counts: below 0.05 something would be said.
"""

from __future__ import annotations

import argparse
import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewise.comparison.verdict import figures
from gatewise.statistics import Mean

ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
EXAMPLES = 1_000
POINT = 1 / 0.2
"""What a share grows by, in latent units: 0.2 is the density of quality at the border of right and wrong."""


@dataclass(frozen=True)
class World:
    """What is drawn.

    Args:
        spread: between seeds, in points.
        own: standard deviation of a cell's own strength on an example, in latent units.
        unequal: the first cell spreads three times as much.
        failures: one seed in eight falls 2.5 times the spread below the others, which spread half as much.
    """

    spread: float
    own: float = 0.0
    unequal: bool = False
    failures: bool = False

    def draw(self, cells: int, seeds: int, generator: np.random.Generator) -> dict[str, npt.NDArray[np.float64]]:
        """(S, N) right or wrong by cell."""
        ease = generator.normal(1.2, 1.0, EXAMPLES)
        tables = {}
        for cell in range(cells):
            spread = self.spread / 100 * POINT * (3 if self.unequal and cell == 0 else 1)
            if self.failures:
                fallen = generator.random((seeds, 1)) < 0.125
                quality = spread * (0.5 * generator.normal(size=(seeds, 1)) - 2.5 * (fallen - 0.125))
            else:
                quality = spread * generator.normal(size=(seeds, 1))
            chance = generator.normal(0.0, 0.6, (seeds, EXAMPLES)) + self.own * generator.normal(size=EXAMPLES)
            tables[f"cell{cell}"] = (ease + chance + quality > 0).astype(np.float64)
        return tables


WORLDS = {
    "no spread": World(0.0),
    "0.9 points": World(0.9),
    "3 points": World(3.0),
    "0.9 points, cells": World(0.9, own=0.6),
    "1 point, unequal": World(1.0, unequal=True),
    "1 point, failures": World(1.0, failures=True),
}


def least_p(tables: dict[str, npt.NDArray[np.float64]], **further: int) -> float:
    """The least corrected p value of a comparison."""
    pairs = figures.difference_entries(tables, ACCURACY, [], margin=0.005, **further)
    return min(pair["adjusted_p_value"] for pair in pairs)


def main() -> None:
    """Measure every world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--cells", type=int, nargs="+", default=[3, 6])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5, 10])
    parser.add_argument("--looks", type=int, nargs="+", help="judge at each of these numbers of seeds")
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS), metavar="NAME")
    chosen = parser.parse_args()
    # which pairs differ hardly depends on how lopsided an interval is: few resamples do
    figures.paired_difference = functools.partial(figures.paired_difference, resamples=199)  # type: ignore[attr-defined]
    print("| spread of seeds | cells | seeds | any claim |")
    print("|---|---|---|---|")
    for name in chosen.worlds:
        for cells in chosen.cells:
            for looks in [chosen.looks] if chosen.looks else [[seeds] for seeds in chosen.seeds]:
                generator = np.random.default_rng(0)
                said = 0
                for _ in range(chosen.rounds):
                    tables = WORLDS[name].draw(cells, max(looks), generator)
                    found = []
                    for place, seeds in enumerate(looks):
                        so_far = {cell: table[:seeds] for cell, table in tables.items()}
                        found.append(least_p(so_far, **({"look": place + 1} if place else {})))
                    said += min(found) < 0.05
                seeds_in_words = ", ".join(map(str, looks))
                print(f"| {name} | {cells} | {seeds_in_words} | {100 * said / chosen.rounds:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
