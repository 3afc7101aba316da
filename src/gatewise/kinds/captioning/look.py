"""How a captioner looks at pictures: what becomes of them, and where it looked. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.data.subwords import Subwords
from gatewise.errors import RunError
from gatewise.files import refuse_newer
from gatewise.kinds.captioning.pictures import Pixels

__all__ = ["PICTURES_FILE", "AttentionMap", "Look", "as_steps", "attention_map"]

PICTURES_FILE = "pictures.json"
_FORMAT_VERSION = 1


@dataclass(frozen=True)
class Look:
    """How pictures become the network's input.

    Attributes:
        colours: 1 (grey) or 3.
        size: pixels of a side.
        mean: of the training pictures, between 0 and 1.
        spread: their standard deviation.
        longest: most tokens of a caption.
    """

    colours: int
    size: int
    mean: float
    spread: float
    longest: int

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"format_version": _FORMAT_VERSION, **vars(self)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str = PICTURES_FILE) -> Look:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged or from a newer version.
        """
        refuse_newer(record, _FORMAT_VERSION, place)
        try:
            values = {name: kind(record[name]) for name, kind in _LOOK.items()}
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{place} is damaged", expected=", ".join(_LOOK), got=f"without {error}") from error


_LOOK: Mapping[str, Callable[[Any], Any]] = {
    "colours": int, "size": int, "mean": float, "spread": float, "longest": int,
}  # fmt: skip


@dataclass(frozen=True)
class AttentionMap:
    """Where a network looked while it wrote a caption.

    Attributes:
        words: T words of the caption, its end last.
        weights: (T, G, G), each map summing to 1; first axis of a map from the top, second from the left.
    """

    words: tuple[str, ...]
    weights: npt.NDArray[np.float64]


def as_steps(pixels: Pixels) -> npt.NDArray[np.float32]:
    """A picture (C, S, S) as an exported network reads it: (S * S, C).

    Example:
        >>> as_steps(np.arange(8, dtype=np.uint8).reshape(2, 2, 2)).tolist()
        [[0.0, 4.0], [1.0, 5.0], [2.0, 6.0], [3.0, 7.0]]
    """
    return np.ascontiguousarray(pixels.reshape(len(pixels), -1).T, dtype=np.float32)


def attention_map(
    subwords: Subwords, tokens: Sequence[int], weights: npt.NDArray[np.float64], grid: int
) -> AttentionMap:
    """The weights (T, G * G) of T subwords as a map for each word: the mean of its pieces."""
    words: list[str] = []
    parts: list[list[int]] = []
    for place, piece in enumerate(subwords.pieces(tokens)):
        if piece.startswith(" ") or not words or place == len(tokens) - 1:
            words.append(piece.strip())
            parts.append([])
        else:
            words[-1] += piece
        parts[-1].append(place)
    maps = np.stack([weights[part].mean(axis=0).reshape(grid, grid) for part in parts])
    return AttentionMap(tuple(words), maps)
