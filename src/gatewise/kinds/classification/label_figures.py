"""How good the probabilities of several labels per text are. Pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import ShapeError
from gatewise.kinds.classification.calibration import Bin, brier_score, calibration_error, reliability
from gatewise.kinds.classification.measures import answers_of, contributions_of, measure_of
from gatewise.kinds.classification.thresholds import THRESHOLD

__all__ = ["LabelFigures", "MultiLabelMetrics", "multi_label_metrics"]


@dataclass(frozen=True)
class LabelFigures:
    """Figures of one label.

    Attributes:
        precision: share of the texts predicted to have it that have it; 0 where none is.
        recall: share of the texts that have it that are predicted to; 0 where none has.
        f1: 2 TP / (2 TP + FP + FN); 0 where it is neither there nor predicted.
        true: texts that have it.
        predicted: texts predicted to have it.
        threshold: the probability from which on it is predicted.
    """

    precision: float
    recall: float
    f1: float
    true: int
    predicted: int
    threshold: float = THRESHOLD


@dataclass(frozen=True)
class MultiLabelMetrics:
    """Figures of one evaluation of several labels per text; predicted are those whose threshold is reached.

    Attributes:
        micro_f1: F1 of all labels of all texts together.
        macro_f1: mean of the labels' F1, each label counting the same.
        exact_match: fraction of texts all of whose labels are right, and no others.
        precision: share of the predicted labels that are right.
        recall: share of the true labels that are predicted.
        auroc: area under the ROC curve, mean over the labels.
        loss: mean binary cross-entropy of a label of a text, in nats.
        expected_calibration_error: over every label of every text, see `gatewise.kinds.classification.calibration`.
        brier_score: mean squared distance of a label's probability from the truth.
        reliability: labels of about the same probability, with the share that is there.
        per_label: figures by label.
        n: texts.
    """

    micro_f1: float
    macro_f1: float
    exact_match: float
    precision: float
    recall: float
    auroc: float
    loss: float
    expected_calibration_error: float
    brier_score: float
    reliability: list[Bin]
    per_label: dict[str, LabelFigures]
    n: int

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return asdict(self)


def multi_label_metrics(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    label_names: Sequence[str],
    thresholds: npt.ArrayLike = THRESHOLD,
) -> MultiLabelMetrics:
    """Measure predicted probabilities of labels against the true ones.

    Args:
        probabilities: (N, C).
        labels: (N, C) zeros and ones.
        label_names: C names.
        thresholds: of the labels, (C,) or (N, C).

    Raises:
        ShapeError: the sizes do not fit.

    Example:
        >>> figures = multi_label_metrics([[0.9, 0.2], [0.6, 0.7]], [[1, 0], [0, 1]], ["new", "good"])
        >>> figures.micro_f1, figures.exact_match, figures.per_label["new"].precision
        (0.8, 0.5, 0.5)
    """
    chances, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if chances.ndim != 2 or chances.shape != truth.shape or chances.shape[1] != len(label_names) or not len(chances):
        raise ShapeError(
            "probabilities and labels do not fit", expected=f"(N, {len(label_names)}) twice", got=chances.shape
        )
    answers = answers_of(chances, multi_label=True, thresholds=thresholds)
    found = {
        name: measure.of(contributions_of(measure, chances, truth, thresholds))
        for name in ("micro-f1", "macro-f1", "exact-match", "auroc", "log-loss")
        for measure in [measure_of(name, len(label_names), multi_label=True)]
    }
    bins = reliability(chances.reshape(-1), truth.reshape(-1))
    matching = (answers * truth).sum()
    limits = np.median(np.broadcast_to(np.asarray(thresholds, dtype=np.float64), truth.shape), axis=0)
    return MultiLabelMetrics(
        micro_f1=found["micro-f1"],
        macro_f1=found["macro-f1"],
        exact_match=found["exact-match"],
        precision=_share(matching, answers.sum()),
        recall=_share(matching, truth.sum()),
        auroc=found["auroc"],
        loss=found["log-loss"],
        expected_calibration_error=calibration_error(bins),
        brier_score=brier_score(chances, truth, multi_label=True),
        reliability=bins,
        per_label={
            name: _of_label(answers[:, column], truth[:, column], float(limits[column]))
            for column, name in enumerate(label_names)
        },
        n=len(truth),
    )


def _of_label(answers: npt.NDArray[np.float64], truth: npt.NDArray[np.float64], threshold: float) -> LabelFigures:
    matching = float((answers * truth).sum())
    return LabelFigures(
        precision=_share(matching, answers.sum()),
        recall=_share(matching, truth.sum()),
        f1=_share(2 * matching, answers.sum() + truth.sum()),
        true=int(truth.sum()),
        predicted=int(answers.sum()),
        threshold=threshold,
    )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
