"""Pictures and captions as numbers, and batches in which a picture is read once for all of its captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data import Ragged
from gatewise.data.subwords import BEGIN, END, Subwords
from gatewise.kinds.captioning.pictures import Pictures, Pixels

__all__ = ["CaptionBatch", "EncodedCaptions", "encode_captions", "picture_batches"]

Numbers = npt.NDArray[np.int64]


class CaptionBatch(NamedTuple):
    """Pictures, and all their captions, padded, time first. Axis letters: B pictures, R captions, T tokens.

    Attributes:
        pixels: (B, C, S, S) uint8.
        pictures: (R,) int64, which picture each caption is of.
        inputs: (T, R) int64, each caption with a begin before it.
        targets: (T, R) int64, each caption with its end; 0 past it.
        lengths: (R,) int64.
    """

    pixels: Tensor
    pictures: Tensor
    inputs: Tensor
    targets: Tensor
    lengths: Tensor

    def to(self, device: torch.device | str) -> CaptionBatch:
        """The same batch on another device."""
        return CaptionBatch(*[each.to(device) for each in self])


@dataclass(frozen=True)
class EncodedCaptions:
    """Pictures with their captions as numbers.

    Attributes:
        pixels: (N, C, S, S).
        captions: each with begin and end, those of a picture next to each other.
        offsets: (N + 1,), the captions of picture n are ``offsets[n]`` to ``offsets[n + 1]``.
    """

    pixels: Pixels
    captions: Ragged
    offsets: Numbers

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, rows: Sequence[int] | Numbers) -> CaptionBatch:
        """The given pictures with all their captions."""
        chosen = np.asarray(rows, dtype=np.int64)
        counts = self.offsets[chosen + 1] - self.offsets[chosen]
        owners = np.repeat(np.arange(len(chosen)), counts)
        starts = np.repeat(self.offsets[chosen] - np.append(0, np.cumsum(counts)[:-1]), counts)
        found = self.captions.batch(starts + np.arange(len(owners)))
        values, lengths = torch.from_numpy(found.values), torch.from_numpy(found.lengths) - 1
        real = torch.arange(len(values) - 1)[:, None] < lengths
        return CaptionBatch(
            torch.from_numpy(self.pixels[chosen]),
            torch.from_numpy(owners),
            values[:-1] * real,
            values[1:],
            lengths,
        )

    def density(self, rows: Numbers) -> float:
        """Tokens of the given pictures' captions, the end counted, per token that a picture's captions have at all.

        The one is what a mean over tokens divides by, the other what the detectors' loss does: where processes share a
        batch and weigh its parts by their tokens, the ratio of the densities corrects the second.

        Example:
            >>> captions = Ragged.join([np.array([1, 5, 2]), np.array([1, 5, 6, 2])])
            >>> pixels = np.zeros((1, 1, 8, 8), dtype=np.uint8)
            >>> EncodedCaptions(pixels, captions, np.array([0, 2])).density(np.array([0]))
            1.6666...
        """
        tokens = distinct = 0
        for row in rows.tolist():
            found = [self.captions.row(at)[1:] for at in range(self.offsets[row], self.offsets[row + 1])]
            tokens += sum(map(len, found))
            distinct += len(np.unique(np.concatenate(found)))
        return tokens / distinct


def encode_captions(pictures: Pictures, subwords: Subwords) -> EncodedCaptions:
    """Pictures with their captions as numbers.

    Example:
        >>> pixels = np.zeros((2, 1, 8, 8), dtype=np.uint8)
        >>> pictures = Pictures(pixels, (("a dog", "a brown dog"), ("a cat",)), ("a", "b"))
        >>> subwords = Subwords.fit(["a dog", "a cat"] * 5, 280)
        >>> batch = encode_captions(pictures, subwords).batch([1, 0])
        >>> batch.pictures.tolist(), batch.inputs[0].tolist() == [BEGIN] * 3
        ([0, 1, 1], True)
    """
    flat = [text for texts in pictures.captions for text in texts]
    rows = [np.concatenate([[BEGIN], row, [END]]).astype(np.int32) for row in subwords.encode(flat)]
    offsets = np.append(0, np.cumsum([len(texts) for texts in pictures.captions])).astype(np.int64)
    return EncodedCaptions(pictures.pixels, Ragged.join(rows), offsets)


def picture_batches(count: int, batch_size: int, seed: int, epoch: int) -> list[Numbers]:
    """The batches of an epoch: all pictures in an order of chance; the last ones of it may be a smaller batch.

    Example:
        >>> [len(batch) for batch in picture_batches(10, 4, seed=0, epoch=1)]
        [4, 4, 2]
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]
