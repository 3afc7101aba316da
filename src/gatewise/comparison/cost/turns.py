"""Measures several things in turns: round after round, in an order drawn anew for each turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

__all__ = ["Sampler", "in_turns"]

Sampler = Callable[[int], Mapping[str, float]]
"""Measures once and returns its figures by name; its argument counts the turns from 0."""


def in_turns(
    samplers: Mapping[str, Sampler],
    generator: np.random.Generator,
    *,
    rounds: int,
    most_rounds: int,
    seconds: float,
    turns: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, list[float]]]:
    """Measure in rounds; in each turn of a round every sampler measures once.

    How many rounds there are depends on the time that they take together, not on what is measured.

    Args:
        samplers: by the name of what they measure.
        generator: draws the order.
        rounds: at least so many.
        most_rounds: at most so many.
        seconds: begin no round after this time, once there are enough.
        turns: of a round; its figures are their means.
        clock: gives seconds.

    Returns:
        For each figure and name one value a round.

    Example:
        >>> samplers = {"a": lambda turn: {"seconds": 1.0 + turn}, "b": lambda turn: {"seconds": 3.0}}
        >>> in_turns(samplers, np.random.default_rng(0), rounds=2, most_rounds=2, seconds=0.0, turns=2)
        {'seconds': {'a': [1.5, 3.5], 'b': [3.0, 3.0]}}
    """
    names = list(samplers)
    found: dict[str, dict[str, list[float]]] = {}
    end = clock() + seconds
    for number in range(most_rounds):
        if number >= rounds and clock() >= end:
            break
        sums: dict[tuple[str, str], float] = {}
        for turn in range(number * turns, (number + 1) * turns):
            for place in generator.permutation(len(names)):
                name = names[int(place)]
                for figure, value in samplers[name](turn).items():
                    sums[figure, name] = sums.get((figure, name), 0.0) + value
        for name in names:
            for figure in [figure for figure, owner in sums if owner == name]:
                found.setdefault(figure, {}).setdefault(name, []).append(sums[figure, name] / turns)
    return found
