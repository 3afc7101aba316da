"""How much of what a network learned came at the end: whether it was stopped while it still improved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gatewise.errors import ShapeError
from gatewise.statistics.components import variance_components
from gatewise.statistics.intervals import Scores, as_table
from gatewise.statistics.measure import Measure, linearised

__all__ = ["LAST_PART", "Progress", "late_progress", "learning_time", "paired_error"]

LAST_PART = 0.25
_LEAST_POINTS = 4


@dataclass(frozen=True)
class Progress:
    """What the last quarter of a network's learning brought on the validation part.

    Attributes:
        first_epoch: the epoch after which the last quarter begins; the curve from there on is judged.
        gain: by how much the figure became better in it, in its own unit; negative where it became worse.
        noise: standard error of the gain.
        share: the gain as a fraction of all that was learned since the start.
    """

    first_epoch: int
    gain: float
    noise: float
    share: float


def learning_time(rates: Sequence[float]) -> list[float]:
    """How much of its learning a network has behind it after each epoch: the sum of the learning rates, as a fraction.

    The rate of an epoch is the mean of those at its ends. With a rate that falls linearly to zero, half of the epochs
    are three quarters of the learning.

    Args:
        rates: of the last step of each epoch.

    Example:
        >>> [round(each, 2) for each in learning_time([0.75, 0.5, 0.25, 0.0])]
        [0.44, 0.75, 0.94, 1.0]
        >>> learning_time([0.1, 0.1])
        [0.5, 1.0]
    """
    first = rates[0] + max(0.0, rates[0] - rates[1]) if len(rates) > 1 else rates[0]
    before = [first, *rates[:-1]]
    done = np.cumsum([(one + two) / 2 for one, two in zip(before, rates, strict=True)])
    if done[-1] <= 0:
        done = np.arange(1.0, len(rates) + 1)
    return [float(each) for each in done / done[-1]]


def late_progress(
    figures: Sequence[float],
    rates: Sequence[float],
    measure: Measure,
    *,
    error: float,
    trivial: float | None = None,
) -> Progress | None:
    """What the last quarter of the learning brought; None with fewer than two epochs, which are no curve.

    With four epochs or more in the last quarter the gain is that of the straight line through their figures over the
    learning time (least squares), and its noise what the figures scatter about the line, or ``error`` if that is more.
    With fewer it is the difference of the last figure to the quarter's first, and its noise is ``error``.

    All that was learned counts from the worse one of ``trivial`` and the first epoch's figure; of a perplexity in nats.

    Args:
        figures: on the validation part after each epoch.
        rates: learning rate of the last step of each epoch.
        measure: what the figures are.
        error: standard error of the difference of two such figures, see `paired_error`.
        trivial: figure of knowing nothing; None: not known.

    Example:
        >>> from gatewise.statistics import Mean
        >>> accuracy = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
        >>> rising = late_progress([0.5, 0.62], [1e-3, 0.0], accuracy, error=0.02, trivial=0.5)
        >>> round(rising.gain, 2), round(rising.share, 2)
        (0.12, 1.0)
        >>> flat = late_progress([0.86, 0.873], [1e-3, 0.0], accuracy, error=0.01, trivial=0.5)
        >>> round(flat.gain, 3), round(flat.share, 2)
        (0.013, 0.03)
    """
    if len(figures) < 2:
        return None
    sign = 1.0 if measure.higher_is_better else -1.0
    done = learning_time(rates)
    begin = max(place for place, at in enumerate(done[:-1]) if place == 0 or at <= 1 - LAST_PART + 1e-9)
    values, times = np.array([sign * each for each in figures[begin:]]), np.array(done[begin:])
    gain, noise = float(values[-1] - values[0]), error
    if len(values) >= _LEAST_POINTS and np.ptp(times) > 0:
        slope, height = np.polyfit(times, values, 1)
        spread = float(np.sum((values - height - slope * times) ** 2)) / (len(values) - 2)
        reach = float(times[-1] - times[0])
        gain = float(slope) * reach
        noise = max(error, math.sqrt(spread / float(np.sum((times - times.mean()) ** 2))) * reach)
    start = figures[0] if trivial is None else sign * min(sign * trivial, sign * figures[0])
    return Progress(begin + 1, gain, noise, _share(gain, start, figures[-1], measure))


def _share(gain: float, start: float, last: float, measure: Measure) -> float:
    """The gain by all that was learned."""
    if gain <= 0:
        return 0.0
    if measure.form == "exp" and min(start, last) > 0:
        learned, gained = math.log(start / last), math.log1p(gain / last)
    else:
        learned, gained = abs(start - last), gain
    return min(1.0, gained / max(learned, gained))


def paired_error(first: Scores, second: Scores | None, measure: Measure, *, examples: int | None = None) -> float:
    """Standard error of the difference of two networks' figures on the same examples, each of one seed.

    Args:
        first: (N,) contributions, or (N, K).
        second: of the other network; None: there is none, and the two count as independent.
        measure: what they contribute to.
        examples: the size of the part on which the difference is asked for; None: N.

    Raises:
        ShapeError: the two are not of the same examples.

    Example:
        >>> from gatewise.statistics import MEAN
        >>> right = np.array([1.0, 0.0] * 50)
        >>> paired_error(right, right, MEAN), round(paired_error(right, 1 - right, MEAN), 2)
        (0.0, 0.1)
    """
    one = as_table(first, measure.numbers)
    two = one if second is None else as_table(second, measure.numbers)
    if one.shape != two.shape or len(one) != 1:
        raise ShapeError(
            "the two networks do not fit", expected="one seed, the same examples", got=(one.shape, two.shape)
        )
    measure = measure.sized(one.shape[1])
    lines = [linearised(table, table.mean(axis=(0, 1)), measure) for table in (one, two)]
    rows = math.sqrt(2) * lines[0] if second is None else lines[0] - lines[1]
    serial = measure.dependence == "serial"
    parts = variance_components(rows, serial=serial, overlap=measure.overlap, borders=measure.borders)
    return parts.error * math.sqrt(one.shape[1] / examples if examples else 1.0)
