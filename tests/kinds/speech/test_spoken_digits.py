"""The known spoken digits: their content, their splits, and what a linear model makes of unseen speakers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gatewise.errors import DataError
from gatewise.kinds.speech.baselines import SegmentBaseline
from gatewise.kinds.speech.dataset import load_speech
from gatewise.kinds.speech.spec import SpeechDataSpec

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
