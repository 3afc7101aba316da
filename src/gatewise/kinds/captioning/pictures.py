"""The data of captioning: pictures of one size, each with the captions that were written of it. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.kinds.captioning.images import in_channels

__all__ = ["SEEN_AT", "Appearance", "Pictures", "Pixels", "appearance_of", "digest_of", "tidy"]

Pixels = npt.NDArray[np.uint8]
SEEN_AT = 64
"""Pixels of a side at which pictures are told apart, and parts are drawn, whatever size the network reads."""


class Appearance(NamedTuple):
    """What a picture is told apart by.

    Attributes:
        digest: SHA-256 of its pixels in three colours.
        signs: which of its 9 x 8 areas are lighter than the one to their left, 64 bits: nearly the same of near copies.
    """

    digest: str
    signs: bytes


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures with their captions.

    Attributes:
        pixels: (N, C, S, S) uint8; C is 1 (grey) or 3 (red, green, blue).
        captions: of each, at least one.
        names: of each, for messages and tables.
        facts: what is known of each picture beside its captions, by which a caption can be checked; empty: nothing.
        seen: how each looks at `SEEN_AT` pixels; empty: at those that it has, see `appearances`.
    """

    pixels: Pixels
    captions: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    facts: tuple[Any, ...] = ()
    seen: tuple[Appearance, ...] = ()

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
        seen = tuple(self.seen[row] for row in places) if self.seen else ()
        return Pictures(
            self.pixels[places],
            tuple(self.captions[row] for row in places),
            tuple(self.names[row] for row in places),
            facts,
            seen,
        )

    @property
    def digests(self) -> list[str]:
        """SHA-256 of each picture's pixels."""
        return [digest_of(each) for each in self.pixels]

    @property
    def appearances(self) -> Sequence[Appearance]:
        """How each looks, for telling pictures apart and for drawing parts."""
        return self.seen or [appearance_of(each) for each in self.pixels]


def digest_of(pixels: Pixels) -> str:
    """SHA-256 of a picture's pixels and their shape."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def appearance_of(pixels: Pixels) -> Appearance:
    """What a picture (C, S, S) is told apart by.

    Example:
        >>> dark = np.arange(3 * 16 * 16, dtype=np.uint8).reshape(3, 16, 16) // 4
        >>> light = 2 * dark
        >>> appearance_of(dark).signs == appearance_of(light).signs, appearance_of(dark) == appearance_of(light)
        (True, False)
    """
    light = in_channels(pixels, 1)[0].astype(np.float64)
    size = light.shape[-1]
    columns = np.linspace(0, size, 10).astype(int)[:-1]
    rows = np.linspace(0, size, 9).astype(int)[:-1]
    areas = np.add.reduceat(np.add.reduceat(light, rows, axis=0), columns, axis=1)
    return Appearance(digest_of(in_channels(pixels, 3)), np.packbits(np.diff(areas, axis=1) > 0).tobytes())


def tidy(caption: str) -> str:
    """A caption as it is kept: single spaces, Unicode NFC.

    Example:
        >>> tidy("  A dog  runs . ")
        'A dog runs .'
    """
    import unicodedata

    return " ".join(unicodedata.normalize("NFC", caption).split())
