"""A Dask cluster of processes: one worker dies in the middle, and the result is the same."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from test_faults import results

import gatewise
from gatewise.comparison.run.events import ComparisonEvent, TrialDone
from gatewise.errors import OptionError
from small_data import SETTINGS, write_reviews

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
COLUMNS: dict[str, Any] = {"text": "review", "label": "mood", "cost": False}


def start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
    process.wait()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    place = tmp_path / "scheduler.json"
    process = start("scheduler", "--port", "0", "--no-dashboard", "--no-show", "--scheduler-file", str(place))
    try:
        for _ in range(600):
            if place.exists() and place.read_text().endswith("}"):
                break
            time.sleep(0.1)
        import json

        yield json.loads(place.read_text())["address"]
    finally:
        stop(process)


@pytest.fixture
def workers(scheduler: str, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    words = ("worker", scheduler, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path))
    processes = [start(*words) for _ in range(2)]
    try:
        with distributed.Client(scheduler, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield processes
    finally:
        for process in processes:
            stop(process)


def test_a_cluster_without_workers_is_refused(scheduler: str, tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv")
    with pytest.raises(OptionError, match="has no worker"):
        gatewise.compare(reviews, cells=["rnn"], out=tmp_path / "out", cluster=scheduler, **COLUMNS, **SETTINGS)


def test_a_lost_worker_changes_nothing(scheduler: str, workers: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv")
    asked: dict[str, Any] = {"cells": ["rnn", "gru"], "seeds": 3, **COLUMNS, **SETTINGS}
    gatewise.compare(reviews, out=tmp_path / "alone", **asked)
    done: list[str] = []

    def listen(event: ComparisonEvent) -> None:
        if isinstance(event, TrialDone):
            done.append(event.trial.name)
            if len(done) == 3:
                workers[0].send_signal(signal.SIGKILL)

    gatewise.compare(reviews, out=tmp_path / "cluster", cluster=scheduler, on_event=listen, **asked)
    assert workers[0].wait(timeout=10) == -signal.SIGKILL
    assert sorted(done) == sorted(set(done)) and len(done) == 7
    assert results(tmp_path / "cluster") == results(tmp_path / "alone")
