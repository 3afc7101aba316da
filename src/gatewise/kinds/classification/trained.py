"""A trained text classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data import TextDataset, Vocabulary
from gatewise.data.seen import Seen
from gatewise.errors import DataError, RunError
from gatewise.kinds.classification.figures import classification_metrics
from gatewise.kinds.classification.label_figures import multi_label_metrics
from gatewise.kinds.classification.measures import answers_of, contributions_of, measure_of
from gatewise.kinds.classification.measuring import Measuring
from gatewise.kinds.classification.network import SequenceClassifier
from gatewise.kinds.classification.preparation import prepare_texts, seen_texts, starting_vectors
from gatewise.kinds.classification.problem import ClassificationProblem, predict_probabilities
from gatewise.kinds.classification.spec import ModelSpec
from gatewise.kinds.classification.temperature import CALIBRATION_FILE, read_temperature
from gatewise.kinds.classification.thresholds import (
    THRESHOLD,
    THRESHOLDS_FILE,
    cross_fitted_thresholds,
    read_thresholds,
)
from gatewise.kinds.classification.weighting import positive_weights, training_weights
from gatewise.training.kind import RecurrentInputs, Request, Trained
from gatewise.training.problem import Evaluation
from gatewise.training.reader import Reader
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

if TYPE_CHECKING:
    from gatewise.training.streaming import Streaming

__all__ = ["TrainedClassifier", "evaluation", "open_run", "part_thresholds", "problem_of", "read_vocabulary"]


class TrainedClassifier(Measuring, Trained):
    """A network with its vocabulary and class names.

    Args:
        spec: the run it came from.
        label_names: the classes.
        vocabulary: its words.
        model: the network, with its best weights.
        multi_label: whether a text may have several of the classes, or none.
        seen: hashes of what it was trained on; None: not known.
        thresholds: (C,) the probability from which on each label is answered; None: 0.5 for all.
        uncalibrated: weights of the network, by name, as they were before the scores were divided by a temperature.
    """

    graph_module: ClassVar[str | None] = "gatewise.kinds.classification.graph"

    def __init__(
        self,
        spec: RunSpec,
        label_names: Sequence[str],
        vocabulary: Vocabulary,
        model: SequenceClassifier,
        *,
        multi_label: bool = False,
        seen: Seen | None = None,
        thresholds: npt.NDArray[np.float64] | None = None,
        uncalibrated: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.seen = seen
        self._uncalibrated = uncalibrated or {}
        self.thresholds = np.full(len(label_names), THRESHOLD) if thresholds is None else thresholds
        self._chosen = thresholds is not None
        self.multi_label = multi_label
        self.spec = spec
        self.label_names = tuple(label_names)
        self.vocabulary = vocabulary
        self.model = model.eval()

    @property
    def separator(self) -> str:
        """Of the labels, where a text may have several; that of the training file, else ``|``."""
        return self.spec.data.separator or "|"

    @property
    def max_tokens(self) -> int:
        """Longer texts keep their first and last halves of this many tokens."""
        return _model_spec(self.spec).max_tokens

    def kept_weights(self) -> Mapping[str, Tensor]:
        """Those before the scores were divided by the run's temperature."""
        return {**self.model.state_dict(), **self._uncalibrated}

    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Probabilities of each class: (N, C), columns as ``label_names``; independent of the other texts.

        The rows sum to 1, unless a text may have several labels: then each is a probability of its own.

        Raises:
            DataError: one string instead of several, or something that is not a string.
        """
        encoded = self.vocabulary.encode(_texts(texts), self.max_tokens)
        return predict_probabilities(self.model, encoded, multi_label=self.multi_label)

    def predict(self, texts: Sequence[str]) -> list[str] | list[list[str]]:
        """The most probable class of each text; where texts have several labels, each from its threshold on.

        Raises:
            DataError: one string instead of several, or something that is not a string.
        """
        found = self.predict_proba(texts)
        if self.multi_label:
            return [[self.label_names[place] for place in np.flatnonzero(row >= self.thresholds)] for row in found]
        return [self.label_names[index] for index in found.argmax(axis=1)]

    def tokens(self, text: str) -> list[str]:
        """The tokens of a text as the network reads them, one a time step."""
        return self.vocabulary.tokens(text, self.max_tokens)

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part; contributions are those to the data's metric, for accuracy 1 for each right text."""
        split = getattr(dataset, part)
        chances = self.predict_proba(list(split.texts))
        # data of today choose thresholds by default; a run from before there were any still answers from one half
        limits = part_thresholds(self.thresholds, dataset, part, chances) if self._chosen else self.thresholds
        return evaluation(chances, split.labels, self.label_names, dataset.metric, limits, split.groups)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From raw texts to probabilities."""
        texts = list(dataset.test.texts)
        return lambda count: self.predict_proba(texts[:count])

    input_schema: ClassVar[Mapping[str, Any]] = {"type": "string", "description": "a text"}

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The label and probabilities of each text; null for a blank one."""
        from gatewise.kinds.classification.labelling import answers_of

        return answers_of(self, inputs)

    def streaming(self) -> Streaming:
        """The classes as a text is read."""
        from gatewise.kinds.classification.streaming import ClassifierStreaming

        return ClassifierStreaming(self)

    def predict_command(self, request: Request) -> None:
        """Label texts; see `gatewise.kinds.classification.commands.predict`."""
        from gatewise.kinds.classification import commands

        commands.predict(self, request)

    def evaluate_command(self, request: Request) -> None:
        """Measure on a labelled file; see `gatewise.kinds.classification.commands.evaluate`."""
        from gatewise.kinds.classification import commands

        commands.evaluate(self, request)

    def reader(self, dataset: Any = None) -> Reader:
        """How its answers come about, see `gatewise.kinds.classification.reader.TextReader`."""
        from gatewise.kinds.classification.reader import TextReader

        return TextReader(self, dataset)

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """The first test texts, embedded; of longer ones the first ``steps`` words."""
        encoded = self.vocabulary.encode(dataset.test.texts[:count], self.max_tokens)
        batch = encoded.batch(np.arange(len(encoded)))
        with torch.no_grad():
            inputs = self.model.embedding(torch.from_numpy(batch.values[:steps]))
        return {
            "recurrent": RecurrentInputs(
                self.model.recurrent, inputs, torch.from_numpy(np.minimum(batch.lengths, steps))
            )
        }


def problem_of(spec: RunSpec, dataset: TextDataset) -> ClassificationProblem:
    """The network on its encoded texts."""
    model = _model_spec(spec)
    texts = prepare_texts(dataset, model.vocabulary_size, model.max_tokens, model.training_tokens)
    network = _network(model, len(texts.vocabulary), len(dataset.label_names))
    notes: tuple[str, ...] = ()
    if spec.pretraining is None:
        start = starting_vectors(dataset, texts.vocabulary, model.embeddings, model.embedding_size)
        start.initialise(network.embedding)
        notes = start.notes
    problem = ClassificationProblem(
        network.to(spec.training.device),
        texts.vocabulary,
        texts.train,
        texts.train_labels,
        texts.validation,
        texts.validation_labels,
        dataset.label_names,
        batch_size=spec.training.batch_size,
        seed=spec.training.seed,
        device=spec.training.device,
        weights=training_weights(texts.train_labels, len(dataset.label_names), model.class_weight, dataset.weights),
        metric=measure_of(
            dataset.metric, len(dataset.label_names), multi_label=dataset.multi_label, names=dataset.label_names
        ),
        positive_weights=positive_weights(texts.train_labels, model.class_weight) if dataset.multi_label else None,
        adversarial=model.adversarial,
        choose_thresholds=dataset.chosen_thresholds,
        calibrated=model.calibration == "temperature",
        columns=dataset.columns,
        seen=lambda: seen_texts(dataset),
    )
    problem.notes = notes
    return problem


def open_run(run: RunFolder) -> TrainedClassifier:
    """The classifier of a finished run."""
    spec = run.spec()
    vocabulary, label_names = read_vocabulary(run)
    with torch.random.fork_rng():
        model = _network(_model_spec(spec), len(vocabulary), len(label_names))
    run.load_weights_into(model)
    uncalibrated = _calibrate(run, model)
    several = run.content("vocabulary.json").get("multi_label") is True
    spec = _with_columns(spec, run.content("vocabulary.json").get("columns"))
    place = run.path / THRESHOLDS_FILE
    # runs of before there were thresholds, and those of one label a text, have none
    kept = run.content_if_kept(THRESHOLDS_FILE)
    limits = None if kept is None else read_thresholds(kept, label_names, place)
    return TrainedClassifier(
        spec,
        label_names,
        vocabulary,
        model,
        multi_label=several,
        seen=run.seen(),
        thresholds=limits,
        uncalibrated=uncalibrated,
    )


def _calibrate(run: RunFolder, model: SequenceClassifier) -> dict[str, Tensor]:
    """Divide the scores by the run's temperature, and return the head's weights of before; older runs have none."""
    kept = run.content_if_kept(CALIBRATION_FILE)
    if kept is None:
        return {}
    temperature = read_temperature(kept, run.path / CALIBRATION_FILE)
    head = {"head.weight": model.head.weight, "head.bias": model.head.bias}
    before = {name: value.detach().clone() for name, value in head.items()}
    with torch.no_grad():
        for value in head.values():
            value /= temperature
    return before


def _with_columns(spec: RunSpec, columns: object) -> RunSpec:
    """The settings with the columns that were read, where their values alone showed which they are."""
    if not (isinstance(columns, list) and len(columns) == 2 and all(isinstance(name, str) for name in columns)):
        return spec
    return replace(spec, data=replace(spec.data, text=columns[0], label=columns[1]))


def read_vocabulary(run: RunFolder) -> tuple[Vocabulary, tuple[str, ...]]:
    """Words and class names of a run folder.

    Raises:
        RunError: the file is missing or damaged.
    """
    record = run.content("vocabulary.json")
    place = run.path / "vocabulary.json"
    vocabulary = Vocabulary.from_dict(record, str(place))
    names = record.get("label_names")
    least = 1 if record.get("multi_label") is True else 2
    if not isinstance(names, list) or len(names) < least or not all(isinstance(name, str) for name in names):
        raise RunError(f"{place} is damaged", expected=f"label_names: a list of at least {least} strings")
    return vocabulary, tuple(names)


def _model_spec(spec: RunSpec) -> ModelSpec:
    if not isinstance(spec.model, ModelSpec):
        raise RunError("the run is not a classification", expected="classification", got=spec.task)
    return spec.model


def _network(spec: ModelSpec, vocabulary_size: int, classes: int) -> SequenceClassifier:
    """The network that a spec describes, with weights drawn from torch's present random state."""
    return SequenceClassifier(
        vocabulary_size,
        classes,
        cell=spec.cell,
        hidden_size=spec.hidden_size,
        embedding_size=spec.embedding_size,
        num_layers=spec.num_layers,
        bidirectional=spec.bidirectional,
        pooling=spec.pooling,
        recurrent_start=spec.recurrent_factor,
        dropout=spec.dropout,
        word_dropout=spec.word_dropout,
    )


def part_thresholds(
    thresholds: npt.NDArray[np.float64], dataset: TextDataset, part: str, chances: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The thresholds for measuring on a part: on the one that they are chosen on those of the other texts, (N, C)."""
    if part != "validation" or not dataset.multi_label or not dataset.chosen_thresholds:
        return thresholds
    measure = measure_of(dataset.metric, len(dataset.label_names), multi_label=True)
    return cross_fitted_thresholds(chances, dataset.validation.labels, measure.name)


def evaluation(
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    label_names: Sequence[str],
    metric: str | None = None,
    thresholds: npt.ArrayLike = THRESHOLD,
    groups: npt.NDArray[np.int64] | None = None,
) -> Evaluation:
    """Figures, and per text: predicted class, its probability, and that of the true class, to four decimals.

    Of several labels per text: the numbers of the labels predicted.
    """
    several = labels.ndim == 2
    measure = measure_of(metric, len(label_names), multi_label=several, names=label_names)
    contributions = contributions_of(measure, probabilities, labels, thresholds)
    if several:
        found = multi_label_metrics(probabilities, labels, label_names, thresholds).to_dict()
        answers = answers_of(probabilities, multi_label=True, thresholds=thresholds)
        return Evaluation(
            {**found, measure.name: measure.of(contributions)},
            contributions,
            {"labels": [np.flatnonzero(row).tolist() for row in answers]},
        )
    measured = classification_metrics(probabilities, labels, label_names, intervals=True, groups=groups)
    figures: Mapping[str, Any] = measured.to_dict()
    return Evaluation(
        {**figures, measure.name: measure.of(contributions)},
        contributions,
        {
            "predicted": probabilities.argmax(axis=1).tolist(),
            "confidence": np.round(probabilities.max(axis=1), 4).tolist(),
            "truth_probability": np.round(probabilities[np.arange(len(labels)), labels], 4).tolist(),
        },
    )


def _texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise DataError("one text was given where a list is expected", fix="put it in a list: [text]")
    given = list(texts)
    for place, text in enumerate(given):
        if not isinstance(text, str):
            raise DataError(f"text {place} is not a string", got=type(text).__name__)
    return given
