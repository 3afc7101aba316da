"""Do intervals and tests keep what they promise? Simulated comparisons of equally good models."""

from __future__ import annotations

import numpy as np
import pytest
from gatewise.statistics.simulation import WORLDS, simulate

from gatewise.statistics import paired_difference
from gatewise.statistics.measure import Mean


@pytest.mark.parametrize(("world", "seeds"), [("accuracy", 1), ("squared error", 5), ("series, correlation 0.7", 3)])
def test_intervals_hold_the_truth(world: str, seeds: int) -> None:
    """200 rounds: a true 95 % stays within these bounds but once in thousands of choices of the seed."""
    found = simulate(
        WORLDS[world],
        seeds=seeds,
        examples=300,
        spread=0.0,
        rounds=200,
        generator=np.random.default_rng(1),
        resamples=199,
    )
    assert 0.885 <= found.figure <= 0.995
    assert 0.885 <= found.difference <= 0.995
    assert 0.005 <= found.false_positives <= 0.115


def test_the_simulation_sees_a_wrong_method() -> None:
    """Neighbours taken for independent examples: the same check then fails by far."""
    world, generator, held = WORLDS["series, correlation 0.7"], np.random.default_rng(2), []
    wrong = Mean("perplexity", "perplexity", higher_is_better=False, transform="exp", dependence="independent")
    for _ in range(150):
        one, two = world.draw(1, 300, 0.0, generator)
        held.append(paired_difference(one, two, generator, metric=wrong, resamples=199).interval.holds(0.0))
    assert np.mean(held) < 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "seeds", "spread"),
    [
        ("accuracy", 1, 0.0),
        ("accuracy", 5, 0.1),
        ("squared error", 5, 0.03),
        ("series, correlation 0.3", 5, 0.2),
        ("series, correlation 0.7", 1, 0.0),
        ("series, correlation 0.7", 5, 0.02),
    ],
)
def test_nominal_95_percent_is_93_to_97(world: str, seeds: int, spread: float) -> None:
    """600 rounds tell a share of 95 % to within 1.8 points (two standard errors), which the bounds allow for."""
    found = simulate(
        WORLDS[world], seeds=seeds, examples=400, spread=spread, rounds=600, generator=np.random.default_rng(3)
    )
    assert 0.93 - 0.018 <= found.figure <= 0.97 + 0.018
    assert 0.93 - 0.018 <= found.difference <= 0.97 + 0.018
    assert 0.03 - 0.018 <= found.false_positives <= 0.07 + 0.018
