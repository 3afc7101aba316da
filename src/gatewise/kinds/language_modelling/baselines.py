"""The baselines of language modelling as every comparison sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from gatewise.kinds.language_modelling.kneser_ney import KneserNey, Unigram
from gatewise.kinds.language_modelling.tokens import Tokens
from gatewise.kinds.language_modelling.trained import evaluation, first_tokens
from gatewise.training.kind import Baseline
from gatewise.training.problem import Evaluation

__all__ = ["KneserNeyBaseline", "UnigramBaseline"]


class _CountedBaseline(Baseline):
    """A baseline that counts tokens."""

    _model: KneserNey | Unigram

    @property
    def parameters(self) -> int:
        """Counts and weights that are kept."""
        return self._model.parameters

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        tokens: Tokens = getattr(dataset, part)
        return evaluation(self._model.losses(tokens), tokens, dataset.vocabulary)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From raw lines to their negative log-likelihood."""
        lines = list(dataset.test_lines)
        return lambda count: self._model.losses(first_tokens(dataset.vocabulary, lines, count))


class KneserNeyBaseline(_CountedBaseline):
    """Interpolated Kneser-Ney, see `gatewise.kinds.language_modelling.kneser_ney`."""

    name: ClassVar[str] = "kneser-ney"
    title: ClassVar[str] = "Kneser-Ney 5-gram"
    reason: ClassVar[str] = "counts of so many tokens in a row, discounted and interpolated"

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """The order, and how many counts have a discount of their own; 18 combinations."""
        return {"order": (5, 2, 3, 4, 6, 7), "discounts": (3, 1, 2)}

    @property
    def full_title(self) -> str:
        """The title with the order."""
        return f"Kneser-Ney {self._model.order}-gram"

    def fit(self, dataset: Any) -> None:
        """Count the training text."""
        model = KneserNey(**self.setting_values(dataset))
        self._model: KneserNey = model.fit(dataset.train, len(dataset.vocabulary), dataset.vocabulary.end)


class UnigramBaseline(_CountedBaseline):
    """Unigram frequencies, see `gatewise.kinds.language_modelling.kneser_ney.Unigram`."""

    name: ClassVar[str] = "unigram"
    title: ClassVar[str] = "Unigram"
    reason: ClassVar[str] = "frequency of each token, without context"

    def fit(self, dataset: Any) -> None:
        """Count the training text."""
        self._model = Unigram().fit(dataset.train, len(dataset.vocabulary))
