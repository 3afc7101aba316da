"""Edit distances between word sequences, and the figures that come from them. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.statistics import Mean, Measure, Ratio

__all__ = [
    "ACCURACY",
    "CHARACTER_ERROR_RATE",
    "WORD_ERROR_RATE",
    "Edits",
    "align",
    "contributions_of",
    "edits",
    "measure_of",
]

ACCURACY = Mean(
    "accuracy", "accuracy", higher_is_better=True, percent=True, contribution="1 if the answer is right, else 0"
)
WORD_ERROR_RATE = Ratio(
    "word_error_rate", "word error rate", higher_is_better=False, percent=True,
    contribution="edits (substituted, deleted and inserted words), and words of the transcript, of a recording",
)  # fmt: skip
CHARACTER_ERROR_RATE = Ratio(
    "character_error_rate", "character error rate", higher_is_better=False, percent=True,
    contribution="edits (substituted, deleted, inserted characters), and characters of the transcript, of a recording",
)  # fmt: skip


class Edits(NamedTuple):
    """The least edits that make one sequence of the other."""

    substituted: int
    deleted: int
    inserted: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


Pair = tuple[str | None, str | None]


def align(truth: Sequence[str], answer: Sequence[str]) -> list[Pair]:
    """Pairs of true and answered words with the least edits (Levenshtein, 1966); None: deleted or inserted.

    Example:
        >>> align("a b c".split(), "a x c d".split())
        [('a', 'a'), ('b', 'x'), ('c', 'c'), (None, 'd')]
    """
    rows, columns = len(truth), len(answer)
    costs = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    costs[:, 0], costs[0] = np.arange(rows + 1), np.arange(columns + 1)
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            same = costs[row - 1, column - 1] + (truth[row - 1] != answer[column - 1])
            costs[row, column] = min(same, costs[row - 1, column] + 1, costs[row, column - 1] + 1)
    found: list[Pair] = []
    row, column = rows, columns
    while row or column:
        if row and column and costs[row, column] == costs[row - 1, column - 1] + (truth[row - 1] != answer[column - 1]):
            row, column = row - 1, column - 1
            found.append((truth[row], answer[column]))
        elif row and costs[row, column] == costs[row - 1, column] + 1:
            row -= 1
            found.append((truth[row], None))
        else:
            column -= 1
            found.append((None, answer[column]))
    return found[::-1]


def edits(truth: Sequence[str], answer: Sequence[str]) -> Edits:
    """The least substitutions, deletions and insertions.

    Example:
        >>> edits("a b c".split(), "a x c d".split())
        Edits(substituted=1, deleted=0, inserted=1)
    """
    pairs = align(truth, answer)
    kinds = Counter("d" if theirs is None else "i" if ours is None else "s" for ours, theirs in pairs if ours != theirs)
    return Edits(kinds["s"], kinds["d"], kinds["i"])


def measure_of(answers: str, groups: npt.NDArray[np.int64] | None = None) -> Measure:
    """Accuracy of labels, word or character error rate; over groups (speakers) where they are given."""
    measures: dict[str, Measure] = {"label": ACCURACY, "words": WORD_ERROR_RATE, "characters": CHARACTER_ERROR_RATE}
    return measures[answers].over_groups(groups)


def contributions_of(answers: str, truth: Sequence[str], given: Sequence[str]) -> npt.NDArray[np.float64]:
    """What each recording contributes to `measure_of`: (N,) for labels, else (N, 2)."""
    if answers == "label":
        return np.array([one == two for one, two in zip(truth, given, strict=True)], dtype=np.float64)
    rows = []
    for one, two in zip(truth, given, strict=True):
        first, second = (text.split() if answers == "words" else list(text) for text in (one, two))
        rows.append((edits(first, second).total, len(first)))
    return np.array(rows, dtype=np.float64).reshape(-1, 2)
