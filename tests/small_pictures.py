"""Small pictures with captions, drawn by the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 60, 230)}
PLACES = {"left": (0, 1), "right": (1, 1), "top": (1, 0)}


def write_pictures(folder: Path, each: int = 8, size: int = 24) -> Path:
    """A folder of bars in a colour at a side, with ``captions.csv``: two captions of each; the table."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(0)
    lines = ["image,caption"]
    for colour, light in COLOURS.items():
        for place, (end, axis) in PLACES.items():
            for number in range(each):
                pixels = chance.integers(0, 40, size=(size, size + number % 3, 3)).astype(np.uint8)
                half = slice(size // 2, None) if end and axis else slice(0, size // 2)
                if axis:
                    pixels[:, half] = light
                else:
                    pixels[half] = light
                name = f"{colour}-{place}-{number}.png"
                Image.fromarray(pixels).save(folder / name)
                lines += [f"{name},a {colour} bar at the {place}", f"{name},{place} there is {colour}"]
    table = folder / "captions.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def write_noise(folder: Path, count: int = 120, size: int = 12) -> Path:
    """Pictures of nothing, light and dark, with captions by chance: whatever is changed has another neighbour."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(1)
    lines = ["image,caption"]
    for number in range(count):
        light = chance.uniform(20, 255)
        pixels = (chance.random((size, size, 3)) * light).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        lines += [f"{number}.png,word{chance.integers(9)} word{chance.integers(9)} word{chance.integers(9)}"]
    table = folder / "captions.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table
