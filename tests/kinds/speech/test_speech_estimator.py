"""The recogniser in scikit-learn's manner: `gatewise.SpeechRecognizer`."""

from __future__ import annotations

import pytest

from gatewise.errors import DataError
from small_sounds import RATE, WORDS, chirp


def test_estimator_of_strings_and_labels() -> None:
    from gatewise import SpeechRecognizer

    sounds = [chirp(word, speaker, take) for speaker in range(3) for word in WORDS for take in range(5)]
    texts = [word for _ in range(3) for word in WORDS for _ in range(5)]
    who = [f"s{speaker}" for speaker in range(3) for _ in range(15)]
    model = SpeechRecognizer("gru", epochs=6, batch_size=8, learning_rate=0.02, threads=1, hidden_size=12, mel_bins=12)
    model.fit(sounds, texts, who, rate=RATE)
    assert model.score(sounds, texts, who) > 0.9 and model.rate_ == RATE
    with pytest.raises(DataError, match="need their rate"):
        SpeechRecognizer("gru").fit(sounds, texts)
    with pytest.raises(DataError, match="do not fit"):
        SpeechRecognizer("gru").fit(sounds, texts[:-1], rate=RATE)
