"""The baseline of every recurrent text classifier: TF-IDF with logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.data.scripts import SPACELESS, spaceless_script

__all__ = ["TfidfLogisticRegression", "longest_phrase", "minimum_texts"]


def longest_phrase(texts: Sequence[str]) -> int:
    """Words of the longest phrase by default: 2; in scripts without spaces, where words are characters, 3."""
    return 2 if spaceless_script(texts) is None else 3


def minimum_texts(texts: Sequence[str]) -> int:
    """How many texts have to contain a phrase by default: 3; of fewer than 5,000 texts 1.

    Phrases of one or two texts hardly generalise; small data have no others.
    """
    return 3 if len(texts) >= 5_000 else 1


class TfidfLogisticRegression:
    """Words and pairs of words, weighted by rarity, into a linear model.

    Each text is a vector of (1 + ln count) * idf over its words and pairs of neighbouring words, of length 1; the
    classes' scores are linear in it (Wang and Manning, 2012, show how hard this is to beat on reviews). In scripts
    without spaces between words (`gatewise.data.scripts`) the words are characters, in runs of up to three.

    Args:
        inverse_regularisation: C, the weight of the data against the squared weights.
        longest_phrase: words of the longest phrase; None: see `longest_phrase`.
        minimum_texts: phrases of fewer texts are left out; None: see `minimum_texts`.

    Example:
        >>> texts = ["good film", "fine film", "bad film", "poor film"] * 2
        >>> model = TfidfLogisticRegression().fit(texts, [1, 1, 0, 0] * 2)
        >>> model.predict_proba(["a good one"]).argmax().item()
        1
    """

    def __init__(
        self,
        inverse_regularisation: float = 10.0,
        longest_phrase: int | None = None,
        minimum_texts: int | None = None,
    ) -> None:
        self.inverse_regularisation = inverse_regularisation
        self.longest_phrase = longest_phrase
        self.minimum_texts = minimum_texts

    def fit(self, texts: Sequence[str], labels: npt.ArrayLike) -> TfidfLogisticRegression:
        """Fit on texts and labels (N,), indices 0 to C-1; or (N, C) zeros and ones, then one model for each label."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier

        pattern = r"\w+|[^\w\s]"
        if spaceless_script(texts) is not None:
            pattern = rf"[{SPACELESS}]|(?:(?![{SPACELESS}])\w)+|[^\w\s]"
        longest = longest_phrase(texts) if self.longest_phrase is None else self.longest_phrase
        rare = minimum_texts(texts) if self.minimum_texts is None else self.minimum_texts
        self._vectoriser: Any = TfidfVectorizer(
            ngram_range=(1, longest), sublinear_tf=True, min_df=rare, token_pattern=pattern, dtype=np.float32
        )
        features = self._vectoriser.fit_transform(texts)
        linear = LogisticRegression(C=self.inverse_regularisation, max_iter=200)
        self._model: Any = OneVsRestClassifier(linear) if np.ndim(labels) == 2 else linear
        # a single label: scikit-learn takes its column for two classes, and gives a probability of each
        self._single = np.ndim(labels) == 2 and np.shape(labels)[1] == 1
        self._model.fit(features, np.asarray(labels))
        return self

    @property
    def parameters(self) -> int:
        """Weights and biases of the fitted linear model."""
        models = getattr(self._model, "estimators_", [self._model])
        return sum(int(each.coef_.size + each.intercept_.size) for each in models if hasattr(each, "coef_"))

    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Probabilities (N, C)."""
        chances = self._model.predict_proba(self._vectoriser.transform(texts))
        return np.asarray(chances[:, -1:] if self._single else chances, dtype=np.float64)
