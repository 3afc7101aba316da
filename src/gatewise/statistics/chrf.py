"""chrF of a corpus, from counts per sentence."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError
from gatewise.statistics.intervals import Array
from gatewise.statistics.measure import Measure

__all__ = ["ChrF"]


@dataclass(frozen=True)
class ChrF(Measure):
    """F-score of character n-grams, from 0 to 1 (Popović 2015; K = 3 G for n-grams up to order G).

    .. math:: F = (1 + \\beta^2) \\, P R / (\\beta^2 P + R)

    where P and R are the means over the orders of the shares of n-grams that match; orders that translations or
    references are too short for are left out. A sentence contributes, in this order, the G counts of matching n-grams,
    the G of all its n-grams and the G of its reference's; see `gatewise.statistics.ngrams.character_contributions`.

    Args:
        order: G.
        beta: how much more recall counts than precision; 2 is "chrF2".

    Raises:
        OptionError: an order below 1, or a beta that is not positive.

    Example:
        >>> round(ChrF(order=2).of([[3, 1, 4, 3, 6, 5]]), 4)
        0.3767
    """

    name: str = "chrf"
    title: str = "chrF"
    higher_is_better: bool = True
    _: KW_ONLY
    percent: bool = True
    contribution: str = "matching character n-grams of a sentence by order, all of them, and those of the reference"
    order: int = 6
    beta: float = 2.0

    def __post_init__(self) -> None:
        if self.order < 1 or not self.beta > 0:
            raise OptionError(
                "chrF's order or beta is out of range", expected="at least 1, above 0", got=f"{self.order}, {self.beta}"
            )

    @property
    def numbers(self) -> int:
        """3 G."""
        return 3 * self.order

    @property
    def form(self) -> str:
        """``chrf``."""
        return "chrf"

    @property
    def percent_sign(self) -> bool:
        """Written from 0 to 100, as everywhere, without a sign."""
        return False

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and 1."""
        return 0.0, 1.0

    def figure(self, means: npt.ArrayLike) -> Array:
        """F of the mean precision and the mean recall."""
        precision, recall = self._precision_recall(np.asarray(means, dtype=np.float64))
        square = self.beta**2
        with np.errstate(invalid="ignore"):
            found = (1 + square) * precision * recall / (square * precision + recall)
        return np.where(precision + recall > 0, found, 0.0)[()]

    def gradient(self, means: npt.ArrayLike) -> Array:
        """The derivatives, by the chain rule through precision and recall."""
        values, found = np.asarray(means, dtype=np.float64), np.zeros(self.numbers)
        precision, recall = (float(value) for value in self._precision_recall(values))
        if precision + recall == 0:
            return found
        matches, ours, theirs = values.reshape(3, self.order)
        used = (ours > 0) & (theirs > 0)
        square = self.beta**2
        scale = (1 + square) / (square * precision + recall) ** 2 / used.sum()
        of_precision, of_recall = scale * recall**2, scale * square * precision**2
        parts = found.reshape(3, self.order)
        parts[0, used] = of_precision / ours[used] + of_recall / theirs[used]
        parts[1, used] = -of_precision * matches[used] / ours[used] ** 2
        parts[2, used] = -of_recall * matches[used] / theirs[used] ** 2
        return found

    def units(self) -> tuple[Array, Array]:
        """A character that matches with everything before it, and one that matches nothing."""
        right, wrong = np.ones(self.numbers), np.ones(self.numbers)
        wrong[: self.order] = 0.0
        return right, wrong

    def _precision_recall(self, values: Array) -> tuple[Array, Array]:
        matches, ours, theirs = (
            values[..., start : start + self.order] for start in range(0, 3 * self.order, self.order)
        )
        used = (ours > 0) & (theirs > 0)
        count = np.maximum(used.sum(axis=-1), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(used, matches / ours, 0.0).sum(axis=-1) / count
            recall = np.where(used, matches / theirs, 0.0).sum(axis=-1) / count
        return precision, recall
