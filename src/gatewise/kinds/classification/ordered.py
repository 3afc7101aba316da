"""Labels that are numbers, as scores from 1 to 5: how far answers are off, beside accuracy. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.statistics import MeanAbsoluteError, Measure, QuadraticKappa, estimate_figure, kappa_contributions

if TYPE_CHECKING:
    from gatewise.data.records import TextDataset
    from gatewise.record import ModelEntry

__all__ = ["numbers_of", "ordered_contributions", "ordered_figures", "ordered_models", "ordered_values"]

_LEAST = 3
Labels = npt.NDArray[np.int64]


def numbers_of(names: Sequence[str]) -> tuple[float, ...] | None:
    """Labels as numbers; None: one is none, two are the same, or they are fewer than three.

    Example:
        >>> numbers_of(["1", "10", "2"]), numbers_of(["0.5", "1", "1.5"]), numbers_of(["0", "1"])
        ((1.0, 10.0, 2.0), (0.5, 1.0, 1.5), None)
    """
    found = []
    for name in names:
        try:
            value = float(name)
        except ValueError:
            return None
        if not math.isfinite(value) or "_" in name:
            return None
        found.append(value)
    return tuple(found) if len(set(found)) == len(found) >= _LEAST else None


def ordered_values(names: Sequence[str]) -> tuple[float, ...] | None:
    """Labels as numbers where all are whole ones: their order is then reported without being asked for.

    Example:
        >>> ordered_values(["1", "2", "3"]), ordered_values(["0.5", "1", "1.5"])
        ((1.0, 2.0, 3.0), None)
    """
    found = numbers_of(names)
    return found if found is not None and all(value.is_integer() for value in found) else None


def ordered_contributions(measure: Measure, values: Sequence[float], truth: Labels, answers: Labels) -> Any:
    """What texts contribute to a figure of ordered labels: (N,) for the mean absolute error, (N, 6) for kappa.

    Args:
        measure: one of the two.
        values: the number of each class.
        truth: (N,) true classes.
        answers: (N,) answered ones.

    Example:
        >>> ordered_contributions(MeanAbsoluteError(), (1, 2, 4), np.array([0, 2]), np.array([1, 2])).tolist()
        [1.0, 0.0]
    """
    table = np.asarray(values, dtype=np.float64)
    first, second = table[truth], table[answers]
    if measure.name == "mean_absolute_error":
        return np.abs(first - second)
    return kappa_contributions(first, second)


def ordered_figures(
    names: Sequence[str],
    truth: Labels,
    answers: npt.NDArray[np.int64],
    groups: Labels | None = None,
    *,
    intervals: bool = True,
) -> dict[str, Any]:
    """Mean absolute error and quadratic weighted kappa where labels are whole numbers, else nothing.

    Args:
        names: of the classes.
        truth: (N,) true classes.
        answers: (N,), or (S, N) of several seeds.
        groups: (N,) of texts that are one example; None: each is one.
        intervals: whether to add 95 % intervals as ``intervals``.

    Example:
        >>> found = ordered_figures(["1", "2", "3"], np.array([0, 1, 2]), np.array([0, 1, 1]), intervals=False)
        >>> {name: round(value, 3) for name, value in found.items()}
        {'mean_absolute_error': 0.333, 'quadratic_kappa': 0.667}
        >>> ordered_figures(["a", "b", "c"], np.array([0]), np.array([0]))
        {}
    """
    values = ordered_values(names)
    if values is None:
        return {}
    rows = np.atleast_2d(answers)
    found: dict[str, Any] = {}
    ends: dict[str, list[float]] = {}
    for measure in (MeanAbsoluteError(values=values), QuadraticKappa(values=values)):
        table = np.stack([ordered_contributions(measure, values, truth, row) for row in rows])
        found[measure.name] = float(np.mean([measure.of(each) for each in table]))
        if intervals and len(truth) > 1:
            estimate = estimate_figure(table, measure.over_groups(groups), np.random.default_rng(0))
            ends[measure.name] = [estimate.interval.low, estimate.interval.high]
    return {**found, "intervals": ends} if ends else found


def ordered_models(models: Sequence[ModelEntry], dataset: TextDataset) -> dict[str, Mapping[str, Any]]:
    """The figures of every model of a comparison with intervals over its seeds and the test texts; nothing: no order.

    Args:
        models: of the record.
        dataset: texts and labels.
    """
    if ordered_values(dataset.label_names) is None:
        return {}
    truth, groups = np.asarray(dataset.test.labels), dataset.test.groups
    return {
        model.name: ordered_figures(
            dataset.label_names, truth, np.array([run.predictions["predicted"] for run in model.runs]), groups
        )
        for model in models
        if all("predicted" in run.predictions for run in model.runs)
    }
