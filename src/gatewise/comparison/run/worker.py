"""Runs one trial in the present process and saves its measurement."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewise.comparison.run.cache import save_measurement, saved_measurement
from gatewise.comparison.run.events import TrialStatus
from gatewise.comparison.run.locking import hold_run
from gatewise.comparison.run.trials import Trial
from gatewise.errors import DataError, GatewiseError, RunError, StorageError, TrainingError
from gatewise.record import Failure, Kernel, Run, plain, run_from
from gatewise.training.events import EpochDone, EpochRecord, Event, RunStarted, StepDone
from gatewise.training.locking import hold_training
from gatewise.training.registry import import_modules

__all__ = ["Task", "failed_entry", "keep_dataset", "limited_threads", "load_dataset", "run_trial"]

_SECONDS_BETWEEN_REPORTS = 0.5
_one_at_a_time = threading.RLock()
_datasets: dict[Any, Any] = {}
StatusListener = Callable[[TrialStatus], None]


@dataclass(frozen=True)
class Task:
    """A trial and what a process needs to run it.

    Attributes:
        trial: the trial.
        data: the data spec with which the data are loaded; a path in it is absolute.
        folder: the comparison's folder, absolute; every process has to see it under this name.
        fingerprint: expected of the data.
        threads: CPU threads.
        imports: modules that register cells.
        first_seed: of the comparison; the report shows what each cell's network of this seed looks at.
    """

    trial: Trial
    data: Any
    folder: str
    fingerprint: str
    threads: int
    imports: tuple[str, ...] = ()
    first_seed: int = 0


def run_trial(task: Task, listener: StatusListener | None = None) -> str:
    """Run a trial, unless its measurement exists already.

    An error of the trial itself is saved as its result; errors of folder or data are raised.

    Args:
        task: the trial.
        listener: called with its progress; None: the progress is written to a file in ``live/``.

    Returns:
        The trial's folder name, which its measurement has too.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
        DataError: the data are not those of the comparison.
        Interrupted: Ctrl-C; the state is saved.
    """
    from gatewise.training.interruption import Interrupted

    trial, folder = task.trial, Path(task.folder)
    live = _LiveFile(folder / "live" / f"{trial.folder}.json") if listener is None else None
    report = listener or live
    assert report is not None
    # torch's random state and thread count belong to the process: threads of one cluster worker take turns
    with _one_at_a_time, hold_run(folder / "live" / f"{trial.folder}.lock"):
        if saved_measurement(folder, trial) is not None:
            return trial.folder
        report(TrialStatus(trial.name))
        began = time.perf_counter()
        try:
            import_modules(task.imports)
            entry, contributions = _execute(task, _dataset(task), report)
            entry = dataclasses.replace(entry, wall_seconds=time.perf_counter() - began)
            save_measurement(folder, trial, entry, contributions)
        except (StorageError, DataError, Interrupted):
            raise
        except Exception as error:
            _refuse_full_disk(error, folder)
            save_measurement(folder, trial, failed_entry(trial, error))
        if live is not None:
            live.close()
    return trial.folder


def failed_entry(trial: Trial, error: BaseException | str) -> Failure:
    """The record's entry for a trial that failed."""
    if isinstance(error, str):
        kind, words = "killed", error
    else:
        kind = type(error).__name__
        words = "out of memory" if isinstance(error, MemoryError) else str(error)
    return Failure(
        **_named(trial),
        # the project's own errors say what is wrong, others need their name
        error=words if isinstance(error, str | GatewiseError | MemoryError) else f"{kind}: {words}",
        error_kind=kind,
    )


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Limit torch and the numerical libraries to the same number of threads within this context."""
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(limits=count):
            yield
    finally:
        torch.set_num_threads(before)


def _execute(task: Task, dataset: Any, report: StatusListener) -> tuple[Run, Any]:
    from gatewise.training.registry import kind_of

    trial = task.trial
    kind = kind_of(trial.spec.task)
    if trial.seed is None:
        return _baseline(task, kind, dataset)
    result = _trained(task, dataset, kind.measure(dataset).name, report)
    best = result.best
    entry = {
        **_named(trial),
        "parameters": result.parameters,
        "kernel": result.kernel,
        "best_epoch": result.best_epoch,
        "stopped": result.stopped,
        "derived_epochs": result.derived_epochs,
        "epochs": result.epochs,
        "training_seconds": result.training_seconds,
        "step_seconds": result.seconds,
        "steps": sum(record.steps for record in result.epochs),
        "preparation_seconds": result.preparation_seconds,
        "validation_seconds": result.validation_seconds,
        "seconds_per_epoch": _of_fastest_epoch(result.epochs),
        "pretraining_seconds": result.pretraining_seconds or None,
        "validation": best.validation,
    }
    if trial.phase == "tuning":
        return _run(entry), None
    from gatewise.training import load_run

    opened = load_run(Path(task.folder) / str(trial.run_folder))
    with limited_threads(task.threads):
        shown = opened.test(dataset)
        details = dict(opened.details(dataset))
        if trial.seed == task.first_seed:  # one network of each cell is enough
            from gatewise.inspection.looks import three_readings

            details |= three_readings(opened, dataset)
    entry |= {"test": shown.metrics, "predictions": shown.predictions, "details": details}
    return _run(entry), _finite(shown.contributions)


def _of_fastest_epoch(epochs: Sequence[EpochRecord]) -> float:
    """Seconds of the training steps of the fastest epoch that was not cut short."""
    whole = max(record.steps for record in epochs)
    return min(record.seconds for record in epochs if record.steps == whole)


def _run(entry: dict[str, Any]) -> Run:
    """A finished run, checked part by part."""
    found = run_from(plain(entry), f"the run {entry['name']}")
    assert isinstance(found, Run)
    return found


def _baseline(task: Task, kind: Any, dataset: Any) -> tuple[Run, Any]:
    trial = task.trial
    from gatewise.comparison.cost.samplers import load_libraries

    unfitted = next(each for each in kind.baselines(trial.spec.data) if each.name == trial.cell)
    model = unfitted.configured(trial.settings)
    tunable = bool(unfitted.search_space(dataset))
    entry = {**_named(trial), "baseline": True, "reason": model.reason, "tunable": tunable}
    with limited_threads(task.threads):
        load_libraries()
        start = time.perf_counter()
        model.fit(dataset)
        entry |= {
            "training_seconds": time.perf_counter() - start,
            "title": model.full_title,
            "parameters": model.parameters,
            "kernel": Kernel(implementation="none", reason=model.reason),
        }
        if trial.phase == "tuning":
            shown = model.test(dataset, "validation")
            _finite(shown.contributions, "validation")
            return _run(entry | {"validation": _figures(shown.metrics)}), None
        shown = model.test(dataset)
        from gatewise.comparison.cost.latency import measure_latency

        latency = measure_latency(model.predictor(dataset), dataset.sizes["test"], most_seconds=1.0)
    entry |= {"test": shown.metrics, "predictions": shown.predictions, "cost": latency}
    return _run(entry), _finite(shown.contributions)


def _figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The figures among what an evaluation gave: no counts and no tables."""
    return {name: value for name, value in metrics.items() if isinstance(value, float)}


def _finite(contributions: Any, part: str = "test") -> Any:
    """The contributions of a part's examples; a model with any that is not finite has failed."""
    import numpy as np

    finite = np.isfinite(contributions)
    if not finite.all():
        raise TrainingError(
            f"the predictions for the {part} examples are NaN or infinite",
            expected="finite numbers",
            got=f"{np.size(finite) - np.count_nonzero(finite):,} of {np.size(finite):,} are not",
            fix="a smaller learning rate or norm of the gradient; values of moderate size",
        )
    return contributions


def _trained(task: Task, dataset: Any, metric: str, report: StatusListener) -> Any:
    """Train or resume; a damaged run folder is deleted once and the run starts again."""
    from gatewise.training import train_run

    trial, folder = task.trial, Path(task.folder)
    place = folder / str(trial.run_folder)
    with _PretrainingTurn(folder, wanted=trial.spec.pretraining is not None) as turn:
        listener = _Listener(trial.name, metric, report, turn.finish)
        shared = folder / "pretraining" if trial.spec.pretraining is not None else None
        try:
            return train_run(trial.spec, dataset, place, on_event=listener, pretrained=shared)
        except RunError:
            if place.is_dir():
                with hold_training(place):  # of another process that trains in it nothing is deleted
                    shutil.rmtree(place, ignore_errors=True)
            return train_run(trial.spec, dataset, place, on_event=listener, pretrained=shared)


def _named(trial: Trial) -> dict[str, Any]:
    return {
        "name": trial.name,
        "cell": trial.cell,
        "seed": trial.seed,
        "folder": trial.run_folder,
        "key": trial.key,
        "settings": dict(trial.settings),
        "point": trial.point,
    }


def _dataset(task: Task) -> Any:
    """The comparison's data, read once per process; an error if they changed."""
    found = load_dataset(task.trial.spec.task, task.data)
    if found.fingerprint != task.fingerprint:
        _datasets.clear()
        raise DataError(
            f"the data {task.data.data} changed while they were compared",
            expected=f"fingerprint {task.fingerprint[:12]}",
            got=found.fingerprint[:12],
            fix="restore them, or compare into a new folder with --out",
        )
    return found


def load_dataset(task: str, data: Any) -> Any:
    """The data of a spec, read once per process."""
    from gatewise.training.registry import kind_of

    place = (task, repr(data))
    if place not in _datasets:
        _datasets.clear()
        _datasets[place] = kind_of(task).load(data)
    return _datasets[place]


def keep_dataset(task: str, data: Any, dataset: Any) -> None:
    """Cache data that this process has already read."""
    _datasets.clear()
    _datasets[(task, repr(data))] = dataset


def _refuse_full_disk(error: BaseException, folder: Path) -> None:
    """Raise a full disk as a StorageError: it is no property of the trial, whatever the error's class."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (28, 122):
            raise StorageError(f"cannot write into {folder}", got=os.strerror(cause.errno)) from error
        cause = cause.__cause__ or cause.__context__


class _Listener:
    """Turns the training loop's events into status reports, at most two per second."""

    def __init__(self, name: str, metric: str, report: StatusListener, pretrained: Callable[[], None]) -> None:
        self.status = TrialStatus(name)
        self.metric, self.report, self.pretrained = metric, report, pretrained
        self.last_report = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            if event.phase == "training":
                self.pretrained()
            self._change(
                phase=event.phase,
                epochs=event.epochs,
                steps=event.steps_per_epoch,
                unit=event.unit,
                parameters=event.parameters,
                kernel=event.kernel.get("implementation", ""),
                resumed=event.resumed_from_epoch,
                notes=event.notes,
            )
            self._emit()
        elif isinstance(event, StepDone):
            self._change(
                epoch=event.epoch,
                step=event.step,
                loss=event.loss,
                rate=event.examples_per_second,
                seconds_left=event.seconds_left,
            )
            if time.monotonic() - self.last_report >= _SECONDS_BETWEEN_REPORTS:
                self._emit()
        elif isinstance(event, EpochDone):
            self._change(figure=event.record.validation.get(self.metric))
            self._emit()

    def _change(self, **what: Any) -> None:
        self.status = dataclasses.replace(self.status, **what)

    def _emit(self) -> None:
        self.last_report = time.monotonic()
        self.report(self.status)


class _LiveFile:
    """Writes a trial's progress into a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __call__(self, status: TrialStatus) -> None:
        part = self.place.with_suffix(".part")
        part.write_text(json.dumps(status.to_dict()), encoding="utf-8")
        part.replace(self.place)

    def close(self) -> None:
        self.place.unlink(missing_ok=True)


class _PretrainingTurn:
    """Lets one process at a time train the language models that several runs share."""

    def __init__(self, folder: Path, *, wanted: bool) -> None:
        self._hold = hold_run(folder / "live" / "pretraining.lock") if wanted else None

    def __enter__(self) -> _PretrainingTurn:
        if self._hold is not None:
            self._hold.__enter__()
        return self

    def finish(self) -> None:
        """Release the lock: the language model is trained."""
        if self._hold is not None:
            self._hold.__exit__(None, None, None)
            self._hold = None

    def __exit__(self, *_: object) -> None:
        self.finish()
