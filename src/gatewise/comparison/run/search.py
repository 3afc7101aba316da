"""Chooses each cell's settings on the validation part: a grid, or Optuna's samplers, under the same budget.

A search can be resumed anywhere and ends the same: what is asked depends only on the search's seed, the trial's
number and the trials of the generations before. Trials of one generation are independent, so that they can
run at the same time.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from gatewise.comparison.plan.grid import Choices, Range, combinations
from gatewise.comparison.plan.plan import Search
from gatewise.errors import TrainingError

__all__ = ["GENERATION", "CellSearch"]

GENERATION = 5
_STARTUP = 10


class CellSearch:
    """The search for one cell, at one point of the axis.

    Args:
        search: method, budget and space.
        cell: the variant.
        point: value of the axis, or None.
        higher_is_better: direction of the metric.

    Example:
        >>> search = CellSearch(Search("grid", 2, {"hidden_size": (8, 16)}, "accuracy", 9), "gru", None, True)
        >>> asked = search.next_generation()
        >>> search.tell([0.7, 0.8])
        >>> asked, search.next_generation(), search.best
        ([{'hidden_size': 8}, {'hidden_size': 16}], [], 1)
    """

    def __init__(self, search: Search, cell: str, point: Any, higher_is_better: bool) -> None:
        self.search, self.cell, self.point, self.higher_is_better = search, cell, point, higher_is_better
        self.asked: list[dict[str, Any]] = []
        self.figures: list[float | None] = []
        self._study: Any = None
        self._waiting: list[Any] = []

    def next_generation(self) -> list[dict[str, Any]]:
        """The settings to try next; none when the budget is spent."""
        left = self.search.trials - len(self.asked)
        if left <= 0:
            return []
        if self.search.method == "grid":
            new = list(combinations(self.search.space))
        else:
            new = [self._ask(len(self.asked) + number) for number in range(min(GENERATION, left))]
        self.asked += new
        return new

    def tell(self, figures: Sequence[float | None]) -> None:
        """Record the validation figures of the generation's trials; None for one that failed."""
        self.figures += list(figures)
        for trial, figure in zip(self._waiting, figures, strict=bool(self._waiting)):
            self._tell_study(trial, figure)
        self._waiting = []

    @property
    def best(self) -> int:
        """Number of the winner: the best figure, the first of equals.

        Raises:
            TrainingError: every trial failed.
        """
        sign = 1.0 if self.higher_is_better else -1.0
        finite = [(number, sign * figure) for number, figure in enumerate(self.figures) if figure is not None]
        if not finite:
            raise TrainingError(f"every trial of {self.cell} failed", fix="choose other values for the grid")
        return max(finite, key=lambda pair: (pair[1], -pair[0]))[0]

    def _ask(self, number: int) -> dict[str, Any]:
        """Draw one trial's settings with a generator seeded by its number."""
        import optuna

        if self._study is None:
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            self._study = optuna.create_study(direction="maximize" if self.higher_is_better else "minimize")
        self._study.sampler = self._sampler(number)
        trial = self._study.ask(distributions(self.search.space))
        self._waiting.append(trial)
        return {name: trial.params[name] for name in self.search.space}

    def _sampler(self, number: int) -> Any:
        import optuna

        identity = f"{self.search.seed}/{self.cell}/{self.point}/{number}"
        seed = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4], "big")
        if self.search.method == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP, constant_liar=False)

    def _tell_study(self, trial: Any, figure: float | None) -> None:
        import optuna

        if figure is None or not math.isfinite(figure):
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, figure)


def distributions(space: Mapping[str, Choices | Range]) -> dict[str, Any]:
    """A space as Optuna describes it.

    Example:
        >>> distributions({"dropout": Range(0.0, 0.5)})
        {'dropout': FloatDistribution(high=0.5, log=False, low=0.0, step=None)}
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, Any] = {}
    for name, values in space.items():
        if not isinstance(values, Range):
            found[name] = CategoricalDistribution(values)
        elif isinstance(values.low, int) and isinstance(values.high, int):
            found[name] = IntDistribution(values.low, values.high, log=values.logarithmic)
        else:
            found[name] = FloatDistribution(values.low, values.high, log=values.logarithmic)
    return found
