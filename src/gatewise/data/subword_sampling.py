"""Other ways to cut the same texts into subwords, for training: BPE-dropout (Provilkov, Emelianenko and Voita, 2020).

The library's own BPE-dropout draws from a random state that cannot be seeded. Here every cutting follows from a seed.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gatewise.data.batches import Ragged
from gatewise.data.subwords import Merges, Subwords
from gatewise.errors import OptionError

__all__ = ["SubwordSampler"]

_VARIANTS = 8
"""Most cuttings of one word that are drawn at a time; its occurrences share them."""


class SubwordSampler:
    """Texts whose words are cut into pieces anew at every call: each merge of two is left out with probability p.

    So the network reads and writes a word by its parts too, and learns what rare words share (Provilkov, Emelianenko
    and Voita, 2020: "BPE-Dropout: Simple and Effective Subword Regularization"). At each step the merge of the lowest
    rank among those not left out is made, until there is none. A word is cut in up to eight ways at a time, and each
    of its occurrences has one of them.

    Args:
        subwords: the vocabulary.
        texts: N texts.
        dropout: p, 0 to below 1; 0 cuts as `Subwords.encode` does.
        before: numbers that begin every text.
        after: numbers that end every text.

    Raises:
        OptionError: p is out of range.

    Example:
        >>> subwords = Subwords.fit(["ein Hund", "eine Katze"] * 5, 290)
        >>> sampler = SubwordSampler(subwords, ["ein Hund", "eine"], 0.5, after=[2])
        >>> first, again = sampler.draw([0, 1]), sampler.draw([0, 1])
        >>> len(first), subwords.decode(first.row(0)), first.row(1)[-1].item()
        (2, 'ein Hund', 2)
        >>> np.array_equal(first.values, again.values), np.array_equal(first.values, sampler.draw([0, 2]).values)
        (True, False)
    """

    def __init__(
        self,
        subwords: Subwords,
        texts: Sequence[str],
        dropout: float,
        *,
        before: Sequence[int] = (),
        after: Sequence[int] = (),
    ) -> None:
        if not 0 <= dropout < 1:
            raise OptionError("dropout of merges is out of range", expected="0 to below 1", got=dropout)
        self.dropout = dropout
        self._subwords = subwords
        numbers: dict[str, int] = {}
        rows = [[numbers.setdefault(word, len(numbers)) for word in subwords.words(text)] for text in texts]
        # what begins and ends a text are words of one piece that nothing merges
        opening = [len(numbers) + place for place in range(len(before))]
        closing = [len(numbers) + len(before) + place for place in range(len(after))]
        whole = [[*opening, *row, *closing] for row in rows]
        self._ends = np.cumsum([0, *map(len, whole)])
        self._words = np.array([word for row in whole for word in row], dtype=np.int64)
        self._spelled: list[tuple[int, ...]] = [subwords.spelled(word) for word in numbers]
        self._spelled += [(int(number),) for number in (*before, *after)]
        counts = np.bincount(self._words, minlength=len(self._spelled))
        long = np.array([len(spelled) > 1 for spelled in self._spelled], dtype=bool)
        self._ways = np.where(long, np.clip(counts, 1, _VARIANTS), 1)

    def draw(self, seed: Sequence[int]) -> Ragged:
        """All texts, cut as the seed has it.

        Args:
            seed: numbers, such as a run's seed and the epoch.
        """
        generator = np.random.default_rng(list(seed))
        chance = random.Random(int(generator.integers(1 << 62))).random
        merges, p = self._merges, self.dropout
        cut = [
            _pieces(spelled, merges, p, chance)
            for spelled, ways in zip(self._spelled, self._ways.tolist(), strict=True)
            for _ in range(ways)
        ]
        lengths = np.array([len(pieces) for pieces in cut], dtype=np.int64)
        flat = np.array([piece for pieces in cut for piece in pieces], dtype=np.int32)
        first = np.cumsum(self._ways) - self._ways
        way = (generator.random(len(self._words)) * self._ways[self._words]).astype(np.int64)
        return _gathered(flat, lengths, first[self._words] + way, self._ends)

    @cached_property
    def _merges(self) -> Merges:
        return self._subwords.merges()


def _gathered(
    flat: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> Ragged:
    """The chosen pieces of words, one after the other, as texts that end at some of the words."""
    starts, sizes = (np.cumsum(lengths) - lengths)[chosen], lengths[chosen]
    after = np.concatenate([[0], np.cumsum(sizes)])
    places = np.repeat(starts - after[:-1], sizes) + np.arange(after[-1])
    return Ragged(flat[places], after[ends].astype(np.int64))


def _pieces(spelled: Sequence[int], merges: Merges, p: float, chance: Callable[[], float]) -> list[int]:
    """One cutting of a word, whose merges are each left out with probability p at each step."""
    parts = list(spelled)
    while len(parts) > 1:
        best, at = None, 0
        for place, pair in enumerate(itertools.pairwise(parts)):
            found = merges.get(pair)
            # what is left out needs not be known of a pair that would not be merged now anyway
            if found is not None and (best is None or found < best) and (p == 0 or chance() >= p):
                best, at = found, place
        if best is None:
            break
        parts[at : at + 2] = [best[1]]
    return parts
