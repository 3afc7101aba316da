"""Medians of interleaved samples.

The clock of a shared machine drifts, and its virtual cores move. So functions to be compared are timed in turns within
one run, and a sample with an involuntary context switch does not count.

Programs with pools of threads of their own disturb each other even in turns: the threads of one go on spinning for some
25 ms after its call, in the hope of the next one, and whoever comes after it shares the cores with them; so the order
would decide. Where a side has a pool of its own, every sample follows a pause in which all pools fall asleep, and a
call that is not timed, which wakes its own. To forbid the spinning (onnxruntime's
``session.intra_op.allow_spinning``) would slow that program down, which nobody who uses it does.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

__all__ = ["PAUSE", "Timing", "interleaved", "matmul_peak"]

PAUSE = 0.05
"""Seconds until waiting threads sleep."""
LEAST_CLEAN = 5
"""Fewer undisturbed samples than this of any function are too few for medians."""


@dataclass(frozen=True)
class Timing:
    """The time of one function.

    Attributes:
        seconds: median of the undisturbed samples; the fastest of all where these were too few.
        samples: how many counted.
        dropped: how many did not, because of a context switch.
        disturbed: undisturbed samples were too few.
    """

    seconds: float
    samples: int
    dropped: int
    disturbed: bool


def _one(function: Callable[[], object], repeats: int) -> tuple[float, bool]:
    switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    start = time.perf_counter_ns()
    for _ in range(repeats):
        function()
    seconds = (time.perf_counter_ns() - start) / 1e9 / repeats
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw == switches


def interleaved(
    functions: Mapping[str, Callable[[], object]], *, seconds: float = 1.0, rounds: int = 7, pause: float = 0.0
) -> dict[str, Timing]:
    """Time several functions in turns.

    Args:
        functions: name to what is timed, without arguments.
        seconds: sample for at least this long.
        rounds: take at least this many samples of each.
        pause: seconds before each sample, which then begins with a call that is not timed.

    Returns:
        Name to timing.

    Example:
        >>> interleaved({"nothing": lambda: None}, seconds=0.0, rounds=3)["nothing"].samples
        3
    """
    repeats = {}
    for name, function in functions.items():
        function()
        once, _ = _one(function, 1)
        repeats[name] = max(1, min(1000, int(0.002 / max(once, 1e-9))))
    samples: dict[str, list[tuple[float, bool]]] = {name: [] for name in functions}
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(next(iter(samples.values()))) < rounds:
        for name, function in functions.items():
            if pause:
                time.sleep(pause)
                function()
            samples[name].append(_one(function, repeats[name]))
    clean = [sum(undisturbed for _, undisturbed in each) for each in samples.values()]
    disturbed = min(clean) < min(LEAST_CLEAN, rounds)
    return {name: _summary(each, disturbed) for name, each in samples.items()}


def _summary(samples: list[tuple[float, bool]], disturbed: bool) -> Timing:
    if disturbed:
        every = [seconds for seconds, _ in samples]
        return Timing(min(every), len(every), 0, True)  # what other programs disturbed least
    clean = [seconds for seconds, undisturbed in samples if undisturbed]
    return Timing(statistics.median(clean), len(clean), len(samples) - len(clean), False)


def matmul_peak(size: int = 2048) -> float:
    """Floating-point operations per second of a large float32 matrix product with torch's threads: the yardstick.

    Args:
        size: rows and columns.

    Returns:
        2 * size^3 divided by the median time of five products.

    Example:
        >>> matmul_peak(64) > 0
        True
    """
    left, right, out = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
    timing = interleaved({"product": lambda: torch.mm(left, right, out=out)}, seconds=0.0, rounds=5)["product"]
    return 2.0 * size**3 / timing.seconds
