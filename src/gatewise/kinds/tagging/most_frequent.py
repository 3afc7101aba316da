"""The simplest baseline of tagging: each word's most frequent tag."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError
from gatewise.kinds.tagging.vocabulary import normalise, shape_of

__all__ = ["MostFrequentTag"]

Words = Sequence[Sequence[str]]
Numbers = npt.NDArray[np.int64]
_LONGEST_ENDING = 4


class MostFrequentTag:
    """Predict for each word its most frequent tag in the training part.

    An unknown word is looked up in lower case with digits as 0, then by its last 4, 3, 2, 1 letters with its
    shape, then by its shape alone; the first of these that the training part holds decides. Of equally frequent tags
    the lower number is taken.

    Example:
        >>> model = MostFrequentTag().fit([["Bonn", "waits"], ["Bonn", "walks"]], [[1, 0], [1, 2]])
        >>> [row.tolist() for row in model.predict([["Bonn", "talks", "waits"]])]
        [[1, 2, 0]]
    """

    def fit(self, words: Words, tags: Sequence[npt.ArrayLike]) -> MostFrequentTag:
        """Count the training part.

        Args:
            words: N sentences.
            tags: the tags' numbers of each.

        Raises:
            DataError: there is no word.
        """
        counts: defaultdict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
        forms: Counter[tuple[str, int]] = Counter()
        for row, numbers in zip(words, tags, strict=True):
            forms.update(zip(row, np.asarray(numbers).tolist(), strict=True))
        if not forms:
            raise DataError("the training part has no word", expected="at least one sentence with a word")
        for (word, tag), count in forms.items():
            for key in _keys(word):
                counts[key][tag] += count
        self._best = {key: min(each, key=lambda tag: (-each[tag], tag)) for key, each in counts.items()}
        return self

    @property
    def parameters(self) -> int:
        """Entries of the table."""
        return len(self._best)

    def predict(self, words: Words) -> list[Numbers]:
        """The tags' numbers of each sentence; they need not follow a scheme."""
        known: dict[str, int] = {}
        for row in words:
            for word in row:
                if word not in known:
                    known[word] = next(self._best[key] for key in _keys(word) if key in self._best)
        return [np.array([known[word] for word in row], dtype=np.int64) for row in words]


def _keys(word: str) -> Iterator[tuple[str, ...]]:
    """The keys of a word, from the word itself to the empty key."""
    shape = str(shape_of(word))
    yield "word", word
    yield "form", normalise(word)
    for length in range(min(_LONGEST_ENDING, len(word) - 1), 0, -1):
        yield "ending", shape, normalise(word[-length:])
    yield "shape", shape
    yield ("any",)
