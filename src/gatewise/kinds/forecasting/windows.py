"""Series as tensors: transformed, scaled, concatenated, so that a batch of windows is one gather."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.kinds.forecasting.series.records import Series, Windows
from gatewise.kinds.forecasting.series.scaling import Scaling, inverse_transform, transformed

__all__ = ["ScaledSeries"]

Array = npt.NDArray[np.float64]


class ScaledSeries:
    """What a network reads of several series.

    Args:
        series: the series.
        scalings: one per series, fitted on its training part.
        targets: K.
        transform: ``value``, ``difference`` or ``log-return``.
        lookback: T.
        horizon: H.
        device: where windows are gathered.

    Example:
        >>> from gatewise.kinds.forecasting.series.scaling import fit_scaling
        >>> one = Series("", np.arange(6.0), np.arange(6.0)[:, None], (4, 5, 6))
        >>> scaled = ScaledSeries([one], [fit_scaling(one, 1, "value")], 1, "value", lookback=2, horizon=1)
        >>> windows = Windows(np.array([0]), np.array([2]))
        >>> past, future = scaled.gather(windows, np.array([0]))
        >>> past.shape, future.shape
        (torch.Size([2, 1, 1]), torch.Size([1, 1, 1]))
    """

    def __init__(
        self,
        series: Sequence[Series],
        scalings: Sequence[Scaling],
        targets: int,
        transform: str,
        *,
        lookback: int,
        horizon: int,
        device: str = "cpu",
    ) -> None:
        self.targets, self.transform, self.lookback, self.horizon = targets, transform, lookback, horizon
        read = [
            (transformed(each.values, targets, transform, each.name, each.breaks) - scaling.mean) / scaling.deviation
            for each, scaling in zip(series, scalings, strict=True)
        ]
        self._offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in read])])
        self._values = torch.from_numpy(np.concatenate(read).astype(np.float32)).to(device)
        self._steps = torch.arange(1 - lookback, horizon + 1, device=device)
        self._series = series
        self.known = series[0].known
        self._static = torch.from_numpy(np.stack([each.static for each in series]).astype(np.float32)).to(device)
        self._mean = np.stack([scaling.mean[:targets] for scaling in scalings])
        self._deviation = np.stack([scaling.deviation[:targets] for scaling in scalings])

    def _rows(self, windows: Windows, chosen: npt.NDArray[np.int64]) -> Tensor:
        rows = self._offsets[windows.series[chosen]] + windows.origins[chosen]
        return torch.from_numpy(rows).to(self._values.device)

    def gather(self, windows: Windows, chosen: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Past and future of some windows.

        Args:
            windows: the windows.
            chosen: (B,) which of them.

        Returns:
            (T, B, C + S) inputs and (H, B, K) targets.
        """
        found = self._values[self._rows(windows, chosen)[None] + self._steps[:, None]]
        return self._with_static(found[: self.lookback], windows, chosen), found[self.lookback :, :, : self.targets]

    def past(self, windows: Windows, chosen: npt.NDArray[np.int64]) -> Tensor:
        """(T, B, C + S) of some windows; what comes after them is not read."""
        found = self._values[self._rows(windows, chosen)[None] + self._steps[: self.lookback, None]]
        return self._with_static(found, windows, chosen)

    def ahead(self, windows: Windows, chosen: npt.NDArray[np.int64]) -> Tensor | None:
        """(H, B, known columns) of the steps after some windows; None where nothing is known of them."""
        if not self.known:
            return None
        rows = self._rows(windows, chosen)[None] + self._steps[self.lookback :, None]
        return self._values[:, -self.known :][rows]

    def _with_static(self, past: Tensor, windows: Windows, chosen: npt.NDArray[np.int64]) -> Tensor:
        if not self._static.shape[1]:
            return past
        static = self._static[torch.from_numpy(windows.series[chosen]).to(past.device)]
        return torch.cat([past, static.expand(len(past), -1, -1)], dim=2)

    def last(self, windows: Windows) -> Array:
        """(N, K) the last known values, not transformed."""
        found = np.empty((len(windows.origins), self.targets))
        for place, each in enumerate(self._series):
            chosen = windows.series == place
            found[chosen] = each.values[windows.origins[chosen], : self.targets]
        return found

    def values(self, forecasts: Array, windows: Windows) -> Array:
        """From scaled forecasts (N, H, K) to values (N, H, K)."""
        mean, deviation = self._mean[windows.series][:, None], self._deviation[windows.series][:, None]
        return inverse_transform(forecasts * deviation + mean, self.last(windows), self.transform)
