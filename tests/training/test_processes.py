"""Processes that share each batch: the same result as one process, whatever ends, and nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file
from shared_batches import TRAININGS, small_spec, train_small

from gatewise.errors import TrainingError
from gatewise.training import EpochDone, Interrupted, RunStarted, StepDone, loop, processes
from gatewise.training.checks import usable_cores
from gatewise.training.flat import FlatGradients

HERE = Path(__file__).parent
two_cores = pytest.mark.skipif(usable_cores() < 2, reason="two processes need two cores")


def figures(folder: Path) -> list[dict[str, Any]]:
    """What every epoch measured, without times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: line[name] for name in ("training", "validation", "learning_rate", "steps")} for line in lines]


def gone(process: psutil.Process, seconds: float = 20.0) -> bool:
    """Whether a process ends within so many seconds."""
    until = time.monotonic() + seconds
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.05)
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# ------------------------------------------------------------------------------------------------- the same result


@pytest.mark.slow
@two_cores
@pytest.mark.parametrize("how", ["together", "by rows", "as of two machines"])
def test_two_launched_processes_train_every_kind_as_one_does(tmp_path: Path, how: str) -> None:
    """The variables are torchrun's; one pair of processes trains everything, one after the other."""
    alone = {name: train_small(name, tmp_path, tmp_path / f"alone-{name}") for name in TRAININGS}
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    words = [sys.executable, str(HERE / "shared_batches.py"), str(tmp_path), how, *TRAININGS]
    ranks = [
        subprocess.Popen(words, env={**os.environ, **place, "RANK": rank}, stderr=subprocess.PIPE) for rank in "01"
    ]
    errors = [rank.communicate(timeout=240)[1].decode() for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], errors
    held = {name: (tmp_path / f"held-{name}").read_text() for name in TRAININGS}
    assert set(held.values()) == {"FlatGradients" if how == "as of two machines" else "SharedWeights"}
    for name, result in alone.items():
        shared = tmp_path / f"shared-{name}"
        expected, found = figures(tmp_path / f"alone-{name}"), figures(shared)
        for one, two in zip(expected, found, strict=True):
            for part in ("training", "validation"):
                assert two[part] == pytest.approx(one[part], rel=1e-6, abs=1e-6), name
        weights, others = (load_file(tmp_path / f"{how}-{name}" / "best.safetensors") for how in ("alone", "shared"))
        worst = max(float((weights[each] - others[each]).abs().max()) for each in weights)
        assert worst < 1e-6, name
        assert len(expected) == result.epochs[-1].epoch and expected[0]["steps"] > 2
        if name == "pretrained":
            assert json.loads((shared / "pretraining" / "spec.json").read_text())["training"]["processes"] == 2
        environment = json.loads((shared / "environment.json").read_text())
        assert (environment["processes"], environment["threads"]) == (2, 1)
        assert json.loads((shared / "spec.json").read_text())["training"]["processes"] == 2
    # the last batches of the first epochs have a row or none for the second process, and unequal ones otherwise
    sizes = {len(rows) % 2 for name in ("classes", "pairs") for rows in _batches(name, tmp_path)}
    assert sizes == {0, 1}


def _batches(name: str, folder: Path) -> list[Any]:
    from gatewise.training import kind_of

    spec = small_spec(name, folder)
    problem = kind_of(spec.task).problem(spec, kind_of(spec.task).load(spec.data))
    problem.begin_epoch(1)
    return list(problem._order)  # type: ignore[attr-defined]


def test_a_tables_rows_are_summed_as_all_of_it_is() -> None:
    """Two processes are two threads here; the tables are large, one with few rows of gradients, one without any."""
    meeting, held = threading.Barrier(2), {}

    def process(number: int) -> None:
        def add(values: torch.Tensor) -> None:
            held[number] = values.clone()
            meeting.wait(20)
            values += held[1 - number]
            meeting.wait(20)

        generator = torch.Generator().manual_seed(number)
        weights = [torch.zeros(shape, requires_grad=True) for shape in ((3000, 100), (5,), (3000, 100), (2,))]
        rows = torch.randint(3000, (50,), generator=generator)
        weights[0].grad = torch.zeros(3000, 100).index_fill_(0, rows, 1e-30 * (number + 1))  # no square is above 0
        weights[1].grad = torch.full((5,), float(number))
        if number:
            weights[2].grad = torch.ones(3000, 100)
        flat = FlatGradients(weights, add)
        sums = flat.summed([2.0 + number, 7.0])
        found[number] = rows, sums, [each.grad for each in weights]

    found: dict[int, Any] = {}
    threads = [threading.Thread(target=process, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    expected = torch.zeros(3000, 100)
    for number in (0, 1):
        expected += torch.zeros(3000, 100).index_fill_(0, found[number][0], 1e-30 * (number + 1))
    for number in (0, 1):
        _, sums, gradients = found[number]
        assert sums == [5.0, 14.0]
        assert torch.equal(gradients[0], expected / 5) and torch.equal(gradients[1], torch.full((5,), 0.2))
        assert torch.equal(gradients[2], torch.full((3000, 100), 0.2)) and gradients[3] is None


# ------------------------------------------------------------------------------------------ what ends, and resuming


def _maps_shared_memory(process: int) -> bool:
    return "memfd:gatewise" in Path(f"/proc/{process}/maps").read_text()


def _listener(act: Callable[[], None], steps: int) -> tuple[Callable[[object], None], list[object]]:
    """Act once after so many steps; the events."""
    events: list[object] = []

    def listen(event: object) -> None:
        events.append(event)
        if isinstance(event, StepDone) and sum(isinstance(each, StepDone) for each in events) == steps:
            act()

    return listen, events


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as a terminal has it, also where the tests run in the background, whose shell has it ignored."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.slow
@two_cores
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("shares", [True, False])
def test_stopped_and_killed_and_resumed_equals_uninterrupted(
    shares: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A language model, whose processes each carry the state of their columns, and draw dropout of their own."""
    import gatewise.training as training

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    if not shares:  # as on a system without it
        monkeypatch.delattr(os, "memfd_create")
    me = psutil.Process()
    before = {each.pid for each in me.children()}  # of earlier tests in this process

    def started_here() -> list[psutil.Process]:
        return [each for each in me.children() if each.pid not in before]

    spec = small_spec("model", tmp_path, processes=2, dropout=0.2, averaging=0.9)
    data = training.kind_of(spec.task).load(spec.data)
    whole = training.train_run(spec, data, tmp_path / "whole")
    assert not started_here() and signal.getsignal(signal.SIGINT) is signal.default_int_handler

    mapped: list[bool] = []

    def interrupt() -> None:
        mapped.append(_maps_shared_memory(started_here()[0].pid))
        signal.raise_signal(signal.SIGINT)

    listen, _ = _listener(interrupt, 3)
    with pytest.raises(Interrupted):
        training.train_run(spec, data, tmp_path / "run", on_event=listen)
    assert not started_here() and mapped == [shares]

    listen, events = _listener(lambda: started_here()[0].kill(), 20)  # in the second epoch
    with pytest.raises(TrainingError, match=r"process 2 of the 2 .* was ended by SIGKILL.*run the same command again"):
        training.train_run(spec, data, tmp_path / "run", on_event=listen)
    started = events[0]
    assert isinstance(started, RunStarted) and started.resumed_from_epoch == 1 and not started_here()
    assert any(isinstance(event, EpochDone) for event in events)

    resumed = training.train_run(spec, data, tmp_path / "run")
    assert figures(tmp_path / "run") == figures(tmp_path / "whole")
    first, second = ((tmp_path / name / "best.safetensors").read_bytes() for name in ("run", "whole"))
    assert first == second and resumed.best_epoch == whole.best_epoch
    assert training.load_run(tmp_path / "run").spec.training.processes == 2


@pytest.mark.slow
@two_cores
def test_the_command_killed_leaves_no_process(tmp_path: Path) -> None:
    spec = small_spec("model", tmp_path)
    (tmp_path / "temporary").mkdir()
    words = ["train", spec.data.data, "--epochs", "5000", "--batch-size", "4", "--hidden-size", "4", "--processes", "2"]
    command = subprocess.Popen(
        [sys.executable, "-m", "gatewise", *words, "--threads", "1", "--out", str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    until = time.monotonic() + 120
    while not (tmp_path / "run" / "metrics.jsonl").exists() and command.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    worker = psutil.Process(command.pid).children()[0]
    command.kill()
    output = command.communicate(timeout=20)[0].decode()
    assert gone(worker), output
    assert not list((tmp_path / "temporary").iterdir())
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(each.info["cmdline"])]


@pytest.mark.slow
@two_cores
def test_the_command_killed_while_it_starts_the_others_leaves_nothing(tmp_path: Path) -> None:
    """The other process has not yet got its job, so that it does not know the training."""
    spec = small_spec("model", tmp_path)
    (tmp_path / "temporary").mkdir()
    words = ["train", spec.data.data, "--batch-size", "4", "--hidden-size", "4", "--processes", "2", "--threads", "1"]
    command = subprocess.Popen(
        [sys.executable, "-m", "gatewise", *words, "--out", str(tmp_path / "run")],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    until, parent = time.monotonic() + 120, psutil.Process(command.pid)
    while not (workers := parent.children()) and command.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    command.kill()
    command.wait(20)
    assert workers and gone(workers[0])
    assert not list((tmp_path / "temporary").iterdir())


_READY_AND_DEAD = """
import os, pathlib, sys
pathlib.Path(sys.argv[2], "ready-1").touch()
sys.stdin.buffer.read(8)
os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
@two_cores
def test_a_process_that_ends_before_it_has_joined_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch would wait for it as for one that is late."""
    monkeypatch.setattr(processes, "_WORKER", _READY_AND_DEAD)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(TrainingError, match=r"process 2 of the 2 that share each batch was ended by SIGKILL"):
        train_small("classes", tmp_path, tmp_path / "run", processes=2)
    assert not list(tmp_path.glob("gatewise-processes-*"))


@pytest.mark.slow
@two_cores
@pytest.mark.parametrize("where", ["the folder", "the store"])
def test_without_room_for_temporary_files_the_error_says_so(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch.distributed

    def full(*_: object, **__: object) -> None:
        if where == "the folder":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise torch.distributed.DistStoreError("No space left on device")

    owner, name = (tempfile, "mkdtemp") if where == "the folder" else (torch.distributed, "FileStore")
    monkeypatch.setattr(owner, name, full)
    with pytest.raises(TrainingError, match=r"cannot meet in .*got: No space left on device; fix: .*TMPDIR"):
        train_small("classes", tmp_path, tmp_path / "run", processes=2)
