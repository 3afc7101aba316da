"""The figure by which models are compared, and how it comes from the test examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gatewise.statistics.intervals import Array

__all__ = ["Mean", "Measure", "linearised"]


@dataclass(frozen=True)
class Measure(ABC):
    """The figure by which models of a kind are compared: a function of the means of what the test examples contribute.

    Each example contributes K numbers: one for an accuracy, three for the F1 of spans (true, predicted, matched). From
    their means over the examples comes the figure; its linearisation ``figure + gradient · (x - means)`` gives every
    example a single number again, from which intervals, differences and their variance components are computed (delta
    method). With K = 1 there is no axis K: contributions are (N,), and the figure must rise with their mean.

    Args:
        name: as in JSON: ``accuracy``, ``mean_squared_error``, ``perplexity``.
        title: in words.
        higher_is_better: the direction.
        percent: a fraction that is shown times 100.
        dependence: ``independent`` examples, or ``serial`` ones (neighbours in time resemble each other, so resampling
            takes whole blocks).
        contribution: what one example contributes, in words and with its unit.
        overlap: of ``serial`` examples, how many in a row share what they measure, such as the windows of a forecast
            that all hold the same step.
        groups: (N,) of ``independent`` examples: equal for those of one cluster (texts of one author), over which
            intervals are computed (`gatewise.statistics.clusters`); None: each example is one of its own.
        borders: of ``serial`` examples in documents: the first example of each document but the first; empty: unknown.
    """

    name: str
    title: str
    higher_is_better: bool
    _: KW_ONLY
    percent: bool = False
    dependence: Literal["independent", "serial"] = "independent"
    contribution: str = ""
    overlap: int = 1
    groups: npt.NDArray[np.int64] | None = field(default=None, compare=False, repr=False)
    borders: tuple[int, ...] = ()

    @property
    @abstractmethod
    def numbers(self) -> int:
        """K, how many numbers an example contributes."""

    @property
    @abstractmethod
    def form(self) -> str:
        """How the figure comes from the means, in a word: ``transform`` in the record."""

    @abstractmethod
    def figure(self, means: npt.ArrayLike) -> Array:
        """The figure of mean contributions: (.., K) gives (..); with K = 1, (..) gives (..)."""

    @abstractmethod
    def gradient(self, means: npt.ArrayLike) -> Array:
        """Its derivatives: (K,) gives (K,), zeros where there are none; with K = 1, () gives ()."""

    @property
    def perfect(self) -> float:
        """The best figure that a problem allows: 1 for a share to raise, 0 for an error."""
        return 1.0 if self.higher_is_better else 0.0

    @property
    def percent_sign(self) -> bool:
        """Whether a figure shown times 100 is written with the sign %."""
        return True

    @property
    def bounds(self) -> tuple[float, float]:
        """What no figure lies below and above; asked where K > 1."""
        return -np.inf, np.inf

    def units(self) -> tuple[Array, Array] | None:
        """What one more unit (span, word) contributes that is right, and one that is wrong: two of (K,).

        Asked where K > 1. An interval reaches at least as far as a few more of them would move the figure, so that
        "all right" is not taken for certainty. None: the numbers are no counts of units.
        """
        return None

    def sized(self, examples: int) -> Measure:
        """The same measure for means over so many examples; only a figure that depends on their number changes."""
        return self

    def over_groups(self, groups: npt.NDArray[np.int64] | None) -> Measure:
        """The same measure with intervals over groups of examples.

        Example:
            >>> Mean("accuracy", "accuracy", higher_is_better=True).over_groups(np.array([0, 0, 1])).groups.tolist()
            [0, 0, 1]
        """
        return self if groups is None else replace(self, groups=groups)

    def of(self, contributions: npt.ArrayLike) -> float:
        """The figure of examples.

        Args:
            contributions: (N,), or (N, K) where K > 1.

        Example:
            >>> Mean("perplexity", "perplexity", higher_is_better=False, transform="exp").of([0.0, 0.0])
            1.0
        """
        table = np.asarray(contributions, dtype=np.float64)
        return float(self.sized(len(table)).figure(table.mean(axis=0)))

    def better(self, first: float, second: float) -> bool:
        """Whether the first figure beats the second.

        Example:
            >>> Mean("accuracy", "accuracy", higher_is_better=True).better(0.9, 0.8)
            True
        """
        return first > second if self.higher_is_better else first < second

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "higher_is_better": self.higher_is_better,
            "percent": self.percent,
            "percent_sign": self.percent_sign,
            "transform": self.form,
            "dependence": self.dependence,
            "contribution": self.contribution,
            "overlap": self.overlap,
            "documents": len(self.borders) + 1 if self.borders else None,
        }


@dataclass(frozen=True)
class Mean(Measure):
    """A mean of one number per example, or a function of it that rises with it (K = 1).

    Args:
        transform: from the mean contribution to the figure: ``mean``, ``exp`` (perplexity from nats) or ``sqrt``.

    Example:
        >>> root = Mean("root_mean_squared_error", "RMSE", higher_is_better=False, transform="sqrt")
        >>> float(root.figure(4.0)), float(root.gradient(4.0)), root.of([1.0, 7.0])
        (2.0, 0.25, 2.0)
    """

    _: KW_ONLY
    transform: Literal["mean", "exp", "sqrt"] = "mean"

    @property
    def numbers(self) -> int:
        """One."""
        return 1

    @property
    def form(self) -> str:
        """The transform."""
        return self.transform

    @property
    def perfect(self) -> float:
        """1 for a share to raise and for a perplexity, 0 for an error."""
        return 1.0 if self.higher_is_better or self.transform == "exp" else 0.0

    def figure(self, means: npt.ArrayLike) -> Array:
        """The mean, its exponential, or its root; below 0 there is none, and it counts as 0."""
        values = np.asarray(means, dtype=np.float64)[()]
        if self.transform == "exp":
            return np.exp(np.minimum(values, 700.0))
        if self.transform == "sqrt":
            return np.sqrt(np.maximum(values, 0.0))
        return values

    def gradient(self, means: npt.ArrayLike) -> Array:
        """The slope at a mean contribution."""
        if self.transform == "exp":
            return self.figure(means)
        if self.transform == "sqrt":
            slope: Array = 0.5 / np.maximum(self.figure(means), 1e-150)
            return slope
        return np.ones_like(np.asarray(means, dtype=np.float64))[()]


def linearised(table: Array, means: Array, measure: Measure) -> Array:
    """The part of every contribution that moves the figure: gradient · x, the table's own but for a constant.

    Args:
        table: (S, N), or (S, N, K) where K > 1.
        means: (K,), or () where K = 1: where the gradient is taken.
        measure: what they contribute to.

    Returns:
        (S, N); the variance of its mean is that of the figure, to first order (delta method).

    Example:
        >>> from gatewise.statistics import Ratio
        >>> table = np.array([[[1.0, 4.0], [0.0, 6.0]]])
        >>> linearised(table, table.mean(axis=(0, 1)), Ratio("error", "error", higher_is_better=False))
        array([[ 0.12, -0.12]])
    """
    gradient = measure.gradient(means)
    return gradient * table if measure.numbers == 1 else table @ gradient
