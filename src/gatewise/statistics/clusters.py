"""Examples that are no independent draws: texts of one author, film or patient, joined to their clusters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gatewise.errors import ShapeError
from gatewise.statistics.intervals import Array

__all__ = ["clustered"]


def clustered(table: Array, groups: npt.NDArray[np.int64] | None) -> Array:
    """The sums of clusters, weighted so that their mean is exactly the mean over the examples.

    .. math:: c_{sg} = \\bar x_s + \\frac{G}{N} \\sum_{i \\in g} (x_{si} - \\bar x_s)

    The variance of the mean of G clusters is then that of cluster sampling, for clusters of unequal sizes to first
    order (Cochran 1977, chapter 9A; the sandwich of Liang & Zeger 1986 with the factor G/(G - 1)), and what is computed
    from the table has degrees of freedom from the number of clusters.

    Args:
        table: (S, N) or (N,).
        groups: (N,), equal for examples of one cluster; None: the table is returned as it is.

    Returns:
        (S, G) or (G,), the clusters in the order of their first examples.

    Raises:
        ShapeError: the groups are not of these examples, or there is a single one.

    Example:
        >>> clustered(np.array([1.0, 0.0, 1.0, 1.0, 0.0]), np.array([7, 7, 3, 3, 3]))
        array([0.52, 0.68])
    """
    if groups is None:
        return table
    if groups.shape != table.shape[-1:]:
        raise ShapeError("the groups are not those of the examples", expected=table.shape[-1:], got=groups.shape)
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    count = len(first)
    if count < 2:
        raise ShapeError("the examples are of a single group", expected="at least two groups", got=count)
    mean = table.mean(axis=-1, keepdims=True)
    order = np.argsort(np.argsort(first))[place.reshape(-1)]
    rows = np.atleast_2d(table - mean)
    sums = np.stack([np.bincount(order, weights=row, minlength=count) for row in rows])
    found: Array = sums.reshape(*table.shape[:-1], count) * (count / table.shape[-1]) + mean
    return found
