"""Batches of about equally long texts, with the length of each row; the order is a function of the seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Batch", "EncodedTexts", "ordered_batches", "shuffled_batches"]

_POOL = 100


class Batch(NamedTuple):
    """Some texts side by side.

    Attributes:
        rows: (B,) int64, which texts.
        tokens: (T, B) int64, time first, 0 past a text's end.
        lengths: (B,) int64, each at least 1.
    """

    rows: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]


@dataclass(frozen=True)
class EncodedTexts:
    """Many texts as numbers, one behind the other.

    Attributes:
        numbers: all tokens, int32.
        offsets: (N + 1,) int64; text n is ``numbers[offsets[n]:offsets[n + 1]]``.

    Example:
        >>> texts = EncodedTexts.join([np.array([4, 5], dtype=np.int32), np.array([6], dtype=np.int32)])
        >>> len(texts), texts.batch([1, 0]).tokens.tolist()
        (2, [[6, 4], [0, 5]])
    """

    numbers: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def join(cls, rows: Sequence[npt.NDArray[np.int32]]) -> EncodedTexts:
        """Lay rows one behind the other."""
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        numbers = np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)
        return cls(numbers, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(N,) tokens per text."""
        return np.diff(self.offsets)

    def row(self, number: int) -> npt.NDArray[np.int32]:
        """The tokens of one text."""
        return self.numbers[self.offsets[number] : self.offsets[number + 1]]

    def batch(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
        """The given texts side by side, padded with 0 to the longest."""
        chosen = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[chosen]
        tokens = np.zeros((int(lengths.max(initial=0)), len(chosen)), dtype=np.int64)
        for column, number in enumerate(chosen):
            tokens[: lengths[column], column] = self.row(int(number))
        return Batch(chosen, tokens, lengths)


def shuffled_batches(texts: EncodedTexts, batch_size: int, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
    """Which texts go together in an epoch: shuffled, then sorted by length within pools of 100 batches.

    The result depends on the arguments alone, so that an interrupted epoch can be taken up at any step.

    Returns:
        For each step, in order, the texts of its batch; every text once.

    Example:
        >>> texts = EncodedTexts.join([np.ones(n, dtype=np.int32) for n in (1, 9, 1, 9)])
        >>> sorted(texts.lengths[rows].tolist() for rows in shuffled_batches(texts, 2, seed=0, epoch=1))
        [[1, 1], [9, 9]]
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(texts))
    lengths = texts.lengths
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), batch_size * _POOL):
        pool = order[start : start + batch_size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    return [batches[at] for at in generator.permutation(len(batches))]


def ordered_batches(texts: EncodedTexts, batch_size: int) -> Iterator[Batch]:
    """All texts by falling length, for evaluation; `Batch.rows` says where each result belongs."""
    order = np.argsort(-texts.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield texts.batch(order[start : start + batch_size])
