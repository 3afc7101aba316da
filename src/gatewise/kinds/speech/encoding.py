"""Recordings as normalised frames, and batches of them, as they are or changed for training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.kinds.speech.augmentation import Augmentation
from gatewise.kinds.speech.endpoints import loud_part
from gatewise.kinds.speech.features import FilterBank, Frames, Moments, Normaliser
from gatewise.kinds.speech.moments import Company, Products, speaker_moments
from gatewise.kinds.speech.recordings import Recording
from gatewise.kinds.speech.strings import joined
from gatewise.kinds.speech.units import Units

__all__ = ["EncodedRecordings", "SpeechBatch", "encode", "padded", "string_frames"]

Integers = npt.NDArray[np.int64]


class SpeechBatch(NamedTuple):
    """A padded batch of frames.

    Attributes:
        frames: (T, B, K) features, 0 past a row's end.
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
        names: the speaker of each; None: not known.
        bank: made the frames.
        single: which recordings are of one word, so that no word is lost where their ends are cut.

    Attributes:
        company: what accompanies a training recording when it is normalised; None: nothing.
    """

    def __init__(
        self,
        frames: Sequence[Frames],
        targets: Sequence[list[int]],
        speakers: Sequence[Moments | None],
        normaliser: Normaliser,
        names: Sequence[str | None],
        bank: FilterBank,
        single: Sequence[bool] = (),
    ) -> None:
        self.raw, self.targets, self.normaliser = list(frames), list(targets), normaliser
        self.speakers, self.names, self.bank = list(speakers), list(names), bank
        self.single = list(single) or [False] * len(frames)
        self.company: Company | None = None
        self._normal: list[Frames | None] = [None] * len(frames)

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def lengths(self) -> Integers:
        """(N,) frames of each recording."""
        return np.array([len(each) for each in self.raw], dtype=np.int64)

    def normalised(self, row: int) -> Frames:
        """The features (T, K) of a recording as the network reads them."""
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
        at = augmentation.cut_at(generator) if self.single[row] else None
        raw = augmentation.cut(self.raw[row], at, generator)
        return self.changed_frames(raw, row, augmentation, generator, at, self._own(row, at))

    def _own(self, row: int, cut_at: float | None) -> Products | None:
        """Of a recording as it is in its company; None where that is drawn, so that this does not matter."""
        if self.company is None or self.company.most:
            return None
        raw = self.raw[row]
        return Products.of(raw if cut_at is None else raw[slice(*loud_part(raw, cut_at))])

    def changed_frames(
        self,
        raw: Frames,
        row: int,
        augmentation: Augmentation,
        generator: np.random.Generator,
        cut_at: float | None = None,
        own: Products | None = None,
    ) -> Frames:
        """Frames (T, M), said by the speaker of a recording, changed for training: normalised features (T', K).

        Where others accompany them, these are changed to the same voice, and cut as they are. ``own``: of the frames
        as they are among the speaker's; None: of them only the number is known.
        """
        voice = augmentation.voice(self.bank, generator)
        frames = augmentation.noisy(voice.frames(raw), generator)
        known = None
        if self.company is not None:
            others = voice.products(
                self.company.drawn(self.names[row], self.bank.bins, generator, cut_at, own or len(raw))
            )
            known = Moments.of(self.normaliser.features(frames)).plus(others.mapped(self.normaliser.matrix).moments)
        frames = augmentation.without_bands(frames, generator)
        return augmentation.without_stretches(self.normaliser(frames, known), generator)


def padded(frames: Sequence[Frames], targets: Sequence[list[int]]) -> SpeechBatch:
    """Normalised features (T_n, K) as a batch."""
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
        speakers = speaker_moments(recordings, frames, normaliser)
    names = [each.speaker for each in recordings]
    single = [len(each.words) == 1 for each in recordings]
    return EncodedRecordings(frames, targets, speakers, normaliser, names, bank, single)


def string_frames(
    rows: Sequence[int],
    recordings: Sequence[Recording],
    train: EncodedRecordings,
    augmentation: Augmentation,
    generator: np.random.Generator,
) -> Frames:
    """The frames (T, M) of recordings joined with random gaps, perhaps all cut closer before."""
    bank, pieces, at = train.bank, [], augmentation.cut_at(generator)
    for row in rows:
        samples = recordings[row].samples
        if at is not None and train.single[row]:
            start, end = loud_part(train.raw[row], at)
            samples = samples[start * bank.shift : (end - 1) * bank.shift + bank.least_samples]
        pieces.append(samples)
    return bank(joined(pieces, bank.rate, generator))
