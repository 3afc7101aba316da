"""What captions are measured by. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.kinds.captioning.pictures import Pictures
from gatewise.kinds.captioning.scenes import is_true
from gatewise.statistics import Bleu, ChrF, Mean, Measure
from gatewise.statistics.ngrams import character_contributions, word_contributions
from gatewise.training.problem import Evaluation

__all__ = ["MEASURES", "contributions_of", "evaluation", "usual_metric"]

MEASURES: dict[str, Measure] = {
    "truth": Mean(
        "truth", "true captions", higher_is_better=True, percent=True,
        contribution="1 if the caption is a sentence of the grammar that holds of its scene, else 0",
    ),
    "exact": Mean(
        "exact", "exact match", higher_is_better=True, percent=True,
        contribution="1 if the caption is word for word one of the picture's, else 0",
    ),
    "bleu": Bleu(smoothing="exp"),
    "chrf": ChrF(),
}  # fmt: skip
_SHOWN = 100
_BLEU_WORDS = 5
"""BLEU counts runs of up to four words: of captions with fewer it is 0, however right they are."""


def usual_metric(pictures: Pictures) -> str:
    """The figure for captions of one's own: chrF where most have fewer than five words, else BLEU.

    Example:
        >>> pixels = np.zeros((1, 1, 8, 8), dtype=np.uint8)
        >>> short, long = (Pictures(pixels, ((text,),), ("a.png",)) for text in ("two boxes", "a dog runs on the sand"))
        >>> usual_metric(short), usual_metric(long)
        ('chrf', 'bleu')
    """
    counts = [len(text.split()) for texts in pictures.captions for text in texts]
    return "chrf" if not counts or float(np.median(counts)) < _BLEU_WORDS else "bleu"


def contributions_of(metric: str, captions: Sequence[str], pictures: Pictures) -> npt.NDArray[np.float64]:
    """What each picture contributes to the measure of a name; of several captions of a picture see
    `gatewise.statistics.ngrams`.

    Example:
        >>> pictures = Pictures(np.zeros((1, 1, 8, 8), dtype=np.uint8), (("a dog", "a brown dog"),), ("a.png",))
        >>> contributions_of("exact", ["a brown dog"], pictures)
        array([1.])
    """
    if metric == "truth":
        pairs = zip(captions, pictures.facts, strict=True)
        return np.array([is_true(caption, scene) for caption, scene in pairs], dtype=np.float64)
    if metric == "exact":
        rows = zip(captions, pictures.captions, strict=True)
        return np.array([caption in texts for caption, texts in rows], dtype=np.float64)
    if metric == "chrf":
        return character_contributions(captions, pictures.captions)
    return word_contributions(captions, pictures.captions)


def evaluation(captions: Sequence[str], pictures: Pictures, metric: str) -> Evaluation:
    """Every figure of captions, how many different ones they are, and the first of them: text, and true or exact."""
    known = [name for name in MEASURES if name != "truth" or pictures.facts]
    found = {name: contributions_of(name, captions, pictures) for name in known}
    figures: dict[str, Any] = {MEASURES[name].name: MEASURES[name].of(rows) for name, rows in found.items()}
    figures["different"] = len(set(captions)) / max(1, len(captions))
    right = found["truth" if pictures.facts else "exact"][:_SHOWN] > 0
    return Evaluation(figures, found[metric], {"captions": list(captions[:_SHOWN]), "right": right.tolist()})
