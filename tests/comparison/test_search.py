"""Every cell gets the same budget of trials, and a search resumed anywhere ends the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gatewise
from gatewise.comparison.plan.grid import Range
from gatewise.comparison.plan.plan import Search
from gatewise.comparison.run.events import ComparisonEvent, TrialDone
from gatewise.comparison.run.search import GENERATION, CellSearch
from gatewise.comparison.run.tuning_log import JOURNAL_FILE
from gatewise.errors import TrainingError
from small_data import SETTINGS, write_reviews

SPACE = {"learning_rate": Range(1e-4, 1e-1), "hidden_size": Range(4, 64), "pooling": ("last", "mean")}


def figure(settings: dict[str, Any]) -> float:
    """A made-up figure with its best value at a rate of 0.01 and mean pooling."""
    return -abs(settings["learning_rate"] - 0.01) - 0.01 * (settings["pooling"] == "last")


def run_search(search: CellSearch) -> CellSearch:
    while generation := search.next_generation():
        search.tell([figure(settings) for settings in generation])
    return search


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_search_repeats_itself_and_differs_between_cells(method: str) -> None:
    plan = Search(method, 23, SPACE, None, seed=7)
    first = run_search(CellSearch(plan, "gru", None, higher_is_better=True))
    again = run_search(CellSearch(plan, "gru", None, higher_is_better=True))
    other = run_search(CellSearch(plan, "lstm", None, higher_is_better=True))
    assert len(first.asked) == 23
    assert first.asked == again.asked and first.best == again.best
    assert first.asked != other.asked
    assert all(1e-4 <= each["learning_rate"] <= 1e-1 and 4 <= each["hidden_size"] <= 64 for each in first.asked)
    assert first.figures[first.best] == max(value for value in first.figures if value is not None)


def test_tpe_learns_from_the_generations_before() -> None:
    search = run_search(CellSearch(Search("tpe", 60, SPACE, None, 3), "gru", None, higher_is_better=True))
    early = [figure(settings) for settings in search.asked[:10]]
    late = [figure(settings) for settings in search.asked[-10:]]
    assert sum(late) > sum(early)


def test_failed_trials_lose_and_a_search_of_failures_is_an_error() -> None:
    search = CellSearch(Search("tpe", 2 * GENERATION, SPACE, None, 3), "gru", None, higher_is_better=False)
    search.next_generation()
    search.tell([None, 2.0, None, 1.0, 1.0])
    assert search.best == 3
    search.next_generation()
    search.tell([None] * GENERATION)
    assert search.next_generation() == [] and search.best == 3
    failed = CellSearch(Search("grid", 1, {"dropout": (0.0,)}, None, 3), "gru", None, higher_is_better=True)
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
    assert [trial.cell for trial in tuning] == ["rnn"] * 3 + ["gru"] * 3
    assert len({trial.seed for trial in tuning}) == 1 and tuning[0].seed not in (0, 1)
    assert not any((study.folder / "measurements").glob("*-tuning-*.safetensors"))
    for cell in ("rnn", "gru"):
        tried = [trial for trial in tuning if trial.cell == cell]
        (winner,) = [trial for trial in tried if trial.chosen]
        assert winner.validation["accuracy"] == max(trial.validation["accuracy"] for trial in tried)
        assert study.best(cell).spec.training.learning_rate == winner.settings["learning_rate"]
        (model,) = [model for model in study.record.models if model.name == cell]
        assert [run.settings for run in model.runs] == [winner.settings] * 2
    events.clear()
    # another folder on the same database does not repeat the search
    gatewise.compare(reviews, seeds=1, out=tmp_path / "two", **asked)
    fresh = [event.trial.phase for event in events if isinstance(event, TrialDone) and not event.reused]
    assert fresh == ["baseline", "final", "final"]
    assert not (tmp_path / "two" / JOURNAL_FILE).exists()


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
    assert [trial.settings for trial in fresh if trial.phase == "tuning"] == [{"dropout": 0.25}]

    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    (study,) = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=study.study_name, storage=storage).trials
    assert sorted(trial.params["dropout"] for trial in trials) == [0.0, 0.25, 0.5]
