"""The figures of answers, over all and by speaker, and what a report shows of them. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from gatewise.kinds.speech.figures import align, contributions_of, edits, measure_of
from gatewise.kinds.speech.recordings import Recording
from gatewise.training.problem import Evaluation

__all__ = ["evaluation"]

_SHOWN = 200
_MOST_CONFUSED = 200


def evaluation(answers: str, part: Sequence[Recording], given: Sequence[str]) -> Evaluation:
    """Figures of answers, over all and by speaker, and what a report shows of them.

    Predictions: ``answers`` holds the texts of the first recordings; the kind records their names and transcripts.
    """
    truth = [each.text for each in part]
    contributions = contributions_of(answers, truth, given)
    measure = measure_of(answers)
    figures: dict[str, Any] = {measure.name: measure.of(contributions)}
    pairs: Counter[tuple[str | None, str | None]] = Counter()
    if answers == "label":
        pairs.update(zip(truth, given, strict=True))
    else:
        for one, two in zip(truth, given, strict=True):
            pairs.update(align(one.split(), two.split()))
        counts = np.array([edits(one.split(), two.split()) for one, two in zip(truth, given, strict=True)])
        said = sum(len(each.words) for each in part)
        figures["word_error_rate"] = float(counts.sum() / max(said, 1))
        figures |= dict(zip(("substituted", "deleted", "inserted"), map(int, counts.sum(axis=0)), strict=True))
        figures["words"] = said
        figures["sentences_right"] = float(np.mean([one == two for one, two in zip(truth, given, strict=True)]))
    speakers = sorted({each.speaker for each in part if each.speaker is not None})
    figures["speakers"] = {
        name: {
            "figure": measure.of(contributions[[row for row, each in enumerate(part) if each.speaker == name]]),
            "recordings": sum(each.speaker == name for each in part),
        }
        for name in speakers
    }
    order = sorted(pairs.items(), key=lambda item: (-item[1], str(item[0])))
    figures["mistakes"] = [{"truth": one, "answer": two, "count": count} for (one, two), count in order if one != two][
        :_MOST_CONFUSED
    ]
    return Evaluation(figures, contributions, {"answers": list(given[:_SHOWN])})
