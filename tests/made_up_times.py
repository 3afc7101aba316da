"""Times as if they had been measured in turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gatewise.comparison.cost.timing import times_of
from gatewise.record import TimeRatio, Times


def made_up_samples(
    seconds: Mapping[str, Mapping[str, float]], *, rounds: int = 16, noise: float = 0.005, seed: int = 0
) -> dict[str, Any]:
    """Samples of each quantity: every cell's seconds, times what the machine did in the round, times noise.

    Args:
        seconds: by quantity and cell.
        rounds: how many.
        noise: relative, of each measurement by itself.
        seed: of the noise.
    """
    generator = np.random.default_rng(seed)
    samples: dict[str, dict[str, list[float]]] = {}
    for quantity, cells in seconds.items():
        machine = np.exp(generator.normal(0, 0.1, rounds))
        samples[quantity] = {
            cell: (value * machine * np.exp(generator.normal(0, noise, rounds))).tolist()
            for cell, value in cells.items()
        }
    cells = list(dict.fromkeys(cell for each in seconds.values() for cell in each))
    return {"samples": samples, "steps": dict.fromkeys(cells, 1), "details": {cell: {} for cell in cells}}


def made_up_times(seconds: Mapping[str, Mapping[str, float]], **options: Any) -> Times:
    """What the record says of such samples."""
    return times_of(made_up_samples(seconds, **options), {})


def made_up_ratios(training: Mapping[str, float], streaming: Mapping[str, float | None]) -> tuple[TimeRatio, ...]:
    """Ratios of training steps, and of streaming steps where cells have them."""
    steps = {cell: value for cell, value in streaming.items() if value is not None}
    return made_up_times({"training_step": training, "streaming_step": steps}).ratios
