"""How far a forecast looks back where nobody says."""

from __future__ import annotations

from collections.abc import Sequence

from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.records import Series
from gatewise.words import plural

__all__ = ["LOOKBACK", "default_lookback"]

LOOKBACK = 60
"""Steps to forecast from where nobody says and the series are long enough."""

_DAY = 86_400


def default_lookback(series: Sequence[Series], horizon: int, spacing: Spacing) -> tuple[int, list[str]]:
    """The look-back where none is given: `LOOKBACK`, or less, so that most of a short training part can be forecast.

    Several steps of a season of a day (of hours, half-hours or quarter-hours) are forecast from a week: Mondays are no
    Sundays, and in segments of a day (`gatewise.kinds.forecasting.decoding.with_decoding`) a week is seven steps.

    Of the longest stretches without a gap in the training parts the middle one counts, of series with a window at all.
    A third of it, less the horizon, is cut to whole seasons where it has one.

    Args:
        series: split.
        horizon: H.
        spacing: of their times.

    Returns:
        (steps, notes)

    Example:
        >>> import numpy as np
        >>> short, long = (Series("", np.arange(n), np.ones((n, 1)), (n, n, n)) for n in (50, 500))
        >>> months = Spacing("even", 30.0 * 86_400, months=1)
        >>> default_lookback([short], 6, months)
        (12, ['forecasts are made from 12 steps, since the training part has only 50; --lookback sets it'])
        >>> default_lookback([long], 6, months)
        (60, [])
        >>> hours = Series("", np.arange(600), np.ones((600, 1)), (600, 600, 600))
        >>> default_lookback([hours], 24, Spacing("even", 3600.0))
        (168, [])
    """
    season = spacing.season
    wanted = LOOKBACK
    if season is not None and horizon > 1 and spacing.rule == "even" and season * spacing.step == _DAY:
        wanted = max(LOOKBACK, 7 * season)
    every = sorted(each.longest_stretch(each.borders[0]) for each in series)
    stretches = [steps for steps in every if steps > horizon] or every
    steps = stretches[len(stretches) // 2]
    found = max(1, (steps - horizon + 1) // 3)
    if found >= wanted:
        return wanted, []
    if season is not None and 1 < season <= found:
        found -= found % season
    which = "the training part has" if len(stretches) == 1 else "the middle one of the series' training parts has"
    return found, [f"forecasts are made from {plural(found, 'step')}, since {which} only {steps:,}; --lookback sets it"]
