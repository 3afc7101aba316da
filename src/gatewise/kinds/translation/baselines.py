"""The baselines of translation as every comparison sees them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from gatewise.kinds.translation.ibm1 import WordByWord
from gatewise.kinds.translation.trained import evaluation
from gatewise.training.kind import Baseline
from gatewise.training.problem import Evaluation

__all__ = ["CopyBaseline", "WordByWordBaseline"]


class _TranslationBaseline(Baseline):
    """A baseline that translates texts."""

    @abstractmethod
    def _translate(self, texts: Sequence[str]) -> list[str]: ...

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        chosen = getattr(dataset, part)
        return evaluation(self._translate(chosen.sources), chosen.targets, dataset.metric)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From sentences to translations."""
        texts = dataset.test.sources
        return lambda count: self._translate(texts[:count])


class WordByWordBaseline(_TranslationBaseline):
    """A dictionary from IBM model 1, see `gatewise.kinds.translation.ibm1.WordByWord`."""

    name: ClassVar[str] = "word-by-word"
    title: ClassVar[str] = "Word by word"
    reason: ClassVar[str] = "each word by its likeliest translation in a dictionary from IBM model 1"

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """Iterations, whether an entry holds both ways, whether case counts, whether words go; 56 combinations."""
        return {
            "iterations": (5, 1, 2, 3, 8, 12, 20),
            "both_ways": (False, True),
            "lowercase": (False, True),
            "leave_out": (True, False),
        }

    def fit(self, dataset: Any) -> None:
        """Estimate the dictionary on the training part."""
        self._model = WordByWord(**self.setting_values(dataset)).fit(dataset.train.sources, dataset.train.targets)

    @property
    def parameters(self) -> int:
        """Entries of the table of probabilities."""
        return self._model.parameters

    def _translate(self, texts: Sequence[str]) -> list[str]:
        return self._model.translate(texts)


class CopyBaseline(_TranslationBaseline):
    """The sentence as it is: names, numbers and signs are right."""

    name: ClassVar[str] = "copy"
    title: ClassVar[str] = "Copying"
    reason: ClassVar[str] = "the sentence as it is, which has names, numbers and signs in common with its translation"

    def fit(self, dataset: Any) -> None:
        """Nothing."""

    @property
    def parameters(self) -> int:
        """None."""
        return 0

    def _translate(self, texts: Sequence[str]) -> list[str]:
        return list(texts)
