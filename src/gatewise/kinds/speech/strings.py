"""Strings of clips: recordings of one speaker joined with random gaps. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gatewise.kinds.speech.recordings import Recording
from gatewise.kinds.speech.sound import Samples

__all__ = ["LONGEST_GAP", "fixed_strings", "gap", "groups"]

LONGEST_GAP = 0.4
"""Seconds; gaps are uniform from 0 to this."""
_NOISE = (0.3, 3.0)


def groups(speakers: Sequence[str | None], longest: int, generator: np.random.Generator) -> list[list[int]]:
    """Cut the recordings into strings of 1 to ``longest`` of one speaker each, every recording in one string.

    Args:
        speakers: of each recording.
        longest: recordings in a string, at most; lengths are uniform.
        generator: of the order and the lengths.

    Example:
        >>> found = groups(["ann"] * 5 + ["bob"], 3, np.random.default_rng(0))
        >>> sorted(row for string in found for row in string), max(map(len, found)) <= 3
        ([0, 1, 2, 3, 4, 5], True)
    """
    found: list[list[int]] = []
    by_speaker: dict[str | None, list[int]] = {}
    for row, speaker in enumerate(speakers):
        by_speaker.setdefault(speaker, []).append(row)
    for rows in by_speaker.values():
        order = generator.permutation(rows).tolist()
        while order:
            size = int(generator.integers(1, longest + 1))
            found.append(order[:size])
            order = order[size:]
    return found


def gap(rate: int, generator: np.random.Generator) -> Samples:
    """A pause of up to `LONGEST_GAP` seconds: faint noise, of 0.3 to 3 steps of 16 bits."""
    count = int(generator.uniform(0, LONGEST_GAP) * rate)
    level = generator.uniform(*_NOISE) / 32768
    return (generator.standard_normal(count) * level).astype(np.float32)


def joined(pieces: Sequence[Samples], rate: int, generator: np.random.Generator) -> Samples:
    """Pieces one after another, with a gap before each and after the last."""
    parts = [part for piece in pieces for part in (gap(rate, generator), piece)]
    return np.concatenate([*parts, gap(rate, generator)])


def fixed_strings(recordings: Sequence[Recording], longest: int, rate: int, seed: int) -> list[Recording]:
    """The strings of a part that is measured, the same ones every time; each clip is in one string.

    Args:
        recordings: the clips.
        longest: clips in a string, at most.
        rate: samples per second.
        seed: of the strings.
    """
    from gatewise.kinds.speech.recordings import store

    generator = np.random.default_rng(seed)
    found = []
    for number, rows in enumerate(groups([each.speaker for each in recordings], longest, generator)):
        chosen = [recordings[row] for row in rows]
        samples = joined([each.samples for each in chosen], rate, generator)
        text = " ".join(each.text for each in chosen)
        found.append(Recording(f"string {number + 1}", text, chosen[0].speaker, store(samples)))
    return found
