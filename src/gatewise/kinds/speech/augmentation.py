"""Changes of sounds and frames while training, so that few speakers stand for many. No torch.

Each is drawn anew for each recording: tempo and pitch (Ko et al., 2015), the stretch of the frequencies by another
vocal tract (Jaitly and Hinton, 2013), the filter of another microphone, noise, and masked bands and stretches
(SpecAugment, Park et al., 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gatewise.kinds.speech.features import Frames

__all__ = ["Augmentation"]

_FILTER_POINTS = 5
_LEAST_FRAMES = 6
_MASK_SHARE = 0.2
_LONGEST_MASK = 10
"""Frames; a longer mask could hide a whole short word that CTC is then asked for."""
_SHIFT = 2.0


@dataclass(frozen=True)
class Augmentation:
    """How frames are changed.

    Args:
        speed: largest change of tempo, a fraction.
        warping: largest stretch of the filters' axis, a fraction; with it the axis is shifted by up to two filters.
        filtering: spread of a random smooth curve over the filters, in nats.
        noise: probability of added noise.
        frequency_masks: bands, each of up to a fifth of the filters.
        time_masks: stretches, each of up to a fifth of the frames and 100 ms.

    Example:
        >>> frames = np.arange(80, dtype=np.float32).reshape(10, 8)
        >>> same = Augmentation()
        >>> bool((same.changed(frames, np.random.default_rng(0)) == frames).all())
        True
        >>> Augmentation(speed=0.5).changed(frames, np.random.default_rng(1)).shape
        (10, 8)
    """

    speed: float = 0.0
    warping: float = 0.0
    filtering: float = 0.0
    noise: float = 0.0
    frequency_masks: int = 0
    time_masks: int = 0

    def changed(self, frames: Frames, generator: np.random.Generator) -> Frames:
        """Frames (T, M) of the same sound said by another voice, elsewhere: (T', M)."""
        if self.speed:
            frames = _resampled(frames, np.exp(generator.uniform(-1, 1) * np.log1p(self.speed)))
        if self.warping:
            frames = _warped(frames, generator.uniform(-1, 1) * self.warping, generator.uniform(-1, 1) * _SHIFT)
        if self.filtering:
            points = generator.normal(0, self.filtering, _FILTER_POINTS)
            places = np.linspace(0, _FILTER_POINTS - 1, frames.shape[1])
            frames = frames + np.interp(places, np.arange(_FILTER_POINTS), points).astype(np.float32)
        if self.noise and generator.random() < self.noise:
            frames = _noisy(frames, generator)
        return frames

    def masked(self, frames: Frames, generator: np.random.Generator) -> Frames:
        """Normalised frames (T, M) with bands and stretches of them at 0, the mean."""
        if not (self.frequency_masks or self.time_masks):
            return frames
        found = frames.copy()
        steps, bins = frames.shape
        for _ in range(self.frequency_masks):
            width = int(generator.integers(0, int(_MASK_SHARE * bins) + 1))
            start = int(generator.integers(0, bins - width + 1))
            found[:, start : start + width] = 0
        for _ in range(self.time_masks):
            width = int(generator.integers(0, min(_LONGEST_MASK, int(_MASK_SHARE * steps)) + 1))
            start = int(generator.integers(0, steps - width + 1))
            found[start : start + width] = 0
        return found


def _resampled(frames: Frames, factor: float) -> Frames:
    """Another tempo: frames between the frames."""
    count = max(min(_LEAST_FRAMES, len(frames)), round(len(frames) / factor))
    return _between(frames, np.linspace(0, len(frames) - 1, count))


def _warped(frames: Frames, stretch: float, shift: float) -> Frames:
    """Another vocal tract: filters between the filters."""
    bins = frames.shape[1]
    places = np.clip(np.arange(bins) * (1 + stretch) + shift, 0, bins - 1)
    return np.ascontiguousarray(_between(np.ascontiguousarray(frames.T), places).T)


def _between(rows: Frames, places: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Frames:
    low = np.floor(places).astype(np.int64)
    high = np.minimum(low + 1, len(rows) - 1)
    part = (places - low)[:, None].astype(np.float32)
    found: Frames = rows[low] * (1 - part) + rows[high] * part
    return found


def _noisy(frames: Frames, generator: np.random.Generator) -> Frames:
    """Noise of a random level and colour, added as energies; its level is 0 to 25 dB under the loudest frames."""
    bins = frames.shape[1]
    loud = float(np.quantile(frames, 0.95))
    level = loud - generator.uniform(1.0, 7.0) + generator.normal(0, 1.0) * np.linspace(-1, 1, bins)
    grain = np.log(generator.gamma(3.0, 1 / 3.0, frames.shape) + 1e-3)
    return np.logaddexp(frames, level + grain).astype(np.float32)
