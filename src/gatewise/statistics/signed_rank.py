"""The Bayesian signed rank test with a region of practical equivalence (Benavoli et al. 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError, ShapeError

__all__ = ["SignedRank", "bayesian_signed_rank"]

_DRAWS = 20_000


@dataclass(frozen=True)
class SignedRank:
    """Probabilities that on data sets of this sort the first is better, as good in practice, or worse: 1 in all."""

    better: float
    same: float
    worse: float


def bayesian_signed_rank(
    differences: npt.ArrayLike,
    generator: np.random.Generator,
    *,
    region: float = 1.0,
    prior: float = 1.0,
    draws: int = _DRAWS,
) -> SignedRank:
    """Compare two models over data sets that are taken for a sample of those one would meet.

    The differences z have a Dirichlet process as prior, with strength s and all its weight on "no difference". In each
    draw of the posterior, weights w ~ Dirichlet(s, 1, ..., 1) stand on z_0 = 0, z_1, ..., z_D, and

    .. math:: \\theta_{better} = \\sum_{ij} w_i w_j [z_i + z_j > 2 r], \\quad
        \\theta_{same} = \\sum_{ij} w_i w_j [|z_i + z_j| \\le 2 r]

    with the rest as worse, after Wilcoxon's signed ranks. The answer is how often each is the largest.

    Args:
        differences: (D,) the first's figure minus the second's, in the better direction, on a common scale; the margin
            of each data set as its unit makes r = 1 right for all.
        generator: source of the draws.
        region: r, half the width of the region within which a difference makes none in practice.
        prior: s, in data sets.
        draws: of the posterior.

    Raises:
        ShapeError: no difference, or one that is not finite.
        OptionError: a negative region, or a prior that is not above 0.

    Example:
        >>> found = bayesian_signed_rank([3.0, 4.0, 2.5, 6.0, 3.5, 2.2], np.random.default_rng(0))
        >>> found.better > 0.95, round(found.better + found.same + found.worse, 6)
        (True, 1.0)
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ShapeError("differences do not fit", expected="(D,) finite numbers", got=values.shape)
    if not (region >= 0 and prior > 0 and math.isfinite(region) and math.isfinite(prior)):
        raise OptionError("a region or prior is out of range", expected="r from 0, s above 0", got=(region, prior))
    known = np.concatenate([[0.0], values])
    sums = known[:, None] + known[None, :]
    weights = generator.dirichlet(np.concatenate([[prior], np.ones(len(values))]), size=draws)
    better = np.einsum("bi,ij,bj->b", weights, (sums > 2 * region).astype(float), weights, optimize=True)
    worse = np.einsum("bi,ij,bj->b", weights, (sums < -2 * region).astype(float), weights, optimize=True)
    shares = np.stack([better, 1.0 - better - worse, worse])
    largest = np.bincount(shares.argmax(axis=0), minlength=3) / draws
    return SignedRank(*map(float, largest))
