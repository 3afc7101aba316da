"""Tiny trained runs of every kind of problem, made when they are first asked for."""

from __future__ import annotations

import csv
import datetime
import itertools
import math
import random
from pathlib import Path
from typing import Any

from gatewise.training import kind_of, load_run, train_run
from gatewise.training.assembly import make_spec
from small_data import write_reviews
from small_pictures import write_pictures
from small_text import write_text_file

TINY = {"hidden_size": 6, "epochs": 1, "threads": 1, "batch_size": 16}
REVIEWS = {**TINY, "text": "review", "label": "mood", "embedding_size": 5, "learning_rate": 0.02}
PICTURES = {
    **TINY,
    "hidden_size": 16,
    "embedding_size": 12,
    "vocabulary_size": 300,
    "channels": 4,
    "dropout": 0.0,
    "image_size": 17,
    "epochs": 24,
    "batch_size": 6,
    "learning_rate": 0.01,
}
SERIES = {**TINY, "time": "day", "target": "a,b", "lookback": 12, "horizon": 4}

RUNS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "reviews": ("classification", "reviews.csv", {**REVIEWS, "cell": "gru"}),
    "reviews, both directions": (
        "classification",
        "reviews.csv",
        {**REVIEWS, "cell": "lstm", "bidirectional": True, "pooling": "last+mean+max", "num_layers": 2},
    ),
    "reviews, several labels": ("classification", "moods.csv", {**REVIEWS, "separator": "|", "cell": "mingru"}),
    "series": ("forecasting", "series.csv", {**SERIES, "features": "wind", "normalisation": "none", "cell": "lstm"}),
    "series, everything": (
        "forecasting",
        "series.csv",
        {**SERIES, "features": "wind", "known": "open", "normalisation": "standard", "transform": "log-return"},
    ),
    "series, recursive": (
        "forecasting",
        "series.csv",
        {**SERIES, "known": "open", "decoding": "recursive", "transform": "difference"},
    ),
    "series, segments": (
        "forecasting",
        "series.csv",
        {**SERIES, "known": "open", "decoding": "segments", "segment_length": 3, "channel_independent": True},
    ),
    "series, shortcut": (
        "forecasting",
        "series.csv",
        {**SERIES, "features": "wind", "shortcut": True, "channel_independent": True},
    ),
    "text": ("language-modelling", "text.txt", {**TINY, "embedding_size": 5, "num_layers": 2, "last_size": 4}),
    "text, adaptive": (
        "language-modelling",
        "text.txt",
        {**TINY, "embedding_size": 5, "tied": False, "adaptive_softmax": True, "cell": "rnn"},
    ),
    "tags": ("tagging", "tags.conll", {**TINY, "cell": "gru"}),
    "tags, forward": ("tagging", "tags.conll", {**TINY, "crf": False, "bidirectional": False, "characters": "none"}),
    "translations": (
        "translation",
        "numbers.tsv",
        {**TINY, "embedding_size": 8, "hidden_size": 8, "vocabulary_size": 300, "learning_rate": 0.02, "epochs": 2},
    ),
    "translations, input feeding": (
        "translation",
        "numbers.tsv",
        {**TINY, "embedding_size": 5, "vocabulary_size": 300, "attention": "additive", "feeding": "input"},
    ),
    "translations, no attention": (
        "translation",
        "numbers.tsv",
        {
            **TINY,
            "embedding_size": 5,
            "vocabulary_size": 300,
            "attention": "none",
            "feeding": "output",
            "beam": 1,
            "cell": "lstm",
            "bidirectional": False,
        },
    ),
    "pictures": ("captioning", "pictures/captions.csv", {**PICTURES, "contours": 2, "beam": 2}),
    "pictures, no attention": (
        "captioning",
        "pictures/captions.csv",
        {**PICTURES, "image_size": 20, "contours": 0, "attention": "none", "feeding": "output", "cell": "lstm"},
    ),
    "adding": ("probe", "adding", {**TINY, "length": 20, "examples": 100, "cell": "lstm"}),
    "parity": ("probe", "parity", {**TINY, "length": 20, "examples": 100, "cell": "gru", "bidirectional": True}),
}
EVERYDAY = ("reviews", "reviews, both directions", "series, everything", "text", "tags", "translations", "adding")


def write_data(folder: Path) -> None:
    """All files that `RUNS` reads."""
    chance = random.Random(5)
    write_reviews(folder / "reviews.csv")
    with (folder / "reviews.csv").open() as stream:
        rows = list(csv.reader(stream))
    with (folder / "moods.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(rows[0])
        writer.writerows([text, chance.choice([mood, f"{mood}|long", "long"])] for text, mood in rows[1:])
    write_text_file(folder / "text.txt")
    write_pictures(folder / "pictures", each=4)
    lines = []
    for _ in range(60):
        lines += [f"{word} O" for word in chance.sample(["she", "went", "to", "B2B", "3.5", "o'clock"], 3)]
        lines += [f"{chance.choice(['Oslo', 'Bonn', 'Rome'])} B-LOC", ". O", ""]
    (folder / "tags.conll").write_text("\n".join(lines))
    words = {"one": "uno", "two": "due", "three": "tre", "four": "quattro"}
    pairs = [(f"we say {' '.join(row)}.", f"diciamo {' '.join(words[each] for each in row)}.")
             for row in itertools.product(words, repeat=3)]  # fmt: skip
    (folder / "numbers.tsv").write_text("source\ttarget\n" + "".join("\t".join(pair) + "\n" for pair in pairs))
    with (folder / "series.csv").open("w") as stream:
        stream.write("day,a,b,wind,open\n")
        for day in range(140):
            wave = math.sin(day / 5)
            values = (100 + 9 * wave + chance.random(), 50 - 3 * wave + chance.random(), 20 * chance.random())
            date = datetime.date(2021, 1, 1) + datetime.timedelta(days=day)
            stream.write(f"{date},{','.join(f'{value:.4f}' for value in values)},{int(day % 7 == 0)}\n")


class Runs:
    """Trains a run when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, tuple[Any, Any]] = {}
        write_data(folder)

    def __call__(self, name: str) -> tuple[Any, Any]:
        """The opened run and its data."""
        if name not in self._made:
            task, data, settings = RUNS[name]
            spec = make_spec(task, str(self.folder / data) if "." in data else data, settings)
            dataset = kind_of(task).load(spec.data)
            train_run(spec, dataset, self.place(name))
            self._made[name] = load_run(self.place(name)), dataset
        return self._made[name]

    def place(self, name: str) -> Path:
        """Its folder."""
        return self.folder / "runs" / name.replace(", ", "-").replace(" ", "-")
