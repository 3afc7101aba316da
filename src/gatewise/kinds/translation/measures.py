"""The figures of translations, and how long these may be. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gatewise.statistics import Bleu, ChrF, Measure
from gatewise.statistics.ngrams import character_contributions, word_contributions

__all__ = ["AT_ONCE", "LIMIT", "MEASURES", "contributions_of"]

MEASURES: dict[str, Measure] = {
    "bleu": Bleu(smoothing="exp"),
    "lowercased-bleu": Bleu("lowercased_bleu", "lowercased BLEU", smoothing="exp"),
    "chrf": ChrF(),
}
AT_ONCE = 3_000
"""Source tokens times beams that are translated at once."""
LIMIT = (2, 10)
"""For S source tokens at most 2 S + 10 are written."""


def contributions_of(metric: str, translations: Sequence[str], references: Sequence[str]) -> npt.NDArray[np.float64]:
    """What each sentence contributes to the measure of a name; see `gatewise.statistics.ngrams`."""
    if metric == "chrf":
        return character_contributions(translations, references)
    return word_contributions(translations, references, lowercase=metric == "lowercased-bleu")
