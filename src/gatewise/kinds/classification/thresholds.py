"""From which probability on a label is answered, where a text may have several. Pure functions of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import RunError

__all__ = [
    "THRESHOLD",
    "THRESHOLDS_FILE",
    "choose_thresholds",
    "cross_fitted_thresholds",
    "read_thresholds",
    "thresholds_record",
]

Array = npt.NDArray[np.float64]
THRESHOLD = 0.5
"""The threshold where none is chosen."""
THRESHOLDS_FILE = "thresholds.json"
_LEAST = 10
_FOLDS = 5
_GRID: Array = np.round(1 / (1 + np.exp(-np.linspace(-6, 6, 97))), 4)


def choose_thresholds(chances: Array, truth: npt.ArrayLike, metric: str) -> Array:
    """The threshold of each label, (C,), that is best for a metric on given texts, by the log-odds in steps of 1/8.

    For macro-F1 each label's own F1 is maximised (S-cut: Yang, 2001). Micro-F1 is the ratio of two sums over labels;
    its maximum is found by fixing the value F, choosing for each label the greatest ``2 TP - F (predicted + true)``
    and repeating with the F that results (Dinkelbach, 1967). A label of fewer than 10 texts has the threshold that is
    best for all labels together; with exact match every label has. Figures that no threshold changes (AUROC, log
    loss) have those of micro-F1.

    Args:
        chances: (N, C) probabilities, of texts that the model was not fitted on.
        truth: (N, C) zeros and ones.
        metric: ``micro_f1``, ``macro_f1``, ``exact_match`` or another measure's name.

    Example:
        >>> chances = np.repeat([[0.1], [0.2], [0.4], [0.45]], 10, axis=0)
        >>> choose_thresholds(chances, np.repeat([[0], [0], [1], [1]], 10, axis=0), "micro_f1").round(2).tolist()
        [0.27]
    """
    true = np.asarray(truth, dtype=np.float64)
    if not len(true):
        return np.full(true.shape[1], THRESHOLD)
    if metric == "exact_match":
        return np.full(true.shape[1], _of_exact_match(chances, true))
    matching, predicted = _counts(chances, true)
    return _chosen(matching, predicted, true.sum(axis=0), metric)


def cross_fitted_thresholds(chances: Array, truth: npt.ArrayLike, metric: str) -> Array:
    """The same for each of the texts, (N, C), chosen on those of the other four fifths.

    So a part that thresholds are chosen on can still be measured: no text's answer has seen its own labels.

    Args:
        chances: (N, C) probabilities.
        truth: (N, C) zeros and ones.
        metric: see `choose_thresholds`.
    """
    true = np.asarray(truth, dtype=np.float64)
    fold = np.arange(len(true)) % _FOLDS
    found = np.full(true.shape, THRESHOLD)
    for each in range(_FOLDS):
        rest = fold != each
        if rest.any():
            found[~rest] = choose_thresholds(chances[rest], true[rest], metric)
    return found


def _counts(chances: Array, true: Array) -> tuple[Array, Array]:
    """Labels predicted from each threshold on, and those of them that are true: (97, C) each."""
    places = np.searchsorted(_GRID, chances, side="right")  # so many thresholds are reached
    labels = np.broadcast_to(np.arange(true.shape[1]), true.shape)
    size = (len(_GRID) + 1, true.shape[1])
    everything, matching = np.zeros(size), np.zeros(size)
    np.add.at(everything, (places, labels), 1.0)
    np.add.at(matching, (places, labels), true)
    return matching[::-1].cumsum(axis=0)[::-1][1:], everything[::-1].cumsum(axis=0)[::-1][1:]


def _chosen(matching: Array, predicted: Array, true: Array, metric: str) -> Array:
    """Thresholds from counts (97, C)."""
    together = _f1(matching.sum(axis=1), predicted.sum(axis=1) + true.sum())
    if metric == "macro_f1":
        own = _f1(matching, predicted + true)
        common, best = _middle(own.mean(axis=1)), [_middle(column) for column in own.T]
    else:
        common, value = _middle(together), float(together.max())
        for _ in range(50):
            gain = 2 * matching - value * (predicted + true)
            best = [_middle(column) for column in gain.T]
            chosen = np.array(best), np.arange(len(best))
            after = float(_f1(matching[chosen].sum(), predicted[chosen].sum() + true.sum()))
            if after <= value:
                break
            value = after
    places = np.where(true < _LEAST, common, best)
    return _GRID[places]


def _f1(matching: Any, both: Any) -> Array:
    return np.asarray(2 * matching / np.maximum(both, 1.0))


def _middle(figures: Array) -> int:
    """The place of the greatest figure; of equal ones the one nearest to the middle of them."""
    places = np.flatnonzero(figures >= figures.max() - 1e-12)
    return int(places[np.abs(places - places.mean()).argmin()])


def _of_exact_match(chances: Array, true: Array) -> float:
    """One threshold for all labels: above every absent label's probability, and not above a present one's."""
    low = np.searchsorted(_GRID, np.where(true > 0, 0.0, chances).max(axis=1), side="right")
    high = np.searchsorted(_GRID, np.where(true > 0, chances, 1.0).min(axis=1), side="right")
    right = [int(((low <= place) & (place < high)).sum()) for place in range(len(_GRID))]
    return float(_GRID[_middle(np.array(right, dtype=np.float64))])


def thresholds_record(names: Sequence[str], thresholds: Array, metric: str) -> dict[str, Any]:
    """The content of ``thresholds.json``."""
    return {
        "format_version": 1,
        "chosen_for": metric,
        "thresholds": dict(zip(names, thresholds.tolist(), strict=True)),
    }


def read_thresholds(record: Mapping[str, Any], names: Sequence[str], place: object) -> Array:
    """The thresholds of a run, in the order of the labels.

    Raises:
        RunError: they are damaged.
    """
    found = record.get("thresholds")
    if (
        not isinstance(found, dict)
        or set(found) != set(names)
        or not all(isinstance(value, float) and 0 < value <= 1 for value in found.values())
    ):
        raise RunError(
            f"{place} is damaged",
            expected=f"thresholds: a number above 0 and at most 1 for each of {len(names)} labels",
            fix="restore the folder from a copy, or train again",
        )
    return np.array([found[name] for name in names])
