"""Mistakes in a command are answered before torch is loaded; what needs torch does not load what it does not use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from small_data import FLAGS, write_reviews

COLUMNS = ["--text", "review", "--label", "mood"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    reviews = write_reviews(folder / "reviews.csv", 80)
    words = ["train", str(reviews), *COLUMNS, *FLAGS, "--epochs", "1", "--out", str(folder / "run")]
    done = _called(words, folder, {"torch._dynamo", "sympy", "matplotlib"})
    assert done.returncode == 0, done.stderr
    (folder / "unfinished").mkdir()
    (folder / "unfinished" / "spec.json").write_bytes((folder / "run" / "spec.json").read_bytes())
    return folder


def _called(words: list[str], place: Path, unloaded: set[str]) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own that fails if one of the modules was loaded."""
    code = (
        "import sys\nfrom gatewise.cli import main\n"
        f"try:\n    main({words!r})\n"
        f"finally:\n    found = {unloaded!r} & set(sys.modules)\n    assert not found, found\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=place, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "nowhere", "a text"], "there is no run folder"),
        (["predict", "unfinished", "a text"], "is not finished"),
        (["predict", "run", "--file", "none.csv"], "none.csv does not exist"),
        (["predict", "run", "--file", "run"], "is a folder"),
        (["predict", "run", " "], "a text is empty"),
        (["predict", "run", "--no-such-flag"], "No such option"),
        (["predict", "run", "--decimal", ",", "a text"], "--decimal does not go with classification"),
        (["predict", "run", "--file", "reviews.csv", "--out", "reviews.csv"], "is the input file"),
        (["evaluate", "run", "none.csv"], "none.csv does not exist"),
        (["generate", "run"], "needs a language model"),
        (["inspect", "nowhere"], "there is no run folder"),
        (["train", "nowhere.csv"], "nowhere.csv"),
        (["train", "reviews.csv", *COLUMNS, "--out", "reviews.csv"], "reviews.csv is a file, not a folder"),
        (["compare", "reviews.csv", *COLUMNS, "--out", "reviews.csv/a/b"], "reviews.csv is a file, not a folder"),
        (["train", "reviews.csv", "--text", "reviw", "--label", "mood"], "column 'reviw' is not in reviews.csv"),
        (["train", "adding", "--length", "10,20"], "length has the wrong type"),
        (["train", "reviews.csv", "--threads", "5000"], "threads is 5,000"),
        (["compare", "imbd"], "did you mean 'imdb'?"),
        (["compare", "reviews.csv", "--cells", "gur"], "did you mean 'gru'?"),
    ],
)
def test_mistakes_load_no_torch(words: list[str], said: str, place: Path) -> None:
    done = _called(words, place, {"torch"})
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split()) and "Traceback" not in done.stderr
    assert done.stderr.startswith(("Error: ", "Warning: "))


def test_a_prediction_loads_nothing_that_it_does_not_use(place: Path) -> None:
    done = _called(["predict", "run", "a text"], place, {"torch._dynamo", "sympy", "pandas", "sklearn", "matplotlib"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("a text\n")


@pytest.mark.slow
def test_a_mistake_takes_no_longer_than_half_a_second_of_the_processor(place: Path) -> None:
    best = min(_processor_seconds(["predict", "nowhere", "a text"], place) for _ in range(5))
    assert best <= 0.5, best


def _processor_seconds(words: list[str], place: Path) -> float:
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "gatewise", *words], cwd=place, capture_output=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return min(used, time.perf_counter() - started)
