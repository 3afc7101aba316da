"""Where the uncertainty of a mean over seeds and examples comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from gatewise.errors import ShapeError
from gatewise.statistics.intervals import Array, as_table

__all__ = ["Components", "block_length", "grouped", "long_run_variance", "t_quantile", "variance_components"]

_MOST_GROUPS = 4096
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
        return Components(own / seeds + rest, shared + rest, rest, seeds, self.example_degrees, self.least, degrees)

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
    table: Array, *, serial: bool = False, length: int | None = None, overlap: int = 1
) -> Components:
    """The parts of the variance of a table's mean.

    Args:
        table: (S, N) values; with S = 1 there is only the examples' part.
        serial: the examples are neighbours in time: long-run variances (`long_run_variance`) take the place of plain
            ones.
        length: L, for ``serial``: so many neighbours hang together; default `block_length`.
        overlap: see `block_length`.

    Raises:
        ShapeError: fewer than two examples.

    Example:
        >>> parts = variance_components(np.random.default_rng(0).normal(size=(4, 900)))
        >>> 0.01 < parts.error < 0.03
        True
    """
    values = as_table(table)
    means = values.mean(axis=1)
    if serial:
        size = math.ceil(values.shape[1] / _MOST_GROUPS)
        values = grouped(values, _MOST_GROUPS)
        length = None if length is None else math.ceil(length / size)
        overlap = math.ceil(overlap / size)
    seeds, examples = values.shape
    by_example = values.mean(axis=0)
    blocks = 1
    if serial:
        blocks = block_length(by_example, overlap) if length is None else max(1, min(length, examples // 2))
    degrees = float(examples - 1) if blocks == 1 else min(examples - 1, max(1.0, 1.5 * examples / blocks))
    example = float(long_run_variance(by_example, blocks)) / examples
    if seeds == 1:
        return Components(0.0, example, 0.0, 1, degrees)
    seed = float(np.var(means, ddof=1)) / seeds
    remainder = values - values.mean(axis=1, keepdims=True) - by_example + by_example.mean()
    rest = float(np.sum(long_run_variance(remainder, blocks))) / ((seeds - 1) * seeds * examples)
    return Components(seed, example, rest, seeds, degrees)


def block_length(series: Array, overlap: int = 1) -> int:
    """How many neighbours in time hang together: the block length of the bootstrap and the bandwidth of the variance.

    1.3 times the root of N (Lazarus, Lewis, Stock & Watson 2018); where neighbours resemble each other more than that
    covers, Andrews' (1991) bandwidth of the Bartlett kernel for a first-order autoregression of correlation rho,

    .. math:: L = 1.1447 (\\alpha N)^{1/3}, \\quad \\alpha = 4\\rho^2 / ((1-\\rho)^2 (1+\\rho)^2)

    and at most N/5. Where examples are known to overlap, at least twice as many as do, and at most N/3: how long what
    overlaps hangs together is more than the likeness of neighbours tells, in several series side by side above all.

    Args:
        series: (N,) in the order of time.
        overlap: examples in a row that share what they measure; 1: none do.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=1000)
        >>> block_length(noise), block_length(np.convolve(noise, np.ones(10), "valid"))
        (42, 52)
    """
    total: int = len(series)
    centred = series - series.mean()
    power = float(centred @ centred)
    rho = 0.0 if power == 0.0 else float(centred[1:] @ centred[:-1]) / power
    rho = max(-0.97, min(0.97, rho))
    alpha = 4 * rho**2 / ((1 - rho) ** 2 * (1 + rho) ** 2)
    wanted: float = max(1.3 * math.sqrt(total), 1.1447 * (alpha * total) ** (1 / 3))
    found = max(1, min(math.ceil(wanted - 1e-9), total // 5))
    return found if overlap == 1 else max(found, min(2 * overlap, total // 3))


def long_run_variance(series: Array, length: int) -> Array:
    """N times the variance of the mean of a series whose neighbours resemble each other (Newey & West 1987).

    .. math:: \\hat\\gamma_0 + 2 \\sum_{j=1}^{L-1} (1 - j/L) \\hat\\gamma_j

    times the correction of Harvey, Leybourne & Newbold (1997), N^2 / (N^2 + N - 2NL + L(L-1)), without which it is too
    small in short series. With L = 1 it is the plain variance.

    Args:
        series: (.., N) in the order of time.
        length: L.

    Returns:
        (..).

    Raises:
        ShapeError: L is not from 1 to N - 1.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=4000)
        >>> trend = np.convolve(noise, np.ones(5), "valid")  # each value five parts of noise: in the long run 5 * 5
        >>> round(float(long_run_variance(trend, 1))), 20 < float(long_run_variance(trend, 40)) < 30
        (5, True)
    """
    total = series.shape[-1]
    if not 1 <= length < total:
        raise ShapeError("the length of a block does not fit the series", expected=f"1 to {total - 1}", got=length)
    centred = series - series.mean(axis=-1, keepdims=True)
    result = np.mean(centred**2, axis=-1)
    for lag in range(1, length):
        product = np.sum(centred[..., lag:] * centred[..., :-lag], axis=-1) / total
        result = result + 2 * (1 - lag / length) * product
    correction = total**2 / (total**2 + total - 2 * total * length + length * (length - 1))
    corrected: Array = np.maximum(result, 0.0) * correction
    return corrected


def grouped(values: Array, most: int) -> Array:
    """Neighbouring examples joined to at most so many groups, so that millions of tokens cost no more than thousands.

    Args:
        values: (.., N).
        most: G, the largest number of groups.

    Returns:
        (.., G), or values itself where N <= G. The groups' sizes differ by one at most; each is weighted so that the
        mean over groups is exactly the mean over examples.

    Example:
        >>> grouped(np.array([1.0, 3.0, 5.0, 7.0]), 2)
        array([2., 6.])
    """
    total = values.shape[-1]
    if total <= most:
        return values
    mean = values.mean(axis=-1, keepdims=True)
    starts = np.arange(most) * total // most
    sums: Array = np.add.reduceat(values - mean, starts, axis=-1) * (most / total) + mean
    return sums
