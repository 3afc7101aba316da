"""Thresholds of labels: chosen on the validation part, kept in the run, used by everything that answers."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from typer.testing import CliRunner

from gatewise import TextClassifier
from gatewise.cli.app import app
from gatewise.errors import OptionError, RunError
from gatewise.export.runs import export_run
from gatewise.kinds.classification import DataSpec, ModelSpec
from gatewise.kinds.classification.baselines import TfidfBaseline
from gatewise.kinds.classification.label_figures import multi_label_metrics
from gatewise.kinds.classification.loading import load_text
from gatewise.kinds.classification.thresholds import (
    THRESHOLDS_FILE,
    choose_thresholds,
    cross_fitted_thresholds,
    read_thresholds,
    thresholds_record,
)
from gatewise.training import RunSpec, TrainingSpec, load_run, train_run
from gatewise.training.registry import kind_of
from gatewise.training.streaming import Advance


def made_up(texts=400, seed=0):
    """Well-ranked probabilities of three labels that are far too low for 0.5."""
    draw = np.random.default_rng(seed)
    true = (draw.random((texts, 3)) < [0.4, 0.15, 0.05]).astype(float)
    return 1 / (1 + np.exp(3 - 2.5 * true - draw.normal(size=true.shape))), true


def figure(chances, true, thresholds, name):
    return getattr(multi_label_metrics(chances, true, ["a", "b", "c"], thresholds), name)


@pytest.mark.parametrize("name", ["micro_f1", "macro_f1", "exact_match"])
def test_no_other_thresholds_are_better_where_they_were_chosen(name):
    chances, true = made_up()
    found = choose_thresholds(chances, true, name)
    best = figure(chances, true, found, name)
    assert best > figure(chances, true, 0.5, name) + 0.02
    draw = np.random.default_rng(1)
    for _ in range(60):
        others = np.full(3, draw.random()) if name == "exact_match" else draw.random(3)
        # the grid is fine, but not endless
        assert figure(chances, true, others, name) <= best + 0.01


def test_they_are_better_on_other_texts_too():
    thresholds = choose_thresholds(*made_up(seed=0), "macro_f1")
    chances, true = made_up(seed=1)
    assert figure(chances, true, thresholds, "macro_f1") > figure(chances, true, 0.5, "macro_f1") + 0.1


def test_a_label_of_few_texts_has_the_threshold_of_all_together():
    chances, true = made_up()
    few = true.copy()
    few[np.flatnonzero(few[:, 2])[9:], 2] = 0
    assert few[:, 2].sum() == 9
    found = choose_thresholds(chances, few, "macro_f1")
    grid = np.unique(np.round(1 / (1 + np.exp(-np.linspace(-6, 6, 97))), 4))
    common = [figure(chances, few, value, "macro_f1") for value in grid]
    assert figure(chances, few, found[2], "macro_f1") == pytest.approx(max(common))
    assert choose_thresholds(np.zeros((0, 2)), np.zeros((0, 2)), "micro_f1").tolist() == [0.5, 0.5]


def test_a_text_does_not_see_its_own_labels_where_the_part_is_measured():
    draw = np.random.default_rng(0)
    chances, true = draw.random((60, 8)), (draw.random((60, 8)) < 0.3).astype(float)
    before = cross_fitted_thresholds(chances, true, "macro_f1")
    changed = true.copy()
    changed[0] = 1 - changed[0]
    after = cross_fitted_thresholds(chances, changed, "macro_f1")
    assert (after[0] == before[0]).all() and (after != before).any()


def test_damaged_thresholds_are_refused():
    record = thresholds_record(["a", "b"], np.array([0.25, 0.5]), "micro_f1")
    assert read_thresholds(json.loads(json.dumps(record)), ["b", "a"], "here").tolist() == [0.5, 0.25]
    for broken in ({}, {"thresholds": {"a": 0.5}}, {"thresholds": {"a": 0.5, "b": 0.0}}, {"thresholds": [0.5, 0.5]}):
        with pytest.raises(RunError, match="here is damaged"):
            read_thresholds(broken, ["a", "b"], "here")


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    """Texts of which one in four has a label that their words make no more than likely, and a network for them."""
    folder = tmp_path_factory.mktemp("rare")
    draw = np.random.default_rng(0)
    with (folder / "a.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(300):
            warm, wet = draw.random(2) < 0.5
            labels = ["mild"] if warm and draw.random() < 0.4 else []
            labels += ["rain"] if wet and draw.random() < 0.35 else []
            writer.writerow([f"{'sun' if warm else 'ice'} {'cloud' if wet else 'sky'} {number}", "|".join(labels)])
    spec = RunSpec(
        data=DataSpec(str(folder / "a.csv"), separator="|"),
        model=ModelSpec(hidden_size=4, embedding_size=4, embeddings="random"),
        training=TrainingSpec(epochs=6, threads=1, batch_size=16, learning_rate=0.02),
    )
    data = load_text(folder / "a.csv", separator="|")
    train_run(spec, data, folder / "run")
    return folder, spec, data


def test_a_run_keeps_them_and_everything_answers_from_them(rare, tmp_path):
    folder, _, data = rare
    model = load_run(folder / "run")
    chances = model.predict_proba(data.test.texts)
    expected = choose_thresholds(model.predict_proba(data.validation.texts), data.validation.labels, "micro_f1")
    assert model.thresholds.tolist() == expected.tolist() and (expected < 0.5).all()
    answers = [[model.label_names[place] for place in np.flatnonzero(row >= expected)] for row in chances]
    assert model.predict(data.test.texts) == answers and sum(map(len, answers)) > 0
    assert (chances < 0.5).all(), "else 0.5 would answer too, and this would show nothing"
    shown = model.test(data)
    assert [list(row) for row in shown.predictions["labels"]] == [
        [model.label_names.index(label) for label in each] for each in answers
    ]
    assert model.evaluate(data.test.texts, data.test.labels).micro_f1 == shown.metrics["micro_f1"] > 0.3
    assert [each["labels"] for each in model.answer(list(data.test.texts))] == answers
    stream = model.streaming()
    state = stream.initial({})
    numbers = model.vocabulary.numbers(data.test.texts[0])
    last = stream.advance([Advance(state, numbers, every=False, settings={})])[0].answers[-1]
    assert last["labels"] == answers[0]
    assert model.reader(data).thresholds.tolist() == expected.tolist()
    result = CliRunner().invoke(app, ["predict", str(folder / "run"), data.test.texts[0], "--json"])
    assert json.loads(result.stdout)["labels"] == answers[0]
    shown = CliRunner().invoke(app, ["evaluate", str(folder / "run"), str(folder / "a.csv")], env={"COLUMNS": "120"})
    assert "threshold" in shown.stdout and f"{100 * expected[0]:.1f} %" in shown.stdout


def test_exported_models_answer_from_them_too(rare, tmp_path):
    folder, _, data = rare
    model = load_run(folder / "run")
    answers = [";".join(found) for found in model.predict(data.test.texts[:20])]
    assert any(answers)
    export_run(folder / "run", tmp_path / "model.onnx")
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(text + "\n" for text in data.test.texts[:20]))
    lines = CliRunner().invoke(app, ["predict", str(tmp_path / "model.onnx"), "--file", str(texts), "--json"]).stdout
    assert [";".join(json.loads(line)["labels"]) for line in lines.splitlines()] == answers


def test_a_run_without_them_answers_from_one_half(rare, tmp_path):
    folder, _, data = rare
    old = shutil.copytree(folder / "run", tmp_path / "old")
    (old / THRESHOLDS_FILE).unlink()
    record = json.loads((old / "result.json").read_text())
    assert THRESHOLDS_FILE in record["checksums"], "they are protected like the weights"
    del record["checksums"][THRESHOLDS_FILE]
    (old / "result.json").write_text(json.dumps(record))
    model = load_run(old)
    assert model.thresholds.tolist() == [0.5, 0.5] and model.predict(data.test.texts) == [[]] * len(data.test.texts)
    assert data.chosen_thresholds, "what data of today say, also for a run that has none"
    for part in ("validation", "test"):
        shown = model.test(data, part)
        assert all(len(row) == 0 for row in shown.predictions["labels"]), "each part is measured as predict answers"
        assert {label["threshold"] for label in shown.metrics["per_label"].values()} == {0.5}


def test_one_half_can_be_kept_and_goes_with_label_sets_alone(rare, tmp_path):
    _, spec, _ = rare
    kept = replace(spec, data=replace(spec.data, thresholds="0.5"))
    data = kind_of("classification").load(kept.data)
    train_run(kept, data, tmp_path / "run")
    assert not (tmp_path / "run" / THRESHOLDS_FILE).exists()
    assert load_run(tmp_path / "run").thresholds.tolist() == [0.5, 0.5]
    assert DataSpec("a.csv", separator="|", thresholds=0.5) == DataSpec("a.csv", separator="|", thresholds="0.5")
    with pytest.raises(OptionError, match=r"thresholds cannot be 0\.7; expected: validation, 0\.5"):
        DataSpec("a.csv", separator="|", thresholds=0.7)
    with pytest.raises(OptionError, match="thresholds are for texts with several labels"):
        RunSpec(data=DataSpec("a.csv", thresholds="0.5"), model=ModelSpec(), training=TrainingSpec())


def test_the_baseline_is_treated_alike(rare):
    _, _, data = rare
    baseline = TfidfBaseline()
    baseline.fit(data)
    held = baseline._model.predict_proba(list(data.validation.texts))
    chances = baseline._model.predict_proba(list(data.test.texts))
    chosen = choose_thresholds(held, data.validation.labels, "micro_f1")
    assert (chosen < 0.5).any()
    expected = multi_label_metrics(chances, data.test.labels, data.label_names, chosen)
    assert baseline.test(data).metrics["per_label"] == expected.to_dict()["per_label"]
    crossed = cross_fitted_thresholds(held, data.validation.labels, "micro_f1")
    expected = multi_label_metrics(held, data.validation.labels, data.label_names, crossed)
    assert baseline.test(data, "validation").metrics["micro_f1"] == expected.micro_f1
    even = TfidfBaseline()
    even.fit(replace(data, chosen_thresholds=False))
    assert even.test(data).metrics["per_label"]["mild"]["threshold"] == 0.5


def test_the_estimator_keeps_them(tmp_path, rare):
    _, _, data = rare
    labels = [[data.label_names[place] for place in np.flatnonzero(row)] for row in data.train.labels]
    model = TextClassifier(hidden_size=4, embedding_size=4, embeddings="random", epochs=4, batch_size=16, threads=1)
    model.set_params(learning_rate=0.02).fit(data.train.texts, labels)
    answers = model.predict(data.test.texts)
    half = clone(model).set_params(thresholds=0.5, epochs=1).fit(data.train.texts, labels)
    assert half.get_params()["thresholds"] == 0.5 and half._trained.thresholds.tolist() == [0.5, 0.5]
    assert any(answers) and TextClassifier.load(model.save(tmp_path / "run")).predict(data.test.texts) == answers
