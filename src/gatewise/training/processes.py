"""Starts the processes of one training on this machine; `gatewise.training.launched` joins those of a launcher.

The process of the command is the first one. It starts the others, passes them spec and data through a pipe, and they
end when that pipe ends, however it does. Imports no torch until processes are needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.errors import GatewiseError, OptionError, TrainingError

if TYPE_CHECKING:
    from gatewise.training.events import RunResult
    from gatewise.training.run_spec import RunSpec
    from gatewise.training.team import Team

__all__ = [
    "Job",
    "join",
    "leading",
    "left_afterwards",
    "started",
]

_FIX = "run the same command again to resume from the last checkpoint"
_WAITING = {"here": timedelta(days=30), "launched": timedelta(hours=2)}
_SECONDS_TO_END = 10.0
_SECONDS_BETWEEN_POLLS = 0.02
_WORKER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from gatewise.training.process_worker import main; main(sys.argv[2])"
)


@dataclass(frozen=True)
class Job:
    """What another process of a training needs.

    Attributes:
        spec: the run.
        dataset: its data.
        meeting: the folder in which the processes meet.
        rank: number of the process, from 1.
        kind: the kind of problem, where it is not part of Gatewise.
        cell: the class of the cell, where it is not.
    """

    spec: RunSpec
    dataset: Any
    meeting: str
    rank: int
    kind: Any = None
    cell: Any = None


def join(store: Any, rank: int, processes: int, how: str) -> Team:
    """Become one of the processes of a training; returns when all are.

    Args:
        store: of torch.distributed, in which they find each other.
        rank: number of this process.
        processes: how many they are.
        how: ``here`` (all on this machine) or ``launched``.
    """
    import torch.distributed

    from gatewise.training.team import Team

    if torch.distributed.is_initialized():
        raise OptionError(
            "this process belongs to a process group of torch.distributed already",
            fix="train without processes=, or destroy that group first",
        )
    with _own_interface() if how == "here" else contextlib.nullcontext():
        torch.distributed.init_process_group(
            "gloo", store=store, rank=rank, world_size=processes, timeout=_WAITING[how]
        )
    return Team(seconds=_WAITING[how].total_seconds())


@contextmanager
def left_afterwards(team: Team) -> Iterator[None]:
    """Leave the other processes at the end.

    Args:
        team: all processes.
    """
    import torch.distributed

    try:
        yield
    finally:
        team.close()
        with contextlib.suppress(RuntimeError):
            torch.distributed.destroy_process_group()


@contextmanager
def started(spec: RunSpec, dataset: Any, threads: int) -> Iterator[Team]:
    """Start the other processes of a training on this machine and be the first one; afterwards all have ended.

    Args:
        spec: the run.
        dataset: its data, which the others get through a pipe.
        threads: CPU threads of each process.

    Raises:
        TrainingError: one of them ended before the training did, or the folder for temporary files cannot be used.
    """
    from gatewise.training.team import ProcessLost

    processes = spec.training.processes
    workers: list[subprocess.Popen[bytes]] = []
    with _unusable_place():
        meeting = Path(tempfile.mkdtemp(prefix="gatewise-processes-"))
    try:
        with _unusable_place():
            for rank in range(1, processes):
                workers.append(_start(meeting, rank, threads))
        for rank, worker in enumerate(workers, 1):
            _pass(Job(spec, dataset, str(meeting), rank, *_own_classes(spec)), worker)
        while not all((meeting / f"ready-{rank}").exists() for rank in range(1, processes)):
            if any(worker.poll() is not None for worker in workers):
                raise _ended(workers, meeting)
            time.sleep(_SECONDS_BETWEEN_POLLS)
        team = _met(workers, meeting, processes)
        with left_afterwards(team):
            try:
                yield team
            except ProcessLost as error:
                raise _ended(workers, meeting) from error
        _wait(workers)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            if worker.stdin is not None:
                with contextlib.suppress(OSError):
                    worker.stdin.close()
        shutil.rmtree(meeting, ignore_errors=True)


def _met(workers: Sequence[subprocess.Popen[bytes]], meeting: Path, processes: int) -> Team:
    """Join the other processes, which are ready.

    Torch waits for one that has ended meanwhile as for one that is late; so it waits in a thread.
    """
    from torch.distributed import FileStore  # type: ignore[attr-defined]

    from gatewise.training.team import ProcessLost

    found: list[Team | Exception] = []

    def meet() -> None:
        try:
            found.append(join(FileStore(str(meeting / "store"), processes), 0, processes, "here"))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=meet, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_SECONDS_BETWEEN_POLLS)
        if thread.is_alive() and any(worker.poll() is not None for worker in workers):
            raise _ended(workers, meeting)
    if isinstance(found[0], ProcessLost):
        raise _ended(workers, meeting) from found[0]
    if isinstance(found[0], RuntimeError) and not isinstance(found[0], GatewiseError):
        with _unusable_place():
            raise OSError(str(found[0]).splitlines()[0]) from found[0]
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


@contextmanager
def _unusable_place() -> Iterator[None]:
    """Say where processes meet when they cannot."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"the processes of this training cannot meet in {tempfile.gettempdir()}",
            expected="a folder for temporary files with room",
            got=error.strerror or str(error),
            fix="make room there, name another folder with TMPDIR, or omit --processes",
        ) from error


def leading(
    spec: RunSpec, dataset: Any, threads: int, team: Team | None, train: Callable[[Team | None], RunResult | None]
) -> RunResult:
    """Train as the only process, or as the first of several, which learn the result at the end.

    Args:
        spec: the run.
        dataset: its data.
        threads: CPU threads of each process.
        team: the processes, where a launcher started them.
        train: trains in this process.
    """
    if team is None and spec.training.processes == 1:
        return _result(train(None))
    with started(spec, dataset, threads) if team is None else contextlib.nullcontext(team) as all_of_them:
        all_of_them.share(None)
        result = _result(train(all_of_them))
        all_of_them.share(result.to_dict())
    return result


def _result(found: RunResult | None) -> RunResult:
    assert found is not None
    return found


def _start(meeting: Path, rank: int, threads: int) -> subprocess.Popen[bytes]:
    with (meeting / f"messages-{rank}").open("wb") as messages:
        return subprocess.Popen(
            [sys.executable, "-c", _WORKER, json.dumps(sys.path), str(meeting)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=messages,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            start_new_session=True,  # Ctrl-C is for the first process, which ends the others
        )


def _pass(job: Job, worker: subprocess.Popen[bytes]) -> None:
    """Give a process its job; its pipe stays open, and ends with this process."""
    import cloudpickle

    content = cloudpickle.dumps(job)
    assert worker.stdin is not None
    # a process that has ended already is found later
    with contextlib.suppress(BrokenPipeError):
        worker.stdin.write(len(content).to_bytes(8, "little") + content)
        worker.stdin.flush()


def _own_classes(spec: RunSpec) -> tuple[Any, Any]:
    """Kind and cell of a run where they are the person's own, so that the other processes register them too."""
    from gatewise.nn.cell import cell_class, cells
    from gatewise.training.registry import foreign_module, kind_of

    cell = getattr(spec.model, "cell", None)
    found = cell_class(cell) if isinstance(cell, str) and cell in cells() else None
    own = found is not None and found.__module__.split(".")[0] != "gatewise"
    return (kind_of(spec.task) if foreign_module(spec.task) else None), (found if own else None)


def _ended(workers: Sequence[subprocess.Popen[bytes]], meeting: Path) -> TrainingError:
    """The error for a process that ended too early: which, how, and its last words."""
    until = time.monotonic() + _SECONDS_TO_END
    while all(worker.poll() is None for worker in workers) and time.monotonic() < until:
        time.sleep(_SECONDS_BETWEEN_POLLS)
    for rank, worker in enumerate(workers, 1):
        if (code := worker.poll()) is not None:
            lines = (meeting / f"messages-{rank}").read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), None)
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            return TrainingError(
                f"process {rank + 1} of the {len(workers) + 1} that share each batch {how}", got=last, fix=_FIX
            )
    return TrainingError("the connection to another process of this training was lost", fix=_FIX)


def _wait(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Let the processes end by themselves; those that do not are killed by the caller."""
    until = time.monotonic() + _SECONDS_TO_END
    for worker in workers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(max(0.0, until - time.monotonic()))


@contextmanager
def _own_interface() -> Iterator[None]:
    """Let gloo connect processes of this machine without its network."""
    name, before = "GLOO_SOCKET_IFNAME", os.environ.get("GLOO_SOCKET_IFNAME")
    loopback = next((each for _, each in socket.if_nameindex() if each.startswith("lo")), None)
    if before is None and loopback is not None:
        os.environ[name] = loopback
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
