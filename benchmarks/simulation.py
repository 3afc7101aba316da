"""Simulated comparisons of two equally good models: do intervals and tests keep what they promise?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gatewise.statistics.differences import paired_difference
from gatewise.statistics.estimates import estimate_figure
from gatewise.statistics.intervals import Array
from gatewise.statistics.measure import Mean, Measure

__all__ = ["WORLDS", "Coverage", "World", "simulate"]

Draw = Callable[[int, int, float, np.random.Generator], Array]


@dataclass(frozen=True)
class World:
    """A kind of contributions with known truth.

    Args:
        metric: what they contribute to.
        draw: two models at once, (2, S, N), from seeds, examples, the seeds' spread and a generator.
        truth: the true mean contribution for a spread.
    """

    metric: Measure
    draw: Draw
    truth: Callable[[float], float]


@dataclass(frozen=True)
class Coverage:
    """What a simulation found.

    Args:
        rounds: simulated comparisons.
        figure: share of them whose interval of a model's figure holds the truth.
        difference: share whose interval of the difference holds zero, the truth.
        false_positives: share whose test finds a difference at the 5 % level.
    """

    rounds: int
    figure: float
    difference: float
    false_positives: float


def simulate(
    world: World,
    *,
    seeds: int,
    examples: int,
    spread: float,
    rounds: int,
    generator: np.random.Generator,
    resamples: int = 499,
) -> Coverage:
    """Compare two equally good models again and again.

    Args:
        world: what is drawn.
        seeds: S.
        examples: N.
        spread: standard deviation between seeds, in the world's own unit.
        rounds: how often.
        generator: source of everything random.
        resamples: of the bootstrap.

    Example:
        >>> found = simulate(
        ...     WORLDS["accuracy"], seeds=1, examples=100, spread=0, rounds=20, generator=np.random.default_rng(0)
        ... )
        >>> found.difference > 0.7
        True
    """
    truth = float(world.metric.figure(world.truth(spread)))
    held = np.zeros(3)
    for _ in range(rounds):
        one, two = world.draw(seeds, examples, spread, generator)
        alone = estimate_figure(one, world.metric, generator, resamples=resamples).interval
        between = paired_difference(one, two, generator, measure=world.metric, resamples=resamples)
        held += (alone.holds(truth), between.interval.holds(0.0), between.p_value < 0.05)
    figure, difference, found = held / rounds
    return Coverage(rounds, float(figure), float(difference), float(found))


def _right_and_wrong(seeds: int, examples: int, spread: float, generator: np.random.Generator) -> Array:
    """Hard and easy examples, better and worse seeds, and chance."""
    ease = generator.normal(1.2, 1.0, examples)
    noise = generator.normal(0.0, 0.6, (2, seeds, examples)) + generator.normal(0.0, spread, (2, seeds, 1))
    return (ease + noise > 0).astype(np.float64)


def _squared_errors(seeds: int, examples: int, spread: float, generator: np.random.Generator) -> Array:
    """Errors whose size differs between examples, partly shared by the models; skewed to the right."""
    size = np.exp(generator.normal(0.0, 0.25, examples))
    shared, own = generator.normal(size=examples), generator.normal(size=(2, seeds, examples))
    worse: Array = np.exp(generator.normal(0.0, spread, (2, seeds, 1)))
    return worse * (size * (0.8 * shared + 0.6 * own)) ** 2


def _series(correlation: float) -> Draw:
    def draw(seeds: int, examples: int, spread: float, generator: np.random.Generator) -> Array:
        shared = _autoregression(correlation, (1, 1, examples), generator)
        own = 0.5 * _autoregression(correlation, (2, seeds, examples), generator)
        return 4.6 + shared + own + generator.normal(0.0, spread, (2, seeds, 1))

    return draw


def _autoregression(correlation: float, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Unit variance, neighbours correlated, stationary from the first value on."""
    from scipy.signal import lfilter

    noise = generator.normal(size=shape)
    noise[..., 0] /= math.sqrt(1 - correlation**2)
    found: Array = math.sqrt(1 - correlation**2) * lfilter([1.0], [1.0, -correlation], noise, axis=-1)
    return found


def _share_right(spread: float) -> float:
    from statistics import NormalDist

    return NormalDist().cdf(1.2 / math.sqrt(1.36 + spread**2))


_ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
_ERROR = Mean("mean_squared_error", "mean squared error", higher_is_better=False)
_PERPLEXITY = Mean("perplexity", "perplexity", higher_is_better=False, transform="exp", dependence="serial")

WORLDS: dict[str, World] = {
    "accuracy": World(_ACCURACY, _right_and_wrong, _share_right),
    "squared error": World(_ERROR, _squared_errors, lambda spread: math.exp(2 * 0.25**2 + spread**2 / 2)),
    "series, correlation 0.3": World(_PERPLEXITY, _series(0.3), lambda spread: 4.6),
    "series, correlation 0.7": World(_PERPLEXITY, _series(0.7), lambda spread: 4.6),
}
"""Contributions as classification, regression and language models make them."""
