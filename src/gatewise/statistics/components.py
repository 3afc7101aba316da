"""Where the uncertainty of a mean over seeds and examples comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gatewise.statistics.intervals import Array, as_table
from gatewise.statistics.serial import MOST_GROUPS, Blocks, find_blocks, joined, long_run_variance

__all__ = ["Components", "variance_components"]


@dataclass(frozen=True)
class Components:
    """The variance of the mean of a table, by source.

    With ``value = mean + seed + example + rest``, the mean of an (S, N) table has the variance

    .. math:: V = V_{seed} + V_{example} - V_{rest}

    where each part is a mean square of the two-way analysis of variance divided by S N (Scheffé 1959, chapter 7; for
    readers x cases Obuchowski & Rockette 1995). What remains of the seeds' part beyond the rest is what other seeds
    would change; more examples do not shrink it.

    Args:
        seed: variance of the mean as the spread of the seeds' means tells it; 0 with one seed.
        example: the same, as the spread of the examples' means tells it.
        rest: the part counted in both; 0 with one seed.
        seeds: degrees of freedom of the seeds' part plus one.
        example_degrees: degrees of freedom of the examples' part.
        least: a floor of the variance.
        blocks: how many independent blocks the examples are, where neighbours hang together; None: they do not.

    Example:
        >>> parts = Components(seed=3e-4, example=2e-4, rest=1e-4, seeds=5, example_degrees=999)
        >>> round(parts.variance, 6), round(parts.degrees, 1)
        (0.0004, 7.1)
    """

    seed: float
    example: float
    rest: float
    seeds: float
    example_degrees: float
    least: float = 0.0
    blocks: float | None = None

    @property
    def variance(self) -> float:
        """V, at least half of the examples' part."""
        return max(self.seed + self.example - self.rest, 0.5 * self.example, self.least)

    @property
    def error(self) -> float:
        """Standard error of the mean, the root of V."""
        return math.sqrt(self.variance)

    @property
    def degrees(self) -> float:
        """Degrees of freedom of V (Satterthwaite 1946).

        At least those of the seeds' part: the formula is not to be trusted where the subtracted part is about as large
        as what it is subtracted from (Gaylor & Hopper 1969).
        """
        if self.seeds <= 1:
            return self.example_degrees
        spread = (
            self.seed**2 / (self.seeds - 1)
            + self.example**2 / self.example_degrees
            + self.rest**2 / ((self.seeds - 1) * self.example_degrees)
        )
        least = max(1.0, min(self.seeds - 1, self.example_degrees))
        return self.example_degrees if spread == 0.0 else max(least, self.variance**2 / spread)

    def with_seeds(self, seeds: int) -> Components:
        """What the parts would be with another number of seeds on the same examples.

        Example:
            >>> parts = Components(seed=3e-4, example=2e-4, rest=1e-4, seeds=5, example_degrees=999)
            >>> round(parts.with_seeds(20).variance, 6)
            0.000175
        """
        own = self.seeds * max(0.0, self.seed - self.rest)
        shared = max(0.0, self.example - self.rest)
        rest = self.seeds * self.rest / seeds
        return replace(self, seed=own / seeds + rest, example=shared + rest, rest=rest, seeds=seeds)

    def with_least(self, variance: float) -> Components:
        """The same with a floor of the variance."""
        return replace(self, least=variance)

    def with_more(self, variance: float) -> Components:
        """The same with more variance between the examples."""
        return replace(self, example=self.example + variance)


def variance_components(
    table: Array,
    *,
    serial: bool = False,
    terms: int | None = None,
    overlap: int = 1,
    borders: Sequence[int] = (),
) -> Components:
    """The parts of the variance of a table's mean.

    Args:
        table: (S, N) values; with S = 1 there is only the examples' part.
        serial: the examples are neighbours in time or in documents: long-run variances (`long_run_variance`) take the
            place of plain ones.
        terms: B, for ``serial``: of how many cosine terms; default by `find_blocks`.
        overlap: see `find_blocks`.
        borders: see `gatewise.statistics.serial.joined`.

    Raises:
        ShapeError: fewer than two examples, or borders that do not fit.

    Example:
        >>> parts = variance_components(np.random.default_rng(0).normal(size=(4, 900)))
        >>> 0.01 < parts.error < 0.03
        True
    """
    values = as_table(table)
    means = values.mean(axis=1)
    sizes = None
    if serial:
        size = math.ceil(values.shape[1] / MOST_GROUPS) if not len(borders) else 1
        values, sizes = joined(values, borders)
        overlap = math.ceil(overlap / size)
    seeds, examples = values.shape
    by_example = values.mean(axis=0)
    blocks = Blocks(examples - 1, float(examples - 1), float(examples))
    if serial:
        blocks = find_blocks(by_example, overlap, sizes) if terms is None else Blocks(terms, float(terms), terms)
    example = float(long_run_variance(by_example, blocks.terms)) / examples
    count = blocks.count if serial else None
    if seeds == 1:
        return Components(0.0, example, 0.0, 1, blocks.degrees, blocks=count)
    seed = float(np.var(means, ddof=1)) / seeds
    remainder = values - values.mean(axis=1, keepdims=True) - by_example + by_example.mean()
    rest = float(np.sum(long_run_variance(remainder, blocks.terms))) / ((seeds - 1) * seeds * examples)
    return Components(seed, example, rest, seeds, blocks.degrees, blocks=count)
