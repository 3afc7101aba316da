"""Chooses settings on the validation part: of cells by a grid, at random or by Optuna, of baselines at random.

Every model gets the same number of trials. A search can be resumed anywhere and ends the same: what is asked depends
only on the search's seed, the trial's number and, for `tpe`, the figures of the generations before. Trials of one
generation are independent, so that they can run at the same time.

Cells share random numbers: the n-th trial of every cell has the same settings (common random numbers), drawn setting by
setting, whatever the cells are called, how many there are, and what else is searched. So cells differ by what they make
of the settings, not by which ones they drew. With `tpe` that holds for the first trials, which are random; afterwards
each cell's own figures lead its search.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gatewise.comparison.plan.grid import Choices, Range, Space, combinations
from gatewise.comparison.plan.plan import Search
from gatewise.errors import TrainingError

__all__ = ["GENERATION", "STARTUP", "BaselineSearch", "CellSearch", "Place", "SettingsSearch"]

GENERATION = 5
STARTUP = 10


class Place(NamedTuple):
    """For what settings are searched.

    Attributes:
        model: the variant, or the baseline's name.
        point: value of the axis, or None.
        for_seed: the seed of the final run that they are for; None: all of them.
    """

    model: str
    point: Any = None
    for_seed: int | None = None


class SettingsSearch(ABC):
    """The search for one model's settings.

    Args:
        name: of the model, for messages.
        space: what may vary.
        higher_is_better: direction of the metric.

    Attributes:
        asked: the settings of each trial.
        figures: their figures on the validation part; None: failed.
    """

    def __init__(self, name: str, space: Mapping[str, Choices | Range], higher_is_better: bool) -> None:
        self.name, self.space, self.higher_is_better = name, space, higher_is_better
        self.asked: list[dict[str, Any]] = []
        self.figures: list[float | None] = []

    def next_generation(self) -> list[dict[str, Any]]:
        """The settings to try next; none when the budget is spent."""
        new = self._propose()
        self.asked += new
        return new

    @abstractmethod
    def _propose(self) -> list[dict[str, Any]]:
        """The settings to try next."""

    def tell(self, figures: Sequence[float | None]) -> None:
        """Record the validation figures of the generation's trials; None for one that failed."""
        self.figures += [figure if figure is not None and math.isfinite(figure) else None for figure in figures]

    @property
    def best(self) -> int:
        """Number of the winner: the best figure, the first of equals.

        Raises:
            TrainingError: every trial failed.
        """
        sign = 1.0 if self.higher_is_better else -1.0
        finite = [(number, sign * figure) for number, figure in enumerate(self.figures) if figure is not None]
        if not finite:
            raise TrainingError(f"every trial of {self.name} failed", fix="choose other values for the grid")
        return max(finite, key=lambda pair: (pair[1], -pair[0]))[0]


class CellSearch(SettingsSearch):
    """The search for one cell.

    Args:
        search: method, budget and space.
        cell: the variant.
        higher_is_better: direction of the metric.

    Example:
        >>> search = CellSearch(Search("grid", 2, {"hidden_size": (8, 16)}, "accuracy", 9), "gru", True)
        >>> asked = search.next_generation()
        >>> search.tell([0.7, 0.8])
        >>> asked, search.next_generation(), search.best
        ([{'hidden_size': 8}, {'hidden_size': 16}], [], 1)
    """

    def __init__(self, search: Search, cell: str, higher_is_better: bool) -> None:
        super().__init__(cell, search.space, higher_is_better)
        self.search = search
        self._study: Any = None
        self._waiting: list[Any] = []

    def _propose(self) -> list[dict[str, Any]]:
        begun = len(self.asked)
        left = self.search.trials - begun
        if left <= 0:
            return []
        if self.search.method == "grid":
            return list(combinations(self.space))
        numbers = range(begun, begun + min(GENERATION, left))
        if self.search.method == "random":
            return [_drawn(self.space, self.search.seed, number) for number in numbers]
        return [self._ask(number) for number in numbers]

    def tell(self, figures: Sequence[float | None]) -> None:
        """Record the validation figures of the generation's trials; None for one that failed."""
        super().tell(figures)
        for trial, figure in zip(self._waiting, self.figures[-len(figures) :], strict=bool(self._waiting)):
            self._tell_study(trial, figure)
        self._waiting = []

    def _ask(self, number: int) -> dict[str, Any]:
        """One trial's settings by the tree-structured Parzen estimator; at random among the first ones."""
        import optuna

        if self._study is None:
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            self._study = optuna.create_study(direction="maximize" if self.higher_is_better else "minimize")
        if number < STARTUP:
            self._study.enqueue_trial(_drawn(self.space, self.search.seed, number))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = optuna.samplers.TPESampler(
                seed=_number(self.search.seed, "tpe", number) % 2**32, n_startup_trials=STARTUP, constant_liar=False
            )
        trial = self._study.ask(distributions(self.space))
        self._waiting.append(trial)
        return {name: trial.params[name] for name in self.space}

    def _tell_study(self, trial: Any, figure: float | None) -> None:
        import optuna

        if figure is None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, figure)


class BaselineSearch(SettingsSearch):
    """The search for one baseline: its default and, drawn without replacement, as many others as the budget allows.

    A larger budget adds trials to those of a smaller one. A space with fewer combinations than the budget is tried
    whole.

    Args:
        name: of the baseline.
        space: the values of each setting, the default first.
        trials: the budget, that of each cell.
        seed: of the draws.
        higher_is_better: direction of the metric.

    Example:
        >>> search = BaselineSearch("ridge", {"penalty": (1.0, 0.1, 10.0)}, 2, 9, higher_is_better=False)
        >>> [first, second] = search.next_generation()
        >>> first, second["penalty"] in (0.1, 10.0), search.next_generation()
        ({'penalty': 1.0}, True, [])
    """

    def __init__(
        self, name: str, space: Mapping[str, Choices], trials: int, seed: int, *, higher_is_better: bool
    ) -> None:
        super().__init__(name, space, higher_is_better)
        default, *others = combinations(space)
        others.sort(key=lambda settings: _number(seed, name, json.dumps(settings, sort_keys=True)))
        self._candidates = [default, *others][:trials]

    def _propose(self) -> list[dict[str, Any]]:
        return self._candidates[len(self.asked) :]


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


def _drawn(space: Space | Mapping[str, Choices | Range], seed: int, number: int) -> dict[str, Any]:
    """The settings of a trial: each drawn with random numbers of its own, by the trial's number and its name."""
    return {name: _value(values, random.Random(_number(seed, number, name))) for name, values in space.items()}


def _value(values: Choices | Range, generator: random.Random) -> Any:
    if not isinstance(values, Range):
        return values[generator.randrange(len(values))]
    low, high = values.low, values.high
    whole = isinstance(low, int) and isinstance(high, int)
    # a whole number stands for the half on either side of it, so that the ends are as frequent as the others
    ends = (low - 0.5, high + 0.5) if whole else (low, high)
    if values.logarithmic:
        found = math.exp(generator.uniform(math.log(ends[0]), math.log(ends[1])))
    else:
        found = generator.uniform(*ends)
    found = min(max(found, low), high)
    return round(found) if whole else found


def _number(*parts: Any) -> int:
    """A whole number that is always the same for the same parts and looks random."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big")
