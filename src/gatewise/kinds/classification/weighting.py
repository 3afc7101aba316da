"""How much each training text counts in the training loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from gatewise.data import Labels
from gatewise.data.duplicates import token_key
from gatewise.errors import DataError

__all__ = ["kept_weights", "positive_weights", "training_weights"]

Weights = npt.NDArray[np.float64]
_MOST_POSITIVE = 100.0


def training_weights(
    labels: Labels, classes: int, class_weight: str | None = None, weights: Weights | None = None
) -> Weights | None:
    r"""The factor of each training text's loss; their mean is 1, so that the learning rate keeps its meaning.

    .. math:: w_i \propto s_i \cdot \frac{1}{n_{y_i}}

    with the text's own weight s and, if balanced, the number n of texts of its class (each weighted with s).

    Args:
        labels: (N,) classes of the training texts; of (N, C) labels only the texts' own weights count here.
        classes: how many there are.
        class_weight: ``balanced``; ``none`` or None: the classes count as often as they come.
        weights: (N,) of the texts; None: all the same.

    Returns:
        (N,), or None where all are 1.

    Example:
        >>> training_weights(np.array([0, 0, 0, 1]), 2, "balanced").round(3).tolist()
        [0.667, 0.667, 0.667, 2.0]
    """
    balanced = class_weight == "balanced"
    if weights is None and not balanced:
        return None
    if labels.ndim == 2 and weights is None:
        return None
    found: Weights = np.ones(len(labels)) if weights is None else np.array(weights, dtype=np.float64)
    if balanced and labels.ndim == 1:
        sizes = np.bincount(labels, weights=found, minlength=classes)
        found = found / np.where(sizes > 0, sizes, 1.0)[labels]
    found /= found.mean()
    return found


def positive_weights(labels: Labels, class_weight: str | None = None) -> Weights | None:
    """The factor of each label's loss where it is there: texts without it by texts with it, at most 100.

    Args:
        labels: (N, C) of the training texts.
        class_weight: ``balanced``; ``none`` or None: 1.

    Returns:
        (C,), or None where all are 1.

    Example:
        >>> positive_weights(np.array([[1, 0], [0, 0], [1, 1], [0, 0]]), "balanced").tolist()
        [1.0, 3.0]
    """
    if class_weight != "balanced":
        return None
    there = labels.sum(axis=0)
    found: Weights = np.minimum((len(labels) - there) / np.maximum(there, 1), _MOST_POSITIVE)
    return found


def kept_weights(given: Iterable[float] | None, texts: Sequence[str], kept: Sequence[str]) -> Weights | None:
    """The weights of the texts that are trained on; those of a text that came several times are added.

    Args:
        given: a weight for each text.
        texts: as they were given.
        kept: those to train on.

    Raises:
        DataError: not one finite number of at least 0 for each text, or nothing but zeros.

    Example:
        >>> kept_weights([1, 2, 0.5], ["a", "b", "a"], ["a", "b"]).tolist()
        [1.5, 2.0]
    """
    if given is None:
        return None
    try:
        weights = np.asarray(given if hasattr(given, "__array__") else list(given), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            "sample_weight is not a list of numbers", got=str(error), expected="a number per text"
        ) from error
    if weights.shape != (len(texts),):
        raise DataError(
            "sample_weight and texts do not fit", expected=f"{len(texts)} numbers", got=f"shape {weights.shape}"
        )
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise DataError(
            f"sample_weight has a value that is no weight at place {wrong[0]}",
            expected="a finite number of at least 0",
            got=weights[wrong[0]],
        )
    sums: dict[str, float] = {}
    for text, weight in zip(texts, weights.tolist(), strict=True):
        key = token_key(text)
        sums[key] = sums.get(key, 0.0) + weight
    found = np.array([sums[token_key(text)] for text in kept])
    if not found.sum() > 0:
        raise DataError("all training texts have the weight 0", expected="at least one weight above 0")
    return found
