"""Cuts a string of clips at its pauses, for baselines that know single words. No torch."""

from __future__ import annotations

import numpy as np

from gatewise.kinds.speech.features import Frames

__all__ = ["pieces", "trimmed"]

_SHARE = 0.35
_SHORTEST, _PAUSE = 8, 4


def pieces(frames: Frames) -> list[tuple[int, int]]:
    """First frame and the one after the last of each piece between pauses, by the energy of the frames.

    A frame is loud above 35 % of the way from the quiet frames (their 5 % quantile) to the loud ones (95 %). Pauses
    of fewer than 4 frames are none, and pieces of fewer than 8 are dropped; the longest is kept if all are that short.

    Args:
        frames: (T, M), not normalised.

    Example:
        >>> frames = np.full((60, 2), 1.0, dtype=np.float32)
        >>> frames[5:20] = frames[40:55] = 9.0
        >>> pieces(frames)
        [(5, 20), (40, 55)]
    """
    energy = frames.mean(axis=1)
    low, high = np.quantile(energy, [0.05, 0.95])
    loud = energy > low + _SHARE * (high - low) if high - low > 1.0 else np.ones(len(energy), dtype=bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(np.int8)))
    runs = edges.reshape(-1, 2).tolist()
    joined: list[list[int]] = []
    for start, end in runs:
        if joined and start - joined[-1][1] < _PAUSE:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    kept = [(start, end) for start, end in joined if end - start >= _SHORTEST]
    return kept or [max(((start, end) for start, end in joined), key=lambda each: each[1] - each[0])]


def trimmed(frames: Frames) -> tuple[int, int]:
    """From the first to the last loud frame."""
    found = pieces(frames)
    return found[0][0], found[-1][1]
