"""Figures of tagging: span F1 as conlleval and strict seqeval count it, accuracy of tags, confusion of types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewise.errors import ShapeError
from gatewise.kinds.tagging.schemes import Span, spans, spans_as_conlleval

__all__ = [
    "Confusion",
    "Score",
    "SpanFigures",
    "confusion",
    "figure",
    "gradient",
    "span_contributions",
    "span_figures",
    "tag_accuracy",
    "tag_accuracy_gradient",
    "tag_contributions",
]

Tags = Sequence[Sequence[str]]
Array = npt.NDArray[np.float64]


def span_contributions(true: Tags, predicted: Tags, scheme: str, *, lenient: bool = False) -> Array:
    """Each sentence's contribution to span F1.

    A predicted span is right where a true one has the same start, end and type.

    Args:
        true: tags of N sentences.
        predicted: as many tags for each.
        scheme: of both: iob1, iob2, iobes or bilou.
        lenient: count runs that violate the scheme as conlleval does; else as seqeval's strict mode, which counts none.
            The same on well-formed tags.

    Returns:
        (N, 3): true spans, predicted spans, spans in both.

    Raises:
        ShapeError: other numbers of sentences or words.

    Example:
        >>> span_contributions([["B-PER", "O", "B-LOC"]], [["B-PER", "O", "B-ORG"]], "iob2").tolist()
        [[2.0, 2.0, 1.0]]
    """
    pairs = _pairs(true, predicted, scheme, lenient)
    counts = [(len(right), len(given), len(set(right) & set(given))) for right, given in pairs]
    return np.array(counts, dtype=np.float64).reshape(-1, 3)


def figure(means: npt.ArrayLike) -> Array:
    """Span F1 from means (or sums) of `span_contributions`: 2 m / (t + p), 0 where t + p = 0.

    Args:
        means: (..., 3).

    Returns:
        (...): F1 from 0 to 1.

    Example:
        >>> float(figure([2.0, 2.0, 1.0]))
        0.5
    """
    true, predicted, matched = np.moveaxis(np.asarray(means, dtype=np.float64), -1, 0)
    return _ratio(2 * matched, true + predicted)


def gradient(means: npt.ArrayLike) -> Array:
    """Derivative of `figure` by each of the three means: F1's linearisation, for intervals and paired differences.

    Args:
        means: (..., 3).

    Returns:
        (..., 3): (-2 m / (t + p)^2, the same, 2 / (t + p)); 0 where t + p = 0.

    Example:
        >>> gradient([2.0, 2.0, 1.0]).tolist()
        [-0.125, -0.125, 0.5]
    """
    true, predicted, matched = np.moveaxis(np.asarray(means, dtype=np.float64), -1, 0)
    whole = true + predicted
    by_count = -_ratio(2 * matched, whole**2)
    return np.stack([by_count, by_count, _ratio(np.full_like(whole, 2.0), whole)], axis=-1)


def tag_contributions(true: Tags, predicted: Tags) -> Array:
    """Each sentence's contribution to the accuracy of tags.

    Returns:
        (N, 2): words with the right tag, words.

    Example:
        >>> tag_contributions([["NN", "VB"]], [["NN", "NN"]]).tolist()
        [[1.0, 2.0]]
    """
    _check(true, predicted)
    counts = [
        (sum(a == b for a, b in zip(*row, strict=True)), len(row[0])) for row in zip(true, predicted, strict=True)
    ]
    return np.array(counts, dtype=np.float64).reshape(-1, 2)


def tag_accuracy(means: npt.ArrayLike) -> Array:
    """Accuracy from means (or sums) of `tag_contributions` (..., 2): right / words, 0 where there are none.

    Example:
        >>> float(tag_accuracy([1.0, 2.0]))
        0.5
    """
    right, words = np.moveaxis(np.asarray(means, dtype=np.float64), -1, 0)
    return _ratio(right, words)


def tag_accuracy_gradient(means: npt.ArrayLike) -> Array:
    """Derivative of `tag_accuracy` by both means, (..., 2): (1 / w, -r / w^2); 0 where there are no words.

    Example:
        >>> tag_accuracy_gradient([1.0, 2.0]).tolist()
        [0.5, -0.25]
    """
    right, words = np.moveaxis(np.asarray(means, dtype=np.float64), -1, 0)
    return np.stack([_ratio(np.ones_like(words), words), -_ratio(right, words**2)], axis=-1)


@dataclass(frozen=True)
class Score:
    """Counts of spans, with precision, recall and F1.

    Attributes:
        true: spans in the text.
        predicted: predicted spans.
        matched: spans in both.
    """

    true: int
    predicted: int
    matched: int

    @property
    def precision(self) -> float:
        """Share of the predicted spans that are right; 0 where there are none."""
        return self.matched / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the true spans that were predicted; 0 where there are none."""
        return self.matched / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 where there is no span."""
        whole = self.true + self.predicted
        return 2 * self.matched / whole if whole else 0.0


@dataclass(frozen=True)
class SpanFigures:
    """Figures over all sentences.

    Attributes:
        overall: all types together (micro average).
        types: by type, sorted.
        token_accuracy: share of words with the right tag, O included.
        words: how many words.
    """

    overall: Score
    types: dict[str, Score]
    token_accuracy: float
    words: int


def span_figures(true: Tags, predicted: Tags, scheme: str, *, lenient: bool = False) -> SpanFigures:
    """Precision, recall and F1, overall and by type, and the accuracy of tags.

    Args:
        true: tags of N sentences.
        predicted: as many tags for each.
        scheme: of both.
        lenient: see `span_contributions`.

    Example:
        >>> figures = span_figures([["B-PER", "O", "B-LOC"]], [["B-PER", "O", "O"]], "iob2")
        >>> figures.overall.precision, figures.overall.recall, sorted(figures.types), round(figures.token_accuracy, 3)
        (1.0, 0.5, ['LOC', 'PER'], 0.667)
    """
    right, given, matched = Counter[str](), Counter[str](), Counter[str]()
    for ours, theirs in _pairs(true, predicted, scheme, lenient):
        right.update(span.type for span in ours)
        given.update(span.type for span in theirs)
        matched.update(span.type for span in set(ours) & set(theirs))
    types = {kind: Score(right[kind], given[kind], matched[kind]) for kind in sorted({*right, *given})}
    tags = tag_contributions(true, predicted).sum(axis=0)
    overall = Score(right.total(), given.total(), matched.total())
    return SpanFigures(overall, types, float(tag_accuracy(tags)), int(tags[1]))


@dataclass(frozen=True)
class Confusion:
    """Differences between predicted and true spans; every span is counted once.

    Attributes:
        same_borders: (true type, predicted type) of spans with the same start and end; equal types are correct.
        other_borders: (true type, predicted type) of spans that overlap with another start or end.
        missed: true spans that no predicted one overlaps, by type.
        invented: predicted spans that overlap no true one, by type.
    """

    same_borders: Counter[tuple[str, str]]
    other_borders: Counter[tuple[str, str]]
    missed: Counter[str]
    invented: Counter[str]


def confusion(true: Tags, predicted: Tags, scheme: str, *, lenient: bool = False) -> Confusion:
    """Pair true and predicted spans: first those with the same borders, then those that share the most words.

    Each span is in one pair at most; of several that share equally many words the earliest is taken.

    Example:
        >>> pairs = confusion([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-ORG"]], "iob2")
        >>> dict(pairs.same_borders), dict(pairs.other_borders), dict(pairs.missed), dict(pairs.invented)
        ({('LOC', 'ORG'): 1}, {('PER', 'PER'): 1}, {}, {})
    """
    result = Confusion(Counter(), Counter(), Counter(), Counter())
    for right, given in _pairs(true, predicted, scheme, lenient):
        places = {span[:2]: span for span in given}
        rest = []
        for span in right:
            match = places.pop(span[:2], None)
            if match is None:
                rest.append(span)
            else:
                result.same_borders[span.type, match.type] += 1
        _pair_overlapping(rest, sorted(places.values()), result)
    return result


def _pair_overlapping(right: list[Span], given: list[Span], result: Confusion) -> None:
    shared: list[tuple[int, int, int]] = []
    one = other = 0
    while one < len(right) and other < len(given):  # spans of one side never overlap: both lists are walked once
        a, b = right[one], given[other]
        shared.append((min(a.end, b.end) - max(a.start, b.start), -one, -other))
        one, other = (one + 1, other) if a.end <= b.end else (one, other + 1)
    ours, theirs = set(range(len(right))), set(range(len(given)))
    for words, one, other in sorted(shared, reverse=True):
        if words > 0 and -one in ours and -other in theirs:
            result.other_borders[right[-one].type, given[-other].type] += 1
            ours.remove(-one)
            theirs.remove(-other)
    result.missed.update(right[one].type for one in sorted(ours))
    result.invented.update(given[other].type for other in sorted(theirs))


def _pairs(true: Tags, predicted: Tags, scheme: str, lenient: bool) -> list[tuple[list[Span], list[Span]]]:
    _check(true, predicted)
    spans([], scheme)  # refuses an unknown scheme
    if lenient:
        return [(spans_as_conlleval(a), spans_as_conlleval(b)) for a, b in zip(true, predicted, strict=True)]
    return [(spans(a, scheme), spans(b, scheme)) for a, b in zip(true, predicted, strict=True)]


def _check(true: Tags, predicted: Tags) -> None:
    if len(true) != len(predicted):
        raise ShapeError("true and predicted tags are of different sentences", expected=len(true), got=len(predicted))
    for number, (a, b) in enumerate(zip(true, predicted, strict=True)):
        if len(a) != len(b):
            raise ShapeError(f"sentence {number} has as many predicted tags as words", expected=len(a), got=len(b))


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros_like(below), where=below != 0)


def most_frequent(train: Sequence[npt.ArrayLike], test: Sequence[npt.ArrayLike]) -> tuple[int, float]:
    """The most frequent tag of the training part, as a number, and its share of the test part's words.

    Example:
        >>> most_frequent([[0, 1, 1], [1]], [[1, 0]])
        (1, 0.5)
    """
    number = int(np.bincount(np.concatenate([np.asarray(row, dtype=np.int64) for row in train])).argmax())
    tested = np.concatenate([np.asarray(row, dtype=np.int64) for row in test])
    return number, float(np.mean(tested == number))
