"""What cannot be used ends with exit code 2, one message with the fix, no traceback, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from commands import refused
from gatewise.cli import main
from small_data import FLAGS, write_reviews

COLUMNS = ["--text", "review", "--label", "mood"]


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv")


@pytest.fixture(scope="module")
def run(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    with pytest.raises(SystemExit):
        main(["train", str(reviews), *COLUMNS, "--cell", "rnn", *FLAGS, "--epochs", "1", "--out", str(folder)])
    return folder


@pytest.mark.parametrize("value", ["1..2", "1,2", "x"])
def test_seeds_that_are_no_number_are_said_as_any_other_setting(
    value: str, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(["compare", reviews, *COLUMNS, "--seeds", value], capsys)
    assert "--seeds has the wrong type" in message and "expected: a whole number" in message
    assert f"got: {value!r}" in message and "fix: give --seeds a whole number" in message


@pytest.mark.parametrize("command", ["compare", "train"])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--hidden", "-5"], "hidden_size is out of range expected: a whole number of at least 1 got: -5"),
        (["--epochs", "0"], "epochs is out of range"),
        (["--batch-size", "0"], "batch_size is out of range"),
        (["--dropout", "1.5"], "dropout is out of range"),
        (["--learning-rate", "-1"], "learning_rate is out of range"),
        (["--seed", "-1"], "seed is out of range"),
        (["--threads", "0"], "threads is out of range"),
        (["--pooling", "maxx"], "there is no pooling 'maxx'"),
        (["--epochs", "two"], "--epochs"),
        (["--no-such-flag"], "--no-such-flag"),
        (["--text", "reveiw"], "column 'reveiw' is not in reviews.csv got: review, mood"),
    ],
)
def test_options_that_cannot_be(
    command: str, flags: list[str], message: str, reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, reviews, "--label", "mood", *flags, "--out", tmp_path / "out"]
    if "--text" not in flags:
        words += ["--text", "review"]
    assert message in refused(words, capsys).replace("│ ", "").replace("\x1b", "")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_cell_is_corrected(reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", tmp_path / "out"]
    assert "did you mean 'lstm'?" in refused(["compare", reviews, *COLUMNS, "--cells", "rnn,ltsm", *out], capsys)
    assert "did you mean 'gru'?" in refused(["train", reviews, *COLUMNS, "--cell", "gur", *out], capsys)
    assert "named twice" in refused(["compare", reviews, *COLUMNS, "--cells", "gru,gru", *out], capsys)
    assert "no cell is named" in refused(["compare", reviews, *COLUMNS, "--cells", ",", *out], capsys)
    assert "seeds is out of range" in refused(["compare", reviews, *COLUMNS, "--seeds", "0", *out], capsys)
    assert list(tmp_path.iterdir()) == []


def test_data_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'imdb'?" in refused(["compare", "imbd", "--out", tmp_path / "out"], capsys)
    assert "nowhere.csv" in refused(["compare", tmp_path / "nowhere.csv", "--out", tmp_path / "out"], capsys)
    assert "is a folder" in refused(["compare", tmp_path, "--out", tmp_path / "out"], capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["compare", "train"])
def test_a_folder_that_holds_something_else(
    command: str, run: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    message = refused([command, reviews, *COLUMNS, *FLAGS, "--out", run], capsys)
    assert "run" in message and "fix:" in message
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be made read-only so")
@pytest.mark.parametrize("command", ["compare", "train"])
def test_a_folder_that_cannot_be_written(
    command: str, reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    message = refused([command, reviews, *COLUMNS, *FLAGS, "--out", tmp_path / "file" / "out"], capsys)
    assert "is a file, not a folder" in message and "--out" in message


def test_a_full_disk_leaves_no_result(
    reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    import gatewise.files

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gatewise.files.os, "fsync", full)
    message = refused(["compare", reviews, *COLUMNS, "--cells", "gru", *FLAGS, "--out", tmp_path / "out"], capsys)
    assert "No space left on device" in message
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_run_that_is_not_there_or_not_one(tmp_path: Path, reviews: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no run folder" in refused(["predict", tmp_path / "none", "a text"], capsys)
    for words in (["predict", tmp_path, "a text"], ["evaluate", tmp_path, reviews], ["report", tmp_path]):
        assert "fix:" in refused(words, capsys)


def test_an_export_is_no_run_folder(tmp_path: Path, reviews: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "export.json").write_text(json.dumps({"run": "my-run", "files": {"model.onnx": {}}}))
    (folder / "model.onnx").write_bytes(b"a model")
    for words in (["explain", folder, "a text"], ["inspect", folder], ["explain", folder / "model.onnx", "a text"]):
        message = refused(words, capsys)
        assert "is an exported model, not a run folder" in message
        assert "fix: name the run that was exported: my-run" in message
    (folder / "export.json").write_text(json.dumps({"run": "my-run", "target": "c"}))
    for place in (folder, folder / "model.onnx"):
        message = refused(["explain", place, "a text"], capsys)
        assert "is a model exported to C, which is compiled and run by itself" in message
        assert (
            f"fix: see {folder / 'README.md'}; or name a run folder: that of the run that was exported is my-run"
            in message
        )
    (folder / "export.json").write_text("[]")
    assert "fix: name the run that was exported" in refused(["explain", folder, "a text"], capsys)


def test_what_is_out_of_range_has_a_fix(tmp_path: Path, reviews: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("caption", "translate"):
        message = refused([command, tmp_path / "none", reviews, "--beam", "0"], capsys)
        assert "beam is out of range" in message and "fix: --beam 1" in message
    message = refused(["train", reviews, *COLUMNS, "--processes", "1000", "--out", tmp_path / "out"], capsys)
    assert "more than this machine's cores" in message and "batch" not in message
    assert "fix: --max-loss 0.05" in refused(
        ["export", tmp_path, "--precision", "int8", "--max-loss", "-1", "--out", tmp_path / "out"], capsys
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["spec.json", "best.safetensors", "vocabulary.json"])
@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_damaged_run(name: str, how: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    if how == "gone":
        (folder / name).unlink()
    else:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    assert name.split(".")[0] in refused(["predict", folder, "a text"], capsys)


def test_a_run_from_a_newer_version(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    spec = json.loads((folder / "spec.json").read_text())
    _set_version(spec, 99)
    (folder / "spec.json").write_text(json.dumps(spec))
    assert "newer" in refused(["predict", folder, "a text"], capsys)


def _set_version(record: dict[str, object], version: int) -> None:
    """Raise every format version in a nested record."""
    for key, value in record.items():
        if key == "format_version":
            record[key] = version
        elif isinstance(value, dict):
            _set_version(value, version)


def test_texts_that_cannot_be_read(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "does not exist" in refused(["predict", run, "--file", tmp_path / "none"], capsys)
    assert "is a folder" in refused(["predict", run, "--file", tmp_path], capsys)
    (tmp_path / "empty").write_text("\n\n")
    assert "is empty" in refused(["predict", run, "--file", tmp_path / "empty"], capsys)
    (tmp_path / "latin").write_bytes("good\nхорошо".encode("koi8-r"))
    assert "is not UTF-8: byte 0xc8 in line 2" in refused(["predict", run, "--file", tmp_path / "latin"], capsys)
    assert "exclude each other" in refused(["predict", run, "a text", "--file", tmp_path / "latin"], capsys)
    assert "is a run folder, not a text" in refused(["predict", run, run, "a text"], capsys)
    assert "a text is empty" in refused(["predict", run, " "], capsys)


def test_labels_that_the_network_does_not_know(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.csv"
    file.write_text("review,mood\na film,glad\na plot,sadd\n")
    message = refused(["evaluate", run, file, *COLUMNS], capsys)
    assert "line 3" in message and "did you mean 'sad'?" in message
    assert "is not in" in refused(["evaluate", run, file, "--text", "reviw", "--label", "mood"], capsys)
