"""One model's figure with its interval over seeds and examples."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from gatewise.statistics.clusters import clustered, over_clusters
from gatewise.statistics.components import Components, block_length, variance_components
from gatewise.statistics.intervals import Array, Interval, Scores, as_table, check_level, wilson_interval
from gatewise.statistics.intervals import normal_quantile as _normal
from gatewise.statistics.measure import Mean, Measure
from gatewise.statistics.resampling import RESAMPLES, bca_reach

__all__ = [
    "MEAN",
    "Estimate",
    "Over",
    "estimate_figure",
    "is_binary",
    "linearised",
    "mean_interval",
    "t_quantile",
    "unit_error",
]

Over = Literal["examples", "seeds and examples"]
MEAN = Mean("mean", "mean", higher_is_better=True)
"""The measure that is the mean contribution itself."""


@dataclass(frozen=True)
class Estimate:
    """One model's figure on the test part.

    Args:
        interval: the figure and its interval.
        deviation: standard deviation of the figure over seeds; None with one seed.
        per_seed: the figure of each seed.
        examples: N.
        over: what the interval allows for. ``examples``: other examples, but not other seeds, because there is one.
        method: how the interval was made, in words.

    Example:
        >>> estimate = estimate_figure(np.array([1, 1, 1, 0] * 50), MEAN, np.random.default_rng(0))
        >>> estimate.interval.estimate, estimate.over, estimate.deviation
        (0.75, 'examples', None)
    """

    interval: Interval
    deviation: float | None
    per_seed: tuple[float, ...]
    examples: int
    over: Over
    method: str

    def to_dict(self) -> dict[str, Any]:
        """A flat dictionary, ready for JSON: ``estimate``, ``low``, ``high``, ``level`` and the fields."""
        return {**asdict(self.interval), **{k: v for k, v in asdict(self).items() if k != "interval"}} | {
            "per_seed": list(self.per_seed)
        }


def estimate_figure(
    contributions: Scores,
    measure: Measure,
    generator: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """A model's figure with its interval.

    The width comes from the variance components of the (S, N) table with Student's t quantile at Satterthwaite's
    degrees of freedom (`Components`), the lopsidedness from the BCa bootstrap over examples (`bca_reach`). Drawing anew
    from a handful of seeds, as a plain crossed bootstrap does, gives intervals that are too short. For right and wrong
    the interval is Wilson's, with the number of independent examples that the variance stands for. Where an example
    contributes K > 1 numbers, the table is that of the linearised contributions (`linearised`).

    Args:
        contributions: (S, N), or (N,) for one seed; where K > 1 (S, N, K) or (N, K).
        measure: what they contribute to.
        generator: source of the bootstrap's draws.
        level: probability that such intervals hold the true figure.
        resamples: of the bootstrap.

    Raises:
        ShapeError: no table of at least one seed and two examples, or a value that is not finite.
        OptionError: too few resamples, or a level outside (0, 1).

    Example:
        >>> from gatewise.statistics import SpanF1
        >>> generator = np.random.default_rng(0)
        >>> spans = generator.integers(0, 6, size=300)
        >>> found = generator.binomial(spans, 0.9, size=(3, 300))
        >>> table = np.stack([np.broadcast_to(spans, found.shape), np.broadcast_to(spans, found.shape), found], axis=-1)
        >>> interval = estimate_figure(table, SpanF1(), generator).interval
        >>> bool(interval.low < 0.9 < interval.high)
        True
    """
    check_level(level)
    table = as_table(contributions, measure.numbers)
    seeds, examples = table.shape[:2]
    measure = measure.sized(examples)
    per_seed = tuple(float(measure.figure(row.mean(axis=0))) for row in table)
    made = _of_mean if measure.numbers == 1 else _of_linearised
    figure, shape = made(table, measure, generator, level, resamples)
    over: Over = "examples" if seeds == 1 else "seeds and examples"
    deviation = float(np.std(per_seed, ddof=1)) if seeds > 1 else None
    by = "" if measure.groups is None else ", by group"
    return Estimate(figure, deviation, per_seed, examples, over, f"{over} ({shape}{by})")


def linearised(table: Array, means: Array, measure: Measure) -> Array:
    """The part of every contribution that moves the figure: gradient · x, the table's own but for a constant.

    Args:
        table: (S, N), or (S, N, K) where K > 1.
        means: (K,), or () where K = 1: where the gradient is taken.
        measure: what they contribute to.

    Returns:
        (S, N); the variance of its mean is that of the figure, to first order (delta method).

    Example:
        >>> from gatewise.statistics import Ratio
        >>> table = np.array([[[1.0, 4.0], [0.0, 6.0]]])
        >>> linearised(table, table.mean(axis=(0, 1)), Ratio("error", "error", higher_is_better=False))
        array([[ 0.12, -0.12]])
    """
    gradient = measure.gradient(means)
    return gradient * table if measure.numbers == 1 else table @ gradient


def unit_error(measure: Measure, means: Array, examples: int) -> float:
    """What the figure moves by when one unit, of two more, is wrong: added to the standard error where K > 1.

    Of n units that are right or wrong it is 1/(n + 2): so Agresti & Min (2005) add one disagreement to an interval of
    paired proportions. With nothing counted at all it is 1/2.

    Example:
        >>> from gatewise.statistics import SpanF1
        >>> round(unit_error(SpanF1(), np.array([2.0, 2.0, 2.0]), 24), 9)  # 48 spans, all found
        0.02
    """
    units = measure.units()
    if units is None:
        return 0.0
    right, wrong = (unit / examples for unit in units)
    return abs(float(measure.figure(means + 2 * right)) - float(measure.figure(means + right + wrong)))


def mean_interval(
    estimate: float,
    by_example: Array,
    parts: Components,
    generator: np.random.Generator,
    serial: bool,
    level: float,
    resamples: int,
    *,
    overlap: int = 1,
    least: float = 0.0,
) -> Interval:
    """The interval of a mean: as wide as its variance says, as lopsided as the bootstrap over examples says.

    Args:
        estimate: the mean.
        by_example: (N,) means over seeds, whose bootstrap gives the shape.
        parts: the variance.
        generator: source of the draws.
        serial: neighbours hang together.
        level: probability that such intervals hold the truth.
        resamples: of the bootstrap.
        overlap: see `gatewise.statistics.components.block_length`.
        least: of the plain interval's reach, to either side. The difference of two models that disagree on a few
            examples alone looks lopsided by chance, and must not end short of zero for that: there it is 1.

    Example:
        >>> values = np.random.default_rng(0).normal(size=400)
        >>> found = mean_interval(0.0, values, variance_components(values), np.random.default_rng(0), False, 0.95, 999)
        >>> 0.08 < found.half_width < 0.12
        True
    """
    length = block_length(by_example, overlap) if serial else 1
    down, up = bca_reach(by_example, generator, length=length, resamples=resamples, level=level)
    down, up = max(least, down), max(least, up)
    share = 0.0 if parts.variance == 0.0 else min(1.0, parts.example / parts.variance)
    reach = t_quantile(0.5 + level / 2, parts.degrees) * parts.error
    return Interval(
        estimate, estimate - reach * (1 + share * (down - 1)), estimate + reach * (1 + share * (up - 1)), level
    )


def is_binary(table: Array) -> bool:
    """Whether all values are 0 or 1."""
    return bool(((table == 0) | (table == 1)).all())


def t_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t distribution; of the normal one for infinitely many degrees of freedom.

    Example:
        >>> round(t_quantile(0.975, 4), 2), round(t_quantile(0.975, float("inf")), 2)
        (2.78, 1.96)
    """
    from scipy.stats import t as student

    return _normal(probability) if math.isinf(degrees) else float(student.ppf(probability, degrees))


def _of_mean(
    table: Array, measure: Measure, generator: np.random.Generator, level: float, resamples: int
) -> tuple[Interval, str]:
    """K = 1: the interval of the mean contribution, its ends turned into figures."""
    serial = measure.dependence == "serial"
    by_group = clustered(table, measure.groups)
    parts = over_clusters(variance_components(by_group, serial=serial, overlap=measure.overlap), measure.groups)
    mean = float(table.mean())
    if measure.higher_is_better and is_binary(table):
        interval, shape = _effective_wilson(mean, table.size, parts, level), "Wilson"
    else:
        by_example = by_group.mean(axis=0)
        interval = mean_interval(mean, by_example, parts, generator, serial, level, resamples, overlap=measure.overlap)
        shape = _shape(serial)
    figure, low, high = (float(measure.figure(each)) for each in (mean, interval.low, interval.high))
    return Interval(figure, low, high, level), shape


def _of_linearised(
    table: Array, measure: Measure, generator: np.random.Generator, level: float, resamples: int
) -> tuple[Interval, str]:
    """K > 1: the interval of the linearised contributions' mean, within the measure's bounds.

    It reaches at least as far as z^2 more units, all right or all wrong, would move the figure: for n units that are
    all right that is Wilson's interval.
    """
    serial = measure.dependence == "serial"
    means: Array = table.mean(axis=(0, 1))
    lines = clustered(linearised(table, means, measure), measure.groups)
    parts = over_clusters(variance_components(lines, serial=serial, overlap=measure.overlap), measure.groups)
    count = parts.example_degrees + 1
    parts = parts.with_more(unit_error(measure, means, table.shape[1]) ** 2)
    figure = float(measure.figure(means))
    by_example = lines.mean(axis=0)
    found = mean_interval(figure, by_example, parts, generator, serial, level, resamples, overlap=measure.overlap)
    more = t_quantile(0.5 + level / 2, parts.example_degrees) ** 2 / count
    ends = [figure, *(float(measure.figure(means + more * unit)) for unit in measure.units() or ())]
    lowest, highest = measure.bounds
    low, high = max(lowest, min(found.low, *ends)), min(highest, max(found.high, *ends))
    return Interval(figure, low, high, level), _shape(serial)


def _shape(serial: bool) -> str:
    return "moving-block BCa bootstrap" if serial else "BCa bootstrap"


def _effective_wilson(share: float, values: int, parts: Components, level: float) -> Interval:
    """Wilson's interval for the number of independent examples that would give the same variance."""
    spread = share * (1 - share)
    count = values if parts.variance == 0.0 or spread == 0.0 else spread / parts.variance
    if spread == 0.0:
        # every run agrees on every example: what the seeds agree on is not seen anew by each of them
        count = parts.example_degrees + 1
    count = max(1.0, min(count, float(values)))
    found = wilson_interval(share * count, count, level, quantile=t_quantile(0.5 + level / 2, parts.degrees))
    return Interval(share, found.low, found.high, level)
