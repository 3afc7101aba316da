"""Series and columns that never change in the training part: what is said of them, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.records import Series
from gatewise.words import plural

__all__ = ["changing_series"]

_SHOWN = 5


def changing_series(
    series: Sequence[Series], targets: Sequence[str], features: Sequence[str]
) -> tuple[list[Series], list[str]]:
    """The series all of whose targets change in the training part, and notes on what does not.

    Args:
        series: split.
        targets: names of the leading columns.
        features: names of the others.

    Raises:
        DataError: none changes; the message says at which value, and what forecast that is.

    Example:
        >>> flat = Series("a", np.arange(4.0), np.array([[1.0], [1], [1], [4]]), (3, 4, 4))
        >>> wave = Series("b", np.arange(4.0), np.array([[1.0], [2], [1], [4]]), (3, 4, 4))
        >>> changing_series([flat, wave], ["x"], [])[1]
        ['left out, with a target that never changes in the training part; their forecast is its last value: a']
    """
    still = {id(each): _constant(each, (*targets, *features)) for each in series}
    found = [each for each in series if not set(still[id(each)]) & set(targets)]
    if not found:
        raise _refused(series[0], targets, still[id(series[0])], len(series))
    notes: list[str] = []
    dead: list[str] = []
    if len(found) < len(series):
        left = _listed([each.name for each in series if all(each is not other for other in found)])
        notes.append(
            f"left out, with a target that never changes in the training part; their forecast is its last value: {left}"
        )
    for place, name in enumerate(features, start=len(targets)):
        constant = [each for each in found if name in still[id(each)]]
        later = [each.name for each in constant if len(np.unique(each.values[:, place])) > 1]
        if later:
            where = "" if len(found) == 1 else f" of {_listed(later)}"
            notes.append(
                f"the column {name!r}{where} never changes in the training part, but after it: it has a scale of 1, "
                "so it is read in its own unit, and nothing is learnt of such changes"
            )
        elif len(constant) == len(found):
            dead.append(name)
    if dead:
        notes.append(f"never change in the training part: {', '.join(dead)}")
    return found, notes


def _constant(series: Series, columns: Sequence[str]) -> list[str]:
    rows = series.values[: series.borders[0]]
    return [name for name, column in zip(columns, rows.T, strict=True) if column.min() == column.max()]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")


def _refused(series: Series, targets: Sequence[str], still: Sequence[str], count: int) -> DataError:
    """The error for series of which none changes, by the first of them."""
    name = next(name for name in still if name in targets)
    place, end = list(targets).index(name), series.borders[0]
    value = f"{series.values[0, place]:g}"
    where = f" of {series.name!r} (and of all {count} series)" if count > 1 else ""
    later = np.flatnonzero(series.values[end:, place] != series.values[0, place])
    others = [each for each in targets if each not in still]
    instead = f"; or forecast the others: --target {','.join(others)}" if others else ""
    if len(later):
        return DataError(
            f"the target {name!r}{where} never changes in the training part: it is {value} in all its "
            f"{plural(end, 'step')}, and changes only {plural(int(later[0]) + 1, 'step')} later",
            expected="a target that changes in the training part",
            fix=f"give more rows in which it changes; from what is there the forecast is its last value{instead}",
        )
    return DataError(
        f"the series is constant: the target {name!r}{where} never changes in the training part, nor after it",
        expected="a target that changes",
        got=f"{value} in all {plural(len(series.values), 'step')}",
        fix=f"nothing is to be learnt, and no network needed: the forecast of every step is {value}{instead}",
    )
