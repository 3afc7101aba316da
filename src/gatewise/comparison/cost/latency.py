"""How long a prediction takes: one example at a time, and per example in a batch."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from gatewise.errors import OptionError

__all__ = ["measure_latency"]


def measure_latency(
    predict: Callable[[int], object],
    examples: int,
    *,
    singles: int = 40,
    batch: int = 256,
    repeats: int = 3,
    most_seconds: float = 5.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float | int]:
    """Time a function that predicts the first n examples, from raw data to the prediction.

    Args:
        predict: the function.
        examples: how many there are.
        singles: how often one is predicted alone, after a few to warm up.
        batch: how many are predicted together.
        repeats: how often the batch is timed; the median counts.
        most_seconds: stop repeating after this time.
        clock: gives seconds.

    Returns:
        Seconds: ``one_example`` (median), ``one_example_p90``, ``per_example_in_batch``; and ``batch``, the examples
        in it.

    Raises:
        OptionError: no example to time with.

    Example:
        >>> measured = measure_latency(lambda count: None, 2, clock=iter(range(999)).__next__, most_seconds=1e9)
        >>> measured["one_example"], measured["per_example_in_batch"], measured["batch"]
        (1.0, 0.5, 2)
    """
    if examples < 1:
        raise OptionError("latency needs at least one example")
    together = min(batch, examples)
    _repeat(predict, 1, 3, most_seconds, clock)
    alone = _repeat(predict, 1, singles, most_seconds, clock)
    whole = _repeat(predict, together, repeats, most_seconds, clock)
    return {
        "one_example": float(np.median(alone)),
        "one_example_p90": float(np.quantile(alone, 0.9)),
        "per_example_in_batch": float(np.median(whole)) / together,
        "batch": together,
    }


def _repeat(
    predict: Callable[[int], object], count: int, times: int, most_seconds: float, clock: Callable[[], float]
) -> list[float]:
    found: list[float] = []
    while len(found) < times and sum(found) < most_seconds:
        start = clock()
        predict(count)
        found.append(clock() - start)
    return found
