"""Sound as a client of `gatewise serve` sends it. Imports no torch."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatewise.errors import DataError

__all__ = ["sound_bytes", "sound_file"]


def sound_bytes(samples: bytes | Sequence[float]) -> bytes:
    """Samples between -1 and 1 as little-endian integers of 16 bits; bytes are these already.

    Raises:
        DataError: no numbers, not finite, of several channels, or integers, whose full scale is not known.

    Example:
        >>> sound_bytes([0.0, -1.0, 1.0]).hex()
        '00000080ff7f'
    """
    if isinstance(samples, bytes):
        return samples
    import numpy as np

    expected = "samples (N,) between -1 and 1, or bytes of 16 bits each"
    try:
        values: Any = np.asarray(samples)
    except (TypeError, ValueError):
        values = np.array(None)
    if values.ndim != 1 or (values.size and values.dtype.kind != "f"):
        raise DataError("the sound cannot be sent", expected=expected, got=f"{values.dtype} of shape {values.shape}")
    if not np.isfinite(values).all():
        raise DataError("the sound has samples that are no finite numbers", expected=expected)
    content: bytes = np.clip(np.round(values * 32768), -32768, 32767).astype("<i2").tobytes()
    return content


def sound_file(sound: str | Path | bytes | Sequence[float], rate: int | None = None) -> bytes:
    """A sound file: its content, or one that is made of samples.

    Args:
        sound: a path, the bytes of a file, or samples between -1 and 1.
        rate: samples per second, of samples.

    Raises:
        DataError: the file cannot be read, or samples have no rate.
    """
    if isinstance(sound, bytes):
        return sound
    if isinstance(sound, str | Path):
        try:
            return Path(sound).expanduser().read_bytes()
        except OSError as error:
            raise DataError(
                f"{sound} cannot be read", got=error.strerror or str(error), fix="check the path"
            ) from error
    content = sound_bytes(sound)
    if rate is None:
        raise DataError("samples have no rate of their own", expected="samples per second", fix="rate=16000")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(content)
    return file.getvalue()
