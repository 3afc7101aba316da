"""Where along the lags a gradient lies: the median lag of a memory curve, and its spread over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MedianLag", "median_lag", "median_lag_over", "settled"]

_TAIL = 0.05

Norms = Sequence[float] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class MedianLag:
    """The median lag of several networks, one per seed.

    Args:
        mean: of their median lags, in steps.
        least: of them.
        most: of them.
        runs: how many networks.
        settled: whether it is so for each of them (`settled`); else the mean is a lower bound.

    Example:
        >>> str(MedianLag(12.1, 9.4, 15.0, 3, True)), str(MedianLag(41.3, 41.3, 41.3, 1, False))
        ('12 (9.4 to 15)', '> 41')
    """

    mean: float
    least: float
    most: float
    runs: int
    settled: bool

    def __str__(self) -> str:
        """``12 (9.4 to 15)``: mean and range; ``> 41``: a lower bound."""
        said = f"{'' if self.settled else '> '}{_steps(self.mean)}"
        return said if self.runs == 1 else f"{said} ({_steps(self.least)} to {_steps(self.most)})"


def median_lag(norms: Norms) -> float | None:
    """The lag within which half of the squared gradient lies.

    With :math:`C_k = \\sum_{i \\le k} n_i^2`, what lies within k steps, it is the m at which C, drawn as a line through
    the points :math:`(k + 1/2, C_k)` from (-1/2, 0), reaches half of its last value; at least 0. Unlike the half-life
    of a fitted exponential it does not depend on how many lags were measured as soon as they hold nearly all of the
    gradient (`settled`); until then it is a lower bound.

    Args:
        norms: n, one per lag, from lag 0.

    Returns:
        Steps; None where there is no gradient, or one lag alone.

    Example:
        >>> [round(median_lag([0.9**k for k in range(lags)]), 1) for lags in (50, 100, 200)]
        [2.8, 2.8, 2.8]
        >>> median_lag([1.0, 0.0, 0.0]), median_lag([1.0] * 101)
        (0.0, 50.0)
    """
    mass = np.square(np.asarray(norms, dtype=np.float64) / max(1e-300, float(np.max(norms, initial=0.0))))
    if len(mass) < 2 or mass.sum() == 0.0:
        return None
    within = np.concatenate([[0.0], np.cumsum(mass)])
    place = int(np.searchsorted(within, within[-1] / 2))
    part = (within[-1] / 2 - within[place - 1]) / (within[place] - within[place - 1])
    return max(0.0, float(place - 1.5 + part))


def settled(norms: Norms) -> bool:
    """Whether more lags would hardly move the median lag: at most a twentieth of the mass lies in their second half.

    Example:
        >>> settled([0.9**k for k in range(50)]), settled([0.99**k for k in range(50)])
        (True, False)
    """
    mass = np.square(np.asarray(norms, dtype=np.float64) / max(1e-300, float(np.max(norms, initial=0.0))))
    return bool(mass[(len(mass) + 1) // 2 :].sum() <= _TAIL * mass.sum())


def median_lag_over(curves: Iterable[Norms]) -> MedianLag | None:
    """The median lags of several networks together; None where none has one.

    Example:
        >>> str(median_lag_over([[0.9**k for k in range(60)], [0.95**k for k in range(60)]]))
        '4.5 (2.8 to 6.2)'
    """
    known = [(found, settled(norms)) for norms in curves if (found := median_lag(norms)) is not None]
    if not known:
        return None
    lags = [found for found, _ in known]
    return MedianLag(float(np.mean(lags)), min(lags), max(lags), len(lags), all(each for _, each in known))


def _steps(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
