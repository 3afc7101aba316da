"""`TextClassifier`: a recurrent text classifier in scikit-learn's manner."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from gatewise import files
from gatewise.data import Split, TextDataset
from gatewise.data.splits import distinct_rows, drop_shared, fingerprint, hold_out, take
from gatewise.errors import DataError, RunError
from gatewise.kinds.classification.spec import DataSpec, ModelSpec, PretrainingSpec
from gatewise.kinds.classification.unlabelled import with_unlabelled
from gatewise.training.events import Listener, RunResult
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import TrainingSpec

if TYPE_CHECKING:
    from gatewise.kinds.classification.trained import TrainedClassifier
    from gatewise.training.kind import Trained

__all__ = ["TextClassifier"]

_MODEL = (
    "cell",
    "hidden_size",
    "embedding_size",
    "num_layers",
    "bidirectional",
    "pooling",
    "dropout",
    "word_dropout",
    "vocabulary_size",
    "max_tokens",
)
_TRAINING = (
    "epochs",
    "batch_size",
    "learning_rate",
    "schedule",
    "clip_norm",
    "averaging",
    "patience",
    "seed",
    "threads",
    "device",
)
_KINDS = {"str": str, "int": int, "bool": bool, "float": float}


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classify texts with a recurrent network; texts in, labels of any type out.

    Works in ``clone``, ``Pipeline``, ``cross_val_score`` and ``GridSearchCV``. The arguments are the fields of
    `gatewise.kinds.classification.ModelSpec` and `gatewise.training.TrainingSpec`; `fit` checks them.

    Args:
        cell: ``rnn``, ``lstm``, ``gru`` or a registered cell.
        hidden_size: H, units per layer and direction.
        embedding_size: numbers per word.
        num_layers: recurrent layers.
        bidirectional: read each text in both directions.
        pooling: ``last``, ``mean``, ``max``, ``mean+max`` or ``last+mean+max``.
        dropout: probability of zeroing inputs and pooled features while training.
        word_dropout: probability of blanking a word while training.
        vocabulary_size: words kept.
        max_tokens: longer texts keep their first and last halves.
        epochs: passes over the training texts, at most.
        batch_size: texts per step.
        learning_rate: Adam's, at its height.
        schedule: ``constant``, ``linear`` or ``cosine``.
        clip_norm: greatest norm of the gradient.
        averaging: decay of the averaged weights; 0: none.
        patience: epochs without a better validation accuracy before stopping.
        seed: start of all random numbers.
        threads: CPU threads; None: one per core.
        device: ``cpu`` or ``cuda``.
        pretraining: how embedding and recurrent layers are trained as a language model first, see
            `gatewise.kinds.classification.PretrainingSpec`; None: they are not.

    Attributes:
        classes_: (C,) the labels, sorted.
        result_: the `gatewise.training.RunResult` of the fit: curves, kernel, time.

    Example:
        >>> texts = [f"{word} film number {n}" for n in range(10) for word in ("good", "bad")]
        >>> labels = ["glad", "sad"] * 10
        >>> classifier = TextClassifier(hidden_size=8, embedding_size=8, epochs=20, patience=20, batch_size=4)
        >>> classifier.set_params(learning_rate=0.02).fit(texts, labels).predict(["a good film", "a bad film"]).tolist()
        ['glad', 'sad']
    """

    def __init__(
        self,
        cell: str = ModelSpec.cell,
        *,
        hidden_size: int = ModelSpec.hidden_size,
        embedding_size: int = ModelSpec.embedding_size,
        num_layers: int = ModelSpec.num_layers,
        bidirectional: bool = ModelSpec.bidirectional,
        pooling: str = ModelSpec.pooling,
        dropout: float = ModelSpec.dropout,
        word_dropout: float = ModelSpec.word_dropout,
        vocabulary_size: int = ModelSpec.vocabulary_size,
        max_tokens: int = ModelSpec.max_tokens,
        epochs: int = TrainingSpec.epochs,
        batch_size: int = TrainingSpec.batch_size,
        learning_rate: float = TrainingSpec.learning_rate,
        schedule: str = TrainingSpec.schedule,
        clip_norm: float = TrainingSpec.clip_norm,
        averaging: float = TrainingSpec.averaging,
        patience: int = TrainingSpec.patience,
        seed: int = TrainingSpec.seed,
        threads: int | None = TrainingSpec.threads,
        device: str = TrainingSpec.device,
        pretraining: PretrainingSpec | None = None,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.embedding_size = embedding_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.vocabulary_size = vocabulary_size
        self.max_tokens = max_tokens
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.averaging = averaging
        self.patience = patience
        self.seed = seed
        self.threads = threads
        self.device = device
        self.pretraining = pretraining

    def fit(
        self,
        texts: Iterable[str],
        labels: Iterable[Any],
        validation_data: tuple[Iterable[str], Iterable[Any]] | None = None,
        *,
        unlabelled: Iterable[str] | None = None,
        on_event: Listener | None = None,
    ) -> TextClassifier:
        """Learn from labelled texts.

        Args:
            texts: N texts; a text that comes several times is learnt once.
            labels: N labels: strings, whole numbers, booleans.
            validation_data: texts and labels that decide when to stop; None: a tenth of the texts, chosen by content.
            unlabelled: further texts to pre-train on.
            on_event: called with each training event.

        Raises:
            DataError: no texts, empty texts, one class only, a class with one text, or sizes that differ.
            OptionError: an argument of the constructor is out of range.
        """
        from gatewise.training.loop import train_run
        from gatewise.training.trained import load_run

        spec = self._spec(unlabelled is not None)
        classes, dataset = _dataset(texts, labels, validation_data)
        if unlabelled is not None:
            dataset = with_unlabelled(dataset, _as_texts(unlabelled), "the texts given")
        with tempfile.TemporaryDirectory(prefix="gatewise-") as place:
            result = train_run(spec, dataset, Path(place) / "run", on_event=on_event)
            self._trained = _classifier(load_run(result.folder))
            self._environment: dict[str, Any] = files.read_json(result.folder / "environment.json")
        self.classes_ = classes
        self.result_: RunResult = result
        return self

    def predict_proba(self, texts: Iterable[str]) -> npt.NDArray[np.float64]:
        """Probabilities (N, C), columns as ``classes_``."""
        check_is_fitted(self)
        return self._trained.predict_proba(_as_texts(texts))

    def predict(self, texts: Iterable[str]) -> npt.NDArray[Any]:
        """The most probable label of each text: (N,)."""
        chances = self.predict_proba(texts)
        chosen: npt.NDArray[Any] = self.classes_[chances.argmax(axis=1)]
        return chosen

    def save(self, folder: str | Path) -> Path:
        """Write the fitted classifier as a run folder (safetensors and JSON) that the command line can use too.

        Raises:
            RunError: the folder holds something else.
            StorageError: it cannot be written.
        """
        from gatewise.training.run_folder import RunFolder

        check_is_fitted(self)
        run = RunFolder(folder)
        run.claim(self.result_.spec, self._environment["data"]["fingerprint"])
        kind = _kind(self.classes_)
        record = {"format_version": 1, "kind": kind, "classes": [_KINDS[kind](value) for value in self.classes_]}
        trained = self._trained
        words = {**trained.vocabulary.to_dict(), "label_names": list(trained.label_names)}
        run.begin(self.result_.spec, self._environment, {"vocabulary.json": words})
        run.save_weights(trained.model.state_dict())
        run.rewrite_metrics(self.result_.epochs)
        files.write_json(run.path / _CLASSES, record)
        run.finish(self.result_)
        return run.path

    @classmethod
    def load(cls, folder: str | Path) -> TextClassifier:
        """Open what `save` wrote, or any finished run folder (its labels are then strings).

        Raises:
            RunError: there is no finished run, or it is damaged.
        """
        from gatewise.training.run_folder import RunFolder
        from gatewise.training.trained import load_run

        trained = _classifier(load_run(folder))
        run = RunFolder(folder)
        spec = trained.spec
        loaded = cls(
            **{name: getattr(spec.model, name) for name in _MODEL},
            **{name: getattr(spec.training, name) for name in _TRAINING},
            pretraining=spec.pretraining,
        )
        result = run.result()
        if result is None:
            raise RunError(f"the run in {run.path} is not finished")
        loaded.classes_ = _read_classes(run.path, trained.label_names)
        loaded.result_ = result
        loaded._trained = trained
        loaded._environment = files.read_json(run.path / "environment.json")
        return loaded

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that inputs are texts."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    def _spec(self, unlabelled: bool) -> RunSpec:
        return RunSpec(
            data=DataSpec("texts in memory", unlabelled="texts in memory" if unlabelled else None),
            model=ModelSpec(**{name: _plain(getattr(self, name)) for name in _MODEL}),
            training=TrainingSpec(**{name: _plain(getattr(self, name)) for name in _TRAINING}),
            pretraining=self.pretraining,
        )


_CLASSES = "classes.json"


def _classifier(trained: Trained) -> TrainedClassifier:
    """The trained network, if it is a classifier."""
    from gatewise.kinds.classification.trained import TrainedClassifier

    if not isinstance(trained, TrainedClassifier):
        raise RunError("the run is not a text classifier", expected="classification", got=trained.spec.task)
    return trained


def _dataset(
    texts: Iterable[str], labels: Iterable[Any], validation_data: tuple[Iterable[str], Iterable[Any]] | None
) -> tuple[npt.NDArray[Any], TextDataset]:
    """Check texts and labels and hold the validation part out."""
    given, answers = _as_texts(texts), _as_labels(labels)
    _check_sizes(given, answers, "training")
    classes, indices = np.unique(answers, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"all {len(answers):,} labels are {_plain(classes[0])!r}", expected="at least two classes")
    names = tuple(str(value) for value in classes)
    rows, chosen, notes = distinct_rows(given, indices.astype(np.int64))
    whole = Split(tuple(given[row] for row in rows), chosen)
    if validation_data is None:
        train, validation, _ = hold_out(whole, names, "the training data", with_test=False)
        note = "a tenth of the texts decided when to stop; there is no test part"
    else:
        validation = _validation(validation_data, classes)
        train, removed = drop_shared(whole, validation)
        notes += removed
        note = "the validation data given decided when to stop; there is no test part"
    parts = [train, validation, take(whole, [])]
    return classes, TextDataset(
        name="texts in memory",
        source="texts given to TextClassifier.fit",
        split_note=note,
        label_names=names,
        train=train,
        validation=validation,
        test=parts[2],
        fingerprint=fingerprint(names, parts),
        notes=tuple(notes),
    )


def _validation(data: tuple[Iterable[str], Iterable[Any]], classes: npt.NDArray[Any]) -> Split:
    texts, labels = _as_texts(data[0]), _as_labels(data[1])
    _check_sizes(texts, labels, "validation")
    for label in labels:
        if label not in classes:
            raise DataError(
                f"the validation label {_plain(label)!r} is not among the training labels",
                expected=", ".join(map(str, classes)),
            )
    return Split(tuple(texts), np.searchsorted(classes, labels).astype(np.int64))


def _as_texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise DataError("one text was given where a list is expected", fix="put it in a list: [text]")
    given = np.asarray(texts, dtype=object) if not isinstance(texts, (list, tuple)) else texts
    if getattr(given, "ndim", 1) != 1:
        raise DataError("texts have more than one column", expected="a list of strings", fix="give one column of them")
    found = list(given)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise DataError(f"text {place} is not a string", got=type(text).__name__)
    return [str(text) for text in found]


def _as_labels(labels: Iterable[Any]) -> npt.NDArray[Any]:
    values = np.asarray(labels if hasattr(labels, "__array__") else list(labels))
    if values.ndim != 1:
        raise DataError("labels have more than one column", expected="one label a text")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError("labels have missing values", fix="leave those texts out")
    if values.dtype.kind == "O" and len({type(value) for value in values}) > 1:
        kinds = sorted({type(value).__name__ for value in values})
        raise DataError("labels have several types", got=", ".join(kinds), fix="make them all strings, for example")
    return values


def _check_sizes(texts: Sequence[str], labels: npt.NDArray[Any], part: str) -> None:
    if len(texts) != len(labels) or not texts:
        raise DataError(
            f"{part} texts and labels do not fit",
            expected="as many labels as texts, at least one",
            got=f"{len(texts)} texts, {len(labels)} labels",
        )
    empty = [place for place, text in enumerate(texts) if not text.strip()]
    if empty:
        raise DataError(
            f"{len(empty)} {part} text{'s are' if len(empty) > 1 else ' is'} empty",
            got="at place " + ", ".join(map(str, empty[:5])) + (" ..." if len(empty) > 5 else ""),
            fix="leave them out",
        )


def _kind(classes: npt.NDArray[Any]) -> str:
    value = classes[0].item() if isinstance(classes[0], np.generic) else classes[0]
    kind = type(value).__name__
    if kind not in _KINDS:
        raise DataError("labels of this type cannot be saved", expected=", ".join(_KINDS), got=kind)
    return kind


def _read_classes(folder: Path, label_names: Sequence[str]) -> npt.NDArray[Any]:
    place = folder / _CLASSES
    if not place.exists():
        return np.array(label_names)
    record = files.read_json(place)
    values = record.get("classes") if isinstance(record, dict) else None
    if not isinstance(values, list) or len(values) != len(label_names) or record.get("kind") not in _KINDS:
        raise RunError(f"{place} is damaged", expected=f"a kind and {len(label_names)} classes")
    return np.array(values)


def _plain(value: Any) -> Any:
    """Numpy numbers, as parameter searches draw them, to Python's own."""
    return value.item() if isinstance(value, np.generic) else value
