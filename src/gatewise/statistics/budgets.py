"""What a search is expected to find with a smaller budget (Dodge et al. 2019)."""

from __future__ import annotations

from math import comb

import numpy as np
import numpy.typing as npt

from gatewise.errors import ShapeError
from gatewise.statistics.intervals import Array

__all__ = ["expected_best"]


def expected_best(figures: npt.ArrayLike, *, higher_is_better: bool = True) -> Array:
    """The best figure that is expected of the first n of B trials in random order, for n = 1 to B.

    .. math:: E_n = \\sum_{i=n}^{B} v_{(i)} \\binom{i - 1}{n - 1} \\Big/ \\binom{B}{n}

    with the figures sorted, the worst first: each set of n of the B trials is as probable as any other. That is the
    unbiased estimate of what n random trials find (Tang et al. 2020); Dodge et al. (2019) draw the n with replacement,
    which underrates them.

    Args:
        figures: (B,) of trials whose settings were drawn at random.
        higher_is_better: the direction.

    Returns:
        (B,), the last of which is the best of all.

    Raises:
        ShapeError: no trial, or a figure that is not finite.

    Example:
        >>> expected_best([0.7, 0.9, 0.8]).round(4).tolist()
        [0.8, 0.8667, 0.9]
    """
    values = np.asarray(figures, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ShapeError("figures of trials do not fit", expected="(B,) finite numbers", got=values.shape)
    ordered = np.sort(values) if higher_is_better else np.sort(values)[::-1]
    count = len(ordered)
    found = []
    for number in range(1, count + 1):
        ways = comb(count, number)
        shares = [comb(place, number - 1) / ways for place in range(count)]
        found.append(float(np.dot(shares, ordered)))
    return np.array(found)
