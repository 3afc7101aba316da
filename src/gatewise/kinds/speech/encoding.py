"""Recordings as normalised frames, and batches of them, as they are or changed for training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.kinds.speech.augmentation import Augmentation
from gatewise.kinds.speech.features import FilterBank, Frames, Moments, Normaliser
from gatewise.kinds.speech.moments import speaker_moments
from gatewise.kinds.speech.recordings import Recording
from gatewise.kinds.speech.strings import joined
from gatewise.kinds.speech.units import Units

__all__ = ["EncodedRecordings", "SpeechBatch", "encode", "padded", "string_frames"]

Integers = npt.NDArray[np.int64]


class SpeechBatch(NamedTuple):
    """A padded batch of frames.

    Attributes:
        frames: (T, B, M), 0 past a row's end.
        lengths: (B,) frames of each row.
        targets: units of each row by number: of labels one, of CTC's units from 1.
    """

    frames: Tensor
    lengths: Tensor
    targets: list[list[int]]

    def to(self, device: torch.device | str) -> SpeechBatch:
        """The same batch on another device."""
        return SpeechBatch(self.frames.to(device), self.lengths.to(device), self.targets)


class EncodedRecordings:
    """The frames of many recordings, before and after normalisation.

    Args:
        frames: (T_n, M) of each, not normalised.
        targets: units of each; -1 for one that is not known.
        speakers: moments of each recording's speaker; None: not known.
        normaliser: of the frames.
    """

    def __init__(
        self,
        frames: Sequence[Frames],
        targets: Sequence[list[int]],
        speakers: Sequence[Moments | None],
        normaliser: Normaliser,
    ) -> None:
        self.raw, self.targets, self.normaliser = list(frames), list(targets), normaliser
        self.speakers = list(speakers)
        self._normal: list[Frames | None] = [None] * len(frames)

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def lengths(self) -> Integers:
        """(N,) frames of each recording."""
        return np.array([len(each) for each in self.raw], dtype=np.int64)

    def normalised(self, row: int) -> Frames:
        """The frames (T, M) of a recording as the network reads them."""
        found = self._normal[row]
        if found is None:
            found = self._normal[row] = self.normaliser(self.raw[row], self.speakers[row])
        return found

    def batch(self, rows: Sequence[int] | Integers) -> SpeechBatch:
        """Recordings as they are."""
        chosen = [int(row) for row in rows]
        return padded([self.normalised(row) for row in chosen], [self.targets[row] for row in chosen])

    def changed(self, row: int, augmentation: Augmentation, generator: np.random.Generator) -> Frames:
        """A recording changed for training."""
        frames = augmentation.changed(self.raw[row], generator)
        return augmentation.masked(self.normaliser(frames, self.speakers[row]), generator)


def padded(frames: Sequence[Frames], targets: Sequence[list[int]]) -> SpeechBatch:
    """Normalised frames (T_n, M) as a batch."""
    lengths = np.array([len(each) for each in frames], dtype=np.int64)
    values = np.zeros((int(lengths.max(initial=0)), len(frames), frames[0].shape[1]), dtype=np.float32)
    for column, each in enumerate(frames):
        values[: len(each), column] = each
    return SpeechBatch(torch.from_numpy(values), torch.from_numpy(lengths), list(targets))


def encode(
    recordings: Sequence[Recording], bank: FilterBank, normaliser: Normaliser, units: Units | None = None
) -> EncodedRecordings:
    """The frames of recordings, with their units where these are given."""
    frames = [bank(each.samples) for each in recordings]
    shift = 1 if units is not None and units.by_ctc else 0
    targets: list[list[int]] = [[] for _ in recordings]
    if units is not None:
        numbers = [units.encode(each.text) for each in recordings]
        targets = [[-1 if unit is None else unit + shift for unit in row] for row in numbers]
    speakers: list[Moments | None] = [None] * len(frames)
    if normaliser.kind == "speaker":
        speakers = speaker_moments(recordings, frames)
    return EncodedRecordings(frames, targets, speakers, normaliser)


def string_frames(
    rows: Sequence[int], recordings: Sequence[Recording], bank: FilterBank, generator: np.random.Generator
) -> Frames:
    """The frames (T, M) of recordings joined with random gaps."""
    return bank(joined([recordings[row].samples for row in rows], bank.rate, generator))
