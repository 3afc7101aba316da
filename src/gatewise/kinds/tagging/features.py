"""Hand-made features of words in their sentence, as few small sparse matrices.

A feature depends on one word (its form, endings, shape) or on a pair of neighbours, not on the sentence: so
each group of features is a table with a row per distinct word (or pair), and every place in the text is an index into
it. The scores of all places are then a few small products and look-ups in place of one product with millions of
entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from gatewise.kinds.tagging.vocabulary import normalise, shape_of

__all__ = ["FeatureTable", "Group"]

Words = Sequence[Sequence[str]]
Floats = npt.NDArray[np.float64]
_OFFSETS = (0, -1, 1, -2, 2)
_PAIRS = ((-1, 0), (0, 1))
_RUN = re.compile(r"(.)\1+")
_EDGE = ""


@dataclass(frozen=True, eq=False)
class Group:
    """One group of features over a text.

    Attributes:
        table: (U, features): a row per distinct word or pair.
        places: (words,), each place's row.
        back: (U, words), the places of each row: the transpose of the look-up.
    """

    table: sparse.csr_array
    places: npt.NDArray[np.int64]
    back: sparse.csr_array

    def scores(self, weights: Floats) -> Floats:
        """The group's share of every position's scores: (features, C) to (words, C)."""
        product: Floats = self.table @ weights
        return product[self.places]

    def gradient(self, gradient: Floats) -> Floats:
        """Backpropagate a gradient of the scores to the weights: (words, C) to (features, C)."""
        product: Floats = self.table.T @ (self.back @ gradient)
        return product


class FeatureTable:
    """The features of the training part, and their columns.

    The word itself: its form, lower-case form, first and last 1 to 4 letters, class and pattern of spelling. Its
    neighbours up to two positions before and after: lower-case form, pattern, last three letters; beyond the sentence
        an edge. Pairs
    of the word with the one before and after.

    Args:
        words: the training sentences.
        minimum_count: features of fewer places are left out.

    Example:
        >>> table = FeatureTable([["in", "Bonn"], ["in", "Köln"]], minimum_count=2)
        >>> [group.table.shape[1] for group in table.groups([["in", "Bonn"]])][1:3]
        [5, 3]
    """

    def __init__(self, words: Words, minimum_count: int = 2) -> None:
        self.minimum_count = minimum_count
        self._columns: list[dict[str, int]] = []
        self.sizes: list[int] = []
        for names, places in self._named(words):
            counts = np.bincount(places, minlength=len(names))
            totals: dict[str, int] = {}
            for features, count in zip(names, counts.tolist(), strict=True):
                for feature in features:
                    totals[feature] = totals.get(feature, 0) + count
            kept = [feature for feature, total in totals.items() if total >= minimum_count]
            self._columns.append({feature: column for column, feature in enumerate(kept)})
            self.sizes.append(len(kept))

    def groups(self, words: Words) -> list[Group]:
        """The features of some sentences, their positions concatenated."""
        found = []
        for columns, (names, places) in zip(self._columns, self._named(words), strict=True):
            rows = [[columns[feature] for feature in features if feature in columns] for features in names]
            entries = np.fromiter((column for row in rows for column in row), dtype=np.int64)
            starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
            table = sparse.csr_array((np.ones(len(entries)), entries, starts), shape=(len(rows), len(columns)))
            ones, count = np.ones(len(places)), len(places)
            back = sparse.csr_array((ones, (places, np.arange(count))), shape=(len(rows), count))
            found.append(Group(table, places, back))
        return found

    def _named(self, words: Words) -> Iterator[tuple[list[list[str]], npt.NDArray[np.int64]]]:
        """Each group's distinct rows, as names of features, and every place's row."""
        numbers = {_EDGE: 0}
        forms = np.fromiter((numbers.setdefault(word, len(numbers)) for row in words for word in row), dtype=np.int64)
        distinct = list(numbers)
        ends = np.repeat(np.cumsum([len(row) for row in words], dtype=np.int64), [len(row) for row in words])
        starts = np.repeat(
            np.cumsum([0, *[len(row) for row in words]], dtype=np.int64)[:-1], [len(row) for row in words]
        )
        here = np.arange(len(forms))

        def at(offset: int) -> npt.NDArray[np.int64]:
            place = here + offset
            inside = (place >= starts) & (place < ends)
            return np.where(inside, forms[np.where(inside, place, 0)], 0)

        near = [list(_near(word)) for word in distinct]
        for offset in _OFFSETS:
            yield ([list(_own(word)) for word in distinct] if offset == 0 else near), at(offset)
        folded_numbers: dict[str, int] = {}
        folded = np.array([folded_numbers.setdefault(normalise(word), len(folded_numbers)) for word in distinct])
        spelt = list(folded_numbers)
        for left, right in _PAIRS:
            codes = folded[at(left)] * len(spelt) + folded[at(right)]
            pairs, places = np.unique(codes, return_inverse=True)
            yield [[f"{spelt[code // len(spelt)]} {spelt[code % len(spelt)]}"] for code in pairs.tolist()], places


def _own(word: str) -> Iterator[str]:
    if word == _EDGE:
        return
    lower = normalise(word)
    yield "bias"
    yield f"word={word}"
    yield f"form={lower}"
    yield f"class={shape_of(word)}"
    yield f"pattern={_pattern(word)}"
    yield f"short={_short(word)}"
    for length in range(1, min(4, len(lower)) + 1):
        yield f"first={lower[:length]}"
        yield f"last={lower[-length:]}"


def _near(word: str) -> Iterator[str]:
    yield f"form={normalise(word)}"
    if word != _EDGE:
        yield f"short={_short(word)}"
        yield f"last={normalise(word)[-3:]}"
        yield f"class={shape_of(word)}"


def _pattern(word: str) -> str:
    """A word's spelling with X for capitals, x for other letters and 0 for digits: Mc-42 becomes Xx-00."""
    return "".join(
        "X" if sign.isupper() else "x" if sign.isalpha() else "0" if sign.isdigit() else sign for sign in word[:20]
    )


def _short(word: str) -> str:
    """The pattern with runs of one sign as one: Xxxxx-00 becomes Xx-0."""
    return _RUN.sub(r"\1", _pattern(word))
