"""The data of captioning: pictures of one size, each with the captions that were written of it. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Pictures", "Pixels", "digest_of", "tidy"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures with their captions.

    Attributes:
        pixels: (N, C, S, S) uint8; C is 1 (grey) or 3 (red, green, blue).
        captions: of each, at least one.
        names: of each, for messages and tables.
        facts: what is known of each picture beside its captions, by which a caption can be checked; empty: nothing.
    """

    pixels: Pixels
    captions: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    facts: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.captions)

    def take(self, rows: Sequence[int]) -> Pictures:
        """The given pictures, in that order.

        Example:
            >>> pixels = np.zeros((2, 1, 8, 8), dtype=np.uint8)
            >>> Pictures(pixels, (("a dog",), ("a cat",)), ("a.png", "b.png")).take([1]).captions
            (('a cat',),)
        """
        places = list(rows)
        facts = tuple(self.facts[row] for row in places) if self.facts else ()
        return Pictures(
            self.pixels[places],
            tuple(self.captions[row] for row in places),
            tuple(self.names[row] for row in places),
            facts,
        )

    @property
    def digests(self) -> list[str]:
        """SHA-256 of each picture's pixels."""
        return [digest_of(each) for each in self.pixels]


def digest_of(pixels: Pixels) -> str:
    """SHA-256 of a picture's pixels and their shape."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def tidy(caption: str) -> str:
    """A caption as it is kept: single spaces, Unicode NFC.

    Example:
        >>> tidy("  A dog  runs . ")
        'A dog runs .'
    """
    import unicodedata

    return " ".join(unicodedata.normalize("NFC", caption).split())
