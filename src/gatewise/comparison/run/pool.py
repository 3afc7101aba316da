"""Runs independent trials in this process, in several, or on a cluster; a process that dies stops no other trial."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatewise.comparison.run.cache import save_measurement, saved_measurement
from gatewise.comparison.run.cluster import cluster_died, connected
from gatewise.comparison.run.events import TrialStatus
from gatewise.comparison.run.processes import processes
from gatewise.comparison.run.worker import Task, failed_entry, run_trial

__all__ = ["Pool"]

_SECONDS_BETWEEN_POLLS = 0.5
_KILLED = "the process that ran it was killed, twice; most often because memory ran out"
StatusListener = Callable[[TrialStatus], None]


class Pool:
    """Where trials run.

    Args:
        folder: the comparison's.
        jobs: trials at the same time; one runs in this process, more in processes of their own.
        cluster: address of a Dask scheduler; None: this machine.
        listener: called with each trial's progress.
    """

    def __init__(self, folder: Path, jobs: int, cluster: str | None, listener: StatusListener) -> None:
        self.folder, self.jobs, self.cluster, self.listener = folder, jobs, cluster, listener
        self.live = folder / "live"
        self.live.mkdir(exist_ok=True)

    @property
    def here(self) -> bool:
        """Whether trials run in this process."""
        return self.cluster is None and self.jobs == 1

    def run(self, tasks: Sequence[Task]) -> Iterator[Task]:
        """Run the trials, in any order, and yield each one when its measurement is on disk.

        When a process dies, the trials that were running are resumed from their checkpoints, each in a process of its
        own; one that dies again has failed.
        """
        if self.here:
            for task in tasks:
                run_trial(task, self.listener)
                yield task
            return
        waiting = {task.trial.folder: task for task in tasks}
        alone: list[Task] = []
        self._delete_status_files()
        with self._watched():
            while waiting:
                try:
                    for name in self._together(list(waiting.values())):
                        yield waiting.pop(name)
                except BaseException as error:
                    if not _process_died(error):
                        raise
                    yield from self._finished(waiting)
                    running = self._running() & set(waiting) or set(list(waiting)[:1])
                    alone += [waiting.pop(name) for name in running]
            for task in alone:
                yield self._alone(task)

    def _together(self, tasks: Sequence[Task]) -> Iterator[str]:
        from joblib import Parallel, delayed

        calls = [delayed(run_trial)(task) for task in tasks]
        options: dict[str, Any] = {"batch_size": 1, "pre_dispatch": "all", "return_as": "generator_unordered"}
        if self.cluster is None:
            yield from processes(self.jobs, **options)(calls)
            return
        with connected(self.cluster):
            yield from Parallel(n_jobs=-1, **options)(calls)

    def _alone(self, task: Task) -> Task:
        """Repeat a trial whose process died, with no other trial running."""
        try:
            one = Pool(self.folder, self.jobs, self.cluster, self.listener)
            for _ in one._together([task]):
                pass
        except BaseException as error:
            if not _process_died(error):
                raise
            if saved_measurement(self.folder, task.trial) is None:
                save_measurement(self.folder, task.trial, failed_entry(task.trial, _KILLED))
        return task

    def _finished(self, waiting: dict[str, Task]) -> Iterator[Task]:
        """Trials that were finished, but not yet reported, when another trial's process died."""
        for name, task in list(waiting.items()):
            if saved_measurement(self.folder, task.trial) is not None:
                yield waiting.pop(name)

    def _running(self) -> set[str]:
        return {place.stem for place in self.live.glob("*.json")}

    def _delete_status_files(self) -> None:
        for place in self.live.glob("*.json"):
            place.unlink(missing_ok=True)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Poll the trials' status files while they run."""
        done = threading.Event()

        def watch() -> None:
            seen: dict[str, str] = {}
            while not done.wait(_SECONDS_BETWEEN_POLLS):
                for place in self.live.glob("*.json"):
                    with contextlib.suppress(OSError, ValueError, TypeError):
                        text = place.read_text(encoding="utf-8")
                        if seen.get(place.name) != text:
                            seen[place.name] = text
                            self.listener(TrialStatus(**json.loads(text)))

        watcher = threading.Thread(target=watch, name="gatewise-comparison", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _process_died(error: BaseException) -> bool:
    from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

    return isinstance(error, (TerminatedWorkerError, BrokenProcessPool)) or cluster_died(error)


def describe_place(jobs: int, cluster: str | None) -> str:
    """Where trials run, as text.

    Example:
        >>> describe_place(1, None), describe_place(2, None), describe_place(1, "tcp://host:8786")
        ('in this process', 'in 2 processes', 'on the cluster tcp://host:8786')
    """
    if cluster is not None:
        return f"on the cluster {cluster}"
    return "in this process" if jobs == 1 else f"in {jobs} processes"
