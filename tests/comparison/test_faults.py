"""Whatever dies: nothing finished is lost, nothing counted twice, and the figures are those of an undisturbed run."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import gatewise
from gatewise.comparison import Comparison, make_plan, run_plan
from gatewise.comparison.run.events import ComparisonEvent, PlanReady, TrialDone
from gatewise.comparison.run.locking import LOCK_FILE, hold_folder
from gatewise.comparison.run.trial_maker import _absolute
from gatewise.errors import OptionError, RunError, StorageError, TrainingError
from gatewise.nn import cell
from gatewise.training.locking import hold_training
from small_data import SETTINGS, write_reviews

COLUMNS: dict[str, Any] = {"text": "review", "label": "mood"}
TINY: dict[str, Any] = {**SETTINGS, "hidden_size": 4, "embedding_size": 4, "epochs": 1}
PROBE: dict[str, Any] = {"length": 10, "examples": 100, "hidden_size": 4, "epochs": 1, "threads": 1, "batch_size": 16}
BOTH: dict[str, Any] = {"cells": ["rnn", "gru"], "seeds": 2, "grid": {"dropout": [0.0, 0.5]}, "epochs": 2}
WHERE = ("jobs", "cluster", "storage", "yes", "old_code", "margin", "on_event")


@pytest.fixture(scope="module", autouse=True)
def misbehaving_cells() -> Iterator[None]:
    """The cells of `faulty` are known to these tests alone: others go through every registered cell."""
    before = dict(cell._REGISTRY)
    sys.modules.pop("faulty", None)
    importlib.import_module("faulty")
    yield
    cell._REGISTRY.clear()
    cell._REGISTRY.update(before)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv", rows=120)


def results(folder: Path) -> dict[str, Any]:
    """Everything that a disturbance could change: figures, choices, weights; no times."""
    record = json.loads((folder / "comparison.json").read_text())
    found: dict[str, Any] = {"differences": record["differences"], "failed": record["failed"]}
    found["tuning"] = [
        {name: trial.get(name) for name in ("name", "settings", "validation", "chosen")} for trial in record["tuning"]
    ]
    for model in record["models"]:
        for run in model["runs"]:
            weights = b"" if run["folder"] is None else (folder / run["folder"] / "best.safetensors").read_bytes()
            found[run["name"]] = (run["test"], run["predictions"], weights)
    return found


def finished_trials(events: list[ComparisonEvent], *, reused: bool) -> list[str]:
    return [event.trial.name for event in events if isinstance(event, TrialDone) and event.reused == reused]


def compare(data: Path | str, out: Path, **more: Any) -> Comparison:
    """A comparison without its report, which takes longer than all trials; processes for "adding" start sooner."""
    options = {name: more.pop(name) for name in WHERE if name in more}
    usual = PROBE if data == "adding" else {**COLUMNS, **TINY}
    plan = make_plan(str(data), **{**usual, "seeds": 1, **more})
    return run_plan(plan, out, cost=False, **options)


def session(leader: int) -> list[int]:
    """The processes that a process and its descendants started, as long as they live."""
    found = []
    for number in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(number) == leader and psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
                found.append(number)
    return found


def run_to_its_death(reviews: Path, folder: Path, jobs: int, when: str) -> None:
    script = Path(__file__).parent / "killed_comparison.py"
    asked = json.dumps({**COLUMNS, **TINY, **BOTH})
    words = folder.with_name("words.txt")
    with words.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, str(script), str(reviews), str(folder), str(jobs), when, asked],
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        assert process.wait() == -signal.SIGKILL, words.read_text()
    end = time.monotonic() + 60
    while (orphans := session(process.pid)) and time.monotonic() < end:
        time.sleep(0.2)
    assert not orphans
    assert not (folder / "comparison.json").exists()


@pytest.fixture(scope="module")
def undisturbed(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "result"
    compare(reviews, out, **BOTH)
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jobs", "when", "later"),
    [(1, "done:3", 1), (1, "step:gru-seed1", 1), (2, "done:2", 2), (2, "done:6", 1)],
    ids=str,
)
def test_killing_the_comparison_changes_nothing(
    jobs: int, when: str, later: int, reviews: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "result"
    run_to_its_death(reviews, out, jobs, when)
    finished = {place.name.split(".")[0] for place in (out / "measurements").glob("*.json")}
    assert finished
    events: list[ComparisonEvent] = []
    compare(reviews, out, **BOTH, jobs=later, on_event=events.append)
    assert results(out) == results(undisturbed)
    assert len(finished_trials(events, reused=True)) >= len(finished)
    names = [event.trial.folder for event in events if isinstance(event, TrialDone)]
    assert len(names) == len(set(names)) == 11


@pytest.mark.slow
def test_several_processes_give_the_same_bits(reviews: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "result"
    compare(reviews, out, **BOTH, jobs=2)
    assert results(out) == results(undisturbed)


@pytest.mark.slow
def test_a_killed_worker_takes_nothing_with_it(tmp_path: Path) -> None:
    calm, struck = tmp_path / "calm", tmp_path / "struck"
    cells = ["mortal", "steady"]
    compare("adding", calm, cells=cells, seeds=2)
    flag = sys.modules["faulty"].flag(os.getpid())
    marked: list[str] = []

    def mark(event: ComparisonEvent) -> None:
        if isinstance(event, TrialDone) and not marked:
            flag.touch()
            marked.append(event.trial.name)

    compare("adding", struck, cells=cells, seeds=2, jobs=2, on_event=mark)
    assert marked == ["constant"] and not flag.exists()
    assert results(struck) == results(calm)


@pytest.mark.slow
def test_a_trial_that_always_kills_its_worker_has_failed(tmp_path: Path) -> None:
    study = compare("adding", tmp_path / "out", cells=["steady", "deadly"], jobs=2)
    assert [model.name for model in study.record.models][1:] == ["steady"]
    assert len(study.record.models[1].runs) == 1
    failed = {entry.name: entry.error for entry in study.record.failed}
    assert set(failed) == {"deadly-seed0"}
    assert "killed, twice" in failed["deadly-seed0"] and "memory" in failed["deadly-seed0"]


def test_failed_trials_are_told_with_the_reason(reviews: Path, tmp_path: Path) -> None:
    events: list[ComparisonEvent] = []
    study = compare(reviews, tmp_path / "out", cells=["steady", "greedy"], on_event=events.append)
    (failed,) = study.record.failed
    assert failed.name == "greedy-seed0" and "the memory does not suffice in epoch 1, step 1" in failed.error
    assert failed.error.startswith("the memory") and "--batch-size" in failed.error
    assert [event.error for event in events if isinstance(event, TrialDone)][-1] == failed.error
    events.clear()
    compare(reviews, tmp_path / "out", cells=["steady", "greedy"], on_event=events.append)
    assert finished_trials(events, reused=False) == ["greedy-seed0"]


def test_a_diverging_trial_loses_to_the_others(reviews: Path, tmp_path: Path) -> None:
    settings = {"optimizer": "sgd", "clip_norm": 1e38, "grid": {"learning_rate": [0.1, 1e300]}, "cells": ["gru"]}
    events: list[ComparisonEvent] = []
    study = compare(reviews, tmp_path / "out", **{**settings, "on_event": events.append, "learning_rate": None})
    states = {trial.settings["learning_rate"]: trial.state for trial in study.record.tuning if trial.seed is not None}
    assert states == {0.1: "finished", 1e300: "failed"}
    assert study.record.models[1].settings == {"learning_rate": 0.1}
    assert any("diverged" in (trial.error or "") for trial in study.record.tuning)
    events.clear()
    compare(reviews, tmp_path / "out", **{**settings, "on_event": events.append, "learning_rate": None})
    assert finished_trials(events, reused=False) == []


def test_nothing_trained_is_an_error(reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match="not one network could be trained; greedy-seed0: the memory does not suffice"
    ):
        compare(reviews, tmp_path / "out", cells=["greedy"])


def test_a_full_disk_stops_everything_and_loses_nothing(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, struck = tmp_path / "calm", tmp_path / "struck"
    compare(reviews, calm, cells=["rnn", "gru"])
    real, left = os.fsync, [14]

    def full(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            compare(reviews, struck, cells=["rnn", "gru"])
    assert not (struck / "comparison.json").exists()
    compare(reviews, struck, cells=["rnn", "gru"])
    assert results(struck) == results(calm)


def test_two_comparisons_in_one_folder(reviews: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with hold_folder(out), pytest.raises(RunError, match=f"another comparison is running.*process {os.getpid()} on"):
        compare(reviews, out, cells=["rnn"])
    (out / LOCK_FILE).write_text("")
    (out / (LOCK_FILE + ".json")).write_text('{"pid": 999999999, "host": "gone"}')
    compare(reviews, out, cells=["rnn"])
    assert not list(out.glob(LOCK_FILE + "*")) and not (out / "live").exists()


def test_changed_data_and_changed_code_are_refused(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = write_reviews(tmp_path / "mine.csv", rows=120)
    out = tmp_path / "out"
    compare(mine, out, cells=["steady"])
    with monkeypatch.context() as patch:
        patch.setattr("gatewise.comparison.run.run.code_version", lambda *given: "another")
        with pytest.raises(RunError, match="the code that trains changed"):
            compare(mine, out, cells=["steady"])
        events: list[ComparisonEvent] = []
        compare(mine, out, cells=["steady"], old_code=True, on_event=events.append)
        assert finished_trials(events, reused=False) == []
    write_reviews(mine, rows=140)
    with pytest.raises(RunError, match="with other data"):
        compare(mine, out, cells=["steady"])


@pytest.mark.slow
def test_the_same_file_under_another_spelling_is_the_same_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_reviews(tmp_path / "mine.csv", rows=120)
    monkeypatch.chdir(tmp_path)
    for spelt in ("mine.csv", "./mine.csv", str(tmp_path / "mine.csv")):
        events: list[ComparisonEvent] = []
        plan = make_plan(spelt, **COLUMNS, **TINY, seeds=1, cells=["steady"])
        run_plan(plan, tmp_path / "out", cost=False, on_event=events.append)
        assert bool(finished_trials(events, reused=False)) == (spelt == "mine.csv")
    (tmp_path / "mine.csv").rename(tmp_path / "yours.csv")
    events = []
    compare(tmp_path / "yours.csv", tmp_path / "out", cells=["steady"], on_event=events.append)
    assert finished_trials(events, reused=False) == []


@pytest.mark.slow
def test_old_code_never_averages_two_versions_of_a_cell(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    compare(reviews, out, cells=["steady"])
    monkeypatch.setattr("gatewise.comparison.run.run.code_version", lambda *given: "another")
    with pytest.raises(RunError, match="would average runs of steady that two versions of the code trained"):
        compare(reviews, out, cells=["steady"], seeds=2, old_code=True)
    assert len(compare(reviews, out, cells=["steady", "rnn"], old_code=True).record.cells) == 2


@pytest.mark.slow
def test_what_cannot_be_timed_is_not_called_done(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untimed(self: Any, spec: Any, point: Any) -> dict[str, float]:
        raise TrainingError("no step could be measured")

    monkeypatch.setattr("gatewise.comparison.run.budget.Budget.phase_seconds", untimed)
    events: list[ComparisonEvent] = []
    compare(reviews, tmp_path / "out", cells=["rnn"], on_event=events.append)
    compare(reviews, tmp_path / "out", cells=["rnn"], on_event=events.append)
    assert [event.seconds for event in events if isinstance(event, PlanReady)] == [0.0, None]


def test_a_plan_that_would_not_end_this_week(reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gatewise.comparison.run.budget.Budget.phase_seconds",
        lambda self, spec, point: {"a": 4e5 * spec.training.epochs},
    )
    with pytest.raises(OptionError, match=r"would take more than a week.*2 trainings, about 10 days.*--yes"):
        compare(reviews, tmp_path / "out", cells=["rnn"], seeds=2)
    assert compare(reviews, tmp_path / "out", cells=["rnn"], seeds=2, yes=True).folder.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cluster": "tcp://127.0.0.1:9"}, r"no cluster answers at tcp://127\.0\.0\.1:9"),
        ({"jobs": 0}, "jobs is out of range"),
        ({"margin": -0.01}, "margin is out of range"),
        ({"grid": {"dropout": [0.0, 0.5]}, "metric": "perplexity"}, "classification has no metric 'perplexity'"),
    ],
)
def test_bad_options_are_refused_before_anything_is_trained(
    options: dict[str, Any], message: str, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewise.comparison.run.cluster._SECONDS_TO_ANSWER", 1)
    with pytest.raises(OptionError, match=message):
        compare(reviews, tmp_path / "out", cells=["rnn"], **options)
    assert not list(tmp_path.glob("out/runs/*"))


def test_a_storage_that_does_not_answer(reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        compare(
            reviews,
            tmp_path / "out",
            cells=["rnn"],
            grid={"dropout": [0.0]},
            storage=f"sqlite:///{tmp_path}/no/such.db",
        )


def test_a_cell_of_the_script_itself_needs_one_process(reviews: Path, tmp_path: Path) -> None:
    steady = gatewise.nn.cell_class("steady")
    before = steady.__module__
    steady.__module__ = "__main__"
    try:
        with pytest.raises(OptionError, match="defined where other processes cannot find it"):
            compare(reviews, tmp_path / "out", cells=["steady"], jobs=2)
        assert compare(reviews, tmp_path / "out", cells=["steady"]).best("steady").spec.model.cell == "steady"
    finally:
        steady.__module__ = before


def test_a_run_that_another_process_trains_is_not_deleted(reviews: Path, tmp_path: Path) -> None:
    compare(reviews, tmp_path, cells=["gru"])
    (run,) = (tmp_path / "runs").iterdir()
    (run / "result.json").unlink()
    for measurement in (tmp_path / "measurements").glob("gru*"):
        measurement.unlink()
    before = {place.name: place.read_bytes() for place in run.iterdir()}
    with hold_training(run), pytest.raises(TrainingError):
        compare(reviews, tmp_path, cells=["gru"])
    assert {place.name: place.read_bytes() for place in run.iterdir()} == before


def test_files_of_vectors_are_found_from_any_directory(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of a cluster works elsewhere: what it gets names files in full."""
    monkeypatch.chdir(tmp_path)
    Path("vectors.txt").write_text("film 1 2 3 4\n")
    Path("cooccurrence").mkdir()
    spec = make_plan(str(reviews), **COLUMNS, embeddings="vectors.txt").base()
    assert _absolute(spec.model).embeddings == str((tmp_path / "vectors.txt").resolve())
    spec = make_plan(str(reviews), **COLUMNS).base()
    assert _absolute(spec.model) == spec.model
    assert _absolute(spec.data).data == str(reviews)
