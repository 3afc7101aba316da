"""Mean absolute error and quadratic weighted kappa of classes that are numbers."""

from __future__ import annotations

import numpy as np
import pytest

from gatewise.errors import OptionError, ShapeError
from gatewise.statistics import (
    MeanAbsoluteError,
    QuadraticKappa,
    estimate_figure,
    kappa_contributions,
    paired_difference,
)


def _scores(generator: np.random.Generator, count: int, noise: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Truths and answers from 1 to 5."""
    truth = generator.integers(1, 6, size=count)
    return truth, np.clip(np.round(truth + noise * generator.normal(size=count)), 1, 5)


@pytest.mark.parametrize("shift", [0, 2000])
def test_kappa_is_that_of_scikit_learn(shift: int) -> None:
    from sklearn.metrics import cohen_kappa_score

    kappa = QuadraticKappa(values=(1, 2, 3, 4, 5))
    for seed in range(20):
        truth, answers = _scores(np.random.default_rng(seed), 60, 0.3 + 0.1 * seed)
        expected = cohen_kappa_score(truth, answers, weights="quadratic", labels=[1, 2, 3, 4, 5])
        found = kappa.of(kappa_contributions(truth + shift, answers + shift))
        assert found == pytest.approx(expected, abs=1e-6)


def test_its_gradient_is_that_of_its_figure() -> None:
    kappa = QuadraticKappa(values=(1, 2, 3, 4, 5))
    means = kappa_contributions(*_scores(np.random.default_rng(1), 50)).mean(axis=0)
    slopes = [(kappa.figure(means + step) - kappa.figure(means - step)) / 2e-6 for step in 1e-6 * np.eye(6)]
    np.testing.assert_allclose(kappa.gradient(means), slopes, rtol=1e-5)
    assert kappa.figure(7 * means) == pytest.approx(kappa.figure(means)) and kappa.gradient(means) @ means < 1e-9


def test_an_interval_is_no_wider_than_its_examples_make_it() -> None:
    """One more unit, right or wrong, moves the figure as an example does, not as if all others had been smaller."""
    truth, answers = _scores(np.random.default_rng(3), 60, 2.0)
    kappa = QuadraticKappa(values=(1, 2, 3, 4, 5))
    found = estimate_figure(kappa_contributions(truth, answers), kappa, np.random.default_rng(0)).interval
    assert 0.2 < found.high - found.low < 0.7
    for unit in kappa.units():
        assert abs(kappa.figure(kappa_contributions(truth, answers).mean(axis=0) + unit / 60) - found.estimate) < 0.05


def test_without_spread_there_is_no_agreement_beyond_chance() -> None:
    kappa = QuadraticKappa(values=(1, 2, 3))
    same = kappa_contributions([2, 2, 2], [2, 2, 2])
    assert kappa.of(same) == 0 and not kappa.gradient(same.mean(axis=0)).any()
    assert kappa.of(kappa_contributions([1, 2, 3], [2, 2, 2])) == 0
    assert kappa.of(kappa_contributions([1, 3], [3, 1])) == -1
    with pytest.raises(OptionError, match="at least 2 numbers"):
        QuadraticKappa(values=(1, 1))
    with pytest.raises(ShapeError, match="do not fit"):
        kappa_contributions([1, 2], [1])


def test_all_right_is_no_certainty() -> None:
    truth = np.random.default_rng(0).integers(1, 6, size=80)
    kappa = QuadraticKappa(values=(1, 2, 3, 4, 5))
    found = estimate_figure(kappa_contributions(truth, truth), kappa, np.random.default_rng(0)).interval
    assert found.estimate == pytest.approx(1) and found.high == pytest.approx(1) and 0.8 < found.low < 0.98
    error = estimate_figure(np.abs(truth - truth), MeanAbsoluteError(), np.random.default_rng(0)).interval
    assert error.low == error.estimate == 0


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 400 samples of 150 texts, 95 % intervals of both hold the figure of a million texts in 92 to 98 %."""
    generator = np.random.default_rng(7)
    kappa = QuadraticKappa(values=(1, 2, 3, 4, 5))
    truth, answers = _scores(generator, 1_000_000)
    whole = kappa.of(kappa_contributions(truth, answers)), np.abs(truth - answers).mean()
    held = np.zeros(2)
    for _ in range(400):
        truth, answers = _scores(generator, 150)
        tables = (kappa_contributions(truth, answers), kappa), (np.abs(truth - answers), MeanAbsoluteError())
        for place, (table, measure) in enumerate(tables):
            found = estimate_figure(table, measure, generator, resamples=399).interval
            held[place] += found.low <= whole[place] <= found.high
    assert (held / 400 > 0.92).all() and (held / 400 < 0.985).all(), held / 400


def test_two_models_are_compared_by_both() -> None:
    generator = np.random.default_rng(2)
    truth = generator.integers(1, 6, size=400)
    better, worse = (np.clip(np.round(truth + width * generator.normal(size=400)), 1, 5) for width in (0.5, 1.2))
    for measure, tables in (
        (QuadraticKappa(values=(1, 2, 3, 4, 5)), [kappa_contributions(truth, each)[None] for each in (better, worse)]),
        (MeanAbsoluteError(), [np.abs(truth - each)[None] for each in (better, worse)]),
    ):
        found = paired_difference(tables[0], tables[1], generator, measure=measure)
        assert found.interval.low > 0 if measure.higher_is_better else found.interval.high < 0
