"""`TextClassifier` behaves as scikit-learn expects, with labels of any type."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from gatewise import TextClassifier
from gatewise.errors import DataError, OptionError, RunError
from gatewise.training import EpochDone, load_run

TEXTS = [f"{word} film number {n}" for n in range(20) for word in ("good", "bad", "odd")]
WORDS = ["glad", "sad", "puzzled"] * 20
SMALL = {
    "hidden_size": 6,
    "embedding_size": 6,
    "epochs": 8,
    "patience": 8,
    "batch_size": 8,
    "learning_rate": 0.05,
    "pooling": "mean+max",
    "threads": 1,
}


@pytest.fixture(scope="module")
def fitted():
    return TextClassifier("gru", **SMALL).fit(TEXTS, WORDS)


def test_learns_and_scores(fitted):
    assert fitted.score(TEXTS, WORDS) == 1.0
    assert fitted.classes_.tolist() == ["glad", "puzzled", "sad"]
    chances = fitted.predict_proba(["a good film", "a bad film"])
    assert chances.sum(axis=1) == pytest.approx([1, 1])
    assert fitted.predict(["a good film", "a bad film"]).tolist() == ["glad", "sad"]
    assert fitted.result_.best.validation["accuracy"] == 1.0


@pytest.mark.parametrize(
    "values", [["a", "b"], [0, 1], [7, -3], [True, False], np.array([2, 5], dtype=np.int8), [1.0, 2.0]]
)
def test_labels_of_any_type_survive_saving(tmp_path, values):
    labels = [values[n % 2] for n in range(40)]
    texts = [f"{('good', 'bad')[n % 2]} {n}" for n in range(40)]
    classifier = TextClassifier("rnn", **SMALL).fit(texts, labels)
    loaded = TextClassifier.load(classifier.save(tmp_path / "model"))
    for model in (classifier, loaded):
        assert model.predict(["good", "bad"]).tolist() == [values[0], values[1]]
        assert model.classes_.tolist() == sorted(np.asarray(values).tolist())
        assert type(model.predict(["good"])[0].item()) is type(np.asarray(values)[0].item())


def test_arrays_and_series_are_taken(fitted):
    pandas = pytest.importorskip("pandas")
    expected = fitted.predict_proba(TEXTS[:3])
    for kind in (np.array, pandas.Series, tuple, lambda texts: np.array(texts, dtype=object)):
        assert np.array_equal(fitted.predict_proba(kind(TEXTS[:3])), expected)
    series = pandas.Series(TEXTS, index=range(100, 160)), pandas.Series(WORDS, index=range(100, 160))
    again = TextClassifier(**SMALL).fit(*series)
    assert np.array_equal(again.predict_proba(TEXTS[:3]), expected)


def test_saved_and_loaded_is_the_same(fitted, tmp_path):
    folder = fitted.save(tmp_path / "model")
    loaded = TextClassifier.load(folder)
    assert np.array_equal(loaded.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    assert loaded.get_params() == fitted.get_params()
    assert load_run(folder).label_names == ("glad", "puzzled", "sad")
    assert fitted.save(folder) == folder


def test_saving_over_something_else(fitted, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(RunError):
        fitted.save(tmp_path)
    other = TextClassifier(**{**SMALL, "hidden_size": 5}).fit(TEXTS, WORDS)
    fitted.save(tmp_path / "model")
    with pytest.raises(RunError, match="another run"):
        other.save(tmp_path / "model")


def test_damaged_classes(fitted, tmp_path):
    folder = fitted.save(tmp_path / "model")
    (folder / "classes.json").write_text(json.dumps({"kind": "str", "classes": ["a"]}))
    with pytest.raises(RunError, match="damaged"):
        TextClassifier.load(folder)


def test_clone_and_parameters(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "classes_")
    assert copy.set_params(cell="lstm").cell == "lstm"
    assert is_classifier(copy)
    assert copy.__sklearn_tags__().input_tags.string


def test_same_seed_same_probabilities(fitted):
    again = clone(fitted).fit(TEXTS, WORDS)
    assert np.array_equal(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS))


@pytest.mark.slow
def test_pipeline_and_grid_search():
    lower = FunctionTransformer(lambda texts: [text.replace("film", "movie") for text in texts])
    pipeline = Pipeline([("words", lower), ("classifier", TextClassifier(**SMALL))])
    search = GridSearchCV(pipeline, {"classifier__cell": ["rnn", "gru"], "classifier__seed": np.array([1])}, cv=2)
    search.fit(TEXTS, WORDS)
    assert search.best_score_ > 0.9
    assert search.predict(["a good movie"]).tolist() == ["glad"]


@pytest.mark.slow
def test_cross_validation_in_processes():
    scores = [cross_val_score(TextClassifier(**SMALL), TEXTS, WORDS, cv=2, n_jobs=jobs) for jobs in (1, 2)]
    assert np.array_equal(*scores)


def test_validation_data_and_events():
    seen = []
    classifier = TextClassifier(**SMALL)
    classifier.fit(TEXTS, WORDS, validation_data=(["good one", "bad one"], ["glad", "sad"]), on_event=seen.append)
    assert sum(isinstance(event, EpochDone) for event in seen) == 8
    with pytest.raises(DataError, match="'happy' is not among"):
        classifier.fit(TEXTS, WORDS, validation_data=(["good one"], ["happy"]))


def test_not_fitted(tmp_path):
    for ask in (lambda c: c.predict(["x"]), lambda c: c.save(tmp_path / "model")):
        with pytest.raises(NotFittedError):
            ask(TextClassifier())


@pytest.mark.parametrize(
    ("texts", "labels", "words"),
    [
        ("one string", ["a"], "one text"),
        (["a", "b"], ["x"], "do not fit"),
        ([], [], "do not fit"),
        (["a", "b"], ["x", "x"], "all 2 labels"),
        (["a", "b", "c"], ["x", "x", "y"], "'y' has 1 text"),
        (["a", " "], ["x", "y"], "is empty"),
        (["a", None], ["x", "y"], "text 1 is missing"),
        ([["a"], ["b"]], ["x", "y"], "not a string"),
        (np.array([["a"], ["b"]]), ["x", "y"], r"texts are a table.*got: shape \(2, 1\); fix: give one.*texts\[:, 0\]"),
        (pd.DataFrame({"mail": ["a", "b"]}), ["x", "y"], r"texts are a table.*give one column: frame\['mail'\]"),
        (["a", "b", "c", "d"], ["x", np.nan, "x", np.nan], "labels have missing values; got: 2, at place 1, 3"),
        ((text for text in ("a", "b", "c")), ["x", "x", "y"], "'y' has 1 text"),
        (["a", "b"], [["x"], ["y"]], "the label 'x' has 1 text"),
        (["a", "b"], [1.0, np.nan], "missing"),
        (["a", "b"], np.array(["x", 1], dtype=object), "several types"),
    ],
)
def test_bad_input(texts, labels, words):
    with pytest.raises(DataError, match=words):
        TextClassifier(**SMALL).fit(texts, labels)


def test_options_are_checked_in_fit():
    with pytest.raises(OptionError, match="gur"):
        TextClassifier("gur").fit(TEXTS, WORDS)
    with pytest.raises(OptionError, match="hidden_size"):
        TextClassifier(hidden_size=-1).fit(TEXTS, WORDS)


def test_every_setting_of_the_specs_is_an_argument_and_survives_saving(tmp_path) -> None:
    from gatewise.training.assembly import setting_fields

    names = TextClassifier().get_params()
    assert set(setting_fields("classification", "model")) | set(setting_fields("classification", "training")) <= set(
        names
    )
    unusual = {**SMALL, "optimizer": "sgd", "warm_up": 0.1, "weight_decay": 0.01, "word_dropout": 0.3, "epochs": 1}
    fitted = TextClassifier("rnn", **unusual).fit(TEXTS, WORDS)
    assert TextClassifier.load(fitted.save(tmp_path / "run")).get_params() == fitted.get_params()
    assert "word_dropout: Probability of zeroing a whole word" in (TextClassifier.__doc__ or "")
    with pytest.raises(OptionError, match="did you mean 'hidden_size'"):
        TextClassifier(hiden_size=3)
