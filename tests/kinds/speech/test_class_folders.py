"""A folder of recordings for each class, as Speech Commands has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from commands import ran
from gatewise.errors import DataError
from gatewise.kinds.speech.dataset import load_speech
from gatewise.kinds.speech.recordings import list_recordings
from gatewise.kinds.speech.spec import SpeechDataSpec
from gatewise.training.registry import task_of
from small_sounds import RATE, WORDS, chirp, write_class_folders, write_folder

SMALL = ["--hidden-size", "4", "--mel-bins", "8", "--cepstra", "0", "--epochs", "1", "--threads", "1", "--cell", "gru"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Speech Commands comes: noise and lists of files beside the words."""
    place = write_class_folders(tmp_path_factory.mktemp("data") / "commands")
    (place / "_background_noise_").mkdir()
    noise = np.random.default_rng(0).standard_normal(4 * RATE) * 0.1
    soundfile.write(place / "_background_noise_" / "pink_noise.wav", noise, RATE)
    (place / "testing_list.txt").write_text("up/00000001_nohash_0.wav\n")
    (place / "up" / "._00000001_nohash_0.wav").write_bytes(b"what other systems leave")
    return place


def test_folders_are_labels_and_file_names_speakers_who_are_in_one_part(folder: Path) -> None:
    assert task_of(str(folder)) == "speech"
    data = load_speech(SpeechDataSpec(str(folder)))
    assert data.units.answers == "label" and data.units.names == tuple(sorted(WORDS)) and data.unseen_speakers
    parts = [{each.speaker for each in part} for part in (data.train, data.validation, data.test)]
    assert [len(part) for part in parts] == [9, 1, 2] and sum(map(len, parts)) == len(set.union(*parts)) == 12
    everything = (*data.train, *data.validation, *data.test)
    assert len(everything) == 12 * 3 * 2 and all(each.text == each.name.split("/")[0] for each in everything)
    assert len(data.groups) == len(data.test)  # type: ignore[arg-type]
    for note in (
        "there is no table of transcripts: the labels are the names of 3 folders, down, low, up",
        "the names of the files, SPEAKER_nohash_NUMBER, say who speaks: 12 speakers",
        "the folder _background_noise_ is left out: its name begins with '_'",
        "testing_list.txt is not used: which recordings are tested follows from --split and --test-speaker",
        "answers are labels: there is a folder for each; --answers changes that",
    ):
        assert note in data.notes


def test_other_file_names_are_recordings_without_speakers(folder: Path, tmp_path: Path) -> None:
    data = load_speech(SpeechDataSpec(str(write_class_folders(tmp_path / "own", name="take-{0}-{1}"))))
    assert not data.unseen_speakers and all(each.speaker is None for each in (*data.train, *data.test))
    assert any("the speakers are not known" in note for note in data.notes)
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    soundfile.write(mixed / "up" / "mine.wav", chirp("up", 1, 9), RATE)
    listed, notes = list_recordings(mixed)
    assert len(listed) == 73 and {each.speaker for each in listed} == {None}
    assert any(note.startswith("the name of 1 file does not say who speaks") for note in notes)


def test_names_of_several_words_are_labels_and_names_that_tidying_confuses_stay(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "moves"
    for word, name in zip(WORDS, ("Turn left", "C", "C#"), strict=True):
        shutil.copytree(folder / word, place / name)
    assert {each.text for each in list_recordings(place)[0]} == {"Turn left", "C", "C#"}
    (place / "C#").rename(place / "go")
    data = load_speech(SpeechDataSpec(str(place)))
    assert data.units.answers == "label" and data.units.names == ("c", "go", "turn left")


def test_parts_loose_recordings_and_a_single_folder_are_no_classes(folder: Path, tmp_path: Path) -> None:
    for layout in (("train", "test"), ("train", "test", "noise"), ("up",), ("up", "low", "")):
        place = tmp_path / "-".join(layout)
        for name in layout:
            shutil.copytree(folder / "up", place / name, dirs_exist_ok=True)
        with pytest.raises(DataError, match=r"has no table of transcripts.*or a folder for each class of recordings"):
            list_recordings(place)


def test_a_table_of_transcripts_comes_first(tmp_path: Path) -> None:
    place = write_folder(tmp_path / "with table", takes=1)
    write_class_folders(place, speakers=1)
    assert len(list_recordings(place)[0]) == 12


@pytest.mark.slow
def test_commands_take_such_a_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    code, out, err = ran(["train", folder, *SMALL, "--out", run], capsys)
    assert code == 0 and "the labels are the names of 3 folders" in " ".join((out + err).split())
    code, out, err = ran(["predict", run, folder, "--json"], capsys)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(rows) == 72 and rows[0]["path"] == "down/00000001_nohash_0.wav"
    assert "speaker is not known" not in err
    code, out, _ = ran(["evaluate", run, folder, "--json"], capsys)
    record = json.loads(out)
    assert code == 0 and record["recordings"] == 72 and record["seen"]["in_training"] == 54
