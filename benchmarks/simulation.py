"""Simulated comparisons of two models with known figures: do intervals and tests keep what they promise?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from gatewise.statistics import (
    Auroc,
    Bleu,
    MacroF1,
    Mean,
    Measure,
    Ratio,
    SpanF1,
    auroc_contributions,
    estimate_figure,
    f1_contributions,
    paired_difference,
)

__all__ = ["COUNTS", "WORLDS", "Coverage", "World", "simulate"]

Array = npt.NDArray[np.floating]
Draw = Callable[[int, int, float, float, np.random.Generator], Array]
_PHI = NormalDist().cdf


@dataclass(frozen=True)
class World:
    """A kind of contributions with known truth.

    Args:
        measure: what they contribute to.
        draw: two models at once, (2, S, N) or (2, S, N, K), from seeds, examples, the seeds' spread, by how much the
            second model is better or worse, and a generator.
        truth: the true mean contributions of a model for a spread and a gap to the first.
    """

    measure: Measure
    draw: Draw
    truth: Callable[[float, float], npt.ArrayLike]

    def figure(self, spread: float, gap: float = 0.0) -> float:
        """The true figure."""
        return float(self.measure.figure(self.truth(spread, gap)))

    def steepness(self) -> float:
        """By how much the figure changes with the gap: spread and gap in points of the figure are asked for with it."""
        return abs(self.figure(0.0, 0.01) - self.figure(0.0, -0.01)) / 0.02


@dataclass(frozen=True)
class Coverage:
    """What a simulation found.

    Args:
        rounds: simulated comparisons.
        figure: share of them whose interval of a model's figure holds the truth.
        difference: share whose interval of the difference holds the truth.
        found: share whose test finds a difference at the 5 % level: false positives where there is none.
    """

    rounds: int
    figure: float
    difference: float
    found: float


def simulate(
    world: World,
    *,
    seeds: int,
    examples: int,
    spread: float,
    rounds: int,
    generator: np.random.Generator,
    gap: float = 0.0,
    resamples: int = 499,
    measure: Measure | None = None,
) -> Coverage:
    """Compare two models again and again.

    Args:
        world: what is drawn.
        seeds: S.
        examples: N.
        spread: standard deviation between seeds, in the world's own unit.
        rounds: how often.
        generator: source of everything random.
        gap: between the models, in the same unit; 0: equally good.
        resamples: of the bootstrap.
        measure: what is asked of the statistics in place of the world's own.
    """
    asked = world.measure if measure is None else measure
    truth = world.figure(spread)
    between = truth - world.figure(spread, gap)
    held = np.zeros(3)
    for _ in range(rounds):
        one, two = world.draw(seeds, examples, spread, gap, generator)
        alone = estimate_figure(one, asked, generator, resamples=resamples).interval
        found = paired_difference(one, two, generator, measure=asked, resamples=resamples)
        held += (alone.holds(truth), found.interval.holds(between), found.p_value < 0.05)
    figure, difference, differs = held / rounds
    return Coverage(rounds, float(figure), float(difference), float(differs))


def _qualities(seeds: int, spread: float, gap: float, generator: np.random.Generator) -> Array:
    """(2, S, 1) how good each run is: the second model's are shifted by the gap."""
    return generator.normal(0.0, spread, (2, seeds, 1)) + np.array([0.0, gap])[:, None, None]


def _right_and_wrong(seeds: int, examples: int, spread: float, gap: float, generator: np.random.Generator) -> Array:
    """Hard and easy examples, better and worse seeds, and chance."""
    ease = generator.normal(1.2, 1.0, examples)
    noise = generator.normal(0.0, 0.6, (2, seeds, examples)) + _qualities(seeds, spread, gap, generator)
    return (ease + noise > 0).astype(np.float64)


def _squared_errors(seeds: int, examples: int, spread: float, gap: float, generator: np.random.Generator) -> Array:
    """Errors whose size differs between examples, partly shared by the models; skewed to the right."""
    size = np.exp(generator.normal(0.0, 0.25, examples))
    shared, own = generator.normal(size=examples), generator.normal(size=(2, seeds, examples))
    worse = np.exp(_qualities(seeds, spread, gap, generator))
    return worse * (size * (0.8 * shared + 0.6 * own)) ** 2


def _series(correlation: float) -> Draw:
    def draw(seeds: int, examples: int, spread: float, gap: float, generator: np.random.Generator) -> Array:
        shared = _autoregression(correlation, (1, 1, examples), generator)
        own = 0.5 * _autoregression(correlation, (2, seeds, examples), generator)
        return 4.6 + shared + own + _qualities(seeds, spread, gap, generator)

    return draw


def _autoregression(correlation: float, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Unit variance, neighbours correlated, stationary from the first value on."""
    from scipy.signal import lfilter

    noise = generator.normal(size=shape)
    noise[..., 0] /= math.sqrt(1 - correlation**2)
    found: Array = math.sqrt(1 - correlation**2) * lfilter([1.0], [1.0, -correlation], noise, axis=-1)
    return found


class _Spans:
    """Sentences of 0 to 8 spans; what one run misses in a hard sentence, others miss too."""

    # deviations: of a sentence's ease, of a span's, of chance in one run
    sentence, span, own = 0.7, 0.8, 0.7
    slots = 2

    def __init__(self, ease: float, spurious: float) -> None:
        self.ease, self.spurious = ease, spurious
        weights = np.exp(-np.arange(9) / 2.5)
        self.shares = weights / weights.sum()

    def draw(self, seeds: int, examples: int, spread: float, gap: float, generator: np.random.Generator) -> Array:
        """True, predicted and matching spans."""
        true = generator.choice(9, size=examples, p=self.shares)
        ease = self.sentence * generator.normal(size=(examples, 1))
        quality = _qualities(seeds, spread, gap, generator)[..., None]
        chance = self.own * generator.standard_normal((2, seeds, examples, 8), dtype=np.float32)
        found = self.ease + ease + self.span * generator.normal(size=(examples, 8)) + quality + chance > 0
        there = np.arange(8) < true[:, None]
        instead = (there & ~found) & (generator.random((2, seeds, examples, 8), dtype=np.float32) < 0.5)
        chance = self.own * generator.standard_normal((2, seeds, examples, self.slots), dtype=np.float32)
        spurious = (
            self.spurious + ease + self.span * generator.normal(size=(examples, self.slots)) + quality + chance < 0
        )
        matching = np.sum(found & there, axis=-1)
        predicted = matching + instead.sum(axis=-1) + spurious.sum(axis=-1)
        return np.stack([np.broadcast_to(true, matching.shape), predicted, matching], axis=-1).astype(np.float64)

    def truth(self, spread: float, gap: float) -> Array:
        """Their expectations."""
        deviation = math.sqrt(self.sentence**2 + self.span**2 + self.own**2 + spread**2)
        true = float(self.shares @ np.arange(9))
        matching = true * _PHI((self.ease + gap) / deviation)
        spurious = self.slots * _PHI(-(self.spurious + gap) / deviation)
        return np.array([true, matching + (true - matching) / 2 + spurious, matching])


class _Words:
    """Utterances of 3 to 40 words; a word is wrong more often in a hard one, and some are inserted."""

    ease, utterance, own, inserted = -1.35, 0.5, 0.3, 0.02

    def draw(self, seeds: int, examples: int, spread: float, gap: float, generator: np.random.Generator) -> Array:
        """Edits and words."""
        from scipy.special import ndtr

        words = 3 + generator.binomial(37, 0.35, size=examples)
        hard = self.utterance * generator.normal(size=examples) + _qualities(seeds, spread, gap, generator)
        wrong = ndtr(self.ease + hard + self.own * generator.normal(size=(2, seeds, examples)))
        edits = generator.binomial(words, wrong) + generator.binomial(words, self.inserted, size=wrong.shape)
        return np.stack([edits, np.broadcast_to(words, edits.shape)], axis=-1).astype(np.float64)

    def truth(self, spread: float, gap: float) -> Array:
        """Their expectations."""
        words = 3 + 37 * 0.35
        deviation = math.sqrt(1 + self.utterance**2 + self.own**2 + spread**2)
        return np.array([words * (_PHI((self.ease + gap) / deviation) + self.inserted), words])


class _Translations:
    """Sentences of 4 to 44 words, translated word by word, mostly a little too short."""

    # deviations: of a sentence's ease for all, for one run, of a word's ease for all, of chance in one run
    ease, sentence, run, word, own = 0.5, 0.6, 0.4, math.sqrt(0.5), math.sqrt(0.5)
    longer = np.array([-3, -2, -1, 0, 1])

    def draw(self, seeds: int, examples: int, spread: float, gap: float, generator: np.random.Generator) -> Array:
        """Matching n-grams, all n-grams, words of the translation and of the reference."""
        wanted = 4 + generator.binomial(40, 0.5, size=examples)
        words = wanted + generator.choice(self.longer, size=(2, seeds, examples))
        ease = self.ease + self.sentence * generator.normal(size=examples) + _qualities(seeds, spread, gap, generator)
        ease = (ease + self.run * generator.normal(size=words.shape)).astype(np.float32)
        shared = generator.standard_normal((examples, 45), dtype=np.float32)
        chance = generator.standard_normal((*words.shape, 45), dtype=np.float32)
        chance *= np.float32(self.own)
        chance += np.float32(self.word) * shared + ease[..., None]
        right = (chance > 0) & (np.arange(45) < words[..., None])
        runs, matches = right, [right.sum(axis=-1)]
        for length in range(2, 5):
            runs = runs[..., :-1] & right[..., length - 1 :]
            matches.append(runs.sum(axis=-1))
        totals = [np.maximum(words - length, 0) for length in range(4)]
        return np.stack([*matches, *totals, words, np.broadcast_to(wanted, words.shape)], axis=-1).astype(np.float64)

    def truth(self, spread: float, gap: float) -> Array:
        """Their expectations: words of one sentence are right independently, given how hard it is for a run."""
        from scipy.special import ndtr
        from scipy.stats import binom

        places, weights = np.polynomial.hermite_e.hermegauss(60)
        deviation = math.sqrt(self.sentence**2 + self.run**2 + spread**2)
        right = ndtr(self.ease + gap + deviation * places)
        wanted = 4 + np.arange(41)
        shares = binom.pmf(np.arange(41), 40, 0.5)
        words = wanted[:, None] + self.longer
        totals = [float(np.mean(shares @ np.maximum(words - length, 0))) for length in range(4)]
        each = [float(weights @ right**length / weights.sum()) for length in range(1, 5)]
        matches = [total * share for total, share in zip(totals, each, strict=True)]
        return np.array([*matches, *totals, totals[0], float(shares @ wanted)])


class _Classifier:
    """A score for every text of two classes; what one run scores high, others score high too.

    As a held-out part is stratified, the share of positives is the same in every draw.
    """

    # deviations: of a text's score for all, of chance in one run
    shared, own = 0.8, 0.6

    def __init__(self, positive: float, apart: float, threshold: float = 0.0) -> None:
        self.positive, self.apart, self.threshold = positive, apart, threshold

    def scores(
        self, seeds: int, examples: int, spread: float, gap: float, generator: np.random.Generator
    ) -> tuple[Array, Array]:
        """(2, S, N) scores and (N,) truth."""
        truth = np.zeros(examples)
        truth[: round(self.positive * examples)] = 1.0
        generator.shuffle(truth)
        shared = self.shared * generator.normal(size=examples)
        quality = self.apart + _qualities(seeds, spread, gap, generator)
        return shared + truth * quality + self.own * generator.normal(size=(2, seeds, examples)), truth


class _Ranking(_Classifier):
    """The area under the curve of such scores."""

    def draw(self, seeds: int, examples: int, spread: float, gap: float, generator: np.random.Generator) -> Array:
        """Placements and sides."""
        scores, truth = self.scores(seeds, examples, spread, gap, generator)
        found = [[auroc_contributions(run[:, None], truth[:, None]) for run in model] for model in scores]
        return np.array(found)

    def truth(self, spread: float, gap: float) -> Array:
        """Their expectations."""
        area = _PHI((self.apart + gap) / math.sqrt(2 * (self.shared**2 + self.own**2) + spread**2))
        side = np.array([self.positive, 1 - self.positive])
        return np.array([area * side[0], side[0], area * side[1], side[1]])


class _Deciding(_Classifier):
    """The answers of such scores above a threshold."""

    def draw(self, seeds: int, examples: int, spread: float, gap: float, generator: np.random.Generator) -> Array:
        """Matches, true and predicted classes."""
        scores, truth = self.scores(seeds, examples, spread, gap, generator)
        sides = np.stack([1 - truth, truth], axis=-1)
        answers = np.stack([scores <= self.threshold, scores > self.threshold], axis=-1)
        return np.array([[f1_contributions(sides, run) for run in model] for model in answers])

    def truth(self, spread: float, gap: float) -> Array:
        """Their expectations."""
        deviation = math.hypot(self.shared, self.own)
        found = self.positive * _PHI((self.apart + gap - self.threshold) / math.hypot(deviation, spread))
        false = (1 - self.positive) * _PHI(-self.threshold / deviation)
        right = (1 - self.positive) - false
        others = right + self.positive - found
        return np.array([right, found, 1 - self.positive + others, self.positive + found + false])


_ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
_ERROR = Mean("mean_squared_error", "mean squared error", higher_is_better=False)
_PERPLEXITY = Mean("perplexity", "perplexity", higher_is_better=False, transform="exp", dependence="serial")
_WORD_ERRORS = Ratio("word_error_rate", "word error rate", higher_is_better=False, percent=True)
_SPANS, _MOST_SPANS, _WORDS, _TRANSLATIONS = _Spans(1.5, 2.2), _Spans(3.4, 4.0), _Words(), _Translations()
_RARE, _RANKED, _NEARLY = _Deciding(0.05, 2.5, 1.6), _Ranking(0.05, 1.7), _Ranking(0.2, 3.6)

WORLDS: dict[str, World] = {
    "accuracy": World(_ACCURACY, _right_and_wrong, lambda spread, gap: _PHI((1.2 + gap) / math.sqrt(1.36 + spread**2))),
    "squared error": World(_ERROR, _squared_errors, lambda spread, gap: math.exp(2 * 0.25**2 + gap + spread**2 / 2)),
    "series, correlation 0.3": World(_PERPLEXITY, _series(0.3), lambda spread, gap: 4.6 + gap),
    "series, correlation 0.7": World(_PERPLEXITY, _series(0.7), lambda spread, gap: 4.6 + gap),
}
"""One number per example, as classification, regression and language models give them."""

COUNTS: dict[str, World] = {
    "span F1": World(SpanF1(), _SPANS.draw, _SPANS.truth),
    "span F1, nearly all found": World(SpanF1(), _MOST_SPANS.draw, _MOST_SPANS.truth),
    "word error rate": World(_WORD_ERRORS, _WORDS.draw, _WORDS.truth),
    "BLEU": World(Bleu(), _TRANSLATIONS.draw, _TRANSLATIONS.truth),
    "macro-F1, 5 % positive": World(MacroF1(), _RARE.draw, _RARE.truth),
    "AUROC, 5 % positive": World(Auroc(), _RANKED.draw, _RANKED.truth),
    "AUROC, nearly perfect": World(Auroc(), _NEARLY.draw, _NEARLY.truth),
}
"""Several numbers per example, as taggers, recognisers of speech, translators and classifiers give them."""
