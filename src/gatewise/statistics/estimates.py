"""One model's figure with its interval over seeds and examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from gatewise.statistics.clusters import clustered, over_clusters
from gatewise.statistics.components import Components, t_quantile, variance_components
from gatewise.statistics.intervals import Array, Interval, Scores, as_table, check_level, wilson_interval
from gatewise.statistics.measure import Mean, Measure, linearised
from gatewise.statistics.resampling import RESAMPLES, bca_reach
from gatewise.statistics.serial import enough_blocks, joined
from gatewise.statistics.spread import SeedSpread, seed_part

__all__ = [
    "MEAN",
    "Estimate",
    "Over",
    "estimate_figure",
    "is_binary",
    "mean_interval",
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
        blocks: how many independent blocks the examples are, where neighbours depend on each other; None: they do not.

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
    blocks: float | None = None

    @property
    def enough(self) -> bool:
        """Whether there are enough independent blocks to trust the interval."""
        return enough_blocks(self.blocks)

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
    spread: SeedSpread | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """A model's figure with its interval.

    The width comes from the variance components of the (S, N) table (`Components.reach`), the lopsidedness from the
    BCa bootstrap over examples (`bca_reach`). Drawing anew
    from a handful of seeds, as a plain crossed bootstrap does, gives intervals that are too short. For right and wrong
    the interval is Wilson's, with the number of independent examples that the variance stands for. Where an example
    contributes K > 1 numbers, the table is that of the linearised contributions (`linearised`).

    Args:
        contributions: (S, N), or (N,) for one seed; where K > 1 (S, N, K) or (N, K).
        measure: what they contribute to.
        generator: source of the bootstrap's draws.
        spread: between the seeds of all models that were trained alike (`seed_spread`). With it the interval of a
            single seed allows for other seeds, too.
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
    figure, shape, parts = made(table, measure, generator, spread, level, resamples)
    over: Over = "examples" if seeds == 1 and spread is None else "seeds and examples"
    count = None if parts.blocks is None else parts.blocks.count
    deviation = float(np.std(per_seed, ddof=1)) if seeds > 1 else None
    by = "" if measure.groups is None else ", by group"
    return Estimate(figure, deviation, per_seed, examples, over, f"{over} ({shape}{by})", count)


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
    level: float,
    resamples: int,
    *,
    borders: Sequence[int] = (),
    least: float = 0.0,
) -> Interval:
    """The interval of a mean: as wide as its variance says, as lopsided as the bootstrap over examples says.

    Args:
        estimate: the mean.
        by_example: (N,) means over seeds, whose bootstrap gives the shape.
        parts: the variance.
        generator: source of the draws.
        level: probability that such intervals hold the truth.
        resamples: of the bootstrap.
        borders: see `gatewise.statistics.serial.joined`.
        least: of the plain interval's reach, to either side. The difference of two models that disagree on a few
            examples alone looks lopsided by chance, and must not end short of zero for that: there it is 1.

    Example:
        >>> values = np.random.default_rng(0).normal(size=400)
        >>> found = mean_interval(0.0, values, variance_components(values), np.random.default_rng(0), 0.95, 999)
        >>> 0.08 < found.half_width < 0.12
        True
    """
    length = 1
    if parts.blocks is not None:  # of B cosine terms: Bartlett's bandwidth with as many degrees of freedom
        by_example, _ = joined(by_example, borders)
        length = max(1, math.floor(1.5 * len(by_example) / (parts.blocks.terms + 1)))
    down, up = bca_reach(by_example, generator, length=length, resamples=resamples, level=level)
    down, up = max(least, down), max(least, up)
    share = 0.0 if parts.variance == 0.0 else min(1.0, parts.example / parts.variance)
    reach = parts.reach(0.5 + level / 2)
    return Interval(
        estimate, estimate - reach * (1 + share * (down - 1)), estimate + reach * (1 + share * (up - 1)), level
    )


def is_binary(table: Array) -> bool:
    """Whether all values are 0 or 1."""
    return bool(((table == 0) | (table == 1)).all())


def _of_mean(
    table: Array,
    measure: Measure,
    generator: np.random.Generator,
    spread: SeedSpread | None,
    level: float,
    resamples: int,
) -> tuple[Interval, str, Components]:
    """K = 1: the interval of the mean contribution, its ends turned into figures."""
    by_group = clustered(table, measure.groups)
    parts = _parts(by_group, measure, spread)
    mean = float(table.mean())
    if measure.higher_is_better and is_binary(table):
        interval, shape = _effective_wilson(mean, table.size, parts, level), "Wilson"
    else:
        by_example = by_group.mean(axis=0)
        interval = mean_interval(mean, by_example, parts, generator, level, resamples, borders=measure.borders)
        shape = _shape(measure.dependence == "serial")
    figure, low, high = (float(measure.figure(each)) for each in (mean, interval.low, interval.high))
    return Interval(figure, low, high, level), shape, parts


def _of_linearised(
    table: Array,
    measure: Measure,
    generator: np.random.Generator,
    spread: SeedSpread | None,
    level: float,
    resamples: int,
) -> tuple[Interval, str, Components]:
    """K > 1: the interval of the linearised contributions' mean, within the measure's bounds.

    It reaches at least as far as z^2 more units, all right or all wrong, would move the figure: for n units that are
    all right that is Wilson's interval.
    """
    means: Array = table.mean(axis=(0, 1))
    lines = clustered(linearised(table, means, measure), measure.groups)
    parts = _parts(lines, measure, spread)
    count = parts.example_degrees + 1
    parts = parts.with_more(unit_error(measure, means, table.shape[1]) ** 2)
    figure = float(measure.figure(means))
    by_example = lines.mean(axis=0)
    found = mean_interval(figure, by_example, parts, generator, level, resamples, borders=measure.borders)
    more = t_quantile(0.5 + level / 2, parts.example_degrees) ** 2 / count
    ends = [figure, *(float(measure.figure(means + more * unit)) for unit in measure.units() or ())]
    lowest, highest = measure.bounds
    low, high = max(lowest, min(found.low, *ends)), min(highest, max(found.high, *ends))
    return Interval(figure, low, high, level), _shape(measure.dependence == "serial"), parts


def _parts(table: Array, measure: Measure, spread: SeedSpread | None) -> Components:
    """The parts of the variance, with the seeds' part of all models that were trained alike."""
    serial = measure.dependence == "serial"
    parts = variance_components(table, serial=serial, overlap=measure.overlap, borders=measure.borders)
    parts = over_clusters(parts, measure.groups)
    seed, degrees = seed_part([(table, 1.0)], spread)
    return parts if degrees is None else replace(parts, seed=seed, seed_degrees=degrees)


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
    reach = parts.reach(0.5 + level / 2)
    quantile = reach / parts.error if reach > 0 else t_quantile(0.5 + level / 2, parts.degrees)
    found = wilson_interval(share * count, count, level, quantile=quantile)
    return Interval(share, found.low, found.high, level)
