"""Coverage of the intervals and false positives of the tests, by simulation: the table of docs/statistics.md.

python benchmarks/coverage.py --rounds 2000
"""

from __future__ import annotations

import argparse

import numpy as np
from gatewise.statistics.simulation import WORLDS, simulate

SPREADS = {
    "accuracy": (0.02, 0.1),
    "squared error": (0.03, 0.2),
    "series, correlation 0.3": (0.02, 0.2),
    "series, correlation 0.7": (0.02, 0.2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 5, 10])
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS))
    given = parser.parse_args()
    print("| contributions | seeds | spread of seeds | figure | difference | false positives |")
    print("|---|---|---|---|---|---|")
    for name in given.worlds:
        for seeds in given.seeds:
            for spread in (0.0,) if seeds == 1 else (0.0, *SPREADS[name]):
                found = simulate(
                    WORLDS[name],
                    seeds=seeds,
                    examples=given.examples,
                    spread=spread,
                    rounds=given.rounds,
                    generator=np.random.default_rng(0),
                )
                print(
                    f"| {name} | {seeds} | {spread:g} | {100 * found.figure:.1f} % | {100 * found.difference:.1f} % "
                    f"| {100 * found.false_positives:.1f} % |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
