"""Coverage on data that hangs together: the table "Dependent examples" of docs/statistics.md.

python benchmarks/dependence.py --rounds 500

Each world is drawn again and again for two equally good models; ``width`` is the median reach of the difference's
interval in units of the shortest honest one, 1.96 times the true standard deviation of the difference.
"""

from __future__ import annotations

import argparse
import math
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.statistics import Mean, Measure, estimate_figure, paired_difference

__all__ = ["DEPENDENT", "Dependent", "Found", "examine"]

Array = npt.NDArray[np.float64]
Drawn = tuple[Array, tuple[int, ...]]
_ERROR = Mean("mean_squared_error", "mean squared error", higher_is_better=False, dependence="serial")
_PERPLEXITY = Mean("perplexity", "perplexity", higher_is_better=False, transform="exp", dependence="serial")
_NATS = 4.6
_TEST_TOKENS = 82_430


@dataclass(frozen=True)
class Dependent:
    """A kind of dependence with known truth.

    Args:
        measure: what the examples contribute to.
        draw: (2, S, N) contributions of two models from S and a generator, and the documents' borders.
        truth: the true mean contribution of either model.
        borders: whether the statistics are given the borders.
    """

    measure: Measure
    draw: Callable[[int, np.random.Generator], Drawn]
    truth: float
    borders: bool = False


class Found(NamedTuple):
    """Shares of the rounds.

    Attributes:
        figure: a model's interval holds its true figure.
        difference: the interval of the difference holds zero.
        withheld: too few independent blocks: no claim is made.
        false: a difference is claimed: enough blocks, and p below 0.05.
        width: see above.
    """

    figure: float
    difference: float
    withheld: float
    false: float
    width: float


def examine(
    world: Dependent, *, seeds: int, rounds: int, generator: np.random.Generator, resamples: int = 299
) -> Found:
    """Compare two equally good models again and again."""
    truth = float(world.measure.figure(world.truth))
    held, gaps, reaches = np.zeros(4), [], []
    for _ in range(rounds):
        (one, two), borders = world.draw(seeds, generator)
        measure = replace(world.measure, borders=borders) if world.borders else world.measure
        alone = estimate_figure(one, measure, generator, resamples=resamples).interval
        found = paired_difference(one, two, generator, measure=measure, resamples=resamples)
        claimed = found.enough and found.p_value < 0.05
        held += (alone.holds(truth), found.interval.holds(0.0), not found.enough, claimed)
        gaps.append(found.interval.estimate)
        reaches.append(found.interval.half_width)
    figure, difference, withheld, false = (float(each) for each in held / rounds)
    return Found(figure, difference, withheld, false, float(np.median(reaches) / (1.96 * np.std(gaps))))


def _autoregression(correlation: float, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Unit variance, neighbours correlated, stationary from the first value on."""
    from scipy.signal import lfilter

    noise = generator.normal(size=shape)
    noise[..., 0] /= math.sqrt(1 - correlation**2)
    found: Array = math.sqrt(1 - correlation**2) * lfilter([1.0], [1.0, -correlation], noise, axis=-1)
    return found


def _series(correlation: float, windows: int) -> Dependent:
    def draw(seeds: int, generator: np.random.Generator) -> Drawn:
        shared = _autoregression(correlation, (1, 1, windows), generator)
        return 1.0 + shared + 0.5 * _autoregression(correlation, (2, seeds, windows), generator), ()

    return Dependent(_ERROR, draw, 1.0)


def _text(documents: int, effect: float, *, equal: bool = False, known: bool = False) -> Dependent:
    """Tokens of a test part in documents, whose lengths scatter by half: each is hard for all, and suits one model."""

    def draw(seeds: int, generator: np.random.Generator) -> Drawn:
        spread = 0.0 if equal else 0.5
        sizes = np.exp(generator.normal(-(spread**2) / 2, spread, 4 * documents + 8)) * _TEST_TOKENS / documents
        starts = np.concatenate([[0], np.cumsum(np.maximum(20, np.rint(sizes)))]).astype(np.int64)
        starts = starts[starts < _TEST_TOKENS - 20]
        counts = np.diff([*starts, _TEST_TOKENS])
        hard = np.repeat(generator.normal(0.0, 0.3, len(starts)), counts)
        suits = np.repeat(generator.normal(0.0, effect / math.sqrt(2), (2, 1, len(starts))), counts, axis=-1)
        token = generator.normal(0.0, 2.5, _TEST_TOKENS)
        own = generator.normal(0.0, 0.6, (2, seeds, _TEST_TOKENS))
        return _NATS + hard + token + suits + own, tuple(int(start) for start in starts[1:])

    return Dependent(_PERPLEXITY, draw, _NATS, borders=known)


def _volatile(windows: int, deviation: float = 0.5, correlation: float = 0.98) -> Dependent:
    """Squared errors of forecasts, the logarithm of whose variance is a slow autoregression."""

    def draw(seeds: int, generator: np.random.Generator) -> Drawn:
        size = np.exp(deviation * _autoregression(correlation, (windows,), generator))
        shared, own = generator.normal(size=windows), generator.normal(size=(2, seeds, windows))
        return size * (0.8 * shared + 0.6 * own) ** 2, ()

    return Dependent(_ERROR, draw, math.exp(deviation**2 / 2))


def _overlapping(horizon: int, windows: int, series: int = 1) -> Dependent:
    """Mean squared errors of windows over the same steps, of several series side by side."""

    def draw(seeds: int, generator: np.random.Generator) -> Drawn:
        steps = (windows + horizon, series)
        shared, own = generator.normal(size=steps), generator.normal(size=(2, seeds, *steps))
        sums = np.cumsum(np.pad((0.8 * shared + 0.6 * own) ** 2, ((0, 0), (0, 0), (1, 0), (0, 0))), axis=2)
        found = (sums[:, :, horizon:-1] - sums[:, :, : -horizon - 1]) / horizon
        return found.reshape(2, seeds, -1), ()

    return Dependent(replace(_ERROR, overlap=horizon * series), draw, 1.0)


DEPENDENT: dict[str, Dependent] = {
    "independent, 20 windows": _series(0.0, 20),
    "independent, 100 windows": _series(0.0, 100),
    "independent, 500 windows": _series(0.0, 500),
    "independent, 5,000 windows": _series(0.0, 5000),
    "correlation 0.3, 500 windows": _series(0.3, 500),
    "correlation 0.7, 100 windows": _series(0.7, 100),
    "correlation 0.7, 500 windows": _series(0.7, 500),
    "correlation 0.9, 500 windows": _series(0.9, 500),
    "correlation 0.98, 500 windows": _series(0.98, 500),
    "persistent volatility, 500 windows": _volatile(500),
    "persistent volatility, 2,000 windows": _volatile(2000),
    "horizon 96, 2,785 windows": _overlapping(96, 2785),
    "horizon 720, 2,160 windows": _overlapping(720, 2160),
    "horizon 60, 400 windows, 5 series": _overlapping(60, 400, 5),
    "articles of 1,500 tokens": _text(55, 0.1),
    "articles of 1,500 tokens, borders known": _text(55, 0.1, known=True),
    "20 chapters": _text(20, 0.1, equal=True),
    "ten chapters": _text(10, 0.1, equal=True),
    "ten chapters, borders known": _text(10, 0.1, equal=True, known=True),
    "ten chapters, weak": _text(10, 0.01, equal=True),
    "five documents": _text(5, 0.1, equal=True),
    "five documents, borders known": _text(5, 0.1, equal=True, known=True),
    "five documents, weak": _text(5, 0.01, equal=True),
}
"""Each with its usual number of test examples."""


def _run(name: str, seeds: int, rounds: int, resamples: int) -> Found:
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return examine(DEPENDENT[name], seeds=seeds, rounds=rounds, generator=generator, resamples=resamples)


def main(arguments: Any = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=299, help="of the bootstrap; comparisons draw 9,999")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--worlds", nargs="+", default=list(DEPENDENT))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    work = partial(_run, seeds=given.seeds, rounds=given.rounds, resamples=given.resamples)
    print("| examples | figure | difference | withheld | false claims | width |")
    print("|---" * 6 + "|")
    with ProcessPoolExecutor(given.processes) as pool:
        for name, found in zip(given.worlds, pool.map(work, given.worlds), strict=True):
            shares = " | ".join(f"{100 * share:.1f} %" for share in found[:4])
            print(f"| {name} | {shares} | {found.width:.2f} |", flush=True)


if __name__ == "__main__":
    main()
