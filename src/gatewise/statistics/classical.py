"""Tests by name: McNemar's for right and wrong; Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gatewise.errors import OptionError, ShapeError
from gatewise.statistics.intervals import Array, Scores

__all__ = ["holm", "mcnemar"]


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
