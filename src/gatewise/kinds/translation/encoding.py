"""Sentence pairs as numbers, and batches that hold about equally many tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data import Ragged
from gatewise.data.subword_sampling import SubwordSampler
from gatewise.data.subwords import BEGIN, END, Subwords

__all__ = [
    "EncodedPairs",
    "PairSampler",
    "TranslationBatch",
    "encode_pairs",
    "encode_sources",
    "source_batches",
    "token_batches",
]

Numbers = npt.NDArray[np.int64]
_JITTER = 6.0


class TranslationBatch(NamedTuple):
    """A padded batch, time first. Axis letters: S source tokens, T target tokens, B sentences.

    Attributes:
        source: (S, B) int64, each sentence with its end; 0 past it.
        lengths: (B,) int64, each at least 1.
        inputs: (T, B) int64, the target with a begin before it.
        targets: (T, B) int64, the target with its end; 0 past it.
        target_lengths: (B,) int64.
    """

    source: Tensor
    lengths: Tensor
    inputs: Tensor
    targets: Tensor
    target_lengths: Tensor

    def to(self, device: torch.device | str) -> TranslationBatch:
        """The same batch on another device."""
        return TranslationBatch(*[each.to(device) for each in self])


@dataclass(frozen=True)
class EncodedPairs:
    """Source and target sentences as numbers.

    Attributes:
        source: each with its end.
        target: each with begin and end.
    """

    source: Ragged
    target: Ragged

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, rows: Sequence[int] | Numbers) -> TranslationBatch:
        """A padded batch of the given pairs."""
        source, target = self.source.batch(rows), self.target.batch(rows)
        values = torch.from_numpy(target.values)
        lengths = torch.from_numpy(target.lengths) - 1
        real = torch.arange(len(values) - 1)[:, None] < lengths
        return TranslationBatch(
            torch.from_numpy(source.values),
            torch.from_numpy(source.lengths),
            values[:-1] * real,
            values[1:],
            lengths,
        )


def encode_sources(texts: Sequence[str], subwords: Subwords) -> Ragged:
    """Source sentences as numbers, each with its end."""
    return Ragged.join([np.append(row, np.int32(END)) for row in subwords.encode(texts)])


def encode_pairs(sources: Sequence[str], targets: Sequence[str], source: Subwords, target: Subwords) -> EncodedPairs:
    """Sentence pairs as numbers.

    Example:
        >>> subwords = Subwords.fit(["a dog", "a cat"] * 5, 280)
        >>> batch = encode_pairs(["a dog", "a"], ["dog", "a cat"], subwords, subwords).batch([0, 1])
        >>> batch.source.shape == (int(batch.lengths.max()), 2), batch.inputs[0].tolist() == [BEGIN, BEGIN]
        (True, True)
    """
    written = [np.concatenate([[BEGIN], row, [END]]).astype(np.int32) for row in target.encode(targets)]
    return EncodedPairs(encode_sources(sources, source), Ragged.join(written))


class PairSampler:
    """Sentence pairs that are cut into other subwords in every epoch, see `gatewise.data.subword_sampling`.

    Args:
        sources: sentences.
        targets: their translations.
        source: subwords of the sentences.
        target: subwords of the translations.
        dropout: probability of leaving out a merge.

    Example:
        >>> subwords = Subwords.fit(["a dog", "a cat"] * 5, 280)
        >>> pairs = PairSampler(["a dog"], ["a cat"], subwords, subwords, 0.5).draw(seed=0, epoch=1)
        >>> subwords.decode(pairs.source.row(0)), subwords.decode(pairs.target.row(0))
        ('a dog', 'a cat')
    """

    def __init__(
        self, sources: Sequence[str], targets: Sequence[str], source: Subwords, target: Subwords, dropout: float
    ) -> None:
        self._source = SubwordSampler(source, sources, dropout, after=[END])
        self._target = SubwordSampler(target, targets, dropout, before=[BEGIN], after=[END])

    def draw(self, seed: int, epoch: int) -> EncodedPairs:
        """All pairs, as they are cut in an epoch of a run."""
        return EncodedPairs(self._source.draw([seed, epoch, 0]), self._target.draw([seed, epoch, 1]))


def token_batches(pairs: EncodedPairs, batch_size: int, seed: int, epoch: int) -> list[Numbers]:
    """The batches of an epoch: pairs of like lengths, about ``batch_size`` of average length in each.

    All hold about the same number of target tokens (padding counted), so that a batch of short sentences has more of
    them. Among targets of one length the sources are ordered by their length and chance. The borders between batches
    depend on the lengths alone: every epoch has as many steps.

    Example:
        >>> rows = [np.ones(n, dtype=np.int32) for n in (2, 9, 2, 9, 2, 2, 2, 2)]
        >>> found = token_batches(EncodedPairs(Ragged.join(rows), Ragged.join(rows)), 2, seed=0, epoch=1)
        >>> sorted(len(batch) for batch in found)
        [1, 1, 2, 4]
    """
    generator = np.random.default_rng([seed, epoch])
    lengths = pairs.target.lengths
    noise = pairs.source.lengths + generator.uniform(0, _JITTER, len(pairs))
    order = np.lexsort((noise, lengths))
    room = max(1, round(batch_size * float(lengths.mean())))
    batches = _cut(order, lengths, room)
    return [batches[at] for at in generator.permutation(len(batches))]


def source_batches(source: Ragged, tokens: int) -> list[Numbers]:
    """All sentences by falling length, at most about ``tokens`` in a batch, for translation."""
    order = np.argsort(-source.lengths, kind="stable")
    return [batch[::-1] for batch in reversed(_cut(order[::-1], source.lengths, tokens))]


def _cut(order: Numbers, lengths: Numbers, room: int) -> list[Numbers]:
    """Cut rows that are sorted by length where the next one would not fit, its length being that of all."""
    starts = [0]
    for place, row in enumerate(order.tolist()):
        if (place + 1 - starts[-1]) * int(lengths[row]) > room and place > starts[-1]:
            starts.append(place)
    return [order[start:stop] for start, stop in zip(starts, [*starts[1:], len(order)], strict=True) if stop > start]
