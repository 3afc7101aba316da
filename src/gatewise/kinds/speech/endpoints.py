"""Where recordings begin and end: cut closer to the word, or with more faint noise around it. No torch.

People and programs cut recordings at other loudnesses, so that the faint ends of words (the 's' of 'six') are there or
are not, and a stranger's recordings may be cut as none of the training part are.
"""

from __future__ import annotations

import numpy as np

from gatewise.kinds.speech.features import Frames

__all__ = ["LEVELS", "loud_part", "wider"]

LEVELS = (3.0, 4.5, 6.0, 8.0)
"""Nats under the loudest frame (13 to 35 dB) at which recordings are cut."""
_FEWEST = 6
_LONGEST = 20
_FAINTER = 4.0


def loud_part(frames: Frames, under: float) -> tuple[int, int]:
    """The first frame, and the one after the last, that are at most so many nats under the loudest one.

    Args:
        frames: (T, M) log energies.
        under: nats; where fewer than six frames would be left, all are taken.

    Example:
        >>> frames = np.array([[0.0], [1.0], [9.0], [9.0], [9.0], [9.0], [9.0], [9.0], [4.0]], np.float32)
        >>> loud_part(frames, 6.0), loud_part(frames, 3.0), loud_part(frames[:3], 3.0)
        ((2, 9), (2, 8), (0, 3))
    """
    loudness = np.logaddexp.reduce(frames, axis=1)
    places = np.flatnonzero(loudness >= loudness.max() - under)
    start, end = int(places[0]), int(places[-1]) + 1
    return (start, end) if end - start >= _FEWEST else (0, len(frames))


def wider(frames: Frames, generator: np.random.Generator) -> Frames:
    """Frames (T, M) with up to 0.2 s of noise before and after them, as faint as the faintest frames or fainter."""
    level = np.quantile(frames, 0.05, axis=0) - generator.uniform(0, _FAINTER)
    before, after = (int(count) for count in generator.integers(0, _LONGEST + 1, 2))
    grain = np.log(generator.gamma(3.0, 1 / 3.0, (before + after, frames.shape[1])) + 1e-3)
    noise = (level + grain).astype(np.float32)
    return np.concatenate([noise[:before], frames, noise[before:]])
