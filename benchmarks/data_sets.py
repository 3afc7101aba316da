"""What is said over several data sets where the truth is known: coverage of intervals, and false claims.

    python benchmarks/data_sets.py                # the tables of docs/statistics.md
    python benchmarks/data_sets.py --rounds 300 --data-sets 3 6 12 --seeds 3 5

Three cells; a run's score on a data set is its cell's place there plus noise of the seed (standard deviation 1). First
half of the columns: intervals over seeds, cells 0 to 2 apart. Second half: equal cells whose places differ at random
from data set to data set (standard deviation 1), which is what ranks and signed ranks take for chance.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

from gatewise.statistics.aggregates import improvement_probability, interquartile_mean
from gatewise.statistics.ranks import rank_over_data_sets
from gatewise.statistics.signed_rank import bayesian_signed_rank

_REGION = 0.1


def intervals(data_sets: int, seeds: int, rounds: int, generator: np.random.Generator) -> tuple[float, float]:
    """How often the intervals of interquartile mean and probability of improvement hold the truth."""
    places = np.linspace(0, 2, data_sets)
    middle = stats.trim_mean(np.concatenate([place + generator.normal(size=20_000) for place in places]), 0.25)
    wins = float(np.mean(stats.norm.cdf(places / np.sqrt(2))))
    held = [0, 0]
    for _ in range(rounds):
        ours = [place + generator.normal(size=seeds) for place in places]
        theirs = [generator.normal(size=seeds) for _ in places]
        found = interquartile_mean(ours, generator, draws=500)
        chance = improvement_probability(ours, theirs, generator, draws=500)
        held[0] += found.low <= middle <= found.high
        held[1] += chance.low <= wins <= chance.high
    return held[0] / rounds, held[1] / rounds


def false_claims(data_sets: int, seeds: int, rounds: int, generator: np.random.Generator) -> tuple[float, float, float]:
    """How often equal cells are said to differ: Friedman alone, with Nemenyi after it, by signed ranks (a pair)."""
    said = np.zeros(3)
    for _ in range(rounds):
        figures = generator.normal(size=(data_sets, 3)) + generator.normal(size=(data_sets, 3)) / np.sqrt(seeds)
        ranking = rank_over_data_sets(figures)
        said[0] += ranking.p_value < 0.05
        said[1] += ranking.p_value < 0.05 and np.min(ranking.pair_p_values) < 0.05
        found = bayesian_signed_rank(figures[:, 0] - figures[:, 1], generator, region=_REGION, draws=2000)
        said[2] += max(found.better, found.worse) > 0.975
    return tuple(said / rounds)  # type: ignore[return-value]


def main() -> None:
    """Measure every number of data sets and seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--data-sets", type=int, nargs="+", default=[3, 6, 12])
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 10])
    chosen = parser.parse_args()
    print("| data sets | seeds | interquartile mean | improvement | Friedman | with Nemenyi | signed ranks, a pair |")
    print("|---|---|---|---|---|---|---|")
    for data_sets in chosen.data_sets:
        for seeds in chosen.seeds:
            generator = np.random.default_rng(0)
            held = intervals(data_sets, seeds, chosen.rounds, generator)
            said = false_claims(data_sets, seeds, chosen.rounds, generator)
            cells = " | ".join(f"{100 * share:.1f} %" for share in (*held, *said))
            print(f"| {data_sets} | {seeds} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
