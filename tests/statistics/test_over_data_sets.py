"""What is said over several data sets, against scipy, published tables and computations by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gatewise.errors import OptionError, ShapeError
from gatewise.statistics.aggregates import improvement_probability, interquartile_mean, performance_profile
from gatewise.statistics.ranks import critical_difference, rank_over_data_sets
from gatewise.statistics.signed_rank import bayesian_signed_rank


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(5))
def test_friedman_is_scipys_with_ties_and_without(seed):
    draws = generator(seed)
    for table in (draws.normal(size=(9, 4)), draws.integers(0, 4, size=(12, 5)).astype(float)):
        found, wanted = rank_over_data_sets(table), stats.friedmanchisquare(*table.T)
        assert found.statistic == pytest.approx(wanted.statistic)
        assert found.chi_squared_p_value == pytest.approx(wanted.pvalue)
        assert found.ranks == pytest.approx(stats.rankdata(-table, axis=1).mean(axis=0))


def test_iman_and_davenports_p_value_agrees_with_permutations():
    """Of 20,000 random orders on each of ten data sets, about the p value's share is as far from chance."""
    draws = generator(4)
    found = rank_over_data_sets(draws.normal(size=(10, 4)) + np.array([2.0, 1.0, 0.0, 0.0]))
    means = draws.permuted(np.tile(np.arange(4.0), (20_000, 10, 1)), axis=2).mean(axis=1)
    statistics = 12 * 10 / 20 * ((means - 1.5) ** 2).sum(axis=1)
    exact = np.mean(statistics >= found.statistic - 1e-9)
    assert 0.005 < exact < 0.5 and abs(found.p_value - exact) < 0.02
    same = rank_over_data_sets(np.tile([3.0, 2.0, 1.0], (4, 1)))
    assert same.p_value == pytest.approx(6.0**-3)  # all data sets agree: 6 of 6^4 orders
    assert rank_over_data_sets(np.ones((4, 3))).p_value == 1.0
    tied = rank_over_data_sets([[3.0, 1.0, 1.0], [0.9, 0.4, 0.4]])  # one of three orders with such a tie
    assert tied.p_value == pytest.approx(1 / 3)


def test_critical_differences_are_demsars():
    """Table 5 (a) of Demšar (2006), and the example below it: CD = 2.569 sqrt(4 * 5 / (6 * 14)) = 1.25."""
    published = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
    for models, quantile in published.items():
        found = critical_difference(models, 20) / math.sqrt(models * (models + 1) / 120)
        assert found == pytest.approx(quantile, abs=1.1e-3)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


def test_nemenyis_p_value_is_five_percent_at_the_critical_difference():
    table = generator(3).normal(size=(30, 4)) + np.array([1.0, 0.5, 0.0, 0.0])
    found = rank_over_data_sets(table)
    for one, two in ((0, 1), (0, 2), (1, 3)):
        apart = abs(found.ranks[one] - found.ranks[two]) > found.critical_difference
        assert (found.pair_p_values[one][two] < 0.05) == apart


def test_the_interquartile_mean_is_scipys_trimmed_mean_where_runs_divide_by_four():
    runs = generator(1).normal(size=(4, 3))
    wanted = stats.trim_mean(runs.ravel(), 0.25)
    assert interquartile_mean(list(runs), generator()).estimate == pytest.approx(wanted)


def test_every_data_set_has_the_same_weight_whatever_its_number_of_runs():
    few = interquartile_mean([[0.0, 0.0], [1.0, 1.0]], generator())
    many = interquartile_mean([[0.0] * 2, [1.0] * 10], generator())
    assert few.estimate == pytest.approx(0.5) and many.estimate == pytest.approx(0.5)


def test_the_probability_of_improvement_counts_pairs_of_runs():
    first, second = [[3.0, 1.0, 2.0], [0.1, 0.2]], [[2.0, 2.0], [0.1, 0.3]]
    wanted = np.mean(
        [np.mean([(x > y) + 0.5 * (x == y) for x in one for y in two]) for one, two in zip(first, second, strict=True)]
    )
    found = improvement_probability(first, second, generator())
    assert found.estimate == pytest.approx(wanted)
    turned = improvement_probability(first, second, generator(), higher_is_better=[False, False])
    assert turned.estimate == pytest.approx(1 - wanted)
    sure = improvement_probability([[5.0] * 3] * 4, [[1.0] * 3] * 4, generator())
    assert sure.high == 1.0 and sure.low == pytest.approx(12 / 15.84)


def test_intervals_over_seeds_cover_from_three_seeds_on():
    """Would fail without the wider deviations: 0.82 and 0.80 of 300 rounds."""
    draws, places = generator(5), np.linspace(0, 2, 6)
    middle = stats.trim_mean(np.concatenate([place + draws.normal(size=20_000) for place in places]), 0.25)
    wins = np.mean(stats.norm.cdf(places / math.sqrt(2)))
    rounds, covered = 150, [0, 0]
    for _ in range(rounds):
        ours = [place + draws.normal(size=3) for place in places]
        theirs = [draws.normal(size=3) for _ in places]
        found = interquartile_mean(ours, draws, draws=200)
        chance = improvement_probability(ours, theirs, draws, draws=200)
        covered[0] += found.low <= middle <= found.high
        covered[1] += chance.low <= wins <= chance.high
    assert min(covered) / rounds > 0.88


def test_profiles_fall_and_their_bands_hold_them():
    runs = list(generator(2).normal(size=(5, 3)))
    at = np.linspace(-2, 2, 9)
    share, low, high = performance_profile(runs, at, generator())
    assert share == pytest.approx([np.mean(np.array(runs) > threshold) for threshold in at])
    assert (np.diff(share) <= 0).all() and (low <= share).all() and (share <= high).all()


def test_the_signed_rank_of_one_data_set_is_known_exactly():
    """With weights w0 + w1 = 1, uniform: "better" is 1 - w0², "same" is w0², so better wins with sqrt(1/2)."""
    found = bayesian_signed_rank([5.0], generator(), draws=40_000)
    assert found.better == pytest.approx(math.sqrt(0.5), abs=0.01)
    assert found.worse == 0.0


def test_the_signed_rank_knows_the_region():
    small = bayesian_signed_rank([0.3, -0.2, 0.1, 0.4, -0.3, 0.2], generator())
    large = bayesian_signed_rank([30.0, 20.0, 10.0, 40.0, 30.0, 20.0], generator())
    turned = bayesian_signed_rank([-30.0, -20.0, -10.0, -40.0, -30.0, -20.0], generator())
    assert small.same > 0.95 and large.better > 0.95 and turned.worse > 0.95


def test_a_signed_rank_of_three_data_sets_agrees_with_a_plain_loop():
    values, draws = [0.5, 2.5, -1.2], 4000
    found = bayesian_signed_rank(values, generator(1), draws=draws)
    again, counts, known = generator(9), np.zeros(3), [0.0, *values]
    for weights in again.dirichlet(np.ones(4), size=draws):
        shares = np.zeros(3)
        for i, one in enumerate(known):
            for j, two in enumerate(known):
                place = 0 if one + two > 2 else 2 if one + two < -2 else 1
                shares[place] += weights[i] * weights[j]
        counts[shares.argmax()] += 1 / draws
    assert (found.better, found.same, found.worse) == pytest.approx(tuple(counts), abs=0.035)


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="at least one run"):
        interquartile_mean([[], [1.0]], generator())
    with pytest.raises(ShapeError, match="other data sets"):
        improvement_probability([[1.0]], [[1.0], [2.0]], generator())
    with pytest.raises(ShapeError, match="ranking"):
        rank_over_data_sets([[1.0, 2.0]])
    with pytest.raises(OptionError, match="draws"):
        interquartile_mean([[1.0]], generator(), draws=3)
    with pytest.raises(OptionError, match="out of range"):
        bayesian_signed_rank([1.0], generator(), region=-1)
