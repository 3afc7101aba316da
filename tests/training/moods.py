"""A small, learnable data set: which of two sets of words a sentence is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gatewise.data import TextDataset
from gatewise.kinds.classification.loading import load_text
from gatewise.kinds.classification.spec import DataSpec, ModelSpec
from gatewise.training import RunSpec, TrainingSpec

GLAD = ("good", "fine", "lovely", "bright", "warm")
SAD = ("bad", "poor", "dull", "cold", "grey")
FILLER = ("the", "film", "was", "and", "so", "it", "a", "plot")


def write_moods(path: Path, count: int = 240, seed: int = 0) -> Path:
    generator = np.random.default_rng(seed)
    lines = ["text,label"]
    for number in range(count):
        name, words = (("glad", GLAD), ("sad", SAD))[number % 2]
        length = int(generator.integers(3, 12))
        chosen = [str(generator.choice(words if generator.random() < 0.3 else FILLER)) for _ in range(length)]
        lines.append(f"{' '.join(chosen)} {words[number % 5]} n{number},{name}")
    path.write_text("\n".join(lines) + "\n")
    return path


def moods(folder: Path, count: int = 240) -> TextDataset:
    return load_text(write_moods(folder / "moods.csv", count))


def small_spec(cell: str = "gru", *, hidden_size: int = 8, **training: object) -> RunSpec:
    options = {"epochs": 3, "batch_size": 16, "learning_rate": 0.02, "threads": 1, **training}
    return RunSpec(
        data=DataSpec("moods.csv"),
        model=ModelSpec(cell=cell, hidden_size=hidden_size, embedding_size=8, vocabulary_size=200, max_tokens=16),
        training=TrainingSpec(**options),
    )
