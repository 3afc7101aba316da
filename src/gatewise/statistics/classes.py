"""Figures of classifiers that are no mean over the examples: F1 over classes or labels, area under the ROC curve."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError, ShapeError
from gatewise.statistics.intervals import Array
from gatewise.statistics.measure import Measure
from gatewise.statistics.ratios import SpanF1

__all__ = ["Auroc", "MacroF1", "MicroF1", "auroc_contributions", "f1_contributions"]


@dataclass(frozen=True)
class _OfClasses(Measure):
    """A share that is the mean of one figure per class."""

    _: KW_ONLY
    classes: int = 2

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise OptionError(f"{self.title} needs classes", expected="at least 1", got=self.classes)

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and 1."""
        return 0.0, 1.0


@dataclass(frozen=True)
class MacroF1(_OfClasses):
    """The mean of the classes' F1, a rare class counting as much as a frequent one (K = 2 C; Lewis 1991).

    .. math:: \\frac{1}{C} \\sum_c \\frac{2 m_c}{t_c + p_c}

    An example contributes for each class c whether it matches (truly c, and predicted so), and t_c + p_c: 1 if it is
    truly c, plus 1 if that is predicted. A class that is neither there nor predicted has F1 0.

    Args:
        classes: C.

    Example:
        >>> table = f1_contributions([[1, 0], [0, 1], [0, 1]], [[1, 0], [0, 1], [1, 0]])
        >>> round(MacroF1(classes=2).of(table), 3)
        0.667
    """

    name: str = "macro_f1"
    title: str = "macro-F1"
    higher_is_better: bool = True
    _: KW_ONLY
    percent: bool = True
    contribution: str = "for each class: whether it matches, and how often it is true and predicted (0 to 2)"

    @property
    def numbers(self) -> int:
        """2 C: matches of all classes, then true and predicted ones of all classes."""
        return 2 * self.classes

    @property
    def form(self) -> str:
        """``macro-f1``."""
        return "macro-f1"

    def figure(self, means: npt.ArrayLike) -> Array:
        """The mean of 2 m_c / (t_c + p_c)."""
        values = np.asarray(means, dtype=np.float64)
        matches, both = values[..., : self.classes], values[..., self.classes :]
        found: Array = np.mean(_quotient(2 * matches, both), axis=-1)[()]
        return found

    def gradient(self, means: npt.ArrayLike) -> Array:
        """(2, -F1 of the class) by t_c + p_c and by C."""
        values = np.asarray(means, dtype=np.float64)
        matches, both = values[: self.classes], values[self.classes :]
        each = _quotient(2 * matches, both)
        return _quotient(np.concatenate([np.full(self.classes, 2.0), -each]), np.tile(both, 2)) / self.classes

    def units(self) -> tuple[Array, Array]:
        """An example whose class is right, and one whose class is wrong; every class a C-th of it."""
        share, twice = np.full(self.classes, 1 / self.classes), np.full(self.classes, 2 / self.classes)
        return np.concatenate([share, twice]), np.concatenate([0 * share, twice])


@dataclass(frozen=True)
class MicroF1(SpanF1):
    """F1 of all labels of all examples together (K = 3: true, predicted and matching labels; see `SpanF1`).

    Example:
        >>> MicroF1().of([[2, 1, 1], [0, 1, 0]])
        0.5
    """

    name: str = "micro_f1"
    title: str = "micro-F1"
    _: KW_ONLY
    contribution: str = "true, predicted and matching labels of an example"

    @property
    def form(self) -> str:
        """``micro-f1``."""
        return "micro-f1"


@dataclass(frozen=True)
class Auroc(_OfClasses):
    """Area under the ROC curve: the probability that a positive example scores above a negative one (K = 4 C).

    Ties count half; of several classes it is the mean over each class against the rest (Hand & Till 2001 compare
    such means), of two classes that of the second one alone (C = 1).

    An example contributes for each class y v, y, (1 - y) v, 1 - y, where y says whether it is of the class and v is
    its placement: the share of the other side's examples that it is ordered rightly against. The placements depend on
    the whole sample, so that the linearisation is that of the U-statistic, not the derivative of the figure: its
    variance is that of DeLong, DeLong & Clarke-Pearson (1988). A class that has no example on one side does not count;
    if none counts, the figure is 0.5.

    Args:
        classes: C.

    Example:
        >>> table = auroc_contributions([[0.1], [0.4], [0.35], [0.8]], [[0], [0], [1], [1]])
        >>> Auroc(classes=1).of(table)
        0.75
    """

    name: str = "auroc"
    title: str = "AUROC"
    higher_is_better: bool = True
    _: KW_ONLY
    classes: int = 1
    contribution: str = "for each class: placements among the other side's examples, and which side it is on"

    @property
    def numbers(self) -> int:
        """4 C: for all classes the positives' placements, positives, the negatives' placements, negatives."""
        return 4 * self.classes

    @property
    def form(self) -> str:
        """``auroc``."""
        return "auroc"

    def figure(self, means: npt.ArrayLike) -> Array:
        """The mean placement: the same of positives and of negatives, but for more or fewer units."""
        above, positive, below, negative = self._parts(np.asarray(means, dtype=np.float64))
        known = (positive > 0) & (negative > 0)
        each = (_quotient(above, positive) + _quotient(below, negative)) / 2
        count = known.sum(axis=-1)
        return np.where(count > 0, np.where(known, each, 0.0).sum(axis=-1) / np.maximum(count, 1), 0.5)[()]

    def gradient(self, means: npt.ArrayLike) -> Array:
        """(1, -mean placement) by the share of positives, and the same for negatives, each by the number of classes."""
        above, positive, below, negative = self._parts(np.asarray(means, dtype=np.float64))
        known = (positive > 0) & (negative > 0)
        one = known.astype(np.float64)
        parts = [
            _quotient(each, side)
            for each, side in (
                (one, positive),
                (-one * _quotient(above, positive), positive),
                (one, negative),
                (-one * _quotient(below, negative), negative),
            )
        ]
        return np.concatenate(parts) / max(1, int(known.sum()))

    def units(self) -> tuple[Array, Array]:
        """An example above all of the other side, and one below all of them; equally often of every class."""
        share = np.full(self.classes, 0.5 if self.classes == 1 else 1 / self.classes)
        other = 1 - share
        return np.concatenate([share, share, other, other]), np.concatenate([0 * share, share, 0 * other, other])

    def _parts(self, values: Array) -> tuple[Array, Array, Array, Array]:
        size = self.classes
        return (
            values[..., :size],
            values[..., size : 2 * size],
            values[..., 2 * size : 3 * size],
            values[..., 3 * size :],
        )


def f1_contributions(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> Array:
    """What examples contribute to `MacroF1`.

    Args:
        truth: (N, C) whether an example is of a class.
        predicted: (N, C) whether that is predicted.

    Returns:
        (N, 2 C).

    Raises:
        ShapeError: the two do not fit.

    Example:
        >>> f1_contributions([[1, 0]], [[1, 1]]).tolist()
        [[1.0, 0.0, 2.0, 1.0]]
    """
    one, two = _tables(truth, predicted)
    return np.concatenate([one * two, one + two], axis=1)


def auroc_contributions(scores: npt.ArrayLike, truth: npt.ArrayLike) -> Array:
    """What examples contribute to `Auroc`.

    Args:
        scores: (N, C), higher for members of the class.
        truth: (N, C) whether an example is of a class.

    Returns:
        (N, 4 C).

    Raises:
        ShapeError: the two do not fit.

    Example:
        >>> auroc_contributions([[0.2], [0.7], [0.7]], [[0], [1], [0]]).tolist()
        [[0.0, 0.0, 1.0, 1.0], [0.75, 1.0, 0.0, 0.0], [0.0, 0.0, 0.5, 1.0]]
    """
    values, belongs = _tables(scores, truth)
    placements = np.zeros_like(values)
    for number in range(values.shape[1]):
        inside = belongs[:, number] > 0
        column = values[:, number]
        placements[inside, number] = _share_below(column[inside], column[~inside])
        placements[~inside, number] = _share_below(-column[~inside], -column[inside])
    return np.concatenate([placements * belongs, belongs, placements * (1 - belongs), 1 - belongs], axis=1)


def _share_below(values: Array, others: Array) -> Array:
    """For each value the share of the others that lie below it, ties half; 0 where there are no others."""
    if not len(others):
        return np.zeros(len(values))
    ranked = np.sort(others)
    below, within = np.searchsorted(ranked, values, "left"), np.searchsorted(ranked, values, "right")
    found: Array = (below + within) / (2 * len(others))
    return found


def _tables(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Array, Array]:
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 2 or one.shape != two.shape:
        raise ShapeError("two tables of examples and classes do not fit", expected=f"{one.shape}", got=two.shape)
    return one, two


def _quotient(above: Array, below: Array) -> Array:
    """The quotient, 0 where there is nothing below."""
    result = np.zeros(np.broadcast_shapes(np.shape(above), np.shape(below)))
    np.divide(above, below, out=result, where=np.asarray(below) > 0)
    return result
