"""Tests with a name: McNemar's for right and wrong, Diebold and Mariano's for series; Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gatewise.errors import OptionError, ShapeError
from gatewise.statistics.components import block_length, long_run_variance
from gatewise.statistics.intervals import Array, Scores

__all__ = ["DieboldMariano", "diebold_mariano", "holm", "mcnemar"]


def mcnemar(first: Scores, second: Scores, *, mid: bool = True) -> float:
    """Two-sided exact p value of McNemar's (1947) test: are two classifiers right equally often on the same examples?

    Only the examples on which they disagree speak: with b and c of them, b is binomial(b + c, 1/2) if neither is
    better.

    Args:
        first: (N,) right or wrong, of the first classifier.
        second: (N,) the same of the second, example by example.
        mid: count half of the probability of the observed table (mid-p: Fagerland, Lydersen, Laake 2013). The exact
            test without it is needlessly timid: it finds less than its level allows.

    Raises:
        ShapeError: the two are not of one length.

    Example:
        >>> a = np.array([True] * 90 + [False] * 10)
        >>> b = np.array([True] * 80 + [False] * 20)
        >>> mcnemar(a, b) < 0.01, mcnemar(a, a)
        (True, 1.0)
    """
    from scipy.stats import binom

    one, two = _pair(first, second)
    won = int(np.sum((one != 0) & (two == 0)))
    lost = int(np.sum((one == 0) & (two != 0)))
    if won == lost:
        return 1.0
    fewer = min(won, lost)
    tail = float(binom.cdf(fewer, won + lost, 0.5))
    if mid:
        tail -= 0.5 * float(binom.pmf(fewer, won + lost, 0.5))
    return min(1.0, 2 * tail)


class DieboldMariano(NamedTuple):
    """A test of equal forecast accuracy.

    Attributes:
        statistic: positive where the first loss is larger.
        p_value: two-sided.
        length: L, the bandwidth used.
    """

    statistic: float
    p_value: float
    length: int


def diebold_mariano(first: Scores, second: Scores, *, length: int | None = None) -> DieboldMariano:
    """Are two forecasts equally good? (Diebold & Mariano 1995)

    The mean of the losses' differences over its standard error, which is Newey and West's (1987) with bandwidth L and
    corrected for short series as by Harvey, Leybourne & Newbold (1997), against Student's t with N - 1 degrees of
    freedom. Forecasts of several steps ahead overlap, so that their errors resemble each other: L must cover that.

    Args:
        first: (N,) losses of the first forecast in the order of time.
        second: (N,) of the second.
        length: L; default `gatewise.statistics.block_length` of the differences. 1: neighbours are
            independent.

    Raises:
        ShapeError: the two are not of one length, or L does not fit it.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> losses = generator.exponential(size=300)
        >>> diebold_mariano(losses, losses + generator.normal(0.1, 0.3, size=300)).p_value < 0.01
        True
    """
    from scipy.stats import t as student

    one, two = _pair(first, second)
    difference = one - two
    total = len(difference)
    bandwidth = block_length(difference) if length is None else length
    variance = float(long_run_variance(difference, bandwidth)) / total
    mean = float(difference.mean())
    if variance == 0.0:
        return DieboldMariano(0.0 if mean == 0.0 else math.copysign(math.inf, mean), float(mean == 0.0), bandwidth)
    statistic = mean / math.sqrt(variance)
    return DieboldMariano(statistic, float(2 * student.sf(abs(statistic), total - 1)), bandwidth)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust K p values so that the chance of any false finding among them stays at the level (Holm 1979).

    Raises:
        OptionError: a value outside [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    for value in p_values:
        if not 0.0 <= value <= 1.0:
            raise OptionError("a p value is out of range", expected="0 to 1", got=value)
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, (len(p_values) - rank) * float(p_values[index]))
        adjusted[index] = min(1.0, running)
    return adjusted


def _pair(first: Scores, second: Scores) -> tuple[Array, Array]:
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != two.shape or one.size == 0:
        raise ShapeError("the two models need scores of the same examples", expected="(N,)", got=(one.shape, two.shape))
    return one, two
