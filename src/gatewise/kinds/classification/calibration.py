"""Calibration: how far predicted probabilities are from how often they are right. Pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewise import words
from gatewise.statistics import wilson_interval

__all__ = ["Bin", "brier_score", "calibration_error", "calibration_sentence", "reliability"]

Array = npt.NDArray[np.float64]
_BINS, _LEAST = 10, 20


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same confidence.

    Attributes:
        confidence: mean probability that was predicted.
        right: share of them that is right.
        count: how many.
    """

    confidence: float
    right: float
    count: int


def reliability(confidence: npt.ArrayLike, right: npt.ArrayLike) -> list[Bin]:
    """Predictions in bins of equal mass, the least confident first: ten, or fewer so that each has at least 20.

    Args:
        confidence: (N,) predicted probabilities.
        right: (N,) whether what was predicted is true.

    Example:
        >>> reliability([0.9, 0.8] * 20, [1, 0] * 20)
        [Bin(confidence=0.8, right=0.0, count=20), Bin(confidence=0.9, right=1.0, count=20)]
    """
    sure, true = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    order = np.argsort(sure, kind="stable")
    count = max(1, min(_BINS, len(order) // _LEAST))
    return [
        Bin(round(float(sure[rows].mean()), 12), round(float(true[rows].mean()), 12), len(rows))
        for rows in np.array_split(order, count)
    ]


def calibration_error(bins: list[Bin]) -> float:
    r"""Expected calibration error: by how much confidence and right answers differ in a bin, on average.

    .. math:: ECE = \sum_b \frac{n_b}{N} \left|\text{confidence}_b - \text{right}_b\right|

    (Naeini, Cooper & Hauskrecht, 2015, with bins of equal mass; of several classes the confidence is that of the
    predicted one, Guo et al., 2017). Small samples raise it: with perfect probabilities it is above 0.

    Example:
        >>> calibration_error([Bin(0.9, 0.8, 30), Bin(0.6, 0.6, 10)])
        0.075
    """
    total = sum(each.count for each in bins)
    return round(sum(each.count * abs(each.confidence - each.right) for each in bins) / total, 12)


def brier_score(chances: npt.ArrayLike, truth: npt.ArrayLike, *, multi_label: bool = False) -> float:
    """Mean squared distance of probabilities from the truth (Brier, 1950).

    Of two classes (p - y)^2 of one of them, of more the sum over the classes, as scikit-learn has it; of labels the
    mean over them.

    Args:
        chances: (N, C).
        truth: (N, C) zeros and ones.
        multi_label: whether a text may have several.

    Example:
        >>> brier_score([[0.8, 0.2]], [[1, 0]])
        0.04
    """
    squares = (np.asarray(chances, dtype=np.float64) - np.asarray(truth, dtype=np.float64)) ** 2
    each = squares.mean(axis=1) if multi_label or squares.shape[1] == 2 else squares.sum(axis=1)
    return round(float(each.mean()), 12)


def calibration_sentence(bins: list[Bin], *, what: str = "it", of: str = "answers") -> str:
    """The calibration in words: the mean confidence beside the share that is right, and the surest bin.

    Where the mean confidence lies inside the share's 95 % interval (Wilson 1927) no gap is called one, and fewer than 40
    examples are not judged.

    Args:
        bins: see `reliability`; the counts are those of the test part.
        what: the model.
        of: what is predicted.

    Example:
        >>> calibration_sentence([Bin(0.8, 0.7, 500), Bin(0.98, 0.9, 500)], what="GRU")
        'GRU says 89.0 % on average and is right in 80.0 %: too sure; of its surest 500 answers it says 98.0 %, and 90.0 % are right.'
    """  # noqa: E501
    total = sum(each.count for each in bins)
    if of == "labels":
        return _of_labels(bins, what, total)
    said = sum(each.count * each.confidence for each in bins) / total
    right = sum(each.count * each.right for each in bins) / total
    if total < 2 * _LEAST:
        few = f"{total} {of} are too few to judge that by"
        return f"{what} says {words.percent(said)} on average and is right in {words.percent(right)}: {few}."
    around = wilson_interval(right * total, total)
    judged = "about as sure as it is right" if around.low <= said <= around.high else ""
    judged = judged or ("too sure" if said > right else "not sure enough")
    last = bins[-1]
    surest = ""
    if len(bins) > 1:
        surest = (
            f"; of its surest {last.count:,} {of} it says {words.percent(last.confidence)}, "
            f"and {words.percent(last.right)} are right"
        )
    return f"{what} says {words.percent(said)} on average and is right in {words.percent(right)}: {judged}{surest}."


def _of_labels(bins: list[Bin], what: str, total: int) -> str:
    """Of yes and no of every label most are surely no, so that the mean says little: the surest bin alone."""
    last = bins[-1]
    around = wilson_interval(last.right * last.count, last.count)
    judged = "too sure" if last.confidence > last.right else "not sure enough"
    if around.low <= last.confidence <= around.high:
        judged = "about as sure as it is right"
    if last.count < _LEAST:
        judged = "too few to judge that by"
    return (
        f"{what} is surest of {last.count:,} of {total:,} labels: of these it says {words.percent(last.confidence)}, "
        f"and {words.percent(last.right)} are there: {judged}."
    )
