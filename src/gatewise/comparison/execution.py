"""Carries a plan out, one model after the other, so that nothing disturbs the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.comparison.compact import compact_json
from gatewise.comparison.events import ComparisonListener, ModelDone, ModelStarted, RunProgress
from gatewise.comparison.latency import measure_latency
from gatewise.comparison.models import Entry
from gatewise.comparison.plan import Plan, PlannedRun
from gatewise.errors import RunError
from gatewise.files import make_folder, read_json, write_text
from gatewise.training.events import Event, RunResult, StepDone

if TYPE_CHECKING:
    from gatewise.data.records import TextDataset

__all__ = ["BASELINE", "execute"]

BASELINE = "tfidf-logistic-regression"
_FORMAT_VERSION = 2


def execute(plan: Plan, dataset: TextDataset, folder: Path, on_event: ComparisonListener) -> dict[str, list[Entry]]:
    """Train and measure the baseline and every run of the plan; what was finished before is reused.

    Args:
        plan: what to train.
        dataset: the records, split.
        folder: the comparison's folder; runs go to ``runs/``, their measurements to ``measurements/``.
        on_event: is told of every step.

    Returns:
        For each model, the baseline first, its measured runs.
    """
    total = 1 + len(plan.cells) * len(plan.seeds)
    make_folder(folder / "runs")
    make_folder(folder / "measurements")
    measured: dict[str, list[Entry]] = {}
    clock = _TimeLeft(total - 1)
    kept = _kept(folder, BASELINE, dataset.fingerprint)
    begun = ModelStarted(BASELINE, None, 1, total, reused=kept is not None)
    on_event(begun)
    measured[BASELINE] = [kept or _baseline(plan, dataset, folder)]
    on_event(_done(begun, measured[BASELINE][0]))
    for number, run in enumerate(plan.runs(), start=2):
        finished = (folder / "runs" / run.name / "result.json").exists()
        kept = _kept(folder, run.name, dataset.fingerprint) if finished else None
        begun = ModelStarted(run.cell, run.seed, number, total, reused=kept is not None)
        on_event(begun)
        if kept is not None:
            clock.skip()
        entry = kept or _recurrent(run, dataset, folder, begun, clock, on_event)
        measured.setdefault(run.cell, []).append(entry)
        on_event(_done(begun, entry))
    return measured


def _done(begun: ModelStarted, entry: Entry) -> ModelDone:
    return ModelDone(begun, entry["test"]["accuracy"], entry["training_seconds"])


def _baseline(plan: Plan, dataset: TextDataset, folder: Path) -> Entry:
    from gatewise.tasks.baselines import TfidfLogisticRegression

    with _threads(plan.training.threads):
        start = time.perf_counter()
        model = TfidfLogisticRegression().fit(list(dataset.train.texts), dataset.train.labels)
        seconds = time.perf_counter() - start
        probabilities = model.predict_proba(list(dataset.test.texts))
        latency = measure_latency(lambda texts: model.predict_proba(list(texts)), dataset.test.texts)
    entry: Entry = {
        "name": BASELINE,
        "cell": BASELINE,
        "baseline": True,
        "title": "TF-IDF + logistic regression",
        "reason": "a linear model of single words and word pairs",
        "seed": None,
        "folder": None,
        "parameters": model.parameters,
        "kernel": {"implementation": "scikit-learn", "reason": "linear model"},
        "best_epoch": None,
        "stopped": None,
        "epochs": [],
        "training_seconds": seconds,
        "seconds_per_epoch": None,
    }
    return _measured(folder, entry, probabilities, dataset, latency)


def _recurrent(
    run: PlannedRun,
    dataset: TextDataset,
    folder: Path,
    begun: ModelStarted,
    clock: _TimeLeft,
    on_event: ComparisonListener,
) -> Entry:
    from gatewise.training import load_run, train_run

    out = folder / "runs" / run.name

    def passed_on(event: Event) -> None:
        on_event(RunProgress(begun, event, clock.after(event)))

    clock.start()
    result = train_run(run.spec, dataset, out, on_event=passed_on)
    classifier = load_run(out)
    with _threads(run.spec.training.threads):
        probabilities = classifier.predict_proba(list(dataset.test.texts))
        latency = measure_latency(lambda texts: classifier.predict_proba(list(texts)), dataset.test.texts)
    clock.stop()
    entry = {
        "name": run.name,
        "cell": run.cell,
        "seed": run.seed,
        "folder": f"runs/{run.name}",
        **_result_entry(result),
    }
    return _measured(folder, entry, probabilities, dataset, latency)


def _result_entry(result: RunResult) -> Entry:
    return {
        "parameters": result.parameters,
        "kernel": dict(result.kernel),
        "best_epoch": result.best_epoch,
        "stopped": result.stopped,
        "epochs": [record.to_dict() for record in result.epochs],
        "training_seconds": result.seconds,
        "seconds_per_epoch": min(record.seconds for record in result.epochs),
    }


def _measured(
    folder: Path, entry: Entry, probabilities: npt.ArrayLike, dataset: TextDataset, latency: dict[str, Any]
) -> Entry:
    """Complete an entry with what the test part shows, and keep it."""
    from gatewise.tasks.metrics import classification_metrics

    metrics = classification_metrics(np.asarray(probabilities), dataset.test.labels, dataset.label_names)
    entry = {
        **entry,
        "state": "finished",
        "test": metrics.to_dict(),
        "latency": latency,
        "predictions": _predictions(np.asarray(probabilities), dataset.test.labels),
    }
    kept = {"format_version": _FORMAT_VERSION, "fingerprint": dataset.fingerprint, "run": entry}
    write_text(_place(folder, entry["name"]), compact_json(kept) + "\n")
    return entry


def _predictions(table: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> Entry:
    """Per test example: predicted class, its probability, and that of the true class, to four decimals."""
    return {
        "predicted": table.argmax(axis=1).tolist(),
        "confidence": np.round(table.max(axis=1), 4).tolist(),
        "truth_probability": np.round(table[np.arange(len(table)), labels], 4).tolist(),
    }


def _place(folder: Path, name: str) -> Path:
    return folder / "measurements" / f"{name}.json"


def _kept(folder: Path, name: str, fingerprint: str) -> Entry | None:
    """A measurement made before on the same data, or None; a damaged one is made anew."""
    place = _place(folder, name)
    if not place.exists():
        return None
    try:
        kept = read_json(place)
    except RunError:
        return None
    if not isinstance(kept, dict) or kept.get("format_version") != _FORMAT_VERSION:
        return None
    return kept.get("run") if kept.get("fingerprint") == fingerprint else None


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Give torch and the numerical libraries the same number of threads for a while."""
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        with threadpool_limits(limits=count or before):
            yield
    finally:
        torch.set_num_threads(before)


class _TimeLeft:
    """Estimates the time until all runs are trained: known durations, and their mean for the runs to come."""

    def __init__(self, runs: int) -> None:
        self.waiting = runs
        self.known: list[float] = []
        self.begun = 0.0

    def skip(self) -> None:
        """A run was there already."""
        self.waiting -= 1

    def start(self) -> None:
        """A run begins."""
        self.waiting -= 1
        self.begun = time.perf_counter()

    def stop(self) -> None:
        """The run is over."""
        self.known.append(time.perf_counter() - self.begun)

    def after(self, event: Event) -> float | None:
        """Seconds left after this event of the current run; None where nothing is known yet."""
        if not isinstance(event, StepDone):
            return None
        whole = time.perf_counter() - self.begun + event.seconds_left
        return event.seconds_left + self.waiting * float(np.mean([*self.known, whole]))
