"""The cache folder, and downloads of files known by address and checksum."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gatewise.errors import DataError

__all__ = ["Remote", "cache_folder", "check_file", "fetch", "folder_at_hand", "known_path"]


def cache_folder(cache: str | Path | None = None) -> Path:
    """Where downloads are kept: the argument, else the variable ``GATEWISE_DATA``, else the platform's cache.

    Example:
        >>> cache_folder("/data").name
        'data'
    """
    if cache is not None:
        return Path(cache).expanduser()
    given = os.environ.get("GATEWISE_DATA")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_path("gatewise"))


@dataclass(frozen=True)
class Remote:
    """A file known by its address and checksum.

    Attributes:
        url: its address; empty: it cannot be downloaded and must be put into the cache folder by hand.
        path: inside the cache folder.
        checksum: ``sha256:`` or ``md5:`` and the digest in hexadecimal; of a ``.gz`` path, of the uncompressed content.
        size: as text, ``6 MB``.
    """

    url: str
    path: str
    checksum: str
    size: str = ""

    def cached_path(self, cache: str | Path | None = None) -> Path | None:
        """Its path in the cache folder, compressed or not; None: not there."""
        folder = cache_folder(cache)
        places = (folder / self.path, folder / self.path.removesuffix(".gz"))
        return next((place for place in places if place.is_file()), None)

    @property
    def how_to_get(self) -> str:
        """How to get it: the option, or where to put the file."""
        return f"--download ({self.size} from {self.url})" if self.url else f"put {self.path} into the cache folder"


def folder_at_hand(remotes: Iterable[Remote], cache: str | Path | None = None) -> str:
    """The folder of files where all of them are in the cache; empty: some are missing."""
    found = [remote.cached_path(cache) for remote in remotes]
    return "" if None in found or found[0] is None else str(found[0].parent)


def known_path(
    remote: Remote, name: str, how_to_get: str, cache: str | Path | None = None, *, download: bool = False
) -> Path:
    """The path of a known file in the cache folder, checked.

    Args:
        remote: the file.
        name: of the data set that it belongs to, for messages.
        how_to_get: the data set, where it is missing.
        cache: the cache folder; None: ``GATEWISE_DATA``, else the platform's.
        download: whether it may be fetched.

    Raises:
        DataError: it is not there, cannot be downloaded, or has another content.
    """
    path = remote.cached_path(cache)
    if path is None and download:
        path = fetch(remote, cache)
    if path is None:
        raise DataError(
            f"the data set {name!r} is not available",
            expected=f"{remote.path} in {cache_folder(cache)}",
            fix=how_to_get,
        )
    check_file(path, remote)
    return path


def check_file(path: Path, remote: Remote) -> None:
    """Refuse a file whose content is not the known one.

    Raises:
        DataError: the checksum differs, or a ``.gz`` file is not gzip.
    """
    name, _, wanted = remote.checksum.partition(":")
    content = path.read_bytes()
    if remote.path.endswith(".gz") and path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} is not a gzip file", got=str(error), fix="download it again") from error
    found = hashlib.new(name, content, usedforsecurity=False).hexdigest()
    if found != wanted:
        fix = "delete it and give --download" if remote.url else "replace it with the known file"
        raise DataError(
            f"{path} is not the known file",
            expected=f"{_algorithm(name)} {wanted}",
            got=found,
            fix=fix,
        )


def fetch(remote: Remote, cache: str | Path | None = None) -> Path:
    """Download a file into the cache folder, whole and checked.

    Raises:
        DataError: no network, or the wrong checksum.
        StorageError: the folder cannot be made.
    """
    import pooch

    from gatewise.files import make_folder

    packed = remote.url.endswith(".gz") and not remote.url.endswith(".tar.gz")
    place = cache_folder(cache) / (remote.path if packed else remote.path.removesuffix(".gz"))
    make_folder(place.parent)
    try:
        # what is packed may be packed anew there: its content is checked below
        known = None if packed else remote.checksum
        found = Path(
            pooch.retrieve(remote.url, known_hash=known, fname=place.name, path=place.parent, progressbar=False)
        )
    except ValueError as error:
        name, _, wanted = remote.checksum.partition(":")
        raise DataError(
            f"the download of {remote.url} has the wrong checksum",
            expected=f"{_algorithm(name)} {wanted}",
            fix="try again later",
        ) from error
    except Exception as error:  # pooch passes on whatever the network library raises
        raise DataError(
            f"{remote.url} could not be downloaded",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            fix=f"check the network; or put {place.name} into {place.parent}; or omit --download",
        ) from error
    if packed:
        check_file(found, remote)
    return found


def _algorithm(name: str) -> str:
    return {"sha256": "SHA-256", "md5": "MD5"}[name]
