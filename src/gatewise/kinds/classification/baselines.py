"""The baselines of text classification as every comparison sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from gatewise.kinds.classification.measures import measure_of
from gatewise.kinds.classification.tfidf import TfidfLogisticRegression, longest_phrase, minimum_texts
from gatewise.kinds.classification.thresholds import THRESHOLD, choose_thresholds
from gatewise.kinds.classification.trained import evaluation, part_thresholds
from gatewise.training.kind import Baseline
from gatewise.training.problem import Evaluation

__all__ = ["TfidfBaseline"]


class TfidfBaseline(Baseline):
    """TF-IDF with logistic regression, see `gatewise.kinds.classification.tfidf.TfidfLogisticRegression`."""

    name: ClassVar[str] = "tfidf-logistic-regression"
    title: ClassVar[str] = "TF-IDF + logistic regression"
    reason: ClassVar[str] = "linear model of words and word pairs"

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """C, the longest phrase, and in how many texts a phrase has to occur; 54 combinations."""
        texts = dataset.train.texts
        return {
            "inverse_regularisation": (10.0, 0.3, 1.0, 3.0, 30.0, 100.0),
            "longest_phrase": _first(longest_phrase(texts), (1, 2, 3)),
            "minimum_texts": _first(minimum_texts(texts), (1, 2, 3)),
        }

    def fit(self, dataset: Any) -> None:
        """Fit on the training texts, and choose thresholds of labels as for the networks: on the validation part."""
        model = TfidfLogisticRegression(**self.setting_values(dataset))
        self._model = model.fit(list(dataset.train.texts), dataset.train.labels)
        self._thresholds = np.full(len(dataset.label_names), THRESHOLD)
        if dataset.multi_label and dataset.chosen_thresholds and len(dataset.validation.texts):
            measure = measure_of(dataset.metric, len(dataset.label_names), multi_label=True)
            chances = self._model.predict_proba(list(dataset.validation.texts))
            self._thresholds = choose_thresholds(chances, dataset.validation.labels, measure.name)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self._model.parameters

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        split = getattr(dataset, part)
        chances = self._model.predict_proba(list(split.texts))
        limits = part_thresholds(self._thresholds, dataset, part, chances)
        return evaluation(chances, split.labels, dataset.label_names, dataset.metric, limits, split.groups)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From raw texts to probabilities."""
        texts = list(dataset.test.texts)
        return lambda count: self._model.predict_proba(texts[:count])


def _first(default: int, values: tuple[int, ...]) -> tuple[int, ...]:
    """The values with the default before the others."""
    return (default, *(value for value in values if value != default))
