"""An estimate with its interval, and the checks that every function of this package makes of its input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError, ShapeError

__all__ = ["Array", "Interval", "Scores", "as_table", "check_level", "normal_quantile", "wilson_interval"]

Array = npt.NDArray[np.float64]
Scores = npt.NDArray[np.floating] | npt.NDArray[np.bool_] | npt.NDArray[np.integer]


@dataclass(frozen=True)
class Interval:
    """An estimate with its two-sided interval.

    Example:
        >>> Interval(0.88, 0.87, 0.89, 0.95).half_width
        0.01
    """

    estimate: float
    low: float
    high: float
    level: float = 0.95

    @property
    def half_width(self) -> float:
        """Half the distance between the two ends."""
        return round((self.high - self.low) / 2, 12)

    def holds(self, value: float) -> bool:
        """Whether a value lies inside, ends included.

        Example:
            >>> Interval(0.1, -0.1, 0.3).holds(0.0)
            True
        """
        return self.low <= value <= self.high


def wilson_interval(correct: float, total: float, level: float = 0.95, *, quantile: float | None = None) -> Interval:
    """Interval of a proportion over N independent examples (Wilson 1927).

    .. math:: \\frac{\\hat p + z^2/2N}{1 + z^2/N} \\pm \\frac{z}{1 + z^2/N}\\sqrt{\\hat p(1-\\hat p)/N + z^2/4N^2}

    Unlike the textbook interval it keeps its coverage near 0 and 1 and never leaves [0, 1].

    Args:
        correct: how many of the examples are right.
        total: N, at least 1. Both need not be whole: examples that resemble each other count as fewer.
        level: probability that such intervals hold the true proportion.
        quantile: used in place of the normal distribution's z.

    Raises:
        OptionError: the counts or the level make no sense.

    Example:
        >>> interval = wilson_interval(886, 1000)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.865, 0.904)
    """
    check_level(level)
    if total < 1 or not 0 <= correct <= total:
        raise OptionError("these counts give no proportion", expected="0 <= correct <= total", got=f"{correct}/{total}")
    z = normal_quantile(0.5 + level / 2) if quantile is None else quantile
    share = correct / total
    shrink = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    reach = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return Interval(share, max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach)), level)


def as_table(contributions: Scores, numbers: int = 1) -> Array:
    """Contributions as a table (S, N), or (S, N, K) where K > 1, of float64; (N,) or (N, K) is one seed.

    Args:
        contributions: of one model.
        numbers: K, how many numbers an example contributes.

    Raises:
        ShapeError: another rank or K, no seed, fewer than two examples, or a value that is not finite.

    Example:
        >>> as_table(np.array([1, 0, 1])).shape, as_table(np.ones((4, 3)), 3).shape
        ((1, 3), (1, 4, 3))
    """
    table = np.asarray(contributions, dtype=np.float64)
    rank = 2 if numbers == 1 else 3
    table = table[None] if table.ndim == rank - 1 else table
    if table.ndim != rank or table.shape[0] < 1 or table.shape[1] < 2 or table.shape[2:] not in ((), (numbers,)):
        raise ShapeError(
            "contributions must be a table of seeds and examples",
            expected="(S >= 1, N >= 2)" if numbers == 1 else f"(S >= 1, N >= 2, {numbers})",
            got=table.shape,
        )
    if not np.isfinite(table).all():
        place = tuple(int(index[0]) for index in np.nonzero(~np.isfinite(table)))
        raise ShapeError(
            "a contribution is not finite",
            expected="finite numbers",
            got=f"{table[place]} at seed {place[0]}, example {place[1]}",
            fix="leave the diverged run out",
        )
    return table


def check_level(level: float) -> None:
    """Refuse a level outside (0, 1).

    Example:
        >>> check_level(95)
        Traceback (most recent call last):
        gatewise.errors.OptionError: the level of an interval is out of range; expected: between 0 and 1; got: 95
    """
    if not 0.0 < level < 1.0:
        raise OptionError("the level of an interval is out of range", expected="between 0 and 1", got=level)


def normal_quantile(probability: float) -> float:
    """The standard normal distribution's quantile.

    Example:
        >>> round(normal_quantile(0.975), 2)
        1.96
    """
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)
