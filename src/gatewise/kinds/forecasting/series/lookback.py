"""How far a forecast looks back where nobody says."""

from __future__ import annotations

from collections.abc import Sequence

from gatewise.kinds.forecasting.series.records import Series
from gatewise.words import plural

__all__ = ["LOOKBACK", "default_lookback"]

LOOKBACK = 60
"""Steps to forecast from where nobody says and the series are long enough."""


def default_lookback(series: Sequence[Series], horizon: int, season: int | None) -> tuple[int, list[str]]:
    """The look-back where none is given: `LOOKBACK`, or less, so that most of a short training part can be forecast.

    Of the longest stretches without a gap in the training parts the middle one counts, of series with a window at all.
    A third of it, less the horizon, is cut to whole seasons where it has one.

    Args:
        series: split.
        horizon: H.
        season: steps of a season; None: not known.

    Returns:
        (steps, notes)

    Example:
        >>> import numpy as np
        >>> short, long = (Series("", np.arange(n), np.ones((n, 1)), (n, n, n)) for n in (50, 500))
        >>> default_lookback([short], 6, 12)
        (12, ['forecasts are made from 12 steps, since the training part has only 50; --lookback sets it'])
        >>> default_lookback([long], 6, 12)
        (60, [])
    """
    every = sorted(each.longest_stretch(each.borders[0]) for each in series)
    stretches = [steps for steps in every if steps > horizon] or every
    steps = stretches[len(stretches) // 2]
    found = max(1, (steps - horizon + 1) // 3)
    if found >= LOOKBACK:
        return LOOKBACK, []
    if season is not None and 1 < season <= found:
        found -= found % season
    which = "the training part has" if len(stretches) == 1 else "the middle one of the series' training parts has"
    return found, [f"forecasts are made from {plural(found, 'step')}, since {which} only {steps:,}; --lookback sets it"]
