"""Up to when a network has seen a series: what comes later is new to it. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import RunError
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.records import SeriesDataset

__all__ = ["seen_rows", "until_times", "until_words"]


def until_words(dataset: SeriesDataset) -> dict[str, Any]:
    """The last time of each series that is learnt from or chosen by, ready for JSON."""
    found = {}
    for each in dataset.series:
        last = dataset.form.instants(each.times[max(each.borders[1] - 1, 0) :][:1])[0]
        found[each.name] = str(last) if isinstance(last, np.datetime64) else float(last)
    return found


def until_times(record: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Read what `until_words` gave; nothing where a run is older than it.

    Raises:
        RunError: it is damaged.

    Example:
        >>> until_times({"until": {"": "2026-01-31"}}, "scaler.json")
        {'': np.datetime64('2026-01-31')}
    """
    written = record.get("until", {})
    try:
        return {
            str(name): np.datetime64(last) if isinstance(last, str) else float(last) for name, last in written.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise RunError(f"{place} is damaged", expected="the last time of each series") from error


def seen_rows(until: Mapping[str, Any], name: str, times: npt.NDArray[Any], form: TimeForm) -> npt.NDArray[np.bool_]:
    """Which rows a network has seen: none of a series that it does not know.

    Args:
        until: by name of the series.
        name: of the series.
        times: (T,) by the form's clock.
        form: how the times are written.

    Example:
        >>> days = np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[us]")
        >>> seen_rows({"": np.datetime64("2026-01-01")}, "", days, TimeForm()).tolist()
        [True, False]
    """
    last = until.get(name)
    if last is None or isinstance(last, np.datetime64) != (times.dtype.kind == "M"):
        return np.zeros(len(times), dtype=bool)
    return np.asarray(form.instants(times) <= last)
