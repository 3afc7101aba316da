"""The official IMDB reviews (Maas et al., 2011): the folder ``aclImdb`` or its archive, read without unpacking it."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from gatewise.data.apart import drop_shared
from gatewise.data.cache import Remote
from gatewise.data.film_reviews import LABEL_NAMES
from gatewise.data.records import Split, TextDataset
from gatewise.data.splits import content_key, distinct_rows, fingerprint, take
from gatewise.data.tables import MAX_CHARACTERS
from gatewise.data.text_files import decode
from gatewise.errors import DataError

__all__ = ["ARCHIVE", "ARCHIVE_NAME", "MD5", "URL", "check_md5", "is_official_folder", "load_official"]

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
ARCHIVE_NAME = "aclImdb_v1.tar.gz"
MD5 = "7c2ac02c03563afcf9b574c7e56c153a"
ARCHIVE = Remote(URL, ARCHIVE_NAME, f"md5:{MD5}", "84 MB")
_VALIDATION = 2_500
_REVIEW = re.compile(r"(?:^|/)(train|test)/(neg|pos)/([^/]+)\.txt$")
_FILMS = re.compile(r"(?:^|/)(train|test)/urls_(neg|pos)\.txt$")


class _Review(NamedTuple):
    part: str
    label: int
    name: str
    text: str


def is_official_folder(path: Path) -> bool:
    """Whether a folder has the shape of ``aclImdb``: train and test, each with neg and pos."""
    return all((path / part / label).is_dir() for part in ("train", "test") for label in ("neg", "pos"))


def load_official(path: Path, origin: str) -> TextDataset:
    """Read the official split; the validation part is held out of the training part, films separated.

    Args:
        path: the folder ``aclImdb``, or an archive of it (``.tar.gz``, ``.tgz``, ``.tar``), which is not unpacked.
        origin: of the path, for ``source``.

    Raises:
        DataError: the archive is damaged, has the wrong checksum, has links or paths that leave its folder,
            or reviews are missing.
    """
    if path.is_dir():
        files = _folder_files(path)
    else:
        if path.name == ARCHIVE_NAME:
            check_md5(path)
        files = _archive_files(path)
    reviews: list[_Review] = []
    films: dict[tuple[str, int], list[str]] = {}
    for name, content in files:
        found = _REVIEW.search(name)
        if found is not None:
            text = decode(content, f"{path}: {name}")
            if not text.strip() or len(text) > MAX_CHARACTERS:
                raise DataError(f"{path}: {name} is {'too long' if text.strip() else 'empty'}", fix="download it again")
            reviews.append(_Review(found[1], int(found[2] == "pos"), found[3], text))
            continue
        listed = _FILMS.search(name)
        if listed is not None:
            films[listed[1], int(listed[2] == "pos")] = decode(content, f"{path}: {name}").split()
    return _assemble(path, origin, reviews, films)


def check_md5(path: Path) -> None:
    """Refuse an archive whose MD5 is not the published one."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != MD5:
        raise DataError(
            f"{path} has the wrong checksum",
            expected=f"MD5 {MD5}",
            got=digest.hexdigest(),
            fix=f"the file is cut off or changed: delete it and download it again from {URL}, or with --download",
        )


def _folder_files(path: Path) -> Iterator[tuple[str, bytes]]:
    for part in ("train", "test"):
        for label in ("neg", "pos"):
            films = path / part / f"urls_{label}.txt"
            if films.is_file():
                yield f"{part}/{films.name}", films.read_bytes()
            with os.scandir(path / part / label) as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith(".txt"))
            for name in names:
                yield f"{part}/{label}/{name}", (path / part / label / name).read_bytes()


def _archive_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Stream the archive once; the names of all members are checked."""
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                _check_member(path, member)
                if member.isfile() and (_REVIEW.search(member.name) or _FILMS.search(member.name)):
                    stream = archive.extractfile(member)
                    if stream is not None:
                        yield member.name, stream.read()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} is damaged or cut off ({error})",
            expected="a tar archive of the folder aclImdb",
            fix=f"download it again from {URL}",
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read", got=error.strerror or str(error)) from error


def _check_member(path: Path, member: tarfile.TarInfo) -> None:
    name = PurePosixPath(member.name.replace("\\", "/"))
    windows_drive = len(member.name) > 1 and member.name[1] == ":"
    if name.is_absolute() or ".." in name.parts or windows_drive:
        raise DataError(
            f"{path} has a member whose path leaves its folder",
            got=repr(member.name),
            fix=f"do not trust this archive; the official one is {URL}",
        )
    if not (member.isfile() or member.isdir()):
        raise DataError(
            f"{path} has a member that is a link or a device",
            expected="files and folders only",
            got=repr(member.name),
            fix=f"do not trust this archive; the official one is {URL}",
        )


def _assemble(path: Path, origin: str, reviews: list[_Review], films: dict[tuple[str, int], list[str]]) -> TextDataset:
    reviews.sort(key=lambda review: (review.part, review.label, review.name))
    for part in ("train", "test"):
        for label, name in enumerate(LABEL_NAMES):
            if not any(review.part == part and review.label == label for review in reviews):
                raise DataError(
                    f"{path} has no {name} reviews in {part}/{name[:3]}",
                    expected="the folders train/neg, train/pos, test/neg and test/pos with .txt files",
                    fix=f"download it again from {URL}",
                )
    given = [review for review in reviews if review.part == "train"]
    labels = np.array([review.label for review in given], dtype=np.int64)
    rows, labels, notes = distinct_rows([review.text for review in given], labels, content_key)
    whole = Split(tuple(given[row].text for row in rows), labels)
    groups = [_film(given[row], films) for row in rows]
    tested = [review for review in reviews if review.part == "test"]
    test = Split(tuple(review.text for review in tested), np.array([review.label for review in tested], dtype=np.int64))
    train, validation = _hold_films_out(whole, groups)
    train, removed = drop_shared(train, test)
    validation, also_removed = drop_shared(validation, test, source="validation")
    parts = [train, validation, test]
    return TextDataset(
        name="imdb",
        source=f"{origin} ({path})",
        split_note=f"the official test of {len(tested):,} reviews; validation is held out of the training split",
        label_names=LABEL_NAMES,
        train=train,
        validation=validation,
        test=test,
        fingerprint=fingerprint(LABEL_NAMES, parts),
        notes=(*notes, *removed, *also_removed),
    )


def _film(review: _Review, films: dict[tuple[str, int], list[str]]) -> str:
    """The address of the reviewed film (file ``<id>_<rating>.txt`` is line ``id`` of the list), else the text."""
    listed = films.get((review.part, review.label), [])
    number = review.name.split("_")[0]
    if number.isdecimal() and int(number) < len(listed):
        return listed[int(number)]
    return content_key(review.text)


def _hold_films_out(whole: Split, films: list[str]) -> tuple[Split, Split]:
    """Hold out whole films, in the order of their hash, until the validation part is full; about balanced."""
    wanted = min(_VALIDATION, max(2, len(whole.texts) // 10))
    by_film: dict[str, list[int]] = {}
    for row, film in enumerate(films):
        by_film.setdefault(film, []).append(row)
    left = [wanted // 2, wanted - wanted // 2]
    held: list[int] = []
    for film in sorted(by_film, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()):
        rows = by_film[film]
        positive = int(whole.labels[rows].sum())
        if positive <= left[1] and len(rows) - positive <= left[0]:
            held += rows
            left = [left[0] - (len(rows) - positive), left[1] - positive]
        if not any(left):
            break
    kept = np.setdiff1d(np.arange(len(whole.texts)), np.array(held, dtype=np.int64)).tolist()
    return take(whole, kept), take(whole, sorted(held))
