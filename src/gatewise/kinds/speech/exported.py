"""A recogniser that was exported: hears recordings without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.errors import DataError, OptionError
from gatewise.kinds.speech.features import FilterBank, Frames, Normaliser
from gatewise.kinds.speech.moments import speaker_moments
from gatewise.kinds.speech.recordings import Recording
from gatewise.kinds.speech.search import best_path
from gatewise.kinds.speech.units import Units

if TYPE_CHECKING:
    from gatewise.training.kind import ExportedModel, Request

__all__ = ["ExportedRecogniser", "Heard", "check_heard", "windows_of"]

_AT_ONCE = 32


@dataclass(frozen=True)
class Heard:
    """What a network heard in a recording.

    Attributes:
        text: the answer.
        seconds: of the recording.
        probabilities: of the labels, the most probable first; empty where units are transcribed.
    """

    text: str
    seconds: float
    probabilities: Mapping[str, float]


def check_heard(recordings: Sequence[Recording], units: Units, bank: FilterBank, beam: int | None = None) -> None:
    """Refuse what cannot be heard.

    Raises:
        DataError: a recording is shorter than a frame.
        OptionError: a beam for labels.
    """
    if beam is not None and not units.by_ctc:
        raise OptionError("a beam search is for words and characters", got="a network of labels", fix="omit --beam")
    for each in recordings:
        if not bank.count(len(each.stored)):
            raise DataError(
                f"{each.name} is shorter than a frame of 25 ms",
                got=f"{1000 * len(each.stored) / bank.rate:.1f} ms",
                fix="omit it",
            )


def windows_of(frames: Frames, size: int, stride: int) -> Frames:
    """The windows of a recording's frames (T, M) as the graph reads them, (T', size * M).

    Example:
        >>> windows_of(np.arange(4, dtype=np.float32)[:, None] + 1, 3, 2).tolist()
        [[1.0, 2.0, 3.0], [3.0, 4.0, 0.0]]
    """
    steps = -(-max(0, len(frames) - size) // stride) + 1
    padded = np.zeros(((steps - 1) * stride + size, frames.shape[1]), dtype=np.float32)
    padded[: len(frames)] = frames
    return np.stack([padded[step * stride : step * stride + size].reshape(-1) for step in range(steps)])


class ExportedRecogniser:
    """An exported model as the command `predict` uses a recogniser.

    Args:
        model: the model.
    """

    def __init__(self, model: ExportedModel) -> None:
        found: Mapping[str, Any] = model.metadata
        self.model = model
        self.units = Units.from_dict(found["units"], "the model")
        self.bank = FilterBank(int(found["rate"]), int(found["bins"]))
        self.normaliser = Normaliser.from_dict(found["normaliser"], "the model", self.bank.bins)
        self.size, self.stride = int(found["window"]), int(found["stride"])
        self.spec = SimpleNamespace(data=SimpleNamespace(sound=None, text=None, speaker=None))

    def recognise(self, recordings: Sequence[Recording]) -> list[Heard]:
        """What is said in recordings at the network's rate, see `TrainedRecogniser.recognise`."""
        check_heard(recordings, self.units, self.bank)
        frames = [self.bank(each.samples) for each in recordings]
        speakers = speaker_moments(recordings, frames, self.normaliser)
        rows = [
            {"windows": windows_of(self.normaliser(each, own), self.size, self.stride)}
            for each, own in zip(frames, speakers, strict=True)
        ]
        found: list[Heard] = []
        for start in range(0, len(rows), _AT_ONCE):
            outputs = self.model.run(rows[start : start + _AT_ONCE])
            for values in next(iter(outputs.values())):
                found.append(self._heard(np.asarray(values), len(recordings[len(found)].stored) / self.bank.rate))
        return found

    def predict_command(self, request: Request) -> None:
        """Recognise sound files; see `gatewise.kinds.speech.commands.predict`."""
        from gatewise.kinds.speech.commands import predict

        predict(self, request)

    def _heard(self, values: Frames, seconds: float) -> Heard:
        if self.units.by_ctc:
            return Heard(self.units.decode([unit - 1 for unit in best_path(values)]), seconds, {})
        chances = np.exp(values - values.max())
        chances /= chances.sum()
        order = np.argsort(-chances, kind="stable")
        named = {self.units.names[number]: float(chances[number]) for number in order}
        return Heard(next(iter(named)), seconds, named)
