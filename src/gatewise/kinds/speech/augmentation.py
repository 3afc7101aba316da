"""Changes of sounds and frames while training, so that few speakers stand for many. No torch.

Each is drawn anew for each recording: tempo and pitch (Ko et al., 2015), the stretch of the frequencies by another
vocal tract (Jaitly and Hinton, 2013), the filter of another microphone, noise, where the recording is cut, and masked
bands and stretches (SpecAugment, Park et al., 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.kinds.speech.endpoints import LEVELS, loud_part, wider
from gatewise.kinds.speech.features import FilterBank, Frames, band_centres
from gatewise.kinds.speech.moments import Products

__all__ = ["Augmentation", "Voice", "warped_places"]

_FILTER_POINTS = 5
_LEAST_FRAMES = 6
_MASK_SHARE = 0.2
_LONGEST_MASK = 10
"""Frames; a longer mask could hide a whole short word that CTC is then asked for."""
_KNEE = 0.85
"""Of half the rate: above it a warp returns to the end of the axis."""
Places = npt.NDArray[np.float64]


def warped_places(bank: FilterBank, factor: float) -> Places:
    """Where on the filters' axis a voice reads whose resonances lie ``factor`` times as high, (M,).

    The warp is linear up to a knee and returns to the end of the axis above it (Lee and Rose, 1998).

    Example:
        >>> bank = FilterBank(8_000, 24)
        >>> bool(np.allclose(warped_places(bank, 1.0), np.arange(24)))
        True
        >>> warped_places(bank, 1.2)[[4, 12, 23]].round(1).tolist()
        [3.2, 10.5, 22.0]
    """
    centres, top = band_centres(bank), bank.rate / 2
    knee = _KNEE * top * min(1.0, factor)
    above = knee / factor + (top - knee / factor) / (top - knee) * (centres - knee)
    read = np.where(centres <= knee, centres / factor, above)
    mels = np.log1p(centres / 700)
    return np.asarray(np.interp(np.log1p(read / 700), mels, np.arange(bank.bins)), dtype=np.float64)


@dataclass(frozen=True)
class Voice:
    """What is the same in everything that another voice says elsewhere.

    Args:
        tempo: how much faster.
        places: (M,) where on the filters' axis each filter reads; None: at itself.
        curve: (M,) what is added to each filter; None: nothing.
    """

    tempo: float = 1.0
    places: Places | None = None
    curve: Frames | None = None

    def frames(self, frames: Frames) -> Frames:
        """Frames (T, M) as this voice says them, (T', M)."""
        if self.tempo != 1.0:
            frames = _resampled(frames, self.tempo)
        if self.places is not None:
            frames = np.ascontiguousarray(_between(np.ascontiguousarray(frames.T), self.places).T)
        return frames if self.curve is None else frames + self.curve

    def products(self, others: Products) -> Products:
        """Those of other recordings, had this voice said them."""
        if self.places is None:
            return others.mapped(offset=self.curve)
        return others.mapped(_between(np.eye(len(self.places)), self.places).T, self.curve)


@dataclass(frozen=True)
class Augmentation:
    """How frames are changed.

    Args:
        speed: largest change of tempo, a fraction.
        warping: largest stretch of the frequencies, a fraction, see `warped_places`.
        filtering: spread of a random smooth curve over the filters, in nats.
        noise: probability of added noise.
        frequency_masks: bands, each of up to a fifth of the filters.
        time_masks: stretches, each of up to a fifth of the frames and 100 ms.
        endpoints: probability that the ends are cut, see `gatewise.kinds.speech.endpoints`; of the others half as many
            are made longer.

    Example:
        >>> frames = np.arange(80, dtype=np.float32).reshape(10, 8)
        >>> same = Augmentation()
        >>> bank, chance = FilterBank(8_000, 8), np.random.default_rng(1)
        >>> bool((same.noisy(same.voice(bank, chance).frames(frames), chance) == frames).all())
        True
        >>> Augmentation(speed=0.5, warping=0.2).voice(bank, chance).frames(frames).shape
        (10, 8)
    """

    speed: float = 0.0
    warping: float = 0.0
    filtering: float = 0.0
    noise: float = 0.0
    frequency_masks: int = 0
    time_masks: int = 0
    endpoints: float = 0.0

    def cut_at(self, generator: np.random.Generator) -> float | None:
        """How far under its loudest frame, in nats, a recording is cut; None: it is not."""
        if not self.endpoints or generator.random() >= self.endpoints:
            return None
        return float(generator.choice(LEVELS))

    def cut(self, frames: Frames, at: float | None, generator: np.random.Generator) -> Frames:
        """Frames (T, M) cut there; of those that are not, some are made longer."""
        if at is not None:
            return frames[slice(*loud_part(frames, at))]
        longer = self.endpoints and generator.random() < self.endpoints / 2
        return wider(frames, generator) if longer else frames

    def voice(self, bank: FilterBank, generator: np.random.Generator) -> Voice:
        """Another voice, for the frames of a filter bank."""
        tempo, places, curve = 1.0, None, None
        if self.speed:
            tempo = float(np.exp(generator.uniform(-1, 1) * np.log1p(self.speed)))
        if self.warping:
            places = warped_places(bank, float(np.exp(generator.uniform(-1, 1) * np.log1p(self.warping))))
        if self.filtering:
            points = generator.normal(0, self.filtering, _FILTER_POINTS)
            at = np.linspace(0, _FILTER_POINTS - 1, bank.bins)
            curve = np.interp(at, np.arange(_FILTER_POINTS), points).astype(np.float32)
        return Voice(tempo, places, curve)

    def noisy(self, frames: Frames, generator: np.random.Generator) -> Frames:
        """Frames (T, M), perhaps with noise."""
        if self.noise and generator.random() < self.noise:
            frames = _noisy(frames, generator)
        return frames

    def without_bands(self, frames: Frames, generator: np.random.Generator) -> Frames:
        """Frames (T, M) with bands of them at their mean over the recording."""
        if not self.frequency_masks:
            return frames
        found, mean = frames.copy(), frames.mean(axis=0)
        bins = frames.shape[1]
        for _ in range(self.frequency_masks):
            width = int(generator.integers(0, int(_MASK_SHARE * bins) + 1))
            start = int(generator.integers(0, bins - width + 1))
            found[:, start : start + width] = mean[start : start + width]
        return found

    def without_stretches(self, features: Frames, generator: np.random.Generator) -> Frames:
        """Normalised features (T, K) with stretches of time at 0, the mean."""
        if not self.time_masks:
            return features
        found, steps = features.copy(), len(features)
        for _ in range(self.time_masks):
            width = int(generator.integers(0, min(_LONGEST_MASK, int(_MASK_SHARE * steps)) + 1))
            start = int(generator.integers(0, steps - width + 1))
            found[start : start + width] = 0
        return found


def _resampled(frames: Frames, factor: float) -> Frames:
    """Another tempo: frames between the frames."""
    count = max(min(_LEAST_FRAMES, len(frames)), round(len(frames) / factor))
    found: Frames = _between(frames, np.linspace(0, len(frames) - 1, count))
    return found


def _between(rows: Any, places: Places) -> Any:
    """Of rows (N,) or (N, M) those at fractional places, (P,) or (P, M)."""
    low = np.floor(places).astype(np.int64)
    high = np.minimum(low + 1, len(rows) - 1)
    part = (places - low).astype(rows.dtype).reshape(-1, *[1] * (rows.ndim - 1))
    return rows[low] * (1 - part) + rows[high] * part


def _noisy(frames: Frames, generator: np.random.Generator) -> Frames:
    """Noise of a random level and colour, added as energies; its level is 0 to 25 dB under the loudest frames."""
    bins = frames.shape[1]
    loud = float(np.quantile(frames, 0.95))
    level = loud - generator.uniform(1.0, 7.0) + generator.normal(0, 1.0) * np.linspace(-1, 1, bins)
    grain = np.log(generator.gamma(3.0, 1 / 3.0, frames.shape) + 1e-3)
    return np.logaddexp(frames, level + grain).astype(np.float32)
