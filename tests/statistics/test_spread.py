"""How far seeds lie apart, from all cells of a comparison; and what whole comparisons then say falsely."""

from __future__ import annotations

import functools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from gatewise.comparison.verdict import figures
from gatewise.comparison.verdict.figures import difference_entries, figure_entries
from gatewise.statistics import Components, Mean, SeedSpread, SpanF1, seed_spread
from gatewise.statistics.spread import seed_part

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)


def _cells(count: int, seeds: int, spread: float, seed: int = 0) -> list[np.ndarray]:
    draws = np.random.default_rng(seed)
    return [spread * draws.normal(size=(seeds, 1)) + 0.01 * draws.normal(size=(seeds, 200)) for _ in range(count)]


def test_the_reach_is_that_of_students_t_where_one_source_is_alone() -> None:
    seeds = Components(seed=4e-4, example=0.0, rest=0.0, seeds=3, example_degrees=math.inf)
    assert seeds.reach(0.975) == pytest.approx(stats.t.ppf(0.975, 2) * 0.02)
    examples = Components(seed=1e-4, example=1e-4, rest=1e-4, seeds=1_000_000, example_degrees=math.inf)
    assert examples.reach(0.975) == pytest.approx(stats.norm.ppf(0.975) * 0.01, rel=1e-4)
    both = Components(seed=4e-4, example=9e-4, rest=0.0, seeds=3, example_degrees=math.inf)
    assert both.reach(0.99) == pytest.approx(math.hypot(0.02 * stats.t.ppf(0.99, 2), 0.03 * stats.norm.ppf(0.99)))
    for probability in (0.6, 0.975, 0.9999):
        assert both.tail(both.reach(probability)) == pytest.approx(1 - probability, rel=1e-5)
    assert both.tail(-0.01) == pytest.approx(1 - both.tail(0.01)) and both.tail(0.0) == 0.5


def test_the_variance_is_never_smaller_than_that_of_the_examples() -> None:
    """Three seeds that lie closer together than chance alone allows tell nothing good."""
    assert Components(seed=0.0, example=3e-4, rest=2e-4, seeds=3, example_degrees=99).variance == pytest.approx(3e-4)


def test_one_cell_that_fails_now_and_then_does_not_hide_the_others() -> None:
    calm = _cells(5, 3, 0.01)
    wild = _cells(1, 3, 0.5, seed=9)
    spread, with_wild = seed_spread(calm, ACCURACY), seed_spread([*calm, *wild], ACCURACY)
    assert spread is not None and with_wild is not None
    assert with_wild.variance < 4 * spread.variance < 0.1 * wild[0].mean(axis=1).var(ddof=1)
    assert (spread.degrees, with_wild.degrees) == (10, 12)
    part, degrees = seed_part([(wild[0], 1.0)], with_wild)
    assert part == pytest.approx(wild[0].mean(axis=1).var(ddof=1) / 3) and degrees == pytest.approx(2.0, abs=0.1)
    part, degrees = seed_part([(np.zeros((3, 200)), 1.0)], with_wild)
    assert part == pytest.approx(with_wild.variance / 3) and degrees == 12


def test_one_seed_tells_nothing_of_seeds() -> None:
    assert seed_spread(_cells(4, 1, 0.1), ACCURACY) is None
    assert seed_part([(np.zeros((1, 50)), 1.0)], None) == (0.0, None)
    assert seed_part([(np.zeros((1, 50)), 2.0)], SeedSpread(0.01, 6)) == (0.04, 6)


def test_the_last_seed_of_a_cell_is_no_certainty() -> None:
    tables = dict(zip("abc", _cells(3, 3, 0.02), strict=True))
    left = {**tables, "c": tables["c"][:1]}
    alone = figure_entries(left, Mean("mean", "mean", higher_is_better=True), [])["c"]
    assert alone["over"] == "seeds and examples"
    spread = seed_spread(tables.values(), ACCURACY)
    assert spread is not None
    assert alone["high"] - alone["low"] > 2 * 1.96 * math.sqrt(spread.variance)
    baseline = figure_entries(left, Mean("mean", "mean", higher_is_better=True), ["c"])["c"]
    assert baseline["over"] == "examples" and baseline["high"] - baseline["low"] < 0.01


def test_the_spread_of_figures_of_several_numbers_is_in_the_figures_unit() -> None:
    draws = np.random.default_rng(0)
    true = np.broadcast_to(draws.integers(1, 6, size=400), (4, 400))
    found = draws.binomial(true, [[0.7], [0.8], [0.9], [0.8]])
    table = np.stack([true, true, found], axis=-1).astype(float)
    spread = seed_spread([table], SpanF1())
    assert spread is not None
    runs = SpanF1().figure(table.mean(axis=1))
    assert spread.variance == pytest.approx(np.var(runs, ddof=1), rel=0.02)


def test_a_later_look_is_corrected() -> None:
    tables = dict(zip("ab", _cells(2, 5, 0.02, seed=3), strict=True))
    (first,), (second,), (third,) = (difference_entries(tables, ACCURACY, [], margin=0.005, look=k) for k in (1, 2, 3))
    assert second["adjusted_p_value"] == pytest.approx(min(1.0, 6 * first["adjusted_p_value"]))
    assert third["adjusted_p_value"] == pytest.approx(min(1.0, 12 * first["adjusted_p_value"]))
    assert second["p_value"] == first["p_value"] and second["low"] == first["low"]


@pytest.mark.slow
@pytest.mark.parametrize("world", ["3 points", "1 point, unequal", "1 point, failures", "0.9 points, cells"])
def test_equally_good_cells_are_seldom_called_different(world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one quantile at Satterthwaite's degrees of freedom 10 to 28 of 100 comparisons said something."""
    from false_claims import WORLDS, least_p

    monkeypatch.setattr(figures, "paired_difference", functools.partial(figures.paired_difference, resamples=100))
    draws = np.random.default_rng(1)
    rounds = 150
    said = sum(least_p(WORLDS[world].draw(6, 3, draws)) < 0.05 for _ in range(rounds))
    assert said / rounds < 0.05 + 2 * math.sqrt(0.05 * 0.95 / rounds)
