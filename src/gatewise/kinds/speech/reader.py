"""A recogniser as `gatewise explain` reads with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import DataError
from gatewise.kinds.speech.features import LENGTH, SHIFT, Frames, Moments, band_centres
from gatewise.kinds.speech.network import pooled
from gatewise.kinds.speech.recordings import Recording, store
from gatewise.kinds.speech.requests import note_without_speaker
from gatewise.kinds.speech.search import BLANK
from gatewise.kinds.speech.sound import SILENT, read_sound
from gatewise.training.kind import RecurrentInputs
from gatewise.training.prefixes import prefix_summaries
from gatewise.training.reader import Array, Reader, ReadInput, Step

if TYPE_CHECKING:
    from gatewise.kinds.speech.encoding import EncodedRecordings
    from gatewise.kinds.speech.trained import TrainedRecogniser

__all__ = ["SoundReader"]

_LONGEST = 60.0
_SHOWN = 12
_BLANK = "(blank)"


class SoundReader(Reader):
    """Frames of sound in, the chances of the labels out; or of CTC's units, of which that at one frame is explained.

    A step of the recurrent layers reads a window of frames. Reasons are for each frame and band: what the network is
    fed, after the normalisation, which is taken as given.

    Args:
        trained: the recogniser.
        dataset: its data, for examples; None: there are none.
    """

    unit = "frame"
    file, file_types = "recording", "audio/*"
    baseline_name = "the mean frame (its log energies, or its cepstra, are the mean that frames are normalised by)"

    def __init__(self, trained: TrainedRecogniser, dataset: Any = None) -> None:
        self.trained, self.dataset, self.model = trained, dataset, trained.model
        self.network = trained.model
        self.by_ctc = trained.units.by_ctc
        names = tuple(name if name.strip() else "(space)" for name in trained.units.names)
        self.names = (_BLANK, *names) if self.by_ctc else names
        both = trained.model.recurrent.bidirectional
        if self.by_ctc:
            whole = ", given the whole recording" if both else ""
            self.after = f"what is heard at that frame{whole}; {_BLANK}: nothing new"
        else:
            self.after = "the answer to the frames up to there" + (", read again in both directions" if both else "")
        if trained.normaliser.kind in ("speaker", "recording"):
            self.after += f", normalised by the whole {trained.normaliser.kind}"

    def examples(self, count: int) -> Sequence[ReadInput]:
        """The first test recordings, normalised as they are tested."""
        if self.dataset is None:
            return []
        part: Sequence[Recording] = self.dataset.test
        encoded = self.trained.encode(part if self.trained.normaliser.kind == "speaker" else part[:count])
        return [
            self._read(encoded, row, f"{each.name}: {each.text}", each.text) for row, each in enumerate(part[:count])
        ]

    def parse(self, given: Any) -> ReadInput:
        """A sound file, its content, or samples (N,) between -1 and 1 at the network's rate.

        Of words and characters ``FILE:0.85`` explains what is heard at 0.85 s; else it is what is heard most surely.

        Raises:
            DataError: no sound, too short or too long, or no such time.
        """
        seconds, notes, title = None, list[str](), "a sound"
        rate = self.trained.bank.rate
        if isinstance(given, bytes):
            title = "the recording"
            sound = read_sound(given, title, rate, longest=_LONGEST)
            samples, notes = sound.samples, [*sound.notes]
        elif isinstance(given, (str, Path)):
            file, seconds = self._place(str(given))
            sound = read_sound(file.expanduser(), str(file), rate, longest=_LONGEST)
            samples, title = sound.samples, file.name
            notes += sound.notes
        else:
            samples = self._samples(given)
        if not self.trained.bank.count(len(samples)):
            got = f"{1000 * len(samples) / rate:.1f} ms"
            raise DataError(f"{title} is shorter than a frame of 25 ms", got=got, fix="choose another")
        recording = Recording(title, "", None, store(samples))
        encoded = self.trained.encode([recording])
        notes += note_without_speaker(self.trained.normaliser)
        return self._read(encoded, 0, title, None, notes, seconds)

    def _place(self, words: str) -> tuple[Path, float | None]:
        """The file, and the seconds behind a colon where there is no file of the whole name."""
        name, _, number = words.rpartition(":")
        if Path(words).expanduser().exists() or not name:
            return Path(words), None
        try:
            seconds = float(number)
        except ValueError:
            return Path(words), None
        if not self.by_ctc:
            if not Path(name).expanduser().exists():
                return Path(words), None
            raise DataError(
                f"{words} names a time, and this network hears one label in a whole recording",
                expected="a sound file",
                fix=f"give {name} alone; times go with networks of words or characters",
            )
        return Path(name), seconds if math.isfinite(seconds) else -1.0

    def _samples(self, given: Any) -> Frames:
        rate = self.trained.bank.rate
        try:
            samples = np.asarray(given, dtype=np.float32)
        except (TypeError, ValueError):
            samples = np.zeros((0, 0), np.float32)
        if samples.ndim != 1 or not np.isfinite(samples).all() or np.abs(samples).max(initial=0.0) > 1:
            raise DataError(
                "the sound does not fit the network",
                expected=f"a sound file, or samples (N,) between -1 and 1, {rate:,} a second",
                got=f"an array of shape {samples.shape}" if isinstance(given, np.ndarray) else type(given).__name__,
            )
        if np.abs(samples).max(initial=0.0) < SILENT:
            raise DataError("the sound is silent", expected="a sound", fix="choose another")
        if len(samples) > _LONGEST * rate:
            got = f"{len(samples) / rate:.1f} s"
            raise DataError("the sound is too long", expected=f"at most {_LONGEST:g} s", got=got, fix="cut it")
        return samples

    def _read(
        self,
        encoded: EncodedRecordings,
        row: int,
        title: str,
        truth: str | None,
        notes: Sequence[str] = (),
        seconds: float | None = None,
    ) -> ReadInput:
        raw = encoded.raw[row]
        frames, scale = self._centred(raw, encoded.speakers[row])
        labels = [f"{LENGTH + SHIFT * number:.3f} s" for number in range(len(frames))]
        columns = tuple(f"{centre:.0f} Hz" for centre in band_centres(self.trained.bank))
        place, said = None, list(notes)
        if self.by_ctc:
            chances = self._rows(self._features(torch.from_numpy(frames)[:, None], scale))
            heard = _spikes(chances)
            surest = max(heard, key=lambda each: chances[each])[0] if heard else len(chances) - 1
            spikes = [(min(self._frame_of(at), len(frames) - 1), unit) for at, unit in heard]
            place = min(self._frame_of(surest), len(frames) - 1)
            if seconds is not None:
                place = round((seconds - LENGTH) / SHIFT)
                if not 0 <= place < len(frames):
                    raise DataError(f"there is no frame at {seconds:g} s", expected=f"{labels[0]} to {labels[-1]}")
            for frame, unit in spikes:
                labels[frame] += f" {self.names[unit]}"
            said.append(self._words(spikes, place))
        return ReadInput(
            tuple(Step(label) for label in labels),
            frames,
            columns=columns,
            values=raw.astype(np.float64),
            truth=truth,
            title=title,
            notes=tuple(said),
            place=place,
            extra={"scale": scale},
        )

    def _centred(self, raw: Frames, speaker: Moments | None) -> tuple[Frames, Frames | None]:
        """What reasons are given for, (T, M): the normalised frames; of cepstra the frames without their mean.

        With it of cepstra what they are divided by, (K,) or (T, K).
        """
        normaliser = self.trained.normaliser
        matrix = normaliser.matrix
        if matrix is None:
            return normaliser(raw, speaker), None
        mean, spread = normaliser.statistics(normaliser.features(raw), speaker)
        # the smoothest frame that has the mean's cepstra
        return np.ascontiguousarray(raw - mean @ np.linalg.pinv(matrix), dtype=np.float32), spread

    def _features(self, embedded: Tensor, scale: Frames | None) -> Tensor:
        """The normalised features (T, B, K) of what reasons are given for, (T, B, M)."""
        matrix = self.trained.normaliser.matrix
        if matrix is None or scale is None:
            return embedded
        # frames that are left out or cut off are from the end
        divisor = torch.from_numpy(np.array(scale if scale.ndim == 1 else scale[: len(embedded), None]))
        return (embedded @ torch.from_numpy(np.array(matrix))) / divisor

    def _words(self, heard: Sequence[tuple[int, int]], place: int) -> str:
        """The transcript, and what of it is explained."""
        text = self.trained.units.decode([unit - 1 for _, unit in heard])
        times = [f"{self.names[unit]} at {LENGTH + SHIFT * frame:.3f} s" for frame, unit in heard[:_SHOWN]]
        more = ", ..." if len(heard) > _SHOWN else ""
        listed = f" ({', '.join(times)}{more})" if times else ""
        return f"Heard: {text or 'nothing'}{listed}. What is heard at {LENGTH + SHIFT * place:.3f} s is explained."

    def _frame_of(self, row: int) -> int:
        """The first of the frames that a step of the layers reads and none before it did."""
        first, stride = self.span("recurrent")
        return first + row * stride

    def embed(self, read: ReadInput) -> Tensor:
        """The normalised frames, or those without their mean; windows of their features are what the layers read."""
        return torch.from_numpy(np.ascontiguousarray(read.encoded))[:, None]

    def baseline(self, read: ReadInput) -> Tensor:
        """Zeros: the mean of the training part's normalised frames."""
        return torch.zeros_like(self.embed(read))

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """Scores of the labels, or logarithms of the chances of CTC's units at ``read.place``."""
        lengths = torch.full((embedded.shape[1],), embedded.shape[0])
        features = self._features(embedded, read.extra["scale"])
        output, _ = self.model.recurrent(self.model.inputs(features, lengths))
        if self.by_ctc:
            first, stride = self.span("recurrent")
            row = len(output) - 1 if read.place is None else max(0, read.place - first) // stride
            return self.model.log_probabilities(output[min(row, len(output) - 1)])
        return self._head(output, self.model.windows.steps(lengths))

    def _head(self, output: Tensor, steps: Tensor) -> Tensor:
        scores: Tensor = self.model.head(pooled(output, steps, str(self.model.pooling), self.model.directions))
        return scores

    def _rows(self, features: Tensor) -> Array:
        """(T', K) what is answered after every step of the layers, from features (T, 1, K)."""
        with torch.inference_mode():
            inputs = self.model.inputs(features, torch.tensor([len(features)]))
            if not self.by_ctc:
                scores = prefix_summaries(self.model.recurrent, inputs, self._head)
            else:
                scores = self.model.log_probabilities(self.model.recurrent(inputs)[0])[:, 0]
            return self.shares(scores)

    def prefixes(self, read: ReadInput) -> Array:
        """Each step's answer at the frames that it is the first to read."""
        first, stride = self.span("recurrent")
        rows = self._rows(self._features(self.embed(read), read.extra["scale"]))
        places = np.maximum(np.arange(len(read.steps)) - first, 0) // stride
        found: Array = rows[np.minimum(places, len(rows) - 1)]
        return found

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The recurrent layers on the windows of frames."""
        with torch.no_grad():
            features = self._features(self.embed(read), read.extra["scale"])
            inputs = self.model.inputs(features, torch.tensor([len(read.steps)]))
        return {"recurrent": RecurrentInputs(self.model.recurrent, inputs.clone(), None)}

    def span(self, stack: str) -> tuple[int, int]:
        """A window begins a stride after the one before; its last frames are those that no earlier one has read."""
        return self.model.windows.size - self.model.windows.stride, self.model.windows.stride


def _spikes(chances: Array) -> list[tuple[int, int]]:
    """The best path's units (T', K), each with the step at which it is the surest.

    Example:
        >>> _spikes(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]]))
        [(2, 1)]
    """
    best, found = chances.argmax(axis=1).tolist(), list[tuple[int, int]]()
    before = BLANK
    for row, unit in enumerate(best):
        if unit != BLANK and unit == before:
            at = found[-1][0]
            found[-1] = (row if chances[row, unit] > chances[at, unit] else at, unit)
        elif unit != BLANK:
            found.append((row, unit))
        before = unit
    return found
