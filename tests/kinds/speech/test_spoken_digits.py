"""The known spoken digits: their content, their splits, and what a linear model makes of unseen speakers."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from gatewise.errors import DataError
from gatewise.kinds.speech.baselines import SegmentBaseline
from gatewise.kinds.speech.dataset import load_speech
from gatewise.kinds.speech.scoring import evaluation
from gatewise.kinds.speech.spec import RecogniserSpec, SpeechDataSpec
from gatewise.kinds.speech.trained import TrainedRecogniser
from gatewise.training.loop import train_run
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import TrainingSpec
from gatewise.training.trained import load_run

SHARED = Path(os.environ.get("GATEWISE_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")


def test_without_them_it_is_said_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'spoken-digits' is not available.*free-spoken-digit-dataset"):
        load_speech(SpeechDataSpec(), cache=tmp_path)
    (tmp_path / "fsdd").mkdir()
    (tmp_path / "fsdd" / "1_ann_0.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"does not hold the known spoken digits.*got: 1 recordings"):
        load_speech(SpeechDataSpec(), cache=tmp_path)


@pytest.mark.slow
@pytest.mark.shared_data
def test_splits_and_the_linear_model() -> None:
    if not (SHARED / "fsdd.tgz").is_file():
        pytest.skip("the spoken digits are not at hand")
    usual = load_speech(SpeechDataSpec(split="usual"), cache=SHARED)
    assert usual.sizes == {"train": 2_430, "validation": 270, "test": 300} and usual.rate == 8_000
    assert usual.units.answers == "label" and usual.units.names == tuple("0123456789")
    unseen = load_speech(SpeechDataSpec(test_speaker="theo"), cache=SHARED)
    assert unseen.sizes == {"train": 2_250, "validation": 250, "test": 500}
    accuracy = {}
    for kind in ("speaker", "training"):
        model = SegmentBaseline().configured({"normalisation": kind})
        model.fit(unseen)
        accuracy[kind] = model.test(unseen).metrics["accuracy"]
    assert accuracy["speaker"] > 0.75
    strings = load_speech(SpeechDataSpec(test_speaker="theo", strings=5), cache=SHARED)
    assert sum(len(each.words) for each in strings.test) == 500 and strings.sizes["train"] == 2_250
    assert len({each.speaker for each in strings.test}) == 1


@pytest.mark.slow
@pytest.mark.shared_data
def test_single_recordings_of_a_stranger_are_heard_nearly_as_well_as_many_together(tmp_path: Path) -> None:
    if not (SHARED / "fsdd.tgz").is_file():
        pytest.skip("the spoken digits are not at hand")
    data = SpeechDataSpec(test_speaker="theo", examples=1_500)
    training = TrainingSpec(epochs=3, learning_rate=5e-3, averaging=0.9, threads=1)
    dataset = load_speech(data, cache=SHARED)
    train_run(RunSpec(data, RecogniserSpec(hidden_size=64), training, task="speech"), dataset, tmp_path / "run")
    trained = load_run(tmp_path / "run")
    assert isinstance(trained, TrainedRecogniser)
    alone = [dataclasses.replace(each, speaker=None) for each in dataset.test]
    together, single = (
        evaluation("label", dataset.test, trained.predict(part)).metrics["accuracy"] for part in (dataset.test, alone)
    )
    # normalised with all recordings of the speaker alone, 40 log energies of these come to 95 % and 67 %
    assert together > 0.85 and single > 0.82 and single > together - 0.07
