"""A recogniser as sound arrives: after every frame, what was said so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from gatewise.errors import ConversionError, OptionError
from gatewise.kinds.speech.arriving import RATES, Rest, checked_rate, cut_frames, samples_of
from gatewise.kinds.speech.features import LENGTH, SHIFT, Frames, Moments, NormaliserStream
from gatewise.kinds.speech.listening import obstacles
from gatewise.kinds.speech.search import BLANK
from gatewise.kinds.speech.sound import check_packages
from gatewise.nn.streams import Streams, each_row
from gatewise.training.streaming import Advance, Advanced, Arrived, State, Streaming

if TYPE_CHECKING:
    from gatewise.kinds.speech.trained import TrainedRecogniser

__all__ = ["MOST_UNITS", "SpeechStreaming"]

MOST_UNITS = 10_000
_EACH_UNITS = 200
"""Of each answer where every frame has one: thousands of them may come of one message."""
"""Words or characters that a stream keeps; of a longer transcript the oldest are forgotten."""
_END = np.zeros(0, np.int16)
_FRAMES, _STEPS, _UNITS, _ENDED = range(4)
Array = npt.NDArray[Any]


class SpeechStreaming(Streaming):
    """Reads sound frame by frame; each is answered by the text so far, that of `gatewise predict` at the end.

    A step of the recurrent layers is computed when the frames of its window are complete; ``end`` completes the last
    one with zeros, as in a file, and the sound after it is another recording. The text is that of the best path; of
    labels it is the most probable one of the sound so far.

    Args:
        trained: a network of one direction, normalised ``running`` or by ``training``.

    Raises:
        ConversionError: it needs the whole recording.
        OptionError: the packages for sound are missing.
    """

    unit: ClassVar[str] = "frame"
    message: ClassVar[Mapping[str, Any]] = {
        "sound": {
            "type": "string",
            "contentEncoding": "base64",
            "description": "the next samples: 16 bits each, little-endian, one channel",
        }
    }
    settings_schema: ClassVar[Mapping[str, Any]] = {
        "rate": {
            "type": "integer",
            "description": f"samples per second, one of {', '.join(map(str, RATES))}; the network's own if not given",
        },
        "last": {
            "type": "integer",
            "minimum": 1,
            "description": f"words or characters of the text in an answer; {MOST_UNITS:,} if not given; "
            f"at most {_EACH_UNITS} where every frame has an answer",
        },
    }
    binary: ClassVar[str | None] = "sound"

    def __init__(self, trained: TrainedRecogniser) -> None:
        found, flags = obstacles(trained)
        if found:
            raise ConversionError(
                "the network needs the whole recording",
                got="; ".join(found),
                fix=f"train it with {' '.join(flags)}; requests with whole recordings work",
            )
        check_packages()
        self.trained, self.streams = trained, Streams(trained.model.recurrent)
        self.bank, self.units, self.windows = trained.bank, trained.units, trained.model.windows
        head = trained.model.head
        self._weight, self._bias = head.weight.detach().numpy(), head.bias.detach().numpy()
        self.pooling = (trained.model.pooling or "").split("+")

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The rate of the samples, and how much of the text is answered."""
        found = super().settings(given)
        last = found.get("last")
        if last is not None and (isinstance(last, bool) or not isinstance(last, int) or not 1 <= last <= MOST_UNITS):
            raise OptionError("last is out of range", expected=f"1 to {MOST_UNITS:,}", got=repr(last)[:40])
        return {"rate": checked_rate(found.get("rate"), self.bank.rate), "last": last}

    def notes(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Whether the sound is resampled."""
        rate = settings["rate"]
        return () if rate == self.bank.rate else (f"resampled from {rate:,} to {self.bank.rate:,} samples per second",)

    def initial(self, settings: Mapping[str, Any]) -> State:
        """Nothing heard."""
        width, bins = self.trained.model.recurrent.widths[-1], self.trained.normaliser.width
        found: dict[str, Array] = {
            "layers": self.streams.initial(),
            "waiting": np.zeros((0, bins), np.float32),
            "counts": np.zeros(4, np.int64),  # frames, steps of the layers, units; whether the recording has ended
        }
        if self.trained.normaliser.kind == "running":
            prior = self.trained.normaliser.prior
            found |= {"number": np.array([prior.number]), "sums": prior.sums, "squares": prior.squares}
        if self.units.by_ctc:
            found |= {"units": np.zeros(0, np.int32), "last": np.zeros(1, np.int32)}
        for name in self.pooling:
            if name:
                found[name] = np.full(width, -np.inf if name == "max" else 0.0, np.float32)
        return found

    def arrived(self, message: Mapping[str, Any], rest: str, settings: Mapping[str, Any]) -> Arrived:
        """The samples of every frame, and the mark of the end."""
        end = bool(message.get("end"))
        frames, left = cut_frames(samples_of(message), Rest.of(rest), self.bank, settings["rate"], end=end)
        return Arrived([*frames, _END] if end else frames, "" if end else left.text())

    def advance(self, streams: Sequence[Advance]) -> list[Advanced]:
        """Read frames of many streams at once."""
        heard = [self._heard(each, frames) for each, frames in zip(streams, self._frames(streams), strict=True)]
        ready = [each for each in heard if len(each.inputs)]
        if ready:
            outputs, layers = self.streams.advance(
                np.stack([each.state["layers"] for each in ready]), [each.inputs for each in ready]
            )
            for each, output, own in zip(ready, outputs, layers, strict=True):
                each.outputs = output
                each.state["layers"] = own.copy()  # so that a stream does not keep what belongs to the others
        return [self._transcribed(each) if self.units.by_ctc else self._labelled(each) for each in heard]

    def _frames(self, streams: Sequence[Advance]) -> list[Frames]:
        """Of each stream the frames (T, M) of its steps."""
        counts = [sum(len(step) > 0 for step in each.steps) for each in streams]
        samples = [step for each in streams for step in each.steps if len(step)]
        if not samples:
            return [np.zeros((0, self.bank.bins), np.float32) for _ in streams]
        frames = self.bank.of_cut(np.stack(samples).astype(np.float32) / np.float32(32767))
        ends = np.cumsum(counts).tolist()
        return [frames[end - count : end] for end, count in zip(ends, counts, strict=True)]

    def _heard(self, work: Advance, frames: Frames) -> _Heard:
        """Normalise the new frames of a stream, and make of those that are complete what its layers read."""
        before = work.state if not work.state["counts"][_ENDED] else self.initial(work.settings)
        state, ends = dict(before), not len(work.steps[-1])
        moments = Moments(float(state["number"][0]), state["sums"], state["squares"]) if "sums" in state else None
        stream = NormaliserStream(self.trained.normaliser, moments)
        waiting = np.concatenate([state["waiting"], stream.accept(frames)])
        if moments is not None:
            number, sums, squares = stream.so_far
            state |= {"number": np.array([number]), "sums": sums.copy(), "squares": squares.copy()}
        size, stride = self.windows.size, self.windows.stride
        counts = state["counts"].copy()
        read, steps = int(counts[_FRAMES]) + len(frames), int(counts[_STEPS])
        complete = max(0, (len(waiting) - size) // stride + 1)
        windows = [waiting[at : at + size] for at in range(0, complete * stride, stride)]
        # the first window that a frame completes, for answers after every frame
        places = [at + size - len(state["waiting"]) for at in range(0, complete * stride, stride)]
        waiting = waiting[complete * stride :].copy()
        if ends and read and steps + complete < int(self.windows.steps(torch.tensor(read))):
            last = np.zeros((size, self.trained.normaliser.width), np.float32)
            last[: len(waiting)] = waiting
            windows.append(last)
            places.append(len(frames) + 1)
        counts[[_FRAMES, _STEPS, _ENDED]] = read, steps + len(windows), ends
        state |= {"waiting": waiting, "counts": counts}
        done = np.searchsorted(places, np.arange(1, len(work.steps) + 1), side="right")
        outputs = np.zeros((0, self.trained.model.recurrent.widths[-1]), np.float32)
        inputs, asked = self._front(windows), done if work.every else done[-1:]
        return _Heard(work, state, inputs, outputs, read - len(frames), asked)

    def _front(self, windows: Sequence[Frames]) -> Frames:
        """What the layers read of each window, one by one, so that its bits do not depend on the others: (T', I)."""
        if not windows:
            return np.zeros((0, self.trained.model.recurrent.input_size), np.float32)
        if self.trained.model.convolution is None:
            return np.stack(windows).reshape(len(windows), -1)
        with torch.inference_mode():
            parts = [self.trained.model.front(torch.from_numpy(each.copy())[None, None])[0, 0] for each in windows]
            return torch.stack(parts).numpy()

    def _transcribed(self, heard: _Heard) -> Advanced:
        """The text so far: the best path's units."""
        state, last = heard.state, int(heard.state["last"][0])
        new, lengths, found = list[int](), [0], list[int]()
        if len(heard.outputs):
            found = each_row(heard.outputs, self._weight, self._bias).argmax(axis=1).tolist()
        for best in found:
            if best not in (BLANK, last):
                new.append(best)
            last = best
            lengths.append(len(new))
        before, counts = state["units"], state["counts"].copy()
        units = np.concatenate([before, np.array(new, np.int32)]) if new else before
        first, shown = int(counts[_UNITS]), int(heard.work.settings["last"] or MOST_UNITS)
        if heard.work.every:
            shown = min(shown, _EACH_UNITS)
        answers = []
        for known, place in heard.answered():
            end = len(before) + lengths[known]
            text = self.units.decode((units[max(0, end - shown) : end] - 1).tolist())
            answers.append({"text": text, "count": first + lengths[known], **heard.time(place)})
        counts[_UNITS] = first + len(new)
        kept = units if len(units) <= MOST_UNITS else units[-MOST_UNITS:].copy()
        state |= {"units": kept, "last": np.array([last], np.int32), "counts": counts}
        return Advanced(state, answers)

    def _labelled(self, heard: _Heard) -> Advanced:
        """The most probable label of the sound so far."""
        state, output = heard.state, heard.outputs
        before = int(state["counts"][_STEPS]) - len(output)
        parts: list[Array] = []
        for name in self.pooling:
            if name == "last":
                values = np.concatenate([state[name][None], output])
            else:
                combine = np.add if name == "mean" else np.maximum
                values = combine.accumulate(np.concatenate([state[name][None], output]), axis=0)
            state[name] = values[-1].copy()
            steps = np.maximum(before + np.arange(len(values)), 1).astype(np.float32)
            parts.append(values / steps[:, None] if name == "mean" else values)
        pooled, answers = np.concatenate(parts, axis=1), []
        for known, place in heard.answered():
            if not before + known:
                answers.append({"text": "", **heard.time(place)})
                continue
            scores = each_row(pooled[known : known + 1], self._weight, self._bias)[0].astype(np.float64)
            powers = np.exp(scores - scores.max())
            best = int(powers.argmax())
            chance = float(powers[best] / powers.sum())
            answers.append({"text": self.units.names[best], "probability": chance, **heard.time(place)})
        return Advanced(state, answers)


@dataclass
class _Heard:
    """One stream within a call.

    Attributes:
        work: what was asked.
        state: the state as it changes.
        inputs: (T', I) of the layers.
        outputs: (T', H) of the layers.
        frames: read before.
        done: windows that are complete at each answer.
    """

    work: Advance
    state: dict[str, Array]
    inputs: Frames
    outputs: Frames
    frames: int
    done: Array

    def answered(self) -> list[tuple[int, int]]:
        """Of each answer how many windows it knows of, and the place of its step."""
        first = len(self.work.steps) - len(self.done)
        return [(int(known), first + place) for place, known in enumerate(self.done)]

    def time(self, place: int) -> dict[str, Any]:
        """How much sound was heard at a step, and whether it was the end."""
        ends = not len(self.work.steps[place])
        frames = self.frames + place + (not ends)
        return {"seconds": round(LENGTH + SHIFT * (frames - 1), 3) if frames else 0.0, "end": ends}
