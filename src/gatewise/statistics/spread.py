"""How far runs that differ in their seed lie apart: known better from all models of a comparison than from two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gatewise.statistics.intervals import Array, Scores, as_table
from gatewise.statistics.measure import Measure, linearised

__all__ = ["SeedSpread", "seed_part", "seed_spread"]

_CAP = 0.999


@dataclass(frozen=True)
class SeedSpread:
    """The variance of one run's mean contribution between seeds, of all models together.

    Args:
        variance: of runs of the same model.
        degrees: of freedom: seeds less one, summed over the models.
    """

    variance: float
    degrees: float


def seed_spread(tables: Iterable[Scores], measure: Measure) -> SeedSpread | None:
    """The spread between seeds, pooled over models.

    Three seeds tell a variance to within a factor of 145 (ends of its 95 % interval), three seeds of six cells to 5.
    Cells differ in it, too: one whose seeds fail now and then must not hide the others' differences. So the mean is
    taken of variances of which none counts for more than a cap: the lower median times the ratio of the 99.9 %
    quantile and the median of the chi-squared distribution, which equally spread seeds hardly ever exceed.

    Args:
        tables: contributions of every model with seeds, (S, N), or (S, N, K) where K > 1; those with one seed tell
            nothing.
        measure: what they contribute to.

    Returns:
        In units of the mean contribution, where K > 1 of the figure; None where no model has two seeds.

    Example:
        >>> from gatewise.statistics import Mean
        >>> generator = np.random.default_rng(0)
        >>> tables = [0.02 * generator.normal(size=(3, 1)) + np.zeros((3, 100)) for _ in range(6)]
        >>> found = seed_spread(tables, Mean("mean", "mean", higher_is_better=True))
        >>> 0.01 < found.variance**0.5 < 0.04, found.degrees
        (True, 12.0)
    """
    from scipy.special import chdtri

    known = []
    for table in tables:
        values = as_table(table, measure.numbers)
        if len(values) > 1:
            lines = values if measure.numbers == 1 else linearised(values, values.mean(axis=(0, 1)), measure)
            known.append((float(lines.mean(axis=1).var(ddof=1)), len(values) - 1))
    if not known:
        return None
    variances, degrees = np.array(known).T
    lowest = degrees.min()
    cap = np.sort(variances)[(len(variances) - 1) // 2] * chdtri(lowest, 1 - _CAP) / chdtri(lowest, 0.5)
    capped = np.minimum(variances, cap) if cap > 0 else variances
    return SeedSpread(float(degrees @ capped / degrees.sum()), float(degrees.sum()))


def seed_part(models: Sequence[tuple[Array, float]], spread: SeedSpread | None) -> tuple[float, float | None]:
    """The seeds' part of the variance of a mean, or of the difference of two.

    It is that of the models' own seeds or that of all models, whichever is larger. The degrees of freedom are those of
    all models, r of them, and S - 1, 1 - r of them; r is the square of all models' part by the larger.

    Args:
        models: for each model with seeds its linearised table (S, N), and the slope by which the spread counts.
        spread: of all models; None: there is no other.

    Returns:
        The variance, and its degrees of freedom; None where there is nothing to tell it from.

    Example:
        >>> one = np.array([[0.0, 0.0], [0.2, 0.2]])
        >>> part, degrees = seed_part([(one, 1.0)], SeedSpread(0.08, 10))
        >>> round(part, 3), degrees
        (0.04, 10.0)
    """
    own, seeds = 0.0, []
    for table, _ in models:
        if len(table) > 1:
            own += float(table.mean(axis=1).var(ddof=1)) / len(table)
            seeds.append(len(table))
    few = min(seeds, default=2) - 1
    if spread is None:
        return own, float(few) if seeds else None
    pooled = sum(spread.variance * slope**2 / len(table) for table, slope in models)
    share = 1.0 if own <= pooled else (pooled / own) ** 2
    return max(own, pooled), few + (max(spread.degrees, few) - few) * share
