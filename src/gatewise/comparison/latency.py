"""How long a prediction takes: one text at a time, and per text in a batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gatewise.errors import OptionError

__all__ = ["measure_latency"]


def measure_latency(
    predict: Callable[[Sequence[str]], Any],
    texts: Sequence[str],
    *,
    singles: int = 40,
    batch: int = 256,
    repeats: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float | int]:
    """Time a prediction function, text in, probabilities out.

    Args:
        predict: the function; everything from text to probabilities is counted.
        texts: real texts, taken from the front.
        singles: how many are predicted one by one, after a few to warm up.
        batch: how many are predicted together.
        repeats: how often the batch is timed; the median counts.
        clock: gives seconds.

    Returns:
        Seconds: ``one_text`` (median), ``one_text_p90``, ``per_text_in_batch``; and ``batch``, the texts in it.

    Raises:
        OptionError: no text to time with.

    Example:
        >>> measured = measure_latency(lambda texts: None, ["a", "b"], clock=iter(range(99)).__next__)
        >>> measured["one_text"], measured["per_text_in_batch"], measured["batch"]
        (1.0, 0.5, 2)
    """
    if not texts:
        raise OptionError("latency needs at least one text")
    alone = [texts[index % len(texts)] for index in range(singles)]
    together = list(texts[:batch])
    for text in alone[:3]:
        predict([text])
    seconds = [_time(predict, [text], clock) for text in alone]
    whole = [_time(predict, together, clock) for _ in range(repeats)]
    return {
        "one_text": float(np.median(seconds)),
        "one_text_p90": float(np.quantile(seconds, 0.9)),
        "per_text_in_batch": float(np.median(whole)) / len(together),
        "batch": len(together),
    }


def _time(predict: Callable[[Sequence[str]], Any], texts: Sequence[str], clock: Callable[[], float]) -> float:
    start = clock()
    predict(texts)
    return clock() - start
