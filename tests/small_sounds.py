"""Small sounds for tests: words that are chirps, said by speakers with other levels and pitches."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile

RATE = 8_000
WORDS = {"low": (500.0, 500.0), "up": (700.0, 1_900.0), "down": (2_200.0, 800.0)}


def chirp(word: str, speaker: int = 0, take: int = 0, rate: int = RATE, seconds: float = 0.2) -> np.ndarray:
    """A word of a speaker, (N,) float32."""
    generator = np.random.default_rng([sorted(WORDS).index(word), speaker, take])
    seconds *= generator.uniform(0.8, 1.2)
    time = np.arange(int(seconds * rate)) / rate
    start, end = (each * (1 + 0.05 * speaker) for each in WORDS[word])
    phase = 2 * np.pi * (start * time + (end - start) * time**2 / (2 * seconds)) + generator.uniform(0, 6)
    noise = generator.standard_normal(len(time)) * 0.01
    return ((0.1 + 0.1 * speaker) * np.sin(phase) + noise).astype(np.float32)


def write_folder(folder: Path, *, speakers: int = 4, takes: int = 6, rate: int = RATE, suffix: str = ".wav") -> Path:
    """A folder of recordings with transcripts.csv."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    rows = []
    for speaker in range(speakers):
        for word in WORDS:
            for take in range(takes):
                name = f"clips/{word}-{speaker}-{take}{suffix}"
                soundfile.write(folder / name, chirp(word, speaker, take, rate), rate)
                rows.append({"path": name, "text": word, "speaker": f"speaker{speaker}"})
    write_table(folder / "transcripts.csv", rows)
    return folder


def write_class_folders(folder: Path, *, speakers: int = 12, takes: int = 2, name: str = "{0:08x}_nohash_{1}") -> Path:
    """A folder of recordings for each word, as Speech Commands has them."""
    for word in WORDS:
        (folder / word).mkdir(parents=True)
        for speaker in range(speakers):
            for take in range(takes):
                file = name.format(speaker + 1, take)
                soundfile.write(folder / word / f"{file}.wav", chirp(word, speaker, take), RATE)
    return folder


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    """A table with the keys of the first row as its head."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
