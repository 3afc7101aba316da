"""A recogniser as `gatewise explain` reads with it; networks of large random weights on chirps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from gatewise.errors import DataError
from gatewise.inspection.reading import read
from gatewise.inspection.reasons import METHODS, reasons
from gatewise.kernels.fused.library import load
from gatewise.kinds.speech.dataset import load_speech
from gatewise.kinds.speech.reader import SoundReader
from gatewise.kinds.speech.recordings import Recording, store
from gatewise.kinds.speech.search import merged
from gatewise.kinds.speech.spec import RecogniserSpec, SpeechDataSpec
from gatewise.kinds.speech.trained import TrainedRecogniser, problem_of
from gatewise.training.run_spec import RunSpec
from small_sounds import RATE, WORDS, chirp, write_folder

NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "labels": ({}, {"cell": "gru", "pooling": "mean+max"}),
    "labels, both directions": (
        {},
        {"cell": "lstm", "bidirectional": True, "pooling": "last", "window": 5, "stride": 2},
    ),
    "strings": ({"strings": 3}, {"cell": "rnn", "normalisation": "running", "window": 4, "stride": 1, "channels": 3}),
    "strings, both directions": ({"strings": 3}, {"cell": "gru", "bidirectional": True, "num_layers": 2}),
}
Made = tuple[TrainedRecogniser, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("chirps"), takes=3)


@pytest.fixture(scope="module", params=list(NETWORKS))
def made(folder: Path, request: pytest.FixtureRequest) -> Made:
    return _made(folder, request.param)


def _made(folder: Path, name: str) -> Made:
    data, model = NETWORKS[name]
    small = {"hidden_size": 10, "mel_bins": 12, "bidirectional": False, **model}
    spec = RunSpec(data=SpeechDataSpec(str(folder), **data), model=RecogniserSpec(**small), task="speech")
    dataset = load_speech(spec.data)  # type: ignore[arg-type]
    torch.manual_seed(3)
    problem = problem_of(spec, dataset)
    for value in problem.model.parameters():
        torch.nn.init.normal_(value, std=0.4)
    return TrainedRecogniser(spec, problem.units, problem.bank, problem.train.normaliser, problem.model), dataset


def _sound() -> np.ndarray:
    return np.concatenate([chirp("up", 1, 90), chirp("low", 1, 91), chirp("down", 1, 92)])


def test_what_is_read_is_what_the_network_hears(made: Made) -> None:
    trained, _ = made
    reader, samples = trained.reader(), _sound()
    given = reader.parse(samples)
    (heard,) = trained.recognise([Recording("x", "", None, store(samples))])
    after = reader.prefixes(given)
    assert len(given.steps) == len(after) == trained.bank.count(len(samples))
    assert given.values is not None and given.values.shape == (len(after), 12) == given.encoded.shape
    assert after.sum(axis=1) == pytest.approx(1)
    if trained.units.by_ctc:
        assert given.place is not None
        units = merged(after.argmax(axis=1).tolist())
        assert trained.units.decode([unit - 1 for unit in units]) == heard.text and heard.text
        assert f"Heard: {heard.text} (" in given.notes[-1]
        labels = " ".join(step.label.partition(" s")[2].strip() for step in given.steps)
        assert " ".join(labels.split()) == heard.text
    else:
        assert given.place is None
        for name, chance in heard.probabilities.items():
            assert after[-1, reader.names.index(name)] == pytest.approx(chance, abs=1e-5)
        assert reader.names[int(after[-1].argmax())] == heard.text
    with torch.no_grad():
        scores = reader.answer(given, torch.cat([reader.embed(given), reader.baseline(given)], dim=1))
    wanted = after[-1 if given.place is None else given.place]
    assert reader.shares(scores[0]) == pytest.approx(wanted, abs=1e-5)


def test_beginnings_are_answered_as_if_the_sound_ended_there(folder: Path) -> None:
    trained, _ = _made(folder, "labels, both directions")
    reader = trained.reader()
    given = reader.parse(_sound())
    after, windows = reader.prefixes(given), trained.model.windows
    heard = trained.encode([Recording("x", "", None, store(_sound()))]).normalised(0)
    for row in (0, 3, 7):
        frames = row * windows.stride + windows.size
        with torch.no_grad():
            scores = trained.model(torch.from_numpy(heard[:frames])[:, None], torch.tensor([frames]))
        assert after[frames - 1] == pytest.approx(reader.shares(scores[0]), abs=1e-5)


def test_gates_lie_on_the_frames(made: Made) -> None:
    trained, _ = made
    reader = trained.reader()
    for count in (None, 230, 900):
        reading = read(reader, reader.parse(_sound()[:count]), trained=trained)
        steps = len(reading.input.steps)
        for gate in reading.gates:
            covered = gate.first + len(gate.values) * gate.stride
            assert steps <= covered < steps + trained.model.windows.size
            assert 0 <= gate.first < trained.model.windows.size


def test_units_switch_at_frames(folder: Path) -> None:
    from gatewise.inspection.explaining import explanation_of
    from gatewise.serving.explain.facts import unit_facts

    trained, _ = _made(folder, "strings, both directions")
    reader = trained.reader()
    given = reader.parse(np.concatenate([_sound(), _sound()]))
    found = explanation_of(trained, reader, given)
    steps = [step for roles in found.roles.values() for role in roles for step in role.steps]
    assert max(steps) > len(given.steps) / 2  # as rows of the layers' steps they would lie in the first third
    assert all(step % 3 == 0 and step < len(given.steps) for step in steps)
    maps = [gate for gate in found.reading.gates if gate.place == ("recurrent", 0, "forward")]
    words = unit_facts(reader.stacks(given)["recurrent"], maps, "frame")
    assert found.memory[0].half_lives is not None
    half = 3 * float(found.memory[0].half_lives[0])
    assert words[0].startswith(f"its gates keep half for {half:.1f} frames")


def test_reasons_are_by_frame_and_band(made: Made) -> None:
    trained, _ = made
    reader = trained.reader()
    given = reader.parse(_sound()[:1500])
    for method in METHODS:
        found = reasons(reader, given, method=method, with_removal=method == METHODS[0])
        assert found.values.shape == (len(given.steps), 12) and found.columns[0].endswith(" Hz")
        assert np.isfinite(found.values).all() and np.abs(found.values).max() > 0
        if method == "integrated-gradients":
            assert found.completeness_error <= 0.01
    if not trained.model.recurrent.bidirectional and given.place is not None and given.place + 5 < len(given.steps):
        later = found.values[given.place + 5 :]
        if load()[0] is not None:
            assert not later.any()  # what comes later cannot be a reason
        else:  # torch's products of batches of other sizes round otherwise
            assert np.abs(later).max() <= 1e-6


def test_examples_are_read_as_they_are_tested(made: Made) -> None:
    trained, dataset = made
    reader = trained.reader(dataset)
    found = reader.examples(4)
    assert len(found) == min(4, len(dataset.test))
    answers = trained.predict(dataset.test)
    for given, recording, answer in zip(found, dataset.test, answers, strict=False):
        assert given.truth == recording.text and recording.name in given.title
        after = reader.prefixes(given)
        if trained.units.by_ctc:
            assert trained.units.decode([unit - 1 for unit in merged(after.argmax(axis=1).tolist())]) == answer
        else:
            assert reader.names[int(after[-1].argmax())] == answer
    assert trained.reader().examples(4) == []


def test_files_places_and_what_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    trained, _ = _made(folder, "strings")
    reader = trained.reader()
    file = tmp_path / "three:1.wav"
    soundfile.write(file, np.repeat(_sound(), 2), 2 * RATE)
    given = reader.parse(str(file))
    assert given.title == "three:1.wav" and "resampled" in given.notes[0]
    chosen = reader.parse(f"{file}:0.125")
    assert chosen.place == 10 and chosen.steps[10].label.startswith("0.125 s")
    assert "at 0.125 s is explained" in chosen.notes[-1]
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "short.wav", _sound()[:100], RATE)
    soundfile.write(tmp_path / "long.wav", np.tile(_sound(), 200), RATE)
    for wrong, words in (
        (f"{file}:9", "no frame at 9 s"),
        (f"{file}:nan", "no frame"),
        (tmp_path / "nowhere.wav", "does not exist"),
        (tmp_path / "silent.wav", "is silent"),
        (tmp_path / "short.wav", "shorter than a frame"),
        (tmp_path / "long.wav", "too long"),
        (folder, "is a folder"),
        (np.zeros(RATE), "is silent"),
        (np.zeros((5, 5)), "does not fit"),
        (_sound() * 100, "between -1 and 1"),
        (5.0, "does not fit"),
        (None, "does not fit"),
        (np.tile(_sound(), 200), "too long"),
    ):
        with pytest.raises(DataError, match=words):
            reader.parse(wrong)
    labels = _made(folder, "labels")[0].reader()
    assert isinstance(labels, SoundReader) and set(labels.names) == set(WORDS)
    assert "normalised by itself" in labels.parse(file).notes[-1]
    with pytest.raises(DataError, match="times go with networks of words"):
        labels.parse(f"{file}:0.125")  # it has one answer for the whole recording
