"""Figures of classifiers whose classes are numbers: how far answers are off, and agreement beyond chance."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError, ShapeError
from gatewise.statistics.intervals import Array
from gatewise.statistics.measure import Mean, Measure

__all__ = ["MeanAbsoluteError", "QuadraticKappa", "kappa_contributions"]

_LEAST = 2


@dataclass(frozen=True)
class MeanAbsoluteError(Mean):
    """How far the answer is from the truth, on average, in the unit of the labels (K = 1).

    The usual figure of ordered classes (Gaudette & Japkowicz 2009; Baccianella, Esuli & Sebastiani 2009).

    Args:
        values: the number of each class.

    Example:
        >>> MeanAbsoluteError(values=(1, 2, 3)).of([0.0, 1.0, 2.0])
        1.0
    """

    name: str = "mean_absolute_error"
    title: str = "mean absolute error"
    higher_is_better: bool = False
    _: KW_ONLY
    contribution: str = "distance of the answered label from the true one, both being numbers"
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class QuadraticKappa(Measure):
    r"""Cohen's kappa with quadratic weights (Cohen 1968): agreement beyond that of answers drawn at random (K = 6).

    .. math:: \kappa = 1 - \frac{\overline{(a - b)^2}}{\overline{a^2} + \overline{b^2} - 2 \bar a \bar b}

    with a the true and b the answered number; the denominator is the mean square distance of truths and answers that
    are paired at random. An example contributes (1, a, b, a^2, b^2, ab), by the first of which the others are divided.
    1 is agreement, 0 what chance gives, also without any spread.

    Args:
        values: the number of each class.

    Example:
        >>> kappa = QuadraticKappa(values=(1, 2, 3))
        >>> round(kappa.of(kappa_contributions([1, 2, 3, 1, 2, 3], [1, 2, 3, 1, 3, 2])), 6)
        0.75
    """

    name: str = "quadratic_kappa"
    title: str = "quadratic weighted kappa"
    higher_is_better: bool = True
    _: KW_ONLY
    contribution: str = "1, true and answered number, their squares and their product"
    values: tuple[float, ...] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if len(set(self.values)) < _LEAST:
            raise OptionError(f"{self.title} needs classes", expected="at least 2 numbers", got=self.values)

    @property
    def numbers(self) -> int:
        """Six."""
        return 6

    @property
    def form(self) -> str:
        """``quadratic-kappa``."""
        return "quadratic-kappa"

    @property
    def bounds(self) -> tuple[float, float]:
        """-1 and 1."""
        return -1.0, 1.0

    def figure(self, means: npt.ArrayLike) -> Array:
        """2 (mean of ab - product of the means) by the mean square distance at random."""
        values = np.asarray(means, dtype=np.float64)
        return _quotient(*_parts(values))[()]

    def gradient(self, means: npt.ArrayLike) -> Array:
        """By the means of 1, a, b, a^2, b^2 and ab; no change where all grow alike."""
        values = np.asarray(means, dtype=np.float64)
        above, below = _parts(values)
        if below <= 0:
            return np.zeros(6)
        kappa, (first, second) = float(above / below), values[1:3] / values[0]
        slopes = np.array([-2 * second * (1 - kappa), -2 * first * (1 - kappa), -kappa, -kappa, 2.0]) / below
        found: Array = np.array([-float(slopes @ values[1:]) / values[0], *slopes]) / values[0]
        return found

    def units(self) -> tuple[Array, Array]:
        """An example of any class that is right, and one whose answer has nothing to do with the truth."""
        values = np.asarray(self.values, dtype=np.float64)
        mean, square = float(values.mean()), float(np.square(values).mean())
        right, wrong = (1.0, mean, mean, square, square, square), (1.0, mean, mean, square, square, mean * mean)
        return np.array(right), np.array(wrong)


def kappa_contributions(truth: npt.ArrayLike, answers: npt.ArrayLike) -> Array:
    """What examples contribute to `QuadraticKappa`.

    Args:
        truth: (N,) true numbers.
        answers: (N,) answered numbers.

    Returns:
        (N, 6).

    Raises:
        ShapeError: the two do not fit.

    Example:
        >>> kappa_contributions([2], [3]).tolist()
        [[1.0, 2.0, 3.0, 4.0, 9.0, 6.0]]
    """
    first, second = np.asarray(truth, dtype=np.float64), np.asarray(answers, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ShapeError("truths and answers do not fit", expected=f"{first.shape}", got=second.shape)
    return np.stack([np.ones_like(first), first, second, first**2, second**2, first * second], axis=1)


def _parts(values: Array) -> tuple[Array, Array]:
    """Numerator and denominator of kappa."""
    by_example = _quotient(values[..., 1:], values[..., :1])
    product = by_example[..., 0] * by_example[..., 1]
    return 2 * (by_example[..., 4] - product), by_example[..., 2] + by_example[..., 3] - 2 * product


def _quotient(above: Array, below: Array) -> Array:
    result = np.zeros(np.broadcast_shapes(np.shape(above), np.shape(below)))
    np.divide(above, below, out=result, where=np.asarray(below) > 0)
    return result
