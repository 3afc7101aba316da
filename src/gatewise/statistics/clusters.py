"""Examples that are no independent draws: texts of one author, film or patient, joined to their clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from gatewise.errors import ShapeError
from gatewise.statistics.components import Components
from gatewise.statistics.intervals import Array

__all__ = ["clustered", "over_clusters"]

Groups = npt.NDArray[np.int64]


def clustered(table: Array, groups: Groups | None) -> Array:
    """The sums of clusters, scaled so that the variance of their mean is that of the mean over the examples.

    .. math:: c_{sg} = \\bar x_s + \\frac{G}{N} (r_{sg} - \\bar r_s), \\quad
        r_{sg} = \\frac{1 - 1/G}{1 - n_g/N} \\sum_{i \\in g} (x_{si} - \\bar x_s)

    Their mean is exactly the mean over the examples, and its variance that of cluster sampling (Cochran 1977, chapter
    9A), by the jackknife over clusters, which large clusters do not shrink (CV3: Bell & McCaffrey 2002).

    Args:
        table: (S, N) or (N,).
        groups: (N,), equal for examples of one cluster; None: the table is returned as it is.

    Returns:
        (S, G) or (G,), the clusters in the order of their first examples.

    Raises:
        ShapeError: the groups are not of these examples, or there is a single one.

    Example:
        >>> clustered(np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0]), np.array([7, 7, 3, 3, 3, 7]))
        array([0.33333333, 0.66666667])
    """
    if groups is None:
        return table
    if groups.shape != table.shape[-1:]:
        raise ShapeError("the groups are not those of the examples", expected=table.shape[-1:], got=groups.shape)
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    count, total = len(first), table.shape[-1]
    if count < 2:
        raise ShapeError("the examples are of a single group", expected="at least two groups", got=count)
    order = np.argsort(np.argsort(first))[place.reshape(-1)]
    mean = table.mean(axis=-1, keepdims=True)
    sums = np.stack([np.bincount(order, weights=row, minlength=count) for row in np.atleast_2d(table - mean)])
    sums *= (1 - 1 / count) / (1 - np.bincount(order, minlength=count) / total)
    sums -= sums.mean(axis=-1, keepdims=True)
    found: Array = sums.reshape(*table.shape[:-1], count) * (count / total) + mean
    return found


def over_clusters(parts: Components, groups: Groups | None) -> Components:
    """Variance components of a clustered table with the degrees of freedom of the examples' part.

    One less than the effective number of clusters, N^2 by the sum of their squared sizes: of unequal clusters the large
    ones tell most of the variance.

    Example:
        >>> from gatewise.statistics.components import Components
        >>> parts = Components(seed=0.0, example=1e-4, rest=0.0, seeds=1, example_degrees=2)
        >>> over_clusters(parts, np.array([0, 0, 1, 2])).example_degrees
        1.666...
    """
    if groups is None:
        return parts
    sizes = np.unique(groups, return_counts=True)[1]
    effective = float(sizes.sum() ** 2 / (sizes**2).sum())
    return replace(parts, example_degrees=max(1.0, min(parts.example_degrees, effective - 1)))
