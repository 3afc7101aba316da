"""One model's figure with its interval over seeds and examples."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from gatewise.statistics.components import Components, block_length, variance_components
from gatewise.statistics.intervals import Array, Interval, Scores, as_table, check_level, wilson_interval
from gatewise.statistics.intervals import normal_quantile as _normal
from gatewise.statistics.measure import Metric
from gatewise.statistics.resampling import RESAMPLES, bca_reach

__all__ = ["MEAN", "Estimate", "Over", "estimate_figure", "is_binary", "mean_interval", "t_quantile"]

Over = Literal["examples", "seeds and examples"]
MEAN = Metric("mean", "mean", higher_is_better=True)
"""The metric that is the mean contribution itself."""


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
    metric: Metric,
    generator: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """A model's figure with its interval.

    The width comes from the variance components of the (S, N) table with Student's t quantile at Satterthwaite's
    degrees of freedom (`Components`), the lopsidedness from the BCa bootstrap over examples (`bca_reach`). Drawing anew
    from a handful of seeds, as a plain crossed bootstrap does, gives intervals that are too short. For right and wrong
    the interval is Wilson's, with the number of independent examples that the variance stands for.

    Args:
        contributions: (S, N), or (N,) for one seed.
        metric: what they contribute to.
        generator: source of the bootstrap's draws.
        level: probability that such intervals hold the true figure.
        resamples: of the bootstrap.

    Raises:
        ShapeError: no table of at least one seed and two examples, or a value that is not finite.
        OptionError: too few resamples, or a level outside (0, 1).

    Example:
        >>> generator = np.random.default_rng(0)
        >>> perplexity = Metric("perplexity", "perplexity", False, transform="exp", dependence="serial")
        >>> nats = generator.exponential(4.6, size=(3, 2000))
        >>> interval = estimate_figure(nats, perplexity, generator).interval
        >>> bool(interval.low < np.exp(4.6) < interval.high)
        True
    """
    check_level(level)
    table = as_table(contributions)
    seeds, examples = table.shape
    per_seed = tuple(metric.of_mean(float(row.mean())) for row in table)
    serial = metric.dependence == "serial"
    parts = variance_components(table, serial=serial, overlap=metric.overlap)
    mean = float(table.mean())
    if metric.higher_is_better and is_binary(table):
        interval, shape = _effective_wilson(mean, table.size, parts, level), "Wilson"
    else:
        by_example = table.mean(axis=0)
        interval = mean_interval(mean, by_example, parts, generator, serial, level, resamples, overlap=metric.overlap)
        shape = "moving-block BCa bootstrap" if serial else "BCa bootstrap"
    low, high = interval.low, interval.high
    if metric.transform == "sqrt":
        low, high = max(0.0, low), max(0.0, high)
    figure = Interval(metric.of_mean(mean), metric.of_mean(low), metric.of_mean(high), level)
    over: Over = "examples" if seeds == 1 else "seeds and examples"
    deviation = float(np.std(per_seed, ddof=1)) if seeds > 1 else None
    return Estimate(figure, deviation, per_seed, examples, over, f"{over} ({shape})")


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

    Example:
        >>> values = np.random.default_rng(0).normal(size=400)
        >>> found = mean_interval(0.0, values, variance_components(values), np.random.default_rng(0), False, 0.95, 999)
        >>> 0.08 < found.half_width < 0.12
        True
    """
    length = block_length(by_example, overlap) if serial else 1
    down, up = bca_reach(by_example, generator, length=length, resamples=resamples, level=level)
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
