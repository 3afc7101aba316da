"""A small made-up text whose next words can be learnt in a second."""

from __future__ import annotations

import random
from pathlib import Path

SENTENCES = (
    "the clouds are in the sky",
    "the cat is on the mat",
    "a dog runs over the road",
    "she grew up in france and speaks french",
    "the road goes to the sea",
)
LANGUAGE_SETTINGS = {
    "hidden_size": 12,
    "embedding_size": 8,
    "steps": 9,
    "epochs": 3,
    "batch_size": 4,
    "learning_rate": 0.02,
    "threads": 1,
}


def small_text(lines: int = 150, seed: int = 3) -> str:
    chance = random.Random(seed)
    return "\n".join(chance.choice(SENTENCES) for _ in range(lines)) + "\n"


def write_text_file(path: Path, lines: int = 150, seed: int = 3) -> Path:
    path.write_text(small_text(lines, seed), encoding="utf-8")
    return path
