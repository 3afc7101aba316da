"""The baseline: the same prediction for every sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.kinds.probe.generation import ProbeDataset, ProbePart

__all__ = ["ConstantAnswer"]


class ConstantAnswer:
    """Predicts the mean of the training part's sums, or the class frequencies of the training part.

    Example:
        >>> from gatewise.kinds.probe.generation import make_probe
        >>> data = make_probe("adding", length=20, examples=2000)
        >>> bool(abs(ConstantAnswer().fit(data).answers(data.test)[0, 0, 0] - 1.0) < 0.05)
        True
    """

    def fit(self, dataset: ProbeDataset) -> ConstantAnswer:
        """Fit on the training part."""
        answers: npt.NDArray[Any] = dataset.train.answers
        if dataset.classes == 0:
            self._answer = answers.mean(axis=0, dtype=np.float64)[:, None]
        else:
            self._answer = np.stack([(answers == kind).mean(axis=0) for kind in range(dataset.classes)], axis=-1)
        return self

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return int(self._answer.size)

    def answers(self, part: ProbePart) -> npt.NDArray[np.float64]:
        """As `gatewise.kinds.probe.answer`: (N, K, C) or (N, 1, 1)."""
        return np.broadcast_to(self._answer, (len(part), *self._answer.shape))
