"""Planning by a pilot: seeds and examples that find a difference, and a simulated check of the power promised."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatewise.cli.app import main
from gatewise.comparison.planning import plan_sizes, planned_command
from gatewise.errors import OptionError, RunError
from gatewise.files import write_text
from gatewise.record import compact_json, comparison_from
from gatewise.reports.page import render_page
from gatewise.statistics import paired_difference
from gatewise.statistics.components import Components
from gatewise.statistics.planning import detectable, examples_needed, seeds_needed
from made_up_comparison import made_up_forecast, made_up_record

FIGURES = {"baseline": 0.8, "lstm": 0.86, "gru": 0.85}


@pytest.fixture(scope="module")
def pilot():
    return made_up_record(FIGURES, seeds=3)


def test_the_record_keeps_the_parts_of_each_variance(pilot):
    again = comparison_from(json.loads(compact_json(pilot)))
    pair = again.differences[0]
    assert pair.variance == pilot.differences[0].variance and pair.variance.example > 0
    parts = Components(**{name: getattr(pair.variance, name) for name in pair.variance.__dataclass_fields__})
    reach = parts.reach(0.975)
    assert reach == pytest.approx((pair.high - pair.low) / 2, rel=0.25)


def test_how_often_a_run_wins_and_the_sources_of_variance_are_recorded_and_shown(pilot):
    pair = next(pair for pair in pilot.differences if pair.first == "lstm" and pair.second == "gru")
    won = pair.run_superiority_interval
    assert won.estimate == pytest.approx(pair.run_superiority) and won.low <= won.estimate <= won.high
    assert set(pair.sources) == {"seeds", "examples", "both"} and sum(pair.sources.values()) == pytest.approx(1.0)
    page = render_page(pilot)
    assert "runs won" in page and "The variance of a difference comes from seeds" in page
    single = made_up_record(FIGURES, seeds=1)
    assert single.differences[0].run_superiority_interval is None and not single.differences[0].sources


def test_more_seeds_and_more_examples_find_less(pilot):
    found = plan_sizes(pilot, difference=0.02)
    assert (found.level, found.seeds, found.examples) == (pytest.approx(0.05 / 3), 3, 600)
    table = np.array(found.table)
    assert (np.diff(table, axis=0) <= 1e-12).all() and (np.diff(table, axis=1) < 0).all()
    small = plan_sizes(pilot, difference=0.005).pairs
    for pair, other in zip(found.pairs, small, strict=True):
        assert other.examples is None or pair.examples is None or other.examples > pair.examples
    assert plan_sizes(pilot, difference=0.02, power=0.9).pairs[0].detectable > found.pairs[0].detectable


def test_what_is_planned_is_detectable(pilot):
    """The numbers are the smallest that do: one seed fewer, or a twentieth fewer examples, would not."""
    parts = Components(seed=3e-5, example=4e-5, rest=1e-5, seeds=3, example_degrees=999, seed_degrees=8)
    seeds, times = seeds_needed(parts, 0.025), examples_needed(parts.with_seeds(20), 0.008)
    assert detectable(parts.with_seeds(seeds)) <= 0.025 < detectable(parts.with_seeds(seeds - 1))
    more = parts.with_seeds(20)
    assert detectable(more.with_examples(times)) <= 0.008 < detectable(more.with_examples(0.95 * times))
    assert seeds_needed(parts, 0.005) is None and examples_needed(parts, 0.005) is None


def test_planned_seeds_have_about_the_power_promised():
    """Two models 1.5 standard deviations of a seed apart; the plan from exact components, 200 comparisons drawn."""
    generator, spread, gap = np.random.default_rng(0), 0.02, 0.03

    def draw(seeds, better):
        return better + spread * generator.normal(size=(seeds, 1)) + 0.3 * generator.normal(size=(seeds, 400))

    exact = Components(
        seed=2 * (spread**2 + 0.09 / 400), example=2 * 0.09 / 400, rest=2 * 0.09 / 400, seeds=1.0001,
        example_degrees=399, seed_degrees=1e6,
    )  # fmt: skip
    seeds = next(count for count in range(2, 40) if gap >= detectable(_at(exact, count)))
    found = [
        paired_difference(draw(seeds, gap), draw(seeds, 0.0), generator, resamples=100).p_value < 0.05
        for _ in range(200)
    ]
    assert 0.68 < np.mean(found) < 0.95


def _at(parts, seeds):
    """Exact components for so many seeds, with the degrees of freedom that these have."""
    return replace(
        parts, seed=parts.seed / seeds, example=parts.example / seeds, rest=parts.rest / seeds, seeds=seeds,
        seed_degrees=2 * (seeds - 1),
    )  # fmt: skip


def test_a_pilot_that_cannot_be_planned_with_is_refused(pilot):
    with pytest.raises(RunError, match="one seed"):
        plan_sizes(made_up_record(FIGURES, seeds=1))
    old = replace(pilot, differences=tuple(replace(pair, variance=None) for pair in pilot.differences))
    with pytest.raises(RunError, match="parts of its variance"):
        plan_sizes(old)
    with pytest.raises(RunError, match="too few independent blocks"):
        plan_sizes(made_up_forecast({"persistence": 0.9, "gru": 0.8}, windows=60, overlap=20))
    with pytest.raises(OptionError, match="difference"):
        plan_sizes(pilot, difference=-1)
    with pytest.raises(OptionError, match="power"):
        plan_sizes(pilot, power=1.0)


def test_the_planned_command_has_seeds_of_its_own(pilot):
    known = replace(pilot, command="gatewise compare reviews.csv --seeds 3 --epochs 4 --out runs/a")
    assert planned_command(known, Path("runs/a"), 9) == (
        "gatewise compare reviews.csv --epochs 4 --seeds 9 --seed 3 --out runs/a-planned"
    )


def test_the_command_says_it_in_a_table(pilot, tmp_path, capsys):
    write_text(tmp_path / "comparison.json", compact_json(pilot))
    with pytest.raises(SystemExit) as stop:
        main(["plan", str(tmp_path), "--difference", "0.1"])
    said = capsys.readouterr().out
    assert stop.value.code == 0 and "LSTM and GRU" in said and "10.0 points" in said and "--seed 3" in said
