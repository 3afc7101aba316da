"""Figures of whatever gives texts probabilities, a trained network or an exported model. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError
from gatewise.kinds.classification.figures import ClassificationMetrics, classification_metrics
from gatewise.kinds.classification.label_figures import MultiLabelMetrics, multi_label_metrics
from gatewise.kinds.classification.label_sets import label_table

__all__ = ["Measuring"]


class Measuring:
    """Measures probabilities.

    Attributes:
        label_names: the classes.
        multi_label: whether a text may have several of them, or none.
        thresholds: (C,) the probability from which on each label is answered, where a text may have several.
    """

    label_names: tuple[str, ...]
    multi_label: bool
    thresholds: npt.NDArray[np.float64]

    @abstractmethod
    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Probabilities of each class: (N, C), columns as ``label_names``."""

    def evaluate(
        self, texts: Sequence[str], labels: Sequence[Any] | npt.ArrayLike
    ) -> ClassificationMetrics | MultiLabelMetrics:
        """Measure on labelled texts.

        Args:
            texts: N texts.
            labels: N class names, or N indices into ``label_names``; where a text may have several, N lists of names or
                (N, C) zeros and ones.

        Raises:
            DataError: a label is not a class of this run, or the numbers differ.
        """
        if self.multi_label:
            if len(texts) != len(labels) or not len(texts):  # type: ignore[arg-type]
                raise DataError("texts and labels do not fit", expected="as many label sets as texts, at least one")
            table = labels if isinstance(labels, np.ndarray) else label_table(labels, self.label_names)  # type: ignore[arg-type]
            return multi_label_metrics(self.predict_proba(texts), table, self.label_names, self.thresholds)
        given = [label.item() if isinstance(label, np.generic) else label for label in np.asarray(labels, dtype=object)]
        if len(given) != len(texts) or not given:
            raise DataError(
                "texts and labels do not fit",
                expected="as many labels as texts, at least one",
                got=f"{len(texts)} texts, {len(given)} labels",
            )
        chances, truth = self.predict_proba(texts), self._indices(given)
        return classification_metrics(chances, truth, self.label_names, intervals=True)

    def _indices(self, labels: Sequence[object]) -> list[int]:
        place_of = {name: index for index, name in enumerate(self.label_names)}
        indices = []
        for label in labels:
            index = place_of.get(label) if isinstance(label, str) else label
            if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(self.label_names):
                raise DataError(
                    f"the label {label!r} is not a class of this run",
                    expected=", ".join(self.label_names),
                    fix="use labels as in the training data",
                )
            indices.append(index)
        return indices
