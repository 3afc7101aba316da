"""Ranks over data sets: Friedman's test, and Nemenyi's of every pair (Demšar 2006).

Axis letters: D data sets, M models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewise.errors import ShapeError
from gatewise.statistics.intervals import Array

__all__ = ["Ranking", "critical_difference", "rank_over_data_sets"]


@dataclass(frozen=True)
class Ranking:
    """How several models rank over data sets.

    Args:
        ranks: (M,) mean rank; 1 is the best.
        statistic: Friedman's, corrected for ties; 0 where all models tie everywhere.
        p_value: of "all models rank alike", by Iman and Davenport's (1980) F.
        chi_squared_p_value: the same by Friedman's own chi-squared distribution, which is conservative.
        critical_difference: mean ranks farther apart differ at the 5 % level, all pairs together (Nemenyi 1963).
        pair_p_values: (M, M), Nemenyi's, corrected for all pairs.
        data_sets: D.
    """

    ranks: tuple[float, ...]
    statistic: float
    p_value: float
    chi_squared_p_value: float
    critical_difference: float
    pair_p_values: tuple[tuple[float, ...], ...]
    data_sets: int


def rank_over_data_sets(figures: npt.ArrayLike) -> Ranking:
    """Rank models on each data set, and test whether the mean ranks differ.

    .. math:: \\chi^2_F = \\frac{12 D}{M (M + 1)} \\Big(\\sum_m R_m^2 - \\frac{M (M + 1)^2}{4}\\Big), \\quad
        F = \\frac{(D - 1) \\chi^2_F}{D (M - 1) - \\chi^2_F}

    Only the order on each data set counts, so that figures need no common scale. Equal figures share their ranks.

    Args:
        figures: (D, M), higher is better; turn the sign of an error.

    Raises:
        ShapeError: fewer than two data sets or models, or a figure that is not finite.

    Example:
        >>> found = rank_over_data_sets([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4], [0.8, 0.9, 0.7], [0.3, 0.2, 0.1]])
        >>> found.ranks, round(found.statistic, 2), round(found.critical_difference, 2)
        ((1.25, 1.75, 3.0), 6.5, 1.66)
    """
    from scipy.stats import chi2, f, rankdata, studentized_range

    table = np.asarray(figures, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise ShapeError("figures do not fit a ranking", expected="(D, M), finite, D and M at least 2", got=table.shape)
    count, models = table.shape
    ranks: Array = rankdata(-table, axis=1)
    means = ranks.mean(axis=0)
    expected = count * models * (models + 1) ** 2 / 4
    spread = float((ranks**2).sum()) - expected  # what ties leave of D M (M² - 1) / 12
    between = count * float(((means - (models + 1) / 2) ** 2).sum())
    statistic = 0.0 if spread <= 0 else count * (models - 1) * between / spread
    rest = count * (models - 1) - statistic
    if statistic == 0.0:
        p_value = 1.0
    elif rest <= 1e-9 * count:  # every data set ranks them alike, with the same ties: of W^D orders, W do
        ties = np.unique(ranks[0], return_counts=True)[1]
        orders = math.factorial(models) // math.prod(math.factorial(int(tied)) for tied in ties)
        p_value = float(orders) ** (1.0 - count)
    else:
        p_value = float(f.sf((count - 1) * statistic / rest, models - 1, (models - 1) * (count - 1)))
    error = math.sqrt(models * (models + 1) / (12 * count))
    gaps = np.abs(means[:, None] - means[None, :]) / error
    pairs = studentized_range.sf(gaps, models, np.inf)
    np.fill_diagonal(pairs, 1.0)
    return Ranking(
        tuple(map(float, means)),
        statistic,
        p_value,
        float(chi2.sf(statistic, models - 1)),
        critical_difference(models, count),
        tuple(tuple(min(1.0, float(value)) for value in row) for row in pairs),
        count,
    )


def critical_difference(models: int, data_sets: int, significance: float = 0.05) -> float:
    """How far apart two mean ranks have to lie (Nemenyi 1963; Demšar 2006, table 5).

    .. math:: CD = q_\\alpha \\sqrt{\\frac{M (M + 1)}{6 D}}

    with the studentized range's quantile by the root of 2 as q.

    Args:
        models: M.
        data_sets: D.
        significance: of all pairs together.

    Example:
        >>> round(critical_difference(4, 14), 2)  # Demšar's example: 1.25, from q = 2.569
        1.25
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - significance, models, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(models * (models + 1) / (6 * data_sets))
