"""The temperature of scores: fitted on the validation part, kept in the run, used by everything that answers."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from gatewise.cli.app import app
from gatewise.errors import OptionError, RunError
from gatewise.export.runs import export_run
from gatewise.kinds.classification import DataSpec, ModelSpec
from gatewise.kinds.classification.loading import load_text
from gatewise.kinds.classification.temperature import CALIBRATION_FILE, fit_temperature, log_loss_at, read_temperature
from gatewise.training import RunSpec, TrainingSpec, load_run, train_run


def made_up(texts, factor, seed=0, classes=3):
    """Scores whose own probabilities hold, and labels drawn from these; then the scores times a factor."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(texts, classes)) * 1.5
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = np.array([draw.choice(classes, p=row) for row in chances])
    return factor * scores, labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 4.0])
def test_it_finds_by_how_much_the_scores_are_too_large_or_too_small(factor):
    assert fit_temperature(*made_up(5_000, factor)) == pytest.approx(factor, rel=0.06)


def test_it_lowers_the_loss_of_other_texts_that_a_network_is_too_sure_of():
    temperature = fit_temperature(*made_up(40, 4.0, seed=1))
    scores, labels = made_up(2_000, 4.0, seed=2)
    assert log_loss_at(temperature, scores, labels) < log_loss_at(1.0, scores, labels) - 0.3


def test_few_texts_do_not_make_a_network_surer_that_is_as_sure_as_it_is_right():
    for seed in range(20):
        scores, labels = made_up(10, 1.0, seed)
        assert fit_temperature(scores, labels) > 0.7
    perfect = np.array([[1.0, 0.0]] * 10)
    assert 0.7 < fit_temperature(perfect, np.zeros(10, dtype=np.int64)) < 1


def test_without_texts_it_is_1():
    assert fit_temperature(np.empty((0, 2)), np.empty(0, dtype=np.int64)) == 1.0


def test_several_labels_have_one_too():
    draw = np.random.default_rng(0)
    scores = draw.normal(size=(3_000, 4)) - 1
    labels = (draw.random(scores.shape) < 1 / (1 + np.exp(-scores))).astype(np.int64)
    assert fit_temperature(3 * scores, labels) == pytest.approx(3, rel=0.06)


def test_factors_of_the_losses_count():
    scores, labels = np.array([[4.0, 0.0]] * 100), np.array([0, 1] * 50)
    even, first = fit_temperature(scores, labels), fit_temperature(scores, labels, np.where(labels == 0, 1.9, 0.1))
    assert even > first


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A table of which a seventh part is labelled at random: a network that learns it by heart is too sure."""
    draw = np.random.default_rng(0)
    words = [f"word{number}" for number in range(60)]
    rows = []
    for number in range(240):
        label = number % 2
        text = " ".join([("good", "bad")[label], *draw.choice(words, 5)])
        rows.append(f"{text},{draw.integers(2) if draw.random() < 0.6 else label}")
    found = tmp_path_factory.mktemp("temperature") / "texts.csv"
    found.write_text("text,label\n" + "\n".join(rows) + "\n")
    return found


def trained(place, name, **model):
    spec = RunSpec(
        data=DataSpec(str(place)),
        model=ModelSpec(cell="rnn", hidden_size=8, embedding_size=8, dropout=0.0, word_dropout=0.0, **model),
        training=TrainingSpec(epochs=25, patience=25, learning_rate=0.02, threads=1),
    )
    return train_run(spec, load_text(place), place.parent / name).folder


@pytest.fixture(scope="module")
def run(place):
    return trained(place, "run")


@pytest.fixture(scope="module")
def plain(place):
    return trained(place, "plain", calibration="none")


def test_a_run_keeps_it_and_answers_by_it(run, plain):
    record = json.loads((run / CALIBRATION_FILE).read_text())
    assert record["temperature"] > 1.2
    assert record["log_loss_after"] < record["log_loss_before"]
    assert not (plain / CALIBRATION_FILE).exists()
    assert (run / "best.safetensors").read_bytes() == (plain / "best.safetensors").read_bytes()
    texts = ["good word1 word7", "bad word2", "word3 word4 word50"]
    calibrated, raw = load_run(run).predict_proba(texts), load_run(plain).predict_proba(texts)
    expected = torch.from_numpy(raw).log().div(record["temperature"]).softmax(dim=1).numpy()
    np.testing.assert_allclose(calibrated, expected, rtol=1e-4)
    assert (calibrated.argmax(axis=1) == raw.argmax(axis=1)).all()


def test_the_test_part_is_measured_with_it(run, plain, place):
    dataset = load_text(place)
    calibrated, raw = load_run(run).test(dataset).metrics, load_run(plain).test(dataset).metrics
    assert calibrated["accuracy"] == raw["accuracy"]
    assert calibrated["loss"] < raw["loss"]


@pytest.mark.slow
def test_an_exported_network_has_the_same_probabilities(run, tmp_path):
    export_run(run, tmp_path / "model.onnx")
    given = ["good word1 word7", "bad word2"]
    answers = CliRunner().invoke(app, ["predict", str(tmp_path / "model.onnx"), *given, "--json"]).stdout.splitlines()
    chances = [list(json.loads(line)["probabilities"].values()) for line in answers]
    np.testing.assert_allclose(chances, load_run(run).predict_proba(given), atol=1e-4)


def test_class_weights_count_as_in_training(place):
    record = json.loads((trained(place, "weighted", class_weight="balanced") / CALIBRATION_FILE).read_text())
    assert record["temperature"] > 1


def test_a_damaged_one_is_refused_with_its_place(run, tmp_path):
    with pytest.raises(RunError, match=r"calibration\.json is damaged.*above 0"):
        read_temperature({"temperature": -1.0}, "calibration.json")
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / CALIBRATION_FILE).write_text('{"temperature": 1.0}')
    with pytest.raises(RunError, match=r"calibration\.json"):
        load_run(damaged)


def test_another_calibration_is_refused():
    with pytest.raises(OptionError, match="temperature, none"):
        ModelSpec(calibration="platt")
