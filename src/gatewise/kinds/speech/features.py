"""Log-mel frames of a sound, whole or as a stream, their cepstra and normalisation. Imports no torch.

A frame is 25 ms long and begins 10 ms after the one before (window, pre-emphasis and filters as in Kaldi, Povey et al.,
2011, computed by `kaldi-native-fbank`). It depends on its own samples alone, so that a stream gives the same frames as
the file. Energies below those of the rounding to 16 bits count as that, so that digital silence is no outlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError, RunError
from gatewise.kinds.speech.sound import Samples
from gatewise.kinds.speech.spec import NORMALISATIONS

__all__ = [
    "SHIFT",
    "FilterBank",
    "FrameStream",
    "Frames",
    "Moments",
    "Normaliser",
    "NormaliserStream",
    "band_centres",
    "cosines",
]

SHIFT, LENGTH = 0.010, 0.025
"""Seconds from one frame to the next, and of a frame."""
_LOWEST, _FLOOR, _FULL_SCALE = 20.0, 0.0, 32768.0
_PRIOR = 50.0
_AT_ONCE = 1_000
"""Frames; the products of so many with all cepstra are held at once."""

Frames = npt.NDArray[np.float32]
Sums = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FilterBank:
    """Log energies of mel filters.

    Args:
        rate: samples per second.
        bins: M, filters between 20 Hz and half the rate.

    Example:
        >>> bank = FilterBank(8_000, 20)
        >>> tone = np.sin(np.arange(2_000, dtype=np.float32))
        >>> bank(tone).shape, bank(tone[:100]).shape
        ((23, 20), (0, 20))
        >>> stream = bank.stream()
        >>> parts = [stream.accept(tone[at : at + 80]) for at in range(0, 2_000, 80)]
        >>> bool((np.concatenate(parts) == bank(tone)).all() and (bank.of_cut(bank.cut(tone)) == bank(tone)).all())
        True
    """

    rate: int
    bins: int

    def __call__(self, samples: Samples) -> Frames:
        """All frames (T, M) that lie within the samples (N,)."""
        return self.stream().accept(samples)

    def stream(self) -> FrameStream:
        """A stream of frames."""
        return FrameStream(self)

    def cut(self, samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The samples of every frame, (T, N'), as a view of samples (N,)."""
        if len(samples) < self.least_samples:
            return samples[:0].reshape(0, self.least_samples)
        return np.lib.stride_tricks.sliding_window_view(samples, self.least_samples)[:: self.shift]

    def of_cut(self, samples: Samples) -> Frames:
        """The frames (T, M) of cut samples (T, N'), which may be of several sounds; see `cut`."""
        return FrameStream(self, apart=True).accept(np.ascontiguousarray(samples).reshape(-1))

    @property
    def shift(self) -> int:
        """Samples from one frame to the next."""
        return int(self.rate * SHIFT)

    @property
    def least_samples(self) -> int:
        """Of one frame."""
        return int(self.rate * LENGTH)

    def count(self, samples: int) -> int:
        """T, the frames of so many samples."""
        return 0 if samples < self.least_samples else 1 + (samples - self.least_samples) // self.shift


def band_centres(bank: FilterBank) -> npt.NDArray[np.float64]:
    """Centres of the filters in Hz, (M,): evenly spaced in mel, 1127 ln(1 + f / 700).

    Example:
        >>> band_centres(FilterBank(8_000, 4)).round().tolist()
        [348.0, 825.0, 1519.0, 2530.0]
    """
    low, high = (1127 * float(np.log1p(end / 700)) for end in (_LOWEST, bank.rate / 2))
    mels = np.linspace(low, high, bank.bins + 2)[1:-1]
    found: npt.NDArray[np.float64] = 700 * np.expm1(mels / 1127)
    return found


@lru_cache(maxsize=16)
def cosines(bins: int, count: int) -> Frames:
    r"""The matrix (M, K) from log energies of M filters to their first K cepstra (Davis and Mermelstein, 1980).

    .. math:: c_k = \sqrt{2 / M} \sum_m x_m \cos(\pi k (m + 1/2) / M)

    Few of them are a smooth spectrum: the resonances of the vocal tract without the harmonics of the voice's pitch.

    Example:
        >>> found = cosines(24, 16)
        >>> found.shape, bool(np.allclose((found.T @ found)[1:, 1:], np.eye(15), atol=1e-6))
        ((24, 16), True)
    """
    places = (np.arange(bins) + 0.5) / bins
    found: Frames = (np.sqrt(2 / bins) * np.cos(np.pi * places[:, None] * np.arange(count))).astype(np.float32)
    found.setflags(write=False)
    return found


class FrameStream:
    """Samples in as they come, frames out as they are complete.

    Args:
        bank: what computes them.
        apart: whether the samples are those of whole frames, one after the other, so that none overlap.
    """

    def __init__(self, bank: FilterBank, *, apart: bool = False) -> None:
        import kaldi_native_fbank

        options = kaldi_native_fbank.FbankOptions()
        options.frame_opts.samp_freq = bank.rate
        options.frame_opts.dither = 0.0
        options.frame_opts.snip_edges = True
        options.frame_opts.frame_shift_ms = 1000 * (LENGTH if apart else SHIFT)
        options.frame_opts.frame_length_ms = 1000 * LENGTH
        options.mel_opts.num_bins = bank.bins
        options.mel_opts.low_freq = _LOWEST
        self._bank, self._done = bank, 0
        self._online: Any = kaldi_native_fbank.OnlineFbank(options)

    def accept(self, samples: Samples) -> Frames:
        """Add samples (N,) and return the new frames (T, M), T from 0."""
        if len(samples):
            scaled = np.asarray(samples, dtype=np.float32) * np.float32(_FULL_SCALE)
            self._online.accept_waveform(self._bank.rate, scaled)
        ready = self._online.num_frames_ready
        found = np.empty((ready - self._done, self._bank.bins), dtype=np.float32)
        for row, number in enumerate(range(self._done, ready)):
            found[row] = self._online.get_frame(number)
        self._online.pop(ready - self._done)
        self._done = ready
        return np.maximum(found, np.float32(_FLOOR), out=found)


class Moments(NamedTuple):
    """Number, sum and sum of squares of features, each of its own: (), (K,), (K,) of float64."""

    number: float
    sums: Sums
    squares: Sums

    @classmethod
    def of(cls, frames: Frames) -> Moments:
        """Of features (T, K)."""
        wide = frames.astype(np.float64)
        return cls(float(len(frames)), wide.sum(axis=0), (wide * wide).sum(axis=0))

    def plus(self, other: Moments) -> Moments:
        """Of both."""
        return Moments(self.number + other.number, self.sums + other.sums, self.squares + other.squares)


@dataclass(frozen=True, eq=False)
class Normaliser:
    r"""Makes features of frames, takes the mean of each feature and divides by its standard deviation.

    Features are the frames' log energies, K = M, or their first K cepstra, see `cosines`. Mean and deviation are those
    of the ``training`` part, of the ``recording``, of all recordings of its ``speaker`` (to be known before the first
    frame: no stream), or ``running``, of all frames so far. The training part counts as 50 frames (half a second) among
    them, so that a short recording does not speak for itself alone:

    .. math:: m_t = \frac{50 \bar m + \sum_{s \le t} x_s}{50 + t}, \quad
        v_t = \frac{50 (\bar v + \bar m^2) + \sum_{s \le t} x_s^2}{50 + t} - m_t^2

    Args:
        kind: one of these.
        mean: (K,) of the training part.
        spread: (K,) standard deviations of the training part.
        bins: M where the features are cepstra; None: they are the log energies.

    Example:
        >>> normaliser = Normaliser("running", np.zeros(1, np.float32), np.ones(1, np.float32))
        >>> frames = np.array([[1.0], [3.0], [2.0]], dtype=np.float32)
        >>> stream = normaliser.stream()
        >>> parts = [stream.accept(frames[:2]), stream.accept(frames[2:])]
        >>> bool((np.concatenate(parts) == normaliser(frames)).all())
        True
    """

    kind: str
    mean: Frames
    spread: Frames
    bins: int | None = None

    @classmethod
    def fit(cls, kind: str, frames: Frames, cepstra: int = 0) -> Normaliser:
        """From the training frames (T, M); ``cepstra`` is K, 0 for the log energies themselves."""
        bins = frames.shape[1]
        if cepstra:
            frames = _cepstra(frames, cosines(bins, cepstra))
        mean, spread = frames.mean(axis=0, dtype=np.float64), frames.std(axis=0, dtype=np.float64)
        found = np.maximum(spread, 1e-2).astype(np.float32)
        return cls(kind, mean.astype(np.float32), found, bins if cepstra else None)

    def __call__(self, frames: Frames, speaker: Moments | None = None) -> Frames:
        """The normalised features (T, K).

        Args:
            frames: (T, M).
            speaker: of all features of the speaker; None: the recording's own.
        """
        features = self.features(frames)
        return self._scaled(features, *self.statistics(features, speaker))

    def features(self, frames: Frames) -> Frames:
        """The features (T, K) of frames (T, M), before normalisation; of each frame the same bits in any company."""
        return frames if self.matrix is None else _cepstra(frames, self.matrix)

    def statistics(self, features: Frames, speaker: Moments | None = None) -> tuple[Frames, Frames]:
        """Mean and standard deviation that features (T, K) are normalised by: (K,), or (T, K) while running."""
        if self.kind == "training":
            return self.mean, self.spread
        if self.kind == "running":
            return self.stream().statistics(features)
        known = Moments.of(features) if self.kind == "recording" or speaker is None else speaker
        whole = self.prior.plus(known)
        return _mean_and_spread(whole.number, whole.sums, whole.squares)

    @property
    def width(self) -> int:
        """K, the features of a frame."""
        return len(self.mean)

    @property
    def matrix(self) -> Frames | None:
        """(M, K) from log energies to cepstra; None: the features are the log energies."""
        return None if self.bins is None else cosines(self.bins, self.width)

    @property
    def prior(self) -> Moments:
        """The training part, as 50 frames."""
        mean, spread = self.mean.astype(np.float64), self.spread.astype(np.float64)
        return Moments(_PRIOR, _PRIOR * mean, _PRIOR * (mean**2 + spread**2))

    def stream(self) -> NormaliserStream:
        """Normalises frames as they come.

        Raises:
            OptionError: the mean is known only at the end.
        """
        return NormaliserStream(self)

    @property
    def streams(self) -> bool:
        """Whether it needs no later frame."""
        return self.kind in ("running", "training")

    @staticmethod
    def _scaled(frames: Frames, mean: Frames, spread: Frames) -> Frames:
        found: Frames = (frames - mean) / spread
        return found

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        found = {"kind": self.kind, "mean": self.mean.tolist(), "spread": self.spread.tolist()}
        return found if self.bins is None else found | {"cepstra_of": self.bins}

    @classmethod
    def from_dict(cls, record: Any, place: str, filters: int) -> Normaliser:
        """What `to_dict` wrote, for frames of so many filters.

        Raises:
            RunError: it is damaged.
        """
        try:
            kind = str(record["kind"])
            mean, spread = (np.asarray(record[name], dtype=np.float32) for name in ("mean", "spread"))
            bins = None if record.get("cepstra_of") is None else int(record["cepstra_of"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{place} is damaged", expected="kind, mean and spread") from error
        if kind not in NORMALISATIONS or mean.ndim != 1 or mean.shape != spread.shape or not (spread > 0).all():
            raise RunError(f"{place} is damaged", expected="a mean and a spread of each feature")
        if filters != (len(mean) if bins is None else bins) or len(mean) > filters:
            expected = f"features of {filters} filters"
            raise RunError(f"{place} is damaged", expected=expected, got=f"{len(mean)} of {bins or len(mean)}")
        return cls(kind, mean, spread, bins)


class NormaliserStream:
    """The running sums of a stream.

    Args:
        normaliser: what they start from.
        so_far: of all frames before, with the prior; None: there were none.

    Attributes:
        so_far: the same, with the frames that were read.
    """

    def __init__(self, normaliser: Normaliser, so_far: Moments | None = None) -> None:
        if not normaliser.streams:
            raise OptionError(
                f"frames that are normalised per {normaliser.kind} cannot be streamed",
                expected="running or training",
                got=normaliser.kind,
                fix="train with --normalisation running",
            )
        self._of, self.so_far = normaliser, so_far or normaliser.prior

    def accept(self, frames: Frames) -> Frames:
        """The next frames (T, M) as normalised features (T, K)."""
        features = self._of.features(frames)
        return self._of._scaled(features, *self.statistics(features))

    def statistics(self, features: Frames) -> tuple[Frames, Frames]:
        """What the next features (T, K) are normalised by, see `Normaliser.statistics`; they count from now on."""
        if self._of.kind == "training" or not len(features):
            return self._of.mean, self._of.spread
        count, sums, squares = self.so_far
        wide = features.astype(np.float64)
        counts = count + np.arange(1, len(features) + 1)[:, None]
        all_sums, all_squares = (
            np.cumsum(np.concatenate([first[None], each]), axis=0) for first, each in ((sums, wide), (squares, wide**2))
        )
        self.so_far = Moments(count + len(features), all_sums[-1], all_squares[-1])
        return _mean_and_spread(counts, all_sums[1:], all_squares[1:])


def _cepstra(frames: Frames, matrix: Frames) -> Frames:
    """The product (T, K), by sums of halves, so that its bits do not depend on how many frames there are."""
    found = np.empty((len(frames), matrix.shape[1]), dtype=np.float32)
    for start in range(0, len(frames), _AT_ONCE):
        terms = frames[start : start + _AT_ONCE, :, None] * matrix
        while terms.shape[1] > 1:
            half, odd = divmod(terms.shape[1], 2)
            sums = terms[:, :half] + terms[:, half : 2 * half]
            if odd:
                sums[:, 0] += terms[:, -1]
            terms = sums
        found[start : start + _AT_ONCE] = terms[:, 0]
    return found


def _mean_and_spread(count: Any, sums: Sums, squares: Sums) -> tuple[Frames, Frames]:
    mean = sums / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 1e-4))
    return mean.astype(np.float32), spread.astype(np.float32)
