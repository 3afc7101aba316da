"""What `gatewise predict` and `evaluate` say of files that cannot be used."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from gatewise.cli.app import app
from gatewise.errors import DataError, OptionError
from gatewise.kinds.speech.dataset import load_speech
from gatewise.kinds.speech.spec import RecogniserSpec, SpeechDataSpec
from gatewise.training.loop import train_run
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import TrainingSpec
from small_sounds import RATE, chirp, write_folder, write_table


def _trained(table: Path, place: Path, **data: str) -> Path:
    spec = RunSpec(
        data=SpeechDataSpec(str(table), **data),  # type: ignore[arg-type]
        model=RecogniserSpec(hidden_size=4, mel_bins=8, cepstra=0),
        training=TrainingSpec(epochs=1, batch_size=16, threads=1),
        task="speech",
    )
    train_run(spec, load_speech(spec.data), place)
    return place


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("chirps"), takes=3)


@pytest.fixture(scope="module")
def nameless(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of recordings whose speakers nobody named, of a table with columns of its own."""
    rows = [{"path": row["path"], "said": row["text"]} for row in _rows(folder / "transcripts.csv")]
    return _trained(write_table(folder / "nameless.csv", rows), tmp_path_factory.mktemp("run") / "a", text="said")


@pytest.fixture
def named(folder: Path) -> list[str]:
    return [str(folder / row["path"]) for row in _rows(folder / "transcripts.csv")[:2]]


def _bad(place: Path) -> dict[str, str]:
    """By file what is wrong with it."""
    (place / "no sound.wav").write_bytes(b"RIFF, it says")
    soundfile.write(place / "short.wav", chirp("up")[:50], RATE)
    soundfile.write(place / "silent.wav", np.zeros(RATE), RATE)
    told = {"no sound.wav": "no sound.wav", "short.wav": "is shorter than a frame", "silent.wav": "is silent"}
    return told | {"missing.wav": "does not exist"}


def test_one_bad_file_leaves_the_answers_of_the_others(nameless: Path, named: list[str], tmp_path: Path) -> None:
    bad = _bad(tmp_path)
    asked = [named[0], *(str(tmp_path / name) for name in bad), named[1]]
    found = CliRunner().invoke(app, ["predict", str(nameless), *asked])
    assert found.exit_code == 2 and isinstance(found.exception, SystemExit), found.output
    lines = found.stdout.splitlines()
    assert [line.split("  ")[0].rstrip() for line in lines] == asked
    assert all(line.endswith("–  (cannot be heard)") for line in lines[1:5]) and lines[0].endswith("%")
    for line, (name, why) in zip(found.stderr.splitlines(), bad.items(), strict=True):
        assert line.startswith("Note: ") and name in line and why in line and line.endswith("no answer there")
    told = [
        json.loads(line)
        for line in CliRunner().invoke(app, ["predict", str(nameless), *asked, "--json"]).stdout.splitlines()
    ]
    assert [row["text"] is None for row in told] == [False, True, True, True, True, False]
    assert told[1] == {"path": asked[1], "text": None, "seconds": None, "probability": None}
    written = CliRunner().invoke(app, ["predict", str(nameless), *asked, "--out", str(tmp_path / "heard.csv")])
    assert written.exit_code == 2 and "2 recordings heard" in written.stderr
    assert [bool(row["text"]) for row in _rows(tmp_path / "heard.csv")] == [True, False, False, False, False, True]
    alone = [
        json.loads(line)
        for line in CliRunner().invoke(app, ["predict", str(nameless), *named, "--json"]).stdout.splitlines()
    ]
    assert [told[0], told[5]] == alone


def test_where_no_file_can_be_heard_it_is_an_error(nameless: Path, tmp_path: Path) -> None:
    bad = [str(tmp_path / name) for name in _bad(tmp_path)]
    one, all_of_them = (CliRunner().invoke(app, ["predict", str(nameless), *names]) for names in (bad[2:3], bad))
    assert isinstance(one.exception, DataError) and "silent.wav is silent" in str(one.exception)
    assert isinstance(all_of_them.exception, DataError)
    assert "none of 4 files can be used; the first: " in str(all_of_them.exception) and not all_of_them.stdout
    gone = [str(tmp_path / name) for name in ("a.wav", "b.wav")]
    for names, said in ((gone[:1], "a.wav does not exist"), (gone, "none of 2 files exists; the first: ")):
        found = CliRunner().invoke(app, ["predict", str(nameless), *names])
        assert isinstance(found.exception, DataError) and said in str(found.exception)


def test_a_named_table_is_not_written_over(nameless: Path, folder: Path, tmp_path: Path) -> None:
    table = write_table(folder / "again.csv", _rows(folder / "transcripts.csv"))
    before = table.read_bytes()
    found = CliRunner().invoke(app, ["predict", str(nameless), str(table), "--out", str(table)])
    assert isinstance(found.exception, OptionError) and "is the input file" in str(found.exception)
    assert table.read_bytes() == before


def test_where_training_had_no_speakers_none_are_missed(nameless: Path, folder: Path, named: list[str]) -> None:
    """They were normalised one by one while training, too."""
    assert json.loads((nameless / "frames.json").read_text())["normaliser"]["kind"] == "recording"
    for words in (["predict", *named], ["evaluate", str(folder / "transcripts.csv")]):
        found = CliRunner().invoke(app, [words[0], str(nameless), *words[1:]])
        assert found.exit_code == 0 and "per speaker" not in found.stderr, found.output


def test_where_training_had_speakers_they_are_missed(folder: Path, named: list[str], tmp_path: Path) -> None:
    run = _trained(folder, tmp_path / "run")
    found = CliRunner().invoke(app, ["predict", str(run), *named])
    assert "of 2 recordings the speaker is not known" in found.stderr


def test_columns_of_training_give_way_to_usual_ones_and_asked_ones_do_not(nameless: Path, folder: Path) -> None:
    table = str(folder / "transcripts.csv")
    measured = CliRunner().invoke(app, ["evaluate", str(nameless), table])
    assert measured.exit_code == 0, measured.output
    assert "Note: there is no column 'said', 'text' is read instead" in measured.stderr
    refused = CliRunner().invoke(app, ["evaluate", str(nameless), table, "--text", "said"])
    assert f"column 'said' is not in {table}" in str(refused.exception)


def test_columns_of_added_recordings_are_found_by_usual_names_or_named(folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "new.wav", chirp("up", 9, 9), RATE)
    rows = [
        {"file": row["path"], "said": row["text"], "who": row["speaker"]} for row in _rows(folder / "transcripts.csv")
    ]
    own = write_table(folder / "own.csv", rows)
    columns = {"sound": "file", "text": "said", "speaker": "who"}
    more = write_table(tmp_path / "transcripts.csv", [{"path": "new.wav", "text": "up", "speaker": "eve"}])
    dataset = load_speech(SpeechDataSpec(str(own), add=str(tmp_path), **columns))
    assert dataset.added == 1 and dataset.train[-1].speaker == "eve"
    assert f"{tmp_path.name}: there is no column 'said', 'text' is read instead" in dataset.notes
    write_table(more, [{"path": "new.wav", "heard": "up"}])
    with pytest.raises(DataError) as refused:
        load_speech(SpeechDataSpec(str(own), add=str(tmp_path), **columns))
    assert f"{more} has no column of transcripts; expected: said, as in the data set, or a column called text" in str(
        refused.value
    )
