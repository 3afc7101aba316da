"""A small file of made-up reviews that a network can learn in a second."""

from __future__ import annotations

import csv
import random
from pathlib import Path

PRAISE = ("wonderful", "moving", "brilliant", "charming", "superb")
BLAME = ("dreadful", "boring", "clumsy", "hollow", "tedious")
PLAIN = ("film", "story", "scene", "actor", "camera", "ending", "music", "plot", "hour", "script")
SETTINGS = {"hidden_size": 8, "embedding_size": 8, "epochs": 2, "threads": 1, "learning_rate": 0.02, "batch_size": 16}
FLAGS = [word for name, value in SETTINGS.items() for word in ("--" + name.replace("_", "-"), str(value))]


def write_reviews(path: Path, rows: int = 240) -> Path:
    """Columns ``review`` and ``mood`` (glad, sad); a tenth of the labels is wrong."""
    chance = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["review", "mood"])
        for number in range(rows):
            glad = number % 2 == 0
            words = [chance.choice(PLAIN) for _ in range(chance.randint(4, 12))]
            words[chance.randrange(len(words))] = chance.choice(PRAISE if glad else BLAME)
            named_glad = glad if chance.random() < 0.9 else not glad
            writer.writerow([" ".join(words) + f" {number}", "glad" if named_glad else "sad"])
    return path
