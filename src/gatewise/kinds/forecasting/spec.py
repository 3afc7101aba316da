"""What a forecasting run is: series and network as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.kinds.forecasting.series.checks import DECIMALS, THOUSANDS, check_marks, check_times
from gatewise.training import common_settings as common
from gatewise.training.settings import Spec, setting

__all__ = ["DECODINGS", "LOSSES", "NORMALISATIONS", "TRANSFORMS", "ForecastModelSpec", "SeriesSpec"]

TRANSFORMS = ("value", "difference", "log-return")
DECODINGS = ("direct", "recursive", "segments")
NORMALISATIONS = ("none", "last", "standard", "last-scaled")
LOSSES = ("squared", "absolute")


@dataclass(frozen=True)
class SeriesSpec(Spec):
    """Which series are forecast, how far, and from how much of their past; forecasts are always given as values.

    Features are known up to the present only, ``known`` columns up to the horizon; windows never mix two groups.

    Example:
        >>> SeriesSpec("prices.csv", time="date", target="close", horizon=5).horizon
        5
    """

    data: str = setting(
        "stocks", "Registry name (stocks, sp500, nasdaq, etth1, etth2) or the path of a table.", is_path=True
    )
    time: str | None = setting(
        None,
        "Column with the time of each row, or columns that are one time together (year,quarter); if not given, the "
        "only one that holds times in order; none: rows are in order.",
    )
    target: str | None = setting(
        None, "Column to forecast; several separated by commas; if not given, the only one that holds numbers."
    )
    features: str | None = setting(None, "Further columns to read, separated by commas.")
    known: str | None = setting(None, "Columns known for the future too (price, holiday), separated by commas.")
    static: str | None = setting(None, "Columns that are constant in a series, separated by commas.")
    future: str | None = setting(None, "File with the known columns of the steps to forecast.", is_path=True)
    group: str | None = setting(None, "Column that separates the series.")
    date_format: str | None = setting(
        None, "How times are written, as strptime has it: '%d/%m/%Y', or excel; found if not given.", reads=True
    )
    timezone: str | None = setting(
        None, "Time zone in which times without an offset were written: Europe/Berlin.", reads=True
    )
    decimal: str = setting(".", "The decimal mark of numbers: '.' or ','.", choices=DECIMALS, reads=True)
    thousands: str | None = setting(
        None,
        "The mark between the thousands of numbers: ',', '.' (beside a decimal comma), space or an apostrophe; found "
        "if not given.",
        choices=THOUSANDS,
        reads=True,
    )
    horizon: int = setting(1, "Steps to forecast.", minimum=1)
    lookback: int | None = setting(
        None,
        "Steps to forecast from; if not given, 60, a week of hours or shorter steps where several are forecast, of "
        "shorter series a third of the training part.",
        minimum=1,
    )
    transform: str = setting("value", "What is modelled: value, difference or log-return.", choices=TRANSFORMS)
    download: bool = common.download()

    def check_together(self) -> None:
        """Refuse a form of dates that cannot be read back, an unknown time zone, and a future in training."""
        check_times(self.date_format, self.timezone)
        check_marks(self.decimal, self.thousands)
        if self.future is not None:
            raise OptionError("--future is read by predictions alone", fix="omit it; give it to `gatewise predict`")


@dataclass(frozen=True)
class ForecastModelSpec(Spec):
    """The network: recurrent layers over the past, a head over the future.

    Decoding is ``direct`` (all steps of the horizon from the last state), ``recursive`` (one step at a time, fed back)
    or ``segments`` (Lin et al., 2023: segments as steps, all segments of the future decoded in parallel); None: see
    `gatewise.kinds.forecasting.decoding.with_decoding`.
    Normalisation of each window: ``last`` subtracts the last value (differences and returns stay as they are),
    ``standard`` uses mean and deviation of the window (Kim et al., 2022), ``last-scaled`` its last value and deviation.

    Example:
        >>> ForecastModelSpec(cell="gru", decoding="segments", segment_length=24).segment_length
        24
    """

    cell: str = common.cell()
    hidden_size: int = common.hidden_size()
    num_layers: int = common.num_layers()
    bidirectional: bool = common.bidirectional()
    dropout: float = common.dropout(0.1)
    decoding: str | None = setting(
        None,
        "How the future is decoded: direct, recursive or segments; if not given, segments of a season where the "
        "look-back has three, else direct.",
        choices=DECODINGS,
    )
    segment_length: int | None = setting(
        None, "Steps per segment, for --decoding segments; 48 if that is given alone.", minimum=1
    )
    normalisation: str = setting("last", "Of each window: none, last, standard or last-scaled.", choices=NORMALISATIONS)
    channel_independent: bool = setting(False, "Treat each target as a series of its own.")
    shortcut: bool = setting(
        False, "Add a linear map of each target's window to its forecast (not with --decoding recursive).", added=True
    )
    quantiles: str = setting("", "Quantiles to forecast besides the central value, separated by commas: 0.1,0.9.")
    loss: str = setting(
        "squared",
        "What the central forecast is trained with: squared (mean) or absolute (median) error.",
        choices=LOSSES,
    )

    def check_together(self) -> None:
        """Refuse recursion in two directions or with a shortcut, and quantiles outside (0, 1)."""
        if self.decoding == "recursive" and self.bidirectional:
            raise OptionError("recursive forecasts only go forward in time", fix="omit --bidirectional")
        if self.decoding == "recursive" and self.shortcut:
            raise OptionError("recursive forecasts are fed back without a shortcut", fix="omit --shortcut")
        self.quantile_levels()

    def quantile_levels(self) -> tuple[float, ...]:
        """The quantiles as numbers, rising.

        Example:
            >>> ForecastModelSpec(quantiles="0.9,0.1").quantile_levels()
            (0.1, 0.9)
        """
        try:
            levels = tuple(sorted(float(word) for word in self.quantiles.split(",") if word.strip()))
        except ValueError as error:
            raise OptionError(
                "quantiles cannot be read", expected="numbers separated by commas: 0.1,0.9", got=repr(self.quantiles)
            ) from error
        if any(not 0 < level < 1 for level in levels):
            raise OptionError("a quantile is out of range", expected="above 0 and below 1", got=self.quantiles)
        return levels
