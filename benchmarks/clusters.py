"""Coverage where the test examples come in clusters (reviews of films): with and without groups; docs/statistics.md.

python benchmarks/clusters.py --rounds 800
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.statistics import Mean, estimate_figure, paired_difference

Array = npt.NDArray[np.float64]
ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)


class World(NamedTuple):
    """How alike the examples of a cluster are.

    Attributes:
        clusters: G.
        size: mean number of examples of one; sizes are geometric, so that some have many.
        shared: spread of the clusters' difficulty for all models.
        own: spread of how much a cluster suits one model more than another.
    """

    clusters: int
    size: float
    shared: float
    own: float


WORLDS = {
    "independent": World(200, 5.0, 0.0, 0.0),
    "films": World(200, 5.0, 0.35, 0.2),
    "authors": World(40, 25.0, 0.5, 0.3),
    "ten patients": World(10, 50.0, 0.5, 0.3),
}


SEEDS_SPREAD = 0.02


def drawn(world: World, seeds: int, generator: np.random.Generator) -> tuple[Array, Array, npt.NDArray[np.int64]]:
    """Two equally good models: (S, N) each, right or wrong, and the cluster of each example."""
    sizes = generator.geometric(1 / world.size, world.clusters)
    groups = np.repeat(np.arange(world.clusters), sizes)
    common = 1.2 + world.shared * generator.normal(size=world.clusters)[groups] + generator.normal(size=len(groups))
    tables = []
    for _ in range(2):
        own = world.own * generator.normal(size=world.clusters)[groups] + 0.5 * generator.normal(size=len(groups))
        # with one seed an interval does not speak of others
        runs = (SEEDS_SPREAD if seeds > 1 else 0.0) * generator.normal(size=(seeds, 1)) + generator.normal(
            size=(seeds, len(groups))
        )
        tables.append((common + own + runs > 0).astype(np.float64))
    return tables[0], tables[1], groups


def truth(world: World) -> float:
    """The accuracy over all clusters and examples that might be drawn; the seeds' spread moves it by 0.003 points."""
    from scipy.stats import norm

    spread = np.sqrt(1.0 + world.shared**2 + world.own**2 + 0.5**2 + 1.0)
    return float(norm.cdf(1.2 / spread))


def coverage(
    world: World, seeds: int, rounds: int, *, grouped: bool, resamples: int = 299
) -> tuple[float, float, float]:
    """Shares of rounds: figure held, difference held, half width of the difference in points.

    The draws are the same with and without groups.
    """
    generator = np.random.default_rng(seeds)
    right = truth(world)
    held = np.zeros(3)
    for _ in range(rounds):
        one, two, groups = drawn(world, seeds, generator)
        measure = ACCURACY.over_groups(groups if grouped else None)
        figure = estimate_figure(one, measure, np.random.default_rng(0), resamples=resamples).interval
        found = paired_difference(one, two, np.random.default_rng(0), measure=measure, resamples=resamples)
        held += figure.holds(right), found.interval.holds(0.0), 100 * found.interval.half_width
    shares = held / rounds
    return float(shares[0]), float(shares[1]), float(shares[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=800)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5])
    given = parser.parse_args()
    print("| clusters | seeds | figure | difference | half width | figure, by group | difference | half width |")
    print("|---" * 8 + "|")
    for name, world in WORLDS.items():
        for seeds in given.seeds:
            cells = []
            for grouped in (False, True):
                figure, difference, width = coverage(world, seeds, given.rounds, grouped=grouped)
                cells.append(f"{100 * figure:.1f} % | {100 * difference:.1f} % | {width:.2f}")
            print(f"| {name} | {seeds} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
