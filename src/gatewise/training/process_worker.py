"""A further process of a training on this machine, see `gatewise.training.processes`."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import warnings
from pathlib import Path

from gatewise.errors import DivergenceError, GatewiseError
from gatewise.training.processes import Job, join, left_afterwards

__all__ = ["main"]

_SECONDS_TO_END = 20.0


def main(meeting: str) -> None:
    """Read the job from standard input and train until the first process ends.

    Args:
        meeting: the folder in which the processes meet, which the last of them removes.
    """
    size = int.from_bytes(_read(8, meeting), "little")
    content = _read(size, meeting)
    watch = threading.Thread(target=_end_with_the_first, args=(meeting,), daemon=True)
    watch.start()
    # after the job is read, so that the first process need not wait for it
    import cloudpickle

    from gatewise.training.team import ProcessLost

    warnings.simplefilter("ignore")  # the first process shows its own
    job: Job = cloudpickle.loads(content)  # from the process that started this one
    code = 0
    try:
        _train(job)
    except DivergenceError:  # all processes have it
        code = 2
    except ProcessLost:
        # if that was the first one, the thread ends this process; else the first one does, once it has said why
        watch.join(_SECONDS_TO_END)
        code = 1
    except GatewiseError as error:
        print(error, file=sys.stderr)
        code = 2
    sys.stderr.flush()
    os._exit(code)


def _train(job: Job) -> None:
    from torch.distributed import FileStore  # type: ignore[attr-defined]

    from gatewise.nn.cell import cells, register_cell
    from gatewise.training.interruption import Interrupted
    from gatewise.training.loop import follow
    from gatewise.training.registry import kind_names, register_kind

    if job.kind is not None and job.kind.name not in kind_names():
        register_kind(job.kind)
    if job.cell is not None and job.spec.model.cell not in cells():
        register_cell(job.spec.model.cell)(job.cell)
    meeting, processes = Path(job.meeting), job.spec.training.processes
    (meeting / f"ready-{job.rank}").touch()
    team = join(FileStore(str(meeting / "store"), processes), job.rank, processes, "here")
    with left_afterwards(team), contextlib.suppress(Interrupted):
        follow(job.spec, job.dataset, meeting, team)


def _read(size: int, meeting: str) -> bytes:
    """So many bytes of standard input; the process ends where the first one has ended."""
    found = bytearray()
    while len(found) < size:
        more = os.read(0, min(size - len(found), 2**20))
        if not more:
            shutil.rmtree(meeting, ignore_errors=True)
            os._exit(1)
        found += more
    return bytes(found)


def _end_with_the_first(meeting: str) -> None:
    """End this process when standard input ends: the first process has ended, or ends the training."""
    while os.read(0, 1):
        pass
    shutil.rmtree(meeting, ignore_errors=True)
    os._exit(1)
