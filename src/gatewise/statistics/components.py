"""Where the uncertainty of a mean over seeds and examples comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gatewise.statistics.intervals import Array, as_table
from gatewise.statistics.serial import MOST_GROUPS, Blocks, find_blocks, joined, long_run_variance

__all__ = ["Components", "t_quantile", "variance_components"]

_LEAST_TAIL = 1e-15


@dataclass(frozen=True)
class Components:
    """The variance of the mean of a table, by source.

    With ``value = mean + seed + example + rest``, the mean of an (S, N) table has the variance

    .. math:: V = V_{seed} + V_{example} - V_{rest}

    where each part is a mean square of the two-way analysis of variance divided by S N (Scheffé 1959, chapter 7; for
    readers x cases Obuchowski & Rockette 1995). What remains of the seeds' part beyond the rest is what other seeds
    would change; more examples do not shrink it. The rest is in the seeds' part, so that this is no smaller.

    Args:
        seed: variance of the mean as the spread of the seeds' means tells it; 0 with one seed.
        example: the same, as the spread of the examples' means tells it.
        rest: the part counted in both; 0 with one seed.
        seeds: S.
        example_degrees: degrees of freedom of the examples' part, and of the rest.
        least: a floor of the variance.
        seed_degrees: degrees of freedom of the seeds' part; None: S - 1.
        blocks: how the examples depend on each other, where neighbours do; None: they do not.

    Example:
        >>> parts = Components(seed=3e-4, example=2e-4, rest=1e-4, seeds=5, example_degrees=999)
        >>> round(parts.variance, 6), round(parts.degrees, 1)
        (0.0004, 7.1)
        >>> round(parts.reach(0.975) / parts.error, 2)
        2.6
    """

    seed: float
    example: float
    rest: float
    seeds: float
    example_degrees: float
    least: float = 0.0
    seed_degrees: float | None = None
    blocks: Blocks | None = None

    @property
    def between(self) -> float:
        """What the examples add to the seeds' part: V_example - V_rest, not below 0."""
        return max(self.example - self.rest, 0.0)

    @property
    def variance(self) -> float:
        """V, no smaller than the examples' part."""
        return max(max(self.seed, self.rest) + self.between, self.least)

    @property
    def error(self) -> float:
        """Standard error of the mean, the root of V."""
        return math.sqrt(self.variance)

    @property
    def of_seeds(self) -> float:
        """Degrees of freedom of the seeds' part."""
        return max(self.seeds - 1, 1.0) if self.seed_degrees is None else self.seed_degrees

    @property
    def degrees(self) -> float:
        """Degrees of freedom of V (Satterthwaite 1946): how well the variance is known, for the reader."""
        if self.seeds <= 1 and self.seed_degrees is None:
            return self.example_degrees
        parts = max(self.seed, self.rest), self.between
        spread = parts[0] ** 2 / self.of_seeds + parts[1] ** 2 / self.example_degrees
        return self.example_degrees if spread == 0.0 else sum(parts) ** 2 / spread

    def reach(self, probability: float) -> float:
        """How far above the mean's expectation the mean lies with a probability of no more than the given one's rest.

        .. math:: r^2 = \\max(t_s^2 V_{seed},\\; t_e^2 V_{rest}) + t_e^2 (V_{example} - V_{rest})

        with Student's quantiles at the degrees of freedom of the seeds (s) and of the examples (e): each part reaches
        as far as it alone would, and the reaches add as standard errors do (Howe 1974; Zou & Donner 2008). One
        quantile for the sum, at Satterthwaite's degrees of freedom, is too small where few seeds lie close together by
        chance.

        Args:
            probability: from 0.5 to 1.
        """
        wide, narrow = t_quantile(probability, self.of_seeds), t_quantile(probability, self.example_degrees)
        seeds = max(wide**2 * self.seed, narrow**2 * self.rest)
        return math.sqrt(max(seeds + narrow**2 * self.between, narrow**2 * self.least))

    def tail(self, distance: float) -> float:
        """The probability of a mean so far above its expectation or farther: `reach` the other way round.

        Example:
            >>> parts = Components(seed=3e-4, example=2e-4, rest=1e-4, seeds=5, example_degrees=999)
            >>> round(parts.tail(parts.reach(0.99)), 6)
            0.01
        """
        from scipy.optimize import brentq
        from scipy.special import ndtr, stdtr

        if distance < 0:
            return 1.0 - self.tail(-distance)
        if distance == 0.0:
            return 0.5
        if self.variance == 0.0:
            return 0.0
        if self.seed == 0.0:
            ratio = -distance / self.error
            return float(ndtr(ratio) if math.isinf(self.example_degrees) else stdtr(self.example_degrees, ratio))

        def beyond(logarithm: float) -> float:
            return self.reach(1.0 - math.exp(logarithm)) - distance

        smallest = math.log(_LEAST_TAIL)
        if beyond(smallest) <= 0:
            return _LEAST_TAIL
        return float(math.exp(brentq(beyond, smallest, math.log(0.5), xtol=1e-9)))

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
        degrees = self.of_seeds * (seeds - 1) / max(self.seeds - 1, 1.0)
        return replace(
            self, seed=own / seeds + rest, example=shared + rest, rest=rest, seeds=seeds, seed_degrees=degrees
        )

    def with_examples(self, times: float) -> Components:
        """What the parts would be with so many times as many examples of the same sort, and the same seeds.

        Example:
            >>> parts = Components(seed=3e-4, example=2e-4, rest=1e-4, seeds=5, example_degrees=999)
            >>> round(parts.with_examples(4).variance, 6), parts.with_examples(4).example_degrees
            (0.00025, 3999)
        """
        own = max(0.0, self.seed - self.rest)
        rest = self.rest / times
        return replace(
            self,
            seed=own + rest if self.seed > 0 else 0.0,
            example=self.example / times,
            rest=rest,
            example_degrees=max(1.0, (self.example_degrees + 1) * times - 1),
            least=self.least / times**2,
        )

    def with_least(self, variance: float) -> Components:
        """The same with a floor of the variance."""
        return replace(self, least=variance)

    def with_more(self, variance: float) -> Components:
        """The same with more variance between the examples."""
        return replace(self, example=self.example + variance)


def t_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t distribution; of the normal one for infinitely many degrees of freedom.

    Example:
        >>> round(t_quantile(0.975, 4), 2), round(t_quantile(0.975, float("inf")), 2)
        (2.78, 1.96)
    """
    from scipy.special import ndtri, stdtrit

    return float(ndtri(probability) if math.isinf(degrees) else stdtrit(degrees, probability))


def variance_components(
    table: Array,
    *,
    serial: bool = False,
    blocks: Blocks | None = None,
    overlap: int = 1,
    borders: Sequence[int] = (),
) -> Components:
    """The parts of the variance of a table's mean.

    Args:
        table: (S, N) values; with S = 1 there is only the examples' part.
        serial: the examples are neighbours in time or in documents: long-run variances (`long_run_variance`) take the
            place of plain ones.
        blocks: for ``serial``: how the examples depend on each other; default what `find_blocks` finds of their means.
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
    if serial and blocks is None:
        blocks = find_blocks(by_example, overlap, sizes)
    found = Blocks(examples - 1, float(examples - 1), float(examples)) if blocks is None else blocks
    example = float(long_run_variance(by_example, found.terms)) / examples
    if seeds == 1:
        return Components(0.0, example, 0.0, 1, found.degrees, blocks=blocks)
    seed = float(np.var(means, ddof=1)) / seeds
    remainder = values - values.mean(axis=1, keepdims=True) - by_example + by_example.mean()
    rest = float(np.sum(long_run_variance(remainder, found.terms))) / ((seeds - 1) * seeds * examples)
    return Components(seed, example, rest, seeds, found.degrees, blocks=blocks)
