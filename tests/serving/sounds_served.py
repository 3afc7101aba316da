"""Networks that hear, and sounds to send them, for the tests of streams."""

from __future__ import annotations

import io
import itertools
import random
import wave
from pathlib import Path
from typing import Any

import numpy as np

from gatewise.kinds.speech.dataset import load_speech
from gatewise.kinds.speech.spec import RecogniserSpec, SpeechDataSpec
from gatewise.kinds.speech.streaming import SpeechStreaming
from gatewise.kinds.speech.trained import TrainedRecogniser, problem_of
from gatewise.training.run_spec import RunSpec
from gatewise.training.streaming import Advance
from small_sounds import RATE, chirp

ONE_WAY = {"bidirectional": False, "normalisation": "running"}


def drawn_recogniser(folder: Path, data: dict[str, Any], **model: Any) -> TrainedRecogniser:
    """A network of large random weights, whose answers change all the time."""
    import torch

    small = {"hidden_size": 16, "mel_bins": 12, **ONE_WAY, **model}
    spec = RunSpec(data=SpeechDataSpec(str(folder), **data), model=RecogniserSpec(**small), task="speech")
    torch.manual_seed(1)
    problem = problem_of(spec, load_speech(spec.data))  # type: ignore[arg-type]
    for value in problem.model.parameters():
        torch.nn.init.normal_(value, std=0.5)
    return TrainedRecogniser(spec, problem.units, problem.bank, problem.train.normaliser, problem.model)


def samples_of(words: str, speaker: int = 1, rate: int = RATE) -> np.ndarray:
    """Samples of 16 bits."""
    quiet = np.random.default_rng(0).standard_normal(rate // 8).astype(np.float32) * 3e-5
    parts = [part for n, word in enumerate(words.split()) for part in (quiet, chirp(word, speaker, 90 + n, rate))]
    return np.round(np.concatenate([*parts, quiet]) * 32767).astype("<i2")


def file_of(sound: np.ndarray, rate: int = RATE, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(np.repeat(sound, channels).tobytes())
    return file.getvalue()


def messages_of(sound: np.ndarray, chance: random.Random, count: int = 6) -> list[dict[str, Any]]:
    cuts = [0, *sorted(chance.sample(range(1, len(sound)), count)), len(sound)]
    return [{"sound": sound[a:b].tobytes(), "end": b == len(sound)} for a, b in itertools.pairwise(cuts)]


def run_alone(model: SpeechStreaming, messages: list[dict[str, Any]], **given: Any) -> tuple[Any, list[dict[str, Any]]]:
    settings = model.settings(given)
    state, rest, found = model.initial(settings), "", []
    for message in messages:
        steps, rest = model.arrived(message, rest, settings)
        if len(steps):
            ((state, answers),) = model.advance([Advance(state, steps, True, settings)])
            found += answers
    return state, found
