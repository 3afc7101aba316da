"""Figures of tagged sentences, of a trained network, a baseline or an exported model. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.kinds.tagging.dataset import TaggingDataset
from gatewise.kinds.tagging.figures import Confusion, confusion, span_contributions, span_figures, tag_contributions
from gatewise.kinds.tagging.tag_set import TagSet
from gatewise.statistics import Measure, Ratio, SpanF1
from gatewise.training.problem import Evaluation

__all__ = ["SPAN_F1", "TAG_ACCURACY", "contributions_of", "evaluation", "measure_of"]

SPAN_F1 = SpanF1(contribution="true, predicted and matching spans of a sentence; a span matches if borders and type do")
TAG_ACCURACY = Ratio(
    "accuracy", "accuracy", higher_is_better=True, percent=True, contribution="right tags, and words, of a sentence"
)
_SHOWN = 200
_MOST_CONFUSED = 200


def measure_of(tags: TagSet) -> Measure:
    """Span F1 where the tags mark spans, else the share of words with the right tag."""
    return SPAN_F1 if tags.marks_spans else TAG_ACCURACY


def contributions_of(
    truth: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]], tags: TagSet
) -> npt.NDArray[np.float64]:
    """Each sentence's contribution to `measure_of`: (N, 3) for spans, (N, 2) for plain tags."""
    if not tags.marks_spans:
        return tag_contributions(truth, predictions)
    return span_contributions(truth, predictions, tags.scheme)


def evaluation(dataset: TaggingDataset, part: Any, predictions: Sequence[Sequence[str]], tags: TagSet) -> Evaluation:
    """Figures of predictions, overall and per type, and the sentences that a report shows.

    Predictions: ``answers`` holds the tags of the first sentences; `gatewise.kinds.tagging.kind` records their words.
    """
    truth = [tags.decode(row) for row in part.tags]
    contributions = contributions_of(truth, predictions, tags)
    measure = measure_of(tags)
    right = tag_contributions(truth, predictions).sum(axis=0)
    figures: dict[str, Any] = {measure.name: measure.of(contributions), "accuracy": float(right[0] / right[1])}
    if tags.marks_spans:
        found = span_figures(truth, predictions, tags.scheme)
        figures |= {
            "precision": found.overall.precision,
            "recall": found.overall.recall,
            "spans": found.overall.true,
            "types": {
                name: {
                    "f1": score.f1,
                    "precision": score.precision,
                    "recall": score.recall,
                    "true": score.true,
                    "predicted": score.predicted,
                }
                for name, score in found.types.items()
            },
            "mistakes": _pairs(confusion(truth, predictions, tags.scheme)),
        }
    else:
        pairs = Counter(
            pair for ours, theirs in zip(truth, predictions, strict=True) for pair in zip(ours, theirs, strict=True)
        )
        figures["mistakes"] = _rows((*pair, "same", count) for pair, count in pairs.items() if pair[0] != pair[1])
    figures["words"] = int(right[1])
    return Evaluation(figures, contributions, {"answers": [list(row) for row in predictions[:_SHOWN]]})


def _pairs(found: Confusion) -> list[dict[str, Any]]:
    """Mistakes as pairs of true and predicted type, the most frequent first; None: no span."""
    rows: list[tuple[str | None, str | None, str, int]] = []
    rows += [(*pair, "same", count) for pair, count in found.same_borders.items() if pair[0] != pair[1]]
    rows += [(*pair, "other", count) for pair, count in found.other_borders.items()]
    rows += [(name, None, "missed", count) for name, count in found.missed.items()]
    rows += [(None, name, "invented", count) for name, count in found.invented.items()]
    return _rows(rows)


def _rows(rows: Iterable[tuple[str | None, str | None, str, int]]) -> list[dict[str, Any]]:
    order = sorted(rows, key=lambda row: (-row[3], str(row[0]), str(row[1])))
    names = ("truth", "answer", "borders", "count")
    return [dict(zip(names, row, strict=True)) for row in order[:_MOST_CONFUSED]]
