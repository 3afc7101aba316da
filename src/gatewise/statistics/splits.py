"""Several splits of one data set: the mean difference over them, and where its variance comes from.

Axis letter: K splits. Bouthillier et al. (2021), "Accounting for variance in machine learning benchmarks"; Nadeau and
Bengio (2003) for the interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewise.errors import ShapeError
from gatewise.statistics.components import Components, t_quantile
from gatewise.statistics.intervals import Interval, check_level

__all__ = ["OverSplits", "difference_over_splits"]


@dataclass(frozen=True)
class OverSplits:
    """A difference over several splits.

    Args:
        interval: the mean over splits, with its interval.
        p_value: two-sided, of "no difference".
        seeds: share of the variance of one comparison's difference that comes from seeds, and from the search of each
            seed where it is repeated.
        examples: that comes from the test examples.
        both: that comes from seeds and examples together, and shrinks with more of either.
        splits: that comes from the split beside its test examples: other texts to learn from.
    """

    interval: Interval
    p_value: float
    seeds: float
    examples: float
    both: float
    splits: float


def difference_over_splits(
    differences: npt.ArrayLike, parts: Sequence[Components], *, test_by_train: float, level: float = 0.95
) -> OverSplits:
    """The mean difference of two models over splits of the same data, each compared by itself.

    With v the variance of the K differences, the mean has the standard error

    .. math:: e^2 = \\Big(\\frac{1}{K} + \\frac{n_{test}}{n_{train}}\\Big)
        \\max\\Big(v, \\frac{1}{K} \\sum_k V_k\\Big)

    with Student's t at K - 1 degrees of freedom: splits share most of their texts, and so are not independent (Nadeau
    and Bengio 2003); and no split's difference is known better than its own variance V_k says. What v has beyond the
    mean of the V_k is the split's share.

    Args:
        differences: (K,) one per split, at least two.
        parts: of each, where its own variance comes from.
        test_by_train: number of test examples by that of training examples.
        level: of the interval.

    Raises:
        ShapeError: fewer than two splits, or other numbers of differences and parts.

    Example:
        >>> known = Components(seed=4e-5, example=3e-5, rest=1e-5, seeds=3, example_degrees=999)
        >>> found = difference_over_splits([0.02, 0.03, 0.01], [known] * 3, test_by_train=0.25)
        >>> round(found.interval.estimate, 3), round(found.splits, 2), round(found.seeds, 2)
        (0.02, 0.4, 0.3)
    """
    check_level(level)
    gaps = np.asarray(differences, dtype=np.float64)
    if gaps.ndim != 1 or len(gaps) < 2 or len(gaps) != len(parts) or not np.isfinite(gaps).all():
        raise ShapeError("differences do not fit", expected="(K,), K at least 2, and as many parts", got=gaps.shape)
    within = np.array([[max(part.seed - part.rest, 0.0), part.between, part.rest] for part in parts]).mean(axis=0)
    between = float(gaps.var(ddof=1))
    split = max(0.0, between - float(within.sum()))
    whole = float(within.sum()) + split
    error = math.sqrt((1 / len(gaps) + test_by_train) * max(between, float(within.sum())))
    mean, degrees = float(gaps.mean()), len(gaps) - 1
    reach = t_quantile(0.5 + level / 2, degrees) * error
    shares = [0.0, 0.0, 0.0, 0.0] if whole == 0 else [*(within / whole).tolist(), split / whole]
    return OverSplits(Interval(mean, mean - reach, mean + reach, level), _p_value(mean, error, degrees), *shares)


def _p_value(mean: float, error: float, degrees: int) -> float:
    from scipy.special import stdtr

    if mean == 0.0:
        return 1.0
    return 0.0 if error == 0.0 else float(2 * stdtr(degrees, -abs(mean) / error))
