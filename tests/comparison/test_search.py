"""Every cell gets the same budget of trials, and a search resumed anywhere ends the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gatewise
from gatewise.comparison import make_plan, run_plan
from gatewise.comparison.plan.grid import Range
from gatewise.comparison.plan.plan import Search
from gatewise.comparison.run.events import ComparisonEvent, PlanReady, TrialDone
from gatewise.comparison.run.search import GENERATION, STARTUP, BaselineSearch, CellSearch
from gatewise.comparison.run.tuning_log import JOURNAL_FILE
from gatewise.errors import TrainingError
from gatewise.record import Comparison
from small_data import SETTINGS, write_reviews

SPACE = {"learning_rate": Range(1e-4, 1e-1), "hidden_size": Range(4, 64), "pooling": ("last", "mean")}


def figure(settings: dict[str, Any]) -> float:
    """A made-up figure with its best value at a rate of 0.01 and mean pooling."""
    return -abs(settings["learning_rate"] - 0.01) - 0.01 * (settings["pooling"] == "last")


def run_search(search: CellSearch) -> CellSearch:
    while generation := search.next_generation():
        search.tell([figure(settings) for settings in generation])
    return search


def run_all(search: CellSearch) -> CellSearch:
    while generation := search.next_generation():
        search.tell([0.0] * len(generation))
    return search


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_search_repeats_itself_whatever_the_cell_is_called(method: str) -> None:
    plan = Search(method, 23, SPACE, None, seed=7)
    first = run_search(CellSearch(plan, "gru", higher_is_better=True))
    other = run_search(CellSearch(plan, "gru_by_another_name", higher_is_better=True))
    seeded = run_search(CellSearch(Search(method, 23, SPACE, None, seed=8), "gru", higher_is_better=True))
    assert len(first.asked) == 23
    assert first.asked == other.asked and first.best == other.best
    assert not any(settings in seeded.asked for settings in first.asked)
    assert all(1e-4 <= each["learning_rate"] <= 1e-1 and 4 <= each["hidden_size"] <= 64 for each in first.asked)
    assert first.figures[first.best] == max(value for value in first.figures if value is not None)


def test_the_first_trials_are_common_to_cells_that_do_differently_well() -> None:
    def search(method: str, sign: float) -> list[dict[str, Any]]:
        one = CellSearch(Search(method, 4 * GENERATION, SPACE, None, 3), "gru", higher_is_better=True)
        while generation := one.next_generation():
            one.tell([sign * figure(settings) for settings in generation])
        return one.asked

    common = search("random", 1.0)
    assert search("random", -1.0) == common
    good, bad = search("tpe", 1.0), search("tpe", -1.0)
    assert good[:STARTUP] == bad[:STARTUP] == common[:STARTUP]
    assert good[STARTUP:] != bad[STARTUP:]


def test_a_setting_is_drawn_the_same_whatever_else_is_searched() -> None:
    alone = {"learning_rate": SPACE["learning_rate"]}
    drawn = [
        CellSearch(Search("random", 5, space, None, 3), "gru", higher_is_better=True).next_generation()
        for space in (alone, SPACE)
    ]
    assert [each["learning_rate"] for each in drawn[0]] == [each["learning_rate"] for each in drawn[1]]


def test_draws_fill_their_range() -> None:
    space = {"rate": Range(1e-4, 1e-1), "width": Range(1, 4), "share": Range(0.0, 0.5), "word": ("a", "b")}
    search = run_all(CellSearch(Search("random", 2000, space, None, 3), "gru", higher_is_better=True))
    rates, widths = [each["rate"] for each in search.asked], [each["width"] for each in search.asked]
    assert 0.45 < sum(rate < 10**-2.5 for rate in rates) / 2000 < 0.55
    assert all(0.22 < widths.count(width) / 2000 < 0.28 for width in (1, 2, 3, 4))
    assert 0.45 < sum(each["share"] < 0.25 for each in search.asked) / 2000 < 0.55
    assert 0.45 < sum(each["word"] == "a" for each in search.asked) / 2000 < 0.55


def test_a_baseline_has_its_default_first_and_as_many_trials_as_a_cell() -> None:
    space = {"penalty": (1.0, 0.1, 10.0), "steps": (8, 4, 2)}

    def asked(trials: int, seed: int = 3) -> list[dict[str, Any]]:
        return BaselineSearch("ridge", space, trials, seed, higher_is_better=True).next_generation()

    assert asked(1) == [{"penalty": 1.0, "steps": 8}]
    whole = asked(20)
    assert len(whole) == 9 and whole[0] == asked(1)[0]
    assert len({tuple(each.values()) for each in whole}) == 9
    # a larger budget adds to a smaller one, and another seed draws others
    assert all(asked(count) == whole[:count] for count in range(1, 10))
    assert whole != asked(20, seed=4) and asked(20, seed=4)[0] == whole[0]


def test_tpe_learns_from_the_generations_before() -> None:
    search = run_search(CellSearch(Search("tpe", 60, SPACE, None, 3), "gru", higher_is_better=True))
    early = [figure(settings) for settings in search.asked[:10]]
    late = [figure(settings) for settings in search.asked[-10:]]
    assert sum(late) > sum(early)


def test_failed_trials_lose_and_a_search_of_failures_is_an_error() -> None:
    search = CellSearch(Search("tpe", 2 * GENERATION, SPACE, None, 3), "gru", higher_is_better=False)
    search.next_generation()
    search.tell([None, 2.0, None, 1.0, 1.0])
    assert search.best == 3
    search.next_generation()
    search.tell([None] * GENERATION)
    assert search.next_generation() == [] and search.best == 3
    failed = CellSearch(Search("grid", 1, {"dropout": (0.0,)}, None, 3), "gru", higher_is_better=True)
    failed.next_generation()
    failed.tell([None])
    with pytest.raises(TrainingError, match="every trial of gru failed"):
        _ = failed.best


@pytest.mark.slow
def test_the_winner_is_trained_again_and_only_it_sees_the_test_part(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv")
    events: list[ComparisonEvent] = []
    asked: dict[str, Any] = {
        "cells": ["rnn", "gru"],
        "search": "tpe",
        "trials": 3,
        "grid": {"learning_rate": "1e-3..3e-2", "dropout": [0.0, 0.5]},
        "text": "review",
        "label": "mood",
        "cost": False,
        "storage": f"sqlite:///{tmp_path / 'trials.db'}",
        "on_event": events.append,
        **{name: value for name, value in SETTINGS.items() if name != "learning_rate"},
    }
    study = gatewise.compare(reviews, seeds=2, out=tmp_path / "one", **asked)
    tuning = study.record.tuning
    tfidf = "tfidf-logistic-regression"
    assert [trial.cell for trial in tuning] == [tfidf] * 3 + ["rnn"] * 3 + ["gru"] * 3
    assert {trial.seed for trial in tuning} == {None, 1_000_000}
    assert not any((study.folder / "measurements").glob("*-tuning-*.safetensors"))
    for cell in ("rnn", "gru"):
        tried = [trial for trial in tuning if trial.cell == cell]
        (winner,) = [trial for trial in tried if trial.chosen]
        assert winner.validation["accuracy"] == max(trial.validation["accuracy"] for trial in tried)
        assert study.best(cell).spec.training.learning_rate == winner.settings["learning_rate"]
        (model,) = [model for model in study.record.models if model.name == cell]
        assert [run.settings for run in model.runs] == [winner.settings] * 2
    by_cell = {cell: [trial.settings for trial in tuning if trial.cell == cell] for cell in ("rnn", "gru")}
    assert by_cell["rnn"] == by_cell["gru"]
    events.clear()
    # another folder on the same database does not repeat the search
    gatewise.compare(reviews, seeds=1, out=tmp_path / "two", **asked)
    fresh = [event.trial.phase for event in events if isinstance(event, TrialDone) and not event.reused]
    assert fresh == ["baseline", "final", "final"]
    assert not (tmp_path / "two" / JOURNAL_FILE).exists()


@pytest.mark.slow
def test_adding_a_value_costs_only_that(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv")
    asked: dict[str, Any] = {
        "cells": ["gru"],
        "out": tmp_path / "out",
        "text": "review",
        "label": "mood",
        "cost": False,
    }
    gatewise.compare(reviews, grid={"dropout": [0.0, 0.5]}, **asked, **SETTINGS)
    journal = tmp_path / "out" / JOURNAL_FILE
    journal.write_bytes(journal.read_bytes() + b'{"cut o')
    journal.with_name(JOURNAL_FILE + ".lock").touch()
    events: list[ComparisonEvent] = []
    gatewise.compare(reviews, grid={"dropout": [0.0, 0.25, 0.5]}, on_event=events.append, **asked, **SETTINGS)
    fresh = [event.trial for event in events if isinstance(event, TrialDone) and not event.reused]
    (plan,) = [event for event in events if isinstance(event, PlanReady)]
    (baseline,) = plan.baselines
    assert baseline.trials == 3 and baseline.space["minimum_texts"] == (1, 2, 3)
    tried = [trial for trial in fresh if trial.phase == "tuning"]
    assert [trial.settings for trial in tried if trial.seed is not None] == [{"dropout": 0.25}]
    # the third trial of the baseline, too, is new; the first two are those of the smaller grid
    assert [trial.cell for trial in tried if trial.seed is None] == ["tfidf-logistic-regression"]

    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    names = [study.study_name for study in optuna.get_all_study_summaries(storage)]
    trials = {name.split(": ")[1]: optuna.load_study(study_name=name, storage=storage).trials for name in names}
    assert sorted(trial.params["dropout"] for trial in trials["gru"]) == [0.0, 0.25, 0.5]
    defaults = {"inverse_regularisation": 10.0, "longest_phrase": 2, "minimum_texts": 1}
    assert len(trials["tfidf-logistic-regression"]) == 3
    assert trials["tfidf-logistic-regression"][0].params == defaults


@pytest.mark.slow
def test_an_interrupted_search_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv", rows=120)
    settings = {**SETTINGS, "epochs": 1, "text": "review", "label": "mood"}
    plan = make_plan(str(reviews), cells=["rnn"], grid={"dropout": [0.0, 0.25, 0.5]}, **settings)
    done: list[TrialDone] = []

    def interrupt(event: ComparisonEvent) -> None:
        if isinstance(event, TrialDone):
            done.append(event)
            if len(done) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, tmp_path / "cut", cost=False, on_event=interrupt)
    assert [event.trial.cell for event in done] == ["tfidf-logistic-regression"] * 2
    again: list[ComparisonEvent] = []
    cut = run_plan(plan, tmp_path / "cut", cost=False, on_event=again.append).record
    whole = run_plan(plan, tmp_path / "whole", cost=False).record
    reused = [event.trial.name for event in again if isinstance(event, TrialDone) and event.reused]
    assert {event.trial.name for event in done} <= set(reused)

    def tried(record: Comparison) -> list[Any]:
        return [(trial.name, trial.settings, trial.validation, trial.chosen) for trial in record.tuning]

    assert len(tried(cut)) == 6 and tried(cut) == tried(whole)
    assert [model.figure.estimate for model in cut.models] == [model.figure.estimate for model in whole.models]


@pytest.mark.slow
def test_a_repeated_search_gives_each_seed_its_own_winner(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv", rows=120)
    settings = {name: value for name, value in SETTINGS.items() if name != "learning_rate"} | {"epochs": 1}
    asked: dict[str, Any] = {
        "cells": ["gru"],
        "grid": {"learning_rate": "1e-3..1e-1"},
        "search": "random",
        "trials": 2,
        "text": "review",
        "label": "mood",
        "cost": False,
        **settings,
    }
    once = gatewise.compare(reviews, seeds=1, out=tmp_path / "once", **asked).record
    record = gatewise.compare(reviews, seeds=2, repeat_tuning=True, out=tmp_path / "twice", **asked).record
    trials = [trial for trial in record.tuning if trial.cell == "gru"]
    assert [(trial.for_seed, trial.seed) for trial in trials] == [(0, 1_000_000)] * 2 + [(1, 1_000_001)] * 2
    assert len({trial.settings["learning_rate"] for trial in trials}) == 4
    # the first seed's search is the one without repetition
    first = [trial.settings for trial in once.tuning if trial.cell == "gru"]
    assert [trial.settings for trial in trials if trial.for_seed == 0] == first
    winners = {trial.for_seed: trial.settings for trial in trials if trial.chosen}
    (model,) = [model for model in record.models if model.name == "gru"]
    assert {run.seed: run.settings for run in model.runs} == winners
    assert model.settings == {}
    # a baseline has no seed: it is searched once, with the same number of trials
    assert [trial.for_seed for trial in record.tuning if trial.seed is None] == [None, None]
    assert "--repeat-tuning" in record.command
