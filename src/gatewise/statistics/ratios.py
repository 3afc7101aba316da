"""Figures that are a ratio of sums over the test examples: error rates, shares of words, the F1 of spans."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import numpy.typing as npt

from gatewise.statistics.intervals import Array
from gatewise.statistics.measure import Measure

__all__ = ["Ratio", "SpanF1"]


@dataclass(frozen=True)
class Ratio(Measure):
    """One sum over another (K = 2): word and character error rate, the share of words that a tagger gets right.

    An example contributes its numerator and its denominator, such as (edits, words of the reference). An error rate may
    exceed 1; a share, for which higher is better, may not. Without anything to count it is 0.

    Example:
        >>> rate = Ratio("word_error_rate", "word error rate", higher_is_better=False, percent=True)
        >>> rate.of([[1, 4], [0, 6]]), rate.gradient([0.5, 5.0])
        (0.1, array([ 0.2 , -0.02]))
    """

    @property
    def numbers(self) -> int:
        """Two: numerator, denominator."""
        return 2

    @property
    def form(self) -> str:
        """``ratio``."""
        return "ratio"

    @property
    def bounds(self) -> tuple[float, float]:
        """At least 0; a share at most 1."""
        return 0.0, 1.0 if self.higher_is_better else np.inf

    def figure(self, means: npt.ArrayLike) -> Array:
        """Numerator by denominator."""
        values = np.asarray(means, dtype=np.float64)
        return _quotient(values[..., 0], values[..., 1])

    def gradient(self, means: npt.ArrayLike) -> Array:
        """(1, -figure) by the denominator."""
        values = np.asarray(means, dtype=np.float64)
        return _quotient(np.stack([np.ones(()), -self.figure(values)]), values[1])

    def units(self) -> tuple[Array, Array]:
        """A word: of an error rate the wrong one is counted above, of a share the right one."""
        counted, other = np.array([1.0, 1.0]), np.array([0.0, 1.0])
        return (counted, other) if self.higher_is_better else (other, counted)


@dataclass(frozen=True)
class SpanF1(Measure):
    """F1 of spans over all examples together (K = 3; van Rijsbergen 1979; so in the CoNLL shared tasks).

    .. math:: F_1 = 2 m / (t + p)

    An example contributes its t true, p predicted and m matching spans. Without any true or predicted span it is 0.

    Example:
        >>> SpanF1().of([[2, 1, 1], [0, 1, 0]])
        0.5
    """

    name: str = "span_f1"
    title: str = "span F1"
    higher_is_better: bool = True
    _: KW_ONLY
    percent: bool = True
    contribution: str = "true, predicted and matching spans of a sentence"

    @property
    def numbers(self) -> int:
        """Three: true, predicted, matching."""
        return 3

    @property
    def form(self) -> str:
        """``span-f1``."""
        return "span-f1"

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and 1."""
        return 0.0, 1.0

    def figure(self, means: npt.ArrayLike) -> Array:
        """2 m / (t + p)."""
        values = np.asarray(means, dtype=np.float64)
        return _quotient(2 * values[..., 2], values[..., 0] + values[..., 1])

    def gradient(self, means: npt.ArrayLike) -> Array:
        """(-figure, -figure, 2) by t + p."""
        values = np.asarray(means, dtype=np.float64)
        figure = self.figure(values)
        return _quotient(np.stack([-figure, -figure, np.full((), 2.0)]), values[0] + values[1])

    def units(self) -> tuple[Array, Array]:
        """A span that is found, and one that is missed with a wrong one in its place."""
        return np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0])


def _quotient(above: Array, below: Array) -> Array:
    """The quotient, 0 where there is nothing below."""
    result = np.zeros(np.broadcast_shapes(np.shape(above), np.shape(below)))
    np.divide(above, below, out=result, where=np.asarray(below) > 0)
    return result[()]
