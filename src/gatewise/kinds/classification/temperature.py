"""One temperature for all scores, so that a classifier is as sure as it is right. Pure functions of arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import RunError

__all__ = ["CALIBRATION_FILE", "calibration_record", "fit_temperature", "log_loss_at", "read_temperature"]

Array = npt.NDArray[np.float64]
CALIBRATION_FILE = "calibration.json"
_ABOVE, _BELOW = 1.0, 0.2
_MOST = 3.0


def log_loss_at(
    temperature: float, scores: Array, labels: npt.NDArray[np.int64], weights: npt.ArrayLike = 1.0
) -> float:
    """Mean cross-entropy in nats of scores divided by a temperature.

    Args:
        temperature: above 0.
        scores: (N, C) what the network computes before the softmax, or before each label's sigmoid.
        labels: (N,) classes, or (N, C) zeros and ones.
        weights: (N,) or (N, C) factors of the losses.

    Example:
        >>> round(log_loss_at(2.0, np.array([[2.0, 0.0]]), np.array([0])), 4)
        0.3133
    """
    scaled = scores / temperature
    if labels.ndim == 2:
        losses = np.logaddexp(0.0, np.where(labels > 0, -scaled, scaled))
    else:
        losses = np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(labels)), labels]
    return float((np.asarray(weights) * losses).mean())


def fit_temperature(scores: Array, labels: npt.NDArray[np.int64], weights: npt.ArrayLike = 1.0) -> float:
    r"""The temperature whose scores have the lowest cross-entropy on texts that were not trained on (Guo et al., 2017).

    .. math:: T = \arg\min_T \sum_n -\log softmax(y_n / T)_{label} + \frac{1}{2} (\log T / s)^2,
        s = 1 \text{ if } T > 1 \text{, else } 0.2

    The last term keeps T near 1 where texts are few: by twenty that are all classified right, any T is too great.
    Networks are sure too often where they learn from little, and being too sure costs more, so T falls below 1 only on
    the word of many texts. The order of the scores remains, and with it every answer.

    Args:
        scores: (N, C), see `log_loss_at`.
        labels: (N,) or (N, C).
        weights: factors of the losses.

    Returns:
        T, from 0.05 to 20, to five digits; 1 without texts.

    Example:
        >>> scores = np.array([[9.0, 0.0]] * 30)  # sure of the first class, which two thirds have
        >>> round(fit_temperature(scores, np.array([0, 0, 1] * 10)), 1)
        8.7
    """
    from scipy.optimize import minimize_scalar

    if not len(labels):
        return 1.0

    def penalised(logarithm: float) -> float:
        loss = log_loss_at(math.exp(logarithm), scores, labels, weights)
        return len(labels) * loss + 0.5 * (logarithm / (_ABOVE if logarithm > 0 else _BELOW)) ** 2

    found = minimize_scalar(penalised, bounds=(-_MOST, _MOST), method="bounded", options={"xatol": 1e-7})
    return float(f"{math.exp(float(found.x)):.5g}")


def calibration_record(temperature: float, scores: Array, labels: npt.NDArray[np.int64]) -> dict[str, Any]:
    """The content of ``calibration.json``: T, and the validation part's cross-entropy without and with it."""
    return {
        "format_version": 1,
        "temperature": temperature,
        "texts": len(labels),
        "log_loss_before": log_loss_at(1.0, scores, labels),
        "log_loss_after": log_loss_at(temperature, scores, labels),
    }


def read_temperature(record: Mapping[str, Any], place: object) -> float:
    """The temperature of a run.

    Raises:
        RunError: it is damaged.

    Example:
        >>> read_temperature({"temperature": 1.5}, "calibration.json")
        1.5
    """
    found = record.get("temperature")
    if not isinstance(found, float) or not 0 < found < math.inf:
        raise RunError(
            f"{place} is damaged",
            expected="temperature: a number above 0",
            got=repr(found),
            fix="restore the folder from a copy, or train again",
        )
    return found
