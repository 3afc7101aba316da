"""What a forecasting run is: series and network as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.training.checks import (
    check_boolean,
    check_choice,
    check_optional_string,
    check_real,
    check_whole,
    known_cells,
)
from gatewise.training.spec import check_data_name

__all__ = ["DECODINGS", "LOSSES", "NORMALISATIONS", "TRANSFORMS", "ForecastModelSpec", "SeriesSpec"]

TRANSFORMS = ("value", "difference", "log-return")
DECODINGS = ("direct", "recursive", "segments")
NORMALISATIONS = ("none", "last", "standard")
LOSSES = ("squared", "absolute")


@dataclass(frozen=True)
class SeriesSpec:
    """Which series are forecast, how far, and from how much of their past.

    Args:
        data: a registry name (``stocks``, ``sp500``, ``nasdaq``, ``etth1``, ``etth2``) or the path of a table.
        time: column with the time of each row; None: the known set's, or rows are taken in their order.
        target: column to forecast, several separated by commas; None: the known set's.
        features: further columns to read, separated by commas; known up to the present only.
        group: column that tells series apart; windows never mix two groups.
        horizon: steps to forecast.
        lookback: steps to forecast from.
        transform: what is learnt: ``value``, ``difference`` or ``log-return``; forecasts are always given as values.
        download: whether the registry may fetch the data from the network.

    Example:
        >>> SeriesSpec("prices.csv", time="date", target="close", horizon=5).lookback
        60
    """

    data: str = "stocks"
    time: str | None = None
    target: str | None = None
    features: str | None = None
    group: str | None = None
    horizon: int = 1
    lookback: int = 60
    transform: str = "value"
    download: bool = False

    def __post_init__(self) -> None:
        check_data_name(self.data)
        for name in ("time", "target", "features", "group"):
            check_optional_string(name, getattr(self, name))
        for name in ("horizon", "lookback"):
            check_whole(name, getattr(self, name), minimum=1)
        check_choice("transform", self.transform, TRANSFORMS)
        check_boolean("download", self.download)


@dataclass(frozen=True)
class ForecastModelSpec:
    """The network: recurrent layers over the past, a head over the future.

    Args:
        cell: ``rnn``, ``lstm``, ``gru`` or a registered cell.
        hidden_size: H, units per layer and direction.
        num_layers: L, recurrent layers.
        bidirectional: whether a second direction reads each window backwards.
        dropout: probability of zeroing features between layers and before the head while training.
        decoding: ``direct`` (all steps of the horizon from the last state), ``recursive`` (one step at a time, fed
            back) or ``segments`` (Lin et al., 2023: segments as steps, all segments of the future decoded in parallel).
        segment_length: steps per segment, for ``segments``.
        normalisation: per window: ``none``, ``last`` (the last value is subtracted; differences and returns stay as
            they are) or ``standard`` (mean and deviation of the window; Kim et al., 2022).
        channel_independent: each target is a series of its own, read by the same network.
        quantiles: probabilities to forecast beside the central value, separated by commas; empty: none.
        loss: what the central forecast is trained with: ``squared`` error (the mean) or ``absolute`` (the median).

    Example:
        >>> ForecastModelSpec(cell="gru", decoding="segments").segment_length
        48
    """

    cell: str = "gru"
    hidden_size: int = 128
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.1
    decoding: str = "direct"
    segment_length: int = 48
    normalisation: str = "last"
    channel_independent: bool = False
    quantiles: str = ""
    loss: str = "squared"

    def __post_init__(self) -> None:
        check_choice("cell", self.cell, known_cells())
        for name in ("hidden_size", "num_layers", "segment_length"):
            check_whole(name, getattr(self, name), minimum=1)
        for name in ("bidirectional", "channel_independent"):
            check_boolean(name, getattr(self, name))
        check_real("dropout", self.dropout, minimum=0.0, below=1.0)
        check_choice("decoding", self.decoding, DECODINGS)
        check_choice("normalisation", self.normalisation, NORMALISATIONS)
        check_choice("loss", self.loss, LOSSES)
        if self.decoding == "recursive" and self.bidirectional:
            raise OptionError("recursive forecasts only go forward in time", fix="leave --bidirectional away")
        self.quantile_levels()

    def quantile_levels(self) -> tuple[float, ...]:
        """The quantiles as numbers, rising.

        Example:
            >>> ForecastModelSpec(quantiles="0.9,0.1").quantile_levels()
            (0.1, 0.9)
        """
        try:
            levels = tuple(sorted(float(word) for word in self.quantiles.split(",") if word.strip()))
        except (ValueError, AttributeError) as error:
            raise OptionError(
                "quantiles cannot be read", expected="numbers separated by commas: 0.1,0.9", got=repr(self.quantiles)
            ) from error
        if any(not 0 < level < 1 for level in levels):
            raise OptionError("a quantile is out of range", expected="above 0 and below 1", got=self.quantiles)
        return levels
