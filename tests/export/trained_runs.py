"""The runs of every kind that tests of exports train: their settings and their data."""

from __future__ import annotations

import csv
import datetime
import math
import random
from pathlib import Path

from small_data import FLAGS, write_reviews
from small_text import write_text_file

SMALL = ["--hidden-size", "7", "--epochs", "1", "--threads", "1"]
SERIES = ["--time", "day", "--target", "a,b", "--lookback", "12", "--horizon", "4", *SMALL]
KNOWN = ["--known", "open,heat"]
SHORTCUT = ["--shortcut", "--normalisation", "last-scaled", "--quantiles", "0.2,0.8"]
CITIES = ("Bonn", "Paris", "Oslo", "Rome", "Lima", "Kyiv")
REVIEWS = ["--text", "review", "--label", "mood", *FLAGS, "--epochs", "1"]

RUNS: dict[str, tuple[str, list[str]]] = {
    "reviews": ("reviews.csv", [*REVIEWS, "--cell", "gru"]),
    "reviews, both directions": ("reviews.csv", [*REVIEWS, "--cell", "lstm", "--bidirectional", "--pooling", "last"]),
    "reviews, several labels": ("moods.csv", [*REVIEWS, "--separator", "|", "--cell", "mingru"]),
    "text": ("text.txt", [*SMALL, "--embedding-size", "6", "--num-layers", "2", "--last-size", "5"]),
    "text, untied": ("text.txt", [*SMALL, "--no-tied", "--tokens", "character", "--cell", "lstm"]),
    "text, byte pairs": ("text.txt", [*SMALL, "--tokens", "bpe", "--vocabulary-size", "300"]),
    "text, adaptive": ("text.txt", [*SMALL, "--no-tied", "--adaptive-softmax", "--cell", "rnn"]),
    "tags": ("tags.conll", [*SMALL, "--cell", "gru"]),
    "tags, convolution": ("tags.conll", [*SMALL, "--characters", "convolution", "--no-crf", "--cell", "minlstm"]),
    "tags, forward": ("tags.conll", [*SMALL, "--characters", "none", "--no-bidirectional", "--shape-size", "0"]),
    "probe": ("adding", ["--length", "20", "--examples", "100", *SMALL, "--cell", "lstm"]),
    "direct": ("series.csv", [*SERIES, "--features", "wind"]),
    "direct, streamed": ("series.csv", [*SERIES, "--normalisation", "none", "--cell", "lstm"]),
    "direct, everything": (
        "series.csv",
        [*SERIES, *KNOWN, "--features", "wind", "--normalisation", "standard", "--quantiles", "0.1,0.5,0.9"],
    ),
    "recursive": ("series.csv", [*SERIES, *KNOWN, "--decoding", "recursive", "--transform", "difference"]),
    "recursive, each by itself": (
        "series.csv",
        [*SERIES, *KNOWN, "--decoding", "recursive", "--channel-independent", "--quantiles", "0.2,0.8"],
    ),
    "segments": (
        "series.csv",
        [*SERIES, *KNOWN, "--decoding", "segments", "--segment-length", "3", "--channel-independent"],
    ),
    "segments, shortcut": (
        "series.csv",
        [*SERIES, *SHORTCUT, "--decoding", "segments", "--segment-length", "3", "--channel-independent"],
    ),
    "direct, shortcut": ("series.csv", [*SERIES, *KNOWN, *SHORTCUT, "--features", "wind"]),
    "several series": (
        "groups.csv",
        [*SERIES, "--group", "shop", "--static", "size", "--transform", "log-return", "--bidirectional"],
    ),
}


def write_data(folder: Path) -> None:
    """Reviews, moods, text, tags and series."""
    chance = random.Random(5)
    write_reviews(folder / "reviews.csv")
    with (folder / "reviews.csv").open() as stream:
        rows = list(csv.reader(stream))
    with (folder / "moods.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(rows[0])
        writer.writerows([text, chance.choice([mood, f"{mood}|long", "long"])] for text, mood in rows[1:])
    write_text_file(folder / "text.txt")
    lines = []
    for _ in range(90):
        city = chance.choice(CITIES)
        lines += [f"{word} O" for word in chance.sample(["she", "went", "to", "B2B", "3.5", "o'clock"], 3)]
        lines += [f"{city} B-LOC", ". O", ""]
    (folder / "tags.conll").write_text("\n".join(lines))
    days = [datetime.date(2021, 1, 1) + datetime.timedelta(days=day) for day in range(160)]

    def row(day: int, level: float) -> list[str]:
        wave = math.sin(day / 5)
        values = (level + 9 * wave + chance.random(), level / 2 - 3 * wave + chance.random(), 20 * chance.random())
        return [*(f"{value:.4f}" for value in values), str(int(day % 7 == 0)), f"{15 + 5 * wave:.3f}"]

    with (folder / "series.csv").open("w") as stream:
        stream.write("day,a,b,wind,open,heat\n")
        stream.writelines(f"{date},{','.join(row(day, 100))}\n" for day, date in enumerate(days))
    with (folder / "groups.csv").open("w") as stream:
        stream.write("day,a,b,wind,open,heat,shop,size\n")
        for shop, level, size in (("north", 100, 3), ("south", 5000, 7)):
            stream.writelines(f"{date},{','.join(row(day, level))},{shop},{size}\n" for day, date in enumerate(days))
