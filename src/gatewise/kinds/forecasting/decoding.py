"""How the future is decoded where nobody says. Imports no torch."""

from __future__ import annotations

from dataclasses import replace

from gatewise.kinds.forecasting.spec import ForecastModelSpec

__all__ = ["with_decoding"]

_SEASONS = 3
_SEGMENT = 48


def with_decoding(model: ForecastModelSpec, lookback: int, horizon: int, season: int | None) -> ForecastModelSpec:
    """The network's spec with its decoding, and the length of its segments, filled in where they are not given.

    Segments of a season, where more than one step is forecast from three seasons at least: a season back is then one
    step back. Else ``direct``.

    Args:
        model: the network.
        lookback: steps to forecast from.
        horizon: H.
        season: steps of a season; None: not known.

    Example:
        >>> found = with_decoding(ForecastModelSpec(), lookback=168, horizon=24, season=24)
        >>> found.decoding, found.segment_length
        ('segments', 24)
        >>> [with_decoding(ForecastModelSpec(), *one).decoding for one in ((168, 1, 24), (60, 24, 24), (60, 5, None))]
        ['direct', 'direct', 'direct']
        >>> with_decoding(ForecastModelSpec(decoding="segments"), lookback=168, horizon=24, season=24).segment_length
        48
    """
    decoding, length = model.decoding, model.segment_length
    if decoding is None:
        seasonal = horizon > 1 and season is not None and season > 1 and _SEASONS * season <= lookback
        fits = length is None or length <= lookback
        decoding = "segments" if seasonal and fits else "direct"
        length = season if seasonal and length is None else length
    return replace(model, decoding=decoding, segment_length=_SEGMENT if length is None else length)
