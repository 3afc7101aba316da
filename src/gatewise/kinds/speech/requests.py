"""What `gatewise predict`, `evaluate` and requests to a server ask to hear. Imports no torch."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.errors import DataError
from gatewise.training.request import Request, check_out, check_places, named_places

if TYPE_CHECKING:
    from gatewise.kinds.speech.features import Normaliser
    from gatewise.kinds.speech.trained import TrainedRecogniser

__all__ = ["LONGEST", "answers", "check", "note_without_speaker", "sound_files"]

LONGEST = 120.0
"""Seconds of sound in one request; streams may be longer."""


def check(command: str, request: Request) -> None:
    """Refuse what can be refused before the network is loaded.

    Raises:
        DataError: no file or folder that was named exists.
        OptionError: ``--out`` is the input.
        StorageError: ``--out`` cannot be written.
    """
    places = sound_files(request) if command == "predict" else [request.file]
    check_places(places, "recording", "name sound files, or a folder of recordings")
    for place in places if command == "predict" else []:
        check_out(replace(request, file=place))
    check_out(request)


def sound_files(request: Request) -> list[Path]:
    """What `gatewise predict` is to hear, as it was named: the arguments, or ``--file``.

    Raises:
        DataError: nothing was named.
    """
    fix = "name sound files after the run: gatewise predict RUN a.wav"
    return named_places(request, "there is no recording to hear", fix)


def answers(recogniser: TrainedRecogniser, inputs: Sequence[Any]) -> list[dict[str, Any]]:
    """What is said in each sound file, with what was done to it.

    Args:
        recogniser: the network.
        inputs: ``{"sound": base64 of a file}``, or the bytes of one.

    Raises:
        DataError: an input is no sound file that can be heard.
    """
    from gatewise.kinds.speech.recordings import Recording, store
    from gatewise.kinds.speech.sound import read_sound

    recordings, notes = [], []
    for place, each in enumerate(inputs, 1):
        name = "the sound" if len(inputs) == 1 else f"sound {place}"
        sound = read_sound(_content(each, name), name, recogniser.bank.rate, longest=LONGEST)
        recordings.append(Recording(name, "", None, store(sound.samples)))
        notes.append([*sound.notes, *note_without_speaker(recogniser.normaliser)])
    found = []
    for heard, said in zip(recogniser.recognise(recordings), notes, strict=True):
        record: dict[str, Any] = {"text": heard.text, "seconds": round(heard.seconds, 3)}
        if heard.probabilities:
            record |= {"probability": heard.probabilities[heard.text], "probabilities": dict(heard.probabilities)}
        found.append(record | {"notes": said})
    return found


def note_without_speaker(normaliser: Normaliser) -> list[str]:
    """That a recording is heard less well without others of its speaker, where this is so."""
    if normaliser.kind != "speaker":
        return []
    return [
        "the network was trained and tested with all recordings of a speaker normalised together; this one is "
        "normalised by itself, which is less accurate"
    ]


def _content(given: Any, name: str) -> bytes:
    if isinstance(given, bytes):
        return given
    sound = given.get("sound") if isinstance(given, dict) else None
    if not isinstance(sound, str) or set(given) != {"sound"}:
        raise DataError(
            f"{name} is no sound",
            expected='{"sound": a WAV, FLAC or OGG file in base64}',
            got=f"an object of {', '.join(map(repr, list(given)[:5]))}" if isinstance(given, dict)
            else type(given).__name__,
            fix="or send the file as the body, with the Content-Type audio/wav",
        )  # fmt: skip
    try:
        return base64.b64decode(sound, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"{name} is not base64", got=str(error), fix="encode the bytes of the sound file") from None
