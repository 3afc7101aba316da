"""Forecasting: windows of series in, their future out; baselines and figures for networks and baselines alike."""

from __future__ import annotations

from gatewise.kinds.forecasting.kind import ForecastingKind
from gatewise.kinds.forecasting.spec import ForecastModelSpec, SeriesSpec

__all__ = ["KIND", "ForecastModelSpec", "ForecastingKind", "SeriesSpec"]

KIND = ForecastingKind()
