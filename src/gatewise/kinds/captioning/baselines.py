"""The baselines of captioning: the captions of the picture that looks most alike, and the most frequent caption."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from gatewise.kinds.captioning.figures import evaluation
from gatewise.kinds.captioning.pictures import Pixels
from gatewise.training.kind import Baseline
from gatewise.training.problem import Evaluation

__all__ = ["FrequentBaseline", "NearestBaseline", "most_frequent", "typical"]

_AT_ONCE = 256
Array = npt.NDArray[np.float32]


class _CaptionBaseline(Baseline):
    """A baseline that writes captions of pictures."""

    @abstractmethod
    def _caption(self, pixels: Pixels) -> list[str]: ...

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        chosen = getattr(dataset, part)
        return evaluation(self._caption(chosen.pixels), chosen, dataset.metric)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From pictures to captions."""
        pixels = dataset.test.pixels
        return lambda count: self._caption(pixels[:count])


class NearestBaseline(_CaptionBaseline):
    """The caption of the training pictures whose pixels differ least (squared differences).

    Of several captions, or neighbours, the one that shares most words with the others (Devlin et al., 2015).
    """

    name: ClassVar[str] = "nearest-neighbour"
    title: ClassVar[str] = "Nearest neighbour"
    reason: ClassVar[str] = "the caption of the training picture whose pixels differ least"

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """Neighbours, how far pictures are shrunk first, whether light and contrast are made equal; 24 combinations."""
        return {"neighbours": (1, 3, 5, 10), "shrink": (1, 2, 4), "equalise": (False, True)}

    def fit(self, dataset: Any) -> None:
        """Keep the training part."""
        self._values = self.setting_values(dataset)
        self._known = self._features(dataset.train.pixels)
        self._squares = (self._known**2).sum(axis=1)
        self._captions = dataset.train.captions

    @property
    def parameters(self) -> int:
        """The numbers of the pictures that are kept."""
        return int(self._known.size)

    def _features(self, pixels: Pixels) -> Array:
        values = pixels.astype(np.float32) / 255
        factor, size = self._values["shrink"], pixels.shape[-1]
        if factor > 1 and size >= factor:
            kept = size - size % factor
            values = values[..., :kept, :kept]
            shape = (*values.shape[:2], kept // factor, factor, kept // factor, factor)
            values = values.reshape(shape).mean(axis=(3, 5))
        found: Any = values.reshape(len(values), -1)
        if self._values["equalise"]:
            found = found - found.mean(axis=1, keepdims=True)
            found = found / np.maximum(found.std(axis=1, keepdims=True), np.float32(1e-6))
        kept_values: Array = found
        return kept_values

    def _caption(self, pixels: Pixels) -> list[str]:
        found = []
        count = min(self._values["neighbours"], len(self._captions))
        for start in range(0, len(pixels), _AT_ONCE):
            part = self._features(pixels[start : start + _AT_ONCE])
            distances = self._squares - 2 * part @ self._known.T
            for row in np.argsort(distances, axis=1, kind="stable")[:, :count].tolist():
                found.append(typical([text for place in row for text in self._captions[place]]))
        return found


class FrequentBaseline(_CaptionBaseline):
    """The caption that most training pictures have, for every picture."""

    name: ClassVar[str] = "most-frequent"
    title: ClassVar[str] = "Most frequent caption"
    reason: ClassVar[str] = "the caption that most training pictures have, whatever the picture"

    def fit(self, dataset: Any) -> None:
        """Count."""
        self._text = most_frequent(dataset)

    @property
    def parameters(self) -> int:
        """None."""
        return 0

    def _caption(self, pixels: Pixels) -> list[str]:
        return [self._text] * len(pixels)


def most_frequent(dataset: Any) -> str:
    """The most frequent caption of the training part, the first in the alphabet of several."""
    counts: Counter[str] = Counter(text for texts in dataset.train.captions for text in texts)
    return min(counts, key=lambda text: (-counts[text], text))


def typical(captions: Sequence[str]) -> str:
    """The caption that shares most words with the others (mean Jaccard index), the first of several.

    Example:
        >>> typical(["two men", "a dog runs", "a dog sits"])
        'a dog runs'
    """
    sets = [frozenset(text.split()) for text in captions]
    if len(sets) < 3:
        return captions[0]
    scores = [sum(len(one & other) / max(1, len(one | other)) for other in sets if other is not one) for one in sets]
    best: str = captions[int(np.argmax(scores))]
    return best
