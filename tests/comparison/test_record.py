"""The record holds every figure of every kind of problem, and nothing that was not measured."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gatewise.comparison.verdict.changes import changes
from gatewise.comparison.verdict.figures import difference_entries
from gatewise.comparison.verdict.record import build_record
from gatewise.errors import RunError
from gatewise.record import Comparison, MedianLag, Run, compact_json, comparison_from, plain
from gatewise.statistics import Mean, median_lag, paired_difference, seed_spread, settled
from made_up_comparison import (
    ENVIRONMENT,
    ERROR,
    SKILL,
    MadeUpData,
    MadeUpKind,
    made_up_dataset,
    made_up_forecast,
    made_up_language,
    made_up_probe,
    made_up_record,
)
from made_up_runs import BASELINE, made_up_trials

CELLS = {"baseline": 0.86, "rnn": 0.8, "lstm": 0.88, "gru": 0.885}


def test_every_kind_survives_the_file() -> None:
    for record in (
        made_up_record(CELLS, seeds=2),
        made_up_forecast({"persistence": 0.02, "gru": 0.019}),
        made_up_language({"kneser-ney-5": 141.0, "gru": 98.0}),
        made_up_probe({"rnn": 50}, lengths=(50, 100)),
    ):
        assert comparison_from(json.loads(compact_json(record))) == record
        assert json.loads(compact_json(record)) == record.to_dict()


def test_a_figure_is_that_of_the_contributions() -> None:
    record = made_up_record(CELLS, seeds=3)
    truth = np.array(record.details["truth"])
    for model in record.models:
        right = [np.mean(np.array(run.predictions["predicted"]) == truth) for run in model.runs]
        figure = model.figure
        assert figure.estimate == pytest.approx(np.mean(right))
        assert figure.per_seed == pytest.approx(right)
        assert figure.low < figure.estimate < figure.high
        if model.kind == "baseline":
            assert figure.seeds == 1 and figure.deviation is None and figure.over == "examples"
        else:
            assert figure.deviation == pytest.approx(np.std(right, ddof=1)) and figure.seeds == 3
        assert model.figures["loss"] == pytest.approx(np.mean([run.test["loss"] for run in model.runs]))
        assert "confusion" not in model.figures


def test_a_perplexity_is_the_exponential_of_the_mean() -> None:
    record = made_up_language({"kneser-ney-5": 141.0, "lstm": 98.0, "gru": 102.0})
    for model in record.models:
        mean = np.mean([run.test["loss"] for run in model.runs])
        assert model.figure.estimate == pytest.approx(np.exp(mean))
    assert record.metric.transform == "exp" and record.unit == "tokens"


def test_cells_are_compared_with_everything_and_baselines_not_among_themselves() -> None:
    record = made_up_record(CELLS, seeds=2)
    pairs = {frozenset((pair.first, pair.second)) for pair in record.differences}
    assert len(pairs) == len(record.differences) == 6
    assert frozenset(("gru", BASELINE)) in pairs
    for pair in record.differences:
        assert pair.low <= pair.estimate <= pair.high
        assert pair.p_value <= pair.adjusted_p_value <= 1
        assert pair.differs == (pair.adjusted_p_value < pair.significance)
        assert 0 <= pair.superiority <= 1


def test_the_margin_decides_equivalence() -> None:
    wide = made_up_record({"lstm": 0.88, "gru": 0.88}, seeds=3, margin=0.2)
    narrow = made_up_record({"lstm": 0.88, "gru": 0.88}, seeds=3, margin=0.0001)
    assert wide.margin == 0.2 and wide.differences[0].equivalent
    assert not narrow.differences[0].equivalent
    assert made_up_record({"gru": 0.88}).margin == 0.005


def test_other_cells_tell_only_the_spread_between_seeds() -> None:
    """A figure is the model's own; with one seed nothing of other models enters its interval either."""
    alone = made_up_forecast({"gru": 0.019}, seeds=2).models[0].figure
    beside = made_up_forecast({"gru": 0.019, "lstm": 0.03}, seeds=2).models[0].figure
    assert (beside.estimate, beside.deviation, beside.per_seed) == (alone.estimate, alone.deviation, alone.per_seed)
    assert beside.high - beside.low < alone.high - alone.low, "the spread of four seeds is known better than of two"
    one = made_up_forecast({"gru": 0.019}, seeds=1).models[0].figure
    assert made_up_forecast({"gru": 0.019, "lstm": 0.03}, seeds=1).models[0].figure == one


def test_cost_is_the_mean_over_runs_and_time_per_epoch_the_least() -> None:
    record = made_up_record({"baseline": 0.8, "gru": 0.88}, seeds=3)
    gru = record.models[1]
    assert gru.cost.seconds_per_epoch == min(run.seconds_per_epoch for run in gru.runs)
    assert gru.cost.step_p50 == pytest.approx(np.mean([run.cost.step_p50 for run in gru.runs]))
    assert gru.cost.time_to_target.epochs == 2.0
    assert gru.cost.energy_joules is None
    assert gru.memory == gru.runs[0].memory
    lags = [median_lag(run.memory.trained.norms) for run in gru.runs]
    known = all(settled(run.memory.trained.norms) for run in gru.runs)
    assert gru.median_lag == MedianLag(mean=np.mean(lags), least=min(lags), most=max(lags), runs=3, settled=known)
    assert gru.median_lag.least < gru.median_lag.most
    baseline = record.models[0]
    assert baseline.memory is None and baseline.cost.step_p50 is None


def test_an_error_is_never_said_to_be_below_zero() -> None:
    runs = [run for model in made_up_forecast({"gru": 0.02}, seeds=2).models for run in model.runs]
    generator = np.random.default_rng(0)
    contributions = {run.name: size * generator.gamma(1.0, 1.0, 50) for run, size in zip(runs, (0.1, 5.0), strict=True)}
    assert _build(runs, contributions).models[0].figure.low == 0.0


def test_failures_and_trials_stand_apart() -> None:
    trials = made_up_trials(["lstm", "gru"], "accuracy", [0.86, 0.88])
    record = made_up_record(CELLS, seeds=2, failed=["gru-seed2"], tuning=trials)
    assert [failure.name for failure in record.failed] == ["gru-seed2"]
    assert "not finite" in record.failed[0].error
    assert len(record.models[3].runs) == 2
    assert record.tuning == trials


def test_if_every_run_failed_the_record_says_so() -> None:
    record = made_up_record({}, failed=["gru-seed0"])
    assert record.verdict.outcome == "failed"
    assert record.models == () and record.differences == ()


def test_a_cell_that_lost_a_seed_is_still_compared() -> None:
    entries = made_up_forecast({"persistence": 0.03, "gru": 0.02, "lstm": 0.02}, seeds=3).models
    runs = [run for model in entries for run in model.runs if run.name != "gru-seed1"]
    generator = np.random.default_rng(0)
    contributions = {run.name: generator.gamma(2.0, 0.01, 300) for run in runs}
    record = _build(runs, contributions)
    assert [model.figure.seeds for model in record.models] == [1, 2, 3]
    assert len(record.differences) == 3


def test_skill_is_the_error_saved_against_persistence() -> None:
    record = made_up_forecast({"persistence": 0.02, "gru": 0.018, "lstm": 0.03})
    base = record.models[0].figure.estimate
    for model in record.models:
        assert model.skill.against == "persistence"
        assert model.skill.value == pytest.approx(1 - model.figure.estimate / base)


def test_the_axis_says_how_far_each_cell_reaches() -> None:
    record = made_up_probe({"rnn": 50, "lstm": 200, "gru": 400})
    assert record.axis.reach == {"rnn": 50, "lstm": 200, "gru": 400}
    assert [point.value for point in record.axis.points] == [50, 100, 200, 400]
    assert record.verdict.headline == "GRU reaches sequence length 400, LSTM 200, RNN 50"
    assert all(run.point == 400 for model in record.models for run in model.runs)
    nobody = made_up_probe({"rnn": 0}, lengths=(50, 100))
    assert nobody.axis.reach == {"rnn": None}
    assert "reach" not in nobody.verdict.answers


def test_an_axis_that_is_no_difficulty_has_no_reach() -> None:
    made = made_up_probe({"gru": 100}, lengths=(50, 100))
    runs = [run for model in made.models for run in model.runs]
    entries = [replace(run, name=f"{run.name}-{size}", point=size) for size in ("wide", "narrow") for run in runs]
    generator = np.random.default_rng(0)
    record = _build(
        entries,
        {entry.name: generator.gamma(2.0, 0.01, 100) for entry in entries},
        plan={"cells": ["gru"], "seeds": [0, 1], "axis": {"name": "size", "values": ["wide", "narrow"]}},
        axis={"name": "size", "title": "size"},
    )
    assert record.axis.reach == {}
    assert [point.value for point in record.axis.points] == ["wide", "narrow"]
    assert record.verdict.answers["quality"].sentence.startswith("At size narrow: ")
    assert {run.point for model in record.models for run in model.runs} == {"narrow"}
    nothing = _build([], {}, axis={"name": "size", "title": "size"})
    assert nothing.axis is not None and nothing.axis.points == () and nothing.verdict.outcome == "failed"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.pop("gru-seed0"), "gru-seed0 has no measurement"),
        (lambda found: found.update({"gru-seed0": np.zeros(3)}), "does not fit that of persistence"),
        (lambda found: found.update({"gru-seed0": np.full(300, np.nan)}), "NaN or infinity"),
    ],
)
def test_measurements_that_do_not_fit_are_refused(change: Any, message: str) -> None:
    models = made_up_forecast({"persistence": 0.03, "gru": 0.02}, seeds=1).models
    runs = [run for model in models for run in model.runs]
    contributions = {run.name: np.linspace(0.01, 0.02, 300) for run in runs}
    change(contributions)
    with pytest.raises(RunError, match=message):
        _build(runs, contributions)


def test_most_wrong_examples_are_the_surest() -> None:
    record = made_up_record(CELLS, dataset=made_up_dataset(200))
    truth = record.details["truth"]
    for model in record.models:
        given = model.runs[0].predictions
        wrong = [index for index, answer in enumerate(given["predicted"]) if answer != truth[index]]
        surest = sorted(wrong, key=lambda index: given["truth_probability"][index])[:6]
        assert sorted(record.details["most_wrong"][model.name]) == sorted(surest)
    shown = {example["index"] for example in record.details["examples"]}
    assert shown == {index for indices in record.details["most_wrong"].values() for index in indices}


def test_changes_are_those_beyond_the_intervals() -> None:
    old = made_up_record({"baseline": 0.86, "rnn": 0.6, "lstm": 0.88, "gru": 0.88}, seeds=3)
    new = made_up_record({"baseline": 0.86, "rnn": 0.8, "lstm": 0.7, "gru": 0.885, "mingru": 0.8}, seeds=3)
    changed = new.to_dict()
    changed["models"][3]["cost"]["seconds_per_epoch"] *= 2
    changed["plan"]["training"]["epochs"] = 8
    new = comparison_from(changed)
    found = changes(old, new)
    readings = {model.name: model.reading for model in found.models}
    assert readings == {BASELINE: "same", "rnn": "better", "lstm": "worse", "gru": "same"}
    assert found.same_data and not found.same_verdict
    assert found.added == ("minGRU",) and found.removed == ()
    assert [(entry.name, entry.old, entry.new) for entry in found.settings] == [("epochs", 4, 8)]
    text = " ".join(found.sentences)
    for words in ("RNN (", "is better than before", "is worse than before", "GRU 31 s to 62 s (2.0 times)", "minGRU"):
        assert words in text
    assert json.loads(compact_json(found)) == plain(found)


def test_nothing_changed_is_said() -> None:
    record = made_up_language({"kneser-ney-5": 141.0, "gru": 98.0})
    found = changes(record, record)
    assert found.sentences == ("No model's perplexity changed beyond its interval.", "The verdict is the same.")


def test_lower_is_better_in_changes_too() -> None:
    old, new = made_up_language({"gru": 98.0}, tokens=4000), made_up_language({"gru": 30.0}, tokens=4000)
    assert changes(old, new).models[0].reading == "better"
    assert changes(new, old).models[0].reading == "worse"


def test_other_data_or_another_kind_is_said() -> None:
    old = made_up_record(CELLS)
    new = replace(old, data=replace(old.data, fingerprint="1" * 64))
    assert "The data are not the same" in changes(old, new).sentences[0]
    with pytest.raises(RunError, match="the task differs"):
        changes(made_up_forecast({"gru": 0.02}), new)


def _build(
    runs: list[Run], contributions: dict[str, Any], *, plan: dict[str, Any] | None = None, **further: Any
) -> Comparison:
    kind = MadeUpKind("forecasting", "windows", ERROR, {}, SKILL)
    data = MadeUpData("stocks", "prices", "the last fifth", {"train": 1, "validation": 1, "test": 300})
    return build_record(
        plan or {"cells": ["gru"], "seeds": [0]},
        kind,
        data,
        runs,
        contributions,
        environment=ENVIRONMENT,
        command="gatewise compare stocks",
        created="2026-11-21T12:00:00+00:00",
        **further,
    )


def test_seeds_needed_are_those_of_the_corrected_test() -> None:
    """No pair that was not found different is said to need as few seeds as it had, or fewer than at its own level."""
    generator = np.random.default_rng(4)
    seen = 0
    for _ in range(3):
        hard = generator.random(400)
        tables = {
            f"cell{number}": (hard + generator.normal(0, 0.02, (3, 1)) + 0.006 * number < 0.8).astype(float)
            for number in range(5)
        }
        accuracy = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
        entries = difference_entries(tables, accuracy, [], margin=0.005)
        for entry in entries:
            if entry["differs"] or entry["seeds_needed"] is None:
                continue
            seen += 1
            found = paired_difference(
                tables[entry["first"]],
                tables[entry["second"]],
                np.random.default_rng(0),
                measure=accuracy,
                spread=seed_spread(tables.values(), accuracy),
            )
            alone, open_pairs = found.seeds_needed(), sum(not each["differs"] for each in entries)
            assert entry["seeds_needed"] > 3
            assert alone is not None and entry["seeds_needed"] >= alone
            assert entry["seeds_needed"] == max(4, found.seeds_needed(significance=0.05 / 6 / open_pairs) or 0)
    assert seen > 5
