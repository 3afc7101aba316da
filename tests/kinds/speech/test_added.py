"""Further recordings for the training part alone: where they go, and which are left out."""

from __future__ import annotations

import dataclasses
import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from gatewise.cli.app import app
from gatewise.errors import DataError, OptionError
from gatewise.kinds.speech.dataset import load_speech
from gatewise.kinds.speech.spec import SpeechDataSpec
from gatewise.training.registry import kind_of
from gatewise.training.run_spec import RunSpec
from small_sounds import RATE, chirp, write_folder, write_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("chirps"), takes=4)


def _table(folder: Path, said: list[tuple[str, str, str, int]], rate: int = RATE) -> Path:
    """A table of (file, word, speaker, take); a speaker "" is not known."""
    folder.mkdir(exist_ok=True)
    for name, word, speaker, take in said:
        number = int(speaker.removeprefix("speaker")) if speaker.startswith("speaker") else 7
        soundfile.write(folder / name, chirp(word, number, take, rate), rate)
    rows = [{"path": name, "text": word, "speaker": speaker} for name, word, speaker, _ in said]
    return write_table(folder / "more.csv", rows)


def test_they_are_trained_on_and_nothing_else_changes(folder: Path, tmp_path: Path) -> None:
    more = _table(tmp_path / "more", [(f"{n}.wav", "up", "eve", 50 + n) for n in range(5)], rate=16_000)
    alone = SpeechDataSpec(str(folder), test_speaker="speaker1")
    before, after = (load_speech(each) for each in (alone, dataclasses.replace(alone, add=str(more))))
    assert [each.digest for each in after.train[:-5]] == [each.digest for each in before.train]
    assert [each.name for each in after.train[-5:]] == [f"more.csv: {n}.wav" for n in range(5)]
    for part in ("validation", "test"):
        assert [each.digest for each in getattr(after, part)] == [each.digest for each in getattr(before, part)]
    assert after.added == 5 and after.fingerprint != before.fingerprint and after.units == before.units
    assert f"5 recordings of 1 speaker from {more} in the training part alone" in after.notes
    assert "more.csv: 5 recordings of 16,000 samples per second were resampled to 8,000" in after.notes
    few = load_speech(dataclasses.replace(alone, add=str(more), examples=12))
    assert len(few.train) == 12 + 5 and few.added == 5
    described = kind_of("speech").describe(after)
    assert described["added"] == 5 and "eve" in described["speakers"]["train"]


def test_their_content_is_in_the_fingerprint(folder: Path, tmp_path: Path) -> None:
    found = set()
    for take in (50, 51):
        more = _table(tmp_path / "more", [("one.wav", "up", "eve", take)])
        found.add(load_speech(SpeechDataSpec(str(folder), add=str(more))).fingerprint)
    assert len(found) == 2


def test_held_out_speakers_and_copies_are_left_out_and_named(folder: Path, tmp_path: Path) -> None:
    said = [
        ("new.wav", "up", "eve", 50), ("again.wav", "up", "eve", 50), ("tested.wav", "up", "speaker1", 60),
        ("checked.wav", "up", "speaker2", 60), ("trained.wav", "up", "speaker0", 60), ("copy.wav", "up", "speaker0", 0),
    ]  # fmt: skip
    more = _table(tmp_path / "more", said)
    data = SpeechDataSpec(str(folder), test_speaker="speaker1", validation_speaker="speaker2", add=str(more))
    dataset = load_speech(data)
    assert [each.name for each in dataset.train[-2:]] == ["more.csv: new.wav", "more.csv: trained.wav"]
    said_so = "\n".join(dataset.notes)
    for words in (
        "2 added recordings are left out: in the data set already, or given twice (more.csv: again.wav, more.csv: copy",
        "1 added recording is left out: of speaker1, who is held out (more.csv: tested.wav)",
        "1 added recording is left out: of speaker2, who is held out (more.csv: checked.wav)",
    ):
        assert words in said_so
    shared = load_speech(SpeechDataSpec(str(folder), split="recordings", add=str(more)))
    assert shared.added == 4


def test_held_out_speakers_are_known_in_other_case_and_beside_rows_without_a_name(folder: Path, tmp_path: Path) -> None:
    said = [
        ("a.wav", "up", "Speaker1 ", 60), ("b.wav", "up", "speaker1", 61), ("c.wav", "up", "eve", 50),
        ("d.wav", "up", "", 51),
    ]  # fmt: skip
    more = _table(tmp_path / "more", [(name, word, who.strip().lower(), take) for name, word, who, take in said])
    rows = [{"path": name, "text": word, "speaker": who} for name, word, who, _ in said]
    write_table(more, rows)
    dataset = load_speech(SpeechDataSpec(str(folder), test_speaker="speaker1", add=str(more)))
    assert [each.name for each in dataset.train if each.name.startswith("more")] == [
        "more.csv: c.wav",
        "more.csv: d.wav",
    ]
    assert any("does not name the speakers of 1 recording" in note for note in dataset.notes)


def test_a_copy_of_a_tested_recording_does_not_leak_whoever_is_said_to_speak(folder: Path, tmp_path: Path) -> None:
    rows = [{"path": str(path), "text": "up"} for path in sorted((folder / "clips").glob("*-1-*.wav"))]
    soundfile.write(tmp_path / "new.wav", chirp("up", 9, 9), RATE)
    more = write_table(tmp_path / "more.csv", [*rows, {"path": "new.wav", "text": "up"}])
    dataset = load_speech(SpeechDataSpec(str(folder), test_speaker="speaker1", add=str(more)))
    assert dataset.added == 1 and any("does not name the speakers" in note for note in dataset.notes)


def test_what_cannot_be_added_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist"):
        load_speech(SpeechDataSpec(str(folder), add=str(tmp_path / "nowhere")))
    with pytest.raises(DataError, match=r"no recording that may be trained on.*given twice.*fix: name others with"):
        load_speech(SpeechDataSpec(str(folder), add=str(folder)))
    (tmp_path / "bare").mkdir()
    soundfile.write(tmp_path / "bare" / "a.wav", chirp("up"), RATE)
    with pytest.raises(DataError, match=r"bare has no table of transcripts"):
        load_speech(SpeechDataSpec(str(folder), add=str(tmp_path / "bare")))


def test_further_words_are_learned_and_said_but_do_not_change_what_is_answered(folder: Path, tmp_path: Path) -> None:
    more = _table(tmp_path / "more", [("a.wav", "up", "eve", 50), ("b.wav", "down", "eve", 51)])
    write_table(more, [{"path": "a.wav", "text": "up and up"}, {"path": "b.wav", "text": "away"}])
    dataset = load_speech(SpeechDataSpec(str(folder), add=str(more)))
    assert dataset.units.answers == "label" and "away" in dataset.units.names
    assert "the added recordings bring 2 further labels: 'away', 'up and up'" in dataset.notes


def test_columns_of_their_table_can_be_named_with_known_data() -> None:
    kind = kind_of("speech")
    kind.check(RunSpec(data=SpeechDataSpec(add="more.csv", text="said"), model=kind.model_spec(), task="speech"))
    with pytest.raises(OptionError, match="--text does not go with the known data set"):
        kind.check(RunSpec(data=SpeechDataSpec(text="said"), model=kind.model_spec(), task="speech"))


def test_a_run_knows_what_it_added_and_notices_other_recordings(folder: Path, tmp_path: Path) -> None:
    said = [(f"{n}.wav", "up", "eve", 50 + n) for n in range(6)]
    more, out = _table(tmp_path / "more", said), tmp_path / "run"
    small = ["--strings", "2", "--hidden-size", "4", "--mel-bins", "8", "--epochs", "1", "--threads", "1"]
    asked = ["train", str(folder), "--add", str(more), "--out", str(out), *small]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 0 and f"6 recordings of 1 speaker from {more} in the training" in found.output
    assert json.loads((out / "spec.json").read_text())["data"]["add"] == str(more)
    evaluated = CliRunner().invoke(app, ["evaluate", str(out), str(more)])
    assert "6 recordings of 6 were trained on" in evaluated.output
    _table(tmp_path / "more", [(name, word, who, take + 20) for name, word, who, take in said])
    again = CliRunner().invoke(app, asked)
    assert again.exit_code == 1 and "holds a run on other data" in str(again.exception)


def test_synthetic_voices_make_a_folder_that_can_be_added(folder: Path, tmp_path: Path) -> None:
    made = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "synthetic_voices.py"))
    generator = np.random.default_rng(0)
    chosen = made["voices"](["english", "learned", "flite"], 30, generator)
    assert [each.engine for each in chosen[:3]] == ["english", "learned", "flite"] and len(set(chosen)) == 30
    assert all(len(each.words) == 10 for each in chosen)
    assert "+" in chosen[0].name
    sound = np.concatenate([np.zeros(900), chirp("up"), np.zeros(900)]).astype(np.float32)
    cut = made["trimmed"](sound, RATE)
    assert len(chirp("up")) <= len(cut) < len(chirp("up")) + 500
    heard = made["noisy"](sound, RATE, generator)
    assert 0 < np.abs(heard[:800]).mean() < 0.02 * np.abs(sound).max()
    if shutil.which("espeak-ng") is None:
        return
    (tmp_path / "voices").mkdir()
    assert made["speak"](tmp_path / "voices", chosen[:2], 1, generator) == 20
    dataset = load_speech(SpeechDataSpec(str(folder), add=str(tmp_path / "voices")))
    assert dataset.added == 20 and {each.text for each in dataset.train[-20:]} == set("0123456789")


def test_synthetic_voices_say_that_their_folder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "synthetic_voices.py"))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    (tmp_path / "note.txt").write_text("no folder")
    for out, words in ((tmp_path, "is there already: name another"), (tmp_path / "note.txt" / "voices", "cannot make")):
        monkeypatch.setattr("sys.argv", ["synthetic_voices.py", str(out)])
        with pytest.raises(SystemExit) as left:
            made["main"]()
        assert left.value.code == 2 and words in capsys.readouterr().err
