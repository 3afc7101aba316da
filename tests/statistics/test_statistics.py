"""The statistics against known values and laws; their promises in simulated worlds: test_coverage.py."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from gatewise.comparison.verdict.figures import difference_entries
from gatewise.errors import OptionError, ShapeError
from gatewise.statistics import (
    MEAN,
    Difference,
    Interval,
    bca_reach,
    default_margin,
    estimate_figure,
    holm,
    mcnemar,
    paired_difference,
    variance_components,
    wilson_interval,
)
from gatewise.statistics.estimates import t_quantile
from gatewise.statistics.measure import Mean, Measure

ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
ERROR = Mean("mean_squared_error", "mean squared error", higher_is_better=False, dependence="serial")
PERPLEXITY = Mean("perplexity", "perplexity", higher_is_better=False, transform="exp", dependence="serial")
ROOT = Mean("root_mean_squared_error", "RMSE", higher_is_better=False, transform="sqrt")


def _draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


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


def test_mcnemar_is_exact_and_mid_p_is_less_half_the_observed_point() -> None:
    first = np.array([1] * 12 + [0] * 4 + [1] * 50)
    second = np.array([0] * 12 + [1] * 4 + [1] * 50)
    exact = stats.binomtest(4, 16).pvalue
    assert mcnemar(first, second, mid=False) == pytest.approx(exact)
    assert mcnemar(first, second) == pytest.approx(exact - stats.binom.pmf(4, 16, 0.5))
    assert mcnemar(first, second) == mcnemar(second, first)
    assert mcnemar(np.array([1, 0, 1]), np.array([0, 1, 1])) == 1.0


def test_bca_agrees_with_scipy() -> None:
    values = _draws(3).exponential(size=60)
    theirs = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=40_000, rng=_draws(1)).confidence_interval
    unit = stats.norm.ppf(0.975) * values.std() / math.sqrt(60)
    down, up = bca_reach(values, _draws(2), resamples=40_000)
    low, high = values.mean() - down * unit, values.mean() + up * unit
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.03 * unit)
    assert down < 1 < up


def test_bca_of_mirrored_values_is_mirrored_and_repeatable() -> None:
    values = _draws(4).exponential(size=200)
    assert bca_reach(values, _draws(5)) == bca_reach(values, _draws(5))
    assert bca_reach(-values, _draws(6)) == pytest.approx(bca_reach(values, _draws(6))[::-1], abs=0.05)
    assert bca_reach(np.ones(50), _draws()) == (1.0, 1.0)


def test_blocks_keep_the_shape_and_refuse_nonsense() -> None:
    values = _draws(7).normal(size=900)
    assert bca_reach(values, _draws(), length=20) == pytest.approx((1.0, 1.0), abs=0.1)
    with pytest.raises(OptionError, match="resamples"):
        bca_reach(values, _draws(), resamples=10)
    with pytest.raises(OptionError, match="level"):
        bca_reach(values, _draws(), level=1.0)


def test_overlapping_windows_of_several_series_do_not_pass_for_independent_ones() -> None:
    """Five series of white noise, mean squares over 60 steps: 300 windows in a row share a step, neighbours none.

    The known overlap is heeded; where it is not known, the series itself tells much of it.
    """
    horizon, series, windows, repeats = 60, 5, 400, 40
    held = {"known": 0, "unknown": 0}
    for repeat in range(repeats):
        squares = _draws(1000 + repeat).normal(size=(series, windows + horizon)) ** 2
        sums = np.cumsum(np.pad(squares, ((0, 0), (1, 0))), axis=1)
        errors = ((sums[:, horizon : horizon + windows] - sums[:, :windows]) / horizon).T.reshape(1, -1)
        for name, overlap in (("known", horizon * series), ("unknown", 1)):
            parts = variance_components(errors, serial=True, overlap=overlap)
            reach = t_quantile(0.975, parts.degrees) * parts.error
            held[name] += abs(errors.mean() - 1) <= reach
    assert held["known"] >= 0.85 * repeats and held["known"] >= held["unknown"] >= 0.7 * repeats
    metric = replace(ERROR, overlap=horizon * series)
    plain, wide = (estimate_figure(errors, each, _draws(0)).interval for each in (ERROR, metric))
    assert wide.half_width > 1.2 * plain.half_width
    other = errors * _draws(1).uniform(0.9, 1.1, size=errors.shape)
    found = [paired_difference(errors, other, _draws(0), measure=each).degrees for each in (ERROR, metric)]
    assert found[1] < found[0]


def test_components_are_those_of_the_analysis_of_variance() -> None:
    table = _draws(10).normal(size=(4, 50)) + _draws(11).normal(size=(4, 1))
    rows, columns, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    rest = ((table - rows[:, None] - columns + mean) ** 2).sum() / (3 * 49)
    parts = variance_components(table)
    assert parts.seed == pytest.approx(50 * rows.var(ddof=1) / 200)
    assert parts.example == pytest.approx(4 * columns.var(ddof=1) / 200)
    assert parts.rest == pytest.approx(rest / 200)


def test_one_seed_is_the_plain_t_interval_but_for_its_lopsidedness() -> None:
    values = _draws(12).normal(0.2, 1.0, 800)
    found = estimate_figure(values, MEAN, _draws(), resamples=20_000)
    plain = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((plain.low, plain.high), abs=0.004)
    assert (found.over, found.deviation) == ("examples", None)


def test_seeds_alone_give_their_t_interval() -> None:
    means = np.array([0.1, 0.4, 0.3, 0.2])
    found = estimate_figure(np.repeat(means[:, None], 50, axis=1), MEAN, _draws())
    plain = stats.ttest_1samp(means, 0.0).confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((plain.low, plain.high))
    assert found.deviation == pytest.approx(means.std(ddof=1)) and found.over == "seeds and examples"


def test_one_seed_of_right_and_wrong_is_wilsons() -> None:
    found = estimate_figure(np.array([1] * 90 + [0] * 10), ACCURACY, _draws()).interval
    plain = wilson_interval(90, 100)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.002)


def test_all_right_is_not_certain() -> None:
    found = estimate_figure(np.ones((5, 200)), ACCURACY, _draws()).interval
    assert found.estimate == 1.0 and 0.97 < found.low < 0.99 and found.high == 1.0


def test_figures_are_transformed_means() -> None:
    nats = _draws(13).exponential(4.6, size=(3, 500))
    found = estimate_figure(nats, PERPLEXITY, _draws())
    assert found.interval.estimate == pytest.approx(math.exp(nats.mean()))
    assert found.interval.low < found.interval.estimate < found.interval.high
    squares = _draws(14).chisquare(1, size=300)
    assert estimate_figure(squares, ROOT, _draws()).interval.estimate == pytest.approx(math.sqrt(squares.mean()))


def test_interval_and_p_value_agree() -> None:
    draws = _draws(15)
    outside = []
    for _ in range(60):
        one, two = draws.normal(0.05, 1.0, size=(2, 3, 300))
        found = paired_difference(one + draws.normal(0, 0.05, (3, 1)) + 0.12, two, draws, resamples=499)
        outside.append(not found.interval.holds(0.0))
        assert outside[-1] == (found.p_value < 0.05)
    assert 5 < sum(outside) < 55


@pytest.mark.parametrize("metric", [ACCURACY, ERROR, PERPLEXITY, ROOT])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_difference_turns_with_its_arguments(metric: Measure, seeds: int) -> None:
    draws = _draws(16)
    one, two = (
        (draws.random((2, seeds, 300)) < 0.85).astype(float) if metric is ACCURACY else draws.random((2, seeds, 300))
    )
    there = paired_difference(one, two, _draws(1), measure=metric)
    back = paired_difference(two, one, _draws(1), measure=metric)
    assert there.interval.estimate == pytest.approx(-back.interval.estimate)
    assert there.interval.low == pytest.approx(-back.interval.high, abs=0.05 * there.interval.half_width)
    assert there.p_value == pytest.approx(back.p_value, abs=0.03)
    assert there.superiority == pytest.approx(1 - back.superiority, abs=0.03)


def test_the_better_one_is_the_likely_winner_in_either_direction() -> None:
    high, low = _draws(17).normal(1.0, 1.0, (3, 400)), _draws(18).normal(0.0, 1.0, (3, 400))
    up = paired_difference(high, low, _draws(), measure=MEAN)
    down = paired_difference(high, low, _draws(), measure=ERROR)
    assert up.superiority > 0.99 and up.run_superiority == 1.0
    assert down.superiority < 0.01 and down.run_superiority == 0.0


def test_pairing_cancels_what_makes_an_example_hard() -> None:
    hard = _draws(19).normal(0, 5, 400)
    one, two = hard + _draws(20).normal(0.2, 0.5, 400), hard + _draws(21).normal(0.0, 0.5, 400)
    paired = paired_difference(one, two, _draws())
    crossed = paired_difference(one, _draws(22).permutation(two), _draws())
    assert paired.p_value < 0.001 and crossed.interval.half_width > 5 * paired.interval.half_width


def test_a_perplexitys_ratio_is_that_of_the_figures() -> None:
    draws = _draws(23)
    hard = draws.normal(4.6, 1.0, 3000)
    one, two = hard + draws.normal(0.0, 0.2, (3, 3000)), hard + draws.normal(0.05, 0.2, (3, 3000))
    found = paired_difference(one, two, draws, measure=PERPLEXITY)
    assert found.ratio is not None
    assert found.ratio.estimate == pytest.approx(math.exp(one.mean() - two.mean()))
    assert found.interval.estimate == pytest.approx(math.exp(one.mean()) - math.exp(two.mean()))
    assert found.ratio.low < math.exp(-0.05) < found.ratio.high < 1.0 and found.interval.high < 0.0


def test_one_seed_of_a_series_is_diebold_and_mariano() -> None:
    """The statistic of the paper with the long-run variance of the slowest cosines, by hand."""
    draws = _draws(24)
    one, two = draws.exponential(size=(2, 400))
    found = paired_difference(one, two, draws, measure=ERROR)
    assert found.method.startswith("examples (Diebold-Mariano") and found.blocks == 400.0 and found.enough
    gap, terms = one - two, math.floor(0.41 * 400 ** (2 / 3))
    times = (np.arange(400) + 0.5) / 400
    waves = np.sqrt(2 / 400) * np.cos(np.pi * np.arange(1, terms + 1)[:, None] * times)
    variance = float(np.mean((waves @ gap) ** 2))
    assert found.components is not None and found.degrees == terms
    assert found.components.error == pytest.approx(math.sqrt(variance / 400))
    statistic = gap.mean() / found.components.error
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(statistic), terms), abs=0.05)


def test_a_series_with_all_cosines_gives_the_paired_t_test() -> None:
    one, two = _draws(25).exponential(size=(2, 150))
    plain = stats.ttest_rel(one, two)
    parts = variance_components((one - two)[None], serial=True, terms=149)
    assert (one - two).mean() / parts.error == pytest.approx(plain.statistic) and parts.degrees == plain.df
    assert paired_difference(one, one, _draws(), measure=ERROR).p_value == 1.0


def test_a_model_without_seeds_is_set_against_each_seed() -> None:
    draws = _draws(26)
    first, baseline = draws.random((3, 200)) < 0.9, draws.random((1, 200)) < 0.8
    ours = paired_difference(first, baseline, _draws(), measure=ACCURACY)
    assert ours.over == "seeds and examples" and ours.components is not None
    assert ours.components.seed == pytest.approx(first.mean(axis=1).var(ddof=1) / 3)
    one_of_many = paired_difference(first, baseline, _draws(), measure=ACCURACY, seedless=(False, False))
    assert one_of_many.components is not None
    assert one_of_many.components.seed == pytest.approx(first.mean(axis=1).var(ddof=1) * (1 / 3 + 1))
    assert one_of_many.p_value > ours.p_value


def test_other_numbers_of_seeds_are_not_paired() -> None:
    draws = _draws(27)
    one = draws.normal(size=(5, 300)) + draws.normal(0, 0.3, (5, 1))
    two = draws.normal(size=(3, 300)) + draws.normal(0, 0.3, (3, 1))
    found = paired_difference(one, two, _draws())
    welch = stats.ttest_ind(one.mean(axis=1), two.mean(axis=1), equal_var=False)
    assert found.p_value == pytest.approx(welch.pvalue, abs=0.1)
    assert found.interval.estimate == pytest.approx(one.mean() - two.mean())


def test_identical_models_do_not_differ_and_nothing_is_certain() -> None:
    right = _draws(28).random((2, 100)) < 0.7
    found = paired_difference(right, right, _draws(), measure=ACCURACY)
    assert (found.interval.estimate, found.p_value, found.superiority) == (0.0, 1.0, 0.5)
    assert 0 < found.interval.high < 0.05
    numbers = _draws(29).normal(size=(2, 100))
    assert paired_difference(numbers, numbers, _draws()).interval == Interval(0.0, 0.0, 0.0)


def test_equivalence_is_two_one_sided_tests() -> None:
    draws = _draws(30)
    one = draws.normal(size=2000)
    two = one + draws.normal(0.01, 0.2, 2000)
    found = paired_difference(one, two, draws)
    below = stats.ttest_1samp(one - two, -0.03, alternative="greater").pvalue
    above = stats.ttest_1samp(one - two, 0.03, alternative="less").pvalue
    equivalence = found.equivalence(0.03)
    assert equivalence.p_value == pytest.approx(max(below, above), abs=0.002)
    assert equivalence.shown and not found.equivalence(0.005).shown
    assert found.equivalence(equivalence.smallest_margin * 1.001).shown
    assert not found.equivalence(equivalence.smallest_margin * 0.999).shown
    with pytest.raises(OptionError, match="margin"):
        found.equivalence(0.0)


def test_seeds_needed_are_enough_and_no_more() -> None:
    draws = _draws(31)
    one = draws.normal(0.0, 0.2, (4, 2000)) + draws.normal(0, 0.05, (4, 1)) + 0.04
    found = paired_difference(one, draws.normal(0.0, 0.2, (4, 2000)) + draws.normal(0, 0.05, (4, 1)), draws)
    needed, parts = found.seeds_needed(), found.components
    assert needed is not None and parts is not None and 2 <= needed <= 10_000
    assert abs(found.interval.estimate) / parts.with_seeds(needed).error > 2.8
    assert found.seeds_needed(power=0.95) >= needed  # type: ignore[operator]
    assert parts.with_seeds(4).variance == pytest.approx(parts.variance)


def test_no_number_of_seeds_replaces_examples() -> None:
    """Where the examples decide, more seeds tell nothing; with one seed nothing is known of seeds."""
    hard = np.tile(_draws(32).normal(0.01, 1.0, 100), (3, 1))
    assert paired_difference(hard, np.zeros((1, 100)), _draws()).seeds_needed() is None
    assert paired_difference(hard[0], np.zeros(100), _draws()).seeds_needed() is None


def test_pairs_are_corrected_together() -> None:
    draws = _draws(33)
    tables = {
        name: (draws.random((1, 400)) < share).astype(float) for name, share in (("a", 0.9), ("b", 0.8), ("c", 0.79))
    }
    found = difference_entries(tables, ACCURACY, [], margin=0.005)
    assert [(pair["first"], pair["second"]) for pair in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair["adjusted_p_value"] for pair in found] == holm([pair["p_value"] for pair in found])
    assert [pair["differs"] for pair in found] == [pair["adjusted_p_value"] < 0.05 for pair in found]
    assert found[0]["differs"] and not found[2]["differs"]
    assert len(difference_entries(tables, ACCURACY, ["b", "c"], margin=0.005)) == 2
    assert default_margin(PERPLEXITY, 110.0) == pytest.approx(1.1)


def test_everything_goes_into_json() -> None:
    import json

    draws = _draws(34)
    found = paired_difference(draws.random((3, 90)), draws.random((3, 90)), draws, measure=PERPLEXITY)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["p_value"] == found.p_value
    estimate = estimate_figure(draws.random((3, 90)), PERPLEXITY, draws)
    assert json.loads(json.dumps(estimate.to_dict(), allow_nan=False))["low"] == estimate.interval.low
    assert Difference(Interval(0.1, 0.0, 0.2), 0.5, "").to_dict()["degrees"] is None


@pytest.mark.parametrize(("first", "second"), [((2, 5), (2, 6)), ((2, 5, 1), (2, 5, 1)), ((2, 1), (2, 1))])
def test_tables_that_do_not_fit_are_refused(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        paired_difference(np.zeros(first), np.zeros(second), _draws())


def test_a_diverged_run_is_refused_by_place() -> None:
    table = np.zeros((2, 5))
    table[1, 3] = np.nan
    with pytest.raises(ShapeError, match="seed 1, example 3"):
        estimate_figure(table, MEAN, _draws())


def test_holm_keeps_order_and_never_lowers() -> None:
    values = [0.04, 0.001, 0.5, 0.02]
    adjusted = holm(values)
    assert adjusted == pytest.approx([0.08, 0.004, 0.5, 0.06])
    assert all(after >= before for before, after in zip(values, adjusted, strict=True))
    assert holm([]) == []
    with pytest.raises(OptionError):
        holm([1.5])
