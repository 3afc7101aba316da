"""A whole comparison on a small file: what it leaves, and how it goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gatewise
from gatewise.comparison import load_comparison, make_plan, run_plan
from gatewise.comparison.run.events import ComparisonEvent, DataReady, PlanReady, TrialDone, TrialStatus
from gatewise.errors import OptionError, RunError
from gatewise.kinds.classification.trained import TrainedClassifier
from gatewise.record import comparison_from
from gatewise.reports import render_page
from small_data import SETTINGS, write_reviews

COLUMNS: dict[str, Any] = {"text": "review", "label": "mood", "cost": False}
BASELINE = "tfidf-logistic-regression"


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv")


@pytest.fixture(scope="module")
def done(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[ComparisonEvent]]:
    events: list[ComparisonEvent] = []
    out = tmp_path_factory.mktemp("out") / "result"
    result = gatewise.compare(
        reviews, cells=["rnn", "gru"], seeds=2, out=out, **COLUMNS, **SETTINGS, on_event=events.append
    )
    return result, events


def test_the_record_is_whole_and_true(done: tuple[Any, list[ComparisonEvent]]) -> None:
    result, _ = done
    record = comparison_from(json.loads((result.folder / "comparison.json").read_text()))
    assert record == result.record
    assert [model.name for model in record.models] == [BASELINE, "rnn", "gru"]
    truth = np.array(record.details["truth"])
    for model in record.models:
        for run in model.runs:
            predicted = np.array(run.predictions["predicted"])
            assert run.test["accuracy"] == pytest.approx(float(np.mean(predicted == truth)))
            assert np.sum(run.test["confusion"]) == len(truth)
            assert len(run.epochs) == (2 if model.kind == "recurrent" else 0)
            assert run.training_seconds > 0
        assert model.figure.low <= model.figure.estimate <= model.figure.high
    assert len(record.differences) == 3
    assert record.environment["threads"] == 1
    assert record.plan["seeds"] == [0, 1]
    assert str(result.folder) in record.command


def test_the_python_object_gives_table_verdict_and_best(done: tuple[Any, list[ComparisonEvent]]) -> None:
    result, _ = done
    table = result.table()
    assert list(table.index) == [BASELINE, "rnn", "gru"]
    assert table.loc["gru", "test_accuracy"] == result.record.models[2].figure.estimate
    assert set(result.differences().index) == {(BASELINE, "rnn"), (BASELINE, "gru"), ("rnn", "gru")}
    assert result.verdict() == " ".join(result.record.verdict.sentences)
    assert result.headline in repr(result)
    best = result.best("gru")
    assert best.spec.model.cell == "gru"
    assert best.predict_proba(["a wonderful film"]).shape == (1, 2)
    assert result.best().spec.model.cell in ("rnn", "gru")
    answers = result.best("gru").predict(["a wonderful film"])
    assert answers == list(result.best_estimator("gru").predict(["a wonderful film"]))
    with pytest.raises(OptionError, match="was not compared"):
        result.best("lstm")
    assert load_comparison(result.folder).record == result.record


def test_the_report_can_be_drawn_from_it(done: tuple[Any, list[ComparisonEvent]]) -> None:
    page = str(render_page(done[0].record)).replace("&#39;", "'").replace("\N{NO-BREAK SPACE}", " ")
    assert done[0].headline in page


def fresh(events: list[ComparisonEvent]) -> list[str]:
    """The trials that were carried out, not found."""
    return [event.trial.name for event in events if isinstance(event, TrialDone) and not event.reused]


def test_a_run_whose_answers_are_no_numbers_fails_alone(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = TrainedClassifier.test

    def test(self: TrainedClassifier, dataset: Any, part: str = "test") -> Any:
        found = honest(self, dataset, part)
        if self.spec.training.seed == 5:
            found.contributions[3] = np.nan
        return found

    monkeypatch.setattr(TrainedClassifier, "test", test)
    plan = make_plan(str(reviews), cells=["rnn"], seeds=2, seed=4, text="review", label="mood", **SETTINGS)
    record = run_plan(plan, tmp_path / "result", cost=False).record
    assert [model.name for model in record.models] == [BASELINE, "rnn"]
    assert [run.seed for run in record.models[1].runs] == [4]
    assert len(record.models[1].details["readings"]) == 3, "of the first seed, whatever its number"
    (failed,) = record.failed
    assert failed.name == "rnn-seed5" and "NaN or infinite" in failed.error and "1 of" in failed.error


def test_events_tell_the_whole_story(done: tuple[Any, list[ComparisonEvent]]) -> None:
    _, events = done
    assert isinstance(events[0], DataReady) and not events[0].resumed
    assert isinstance(events[1], PlanReady)
    assert events[1].trainings == 4 and events[1].seconds is not None and events[1].seconds > 0
    finished = [event for event in events if isinstance(event, TrialDone)]
    names = [BASELINE, "rnn-seed0", "gru-seed0", "rnn-seed1", "gru-seed1"]
    assert [event.trial.name for event in finished] == names
    assert [(event.number, event.total) for event in finished] == [(number, 5) for number in range(1, 6)]
    assert all(event.test is not None and event.error is None for event in finished)
    found = [event for event in events if isinstance(event, TrialStatus)]
    assert {status.name for status in found} == set(names)
    assert [(status.epoch, status.step) for status in found if status.name == "gru-seed1"][-1] == (2, found[-1].steps)
    assert all(status.seconds_left >= 0 for status in found if status.seconds_left is not None)


def test_the_same_again_reuses_everything(done: tuple[Any, list[ComparisonEvent]], reviews: Path) -> None:
    result, _ = done
    before = {path: path.stat().st_mtime_ns for path in (result.folder / "runs").rglob("*")}
    events: list[ComparisonEvent] = []
    again = gatewise.compare(
        reviews, cells=["rnn", "gru"], seeds=2, out=result.folder, **COLUMNS, **SETTINGS, on_event=events.append
    )
    assert fresh(events) == []
    assert isinstance(events[0], DataReady) and events[0].resumed
    assert isinstance(events[1], PlanReady) and events[1].seconds is None
    assert {path: path.stat().st_mtime_ns for path in (result.folder / "runs").rglob("*")} == before
    for part in ("plan", "data", "verdict", "models", "differences", "details", "command"):
        assert getattr(again.record, part) == getattr(result.record, part)


def test_more_cells_cost_only_their_own(done: tuple[Any, list[ComparisonEvent]], reviews: Path, tmp_path: Path) -> None:
    folder = tmp_path / "grown"
    shutil.copytree(done[0].folder, folder)
    events: list[ComparisonEvent] = []
    grown = gatewise.compare(
        reviews, cells=["rnn", "gru", "bilstm"], seeds=2, out=folder, **COLUMNS, **SETTINGS, on_event=events.append
    )
    assert fresh(events) == ["bilstm-seed0", "bilstm-seed1"]
    assert len(grown.record.differences) == 6


def test_a_lost_run_is_trained_again_to_the_same_numbers(
    done: tuple[Any, list[ComparisonEvent]], reviews: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(done[0].folder, folder)
    (lost,) = (folder / "runs").glob("gru-seed1-*")
    shutil.rmtree(lost)
    (cut,) = (folder / "measurements").glob("rnn-seed0-????????.json")
    cut.write_text("{ cut o")
    (gone,) = (folder / "measurements").glob("rnn-seed1-*.safetensors")
    gone.unlink()
    (folder / "comparison.json").unlink()
    events: list[ComparisonEvent] = []
    again = gatewise.compare(
        reviews, cells=["rnn", "gru"], seeds=2, out=folder, **COLUMNS, **SETTINGS, on_event=events.append
    )
    assert fresh(events) == ["rnn-seed0", "rnn-seed1", "gru-seed1"]
    for new, old in zip(again.record.models, done[0].record.models, strict=True):
        assert [run.predictions for run in new.runs] == [run.predictions for run in old.runs]
    (weights,) = (folder / "runs").glob("gru-seed1-*/best.safetensors")
    assert weights.read_bytes() == (done[0].folder / weights.relative_to(folder)).read_bytes()


def test_another_comparison_is_refused_and_nothing_changes(
    done: tuple[Any, list[ComparisonEvent]], reviews: Path
) -> None:
    folder = done[0].folder
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(RunError, match="another comparison, with other epochs"):
        gatewise.compare(reviews, cells=["rnn", "gru"], seeds=2, out=folder, **COLUMNS, **{**SETTINGS, "epochs": 5})
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_each_kind_is_judged_by_the_figure_of_its_data(tmp_path: Path) -> None:
    """Of the probes, ``adding`` alone is judged by an error, of which less is better."""
    events: list[ComparisonEvent] = []
    result = gatewise.compare(
        "adding",
        cells=["gru"],
        grid={"hidden_size": [2, 16]},
        out=tmp_path / "result",
        cost=False,
        epochs=1,
        examples=200,
        length=10,
        learning_rate=0.02,
        threads=1,
        on_event=events.append,
    )
    assert result.record.metric.name == "mean_squared_error"
    (cell,) = [model for model in result.record.models if model.kind == "recurrent"]
    of_cells = [trial for trial in result.record.tuning if trial.seed is not None]
    errors = {trial.settings["hidden_size"]: trial.validation["mean_squared_error"] for trial in of_cells}
    assert cell.runs[0].settings["hidden_size"] == min(errors, key=lambda size: errors[size])
    shown = [event for event in events if isinstance(event, TrialDone) and event.trial.phase == "final"]
    assert shown[0].validation == cell.runs[0].validation["mean_squared_error"]
