"""Transforms and scalings of the values, fitted on the training part alone, and their inverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, RunError
from gatewise.kinds.forecasting.series.records import Series

__all__ = ["Scaling", "fit_scaling", "inverse_transform", "transformed"]

Array = npt.NDArray[np.float64]
_NEARLY_NONE = 1e-12
"""Deviation of a constant, as a share of it: not 0, by which nothing could be divided should it change."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """Numbers fitted on the training part of one series.

    Attributes:
        mean: (C,) of what the network reads: transformed targets, then features, then the columns known for the
            future; 0 for those of the last that hold zeros and ones.
        deviation: (C,) standard deviation of the same; 1 where it is 0, and where the mean is 0 by rule; next to
            nothing for a target that never changes of a series that was not trained on.
        target_mean: (K,) of the targets' values.
        target_deviation: (K,) of the targets' values; 1 where it is 0.
        low: (K,) least value of each target.
        high: (K,) greatest.
        naive_error: (K,) mean absolute difference of neighbouring values (Hyndman and Koehler, 2006), none of them
            across a gap: the unit of the scaled error.
    """

    mean: Array
    deviation: Array
    target_mean: Array
    target_deviation: Array
    low: Array
    high: Array
    naive_error: Array

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists, ready for JSON."""
        return {name: value.tolist() for name, value in self.__dict__.items()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str) -> Scaling:
        """Read what `to_dict` gave.

        Raises:
            RunError: a value is missing or not finite.
        """
        try:
            found = {name: np.array(record[name], dtype=np.float64) for name in cls.__annotations__}
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{place} is damaged", expected="the scaling of each series") from error
        if not all(value.ndim == 1 and np.isfinite(value).all() for value in found.values()):
            raise RunError(f"{place} is damaged", expected="finite numbers")
        return cls(**found)


def transformed(
    values: Array, targets: int, transform: str, place: str = "the series", breaks: Sequence[int] = ()
) -> Array:
    """Transform the targets of (T, C) values; features stay as they are.

    ::

        value:       z_t = y_t
        difference:  z_t = y_t - y_(t-1)
        log-return:  z_t = ln(y_t / y_(t-1))

    The first row, and the first after a gap, has no row right before it: its difference counts as 0.

    Args:
        values: (T, C).
        targets: K, the leading columns to transform.
        transform: ``value``, ``difference`` or ``log-return``.
        place: which series it is, for messages.
        breaks: rows after a long gap, as in `Series`.

    Raises:
        DataError: a logarithm of a value that is not positive.

    Example:
        >>> transformed(np.array([[1.0], [3.0], [2.0]]), 1, "difference").ravel().tolist()
        [0.0, 2.0, -1.0]
        >>> transformed(np.array([[1.0], [3.0], [9.0]]), 1, "difference", breaks=[2]).ravel().tolist()
        [0.0, 2.0, 0.0]
    """
    if transform == "value":
        return values
    found = values.copy()
    inner = values[:, :targets]
    if transform == "log-return":
        if (inner <= 0).any():
            row = int((inner <= 0).any(axis=1).argmax())
            raise DataError(
                f"{place} has a value that is not positive at step {row + 1}",
                expected="positive values, for --transform log-return",
                got=f"{inner[row].min():g}",
                fix="use --transform difference or value",
            )
        inner = np.log(inner)
    found[0, :targets] = 0.0
    found[1:, :targets] = np.diff(inner, axis=0)
    found[[row for row in breaks if row < len(found)], :targets] = 0.0
    return found


def inverse_transform(steps: Array, last: Array, transform: str) -> Array:
    """From forecasts of transformed values to values.

    Args:
        steps: (N, H, K) transformed values of the future, step after step.
        last: (N, K) the last known values.
        transform: as in `transformed`.

    Returns:
        (N, H, K) values.

    Example:
        >>> inverse_transform(np.array([[[2.0], [-1.0]]]), np.array([[1.0]]), "difference").ravel().tolist()
        [3.0, 2.0]
    """
    if transform == "value":
        return steps
    summed = np.cumsum(steps, axis=1)
    if transform == "difference":
        return np.asarray(last[:, None] + summed)
    return np.asarray(last[:, None] * np.exp(summed))


def fit_scaling(
    series: Series, targets: int, transform: str, flags: Sequence[bool] | None = None, *, foreign: bool = False
) -> Scaling:
    """Fit on the training rows of a series; differences across a gap are excluded.

    Args:
        series: the series; rows from the validation part on are not read.
        targets: K.
        transform: as in `transformed`.
        flags: which of the columns known for the future hold zeros and ones, and stay as they are; None: those that
            hold nothing else in the training rows of this series.
        foreign: whether the network was trained on other series. What it adds to the level of this one, learned from
            the others, is in this one's deviations; where a target never changes that is next to nothing, and not 1 of
            whatever unit it is measured in.

    Example:
        >>> one = Series("", np.arange(4.0), np.array([[1.0], [3.0], [9.0], [9.0]]), (2, 3, 4))
        >>> scaling = fit_scaling(one, 1, "value")
        >>> scaling.mean.tolist(), scaling.deviation.tolist(), scaling.naive_error.tolist()
        ([2.0], [1.0], [2.0])
    """
    values = series.values[: series.borders[0]]
    gaps = [row for row in series.breaks if 0 < row < len(values)]
    place = f"the series {series.name!r}" if series.name else "the series"
    read = transformed(values, targets, transform, place, gaps)
    if transform != "value":
        read = np.delete(read, gaps, axis=0)
    inner = values[:, :targets]
    moves = np.delete(np.abs(np.diff(inner, axis=0)), [row - 1 for row in gaps], axis=0)
    naive = moves.mean(axis=0) if len(moves) else np.zeros(targets)
    mean, deviation = read.mean(axis=0), _not_zero(read.std(axis=0))
    known = values[:, values.shape[1] - series.known :]
    fixed = np.isin(known, (0.0, 1.0)).all(axis=0) if flags is None else np.array(flags, dtype=bool)
    first = values.shape[1] - series.known
    mean[first:][fixed], deviation[first:][fixed] = 0.0, 1.0
    if foreign:
        constant = np.ptp(read[:, :targets], axis=0) == 0
        size = np.abs(inner[0, constant]) if transform != "log-return" else np.ones(constant.sum())
        deviation[:targets][constant] = _NEARLY_NONE * np.where(size > 0, size, 1.0)
        mean[:targets][constant] = read[0, :targets][constant]
    return Scaling(
        mean=mean,
        deviation=deviation,
        target_mean=inner.mean(axis=0),
        target_deviation=_not_zero(inner.std(axis=0)),
        low=inner.min(axis=0),
        high=inner.max(axis=0),
        naive_error=naive,
    )


def _not_zero(deviation: Array) -> Array:
    return np.where(deviation > 1e-12, deviation, 1.0)
