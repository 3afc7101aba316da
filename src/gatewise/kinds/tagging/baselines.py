"""The baselines of tagging as every comparison sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from gatewise.kinds.tagging.dataset import TaggingDataset
from gatewise.kinds.tagging.evaluating import contributions_of, evaluation, measure_of
from gatewise.kinds.tagging.feature_crf import FeatureField
from gatewise.kinds.tagging.most_frequent import MostFrequentTag
from gatewise.training.kind import Baseline
from gatewise.training.problem import Evaluation

__all__ = ["FeatureBaseline", "MostFrequentBaseline"]

_PENALTIES = (1.0, 0.3, 0.1)


class _TaggingBaseline(Baseline):
    """A baseline that predicts tags by number."""

    _model: FeatureField | MostFrequentTag
    _dataset: TaggingDataset

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return self._model.parameters

    def _predictions(self, words: Sequence[Sequence[str]]) -> list[list[str]]:
        return [self._dataset.tag_set.decode(row.tolist()) for row in self._model.predict(words)]

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        chosen = getattr(dataset, part)
        return evaluation(dataset, chosen, self._predictions(chosen.words), dataset.tag_set)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From words to tags."""
        words = dataset.test.words
        return lambda count: self._predictions(words[:count])


class FeatureBaseline(_TaggingBaseline):
    """A CRF on hand-made features, see `gatewise.kinds.tagging.feature_crf.FeatureField`."""

    name: ClassVar[str] = "feature-crf"
    title: ClassVar[str] = "CRF on features"
    reason: ClassVar[str] = (
        "words, endings, shapes and neighbours in a linear-chain CRF, its penalty chosen on validation"
    )

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """The penalty (None: the best of three), and in how many places a feature has to occur; 28 combinations."""
        return {"penalty": (None, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01), "minimum_count": (2, 1, 3, 5)}

    def fit(self, dataset: Any) -> None:
        """Fit on the training part; by default the penalty is the best of three on the validation part."""
        tags, chosen = dataset.tag_set, self.setting_values(dataset)
        self._dataset = dataset
        moves = tags.moves() if tags.marks_spans else None
        model = FeatureField(len(tags), moves, minimum_count=chosen["minimum_count"])
        penalties = _PENALTIES if chosen["penalty"] is None else (chosen["penalty"],)
        truth = [tags.decode(row) for row in dataset.validation.tags]

        def score(candidate: FeatureField) -> float:
            predictions = [tags.decode(row.tolist()) for row in candidate.predict(dataset.validation.words)]
            return measure_of(tags).of(contributions_of(truth, predictions, tags))

        model.choose(dataset.train.words, dataset.train.tags, penalties, score)
        self._model = model


class MostFrequentBaseline(_TaggingBaseline):
    """Each word's most frequent tag, see `gatewise.kinds.tagging.most_frequent.MostFrequentTag`."""

    name: ClassVar[str] = "most-frequent-tag"
    title: ClassVar[str] = "Most frequent tag"
    reason: ClassVar[str] = "the tag that each word has most often in the training part"

    def fit(self, dataset: Any) -> None:
        """Count the training part."""
        self._dataset = dataset
        self._model = MostFrequentTag().fit(dataset.train.words, dataset.train.tags)
