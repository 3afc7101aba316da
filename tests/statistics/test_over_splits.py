"""Differences over several splits: shares of the variance, and how often equal models are called different."""

from __future__ import annotations

import numpy as np
import pytest

from gatewise.errors import ShapeError
from gatewise.statistics.components import Components, variance_components
from gatewise.statistics.splits import difference_over_splits


def test_shares_are_those_that_were_drawn():
    """Seeds 0.02 of three, examples 0.5 of 400, splits 0.03: the variances of a split's difference are known."""
    generator = np.random.default_rng(0)
    gaps, parts = [], []
    for _ in range(400):
        table = generator.normal(0, 0.02, (3, 1)) + generator.normal(0, 0.5, 400) + generator.normal(0, 0.2, (3, 400))
        gaps.append(float(table.mean()) + generator.normal(0, 0.03))
        parts.append(variance_components(table))
    found = difference_over_splits(gaps, parts, test_by_train=0.25)
    wanted = np.array([0.02**2 / 3, 0.5**2 / 400, 0.2**2 / 1200, 0.03**2])
    wanted /= wanted.sum()
    got = (found.seeds, found.examples, found.both, found.splits)
    assert got == pytest.approx(tuple(wanted), abs=0.06) and sum(got) == pytest.approx(1.0)


@pytest.mark.parametrize("splits", [3, 10])
def test_equal_models_on_overlapping_splits_are_not_called_different_too_often(splits):
    """A pool of 1,000 examples, of which each split tests on 200: a plain t test finds differences far more often."""
    generator, rounds, said, plain = np.random.default_rng(splits), 300, 0, 0
    for _ in range(rounds):
        pool = generator.normal(0, 0.5, 1000)
        tests = [generator.choice(pool, 200, replace=False) for _ in range(splits)]
        gaps = [float(test.mean()) for test in tests]
        parts = [Components(0.0, float(test.var(ddof=1)) / 200, 0.0, 1, 199) for test in tests]
        said += difference_over_splits(gaps, parts, test_by_train=200 / 700).p_value < 0.05
        plain += difference_over_splits(gaps, parts, test_by_train=0.0).p_value < 0.05
    assert said / rounds < 0.075
    if splits == 10:
        assert plain > said and plain / rounds > 0.1


def test_bad_input_is_refused():
    part = Components(0.0, 1.0, 0.0, 1, 99)
    with pytest.raises(ShapeError):
        difference_over_splits([0.1], [part], test_by_train=0.2)
    with pytest.raises(ShapeError):
        difference_over_splits([0.1, 0.2], [part], test_by_train=0.2)
