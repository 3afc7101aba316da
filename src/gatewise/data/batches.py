"""Ragged sequences and batches of them; the order of the batches is a function of the seed alone.

Axis letters: N sequences, T time, B batch; ``...`` whatever one step holds: nothing for tokens, features for frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Batch", "Ragged", "ordered_batches", "shuffled_batches"]

_POOL = 100
Steps = npt.NDArray[Any]


class Batch(NamedTuple):
    """A padded batch of sequences.

    Attributes:
        rows: (B,) int64, which sequences.
        values: (T, B, ...), time first, 0 past a sequence's end; whole numbers as int64, others as they are.
        lengths: (B,) int64.
    """

    rows: npt.NDArray[np.int64]
    values: Steps
    lengths: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ragged:
    """Many sequences, concatenated: tokens (int32), pairs of tokens, frames of sound (float32), pixels (uint8).

    Attributes:
        values: (total steps, ...) all steps, of any type.
        offsets: (N + 1,) int64; sequence n is ``values[offsets[n]:offsets[n + 1]]``.

    Example:
        >>> texts = Ragged.join([np.array([4, 5], dtype=np.int32), np.array([6], dtype=np.int32)])
        >>> len(texts), texts.batch([1, 0]).values.tolist()
        (2, [[6, 4], [0, 5]])
        >>> frames = Ragged.join([np.ones((2, 3), dtype=np.float32), np.ones((1, 3), dtype=np.float32)])
        >>> frames.batch([0, 1]).values.shape, frames.batch([0, 1]).values.dtype.name
        ((2, 2, 3), 'float32')
    """

    values: Steps
    offsets: npt.NDArray[np.int64]

    @classmethod
    def join(cls, rows: Sequence[Steps], empty: Steps | None = None) -> Ragged:
        """Concatenate sequences.

        Args:
            rows: (T_n, ...) each, all of one type and one shape per step.
            empty: gives type and shape per step where there are no rows; None: tokens.
        """
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        nothing = np.empty(0, dtype=np.int32) if empty is None else empty[:0]
        values = np.concatenate(rows) if rows else nothing
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(N,) steps of each sequence."""
        return np.diff(self.offsets)

    def row(self, number: int) -> Steps:
        """One sequence: (T_n, ...)."""
        return self.values[self.offsets[number] : self.offsets[number + 1]]

    def batch(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
        """A batch of the given sequences, padded with 0 to the longest."""
        chosen = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[chosen]
        dtype = np.int64 if self.values.dtype.kind in "iu" else self.values.dtype
        values = np.zeros((int(lengths.max(initial=0)), len(chosen), *self.values.shape[1:]), dtype=dtype)
        for column, number in enumerate(chosen):
            values[: lengths[column], column] = self.row(int(number))
        return Batch(chosen, values, lengths)


def shuffled_batches(sequences: Ragged, batch_size: int, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
    """The batches of an epoch: shuffled, then sorted by length within pools of 100 batches.

    The result depends on the arguments alone, so that an interrupted epoch can be resumed at any step.

    Returns:
        For each step, in order, the sequences of its batch; every sequence once.

    Example:
        >>> texts = Ragged.join([np.ones(n, dtype=np.int32) for n in (1, 9, 1, 9)])
        >>> sorted(texts.lengths[rows].tolist() for rows in shuffled_batches(texts, 2, seed=0, epoch=1))
        [[1, 1], [9, 9]]
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(sequences))
    lengths = sequences.lengths
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), batch_size * _POOL):
        pool = order[start : start + batch_size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    return [batches[at] for at in generator.permutation(len(batches))]


def ordered_batches(sequences: Ragged, batch_size: int) -> Iterator[Batch]:
    """All sequences by falling length, for evaluation; `Batch.rows` maps results to sequences."""
    order = np.argsort(-sequences.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield sequences.batch(order[start : start + batch_size])
