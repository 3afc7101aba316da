"""Times that were measured in turns: an interval for each, and for each ratio, paired by round; what may be said of it.

In a round everything is measured once, in an order drawn anew. So whatever a busy machine does hits one model as likely
as another: of two that take the same time, each round's log ratio is as likely positive as negative, whatever the
noise. Wilcoxon's signed ranks need no more than that.

Axis letters: R rounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError
from gatewise.statistics.classical import holm

__all__ = [
    "LEAST_ROUNDS",
    "SAME_TIME",
    "Location",
    "PairedTime",
    "paired_times",
    "reading_of",
    "rounds_needed",
    "signed_rank",
    "typical_time",
]

SAME_TIME = 0.05
"""Times less than this fraction apart are the same."""
LEAST_ROUNDS = 12
"""Fewer rounds are not measured: of six no interval excludes anything, of twelve p can be 0.0005."""
_SIGNIFICANCE = 0.05
_EXACT = 60
Reading = Literal["faster", "slower", "same", "undecided"]


@dataclass(frozen=True)
class Location:
    """The centre of R values with its interval.

    Attributes:
        estimate: the median of the means of all pairs (Hodges and Lehmann, 1963).
        low: lower end.
        high: upper end.
        level: of the interval.
        p_value: two-sided, of "the centre is 0".
        rounds: R.
    """

    estimate: float
    low: float
    high: float
    level: float
    p_value: float
    rounds: int


@dataclass(frozen=True)
class PairedTime:
    """Two models' times of one quantity.

    Attributes:
        quantity: what was timed.
        first: name of a model.
        second: name of another.
        estimate: the first one's time as a multiple of the second one's.
        low: lower end of its interval.
        high: upper end.
        level: of the interval.
        p_value: of "the same time".
        adjusted_p_value: corrected for all pairs of all quantities (Holm, 1979).
        reading: see `reading_of`.
        rounds: R.
    """

    quantity: str
    first: str
    second: str
    estimate: float
    low: float
    high: float
    level: float
    p_value: float
    adjusted_p_value: float
    reading: Reading
    rounds: int


def signed_rank(values: npt.ArrayLike, level: float = 0.95) -> Location | None:
    """Centre of values that scatter symmetrically, by Wilcoxon's (1945) signed ranks; exact up to 60 values.

    .. math:: T = \\#\\{i \\le j : (x_i + x_j) / 2 > 0\\}

    The interval holds every centre that the test at ``1 - level`` does not refuse.

    Args:
        values: (R,) differences, or log ratios.
        level: of the interval.

    Returns:
        None where R is too small for an interval of this level (five for 95 %).

    Example:
        >>> found = signed_rank([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 9.0])
        >>> round(found.estimate, 2), round(found.low, 2), round(found.high, 2), round(found.p_value, 3)
        (0.4, 0.2, 4.75, 0.016)
        >>> signed_rank([0.1, 0.2]) is None
        True
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise OptionError("the values of a signed-rank test are not a row of finite numbers", got=f"{x.shape}")
    below = _below(len(x)) if len(x) else np.ones(1)
    outside = (1.0 - level) / 2
    if below[0] > outside:
        return None
    first, second = np.triu_indices(len(x))
    means = np.sort((x[first] + x[second]) / 2)
    cut = int(np.searchsorted(below, outside, side="right")) - 1
    above = int((means > 0).sum()) + 0.5 * int((means == 0).sum())
    rarer = math.ceil(min(above, len(means) - above))
    return Location(
        estimate=float(np.median(means)),
        low=float(means[cut]),
        high=float(means[len(means) - 1 - cut]),
        level=level,
        p_value=min(1.0, 2.0 * float(below[rarer])),
        rounds=len(x),
    )


@cache
def _below(count: int) -> npt.NDArray[np.float64]:
    """P(T <= t) for t = 0, 1, ... under symmetry about 0."""
    most = count * (count + 1) // 2
    if count > _EXACT:
        from scipy.stats import norm

        spread = math.sqrt(most * (2 * count + 1) / 12)
        return np.asarray(norm.cdf((np.arange(most + 1) + 0.5 - most / 2) / spread), dtype=np.float64)
    chances = np.ones(1)
    for rank in range(1, count + 1):
        longer = np.zeros(len(chances) + rank)
        longer[: len(chances)] += chances / 2
        longer[rank:] += chances / 2
        chances = longer
    return np.asarray(np.cumsum(chances), dtype=np.float64)


def typical_time(seconds: npt.ArrayLike, level: float = 0.95, *, of_sum: bool = False) -> Location | None:
    """A time out of R rounds, with its interval; None for too few rounds.

    The median with the interval between two ordered values that the binomial distribution gives, whatever the noise;
    where the rounds' times are of different work and their sum is wanted, the centre of `signed_rank`.

    Args:
        seconds: (R,) times.
        level: of the interval.
        of_sum: the rounds are parts of a whole, whose mean part is wanted.

    Example:
        >>> found = typical_time([1.0, 1.1, 1.0, 1.2, 1.1, 1.0, 7.0])
        >>> found.estimate, found.low, found.high
        (1.1, 1.0, 7.0)
    """
    if of_sum:
        return signed_rank(seconds, level)
    from scipy.stats import binom

    x = np.sort(np.asarray(seconds, dtype=np.float64))
    cut = int(binom.ppf((1 - level) / 2, len(x), 0.5)) - 1 if len(x) else -1
    if cut < 0:
        return None
    return Location(float(np.median(x)), float(x[cut]), float(x[len(x) - 1 - cut]), level, 0.0, len(x))


def paired_times(
    samples: Mapping[str, Mapping[str, Sequence[float]]], *, level: float = 0.95, same: float = SAME_TIME
) -> list[PairedTime]:
    """Every pair of models in every quantity: ratio of their times, paired by round, and what may be said of it.

    Args:
        samples: for each quantity and model, (R,) one time a round; all models of a quantity in the same rounds.
        level: of the intervals, which are not corrected; the readings are, over all pairs of all quantities.
        same: times less than this fraction apart are the same.

    Raises:
        OptionError: a time that is not positive, or models with different numbers of rounds.

    Example:
        >>> twice = {"gru": [2.0 + 0.01 * r for r in range(12)], "rnn": [1.0 + 0.01 * (r % 5) for r in range(12)]}
        >>> (pair,) = paired_times({"step": twice})
        >>> round(pair.estimate, 1), pair.reading
        (2.0, 'slower')
    """
    found: list[tuple[str, str, str, Location]] = []
    for quantity, models in samples.items():
        for first, second in combinations(models, 2):
            one, two = (np.asarray(models[name], dtype=np.float64) for name in (first, second))
            if one.shape != two.shape or (one <= 0).any() or (two <= 0).any():
                raise OptionError(
                    f"the times of {first} and {second} ({quantity}) cannot be paired",
                    expected="as many positive times of each",
                    got=f"{len(one)} and {len(two)}, the least {min(one.min(initial=1), two.min(initial=1)):g}",
                )
            location = signed_rank(np.log(one / two), level)
            if location is not None:
                found.append((quantity, first, second, location))
    adjusted = holm([location.p_value for *_, location in found])
    pairs = []
    for (quantity, first, second, at), p_value in zip(found, adjusted, strict=True):
        estimate, low, high = (math.exp(value) for value in (at.estimate, at.low, at.high))
        pairs.append(
            PairedTime(
                quantity=quantity,
                first=first,
                second=second,
                estimate=estimate,
                low=low,
                high=high,
                level=level,
                p_value=at.p_value,
                adjusted_p_value=p_value,
                reading=reading_of(estimate, low, high, p_value, same=same),
                rounds=at.rounds,
            )
        )
    return pairs


def reading_of(
    estimate: float, low: float, high: float, p_value: float, *, same: float = SAME_TIME, significance: float = 0.05
) -> Reading:
    """What may be said of a ratio of times.

    ``same`` where the whole interval lies within the fraction that counts as the same, either way; ``faster`` or
    ``slower`` where the corrected p value is below the significance and the ratio lies beyond that fraction;
    ``undecided`` otherwise.

    Example:
        >>> reading_of(0.8, 0.7, 0.9, 0.001), reading_of(0.99, 0.97, 1.01, 0.4), reading_of(0.8, 0.5, 1.1, 0.2)
        ('faster', 'same', 'undecided')
        >>> reading_of(0.97, 0.94, 0.99, 0.001)  # differs, but not shown to be beyond 5 %, nor within it
        'undecided'
    """
    if low >= 1 / (1 + same) and high <= 1 + same:
        return "same"
    if p_value >= significance or 1 / (1 + same) < estimate < 1 + same:
        return "undecided"
    return "faster" if estimate < 1 else "slower"


def rounds_needed(pairs: int, *, significance: float = _SIGNIFICANCE) -> int:
    """How many rounds it takes until the smallest p value that they can give passes Holm's correction with room.

    Example:
        >>> rounds_needed(3), rounds_needed(135)
        (12, 14)
    """
    return max(LEAST_ROUNDS, 2 + math.ceil(math.log2(max(1, pairs) / significance)))
