"""The baselines of speech recognition as every comparison sees them."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from gatewise.kinds.speech.dataset import SpeechDataset
from gatewise.kinds.speech.features import FilterBank, Frames, Normaliser
from gatewise.kinds.speech.moments import speaker_moments
from gatewise.kinds.speech.pieces import pieces, trimmed
from gatewise.kinds.speech.recordings import Recording
from gatewise.kinds.speech.scoring import evaluation
from gatewise.kinds.speech.segments import SegmentModel
from gatewise.kinds.speech.warping import TemplateModel
from gatewise.training.kind import Baseline
from gatewise.training.problem import Evaluation

__all__ = ["SegmentBaseline", "TemplateBaseline"]

_BINS = 40
_MOST_TEXTS = 200
_MOST_TEMPLATES = 600


class _WholeWords(Baseline):
    """A baseline that knows the training transcripts as wholes; strings are first cut at their pauses."""

    _model: SegmentModel | TemplateModel
    _dataset: SpeechDataset
    _bank: FilterBank
    _normaliser: Normaliser

    def fit(self, dataset: Any) -> None:
        """Fit on the training recordings, of the most frequent texts if there are many."""
        self._dataset, self._bank = dataset, FilterBank(dataset.rate, _BINS)
        frames = [self._bank(each.samples) for each in dataset.train]
        if dataset.strings is not None:
            frames = [each[slice(*trimmed(each))] for each in frames]
        self._normaliser = Normaliser.fit(str(self.setting_values(dataset)["normalisation"]), _joined(frames))
        normal = self._normal(dataset.train, frames)
        frequent = {text for text, _ in Counter(each.text for each in dataset.train).most_common(_MOST_TEXTS)}
        rows = [row for row, each in enumerate(dataset.train) if each.text in frequent]
        self._fit([normal[row] for row in rows], [dataset.train[row].text for row in rows])

    @abstractmethod
    def _fit(self, frames: Sequence[Frames], texts: Sequence[str]) -> None:
        """Fit `_model` on normalised frames (T, M) and their texts."""

    @property
    def parameters(self) -> int:
        """Number of parameters, or of the templates' numbers."""
        return self._model.parameters

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        chosen = getattr(dataset, part)
        return evaluation(dataset.units.answers, chosen, self._answers(chosen))

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From samples to text."""
        return lambda count: self._answers(dataset.test[:count])

    def _answers(self, part: Sequence[Recording]) -> list[str]:
        frames = [self._bank(each.samples) for each in part]
        if self._dataset.strings is None:
            return self._model.predict(self._normal(part, frames))
        cut: list[Frames] = []
        owners: list[int] = []
        for row, each in enumerate(frames):
            for start, end in pieces(each):
                cut.append(each[start:end])
                owners.append(row)
        words = self._model.predict(self._normal([part[row] for row in owners], cut))
        found: list[list[str]] = [[] for _ in part]
        for row, word in zip(owners, words, strict=True):
            found[row].append(word)
        return [" ".join(row) for row in found]

    def _normal(self, recordings: Sequence[Recording], frames: Sequence[Frames]) -> list[Frames]:
        speakers = speaker_moments(recordings, frames, self._normaliser)
        return [self._normaliser(each, own) for each, own in zip(frames, speakers, strict=True)]


class SegmentBaseline(_WholeWords):
    """Logistic regression on segment means, see `gatewise.kinds.speech.segments.SegmentModel`."""

    name: ClassVar[str] = "segment-means"
    title: ClassVar[str] = "Linear model of segments"
    reason: ClassVar[str] = "logistic regression on the means of five stretches of log-mel frames"

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """C, stretches, and how frames are normalised; 36 combinations."""
        return {
            "inverse_regularisation": (0.1, 0.01, 1.0, 10.0),
            "segments": (5, 3, 8),
            "normalisation": ("speaker", "recording", "training"),
        }

    def _fit(self, frames: Sequence[Frames], texts: Sequence[str]) -> None:
        values = self.setting_values(self._dataset)
        self._model = SegmentModel(values["segments"], values["inverse_regularisation"]).fit(frames, texts)


class TemplateBaseline(_WholeWords):
    """The nearest templates, see `gatewise.kinds.speech.warping.TemplateModel`."""

    name: ClassVar[str] = "templates"
    title: ClassVar[str] = "Nearest templates (DTW)"
    reason: ClassVar[str] = "dynamic time warping to at most 30 training recordings of each text"

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """How many vote, and how frames are normalised; 9 combinations."""
        return {"neighbours": (3, 1, 5), "normalisation": ("speaker", "recording", "training")}

    def _fit(self, frames: Sequence[Frames], texts: Sequence[str]) -> None:
        count = max(1, min(30, _MOST_TEMPLATES // len(set(texts))))
        self._model = TemplateModel(count, self.setting_values(self._dataset)["neighbours"]).fit(frames, texts)


def _joined(frames: Sequence[Frames]) -> Frames:
    import numpy as np

    return np.concatenate(list(frames))
