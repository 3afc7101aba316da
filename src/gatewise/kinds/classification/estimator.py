"""`TextClassifier`: a recurrent text classifier in scikit-learn's manner."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from gatewise import files
from gatewise.data import Labels, Split, TextDataset
from gatewise.data.apart import Grouping, Splitter, drop_shared, split_apart
from gatewise.data.splits import distinct_rows, fingerprint, hold_out, take
from gatewise.errors import DataError, RunError
from gatewise.kinds.classification.label_sets import distinct_sets, indicator_sets, label_table, split_sets
from gatewise.kinds.classification.measures import answers_of
from gatewise.kinds.classification.unlabelled import with_unlabelled
from gatewise.kinds.classification.weighting import kept_weights
from gatewise.training.estimator import RunEstimator, plain
from gatewise.training.events import Listener, RunResult
from gatewise.training.kind import Trained
from gatewise.training.run_folder import RunFolder

if TYPE_CHECKING:
    from gatewise.kinds.classification.trained import TrainedClassifier

__all__ = ["TextClassifier"]

_KINDS = {"str": str, "int": int, "bool": bool, "float": float}


class TextClassifier(  # type: ignore[misc]
    ClassifierMixin,
    RunEstimator,
    task="classification",
    first=("cell",),
    omit=("text", "label", "encoding", "separator", "drop_labels_below", "unlabelled", "group"),
):
    """Classify texts with a recurrent network; texts in, labels of any type out, or a list of strings for each text.

    Works in ``clone``, ``Pipeline``, ``cross_val_score`` and ``GridSearchCV`` (these two with one label a text);
    `fit` checks the arguments.

    {settings}

    Attributes:
        classes_: (C,) the labels, sorted.
        result_: the `gatewise.training.RunResult` of the fit: curves, kernel, time.

    Example:
        >>> texts = [f"{word} film number {n}" for n in range(10) for word in ("good", "bad")]
        >>> labels = ["glad", "sad"] * 10
        >>> classifier = TextClassifier(hidden_size=8, embedding_size=8, epochs=20, patience=20, batch_size=4)
        >>> classifier = classifier.set_params(learning_rate=0.02, threads=1).fit(texts, labels)
        >>> classifier.predict(["a good film", "a bad film"]).tolist()
        ['glad', 'sad']
    """

    _trained: TrainedClassifier
    _as_table: bool = False

    def fit(
        self,
        texts: Iterable[str],
        labels: Iterable[Any],
        validation_data: tuple[Iterable[str], Iterable[Any]] | None = None,
        *,
        sample_weight: Iterable[float] | None = None,
        unlabelled: Iterable[str] | None = None,
        groups: Iterable[Any] | None = None,
        on_event: Listener | None = None,
    ) -> TextClassifier:
        """Fit on labelled texts.

        Args:
            texts: N texts; repeated texts count once, and near duplicates stay together.
            labels: N labels: strings, whole numbers, booleans. Or N lists (tuples, sets) of strings, empty ones too:
                then a text may have several labels. So it may with a table (N, C) of zeros and ones, as a DataFrame
                whose columns are the labels; `predict` then gives such a table.
            validation_data: texts and labels for early stopping; None: a tenth of the texts, chosen by content.
            sample_weight: N factors of the texts' training losses, relative to their mean; those of a text that
                comes several times are added. None: all the same.
            unlabelled: further texts to pre-train on.
            groups: what each text belongs to (film, author): texts of one group are not both trained on and used for
                early stopping. None: no groups.
            on_event: called with each training event.

        Raises:
            DataError: no texts, empty texts, one class only, a class with one text, or sizes that differ.
            OptionError: an argument of the constructor is out of range.
        """
        table = indicator_sets(labels)
        if table is not None:
            labels = table[0]
            if validation_data is not None:
                validation_data = (validation_data[0], _sets_of(validation_data[1]))
        labels = labels if hasattr(labels, "__array__") else list(labels)
        separator = _SEPARATOR if _are_sets(labels) else None
        spec = self._spec(_MEMORY, unlabelled=None if unlabelled is None else _MEMORY, separator=separator)
        given = _as_texts(texts)
        classes, dataset = _dataset(given, labels, validation_data, _group_numbers(groups, given, validation_data))
        dataset = replace(dataset, metric=spec.data.metric, chosen_thresholds=spec.data.thresholds == "validation")
        dataset = _weighted(dataset, kept_weights(sample_weight, given, dataset.train.texts))
        if unlabelled is not None:
            dataset = with_unlabelled(dataset, _as_texts(unlabelled), "the texts given")
        self._train(spec, dataset, on_event)
        self.classes_ = classes if table is None else np.array(table[1])
        self._as_table = table is not None
        return self

    def predict_proba(self, texts: Iterable[str]) -> npt.NDArray[np.float64]:
        """Probabilities (N, C), columns as ``classes_``."""
        check_is_fitted(self)
        found = self._trained.predict_proba(_as_texts(texts))
        return found[:, self._places()] if self._as_table else found

    def predict(self, texts: Iterable[str]) -> npt.NDArray[Any] | list[list[str]]:
        """The most probable label of each text: (N,); of several labels each from its threshold on.

        Several labels are lists of strings, or (N, C) zeros and ones where they were given so.
        """
        chances = self.predict_proba(texts)
        if self._trained.multi_label:
            limits = self._trained.thresholds[self._places()] if self._as_table else self._trained.thresholds
            answers = answers_of(chances, multi_label=True, thresholds=limits)
            if self._as_table:
                return answers.astype(np.int64)
            return [[str(self.classes_[place]) for place in np.flatnonzero(row)] for row in answers]
        chosen: npt.NDArray[Any] = self.classes_[chances.argmax(axis=1)]
        return chosen

    def score(self, texts: Iterable[str], labels: Iterable[Any], sample_weight: Iterable[float] | None = None) -> float:
        """Accuracy; of several labels the share of texts all of whose labels are right."""
        given = _as_texts(texts)
        if not self._trained.multi_label:
            return float(super().score(given, labels, sample_weight))
        predicted = self.predict(given)
        if self._as_table:
            right = (np.asarray(predicted) == np.asarray(labels)).all(axis=1).tolist()
        else:
            right = [set(one) == set(two) for one, two in zip(predicted, labels, strict=True)]
        return float(np.average(right, weights=None if sample_weight is None else list(sample_weight)))

    def __sklearn_tags__(self) -> Any:
        """Declare to scikit-learn that inputs are texts."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    def _own_files(self) -> dict[str, dict[str, Any]]:
        """Labels with their type."""
        kind = _kind(self.classes_)
        record = {"format_version": 1, "kind": kind, "classes": [_KINDS[kind](value) for value in self.classes_]}
        if self._as_table:
            record["as_table"] = True
        return {**super()._own_files(), _CLASSES: record}

    def _keep(self, run: RunFolder, trained: Trained, result: RunResult) -> None:
        super()._keep(run, trained, result)
        self.classes_, self._as_table = _read_classes(run.path, self._trained.label_names)

    def _places(self) -> list[int]:
        """Of the columns of labels that were given as a table, in the network's order of names."""
        return [self._trained.label_names.index(str(name)) for name in self.classes_]


def _weighted(dataset: TextDataset, weights: npt.NDArray[np.float64] | None) -> TextDataset:
    """The data set with weights, which are part of its fingerprint."""
    if weights is None:
        return dataset
    digest = hashlib.sha256(dataset.fingerprint.encode() + np.ascontiguousarray(weights, dtype="<f8").tobytes())
    return replace(dataset, weights=weights, fingerprint=digest.hexdigest())


_CLASSES = "classes.json"
_MEMORY = "texts in memory"
_SEPARATOR = "|"


def _group_numbers(groups: Iterable[Any] | None, texts: Sequence[str], validation_data: Any) -> Labels | None:
    """The number of each text's group."""
    if groups is None:
        return None
    if validation_data is not None:
        raise DataError(
            "groups are for holding validation data out, and validation_data were given", fix="omit one of them"
        )
    values = np.asarray(groups if hasattr(groups, "__array__") else list(groups)).astype(str)
    if values.shape != (len(texts),):
        raise DataError("groups and texts do not fit", expected=f"{len(texts)} groups", got=f"shape {values.shape}")
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _held_out(
    whole: Split, names: Sequence[str], groups: Labels | None, rows: Sequence[int], split: Splitter
) -> tuple[Split, Split, list[str]]:
    """Training part, validation part, and notes."""
    grouping = None
    if groups is not None:
        whole = whole._replace(groups=groups[list(rows)])
        grouping = Grouping("group", tuple(map(str, np.unique(groups))))
    parts, notes = split_apart(whole, names, "the training data", with_test=False, split=split, grouping=grouping)
    return parts[0], parts[1], notes


def _dataset(
    texts: Iterable[str],
    labels: Iterable[Any],
    validation_data: tuple[Iterable[str], Iterable[Any]] | None,
    groups: Labels | None = None,
) -> tuple[npt.NDArray[Any], TextDataset]:
    """Check texts and labels and hold the validation part out."""
    if _are_sets(labels):
        return _sets_dataset(_as_texts(texts), labels, validation_data, groups)
    given, given_labels = _as_texts(texts), _as_labels(labels)
    _check_sizes(given, given_labels, "training")
    classes, indices = np.unique(given_labels, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"all {len(given_labels):,} labels are {plain(classes[0])!r}", expected="at least two classes")
    names = tuple(str(value) for value in classes)
    rows, chosen, notes = distinct_rows(given, indices.astype(np.int64))
    whole = Split(tuple(given[row] for row in rows), chosen)
    if validation_data is None:
        train, validation, removed = _held_out(whole, names, groups, rows, hold_out)
    else:
        validation = _validation(validation_data, classes)
        train, removed = drop_shared(whole, validation, "validation")
    notes += removed
    return classes, _in_memory(names, whole, train, validation, notes, held_out=validation_data is None)


def _in_memory(
    names: tuple[str, ...], whole: Split, train: Split, validation: Split, notes: Sequence[str], *, held_out: bool
) -> TextDataset:
    """Texts that were given, without a test part."""
    decided = "a tenth of the texts" if held_out else "the validation data given"
    parts = [train, validation, take(whole, [])]
    return TextDataset(
        name=_MEMORY,
        source="texts given to TextClassifier.fit",
        split_note=f"{decided} decided when to stop; there is no test part",
        label_names=names,
        train=train,
        validation=validation,
        test=parts[2],
        fingerprint=fingerprint(names, parts),
        notes=tuple(notes),
    )


def _are_sets(labels: Any) -> bool:
    """Whether labels are lists of labels."""
    return any(isinstance(each, (list, tuple, set, frozenset)) for each in labels)


def _sets_of(labels: Any) -> Any:
    """Label sets of a table of zeros and ones; other labels as they are."""
    found = indicator_sets(labels, every=False)
    return labels if found is None else found[0]


def _label_sets(labels: Iterable[Any], texts: Sequence[str], part: str) -> list[tuple[str, ...]]:
    found = []
    for place, each in enumerate(labels):
        if not isinstance(each, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in each):
            raise DataError(
                f"the {part} labels of text {place} are not a list of strings", got=repr(each), fix="give [] for none"
            )
        found.append(tuple(sorted(set(each))))
    _check_sizes(texts, found, part)
    return found


def _sets_dataset(
    texts: list[str],
    labels: Iterable[Any],
    validation_data: tuple[Iterable[str], Iterable[Any]] | None,
    groups: Labels | None,
) -> tuple[npt.NDArray[Any], TextDataset]:
    """The same where a text may have several labels, or none."""
    sets = _label_sets(labels, texts, "training")
    names = tuple(sorted({name for each in sets for name in each}))
    if not names:
        raise DataError("no text has a label", expected="at least one label")
    table = label_table(sets, names)
    rows, notes = distinct_sets(texts, table)
    whole = Split(tuple(texts[row] for row in rows), table[rows])
    if validation_data is None:
        train, validation, removed = _held_out(whole, names, groups, rows, split_sets)
    else:
        held = _as_texts(validation_data[0])
        validation = Split(tuple(held), label_table(_label_sets(validation_data[1], held, "validation"), names))
        train, removed = drop_shared(whole, validation, "validation")
    notes += removed
    return np.array(names), _in_memory(names, whole, train, validation, notes, held_out=validation_data is None)


def _validation(data: tuple[Iterable[str], Iterable[Any]], classes: npt.NDArray[Any]) -> Split:
    texts, labels = _as_texts(data[0]), _as_labels(data[1])
    _check_sizes(texts, labels, "validation")
    for label in labels:
        if label not in classes:
            raise DataError(
                f"the validation label {plain(label)!r} is not among the training labels",
                expected=", ".join(map(str, classes)),
            )
    return Split(tuple(texts), np.searchsorted(classes, labels).astype(np.int64))


def _as_texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise DataError("one text was given where a list is expected", fix="put it in a list: [text]")
    shape = getattr(texts, "shape", (0,))
    if len(shape) != 1:
        fix = f"give one column: {f'frame[{texts.columns[0]!r}]' if hasattr(texts, 'columns') else 'texts[:, 0]'}"
        raise DataError("texts are a table", expected="a list of strings", got=f"shape {shape}", fix=fix)
    found = list(texts)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            missing = _is_missing(text)
            raise DataError(
                f"text {place} is {'missing' if missing else 'not a string'}",
                expected="a string for each text",
                got=type(text).__name__,
                fix="omit the rows without a text: frame.dropna(subset=[...])"
                if missing
                else "str(text), where that is meant",
            )
    return [str(text) for text in found]


def _is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, or what pandas has for neither."""
    nan = isinstance(value, float) and math.isnan(value)
    return value is None or nan or type(value).__name__ in {"NAType", "NaTType"}


def _as_labels(labels: Iterable[Any]) -> npt.NDArray[Any]:
    values = np.asarray(given := labels if hasattr(labels, "__array__") else list(labels))
    if values.ndim != 1:
        raise DataError(
            "labels have more than one column",
            expected="one label a text, or zeros and ones in several columns",
            got=f"shape {values.shape}",
            fix="give one column: frame['label']",
        )
    listed = given if isinstance(given, list) else values.tolist()  # an array of strings has 'nan' for NaN
    missing = [place for place, value in enumerate(listed) if _is_missing(value)]
    if missing:
        where = ", ".join(map(str, missing[:5])) + (" ..." if len(missing) > 5 else "")
        raise DataError("labels have missing values", got=f"{len(missing)}, at place {where}", fix="omit those texts")
    if values.dtype.kind == "O" and len({type(value) for value in values}) > 1:
        kinds = sorted({type(value).__name__ for value in values})
        raise DataError("labels have several types", got=", ".join(kinds), fix="make them all strings, for example")
    return values


def _check_sizes(texts: Sequence[str], labels: npt.NDArray[Any] | Sequence[Any], part: str) -> None:
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
            fix="omit them",
        )


def _kind(classes: npt.NDArray[Any]) -> str:
    value = classes[0].item() if isinstance(classes[0], np.generic) else classes[0]
    kind = type(value).__name__
    if kind not in _KINDS:
        raise DataError("labels of this type cannot be saved", expected=", ".join(_KINDS), got=kind)
    return kind


def _read_classes(folder: Path, label_names: Sequence[str]) -> tuple[npt.NDArray[Any], bool]:
    """The classes with their type, and whether labels were given as a table of zeros and ones."""
    place = folder / _CLASSES
    if not place.exists():
        return np.array(label_names), False
    record = files.read_json(place)
    values = record.get("classes") if isinstance(record, dict) else None
    if not isinstance(values, list) or len(values) != len(label_names) or record.get("kind") not in _KINDS:
        raise RunError(f"{place} is damaged", expected=f"a kind and {len(label_names)} classes")
    return np.array(values), record.get("as_table") is True
