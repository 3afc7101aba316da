"""Mistakes in a command are answered before torch is loaded; what needs torch does not load what it does not use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fresh_processes import TORCH, fresh
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
    return fresh(["-c", code], place, {**os.environ, "OMP_NUM_THREADS": "1"}, TORCH)


MISTAKES = [
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
    (["inspect", "run", "--out", "nowhere/a.png"], "cannot write nowhere/a.png got: there is no folder nowhere"),
    (["inspect", "run", "--out", "picture.pdf"], "a picture is PNG or SVG"),
    (["explain", "run", "a text", "--out", "nowhere/a.html"], "there is no folder nowhere"),
    (["explain", "run", "a text", "--png", "run"], "a picture is PNG or SVG"),
    (["export", "run", "--out", "reviews.csv/a"], "reviews.csv is a file, not a folder"),
    (["train", "nowhere.csv"], "nowhere.csv"),
    (["train", "reviews.csv", *COLUMNS, "--out", "reviews.csv"], "reviews.csv is a file, not a folder"),
    (["compare", "reviews.csv", *COLUMNS, "--out", "reviews.csv/a/b"], "reviews.csv is a file, not a folder"),
    (["train", "reviews.csv", "--text", "reviw", "--label", "mood"], "column 'reviw' is not in reviews.csv"),
    (["train", "adding", "--length", "10,20"], "length has the wrong type"),
    (["train", "reviews.csv", "--threads", "5000"], "threads is 5,000"),
    (["compare", "imbd"], "did you mean 'imdb'?"),
    (["compare", "reviews.csv", "--cells", "gur"], "did you mean 'gru'?"),
]
if Path("/proc/self").is_dir():  # where not even root can make a file
    MISTAKES += [
        (["export", "run", "--out", "/proc/self/a"], "cannot write /proc/self/a"),
        (["compare", "reviews.csv", *COLUMNS, "--out", "/proc/self/a"], "cannot write /proc/self/a"),
    ]
_ALL_MISTAKES = """
import contextlib, io, json, sys
from gatewise.cli import main
for words in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            main(words)
            code = None
        except SystemExit as leave:
            code = leave.code
    print(json.dumps([code, said.getvalue(), "torch" in sys.modules]))
"""


@pytest.fixture(scope="module")
def answers(place: Path) -> list[tuple[int | None, str, bool]]:
    """Exit code and standard error of each command, and whether torch was loaded by then; all in one process."""
    words = [sys.executable, "-c", _ALL_MISTAKES, json.dumps([words for words, _ in MISTAKES])]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[" ".join(words)[:40] for words, _ in MISTAKES])
def test_mistakes_load_no_torch(number: int, answers: list[tuple[int | None, str, bool]]) -> None:
    code, error, loaded = answers[number]
    assert code == 2 and not loaded, error
    assert MISTAKES[number][1] in " ".join(error.split()) and "Traceback" not in error
    assert error.startswith(("Error: ", "Warning: "))


def test_a_prediction_loads_nothing_that_it_does_not_use(place: Path) -> None:
    done = _called(["predict", "run", "a text"], place, {"torch._dynamo", "sympy", "pandas", "sklearn", "matplotlib"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("a text\n")


# Any of them takes longer to load than all that a mistake needs.
_LARGE = {"torch", "numpy", "pandas", "scipy", "sklearn", "matplotlib", "jinja2", "asyncio", "multiprocessing"}
_MODULES = 420
"""At most: 344 when this was written, half of them Python's own and pydantic's, in 0.36 s of processor time."""


def test_a_mistake_loads_little(place: Path) -> None:
    """The answer comes within half a second; a timed assertion would fail on a busy machine, and a count does not."""
    code = (
        "import sys\nfrom gatewise.cli import main\n"
        "try:\n    main(['predict', 'nowhere', 'a text'])\n"
        "finally:\n    print(len(sys.modules), *{name.split('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    count, *loaded = done.stdout.split()
    assert "gatewise" in loaded and int(count) <= _MODULES, count
    assert not _LARGE & set(loaded), _LARGE & set(loaded)
