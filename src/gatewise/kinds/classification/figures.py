"""How good class probabilities are: accuracy, cross-entropy, F1, confusion. Pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.data.records import TextDataset
from gatewise.errors import ShapeError
from gatewise.kinds.classification.calibration import Bin, brier_score, calibration_error, reliability
from gatewise.kinds.classification.measures import ACCURACY, contributions_of, measure_of, memberships
from gatewise.kinds.classification.ordered import ordered_figures

__all__ = ["ACCURACY", "ClassificationMetrics", "classification_metrics", "majority"]


@dataclass(frozen=True)
class ClassificationMetrics:
    """Figures of one evaluation.

    Attributes:
        accuracy: fraction of texts whose most probable class is the true one.
        loss: mean cross-entropy -ln p(true class), in nats.
        macro_f1: mean of the classes' F1, each class counting the same.
        auroc: area under the ROC curve, of more than two classes the mean of each against the rest; 0.5 with one class.
        f1_per_class: 2 TP / (2 TP + FP + FN) by class name; 0 for a class neither present nor predicted.
        expected_calibration_error: see `gatewise.kinds.classification.calibration.calibration_error`.
        brier_score: mean squared distance of the probabilities from the truth.
        reliability: texts of about the same confidence, with the share that is right.
        confusion: row: true class, column: predicted class.
        n: texts.
        mean_absolute_error: of labels that are whole numbers, see `gatewise.kinds.classification.ordered`; None: they
            are not.
        quadratic_kappa: of such labels, too.
        intervals: the 95 % intervals of these two, over the texts; None: not asked for.
    """

    accuracy: float
    loss: float
    macro_f1: float
    auroc: float
    expected_calibration_error: float
    brier_score: float
    reliability: list[Bin]
    f1_per_class: dict[str, float]
    confusion: list[list[int]]
    n: int
    mean_absolute_error: float | None = None
    quadratic_kappa: float | None = None
    intervals: dict[str, list[float]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON; the figures of ordered labels stand behind the accuracy, if there are."""
        found = asdict(self)
        first = {name: found[name] for name in ("accuracy", "mean_absolute_error", "quadratic_kappa")}
        return {name: value for name, value in {**first, **found}.items() if value is not None}


def classification_metrics(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    label_names: Sequence[str],
    *,
    intervals: bool = False,
    groups: npt.NDArray[np.int64] | None = None,
) -> ClassificationMetrics:
    """Measure predicted probabilities against true labels.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,) true classes as indices.
        label_names: C names.
        intervals: whether figures of ordered labels have theirs.
        groups: (N,) of texts that count as one in these; None: each does by itself.

    Raises:
        ShapeError: the sizes do not fit, or a label is not an index of a class.

    Example:
        >>> figures = classification_metrics([[0.9, 0.1], [0.6, 0.4]], [0, 1], ["bad", "good"])
        >>> figures.accuracy, figures.confusion, round(figures.loss, 3)
        (0.5, [[1, 0], [1, 0]], 0.511)
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(labels, dtype=np.int64)
    classes = len(label_names)
    if chances.ndim != 2 or chances.shape != (len(truth), classes) or len(truth) == 0:
        raise ShapeError(
            "probabilities and labels do not fit",
            expected=f"(N, {classes}) with N = {len(truth)} of at least 1",
            got=chances.shape,
        )
    if truth.min() < 0 or truth.max() >= classes:
        raise ShapeError(
            "a label is not a class", expected=f"0 to {classes - 1}", got=f"{truth.min()} to {truth.max()}"
        )
    predicted = chances.argmax(axis=1)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    true_positives = np.diag(confusion)
    involved = confusion.sum(axis=0) + confusion.sum(axis=1)
    f1 = np.divide(2 * true_positives, involved, out=np.zeros(classes), where=involved > 0)
    ranking = measure_of("auroc", classes)
    bins = reliability(chances.max(axis=1), predicted == truth)
    chosen = chances[np.arange(len(truth)), truth]
    return ClassificationMetrics(
        accuracy=float((predicted == truth).mean()),
        loss=float(-np.log(np.maximum(chosen, np.finfo(np.float32).tiny)).mean()),
        macro_f1=float(f1.mean()),
        auroc=ranking.of(contributions_of(ranking, chances, truth)),
        expected_calibration_error=calibration_error(bins),
        brier_score=brier_score(chances, memberships(truth, classes)),
        reliability=bins,
        f1_per_class={name: float(value) for name, value in zip(label_names, f1, strict=True)},
        confusion=confusion.tolist(),
        n=len(truth),
        **ordered_figures(label_names, truth, predicted, groups, intervals=intervals),
    )


def majority(dataset: TextDataset) -> tuple[str, float | None]:
    """The most frequent class of the training part, and its share of the test part; None without one."""
    frequent = int(np.bincount(dataset.train.labels, minlength=len(dataset.label_names)).argmax())
    share = float(np.mean(dataset.test.labels == frequent)) if len(dataset.test.labels) else None
    return dataset.label_names[frequent], share
