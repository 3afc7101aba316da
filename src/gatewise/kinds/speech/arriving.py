"""Sound as it arrives in parts: samples of 16 bits at any usual rate to those of whole frames. Imports no torch."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gatewise.errors import DataError, OptionError
from gatewise.kinds.speech.features import FilterBank
from gatewise.kinds.speech.recordings import Stored, store
from gatewise.kinds.speech.sound import Samples, ratio_of, resample
from gatewise.training.streaming import MOST_STEPS

__all__ = ["RATES", "Resampled", "Rest", "checked_rate", "cut_frames", "resampled_part", "samples_of"]

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)
"""Samples per second at which a stream may come, besides those of the network."""
_HALF_FILTER = 10


class Rest(NamedTuple):
    """What is left of a sound between two of its parts.

    Attributes:
        samples: at the network's rate, that belong to frames that are not complete.
        block: as they came, that later ones are resampled with; empty where the rates are the same.
        given: samples at the network's rate that the block has given already.
    """

    samples: Stored = np.zeros(0, np.int16)
    block: Stored = np.zeros(0, np.int16)
    given: int = 0

    def text(self) -> str:
        """As a stream keeps it.

        Example:
            >>> rest = Rest(np.array([1, -2], np.int16))
            >>> rest.text(), Rest.of(rest.text()).samples.tolist()
            ('0..AQD+/w==', [1, -2])
        """
        both = (base64.b64encode(each.astype("<i2").tobytes()).decode() for each in (self.block, self.samples))
        return ".".join([str(self.given), *both])

    @classmethod
    def of(cls, text: str) -> Rest:
        """What `text` wrote; the empty text is the beginning of a sound."""
        if not text:
            return cls()
        given, block, samples = text.split(".")
        return cls(_stored(base64.b64decode(samples)), _stored(base64.b64decode(block)), int(given))


class Resampled(NamedTuple):
    """Samples at the network's rate, and what is left, see `Rest`."""

    samples: Samples
    block: Stored
    given: int


def checked_rate(given: Any, own: int) -> int:
    """The rate of a stream; the network's own if None.

    Raises:
        OptionError: an unusual one.
    """
    if given is None:
        return own
    if isinstance(given, bool) or given not in (own, *RATES):
        raise OptionError(
            "the rate is unusual",
            expected="samples per second: " + ", ".join(f"{each}" for each in sorted({own, *RATES})),
            got=repr(given)[:40],
            fix=f"record at one of these, at best {own}, which the network hears",
        )
    return int(given)


def samples_of(message: Mapping[str, Any]) -> Stored:
    """The samples of a message: its bytes, little-endian 16-bit integers, or these in base64.

    Raises:
        DataError: there are none, or half a sample.

    Example:
        >>> samples_of({"sound": b"\\x01\\x00\\xff\\xff"}).tolist(), samples_of({"sound": "AQD//w=="}).tolist()
        ([1, -1], [1, -1])
    """
    sound = message.get("sound", b"" if message.get("end") else None)
    if isinstance(sound, str):
        try:
            sound = base64.b64decode(sound, validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError(
                "the message's sound is not base64", got=str(error), fix="or send binary messages"
            ) from None
    if not isinstance(sound, bytes):
        got = "nothing" if sound is None else type(sound).__name__
        expected = '"sound": samples of 16 bits, little-endian, in base64; or a binary message of them'
        raise DataError("the message has no sound", expected=expected, got=got)
    if len(sound) % 2:
        expected, got = "samples of 16 bits: an even number of bytes", str(len(sound))
        raise DataError("the message ends within a sample", expected=expected, got=got)
    return _stored(sound)


def _stored(content: bytes) -> Stored:
    return np.frombuffer(content, dtype="<i2").astype(np.int16)


def cut_frames(new: Stored, rest: Rest, bank: FilterBank, rate: int, *, end: bool) -> tuple[list[Stored], Rest]:
    """The samples of every frame that is complete now, and what is left.

    The frames are those of the whole sound, bit by bit, however it is cut into parts.

    Args:
        new: samples (N,) as they came.
        rest: of the part before.
        bank: says how long frames are.
        rate: of ``new``.
        end: whether no part follows.

    Raises:
        DataError: more frames than one message may hold.

    Example:
        >>> frames, rest = cut_frames(np.zeros(300, np.int16), Rest(), FilterBank(8_000, 20), 8_000, end=False)
        >>> [each.shape for each in frames], rest.samples.shape
        ([(200,), (200,)], (140,))
    """
    most = MOST_STEPS * bank.shift / bank.rate
    if len(new) > most * rate:
        expected, got = f"at most {most:g} s of sound", f"{len(new) / rate:.1f} s"
        raise DataError("the message's sound is too long", expected=expected, got=got, fix="send it in parts")
    block, given = rest.block, rest.given
    # as a file is read: full scale is 32,768, and 16 bits are kept
    own, block, given = resampled_part(np.concatenate([block, new]), given, rate, bank.rate, end=end)
    samples = np.concatenate([rest.samples, store(own)])
    starts = range(0, bank.count(len(samples)) * bank.shift, bank.shift)
    frames = [samples[start : start + bank.least_samples] for start in starts]
    return frames, Rest(samples[len(frames) * bank.shift :], block, given)


def resampled_part(block: Stored, given: int, rate: int, wanted: int, *, end: bool) -> Resampled:
    """What a block of samples gives at another rate that it has not given, and of it what later samples need.

    An output is ready once all inputs that its filter reaches have come; it has then the bits that it has in the whole
    sound. Blocks begin at multiples of the rates' ratio, so that outputs fall on the same places.

    Args:
        block: (N,) what was left, with what is new.
        given: outputs of the block that were given already.
        rate: of the block.
        wanted: of the outputs.
        end: whether nothing follows.
    """
    scaled = block.astype(np.float32) / np.float32(32_768)
    if rate == wanted:
        return Resampled(scaled, block[:0], 0)
    up, down = ratio_of(rate, wanted)
    reach = _HALF_FILTER * max(up, down)
    ready = -(-len(block) * up // down) if end else max(given, ((len(block) - 1) * up - reach) // down + 1)
    if not len(block) or ready <= given:
        return Resampled(scaled[:0], block, given)
    found = resample(scaled, rate, wanted)[given:ready]
    # the next output begins to need this input; blocks begin where inputs and outputs fall together
    first = max(0, (ready * down - reach) // up) // down * down
    return Resampled(found, block[first:], ready - first * up // down)
