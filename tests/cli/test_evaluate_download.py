"""`gatewise evaluate` of a run on a known data set that is not in the cache: what it advises works."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from commands import ran, refused
from gatewise.data.cache import Remote
from gatewise.kinds.language_modelling import corpora
from small_data import FLAGS, write_reviews
from small_text import small_text

LM_FLAGS = ["--hidden", "8", "--epochs", "1", "--threads", "1", "--batch-size", "4"]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A small Penn Treebank by name, which a made-up network has; an empty cache."""
    monkeypatch.setenv("GATEWISE_DATA", str(tmp_path / "cache"))
    (tmp_path / "cache" / "ptb").mkdir(parents=True)
    parts = {f"ptb/{name}.txt": small_text(60, number).encode() for number, name in enumerate(("a", "b", "c"))}
    remotes = tuple(
        Remote("http://127.0.0.1:9/" + path, path, "sha256:" + hashlib.sha256(content).hexdigest(), "6 kB")
        for path, content in parts.items()
    )
    monkeypatch.setattr(corpora, "_PENN_TREEBANK", remotes)
    return parts


def test_the_data_set_of_the_training_is_downloaded_where_it_is_missing(
    files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, run = tmp_path / "cache", tmp_path / "a run"
    for path, content in files.items():
        (cache / path).write_bytes(content)
    assert ran(["train", "ptb", *LM_FLAGS, "--out", run], capsys)[0] == 0
    expected = json.loads(ran(["evaluate", run, "--json"], capsys)[1])
    for path in files:
        (cache / path).unlink()
    for command in ("evaluate", "inspect"):
        said = refused([command, run], capsys)
        assert f"fix: gatewise evaluate '{run}' --download (6 MB from" in said, said
    fetched = []

    def fetch(remote: Remote, folder: object) -> Path:
        fetched.append(remote.path)
        (cache / remote.path).write_bytes(files[remote.path])
        return cache / remote.path

    monkeypatch.setattr(corpora, "fetch", fetch)
    assert json.loads(ran(["evaluate", run, "--download", "--json"], capsys)[1]) == expected
    assert fetched == list(files)


def test_download_is_refused_where_it_would_do_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, run = write_reviews(tmp_path / "reviews.csv"), tmp_path / "run"
    assert ran(["train", file, "--text", "review", "--label", "mood", *FLAGS, "--out", run], capsys)[0] == 0
    assert "the run was trained on other data" in refused(["evaluate", run, "--download"], capsys)
    assert "and a file is measured" in refused(["evaluate", run, file, "--download"], capsys)
