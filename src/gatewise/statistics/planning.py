"""How many seeds and test examples find which difference, from the variance components of a pilot."""

from __future__ import annotations

from collections.abc import Callable

from gatewise.errors import OptionError
from gatewise.statistics.components import Components

__all__ = ["MOST_SEEDS", "detectable", "examples_needed", "seeds_needed"]

MOST_SEEDS = 10_000
_MOST_TIMES = 2.0**20


def detectable(parts: Components, *, significance: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference that is found with a probability: the reach of the test, and that of chance below it.

    Args:
        parts: variance of the difference, by source.
        significance: two-sided level of the test; where several pairs are tested, that of the correction.
        power: probability of finding it.

    Raises:
        OptionError: a level or a power outside (0, 1), or a power below one half.

    Example:
        >>> parts = Components(seed=3e-5, example=2e-6, rest=1e-6, seeds=3, example_degrees=9999)
        >>> round(detectable(parts), 4), round(detectable(parts.with_seeds(10)), 4)
        (0.0295, 0.0098)
    """
    if not (0 < significance < 1 and 0.5 <= power < 1):
        raise OptionError(
            "a power is out of range",
            expected="0.5 to below 1",
            got=power,
            fix="give --power a number from 0.5 to below 1, usually 0.8",
        )
    return parts.reach(1 - significance / 2) + parts.reach(power)


def seeds_needed(parts: Components, gap: float, *, significance: float = 0.05, power: float = 0.8) -> int | None:
    """Seeds of each model with which a difference is found with a probability, on as many examples.

    Args:
        parts: variance of the difference in the pilot, by source.
        gap: the difference.
        significance: two-sided level of the test.
        power: probability of finding it.

    Returns:
        The number, at least 2; None: one seed does not tell, or no number would do, and only more examples would.

    Example:
        >>> parts = Components(seed=3e-5, example=2e-6, rest=1e-6, seeds=3, example_degrees=9999)
        >>> seeds_needed(parts, 0.01), seeds_needed(parts, 0.001)
        (10, None)
    """
    if parts.seeds <= 1 or gap == 0.0:
        return None

    def found(seeds: float) -> bool:
        return abs(gap) >= detectable(parts.with_seeds(round(seeds)), significance=significance, power=power)

    return None if not found(MOST_SEEDS) else round(_first(found, 1, MOST_SEEDS, steps=True))


def examples_needed(parts: Components, gap: float, *, significance: float = 0.05, power: float = 0.8) -> float | None:
    """How many times as many examples find a difference with a probability, with as many seeds.

    Args:
        parts: variance of the difference, by source.
        gap: the difference.
        significance: two-sided level of the test.
        power: probability of finding it.

    Returns:
        The factor, below 1 where fewer would do; None: no number would do, and only more seeds would.

    Example:
        >>> parts = Components(seed=2e-6, example=3e-5, rest=1e-6, seeds=10, example_degrees=999)
        >>> round(examples_needed(parts, 0.01), 1), examples_needed(parts, 0.001)
        (2.6, None)
    """
    if gap == 0.0:
        return None

    def found(times: float) -> bool:
        return abs(gap) >= detectable(parts.with_examples(times), significance=significance, power=power)

    return None if not found(_MOST_TIMES) else _first(found, 1 / _MOST_TIMES, _MOST_TIMES)


def _first(found: Callable[[float], bool], low: float, high: float, *, steps: bool = False) -> float:
    """The first number from which on something holds that does not hold at the low end, by bisection."""
    if steps:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if found(middle) else (middle, high)
        return high
    while high / low > 1.005:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if found(middle) else (middle, high)
    return high
