"""The figures by which classifiers are chosen and compared, what texts contribute to each, and its trivial answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError
from gatewise.kinds.classification.ordered import numbers_of, ordered_contributions
from gatewise.kinds.classification.thresholds import THRESHOLD
from gatewise.statistics import (
    Auroc,
    MacroF1,
    Mean,
    MeanAbsoluteError,
    Measure,
    MicroF1,
    QuadraticKappa,
    auroc_contributions,
    f1_contributions,
)
from gatewise.words import join

if TYPE_CHECKING:
    from gatewise.data.records import TextDataset

__all__ = ["ACCURACY", "answers_of", "contributions_of", "measure_of", "memberships", "trivial_answer"]

Array = npt.NDArray[np.float64]
_NAMED = 3
_SHOWN = 8

ACCURACY = Mean(
    "accuracy",
    "accuracy",
    higher_is_better=True,
    percent=True,
    contribution="1 if the predicted class is right, else 0",
)
EXACT_MATCH = Mean(
    "exact_match",
    "exact match",
    higher_is_better=True,
    percent=True,
    contribution="1 if all labels of a text are right, else 0",
)
LOG_LOSS = Mean("log_loss", "log loss", higher_is_better=False, contribution="-ln p(true class), in nats")
_LABELS_LOG_LOSS = Mean(
    "log_loss", "log loss", higher_is_better=False, contribution="mean of the labels' -ln p(what is true), in nats"
)

_OF_CLASSES: Mapping[str, Callable[[int], Measure]] = {
    "accuracy": lambda classes: ACCURACY,
    "macro-f1": lambda classes: MacroF1(classes=classes),
    "auroc": lambda classes: Auroc(classes=1 if classes == 2 else classes),
    "log-loss": lambda classes: LOG_LOSS,
}
_OF_NUMBERS: Mapping[str, Callable[[tuple[float, ...]], Measure]] = {
    "mean-absolute-error": lambda values: MeanAbsoluteError(values=values),
    "quadratic-kappa": lambda values: QuadraticKappa(values=values),
}
_OF_LABELS: Mapping[str, Callable[[int], Measure]] = {
    "micro-f1": lambda labels: MicroF1(),
    "macro-f1": lambda labels: MacroF1(classes=labels),
    "exact-match": lambda labels: EXACT_MATCH,
    "auroc": lambda labels: Auroc(classes=labels),
    "log-loss": lambda labels: _LABELS_LOG_LOSS,
}


def measure_of(
    metric: str | None, classes: int, *, multi_label: bool = False, names: Sequence[str] | None = None
) -> Measure:
    """The measure of a name.

    Args:
        metric: as ``--metric`` has it; None: accuracy, with several labels per text micro-F1.
        classes: how many classes or labels there are.
        multi_label: whether a text may have several labels, or none.
        names: of the classes, which figures of ordered labels need; None: they are not known yet.

    Raises:
        OptionError: the metric does not go with this kind of labels.

    Example:
        >>> measure_of("macro-f1", 3).numbers, measure_of(None, 3).name
        (6, 'accuracy')
        >>> measure_of("exact-match", 3)
        Traceback (most recent call last):
        gatewise.errors.OptionError: the metric 'exact-match' is for texts with several labels; expected: accuracy, ...
    """
    known, others = (_OF_LABELS, "one label") if multi_label else (_OF_CLASSES, "several labels")
    name = metric or next(iter(known))
    if name in _OF_NUMBERS and not multi_label:
        return _OF_NUMBERS[name](_numbers(name, classes, names))
    if name not in known:
        raise OptionError(
            f"the metric {name!r} is for texts with {others if name not in _OF_NUMBERS else 'one label'}",
            expected=", ".join(known),
            fix="omit --metric, or choose one of these",
        )
    return known[name](classes)


def _numbers(metric: str, classes: int, names: Sequence[str] | None) -> tuple[float, ...]:
    """The classes as numbers."""
    if names is None:
        return tuple(map(float, range(max(2, classes))))
    found = numbers_of(names)
    if found is None:
        raise OptionError(
            f"the metric {metric!r} is for labels that are numbers",
            expected="three or more different numbers, such as scores from 1 to 5",
            got=", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else ""),
            fix="omit --metric, or write the labels as numbers",
        )
    return found


def memberships(labels: npt.ArrayLike, classes: int) -> Array:
    """Labels as a table: (N,) classes or (N, C) labels give (N, C) zeros and ones.

    Example:
        >>> memberships([1, 0], 2).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    given = np.asarray(labels)
    return np.asarray(given, dtype=np.float64) if given.ndim == 2 else np.eye(classes)[given]


def answers_of(chances: Array, *, multi_label: bool, thresholds: npt.ArrayLike = THRESHOLD) -> Array:
    """What is predicted, (N, C): the most probable class, or every label from its threshold on."""
    if multi_label:
        return (chances >= np.asarray(thresholds)).astype(np.float64)
    return memberships(chances.argmax(axis=1), chances.shape[1])


def contributions_of(
    measure: Measure, chances: Array, labels: npt.ArrayLike, thresholds: npt.ArrayLike = THRESHOLD
) -> Array:
    """What each text contributes to a measure: (N,), or (N, K).

    Args:
        measure: one of `measure_of`.
        chances: (N, C) probabilities.
        labels: (N,) true classes, or (N, C) true labels.
        thresholds: of the labels, (C,) or (N, C), see `gatewise.kinds.classification.thresholds`.

    Example:
        >>> contributions_of(ACCURACY, np.array([[0.9, 0.1], [0.4, 0.6]]), [0, 0]).tolist()
        [1.0, 0.0]
    """
    several = np.ndim(labels) == 2
    truth = memberships(labels, chances.shape[1])
    if measure.name == "auroc":
        columns = slice(1, 2) if not several and chances.shape[1] == 2 else slice(None)
        return auroc_contributions(chances[:, columns], truth[:, columns])
    if measure.name == "log_loss":
        least = np.finfo(np.float32).tiny
        if not several:
            found: Array = -np.log(np.maximum(chances[np.arange(len(truth)), np.asarray(labels)], least))
        else:
            found = -np.log(np.maximum(np.where(truth > 0, chances, 1 - chances), least)).mean(axis=1)
        return found
    if isinstance(measure, (MeanAbsoluteError, QuadraticKappa)):
        given: Array = ordered_contributions(measure, measure.values, np.asarray(labels), chances.argmax(axis=1))
        return given
    answers = answers_of(chances, multi_label=several, thresholds=thresholds)
    if measure.name == "macro_f1":
        return f1_contributions(truth, answers)
    if measure.name == "micro_f1":
        return np.stack([truth.sum(axis=1), answers.sum(axis=1), (truth * answers).sum(axis=1)], axis=1)
    right: Array = (truth == answers).all(axis=1).astype(np.float64)
    return right


def trivial_answer(measure: Measure, dataset: TextDataset) -> tuple[str, float] | None:
    """What knowing nothing of a text reaches, in words that complete "better than ...", and its figure.

    Always the most frequent class of the training part, for the mean absolute error its median; of several labels those
    that are best for all texts there: for micro-F1 some of the most frequent, for macro-F1 all, where all have to be
    right the most frequent set. For a ranking the same score for all; for a probability the shares of the training
    part.
    """
    if not len(dataset.test.labels):
        return None
    names, tested = dataset.label_names, len(dataset.test.labels)
    several = dataset.train.labels.ndim == 2
    shares = memberships(dataset.train.labels, len(names)).mean(axis=0)
    if measure.name in ("auroc", "log_loss"):
        said = "the labels'" if several else "the classes'"
        words = "giving all texts the same score" if measure.name == "auroc" else f"always predicting {said} shares"
        chances = np.tile(shares, (tested, 1))
    else:
        answer = np.eye(len(names))[int(shares.argmax())]
        if isinstance(measure, MeanAbsoluteError):
            answer = np.eye(len(names))[_median(shares, measure.values)]
        if several and measure.name == "exact_match":
            sets, counts = np.unique(dataset.train.labels, axis=0, return_counts=True)
            answer = sets[int(counts.argmax())].astype(np.float64)
        elif several:
            answer = _best_constant(shares, measure)
        words = f"always predicting {_named(answer, names)}"
        chances = np.tile(answer, (tested, 1))
    return words, measure.of(contributions_of(measure, chances, dataset.test.labels))


def _best_constant(shares: Array, measure: Measure) -> Array:
    """The labels whose F1 is best if all texts get the same ones: (C,) zeros and ones.

    With thresholds a model that knows nothing can reach that.
    """
    order = np.argsort(-shares, kind="stable")
    count = len(shares)
    if measure.name == "micro_f1":
        figures = 2 * shares[order].cumsum() / (np.arange(1, count + 1) + shares.sum())
        count = int(figures.argmax()) + 1
    found = np.zeros(len(shares))
    found[order[:count]] = 1.0
    return found


def _median(shares: Array, values: Sequence[float]) -> int:
    """The class whose number at least half of the texts do not exceed."""
    order = np.argsort(values, kind="stable")
    return int(order[int(np.searchsorted(shares[order].cumsum(), 0.5))])


def _named(answer: Array, names: Sequence[str]) -> str:
    """The labels of an answer: by name where they are few."""
    places = np.flatnonzero(answer).tolist()
    if len(places) > _NAMED:
        return "all labels" if len(places) == len(names) else f"the {len(places)} most frequent labels"
    return join([f"'{names[place]}'" for place in places]) if places else "no label"
