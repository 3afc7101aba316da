"""Sound files to samples: read, mixed to one channel, resampled, checked. Imports no torch."""

from __future__ import annotations

import importlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, OptionError

__all__ = ["Samples", "Sound", "check_packages", "read_sound", "resample"]

QUIETEST = 2.0 / 32768
"""A sound whose loudest sample is below this is silent: within one step of 16 bits."""

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


def read_sound(source: Path | bytes, name: str | None = None, rate: int | None = None) -> Sound:
    """Read a sound file that `soundfile` knows (WAV, FLAC, OGG and others).

    Args:
        source: a path, or the bytes of a file.
        name: for messages; None: the path.
        rate: samples per second that are wanted; None: the file's own.

    Returns:
        The mean of its channels, resampled where its rate is another; the notes say both.

    Raises:
        DataError: missing, a folder, no sound, truncated, empty, silent, or with samples that are no numbers.

    Example:
        >>> read_sound(Path("nowhere.wav"))
        Traceback (most recent call last):
        gatewise.errors.DataError: nowhere.wav does not exist; fix: check the path
    """
    check_packages()
    place = str(source) if name is None and isinstance(source, Path) else name or "the sound"
    content = _bytes(source, place) if isinstance(source, Path) else source
    samples, own = _decode(content, place)
    notes = []
    if samples.shape[1] > 1:
        notes.append(f"{samples.shape[1]} channels were mixed to one")
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise DataError(f"{place} has samples that are no finite numbers", fix="write the file again")
    if np.abs(mono).max() < QUIETEST:
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
    from scipy.signal import resample_poly

    common = math.gcd(rate, wanted)
    found: Any = resample_poly(samples, wanted // common, rate // common)
    return np.asarray(found, dtype=np.float32)


def _bytes(path: Path, place: str) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{place} does not exist", fix="check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{place} is a folder", expected="a sound file", fix="name the file in it") from error
    except OSError as error:
        raise DataError(f"{place} cannot be read", got=error.strerror or str(error)) from error


def _decode(content: bytes, place: str) -> tuple[Samples, int]:
    """All channels, (N, channels), and the rate."""
    import soundfile

    if not content:
        raise DataError(f"{place} is empty", expected="a sound", got="0 bytes", fix="copy the file again")
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate, declared = int(file.samplerate), int(file.frames)
            samples = file.read(dtype="float32", always_2d=True)
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
