"""Text classification as a problem to train: batches of about equal length, cross-entropy, accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from gatewise.data import Labels, Ragged, Vocabulary, ordered_batches, shuffled_batches
from gatewise.data.seen import SEEN_FILE, Seen
from gatewise.kinds.classification.adversarial import adversarial_loss
from gatewise.kinds.classification.figures import classification_metrics
from gatewise.kinds.classification.label_figures import multi_label_metrics
from gatewise.kinds.classification.measures import ACCURACY, contributions_of
from gatewise.kinds.classification.network import SequenceClassifier, classification_loss
from gatewise.kinds.classification.temperature import CALIBRATION_FILE, calibration_record, fit_temperature
from gatewise.kinds.classification.thresholds import (
    THRESHOLD,
    THRESHOLDS_FILE,
    choose_thresholds,
    cross_fitted_thresholds,
    thresholds_record,
)
from gatewise.statistics.measure import Measure
from gatewise.training.problem import Problem, StepLoss

__all__ = ["ClassificationProblem", "predict_probabilities", "predict_scores", "probabilities_of"]

_BATCH = 64


class ClassificationProblem(Problem):
    """A classifier and its training texts.

    Args:
        model: the network, on its device.
        vocabulary: its words.
        train: encoded training texts.
        train_labels: (N,) their classes, or (N, C) their labels: then each is a yes or no of its own.
        validation: encoded texts that decide which weights are kept.
        validation_labels: (M,) their classes, or (M, C) their labels.
        label_names: the classes.
        batch_size: texts per step.
        seed: of the order of the batches.
        device: of the model.
        weights: (N,) factors of the training texts' losses, with mean 1; None: all 1.
        metric: by which the best weights are chosen.
        positive_weights: (C,) factors of the loss where a label is there; None: all 1.
        adversarial: size of the perturbation of adversarial training, see
            `gatewise.kinds.classification.adversarial`; 0: none.
        choose_thresholds: whether thresholds of labels are chosen on the validation part.
        calibrated: whether a temperature of the scores is fitted on the validation part.
        columns: of texts and labels in the user's file, for the run to remember; None: as its settings have it.
        seen: makes the record of what was trained on, see `gatewise.data.seen`; None: the run keeps none.
    """

    unit: ClassVar[str] = "texts"
    model: SequenceClassifier

    def __init__(
        self,
        model: SequenceClassifier,
        vocabulary: Vocabulary,
        train: Ragged,
        train_labels: Labels,
        validation: Ragged,
        validation_labels: Labels,
        label_names: Sequence[str],
        *,
        batch_size: int,
        seed: int,
        device: str = "cpu",
        weights: npt.NDArray[np.float64] | None = None,
        metric: Measure = ACCURACY,
        positive_weights: npt.NDArray[np.float64] | None = None,
        adversarial: float = 0.0,
        choose_thresholds: bool = False,
        calibrated: bool = False,
        columns: tuple[str, str] | None = None,
        seen: Callable[[], Seen] | None = None,
    ) -> None:
        self.adversarial = adversarial
        self._seen, self.columns = seen, columns
        self._calibrated = calibrated
        self._choose_thresholds = choose_thresholds and train_labels.ndim == 2
        self._metric = metric
        self.multi_label = train_labels.ndim == 2
        self.positive_weights = None if positive_weights is None else torch.from_numpy(positive_weights)
        self.weights = None if weights is None else torch.from_numpy(weights)
        self.model, self.vocabulary, self.label_names = model, vocabulary, tuple(label_names)
        self.train, self.train_labels = train, torch.from_numpy(train_labels)
        self.validation, self.validation_labels = validation, validation_labels
        self.batch_size, self.seed, self.device = batch_size, seed, device
        self.examples_per_epoch = len(train)
        self.steps_per_epoch = -(-len(train) // batch_size)
        self._order: list[npt.NDArray[np.int64]] = []

    @property
    def metric(self) -> Measure:  # type: ignore[override]
        """By which the best weights are chosen."""
        return self._metric

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Shuffle; see `gatewise.data.shuffled_batches`."""
        self._order = shuffled_batches(self.train, self.batch_size, self.seed, epoch)

    def loss(self, step: int) -> StepLoss:
        """Mean cross-entropy of a batch, in nats; what is differentiated is weighted where texts have weights."""
        batch = self.train.batch(self.part.rows(self._order[step]))
        labels = self.train_labels[torch.from_numpy(batch.rows)].to(self.device)
        tokens, lengths = torch.from_numpy(batch.values).to(self.device), torch.from_numpy(batch.lengths)
        learn = self._labels_loss if self.multi_label else self._class_loss
        if self.adversarial > 0:
            loss, scores = adversarial_loss(
                self.model, tokens, lengths, self.adversarial, lambda found: learn(found, labels, batch.rows).loss
            )
            return replace(learn(scores, labels, batch.rows), loss=loss)
        return learn(self.model(tokens, lengths), labels, batch.rows)

    def _class_loss(self, scores: Tensor, labels: Tensor, rows: npt.NDArray[np.int64]) -> StepLoss:
        loss = classification_loss(scores, labels)
        right = (scores.detach().argmax(dim=1) == labels).sum()
        if self.weights is None:
            return StepLoss(loss, loss, len(labels), {ACCURACY.name: right})
        factors = self.weights[torch.from_numpy(rows)].to(scores.device, scores.dtype)
        losses = functional.cross_entropy(scores, labels, reduction="none")
        return StepLoss((factors * losses).mean(), loss.detach(), len(labels), {ACCURACY.name: right})

    def _labels_loss(self, scores: Tensor, labels: Tensor, rows: npt.NDArray[np.int64]) -> StepLoss:
        """Mean binary cross-entropy of the labels (B, C), in nats."""
        labels = labels.to(scores.dtype)
        plain = functional.binary_cross_entropy_with_logits(scores, labels)
        right = ((scores.detach().sigmoid() >= THRESHOLD) == (labels > 0)).all(dim=1).sum()
        sums = {"exact_match": right}
        if self.weights is None and self.positive_weights is None:
            return StepLoss(plain, plain, len(labels), sums)
        factors = None if self.positive_weights is None else self.positive_weights.to(scores.device, scores.dtype)
        each = functional.binary_cross_entropy_with_logits(scores, labels, pos_weight=factors, reduction="none")
        losses = each.mean(dim=1)
        if self.weights is not None:
            losses = losses * self.weights[torch.from_numpy(rows)].to(scores.device, scores.dtype)
        return StepLoss(losses.mean(), plain.detach(), len(labels), sums)

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss, accuracy, macro-F1, figures of ordered labels, and the metric on the validation part."""
        chances = predict_probabilities(self.model, self.validation, weights, self.device, multi_label=self.multi_label)
        if self.multi_label:
            limits: npt.ArrayLike = THRESHOLD
            if self._choose_thresholds:
                limits = cross_fitted_thresholds(chances, self.validation_labels, self.metric.name)
            labelled = multi_label_metrics(chances, self.validation_labels, self.label_names, limits)
            names = ("loss", "micro_f1", "macro_f1", "exact_match", "auroc")
            return {**{name: getattr(labelled, name) for name in names}, "log_loss": labelled.loss}
        figures = classification_metrics(chances, self.validation_labels, self.label_names)
        found = {"loss": figures.loss, "accuracy": figures.accuracy, "macro_f1": figures.macro_f1}
        ordered = {name: getattr(figures, name) for name in ("mean_absolute_error", "quadratic_kappa")}
        found |= {name: value for name, value in ordered.items() if value is not None}
        if self.metric.name not in found:
            found[self.metric.name] = self.metric.of(contributions_of(self.metric, chances, self.validation_labels))
        return found

    def validation_error(self, figure: float) -> float:
        """That of a share of the validation texts; a share of 0 or 1 counts as one text away from it.

        0 for figures that are no share of texts: macro-F1, AUROC, log loss.
        """
        if self.metric.name not in ("accuracy", "exact_match"):
            return 0.0
        count = len(self.validation)
        share = min(max(figure, 1 / count), 1 - 1 / count)
        return math.sqrt(max(0.0, share * (1 - share)) / count)

    def probe(self) -> None:
        """Run the first batch."""
        batch = self.train.batch(np.arange(min(self.batch_size, len(self.train))))
        self.model(torch.from_numpy(batch.values).to(self.device), torch.from_numpy(batch.lengths))

    def files(self) -> dict[str, dict[str, Any]]:
        """Words and class names, and hashes of the texts."""
        several = {"multi_label": True} if self.multi_label else {}
        columns = {} if self.columns is None else {"columns": list(self.columns)}
        names = {"label_names": list(self.label_names), **several, **columns}
        found = {"vocabulary.json": {**self.vocabulary.to_dict(), **names}}
        return found if self._seen is None else {**found, SEEN_FILE: self._seen().to_dict()}

    def closing_files(self, weights: Callable[[], Mapping[str, Tensor]]) -> dict[str, dict[str, Any]]:
        """The temperature of the scores, then the thresholds of labels, by the validation part and the kept weights."""
        if not self._calibrated and not self._choose_thresholds:
            return {}
        kept = {name: value.to(self.device) for name, value in weights().items()}
        scores = predict_scores(self.model, self.validation, kept, self.device)
        found = {}
        if self._calibrated:
            temperature = fit_temperature(scores, self.validation_labels, self._validation_weights())
            found[CALIBRATION_FILE] = calibration_record(temperature, scores, self.validation_labels)
            scores /= temperature
        if self._choose_thresholds:
            chances = probabilities_of(scores, multi_label=True)
            limits = choose_thresholds(chances, self.validation_labels, self.metric.name)
            found[THRESHOLDS_FILE] = thresholds_record(self.label_names, limits, self.metric.name)
        return found

    def _validation_weights(self) -> npt.NDArray[np.float64]:
        """Factors of the validation texts' losses, (M,) or (M, C): of a class, the mean one of its training texts."""
        labels = self.validation_labels
        if self.multi_label:
            factors = np.ones(labels.shape[1]) if self.positive_weights is None else self.positive_weights.numpy()
            return np.where(labels > 0, factors, 1.0)
        if self.weights is None:
            return np.ones(len(labels))
        classes = len(self.label_names)
        trained, factors = self.train_labels.numpy(), self.weights.numpy()
        sums, counts = np.bincount(trained, factors, classes), np.bincount(trained, minlength=classes)
        return np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)[labels]


def predict_scores(
    model: SequenceClassifier, texts: Ragged, weights: Mapping[str, Tensor] | None = None, device: str = "cpu"
) -> npt.NDArray[np.float64]:
    """Scores of each class for each text, (N, C), before softmax or sigmoid; arguments as `predict_probabilities`."""
    result = np.empty((len(texts), model.head.out_features), dtype=np.float64)
    model.eval()
    with torch.inference_mode():
        for batch in ordered_batches(texts, _BATCH):
            arguments: tuple[Any, ...] = (torch.from_numpy(batch.values).to(device), torch.from_numpy(batch.lengths))
            scores = model(*arguments) if weights is None else functional_call(model, dict(weights), arguments)
            result[batch.rows] = scores.double().cpu().numpy()
    return result


def probabilities_of(scores: npt.NDArray[np.float64], *, multi_label: bool = False) -> npt.NDArray[np.float64]:
    """Probabilities (N, C) of scores: their softmax, or each label's sigmoid."""
    given = torch.from_numpy(scores)
    return (given.sigmoid() if multi_label else given.softmax(dim=1)).numpy()


def predict_probabilities(
    model: SequenceClassifier,
    texts: Ragged,
    weights: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
    *,
    multi_label: bool = False,
) -> npt.NDArray[np.float64]:
    """Probabilities of each class for each text: (N, C).

    Args:
        model: the network; it is in evaluation mode afterwards.
        texts: encoded texts.
        weights: other weights to use instead of the model's own.
        device: of the model.
        multi_label: whether each class is a yes or no of its own.
    """
    return probabilities_of(predict_scores(model, texts, weights, device), multi_label=multi_label)
