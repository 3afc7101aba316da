"""Dependent examples, in time or in documents: how many independent blocks they are, and what the mean of
them varies by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewise.errors import ShapeError
from gatewise.statistics.intervals import Array

__all__ = [
    "LEAST_BLOCKS",
    "MOST_GROUPS",
    "Blocks",
    "enough_blocks",
    "find_blocks",
    "grouped",
    "joined",
    "long_run_variance",
]

LEAST_BLOCKS = 8
"""With fewer independent blocks nothing is claimed of a difference."""

MOST_GROUPS = 4096
"""Longer series are joined to so many groups of neighbours."""

_LEAST_TERMS = 4
_USUAL_TERMS = 8
# of the search for slow dependence
_FREQUENCIES = 256
_RATIOS = 10.0 ** np.arange(0, 5.5, 0.5)
_FLAT, _FLAT_DOCUMENTS = 0.4, 0.9
_CAUTION = 0.25
# of the comparison of neighbouring bands
_BAND = 4
_BAND_LEVEL = 0.1


@dataclass(frozen=True)
class Blocks:
    """How a series hangs together.

    Args:
        terms: B, of how many cosine terms the long-run variance is the mean (`long_run_variance`).
        degrees: degrees of freedom of that variance.
        count: how many independent values the slowest dependence leaves; at most N.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=1000)
        >>> find_blocks(noise).count, find_blocks(noise).terms
        (1000.0, 40)
    """

    terms: int
    degrees: float
    count: float


def enough_blocks(count: float | None) -> bool:
    """Whether so many independent blocks allow a claim; None: the examples are independent.

    Example:
        >>> enough_blocks(5.2), enough_blocks(30.0), enough_blocks(None)
        (False, True, True)
    """
    return count is None or count >= LEAST_BLOCKS


def find_blocks(series: Array, overlap: int = 1, sizes: Array | None = None) -> Blocks:
    """How many independent blocks a series is, and how many cosine terms see its slowest dependence as flat.

    The squared cosine coefficients of the series (`long_run_variance`) are independent draws around its spectrum: high
    at slow frequencies where distant neighbours resemble each other. Their likelihood (Whittle 1953) is taken for a
    flat spectrum and for a grid of first-order autoregressions with noise,

    .. math:: f_j \\propto 1 + r / (1 + (j/c)^2),

    and the lower quartile of the posterior distribution of c (prior: flat 0.4, of known documents 0.9; all others
    alike) says where the spectrum starts to rise. The mean of such an autoregression varies as that of
    :math:`\\pi c / 2` independent values: the number of blocks. Terms beyond c/2 would see less than what the mean
    varies by, and are left out. For several scales at once, terms are also left out from where the next wider band of
    frequencies is lower than all below it (an F test at 10 %). What remains is at most 0.41 N^(2/3) (Lazarus, Lewis,
    Stock & Watson 2018); of known documents all.

    Args:
        series: (N,) in the order of time.
        overlap: examples in a row that share what they measure; 1: none do. N windows lie in
            (N - 1) / overlap + 1 blocks.
        sizes: (N,) where the values are sums over known documents: their sizes. Documents are independent unless the
            series says otherwise; few large ones count as fewer.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> chapters = np.repeat(generator.normal(size=5), 400) + 0.5 * generator.normal(size=2000)
        >>> 2 < find_blocks(chapters).count < 7
        True
    """
    total = len(series)
    most, degrees, count = _without_dependence(total, overlap, sizes)
    powers = _cosines(series) ** 2
    if total < 3 or float(powers.sum()) <= 1e-24 * total * float(np.square(series).max()):
        return Blocks(most, degrees, count)
    corner = _corner(powers, _FLAT if sizes is None else _FLAT_DOCUMENTS)
    limit = corner / 2 if sizes is not None else min(corner / 2, _flat_terms(powers, most))
    count = min(count, math.pi / 2 * corner)
    if limit >= degrees:
        return Blocks(most, degrees, count)
    terms = min(most, max(_LEAST_TERMS, int(limit)))
    return Blocks(terms, min(degrees, float(terms)), count)


def long_run_variance(series: Array, terms: int) -> Array:
    """N times the variance of the mean of a series whose neighbours resemble each other, from its slow cosines.

    .. math:: \\hat\\Omega = \\frac{1}{B} \\sum_{j=1}^{B} \\Lambda_j^2, \\quad
        \\Lambda_j = \\sqrt{2/N} \\sum_{t=1}^{N} x_t \\cos(\\pi j (t - 1/2) / N)

    (Müller 2007; equal-weighted cosines, Lazarus, Lewis, Stock & Watson 2018). The mean divided by the root of
    :math:`\\hat\\Omega / N` has Student's t distribution with B degrees of freedom where the spectrum is flat over the
    B slowest frequencies. With all N - 1 terms it is the plain variance.

    Args:
        series: (.., N) in the order of time.
        terms: B.

    Returns:
        (..).

    Raises:
        ShapeError: B is not from 1 to N - 1.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=4000)
        >>> trend = np.convolve(noise, np.ones(5), "valid")  # each value five parts of noise: in the long run 5 * 5
        >>> round(float(long_run_variance(trend, 3995))), 20 < float(long_run_variance(trend, 100)) < 30
        (5, True)
    """
    total = series.shape[-1]
    if not 1 <= terms < total:
        raise ShapeError("so many cosine terms do not fit the series", expected=f"1 to {total - 1}", got=terms)
    if terms == total - 1:
        return np.asarray(np.var(series, axis=-1, ddof=1))
    found: Array = np.mean(_cosines(series)[..., :terms] ** 2, axis=-1)
    return found


def joined(values: Array, borders: Sequence[int] = ()) -> tuple[Array, Array | None]:
    """Examples joined to at most 4,096 groups of neighbours: to documents where their borders are known.

    Args:
        values: (.., N).
        borders: the first example of each document but the first; empty: none are known.

    Returns:
        (values, sizes): (.., G) groups, weighted so that their mean is that of the examples; and the (G,) sizes of the
        documents, None where none are known.

    Raises:
        ShapeError: borders that do not rise, or lie outside 1 to N - 1.

    Example:
        >>> joined(np.array([1.0, 3.0, 5.0]), [2])
        (array([1.66666667, 4.33333333]), array([2., 1.]))
    """
    if not len(borders):
        return grouped(values, MOST_GROUPS), None
    total = values.shape[-1]
    starts = np.concatenate([[0], np.asarray(borders, dtype=np.int64)])
    if starts[-1] >= total or (np.diff(starts) <= 0).any():
        raise ShapeError("borders of documents do not fit", expected=f"rising, from 1 to {total - 1}", got=borders[-1])
    if len(starts) > MOST_GROUPS:
        starts = starts[np.arange(MOST_GROUPS) * len(starts) // MOST_GROUPS]
    return _summed(values, starts), np.diff([*starts, total]).astype(np.float64)


def grouped(values: Array, most: int) -> Array:
    """Neighbouring examples joined to at most so many groups, so that millions of tokens cost no more than thousands.

    Args:
        values: (.., N).
        most: G, the largest number of groups.

    Returns:
        (.., G), or values itself where N <= G. The groups' sizes differ by one at most; each is weighted so that the
        mean over groups is exactly the mean over examples.

    Example:
        >>> grouped(np.array([1.0, 3.0, 5.0, 7.0]), 2)
        array([2., 6.])
    """
    total = values.shape[-1]
    return values if total <= most else _summed(values, np.arange(most) * total // most)


def _summed(values: Array, starts: npt.NDArray[np.int64]) -> Array:
    mean = values.mean(axis=-1, keepdims=True)
    sums: Array = np.add.reduceat(values - mean, starts, axis=-1) * (len(starts) / values.shape[-1]) + mean
    return sums


def _cosines(series: Array) -> Array:
    """The coefficients of the cosines 1 to N - 1: (.., N - 1)."""
    from scipy.fft import dct

    centred = series - series.mean(axis=-1, keepdims=True)
    found: Array = dct(centred, type=2, axis=-1, norm="ortho")[..., 1:]
    return found


def _without_dependence(total: int, overlap: int, sizes: Array | None) -> tuple[int, float, float]:
    """Terms, degrees of freedom and independent blocks where nothing but overlap or documents makes examples alike."""
    if sizes is not None:
        degrees = max(1.0, float(np.sum(sizes**2)) ** 2 / float(np.sum(sizes**4)) - 1)
        return total - 1, degrees, degrees + 1
    most = min(total - 1, max(_USUAL_TERMS, math.floor(0.41 * total ** (2 / 3))))
    if overlap > 1:
        most = min(most, max(2, total // (2 * overlap)))
    return most, float(most), (total - 1) / overlap + 1


def _corner(powers: Array, prior: float) -> float:
    """c, the frequency below which the spectrum rises, cautiously estimated; infinite: it is flat (with that prior)."""
    powers = powers[:_FREQUENCIES]
    count = len(powers)
    frequencies = np.arange(1, count + 1)
    corners = 2.0 ** np.arange(1, math.log2(max(count, 2.1)), 0.5)
    rises = 1 / (1 + (frequencies / corners[:, None]) ** 2)
    shapes = (1 + _RATIOS[:, None] * rises[:, None, :]).reshape(-1, count)
    height = (powers / shapes).mean(axis=1)
    likelihood = -0.5 * (count * np.log(height) + np.log(shapes).sum(axis=1)).reshape(len(corners), -1)
    flat = -0.5 * count * math.log(powers.mean())
    top = max(flat, float(likelihood.max()))
    weights = np.exp(likelihood - top).mean(axis=1) * (1 - prior) / len(corners)
    shares = np.cumsum(weights) / (weights.sum() + prior * math.exp(flat - top))
    return float(corners[np.argmax(shares >= _CAUTION)]) if shares[-1] >= _CAUTION else math.inf


def _flat_terms(powers: Array, most: float) -> float:
    """How many terms, doubled from eight on, are not above the band of the following frequencies."""
    from scipy.stats import f

    sums = np.concatenate([[0.0], np.cumsum(powers)])
    terms = _USUAL_TERMS
    while terms < most:
        end = min(_BAND * terms, len(powers))
        if end <= terms:
            break
        beyond = (sums[end] - sums[terms]) / (end - terms)
        if beyond <= 0.0 or f.sf(sums[terms] / terms / beyond, terms, end - terms) < _BAND_LEVEL:
            return terms
        terms = 2 * terms
    return math.inf
