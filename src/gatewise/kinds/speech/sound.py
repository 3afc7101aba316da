"""Sound files to samples: read, mixed to one channel, resampled, checked. Imports no torch."""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, OptionError

__all__ = ["SILENT", "Samples", "Sound", "check_packages", "ratio_of", "read_sound", "resample"]

SILENT = 2.0 / 32768
"""A sound whose loudest sample is below this is silent: within one step of 16 bits."""
_LOWEST_RATE, _HIGHEST_RATE = 1_000, 400_000
_MOST_VALUES = 1 << 30
_USUAL_VALUES = 2 * 48_000
"""Per second, of what a request may send: some kilobytes can hold silence at any rate and of many channels."""
_LARGEST_FACTOR = 5_000

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound of one channel.

    Attributes:
        samples: (N,) float32, full scale is -1 to 1.
        rate: samples per second.
        notes: what was changed: mixed, resampled.
    """

    samples: Samples
    rate: int
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Its duration."""
        return len(self.samples) / self.rate


def check_packages() -> None:
    """Refuse to work without the packages that sound needs.

    Raises:
        OptionError: naming the extra.
    """
    for name in ("soundfile", "kaldi_native_fbank"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise OptionError(
                f"sound needs the package {name.replace('_', '-')}",
                got=str(error),
                fix='pip install "gatewise[speech]"',
            ) from error


def read_sound(
    source: Path | bytes, name: str | None = None, rate: int | None = None, *, longest: float | None = None
) -> Sound:
    """Read a sound file that `soundfile` knows (WAV, FLAC, OGG and others).

    Args:
        source: a path, or the bytes of a file.
        name: for messages; None: the path.
        rate: samples per second that are wanted; None: the file's own.
        longest: seconds that are read; a longer sound is an error. None: any length.

    Returns:
        The mean of its channels, resampled where its rate is another; the notes say both.

    Raises:
        DataError: missing, a folder, no sound, truncated, empty, silent, too long, or with samples that are no numbers.

    Example:
        >>> read_sound(Path("nowhere.wav"))
        Traceback (most recent call last):
        gatewise.errors.DataError: nowhere.wav does not exist; fix: check the path
    """
    check_packages()
    place = str(source) if name is None and isinstance(source, Path) else name or "the sound"
    content = _bytes(source, place) if isinstance(source, Path) else source
    samples, own = _decode(content, place, longest)
    notes = []
    if samples.shape[1] > 1:
        notes.append(f"{samples.shape[1]} channels were mixed to one")
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise DataError(f"{place} has samples that are no finite numbers", fix="write the file again")
    if np.abs(mono).max() < SILENT:
        raise DataError(
            f"{place} is silent", expected="a sound", got=f"{len(mono) / own:.2f} s without any", fix="omit it"
        )
    if rate is not None and own != rate:
        notes.append(f"resampled from {own:,} to {rate:,} samples per second")
        mono = resample(mono, own, rate)
    return Sound(np.ascontiguousarray(mono, dtype=np.float32), rate or own, tuple(notes))


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """Another sampling rate, by a polyphase filter (`scipy.signal.resample_poly`).

    Example:
        >>> resample(np.ones(160, dtype=np.float32), 16_000, 8_000).shape
        (80,)
    """
    from scipy import signal

    up, down = ratio_of(rate, wanted)
    resample_poly: Any = signal.resample_poly  # its stubs know no array as a window
    found = resample_poly(samples, up, down, window=_filter(up, down))
    return np.asarray(found, dtype=np.float32)


def ratio_of(rate: int, wanted: int) -> tuple[int, int]:
    """How a rate becomes another one: so many samples out of so many; of odd rates to within 1 in 10 million.

    Example:
        >>> ratio_of(44_100, 8_000), ratio_of(8_000, 16_000)
        ((80, 441), (2, 1))
    """
    found = Fraction(wanted, rate).limit_denominator(_LARGEST_FACTOR)
    return found.numerator, found.denominator


@lru_cache(maxsize=32)
def _filter(up: int, down: int) -> Samples:
    """The low-pass filter between two rates: a sinc in a Kaiser window, as `scipy.signal.resample_poly` has it."""
    from scipy.signal import firwin

    most = max(up, down)
    return np.asarray(firwin(20 * most + 1, 1 / most, window=("kaiser", 5.0)), dtype=np.float32)


def _bytes(path: Path, place: str) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{place} does not exist", fix="check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{place} is a folder", expected="a sound file", fix="name the file in it") from error
    except OSError as error:
        raise DataError(f"{place} cannot be read", got=error.strerror or str(error)) from error


def _decode(content: bytes, place: str, longest: float | None) -> tuple[Samples, int]:
    """All channels, (N, channels), and the rate; what its head says is checked before anything is decoded."""
    import soundfile

    if not content:
        raise DataError(f"{place} is empty", expected="a sound", got="0 bytes", fix="copy the file again")
    try:
        with soundfile.SoundFile(_Content(content)) as file:
            rate, declared = int(file.samplerate), int(file.frames)
            _check_size(place, rate, declared, file.channels, longest)
            samples = file.read(dtype="float32", always_2d=True)
    except DataError:
        raise
    except Exception as error:  # soundfile's own, and what libsndfile makes of damaged files
        raise DataError(
            f"{place} cannot be read as sound",
            expected="WAV, FLAC, OGG or another format that libsndfile reads",
            got=str(error).rpartition(": ")[2].strip(),
            fix="convert it to WAV, or copy it again",
        ) from error
    cut = _missing(content)
    if cut or len(samples) < declared:
        raise DataError(
            f"{place} is truncated",
            got=f"{cut:,} bytes missing" if cut else f"{len(samples):,} of {declared:,} samples",
            fix="copy the file again",
        )
    if not len(samples):
        raise DataError(f"{place} holds no samples", expected="a sound", fix="record it again, or omit it")
    return samples, rate


class _Content(io.BytesIO):
    """Bytes in which libsndfile may seek before the beginning, as it does in damaged files, without a traceback."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; stay where there is none."""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def _check_size(place: str, rate: int, samples: int, channels: int, longest: float | None) -> None:
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise DataError(
            f"{place} has an unusual rate",
            expected=f"{_LOWEST_RATE:,} to {_HIGHEST_RATE:,} samples per second",
            got=f"{rate:,}",
            fix="convert it to 16,000 samples per second",
        )
    if longest is not None and samples > longest * rate:
        raise DataError(
            f"{place} is too long",
            expected=f"at most {longest:g} s",
            got=f"{samples / rate:,.1f} s",
            fix="cut it into parts, or send it as a stream where the network reads in one direction",
        )
    most = _MOST_VALUES if longest is None else min(_MOST_VALUES, int(longest * _USUAL_VALUES))
    if samples * channels > most:
        raise DataError(
            f"{place} has too many samples", expected=f"at most {most:,} of all channels",
            got=f"{samples * channels:,}", fix="send one channel at 16,000 samples per second, or cut it into parts",
        )  # fmt: skip


def _missing(content: bytes) -> int:
    """How many bytes a WAV file's data chunk lacks; 0 for other formats and for streams of unknown length."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return 0
    at = 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        if content[at : at + 4] == b"data":
            streamed = size in (0, 0xFFFFFFFF) or size >= 0x7FFFFF00
            return 0 if streamed else max(0, at + 8 + size - len(content))
        at += 8 + size + size % 2
    return 0
