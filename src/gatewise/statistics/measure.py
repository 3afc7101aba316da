"""The figure by which models are compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["Metric"]


@dataclass(frozen=True)
class Metric:
    """The figure by which models of a kind are compared.

    A model's figure is a function of the mean of one contribution per test example, so that differences and intervals
    can be computed from the contributions alone.

    Args:
        name: as in JSON: ``accuracy``, ``mean_squared_error``, ``perplexity``.
        title: in words.
        higher_is_better: the direction.
        percent: a fraction that is shown times 100.
        transform: from the mean contribution to the figure: ``mean``, ``exp`` (perplexity from nats) or ``sqrt``.
        dependence: ``independent`` examples, or ``serial`` ones (neighbours in time resemble each other, so resampling
            takes whole blocks).
        contribution: what one example contributes, in words and with its unit.
        overlap: of ``serial`` examples, how many in a row share what they measure, such as the windows of a forecast
            that all hold the same step.

    Example:
        >>> Metric("perplexity", "perplexity", higher_is_better=False, transform="exp").of_mean(0.0)
        1.0
    """

    name: str
    title: str
    higher_is_better: bool
    percent: bool = False
    transform: Literal["mean", "exp", "sqrt"] = "mean"
    dependence: Literal["independent", "serial"] = "independent"
    contribution: str = ""
    overlap: int = 1

    def of_mean(self, mean: float) -> float:
        """The figure for a mean contribution."""
        if self.transform == "exp":
            return float(np.exp(min(mean, 700.0)))
        if self.transform == "sqrt":
            return float(np.sqrt(mean))
        return float(mean)

    def better(self, first: float, second: float) -> bool:
        """Whether the first figure beats the second.

        Example:
            >>> Metric("accuracy", "accuracy", higher_is_better=True).better(0.9, 0.8)
            True
        """
        return first > second if self.higher_is_better else first < second

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return asdict(self)
