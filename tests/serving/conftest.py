"""Small trained runs of every kind, each trained once, when a test first asks for it."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import browser
from gatewise.cli import main
from gatewise.serving.explain.app import guarded_page
from gatewise.serving.explain.networks import Networks
from gatewise.serving.running import running
from small_data import FLAGS, write_reviews
from small_pictures import write_pictures
from small_sounds import write_folder
from small_text import write_text_file

SMALL = ["--hidden-size", "7", "--epochs", "1", "--threads", "1"]
RUNS: dict[str, tuple[str, list[str]]] = {
    "reviews": ("reviews.csv", ["--text", "review", "--label", "mood", *FLAGS, "--epochs", "1", "--cell", "gru"]),
    "both": (
        "reviews.csv",
        ["--text", "review", "--label", "mood", *FLAGS, "--epochs", "1", "--cell", "rnn", "--bidirectional"],
    ),
    "characters": ("text.txt", [*SMALL, "--embedding-size", "6", "--tokens", "character", "--cell", "lstm"]),
    "words": ("text.txt", [*SMALL, "--embedding-size", "6", "--num-layers", "2", "--last-size", "5"]),
    "tags": ("tags.conll", [*SMALL, "--no-bidirectional", "--cell", "gru"]),
    "series": (
        "series.csv",
        ["--time", "day", "--target", "a,b", "--lookback", "12", "--horizon", "3", "--quantiles", "0.1,0.9", *SMALL],
    ),
    "series, shortcut": (
        "series.csv",
        ["--time", "day", "--target", "a,b", "--lookback", "12", "--horizon", "3", "--shortcut", *SMALL],
    ),
    "translations": ("numbers.tsv", [*SMALL, "--embedding-size", "7", "--vocabulary-size", "300", "--cell", "gru"]),
    "pictures": (
        "bars/captions.csv",
        [
            *SMALL,
            "--embedding-size",
            "8",
            "--vocabulary-size",
            "300",
            "--channels",
            "3",
            "--contours",
            "2",
            "--image-size",
            "17",
            "--epochs",
            "10",
            "--batch-size",
            "6",
            "--learning-rate",
            "0.02",
        ],
    ),
    "recordings": ("sounds/transcripts.csv", [*SMALL, "--mel-bins", "12", "--no-bidirectional", "--batch-size", "8"]),
    "probe": ("adding", ["--length", "12", "--examples", "100", *SMALL, "--cell", "minlstm"]),
}


def _write_data(folder: Path) -> None:
    chance = random.Random(5)
    write_reviews(folder / "reviews.csv")
    write_text_file(folder / "text.txt")
    write_pictures(folder / "bars", each=4)
    write_folder(folder / "sounds", takes=3)
    lines = []
    for _ in range(60):
        city = chance.choice(("Bonn", "Paris", "Oslo"))
        lines += [f"{word} O" for word in ("the", "envoy", "left")] + [f"{city} B-LOC", ". O", ""]
    (folder / "tags.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = ["day,a,b"]
    for day in range(150):
        rows.append(f"{20000 + day},{10 + day % 7 + chance.random():.3f},{5 + day % 5 + chance.random():.3f}")
    words = {"one": "uno", "two": "due", "three": "tre", "four": "quattro"}
    said = itertools.product(words, repeat=3)
    pairs = [(f"we say {' '.join(row)}.", f"diciamo {' '.join(words[word] for word in row)}.") for row in said]
    (folder / "numbers.tsv").write_text("source\ttarget\n" + "".join("\t".join(pair) + "\n" for pair in pairs))
    (folder / "series.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("served")
    _write_data(folder)
    ready: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in ready:
            data, flags = RUNS[name]
            given = str(folder / data) if "." in data else data
            with pytest.raises(SystemExit) as ended:
                main(["train", given, *flags, "--out", str(folder / name)])
            assert ended.value.code in (0, None)
            ready[name] = folder / name
        return ready[name]

    return run


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; one at a time, as playwright wants it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    as_root = hasattr(os, "getuid") and os.getuid() == 0
    with sync_api.sync_playwright() as player:
        found = player.chromium.launch(executable_path=browser.PROGRAM, args=["--no-sandbox"] if as_root else [])
        yield found
        found.close()


@pytest.fixture(scope="module")
def pair(runs: Callable[[str], Path]) -> list[Path]:
    """A GRU and an LSTM of two layers that read the same texts."""
    gru = runs("reviews")
    other = gru.parent / "lstm for the page"
    if not other.exists():
        data = ["train", str(gru.parent / "reviews.csv"), "--text", "review", "--label", "mood", *FLAGS]
        with pytest.raises(SystemExit) as ended:
            main([*data, "--epochs", "1", "--cell", "lstm", "--num-layers", "2", "--out", str(other)])
        assert not ended.value.code
    return [gru, other]


@pytest.fixture(scope="module")
def captioner(runs: Callable[[str], Path]) -> Networks:
    """A page's networks: one that describes pictures."""
    return Networks([runs("pictures")])


@pytest.fixture(scope="module")
def captioning(captioner: Networks) -> Iterator[str]:
    """The address of its page."""
    with running(guarded_page(captioner)) as address:
        yield address
