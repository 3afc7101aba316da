"""Trained recognisers: runs, strings, streams, commands, exports, comparisons; on chirps that stand for words."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from gatewise.cli.app import app
from gatewise.errors import DataError, OptionError
from gatewise.kinds.speech.dataset import SpeechDataset, load_speech
from gatewise.kinds.speech.listening import Listener
from gatewise.kinds.speech.recordings import Recording, store
from gatewise.kinds.speech.spec import RecogniserSpec, SpeechDataSpec
from gatewise.kinds.speech.trained import TrainedRecogniser, problem_of
from gatewise.training.loop import train_run
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import TrainingSpec
from gatewise.training.trained import load_run
from small_sounds import RATE, WORDS, chirp, write_folder, write_table

SMALL = {"hidden_size": 12, "mel_bins": 12, "dropout": 0.1}
ONE_WAY = {"bidirectional": False, "normalisation": "running", "hidden_size": 24, "speed": 0.0, "time_masks": 0}
TRAINING = TrainingSpec(epochs=8, batch_size=8, learning_rate=0.02, threads=1)


def _spec(folder: Path, data: dict[str, object], **model: object) -> RunSpec:
    return RunSpec(
        data=SpeechDataSpec(str(folder), **data),  # type: ignore[arg-type]
        model=RecogniserSpec(**{**SMALL, **model}),  # type: ignore[arg-type]
        training=TRAINING,
        task="speech",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("chirps"))


@pytest.fixture(scope="module")
def labels(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = _spec(folder, {})
    place = tmp_path_factory.mktemp("runs") / "labels"
    train_run(spec, load_speech(spec.data), place)
    return place


@pytest.fixture(scope="module")
def strings(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = _spec(folder, {"strings": 3}, **ONE_WAY)
    spec = dataclasses.replace(spec, training=dataclasses.replace(TRAINING, epochs=45, batch_size=4))
    place = tmp_path_factory.mktemp("runs") / "strings"
    train_run(spec, load_speech(spec.data), place)
    return place


def _string(words: list[str], speaker: int = 1) -> np.ndarray:
    quiet = np.random.default_rng(0).standard_normal(RATE // 8).astype(np.float32) * 3e-5
    return np.concatenate(
        [part for n, word in enumerate(words) for part in (quiet, chirp(word, speaker, 90 + n))] + [quiet]
    )


def test_labels_are_learned_and_opened_again(labels: Path, folder: Path) -> None:
    trained = load_run(labels)
    assert isinstance(trained, TrainedRecogniser)
    dataset = load_speech(SpeechDataSpec(str(folder)))
    assert trained.units.names == ("down", "low", "up") and dataset.unseen_speakers
    found = trained.test(dataset)
    assert found.metrics["accuracy"] > 0.9 and found.contributions.shape == (18,)
    assert list(found.metrics["speakers"]) == [dataset.test[0].speaker]


@pytest.mark.slow
def test_strings_are_transcribed_by_beam_and_best_path(strings: Path, folder: Path) -> None:
    trained = load_run(strings)
    assert isinstance(trained, TrainedRecogniser)
    dataset = load_speech(trained.spec.data)  # type: ignore[arg-type]
    assert dataset.strings == 3 and len(dataset.test) < 18 == sum(len(each.words) for each in dataset.test)
    found = trained.test(dataset)
    assert found.metrics["word_error_rate"] < 0.2 and found.contributions.shape == (len(dataset.test), 2)
    assert found.contributions[:, 1].sum() == 18
    beam = [each.text for each in trained.recognise(dataset.test, beam=4)]
    wrong = sum(one != each.text for one, each in zip(beam, dataset.test, strict=True))
    assert wrong <= len(dataset.test) / 3


@pytest.mark.parametrize(
    ("cell", "window", "stride", "channels"),
    [("gru", 3, 3, 0), ("lstm", 4, 2, 0), ("rnn", 5, 1, 3), ("mingru", 4, 2, 0)],
)
def test_a_stream_ends_in_the_offline_text(folder: Path, cell: str, window: int, stride: int, channels: int) -> None:
    spec = _spec(
        folder, {"strings": 3}, cell=cell, num_layers=2, bidirectional=False, normalisation="running", window=window,
        stride=stride, channels=channels,
    )  # fmt: skip
    torch.manual_seed(0)
    problem = problem_of(spec, load_speech(spec.data))  # type: ignore[arg-type]
    for value in problem.model.parameters():
        torch.nn.init.normal_(value, std=0.5)
    trained = TrainedRecogniser(spec, problem.units, problem.bank, problem.train.normaliser, problem.model)
    for samples in (_string(["up", "low", "down", "up"]), chirp("low")[:230], chirp("up")[:410]):
        (offline,) = trained.recognise([Recording("x", "", None, store(samples))])
        heard = Recording("x", "", None, store(samples)).samples
        for chunk in (80, 1_000, len(heard)):
            listener = Listener(trained)
            texts = [listener.accept(heard[start : start + chunk]) for start in range(0, len(heard), chunk)]
            assert listener.finish() == offline.text
            assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
            assert listener.steps == int(trained.model.windows.steps(torch.tensor(trained.bank.count(len(heard)))))


@pytest.mark.slow
def test_the_beam_of_a_stream_is_that_of_the_whole(strings: Path) -> None:
    trained = load_run(strings)
    assert isinstance(trained, TrainedRecogniser)
    recording = Recording("x", "", None, store(_string(["up", "down"])))
    (offline,) = trained.recognise([recording], beam=4)
    listener = Listener(trained, beam=4)
    for start in range(0, len(recording.stored), 80):
        listener.accept(recording.samples[start : start + 80])
    assert listener.finish() == offline.text


def test_what_cannot_be_streamed_is_refused(labels: Path) -> None:
    trained = load_run(labels)
    assert isinstance(trained, TrainedRecogniser)
    with pytest.raises(OptionError, match="--no-bidirectional --normalisation running --answers words"):
        Listener(trained)
    with pytest.raises(OptionError, match="beam search is for words"):
        trained.recognise([Recording("x", "", None, store(chirp("up")))], beam=3)
    with pytest.raises(DataError, match=r"x is shorter than a frame"):
        trained.recognise([Recording("x", "", None, store(chirp("up")[:50]))])


@pytest.mark.slow
def test_commands(labels: Path, strings: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    other = write_folder(tmp_path / "other", speakers=2, takes=1, rate=16_000, suffix=".flac")
    heard = run(app, ["predict", str(labels), str(other), "--json"])
    assert heard.exit_code == 0, heard.output
    rows = [json.loads(line) for line in heard.stdout.splitlines()]
    assert len(rows) == 6 and {"path", "text", "seconds", "probability"} == set(rows[0])
    assert "6 recordings of 16,000 samples per second were resampled to 8,000" in heard.stderr
    measured = run(app, ["evaluate", str(labels), str(other), "--json"])
    figures = json.loads(measured.stdout)
    right = np.mean([row["text"] in row["path"] for row in rows])
    assert measured.exit_code == 0 and figures["accuracy"] == pytest.approx(right) and right > 0.5
    assert figures["seen"] == {"in_training": 0, "in_validation": 0}
    soundfile.write(tmp_path / "call.wav", _string(["up", "down", "low"]), RATE)
    streamed = run(app, ["listen", str(strings), "--file", str(tmp_path / "call.wav"), "--json"])
    assert streamed.exit_code == 0, streamed.output
    told = json.loads(streamed.stdout)
    offline = run(app, ["predict", str(strings), str(tmp_path / "call.wav")])
    assert told["text"] == offline.stdout.strip() and told["real_time_factor"] > 0
    for words, expected in (
        (["listen", str(labels), "--file", str(tmp_path / "call.wav")], "--no-bidirectional"),
        (["predict", str(labels), str(tmp_path / "none.wav")], "none.wav does not exist"),
        (["predict", str(labels)], "there is no recording"),
        (["predict", str(labels), str(tmp_path / "other" / "transcripts.csv"), "--out", str(tmp_path)], "cannot write"),
        (["listen", str(strings), "--file", str(tmp_path / "call.wav"), "--chunk", "0"], "chunk is out of range"),
    ):
        refused = run(app, words)
        assert refused.exit_code != 0
        assert expected in str(refused.exception or "") + refused.output


@pytest.mark.slow
def test_exports_compute_the_same(labels: Path, strings: Path) -> None:
    from gatewise.export.graph import Interpreter

    for place in (labels, strings):
        trained = load_run(place)
        dataset = load_speech(trained.spec.data)  # type: ignore[arg-type]
        examples = trained.graph_examples(dataset, 3)
        found = Interpreter(trained.graph()).run([each.inputs for each in examples])
        for number, each in enumerate(examples):
            for name, values in each.outputs.items():
                assert np.abs(np.asarray(found[name][number]) - values).max() < 1e-5


def test_the_convolution_is_exported_as_products(folder: Path) -> None:
    from gatewise.export.graph import Interpreter

    spec = _spec(folder, {}, channels=4, mel_bins=14, pooling="mean+max")
    dataset = load_speech(spec.data)  # type: ignore[arg-type]
    problem = problem_of(spec, dataset)
    trained = TrainedRecogniser(spec, problem.units, problem.bank, problem.train.normaliser, problem.model)
    examples = trained.graph_examples(dataset, 2)
    found = Interpreter(trained.graph()).run([each.inputs for each in examples])
    for number, each in enumerate(examples):
        assert np.abs(found["scores"][number] - each.outputs["scores"]).max() < 1e-5


def test_it_is_said_that_the_recordings_of_a_speaker_help_each_other(
    folder: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from gatewise.training.kind import Request

    dataset = load_speech(SpeechDataSpec(str(folder)))
    words = "single recording of a stranger is normalised by itself"
    for normalisation in ("speaker", "recording", "running"):
        notes = problem_of(_spec(folder, {}, normalisation=normalisation), dataset).notes
        assert any(words in note for note in notes) == (normalisation == "speaker")
    load_run(labels).evaluate_command(Request(labels, file=folder))
    assert words in capsys.readouterr().err


def test_intervals_are_over_unseen_speakers(folder: Path) -> None:
    from gatewise.training.registry import kind_of

    kind = kind_of("speech")
    one = load_speech(SpeechDataSpec(str(folder)))
    assert kind.measure(one).groups is None and any("one speaker" in note for note in one.notes)
    two = load_speech(SpeechDataSpec(str(folder), test_speaker="speaker0,speaker2"))
    assert set(kind.measure(two).groups.tolist()) == {0, 1} and len(two.test) == 36  # type: ignore[union-attr]
    assert {each.speaker for each in two.train} == {"speaker1", "speaker3"}
    mixed = load_speech(SpeechDataSpec(str(folder), split="recordings"))
    assert kind.measure(mixed).groups is None and any("unseen speakers are harder" in note for note in mixed.notes)
    checked = load_speech(SpeechDataSpec(str(folder), test_speaker="speaker0", validation_speaker="speaker1"))
    assert {each.speaker for each in checked.validation} == {"speaker1"}
    with pytest.raises(OptionError, match=r"there is no speaker 'speker1'.*did you mean 'speaker1'"):
        load_speech(SpeechDataSpec(str(folder), test_speaker="speker1"))
    with pytest.raises(OptionError, match="two parts"):
        load_speech(SpeechDataSpec(str(folder), test_speaker="speaker1", validation_speaker="speaker1"))
    with pytest.raises(OptionError, match="--test-speaker goes with --split speakers"):
        load_speech(SpeechDataSpec(str(folder), test_speaker="speaker1", split="recordings"))


def test_recordings_too_short_for_their_words_are_named_and_left_out(tmp_path: Path) -> None:
    rows = []
    for number in range(40):
        words = ["up", "low", "up"] if number % 2 else ["down", "up"]
        samples = np.concatenate([chirp(word, 0, number) for word in words])
        soundfile.write(tmp_path / f"{number}.wav", samples[:300] if number < 6 else samples, RATE)
        rows.append({"path": f"{number}.wav", "text": " ".join(words)})
    write_table(tmp_path / "transcripts.csv", rows)
    dataset = load_speech(SpeechDataSpec(str(tmp_path)))
    assert dataset.units.answers == "words"
    short = [each.name for each in dataset.train if len(each.stored) == 300]
    assert len(short) > 1
    problem = problem_of(_spec(tmp_path, {}), dataset)
    assert any(
        f"{len(short)} training recordings of fewer steps than units" in note and short[0] in note
        for note in problem.notes
    )
    assert problem.examples_per_epoch == len(dataset.train) - len(short)
    letters = load_speech(SpeechDataSpec(str(tmp_path), answers="characters"))
    assert letters.units.names == (" ", "d", "l", "n", "o", "p", "u", "w")


def test_same_seed_same_bits_and_strings_change_with_the_epoch(folder: Path) -> None:
    spec = _spec(folder, {"strings": 3}, noise=0.5, warping=0.1, filtering=0.3, time_masks=1, endpoints=0.5)
    dataset = load_speech(spec.data)  # type: ignore[arg-type]
    assert isinstance(dataset, SpeechDataset)
    losses = []
    for _ in range(2):
        torch.manual_seed(1)
        problem = problem_of(spec, dataset)
        problem.begin_epoch(1)
        first = problem._order
        torch.manual_seed(5)
        losses.append(problem.loss(0).loss.item())
        problem.begin_epoch(2)
        assert problem._order != first and len(problem._order) == problem.steps_per_epoch
    assert losses[0] == losses[1]


def test_what_is_joined_to_strings_is_cut_closer_before(folder: Path) -> None:
    from gatewise.kinds.speech.augmentation import Augmentation
    from gatewise.kinds.speech.encoding import encode, string_frames
    from gatewise.kinds.speech.features import FilterBank

    dataset = load_speech(SpeechDataSpec(str(folder), strings=3))
    bank = FilterBank(RATE, 12)
    quiet = np.zeros(RATE // 5, np.int16)
    padded = [
        dataclasses.replace(each, stored=np.concatenate([quiet, each.stored, quiet])) for each in dataset.train[:6]
    ]
    problem = problem_of(_spec(folder, {"strings": 3}), dataset)
    train = encode(padded, bank, problem.train.normaliser, dataset.units)
    lengths = {}
    for share in (0.0, 0.999):
        drawn = [
            string_frames([0, 1, 2], padded, train, Augmentation(endpoints=share), np.random.default_rng(seed))
            for seed in range(12)
        ]
        lengths[share] = float(np.mean([len(each) for each in drawn]))
    assert lengths[0.0] - lengths[0.999] == pytest.approx(3 * 40, abs=30)  # frames of silence


def test_of_recordings_of_several_words_no_end_is_cut(folder: Path) -> None:
    from gatewise.kinds.speech.augmentation import Augmentation
    from gatewise.kinds.speech.encoding import encode
    from gatewise.kinds.speech.features import FilterBank, Normaliser

    bank, changes = FilterBank(RATE, 12), Augmentation(endpoints=0.999)
    sound = np.concatenate([chirp("up"), 0.1 * chirp("low")])  # a faint last word
    recordings = [Recording(text, text, None, store(sound)) for text in ("up low", "up")]
    frames = bank(recordings[0].samples)
    encoded = encode(recordings, bank, Normaliser.fit("recording", frames))
    lengths = [
        [len(encoded.changed(row, changes, np.random.default_rng(seed))) for seed in range(30)] for row in (0, 1)
    ]
    assert min(lengths[0]) == len(frames) and min(lengths[1]) < 0.8 * len(frames)


@pytest.mark.slow
def test_comparisons_show_speakers_mistakes_and_recordings(folder: Path, tmp_path: Path) -> None:
    from gatewise.errors import RunError
    from gatewise.reports import read_comparison

    words = ["compare", str(folder), "--test-speaker", "speaker0,speaker2", "--cells", "gru", "--seeds", "1"]
    words += ["--strings", "3", "--epochs", "2", "--hidden", "8", "--mel-bins", "12", "--threads", "1", "--no-cost"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "result")])
    assert done.exit_code == 0, done.output
    record = read_comparison(tmp_path / "result")
    assert record.metric.name == "word_error_rate" and [model.name for model in record.models][:2] == [
        "segment-means", "templates",
    ]  # fmt: skip
    page = (tmp_path / "result" / "report.html").read_text()
    for part in ("Speaker by speaker", "Recordings as they were heard", "2 speakers who are not in the training part"):
        assert part in page
    assert "single recording of a stranger is normalised by itself" in page
    linear = record.models[0].runs[0].test
    assert linear["word_error_rate"] < 0.3 and set(linear["speakers"]) == {"speaker0", "speaker2"}
    place = tmp_path / "result" / "comparison.json"
    content = json.loads(place.read_text())
    content["details"]["recordings"] = content["details"]["recordings"][:-1]
    place.write_text(json.dumps(content))
    with pytest.raises(RunError, match="an answer to each recorded recording"):
        read_comparison(tmp_path / "result")


@pytest.mark.slow
def test_explanations_by_command_picture_and_page(labels: Path, strings: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    soundfile.write(tmp_path / "one.wav", _string(["up", "low"]), RATE)
    told = run(app, ["explain", str(strings), str(tmp_path / "one.wav"), "--text"])
    assert told.exit_code == 0, told.output
    assert "Heard: " in told.stdout and " Hz " in told.stdout and "integrated gradients" in told.stdout
    found = run(app, ["explain", str(labels), "--example", "2", "--json", "--png", str(tmp_path / "why.png")])
    assert found.exit_code == 0, found.output
    record = json.loads(found.stdout.splitlines()[0])
    assert record["task"] == "speech" and record["input"]["truth"] in WORDS
    assert len(record["reasons"]["values"]) == len(record["input"]["steps"]) == len(record["answers"]["after"])
    assert (tmp_path / "why.png").stat().st_size > 20_000
    page = run(app, ["explain", str(labels), str(tmp_path / "one.wav"), "--out", str(tmp_path / "page.html")])
    assert page.exit_code == 0, page.output
    assert b"one.wav" in (tmp_path / "page.html").read_bytes()


@pytest.mark.slow
def test_the_page_writes_the_figures_of_many_bands_beside_their_names(labels: Path, tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("chromium is not installed")
    soundfile.write(tmp_path / "one.wav", _string(["up", "low"]), RATE)
    place = tmp_path / "page.html"
    found = CliRunner().invoke(app, ["explain", str(labels), str(tmp_path / "one.wav"), "--out", str(place)])
    assert found.exit_code == 0, found.output
    as_root = hasattr(os, "getuid") and os.getuid() == 0
    with sync_api.sync_playwright() as player:
        browser = player.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"] if as_root else [])
        page = browser.new_page(viewport={"width": 900, "height": 900})
        page.goto(place.as_uri())
        page.wait_for_selector(".column-names b")
        written = page.locator(".column-names b").all_inner_texts()
        beside_dots = page.locator(".curves.input .figure").all_text_contents()
        boxes = [each.bounding_box() for each in page.locator(".column-names > span").all()]
        browser.close()
    assert len(written) == 6 and all(float(each.replace("\u2212", "-")) for each in written)
    assert beside_dots == [""] * 6  # these overlapped the lines
    for one, other in itertools.combinations(boxes, 2):
        assert one and other and (one["x"] + one["width"] <= other["x"] or one["y"] + one["height"] <= other["y"])
