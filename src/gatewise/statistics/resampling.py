"""The bootstrap: how lopsided the uncertainty of a mean is."""

from __future__ import annotations

import math

import numpy as np

from gatewise.errors import OptionError
from gatewise.statistics.intervals import Array, check_level, normal_quantile
from gatewise.statistics.serial import grouped

__all__ = ["RESAMPLES", "bca_reach", "check_resamples"]

RESAMPLES = 9999
_MOST_GROUPS = 1000
_DRAWN = 2_000_000
"""Places that are drawn at once: another number draws others."""
_READ = 2**16
"""Values that are read at once; they stay in the processor's cache."""


def bca_reach(
    values: Array, generator: np.random.Generator, *, length: int = 1, resamples: int = RESAMPLES, level: float = 0.95
) -> tuple[float, float]:
    """How far the BCa bootstrap interval of a mean reaches down and up, in units of the normal interval's reach.

    The examples are drawn anew with replacement, in blocks of neighbours where they are dependent (moving blocks, taken
    round the end: Künsch 1989; Politis & Romano 1992). From the bootstrap distribution G the bias-corrected and
    accelerated interval (Efron 1987) takes the quantiles at

    .. math:: \\Phi\\left(z_0 + \\frac{z_0 + z_\\alpha}{1 - a (z_0 + z_\\alpha)}\\right), \\quad
        z_0 = \\Phi^{-1}(G(\\hat\\theta)), \\quad a = \\frac{\\sum U_i^3}{6 (\\sum U_i^2)^{3/2}}

    with U the influence of each block. (1, 1) is the plain normal interval; a long right tail gives (<1, >1).

    Args:
        values: (N,) whose mean is estimated; above 1,000 they are first joined to that many groups of neighbours.
        generator: source of the draws.
        length: L, neighbours that depend on each other; 1: independent examples.
        resamples: how many times the examples are drawn anew, at least 100.
        level: probability that such intervals hold the true mean.

    Raises:
        OptionError: too few resamples, or a level outside (0, 1).

    Example:
        >>> generator = np.random.default_rng(0)
        >>> low, high = bca_reach(generator.exponential(size=100), generator)
        >>> bool(low < 1 < high)
        True
    """
    check_level(level)
    check_resamples(resamples)
    groups = grouped(values, _MOST_GROUPS)
    total = len(groups)
    length = max(1, min(math.ceil(length * total / len(values)), total // 2))
    centred = groups - groups.mean()
    around = np.concatenate([[0.0], np.cumsum(np.concatenate([centred, centred[: length - 1]]))])
    sums = (around[length:] - around[:-length]) / length
    count = math.ceil(total / length)
    power = float(np.mean(sums**2))
    error = math.sqrt(power / count)
    if error <= 1e-12 * max(1e-300, float(np.abs(groups).max())):
        return 1.0, 1.0
    drawn = _drawn_means(sums, count, resamples, generator)
    below = (np.sum(drawn < 0) + 0.5 * np.sum(drawn == 0)) / resamples
    bias = normal_quantile(float(np.clip(below, 1 / resamples, 1 - 1 / resamples)))
    acceleration = float(np.mean(sums**3)) / (6 * power**1.5 * math.sqrt(count))
    z = normal_quantile(0.5 + level / 2)
    ends = [_adjusted(bias, acceleration, -z), _adjusted(bias, acceleration, z)]
    low, high = np.quantile(drawn, ends) / (z * error)
    return float(np.clip(-low, 0.25, 4.0)), float(np.clip(high, 0.25, 4.0))


def check_resamples(resamples: int) -> None:
    """Refuse fewer than 100 resamples.

    Example:
        >>> check_resamples(10)
        Traceback (most recent call last):
        gatewise.errors.OptionError: too few bootstrap resamples; expected: at least 100; got: 10
    """
    if resamples < 100:
        raise OptionError("too few bootstrap resamples", expected="at least 100", got=resamples)


def _drawn_means(sums: Array, count: int, resamples: int, generator: np.random.Generator) -> Array:
    """Means of so many blocks drawn with replacement, once per resample; sums has mean zero."""
    total = len(sums)
    means = np.empty(resamples)
    chunk, part = max(1, _DRAWN // count), max(1, _READ // count)
    for start in range(0, resamples, chunk):
        places = generator.integers(0, total, size=(min(chunk, resamples - start), count), dtype=np.uint16)
        for first in range(0, len(places), part):
            read = places[first : first + part]
            means[start + first : start + first + len(read)] = sums.take(read).mean(axis=1)
    return means


def _adjusted(bias: float, acceleration: float, z: float) -> float:
    from statistics import NormalDist

    moved = bias + z
    return NormalDist().cdf(bias + moved / max(1e-3, 1 - acceleration * moved))
