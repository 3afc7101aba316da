"""The baselines of text classification as every comparison sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gatewise.kinds.classification.tfidf import TfidfLogisticRegression
from gatewise.kinds.classification.trained import evaluation
from gatewise.training.kind import Baseline
from gatewise.training.problem import Evaluation

__all__ = ["TfidfBaseline"]


class TfidfBaseline(Baseline):
    """TF-IDF with logistic regression, see `gatewise.kinds.classification.tfidf.TfidfLogisticRegression`."""

    name: ClassVar[str] = "tfidf-logistic-regression"
    title: ClassVar[str] = "TF-IDF + logistic regression"
    reason: ClassVar[str] = "linear model of words and word pairs"

    def fit(self, dataset: Any) -> None:
        """Fit on the training texts."""
        self._model = TfidfLogisticRegression().fit(list(dataset.train.texts), dataset.train.labels)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self._model.parameters

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        split = getattr(dataset, part)
        return evaluation(
            self._model.predict_proba(list(split.texts)), split.labels, dataset.label_names, dataset.metric
        )

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From raw texts to probabilities."""
        texts = list(dataset.test.texts)
        return lambda count: self._model.predict_proba(texts[:count])
