"""What the recurrent models are compared with: the base class of every kind's baselines. Imports no torch."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from gatewise.errors import OptionError

if TYPE_CHECKING:
    from gatewise.training.problem import Evaluation

__all__ = ["Baseline"]


class Baseline(ABC):
    """A baseline that is compared with the recurrent models.

    Attributes:
        name: as in files: ``tfidf-logistic-regression``.
        title: as a reader knows it.
        reason: what it is, in a few words.
        settings: those that differ from the defaults, see `configured`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    reason: ClassVar[str]
    settings: Mapping[str, Any] = MappingProxyType({})

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """The values among which each setting is chosen where the cells' settings are searched, its default first.

        Empty: there is nothing to choose. Values are numbers, words, booleans or None.
        """
        return {}

    def configured(self, settings: Mapping[str, Any]) -> Self:
        """A copy with these settings, not fitted; settings that are not named have their defaults."""
        found = copy.copy(self)
        found.settings = MappingProxyType(dict(settings))
        return found

    def setting_values(self, dataset: Any) -> dict[str, Any]:
        """The value of every setting of the search space, as `fit` uses it.

        Raises:
            OptionError: a setting that the space lacks.
        """
        space = self.search_space(dataset)
        if unknown := set(self.settings) - set(space):
            raise OptionError(
                f"{self.name} has no setting {', '.join(sorted(unknown))}", expected=", ".join(space) or "no setting"
            )
        return {name: self.settings.get(name, values[0]) for name, values in space.items()}

    @property
    def full_title(self) -> str:
        """The title of the fitted baseline, where a setting belongs in it."""
        return self.title

    @abstractmethod
    def fit(self, dataset: Any) -> None:
        """Fit on the training part, with the values of `setting_values`."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Number of parameters."""

    @abstractmethod
    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part; the examples are those of `Trained.test`, in the same order."""

    @abstractmethod
    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """A function that predicts the first n test examples from raw data, for measuring latency."""
