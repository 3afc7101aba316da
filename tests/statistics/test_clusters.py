"""Clusters of examples: their sums, the variance of a mean over them, and coverage by simulation."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewise.errors import ShapeError
from gatewise.statistics import (
    MacroF1,
    Mean,
    estimate_figure,
    f1_contributions,
    paired_difference,
    variance_components,
)
from gatewise.statistics.clusters import clustered, over_clusters

ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)


def _simulation() -> dict[str, Any]:
    path = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, path)
    try:
        return runpy.run_path(f"{path}/clusters.py")
    finally:
        sys.path.remove(path)


def test_the_mean_stays_and_the_variance_is_that_of_cluster_sampling() -> None:
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), generator.integers(1, 30, 40))
    generator.shuffle(groups)
    table = generator.normal(size=(3, len(groups))) + generator.normal(size=40)[groups]
    found = clustered(table, groups)
    assert found.shape == (3, 40)
    assert np.allclose(found.mean(axis=1), table.mean(axis=1))
    without = np.array([table[0][groups != group].mean() for group in range(40)])
    jackknife = 39 / 40 * ((without - without.mean()) ** 2).sum()
    assert np.isclose(variance_components(found[:1]).variance, jackknife)
    degrees = over_clusters(variance_components(found), groups).example_degrees
    assert degrees == pytest.approx(len(groups) ** 2 / (np.bincount(groups) ** 2).sum() - 1) and degrees < 39
    assert over_clusters(variance_components(found), np.repeat(np.arange(40), 5)).example_degrees == 39


def test_single_examples_change_nothing() -> None:
    table = np.random.default_rng(0).random((3, 50)) < 0.8
    alone = ACCURACY.over_groups(np.arange(50))
    plain = estimate_figure(table, ACCURACY, np.random.default_rng(0))
    grouped = estimate_figure(table, alone, np.random.default_rng(0))
    assert np.allclose([plain.interval.low, plain.interval.high], [grouped.interval.low, grouped.interval.high])
    assert grouped.method.endswith("by group)") and "by group" not in plain.method


@pytest.mark.parametrize("seeds", [1, 3])
def test_copies_of_the_examples_are_worth_nothing(seeds: int) -> None:
    """Every example four times, as four near duplicates: the interval is about that of the examples once."""
    generator = np.random.default_rng(1)
    one, two = generator.random((seeds, 400)) < 0.85, generator.random((seeds, 400)) < 0.8
    copied = ACCURACY.over_groups(np.tile(np.arange(400), 4))
    once = paired_difference(one, two, np.random.default_rng(0), measure=ACCURACY)
    four = (np.tile(one, 4), np.tile(two, 4))
    grouped = paired_difference(*four, np.random.default_rng(0), measure=copied)
    naive = paired_difference(*four, np.random.default_rng(0), measure=ACCURACY)
    assert grouped.interval.half_width == pytest.approx(once.interval.half_width, rel=0.03)
    assert seeds > 1 or naive.interval.half_width < 0.7 * once.interval.half_width  # of three, the seeds weigh more
    assert "McNemar" not in grouped.method
    figures = [
        estimate_figure(table, measure, np.random.default_rng(0)).interval.half_width
        for table, measure in ((one, ACCURACY), (four[0], copied))
    ]
    assert figures[1] == pytest.approx(figures[0], rel=0.03)


def test_figures_of_several_numbers_are_grouped_too() -> None:
    generator = np.random.default_rng(2)
    truth, answers = (np.eye(2)[generator.integers(0, 2, 200)] for _ in range(2))
    table = f1_contributions(truth, answers)[None]
    measure = MacroF1(classes=2)
    plain = estimate_figure(table, measure, np.random.default_rng(0)).interval
    four = estimate_figure(
        np.tile(table, (1, 4, 1)), measure.over_groups(np.tile(np.arange(200), 4)), np.random.default_rng(0)
    ).interval
    assert four.estimate == pytest.approx(plain.estimate) and four.half_width == pytest.approx(
        plain.half_width, rel=0.1
    )


def test_groups_of_other_examples_are_refused() -> None:
    table = np.random.default_rng(0).random((2, 10))
    with pytest.raises(ShapeError, match="the groups are not those of the examples"):
        clustered(table, np.arange(9))
    with pytest.raises(ShapeError, match="of a single group"):
        clustered(table, np.zeros(10, dtype=np.int64))


@pytest.mark.slow
def test_intervals_over_groups_hold_the_truth_and_those_without_do_not() -> None:
    """150 rounds of forty authors: with groups a true 95 % stays above 88.5 % but once in thousands of seeds."""
    simulation = _simulation()
    world = simulation["WORLDS"]["authors"]
    grouped = simulation["coverage"](world, 3, 150, grouped=True, resamples=199)
    naive = simulation["coverage"](world, 3, 150, grouped=False, resamples=199)
    assert grouped[0] > 0.885 and grouped[1] > 0.885
    assert naive[0] < 0.8 and naive[1] < grouped[1] and naive[2] < 0.9 * grouped[2]


def test_many_groups_that_differ_are_not_taken_for_agreement() -> None:
    """Forty groups counted as forty examples, so that no difference below five points was found of a thousand."""
    generator = np.random.default_rng(5)
    one, two = (generator.random((3, 1000)) < 0.85 for _ in range(2))
    grouped = ACCURACY.over_groups(np.repeat(np.arange(40), 25))
    plain, found = (
        paired_difference(one, two, np.random.default_rng(0), measure=measure, resamples=199)
        for measure in (ACCURACY, grouped)
    )
    assert found.interval.half_width < 1.3 * plain.interval.half_width < 0.05
    # where they differ in two groups alone, one more may differ as a whole
    almost = one.copy()
    almost[:, 20:30] = ~almost[:, 20:30]
    found = paired_difference(one, almost, np.random.default_rng(0), measure=grouped, resamples=199)
    assert found.interval.half_width > 1.9 / 42
