"""A finished run, ready to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from gatewise.data import Vocabulary
from gatewise.errors import DataError, RunError
from gatewise.tasks.classification import SequenceClassifier
from gatewise.tasks.metrics import ClassificationMetrics, classification_metrics
from gatewise.training.prediction import build_model, predict_probabilities
from gatewise.training.run_folder import RunFolder
from gatewise.training.spec import RunSpec

__all__ = ["TrainedClassifier", "load_run"]


class TrainedClassifier:
    """A network with its vocabulary and class names.

    Args:
        spec: the run it came from.
        label_names: the classes.
        vocabulary: its words.
        model: the network, with its best weights.
    """

    def __init__(
        self, spec: RunSpec, label_names: Sequence[str], vocabulary: Vocabulary, model: SequenceClassifier
    ) -> None:
        self.spec = spec
        self.label_names = tuple(label_names)
        self.vocabulary = vocabulary
        self.model = model.eval()

    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Probabilities of each class: (N, C), columns as ``label_names``; a text's never depend on the other texts.

        Raises:
            DataError: one string instead of several, or something that is not a string.
        """
        return predict_probabilities(self.model, self.vocabulary.encode(_texts(texts), self.spec.model.max_tokens))

    def evaluate(self, texts: Sequence[str], labels: Sequence[str | int] | npt.ArrayLike) -> ClassificationMetrics:
        """Measure on labelled texts.

        Args:
            texts: N texts.
            labels: N class names, or N indices into ``label_names``.

        Raises:
            DataError: a label is not a class of this run, or the numbers differ.
        """
        given = [label.item() if isinstance(label, np.generic) else label for label in np.asarray(labels, dtype=object)]
        if len(given) != len(texts) or not given:
            raise DataError(
                "texts and labels do not fit",
                expected="as many labels as texts, at least one",
                got=f"{len(texts)} texts, {len(given)} labels",
            )
        return classification_metrics(self.predict_proba(texts), self._indices(given), self.label_names)

    def tokens(self, text: str) -> list[str]:
        """The tokens of a text as the network reads them, one a time step."""
        return self.vocabulary.tokens(text, self.spec.model.max_tokens)

    def _indices(self, labels: Sequence[object]) -> list[int]:
        place_of = {name: index for index, name in enumerate(self.label_names)}
        indices = []
        for label in labels:
            index = place_of.get(label) if isinstance(label, str) else label
            if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(self.label_names):
                raise DataError(
                    f"the label {label!r} is not a class of this run",
                    expected=", ".join(self.label_names),
                    fix="use labels as in the training data",
                )
            indices.append(index)
        return indices


def load_run(folder: str | Path) -> TrainedClassifier:
    """Open a finished run.

    Args:
        folder: the run folder.

    Raises:
        RunError: no run, an unfinished one, a damaged one, or one from a newer version.
    """
    path = Path(folder)
    if not path.is_dir():
        raise RunError(f"{path} is not a run folder", fix="name the folder given to --out when training")
    run = RunFolder(path)
    spec = run.spec()
    if run.result() is None:
        raise RunError(f"the run in {path} is not finished", fix="run its training command again to resume it")
    vocabulary, label_names = run.vocabulary()
    return TrainedClassifier(spec, label_names, vocabulary, load_model(run, spec, len(vocabulary), len(label_names)))


def load_model(run: RunFolder, spec: RunSpec, vocabulary_size: int, classes: int) -> SequenceClassifier:
    """The network of a run with its best weights.

    Raises:
        RunError: the weights do not fit the spec.
    """
    with torch.random.fork_rng():
        model = build_model(spec.model, vocabulary_size, classes)
    try:
        model.load_state_dict(run.weights())
    except RuntimeError as error:
        raise RunError(
            f"{run.path / 'best.safetensors'} does not fit spec.json and vocabulary.json",
            got=str(error).splitlines()[-1].strip(),
            fix="restore the folder from a copy, or train again",
        ) from error
    return model


def _texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise DataError("one text was given where a list is expected", fix="put it in a list: [text]")
    given = list(texts)
    for place, text in enumerate(given):
        if not isinstance(text, str):
            raise DataError(f"text {place} is not a string", got=type(text).__name__)
    return given
