"""The same spec gives the same bits, also when the run was killed or stopped on the way."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from moods import moods, small_spec
from torch import nn

from fresh_processes import TORCH, fresh
from gatewise.errors import RunError, StorageError
from gatewise.training import EpochDone, Interrupted, RunStarted, StepDone, TrainingSpec, load_run, loop, train_run
from gatewise.training.optimisation import Optimisation
from gatewise.training.problem import StepLoss
from gatewise.training.run_folder import RunFolder

STEPS = 11  # of an epoch: 168 training texts in batches of 16


def outcome(folder):
    """All that has to be equal: weights as bytes, and every figure that is not a time."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["seconds"], line["examples_per_second"], line["validation_seconds"]
    return (
        (folder / "best.safetensors").read_bytes(),
        lines,
        json.loads((folder / "result.json").read_text())["best_epoch"],
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train_run(small_spec(averaging=0.9), moods(folder), folder / "run")
    return outcome(folder / "run")


def test_same_spec_same_bits(tmp_path, whole):
    torch.manual_seed(5)
    train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_two_threads_same_bits(tmp_path, cell):
    for name in "ab":
        train_run(small_spec(cell, threads=2, epochs=1), moods(tmp_path), tmp_path / name)
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")


def test_another_seed_other_bits(tmp_path, whole):
    train_run(small_spec(averaging=0.9, seed=1), moods(tmp_path), tmp_path / "run")
    assert outcome(tmp_path / "run")[0] != whole[0]


def test_the_callers_random_state_and_threads_are_left_alone(tmp_path, request):
    # threads that stay would spin in all later tests of this process
    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    torch.manual_seed(3)
    torch.set_num_threads(2)
    expected = torch.rand(2, generator=torch.Generator().manual_seed(3))
    train_run(small_spec(epochs=1), moods(tmp_path), tmp_path / "run")
    load_run(tmp_path / "run")
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("steps", [STEPS + 4, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_and_resumed_equals_uninterrupted(tmp_path, whole, steps):
    script = Path(__file__).with_name("killed_run.py")
    killed = fresh([str(script), str(tmp_path), str(steps), "SIGKILL"], tmp_path, libraries=TORCH)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "run" / "result.json").exists()
    events = []
    train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run", on_event=events.append)
    started = events[0]
    assert isinstance(started, RunStarted)
    assert started.resumed_from_epoch == (None if steps == 1 else 2)
    assert outcome(tmp_path / "run") == whole
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("steps", [1, STEPS, STEPS + 1, 2 * STEPS - 1])
def test_ctrl_c_saves_and_resumes_to_the_same_bits(tmp_path, whole, steps):
    done = 0

    def press(event):
        nonlocal done
        done += isinstance(event, StepDone)
        if isinstance(event, StepDone) and done == steps:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted) as caught:
        train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run", on_event=press)
    assert caught.value.folder == tmp_path / "run"
    assert signal.getsignal(signal.SIGINT) is before
    train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


def test_ctrl_c_between_epochs(tmp_path, whole):
    def press(event):
        if isinstance(event, EpochDone) and event.record.epoch == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run", on_event=press)
    train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


def test_second_ctrl_c_stops_at_once(tmp_path):
    def press(event):
        if isinstance(event, StepDone):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_run(small_spec(), moods(tmp_path), tmp_path / "run", on_event=press)


def test_trains_outside_the_main_thread(tmp_path, whole):
    data = moods(tmp_path)
    worker = threading.Thread(target=train_run, args=(small_spec(averaging=0.9), data, tmp_path / "run"))
    worker.start()
    worker.join()
    assert outcome(tmp_path / "run") == whole


@pytest.mark.parametrize("failing", ["best.safetensors", "checkpoint.safetensors", "metrics.jsonl", "result.json"])
def test_full_disk_then_resumed(tmp_path, whole, monkeypatch, failing):
    """A write that fails with 'no space left' leaves what was there, and the run can be resumed."""
    import errno
    import os

    from gatewise import files

    real = os.fsync
    epochs = 0
    target = {"name": None}

    def note(event):
        nonlocal epochs
        epochs += isinstance(event, EpochDone)

    real_write, real_append = files.write_bytes, files.append_line

    def write(path, content):
        target["name"] = Path(path).name
        try:
            return real_write(path, content)
        finally:
            target["name"] = None

    def append(path, line):
        target["name"] = Path(path).name
        try:
            real_append(path, line)
        finally:
            target["name"] = None

    def full(handle):
        if target["name"] == failing and (epochs >= 1 or failing == "result.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_bytes", write)
        patch.setattr(files, "append_line", append)
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run", on_event=note)
    assert not [entry for entry in (tmp_path / "run").iterdir() if entry.suffix == ".part"]
    train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


def test_killed_before_the_first_checkpoint(tmp_path, whole, monkeypatch):
    """The epoch's line is there, the checkpoint is not: the run starts again, and so do its lines."""

    class Killed(Exception):
        pass

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save_checkpoint", die)
        with pytest.raises(Killed):
            train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run")
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 1
    train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run")
    assert outcome(tmp_path / "run") == whole


def test_weights_that_few_steps_need_are_taken_up():
    """A weight without a gradient has no moments; one that joins late has taken fewer steps."""

    def learn(optimisation, model, steps):
        for step in steps:
            x = model["always"].square().sum() + (model["late"].square().sum() if step >= 2 else 0.0)
            optimisation.step(StepLoss(x, x, 1), f"step {step}")

    def new():
        torch.manual_seed(0)
        model = nn.ParameterDict({name: nn.Parameter(torch.randn(3)) for name in ("always", "late", "never")})
        return model, Optimisation(model, TrainingSpec(learning_rate=0.1), 9)

    model, whole = new()
    learn(whole, model, range(6))
    for stop in (1, 4):
        first, begun = new()
        learn(begun, first, range(stop))
        second, resumed = new()
        resumed.load_state(begun.state(), stop)
        learn(resumed, second, range(stop, 6))
        assert all(torch.equal(model[name], second[name]) for name in model)


def test_checkpoints_follow_the_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    seen = []

    def look(event):
        if isinstance(event, StepDone):
            seen.append((tmp_path / "run" / "checkpoint.safetensors").exists())

    train_run(small_spec(epochs=1), moods(tmp_path), tmp_path / "run", on_event=look)
    assert seen == [False] + [True] * (STEPS - 1)


def test_finished_run_is_returned_at_once(tmp_path):
    data = moods(tmp_path)
    first = train_run(small_spec(epochs=1), data, tmp_path / "run")
    events = []
    again = train_run(small_spec(epochs=1), data, tmp_path / "run", on_event=events.append)
    assert again == first
    assert events == []


def test_predictions_after_loading_are_the_evaluated_ones(tmp_path):
    data = moods(tmp_path)
    spec = small_spec(averaging=0.9)
    spec = replace(spec, model=replace(spec.model, calibration="none"))
    result = train_run(spec, data, tmp_path / "run")
    trained = load_run(tmp_path / "run")
    figures = trained.evaluate(data.validation.texts, data.validation.labels)
    assert figures.accuracy == result.best.validation["accuracy"]
    assert figures.loss == pytest.approx(result.best.validation["loss"], abs=1e-9)
    assert np.allclose(trained.predict_proba(data.test.texts).sum(axis=1), 1)


def test_a_run_is_not_resumed_with_another_vocabulary(tmp_path):
    """As after a change of how words are numbered: weights would go on under other numbers, without a word."""

    def press(event):
        if isinstance(event, EpochDone):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run", on_event=press)
    path = tmp_path / "run" / "vocabulary.json"
    held = json.loads(path.read_text())
    held["words"][2:4] = held["words"][3:1:-1]
    path.write_text(json.dumps(held))
    with pytest.raises(RunError, match=r"vocabulary\.json is not what this version derives from the same data"):
        train_run(small_spec(averaging=0.9), moods(tmp_path), tmp_path / "run")
