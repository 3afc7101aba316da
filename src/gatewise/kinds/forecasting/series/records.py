"""Series ready to be forecast: records, parts in order of time, windows that cross no border."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.forms import TimeForm

__all__ = ["PARTS", "Series", "SeriesDataset", "Windows", "series_fingerprint"]

PARTS = ("train", "validation", "test")
WINDOW_RULE = (
    "the steps to be forecast are in one part; the look-back may reach into the part before, whose values are known by"
    " then"
)


@dataclass(frozen=True, eq=False)
class Series:
    """One series, or several measured together.

    Attributes:
        name: of the series; empty if it is the only one.
        times: (T,) datetime64[us] or numbers, rising.
        values: (T, C) float64, the K targets first, then the features, then the columns known for the future too.
        borders: rows at which validation and test begin; the end of the test part.
        breaks: rows after a long gap: no window crosses them.
        known: how many of the last columns are known for the future too.
        static: (S,) what is constant, encoded.

    Example:
        >>> Series("", np.arange(4.0), np.ones((4, 1)), (2, 3, 4)).rows("train")
        (0, 2)
    """

    name: str
    times: npt.NDArray[Any]
    values: npt.NDArray[np.float64]
    borders: tuple[int, int, int]
    breaks: tuple[int, ...] = ()
    known: int = 0
    static: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def rows(self, part: str) -> tuple[int, int]:
        """First row of a part and the row after its last."""
        edges = (0, *self.borders)
        place = PARTS.index(part)
        return edges[place], edges[place + 1]

    def origins(self, part: str, lookback: int, horizon: int) -> npt.NDArray[np.int64]:
        """Rows from which to forecast: the last known row of each window whose future is in the part.

        Example:
            >>> Series("", np.arange(9.0), np.ones((9, 1)), (5, 7, 9)).origins("test", 3, 2).tolist()
            [6]
        """
        start, end = self.rows(part)
        found = np.arange(max(start, lookback) - 1, end - horizon, dtype=np.int64)
        for row in self.breaks:
            found = found[(found + horizon < row) | (found - lookback + 1 >= row)]
        return found

    def longest_stretch(self, end: int) -> int:
        """The most rows in a row without a gap, of those before row ``end``.

        Example:
            >>> Series("", np.arange(9.0), np.ones((9, 1)), (5, 7, 9), breaks=(6,)).longest_stretch(9)
            6
        """
        return int(np.diff([0, *(row for row in self.breaks if row < end), end]).max())


class Windows(NamedTuple):
    """Windows in order of time: (N,) index of the series, (N,) row of the last known step."""

    series: npt.NDArray[np.int64]
    origins: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SeriesDataset:
    """Checked series, split in order of time.

    Attributes:
        name: registry name or file name.
        source: where the records came from, in a sentence.
        split_note: what the test part is, in a sentence.
        fingerprint: SHA-256 of all values, times, borders, horizon and look-back.
        notes: what was dropped, filled or repaired, a sentence each.
        targets: names of the K columns to forecast.
        features: names of the further columns.
        series: the series.
        horizon: steps to forecast.
        lookback: steps to forecast from.
        spacing: of the steps.
        season: steps of a season, for the seasonal naive forecast.
        form: how times were written.
        time: the column of the times, or several with commas between them; None: rows follow each other.
        covariates: the columns that are known for the future too, and the constant ones.
        thousands: the mark between the thousands of its numbers; None: none.
    """

    name: str
    source: str
    split_note: str
    fingerprint: str
    notes: tuple[str, ...]
    targets: tuple[str, ...]
    features: tuple[str, ...]
    series: tuple[Series, ...]
    horizon: int
    lookback: int
    spacing: Spacing
    season: int
    form: TimeForm = field(default_factory=lambda: TimeForm("number"))
    time: str | None = None
    covariates: Covariates = field(default_factory=Covariates)
    thousands: str | None = None

    @cached_property
    def _windows(self) -> dict[str, Windows]:
        return {part: self._find(part) for part in PARTS}

    def windows(self, part: str) -> Windows:
        """All windows of a part, ordered by the time of their last known step, then by series.

        Args:
            part: ``train``, ``validation`` or ``test``.
        """
        return self._windows[part]

    def _find(self, part: str) -> Windows:
        rows = [each.origins(part, self.lookback, self.horizon) for each in self.series]
        places = np.concatenate([np.full(len(row), place, dtype=np.int64) for place, row in enumerate(rows)])
        origins = np.concatenate(rows)
        times = np.concatenate([each.times[row] for each, row in zip(self.series, rows, strict=True)])
        order = np.argsort(times, kind="stable")
        return Windows(places[order], origins[order])

    @property
    def sizes(self) -> dict[str, int]:
        """Windows of each part."""
        return {part: len(self.windows(part).origins) for part in PARTS}

    def truth(self, windows: Windows) -> npt.NDArray[np.float64]:
        """The steps after each window: (N, H, K)."""
        steps = np.arange(1, self.horizon + 1)
        return self._cut(windows, steps)[:, :, : len(self.targets)]

    def past(self, windows: Windows) -> npt.NDArray[np.float64]:
        """The inputs of each window: (N, lookback, C)."""
        return self._cut(windows, np.arange(1 - self.lookback, 1))

    def ahead(self, windows: Windows) -> npt.NDArray[np.float64]:
        """What is known of the steps after each window: (N, H, columns known for the future)."""
        start = len(self.targets) + len(self.features)
        return self._cut(windows, np.arange(1, self.horizon + 1))[:, :, start:]

    def static(self, windows: Windows) -> npt.NDArray[np.float64]:
        """What is constant in the series of each window: (N, S)."""
        return np.stack([each.static for each in self.series])[windows.series]

    def _cut(self, windows: Windows, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        found = np.empty((len(windows.origins), len(steps), self.series[0].values.shape[1]))
        for place, each in enumerate(self.series):
            chosen = windows.series == place
            found[chosen] = each.values[windows.origins[chosen][:, None] + steps]
        return found


def series_fingerprint(series: Sequence[Series], columns: Sequence[str], horizon: int, lookback: int) -> str:
    """SHA-256 of everything that training and evaluation depend on.

    Example:
        >>> one = Series("", np.arange(4.0), np.ones((4, 1)), (2, 3, 4))
        >>> series_fingerprint([one], ["x"], 1, 1) == series_fingerprint([one], ["x"], 1, 2)
        False
    """
    digest = hashlib.sha256()
    for each in series:
        head = [each.name, each.borders, each.breaks, list(columns), horizon, lookback, each.values.shape]
        digest.update(json.dumps(head).encode())
        digest.update(np.ascontiguousarray(each.times).tobytes())
        digest.update(np.ascontiguousarray(each.values).tobytes())
        if each.known or each.static.size:
            digest.update(json.dumps([each.known, each.static.tolist()]).encode())
    return digest.hexdigest()
