"""Several data sets at once: what runs of a model reach over all of them, with intervals over their seeds.

Axis letters: D data sets, S seeds (runs), Q thresholds. *Runs* of a model are D arrays (S,), one per data set; their
lengths may differ. After Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError, ShapeError
from gatewise.statistics.components import t_quantile
from gatewise.statistics.intervals import Array, Interval, check_level

__all__ = ["DRAWS", "Runs", "improvement_probability", "interquartile_mean", "performance_profile"]

DRAWS = 2000
"""Resamples of the stratified bootstrap."""
_UNIT = 3.84
Runs = Sequence[npt.ArrayLike]
"""A model's runs: (S,) for each of D data sets."""


def interquartile_mean(
    runs: Runs, generator: np.random.Generator, *, level: float = 0.95, draws: int = DRAWS
) -> Interval:
    """The mean of the middle half of all runs of all data sets, every data set with the same weight.

    A quarter of the weight is cut off at each end, a run at the border counts with what is left of it. The interval is
    that of a stratified bootstrap: each data set's runs are drawn anew from its own. What is drawn lies as far from its
    data set's mean as new runs would, by the root of S / (S - 1) (Davison and Hinkley 1997, section 2.4), and the
    interval reaches farther by the ratio of Student's quantile, at all data sets' degrees of freedom, and the normal
    one.

    Args:
        runs: a model's scores, (S,) for each of D data sets; all on one scale.
        generator: source of the draws.
        level: of the interval.
        draws: of the bootstrap.

    Returns:
        The figure with its interval, which allows for other seeds; not for other data sets, nor other test examples.

    Raises:
        ShapeError: no data set, one without a run, or a score that is not finite.
        OptionError: a level outside (0, 1), or too few draws.

    Example:
        >>> found = interquartile_mean([[0.1, 0.2], [0.3, 0.4]], np.random.default_rng(0))
        >>> round(found.estimate, 3), found.low < 0.25 < found.high
        (0.25, True)
    """
    check_level(level)
    _check_draws(draws)
    values = _checked(runs)
    weights = np.concatenate([np.full(len(scores), 1 / (len(scores) * len(values))) for scores in values])
    estimate = float(_middle_half(np.concatenate(values)[None], weights)[0])
    drawn = []
    for scores in values:
        picked = generator.choice(scores, size=(draws, len(scores)))
        drawn.append(scores.mean() + _wider(len(scores)) * (picked - scores.mean()))
    tail = (1 - level) / 2
    low, high = np.quantile(_middle_half(np.concatenate(drawn, axis=1), weights), [tail, 1 - tail])
    degrees = max(1, sum(len(scores) - 1 for scores in values))
    reach = t_quantile(1 - tail, degrees) / t_quantile(1 - tail, math.inf)
    return Interval(
        estimate,
        estimate - reach * max(0.0, estimate - float(low)),
        estimate + reach * max(0.0, float(high) - estimate),
        level,
    )


def improvement_probability(
    first: Runs,
    second: Runs,
    generator: np.random.Generator,
    *,
    higher_is_better: Sequence[bool] | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
) -> Interval:
    """How probable it is that a run of the first beats a run of the second, on a data set drawn from these.

    .. math:: P = \\frac{1}{D} \\sum_d \\frac{1}{S_1 S_2} \\sum_{i,j} [x_{di} > y_{dj}] + \\tfrac12 [x_{di} = y_{dj}]

    Mann and Whitney's statistic, averaged over data sets; it needs no common scale. The interval is that of a
    stratified bootstrap over the runs, its deviations multiplied by the root of S / (S - 1), since S runs drawn from S
    spread less than S new ones. It reaches at least as far as z² = 3.84 more runs, all won or all lost, would move it.

    Args:
        first: runs of a model, (S,) for each of D data sets.
        second: runs of another on the same data sets.
        generator: source of the draws.
        higher_is_better: the direction of each data set's figure; None: higher on all.
        level: of the interval.
        draws: of the bootstrap.

    Raises:
        ShapeError: other numbers of data sets, one without a run, or a figure that is not finite.
        OptionError: a level outside (0, 1), or too few draws.

    Example:
        >>> found = improvement_probability([[3, 4, 5]], [[1, 2, 3]], np.random.default_rng(0))
        >>> round(found.estimate, 3), found.high
        (0.944, 1.0)
    """
    check_level(level)
    _check_draws(draws)
    ours, theirs = _checked(first), _checked(second)
    if len(ours) != len(theirs):
        raise ShapeError("the two were run on other data sets", expected=len(ours), got=len(theirs))
    signs = [1.0 if up else -1.0 for up in higher_is_better or [True] * len(ours)]
    if len(signs) != len(ours):
        raise ShapeError("a direction for each data set is wanted", expected=len(ours), got=len(signs))
    estimate, drawn, runs = 0.0, np.zeros(draws), 0
    for sign, one, two in zip(signs, ours, theirs, strict=True):
        gaps = sign * (one[:, None] - two[None, :])
        won = (gaps > 0) + 0.5 * (gaps == 0)
        estimate += float(won.mean()) / len(ours)
        counts = [generator.multinomial(len(x), np.full(len(x), 1 / len(x)), size=draws) / len(x) for x in (one, two)]
        wider = _wider(min((len(x) for x in (one, two) if len(x) > 1), default=1))
        drawn += wider * (np.einsum("bi,ij,bj->b", counts[0], won, counts[1]) - won.mean()) / len(ours)
        runs += min(len(one), len(two)) if min(len(one), len(two)) > 1 else max(len(one), len(two))
    tail = (1 - level) / 2
    low, high = (estimate + float(value) for value in np.quantile(drawn, [tail, 1 - tail]))
    least, most = estimate * runs / (runs + _UNIT), (estimate * runs + _UNIT) / (runs + _UNIT)
    return Interval(estimate, max(0.0, min(low, least)), min(1.0, max(high, most)), level)


def performance_profile(
    runs: Runs, thresholds: npt.ArrayLike, generator: np.random.Generator, *, level: float = 0.95, draws: int = DRAWS
) -> tuple[Array, Array, Array]:
    """The share of runs whose score is above each threshold, every data set with the same weight.

    Args:
        runs: a model's scores, (S,) for each of D data sets; all on one scale.
        thresholds: (Q,).
        generator: source of the draws.
        level: of the pointwise band.
        draws: of the stratified bootstrap over runs.

    Returns:
        Three of (Q,): the share, and the lower and the upper end of its band.

    Example:
        >>> share, low, high = performance_profile([[0.1, 0.3], [0.2, 0.4]], [0.0, 0.25, 0.5], np.random.default_rng(0))
        >>> share.tolist(), bool((low <= share).all() and (share <= high).all())
        ([1.0, 0.5, 0.0], True)
    """
    check_level(level)
    _check_draws(draws)
    values, at = _checked(runs), np.asarray(thresholds, dtype=np.float64)
    share, drawn = np.zeros(len(at)), np.zeros((draws, len(at)))
    for scores in values:
        above = (scores[:, None] > at[None, :]).astype(np.float64)
        counts = generator.multinomial(len(scores), np.full(len(scores), 1 / len(scores)), size=draws) / len(scores)
        share += above.mean(axis=0) / len(values)
        drawn += _wider(len(scores)) * (counts @ above - above.mean(axis=0)) / len(values)
    tail = (1 - level) / 2
    low, high = share + np.quantile(drawn, tail, axis=0), share + np.quantile(drawn, 1 - tail, axis=0)
    return share, np.clip(low, 0.0, share), np.clip(high, share, 1.0)


def _middle_half(values: Array, weights: Array) -> Array:
    """The weighted mean of the middle half, row by row: (B, R) values and (R,) weights that sum to 1 give (B,)."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered, shares = np.take_along_axis(values, order, axis=1), weights[order]
    ends = np.cumsum(shares, axis=1)
    inside = np.clip(np.minimum(ends, 0.75) - np.maximum(ends - shares, 0.25), 0.0, None)
    found: Array = (ordered * inside).sum(axis=1) / inside.sum(axis=1)
    return found


def _wider(seeds: int) -> float:
    """By how much deviations of S runs drawn from S fall short of those of S new ones."""
    return math.sqrt(seeds / (seeds - 1)) if seeds > 1 else 1.0


def _checked(runs: Runs) -> list[Array]:
    values = [np.asarray(scores, dtype=np.float64) for scores in runs]
    if not values or any(scores.ndim != 1 or not len(scores) for scores in values):
        raise ShapeError("runs do not fit", expected="(S,) of at least one run for each data set")
    if not all(np.isfinite(scores).all() for scores in values):
        raise ShapeError("a score is not finite", expected="finite numbers")
    return values


def _check_draws(draws: int) -> None:
    if draws < 100:
        raise OptionError("too few draws of the bootstrap", expected="at least 100", got=draws)
