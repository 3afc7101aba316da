"""The statistics against known values, laws, and simulated worlds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gatewise.comparison.statistics import (
    crossed_interval,
    holm,
    mcnemar,
    paired_bootstrap,
    paired_difference,
    wilson_interval,
)
from gatewise.errors import OptionError, ShapeError


@pytest.mark.parametrize(("correct", "total"), [(0, 10), (1, 10), (9, 10), (10, 10), (443, 500), (1, 1)])
def test_wilson_agrees_with_scipy(correct: int, total: int) -> None:
    ours = wilson_interval(correct, total, 0.9)
    theirs = stats.binomtest(correct, total).proportion_ci(0.9, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours.low <= ours.estimate <= ours.high <= 1


@pytest.mark.parametrize(("correct", "total", "level"), [(1, 0, 0.95), (3, 2, 0.95), (-1, 5, 0.95), (1, 2, 1.0)])
def test_wilson_refuses_impossible_counts(correct: int, total: int, level: float) -> None:
    with pytest.raises(OptionError):
        wilson_interval(correct, total, level)


def test_mcnemar_is_exact_minus_half_the_observed_point() -> None:
    first = np.array([1] * 12 + [0] * 4 + [1] * 50)
    second = np.array([0] * 12 + [1] * 4 + [1] * 50)
    exact = stats.binomtest(4, 16).pvalue
    assert mcnemar(first, second) == pytest.approx(exact - stats.binom.pmf(4, 16, 0.5))
    assert mcnemar(first, second) == mcnemar(second, first)


def test_mcnemar_of_even_disagreement_is_one() -> None:
    assert mcnemar(np.array([1, 0, 1]), np.array([0, 1, 1])) == 1.0


def test_bootstrap_is_the_drawing_of_examples() -> None:
    generator = np.random.default_rng(3)
    first, second = generator.random(400) < 0.9, generator.random(400) < 0.85
    ours = paired_bootstrap(first, second, np.random.default_rng(0), resamples=20_000)
    gap = first.astype(float) - second
    drawn = gap[generator.integers(0, 400, size=(20_000, 400))].mean(axis=1)
    assert (ours.low, ours.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.004)
    assert ours == paired_bootstrap(first, second, np.random.default_rng(0), resamples=20_000)


def test_bootstrap_takes_scores_of_any_kind() -> None:
    generator = np.random.default_rng(4)
    losses = generator.exponential(size=300)
    interval = paired_bootstrap(losses, losses - 0.1, generator, resamples=500)
    assert (interval.low, interval.estimate, interval.high) == pytest.approx((0.1, 0.1, 0.1))


def test_crossed_interval_of_equal_seeds_is_that_of_the_examples() -> None:
    """Seeds that all say the same add nothing, so the examples alone decide, as in the plain t interval."""
    scores = np.random.default_rng(5).normal(0.2, 1.0, size=800)
    found = crossed_interval(np.tile(scores, (3, 1)))
    plain = stats.ttest_1samp(scores, 0.0)
    low, high = plain.confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(plain.pvalue)


def test_crossed_interval_of_seeds_alone_is_their_t_interval() -> None:
    """Examples that all say the same leave the seeds to decide."""
    means = np.array([0.1, 0.4, 0.3, 0.2])
    found = crossed_interval(np.repeat(means[:, None], 50, axis=1)).interval
    low, high = stats.ttest_1samp(means, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_interval_and_p_value_agree() -> None:
    generator = np.random.default_rng(6)
    for _ in range(50):
        found = crossed_interval(generator.normal(0.05, 1.0, size=(3, 1)) * 0.05 + generator.normal(0.05, 1, (3, 400)))
        outside = not found.interval.low <= 0 <= found.interval.high
        assert outside == (found.p_value < 0.05)


def test_paired_difference_turns_with_its_arguments() -> None:
    generator = np.random.default_rng(7)
    first, second = generator.random((3, 200)) < 0.9, generator.random((3, 200)) < 0.8
    one = paired_difference(first, second, generator)
    other = paired_difference(second, first, generator)
    assert one.interval.low == pytest.approx(-other.interval.high)
    assert one.p_value == pytest.approx(other.p_value)


def test_a_model_without_seeds_is_set_against_each_seed() -> None:
    generator = np.random.default_rng(8)
    first, baseline = generator.random((3, 200)) < 0.9, generator.random((1, 200)) < 0.8
    ours = paired_difference(first, baseline, generator)
    assert ours == paired_difference(first, np.repeat(baseline, 3, axis=0), generator)


def test_identical_models_do_not_differ() -> None:
    right = np.random.default_rng(9).random((2, 100)) < 0.7
    found = paired_difference(right, right, np.random.default_rng(0))
    assert (found.interval.low, found.interval.high, found.p_value) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(("first", "second"), [((2, 5), (3, 5)), ((2, 5), (2, 6)), ((5,), (5,))])
def test_tables_that_do_not_fit_are_refused(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        paired_difference(np.zeros(first), np.zeros(second), np.random.default_rng(0))


def test_holm_keeps_order_and_never_lowers() -> None:
    values = [0.04, 0.001, 0.5, 0.02]
    adjusted = holm(values)
    assert adjusted == pytest.approx([0.08, 0.004, 0.5, 0.06])
    assert all(after >= before for before, after in zip(values, adjusted, strict=True))
    assert holm([]) == []


def _world(seeds: int, spread: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two equally good classifiers: hard and easy examples, better and worse seeds, and chance."""
    ease = generator.normal(1.2, 1.0, size=800)

    def cell() -> np.ndarray:
        noise = generator.normal(0, spread, size=(seeds, 1)) + generator.normal(0, 0.6, size=(seeds, 800))
        return ease[None] + noise > 0

    return cell(), cell()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "spread", "least"), [(1, 0.0, 0.93), (2, 0.02, 0.90), (3, 0.02, 0.93), (3, 0.05, 0.93), (5, 0.05, 0.93)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int, spread: float, least: float) -> None:
    generator = np.random.default_rng(10)
    expected = stats.norm.cdf(1.2 / np.sqrt(1 + 0.36 + spread**2))
    rounds, covered, false_finding, covered_accuracy = 1500, 0, 0, 0
    for _ in range(rounds):
        first, second = _world(seeds, spread, generator)
        found = paired_difference(first, second, generator)
        covered += found.interval.low <= 0 <= found.interval.high
        false_finding += found.p_value < 0.05
        alone = wilson_interval(int(first.sum()), first.size) if seeds == 1 else crossed_interval(first).interval
        covered_accuracy += alone.low <= expected <= alone.high
    assert least <= covered / rounds <= 0.975
    assert 0.025 <= false_finding / rounds <= 1 - least
    assert least <= covered_accuracy / rounds <= 0.975
