"""Do intervals and tests keep what they promise? Simulated comparisons, as benchmarks/coverage.py makes them."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewise.statistics import SpanF1

_SIMULATION = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "simulation.py"))
WORLDS: dict[str, Any] = {**_SIMULATION["WORLDS"], **_SIMULATION["COUNTS"]}
simulate = _SIMULATION["simulate"]


@pytest.mark.parametrize(
    ("world", "seeds"),
    [
        ("accuracy", 1),
        ("span F1", 3),
        pytest.param("squared error", 5, marks=pytest.mark.slow),
        pytest.param("series, correlation 0.7", 3, marks=pytest.mark.slow),
        pytest.param("BLEU", 1, marks=pytest.mark.slow),
    ],
)
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
    assert 0.005 <= found.found <= 0.115


def test_the_truth_of_a_difference_is_held_and_it_is_found() -> None:
    world = WORLDS["word error rate"]
    gap = 0.06 / world.steepness()
    found = simulate(
        world, seeds=3, examples=300, spread=0.0, gap=gap, rounds=100, generator=np.random.default_rng(4), resamples=199
    )
    assert 0.87 <= found.difference <= 1.0 and found.found > 0.9


@pytest.mark.parametrize("world", list(_SIMULATION["COUNTS"]))
def test_the_worlds_truth_is_that_of_many_draws(world: str) -> None:
    made = WORLDS[world]
    one, two = made.draw(2, 40_000, 0.0, 0.3, np.random.default_rng(5)).mean(axis=(1, 2))
    np.testing.assert_allclose(one, made.truth(0.0, 0.0), rtol=0.02)
    np.testing.assert_allclose(two, made.truth(0.0, 0.3), rtol=0.02)


def test_the_simulation_sees_a_wrong_method() -> None:
    """Neighbours taken for independent examples, or half a gradient: the same check then fails by far."""
    world = WORLDS["series, correlation 0.7"]
    wrong = replace(world.measure, dependence="independent")
    found = simulate(
        world,
        seeds=1,
        examples=300,
        spread=0.0,
        rounds=150,
        generator=np.random.default_rng(2),
        measure=wrong,
        resamples=199,
    )
    assert found.difference < 0.8

    class Halved(SpanF1):
        def gradient(self, means: Any) -> Any:
            return super().gradient(means) / 2

    found = simulate(
        WORLDS["span F1"],
        seeds=1,
        examples=300,
        spread=0.0,
        rounds=150,
        generator=np.random.default_rng(2),
        measure=Halved(),
        resamples=199,
    )
    assert found.figure < 0.8 and found.difference < 0.8 and found.found > 0.2


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
        ("span F1", 1, 0.0),
        ("span F1", 5, 0.06),
        ("word error rate", 5, 0.06),
        ("BLEU", 5, 0.03),
    ],
)
def test_nominal_95_percent_is_93_to_97(world: str, seeds: int, spread: float) -> None:
    """600 rounds tell a share of 95 % to within 1.8 points (two standard errors), which the bounds allow for."""
    found = simulate(
        WORLDS[world], seeds=seeds, examples=400, spread=spread, rounds=600, generator=np.random.default_rng(3)
    )
    assert 0.93 - 0.018 <= found.figure <= 0.97 + 0.018
    assert 0.93 - 0.018 <= found.difference <= 0.97 + 0.018
    assert 0.03 - 0.018 <= found.found <= 0.07 + 0.018
