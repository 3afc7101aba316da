"""A small made-up set of sentences whose tags can be learnt in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TOWNS = ("Köln", "Graz", "Łódź", "Ulm", "Bad Ems")
NAMES = ("Anna", "Lea Weiß", "Piotr")
SMALL = {"hidden_size": 10, "embedding_size": 8, "epochs": 3, "batch_size": 8, "threads": 1, "learning_rate": 0.02}


def _line(words: str, kind: str) -> list[tuple[str, str]]:
    return [(word, f"{'I' if place else 'B'}-{kind}") for place, word in enumerate(words.split())]


def sentences(count: int = 60) -> list[list[tuple[str, str]]]:
    """Made sentences about who lives where, each another one."""
    generator = np.random.default_rng(0)
    found = []
    for number in range(count):
        town, name = TOWNS[generator.integers(len(TOWNS))], NAMES[generator.integers(len(NAMES))]
        plain = [(word, "O") for word in ("wohnt", str(number), "in")]  # at the end, many were near duplicates
        found.append([*_line(name, "PER"), *plain, *_line(town, "LOC"), (".", "O")])
    return found


def write(path: Path, rows: list[list[tuple[str, str]]]) -> Path:
    path.write_text("\n\n".join("\n".join(f"{word} {tag}" for word, tag in row) for row in rows) + "\n")
    return path
