"""The linear model: a recording as the means of a few stretches of its frames, and logistic regression. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gatewise.kinds.speech.features import Frames

__all__ = ["SegmentModel", "segment_means"]


def segment_means(frames: Frames, count: int) -> npt.NDArray[np.float32]:
    """The means of ``count`` equal stretches of frames (T, M), side by side: (count * M,).

    Example:
        >>> segment_means(np.arange(4, dtype=np.float32)[:, None], 2).tolist()
        [0.5, 2.5]
    """
    edges = np.linspace(0, len(frames), count + 1)
    rows = [frames[int(low) : max(int(np.ceil(high)), int(low) + 1)].mean(axis=0) for low, high in pairwise(edges)]
    return np.concatenate(rows).astype(np.float32)


class SegmentModel:
    """Logistic regression on segment means, standardised.

    Args:
        segments: stretches of a recording.
        inverse_regularisation: C.
    """

    def __init__(self, segments: int = 5, inverse_regularisation: float = 0.1) -> None:
        self.segments, self.inverse_regularisation = segments, inverse_regularisation

    def fit(self, frames: Sequence[Frames], texts: Sequence[str]) -> SegmentModel:
        """Fit on normalised frames (T, M) with their texts."""
        from sklearn.linear_model import LogisticRegression

        table = self._table(frames)
        self._mean, self._spread = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-3)
        self._model = LogisticRegression(C=self.inverse_regularisation, max_iter=300)
        self._model.fit((table - self._mean) / self._spread, np.asarray(texts, dtype=object).astype(str))
        return self

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return int(self._model.coef_.size + self._model.intercept_.size)

    def predict(self, frames: Sequence[Frames]) -> list[str]:
        """The text of each recording."""
        if not len(frames):
            return []
        return [str(each) for each in self._model.predict((self._table(frames) - self._mean) / self._spread)]

    def _table(self, frames: Sequence[Frames]) -> npt.NDArray[np.float32]:
        return np.stack([segment_means(each, self.segments) for each in frames])
