"""Planning by a pilot: seeds and examples that find a difference, and a simulated check of the power promised."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatewise.cli.app import main
from gatewise.comparison.audit import audit
from gatewise.comparison.planning import needed_seeds, next_step, plan_sizes, planned_command
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


def test_the_pilots_column_and_the_table_say_one_figure():
    """Where seeds lie closer together than chance has it, the same number of seeds is no other number."""
    for generator in range(4):
        pilot = made_up_record(FIGURES, seeds=3, generator_seed=generator)
        pairs = [
            replace(pair, variance=replace(pair.variance, seed=pair.variance.rest * share))
            for pair, share in zip(pilot.differences, (0.2, 0.9, 1.7), strict=True)
        ]
        found = plan_sizes(replace(pilot, differences=tuple(pairs)))
        row, column = found.table_seeds.index(3), found.table_examples.index(600)
        assert max(pair.detectable for pair in found.pairs) == found.table[row][column]


def test_audit_and_plan_say_one_figure_and_audit_and_verdict_one_remedy(pilot):
    power = next(check for check in audit(pilot) if check.name == "power")
    best = pilot.verdict.leaders[:1] or (pilot.models[0].name,)
    titles = {model.name: model.title for model in pilot.models}
    plan = plan_sizes(pilot)
    with_best = [pair.detectable for pair in plan.pairs if titles[best[0]] in (pair.first, pair.second)]
    assert f"{100 * max(with_best):.1f} points would have been found" in power.sentence
    flat = [replace(pair, variance=replace(pair.variance, example=1e-3, rest=0.0)) for pair in pilot.differences]
    unreachable = replace(pilot, differences=tuple(flat))
    assert all(needed_seeds(unreachable, pair, pilot.margin) is None for pair in flat)
    said = next(check for check in audit(unreachable) if check.name == "power").advice
    assert said == ("More test examples would find a difference as large as the margin, more seeds alone would not.")
    few = [
        replace(pair, variance=replace(pair.variance, seed=2e-4, example=1e-9, rest=0.0, least=0.0)) for pair in flat
    ]
    seeds = next(check for check in audit(replace(pilot, differences=tuple(few))) if check.name == "power").advice
    assert "seeds would find a difference as large as the margin" in seeds and "examples" not in seeds
    two = next(check for check in audit(made_up_record(FIGURES, seeds=2)) if check.name == "power").advice
    assert two == "More seeds, or more test examples: which of them cannot be said from 2 seeds."


def _step(record, **how):
    plan = plan_sizes(record, **how)
    return next_step(record, Path("runs/a"), plan, "texts", lambda size: f"{100 * size:.3g} points")


def test_every_plan_ends_with_a_command(pilot):
    known = replace(pilot, command="gatewise compare reviews.csv --epochs 4 --out runs/a")

    def with_parts(*parts):
        pairs = [
            replace(pair, variance=replace(pair.variance, seed=seed, example=example, rest=0.0))
            for pair, (seed, example) in zip(known.differences, parts, strict=True)
        ]
        return replace(known, differences=tuple(pairs))

    enough = _step(with_parts(*[(1e-5, 1e-9)] * 3), difference=0.01)
    assert enough.sentence.startswith("Enough for every pair") and "--seed 3 --out runs/a-planned" in enough.command
    some = _step(with_parts((1e-5, 1e-9), (1e-5, 1e-9), (1e-5, 1e-3)), difference=0.01)
    assert "are enough for 2 of 3 pairs; the other pair (" in some.sentence and "--out runs/a-planned" in some.command
    none = with_parts(*[(1e-5, 1e-3)] * 3)
    said = _step(none, difference=0.001)
    assert "it takes more texts in the test part" in said.sentence
    assert said.command.startswith("gatewise plan runs/a --difference ")
    again = plan_sizes(none, difference=float(said.command.split()[-1]))
    assert again.enough_seeds is not None and again.enough_seeds <= 10, "that plan has enough seeds"


def test_a_pilot_that_was_not_trained_to_the_end_is_trained_longer():
    rising = replace(
        made_up_record(FIGURES, seeds=3, rising=["lstm"]), command="gatewise compare a.csv --epochs 4 --out a"
    )
    step = _step(rising)
    assert "still improving" in step.sentence and step.command == "gatewise compare a.csv --out runs/a-longer"
    derived = _step(replace(rising, command="gatewise compare a.csv --out a"))
    assert "--epochs " in derived.command


def test_refusals_to_plan_end_with_a_command_too(pilot):
    single = replace(made_up_record(FIGURES, seeds=1), command="gatewise compare a.csv --seeds 1 --out runs/a")
    with pytest.raises(RunError, match=r"fix: .*reused: gatewise compare a.csv --out runs/a --seeds 3$"):
        plan_sizes(single)
    with pytest.raises(RunError, match=r"compared nothing; .*fix: .*: gatewise compare reviews.csv"):
        plan_sizes(replace(pilot, differences=()))
    few = made_up_forecast({"persistence": 0.9, "gru": 0.8}, windows=60, overlap=20)
    with pytest.raises(RunError, match=r"fix: compare on a longer test part; .*: gatewise audit runs/a$"):
        plan_sizes(few, folder=Path("runs/a"))
    far = replace(
        few, plan={**few.plan, "data": {"horizon": 20}}, command="gatewise compare x.csv --horizon 20 --out a"
    )
    with pytest.raises(RunError, match=r"forecast fewer steps: gatewise compare x.csv --horizon \d+ --out runs/a-hor"):
        plan_sizes(far, folder=Path("runs/a"))


def test_plan_repeats_what_another_command_would_read(pilot, tmp_path, capsys):
    note = "the column 'Aktion' is not used; to read it: --known Aktion (if known for the future too)"
    data = replace(pilot.data, notes=("3 repeated texts were dropped", note))
    write_text(tmp_path / "comparison.json", compact_json(replace(pilot, data=data)))
    with pytest.raises(SystemExit):
        main(["plan", str(tmp_path)])
    said = " ".join(capsys.readouterr().out.split())
    assert note in said and "repeated texts" not in said and "    gatewise " not in note
