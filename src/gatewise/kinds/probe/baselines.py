"""The baseline of the probes as every comparison sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from gatewise.kinds.probe.constant import ConstantAnswer
from gatewise.kinds.probe.problem import probe_evaluation
from gatewise.training.kind import Baseline
from gatewise.training.problem import Evaluation

__all__ = ["ConstantBaseline"]


class ConstantBaseline(Baseline):
    """The same prediction for every sequence."""

    name: ClassVar[str] = "constant"
    title: ClassVar[str] = "constant answer"
    reason: ClassVar[str] = "the same answer to every sequence: chance"

    def fit(self, dataset: Any) -> None:
        """Fit on the training part."""
        self._model = ConstantAnswer().fit(dataset)

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return self._model.parameters

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        sequences = getattr(dataset, part)
        return probe_evaluation(self._model.answers(sequences), dataset, sequences)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From nothing to the constant prediction."""
        answers = self._model.answers(dataset.test)
        return lambda count: np.array(answers[:count])
