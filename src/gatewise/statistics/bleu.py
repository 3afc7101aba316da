"""BLEU of a corpus, from counts per sentence."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError
from gatewise.statistics.intervals import Array
from gatewise.statistics.measure import Measure

__all__ = ["Bleu"]


@dataclass(frozen=True)
class Bleu(Measure):
    """BLEU of a corpus, from 0 to 1 (Papineni, Roukos, Ward & Zhu 2002; K = 2 G + 2 for n-grams up to order G).

    .. math:: \\mathrm{BLEU} = \\min(1, e^{1 - r/c}) \\prod_{n=1}^{G} (m_n / c_n)^{1/G}

    A sentence contributes, in this order, m_1 .. m_G (n-grams of the translation that its reference has too, each
    counted at most as often as there), c_1 .. c_G (all its n-grams), c (its words) and r (words of the reference).

    Args:
        order: G.
        smoothing: of orders without any match. ``none``: BLEU is then 0. ``exp``: half a match for the first such
            order, a quarter for the next (sacrebleu's default; method 3 of Chen & Cherry 2014); 0 if no word matches.
        examples: sentences that the means are of, which ``exp`` must know; `sized` sets it.

    Raises:
        OptionError: an order or a number of examples below 1.

    Example:
        >>> six_of_seven_words = [6, 4, 2, 1, 7, 6, 5, 4, 7, 8]
        >>> round(Bleu().of([six_of_seven_words]), 4)
        0.4238
    """

    name: str = "bleu"
    title: str = "BLEU"
    higher_is_better: bool = True
    _: KW_ONLY
    percent: bool = True
    contribution: str = "matching and all n-grams of a sentence by order, its words and those of the reference"
    order: int = 4
    smoothing: Literal["none", "exp"] = "none"
    examples: int = 1

    def __post_init__(self) -> None:
        for name in ("order", "examples"):
            if getattr(self, name) < 1:
                raise OptionError(f"BLEU's {name} is out of range", expected="at least 1", got=getattr(self, name))

    @property
    def numbers(self) -> int:
        """2 G + 2."""
        return 2 * self.order + 2

    @property
    def form(self) -> str:
        """``bleu``."""
        return "bleu"

    @property
    def percent_sign(self) -> bool:
        """Written from 0 to 100, as everywhere, without a sign."""
        return False

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and 1."""
        return 0.0, 1.0

    def sized(self, examples: int) -> Bleu:
        """The same for so many sentences."""
        return replace(self, examples=examples)

    def figure(self, means: npt.ArrayLike) -> Array:
        """The geometric mean of the precisions, times the brevity penalty."""
        values = np.asarray(means, dtype=np.float64)
        matches, totals = values[..., : self.order], values[..., self.order : 2 * self.order]
        words, wanted = values[..., -2], values[..., -1]
        if self.smoothing == "exp":
            missing = matches == 0
            matches = np.where(missing, 0.5 ** np.cumsum(missing, axis=-1) / self.examples, matches)
        some = (totals > 0).all(axis=-1) & (matches > 0).all(axis=-1) & (values[..., : self.order] > 0).any(axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.exp(np.mean(np.log(matches) - np.log(totals), axis=-1))
            penalty = np.exp(np.minimum(0.0, 1 - wanted / words))
            return np.where(some & (words > 0), precision * penalty, 0.0)[()]

    def gradient(self, means: npt.ArrayLike) -> Array:
        """The derivatives; those with respect to an order's missing matches count as 0."""
        values = np.asarray(means, dtype=np.float64)
        figure, found = self.figure(values), np.zeros(self.numbers)
        if figure == 0.0:
            return found
        matches, totals = values[: self.order], values[self.order : 2 * self.order]
        words, wanted = values[-2:]
        np.divide(figure / self.order, matches, out=found[: self.order], where=matches > 0)
        found[self.order : 2 * self.order] = -figure / self.order / totals
        if words < wanted:
            found[-2:] = figure * wanted / words**2, -figure / words
        return found

    def units(self) -> tuple[Array, Array]:
        """A word that matches with everything before it, and one that matches nothing."""
        right, wrong = np.ones(self.numbers), np.ones(self.numbers)
        wrong[: self.order] = 0.0
        return right, wrong
