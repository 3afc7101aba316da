"""Choosing and comparing by another figure, against scikit-learn; calibration."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.comparison.plan.command import compare_command
from gatewise.comparison.plan.plan import make_plan
from gatewise.comparison.run.run import run_plan
from gatewise.data.records import Split, TextDataset
from gatewise.errors import OptionError
from gatewise.kinds.classification.calibration import (
    Bin,
    brier_score,
    calibration_error,
    calibration_sentence,
    reliability,
)
from gatewise.kinds.classification.label_figures import multi_label_metrics
from gatewise.kinds.classification.measures import contributions_of, measure_of, memberships, trivial_answer
from gatewise.reports.page import render_page
from gatewise.statistics import estimate_figure
from gatewise.training.assembly import make_spec


def drawn(classes, count, seed):
    generator = np.random.default_rng(seed)
    chances = np.round(generator.dirichlet(np.ones(classes), size=count), 2)  # ties among them
    labels = generator.integers(0, classes, size=count)
    labels[:classes] = np.arange(classes)
    return chances, labels


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(8, 60), st.integers(0, 1000))
def test_figures_are_those_of_scikit_learn(classes, count, seed):
    from sklearn import metrics

    chances, labels = drawn(classes, count, seed)
    chances = (chances + 1e-3) / (chances + 1e-3).sum(axis=1, keepdims=True)
    given_scores = chances[:, 1] if classes == 2 else chances
    predicted = chances.argmax(axis=1)
    wanted = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "macro-f1": metrics.f1_score(labels, predicted, labels=range(classes), average="macro", zero_division=0),
        "auroc": metrics.roc_auc_score(labels, given_scores, multi_class="ovr", average="macro"),
        "log-loss": metrics.log_loss(labels, chances, labels=range(classes)),
    }
    for name, value in wanted.items():
        measure = measure_of(name, classes)
        table = contributions_of(measure, chances, labels)
        assert measure.of(table) == pytest.approx(value), name
        assert table.shape == ((count,) if measure.numbers == 1 else (count, measure.numbers))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(6, 40), st.integers(0, 1000))
def test_figures_of_label_sets_are_those_of_scikit_learn(labels, count, seed):
    from sklearn import metrics

    generator = np.random.default_rng(seed)
    chances = np.clip(generator.random((count, labels)), 0.01, 0.99)
    truth = (generator.random((count, labels)) < 0.4).astype(int)
    truth[0], truth[1] = 0, 1
    answers = (chances >= 0.5).astype(int)
    found = multi_label_metrics(chances, truth, [f"l{n}" for n in range(labels)])
    as_sets = (truth[:, 0], answers[:, 0]) if labels == 1 else (truth, answers)
    assert found.exact_match == pytest.approx(metrics.accuracy_score(*as_sets))
    flat = truth.reshape(-1), answers.reshape(-1)
    assert found.micro_f1 == pytest.approx(metrics.f1_score(*flat, zero_division=0))
    assert found.precision == pytest.approx(metrics.precision_score(*flat, zero_division=0))
    assert found.recall == pytest.approx(metrics.recall_score(*flat, zero_division=0))
    columns = [metrics.f1_score(truth[:, n], answers[:, n], zero_division=0) for n in range(labels)]
    assert found.macro_f1 == pytest.approx(np.mean(columns))
    areas = [metrics.roc_auc_score(truth[:, n], chances[:, n]) for n in range(labels)]
    assert found.auroc == pytest.approx(np.mean(areas))
    assert found.loss == pytest.approx(metrics.log_loss(flat[0], chances.reshape(-1), labels=[0, 1]))
    assert found.brier_score == pytest.approx(metrics.brier_score_loss(flat[0], chances.reshape(-1)))


def test_the_variance_of_auroc_is_that_of_delong():
    """DeLong's variance from the two sides' placements, computed pair by pair."""
    generator = np.random.default_rng(4)
    truth = np.arange(300) % 4 == 0
    scores = 0.5 * generator.normal(size=300) + 0.4 * truth
    chances = np.stack([1 - scores, scores], axis=1)
    inside, outside = scores[truth], scores[~truth]
    ordered = (inside[:, None] > outside).astype(float)
    variance = ordered.mean(axis=1).var(ddof=1) / len(inside) + ordered.mean(axis=0).var(ddof=1) / len(outside)
    measure = measure_of("auroc", 2)
    table = contributions_of(measure, chances, truth.astype(int))
    lines = table @ measure.gradient(table.mean(axis=0))
    assert lines.var(ddof=1) / 300 == pytest.approx(variance, rel=0.02)
    interval = estimate_figure(table, measure, np.random.default_rng(0)).interval
    assert interval.estimate == pytest.approx(ordered.mean())
    assert interval.half_width == pytest.approx(1.96 * variance**0.5, rel=0.1)


def test_perfect_figures_have_an_interval():
    labels = np.array([0] * 95 + [1] * 5)
    for name, least in (("auroc", 0.6), ("macro-f1", 0.6)):
        measure = measure_of(name, 2)
        interval = estimate_figure(
            contributions_of(measure, memberships(labels, 2), labels), measure, np.random.default_rng(0)
        ).interval
        assert interval.estimate == interval.high == 1.0
        assert least < interval.low < 0.95, name


def rare():
    part = Split(tuple(f"text {n}" for n in range(40)), np.array([0] * 38 + [1] * 2))
    return TextDataset("rare", "here", "-", ("usual", "rare"), part, part, part, "0")


@pytest.mark.parametrize(
    ("metric", "words", "value"),
    [
        ("accuracy", "always predicting 'usual'", 0.95),
        ("macro-f1", "always predicting 'usual'", 38 / 39 / 1),
        ("auroc", "giving all texts the same score", 0.5),
        ("log-loss", "always predicting the classes' shares", -(0.95 * np.log(0.95) + 0.05 * np.log(0.05))),
    ],
)
def test_trivial_answers(metric, words, value):
    found = trivial_answer(measure_of(metric, 2), rare())
    assert found is not None and found[0] == words
    assert found[1] == pytest.approx(value / 2 if metric == "macro-f1" else value)


def test_trivial_answers_of_label_sets():
    table = np.array([[1, 0], [1, 0], [0, 1], [0, 0], [0, 0], [0, 0]])
    part = Split(tuple("abcdef"), table)
    dataset = replace(rare(), train=part, test=part)
    assert trivial_answer(measure_of(None, 2, multi_label=True), dataset) == ("always predicting 'usual'", 4 / 9)
    assert trivial_answer(measure_of("exact-match", 2, multi_label=True), dataset) == (
        "always predicting no label",
        0.5,
    )
    both = Split(tuple("abcdef"), np.array([[1, 1], [1, 1], [1, 1], [1, 0], [1, 0], [0, 0]]))
    dataset = replace(dataset, train=both, test=both)
    assert trivial_answer(measure_of("exact-match", 2, multi_label=True), dataset) == (
        "always predicting 'usual' and 'rare'",
        0.5,
    )


def test_a_metric_of_the_other_kind_of_labels_is_refused():
    with pytest.raises(OptionError, match="for texts with several labels"):
        make_spec("classification", "a.csv", {"metric": "micro-f1"})
    with pytest.raises(OptionError, match="for texts with one label"):
        make_spec("classification", "a.csv", {"metric": "accuracy", "separator": "|"})
    with pytest.raises(OptionError, match="macro-f1"):
        make_spec("classification", "a.csv", {"metric": "macro_f1"})


def test_calibration_by_hand():
    bins = reliability([0.6] * 30 + [0.9] * 30, [1, 0, 0] * 10 + [1] * 27 + [0] * 3)
    assert [(each.count, round(each.right, 3)) for each in bins] == [(20, 0.35), (20, 0.65), (20, 0.85)]
    assert calibration_error([Bin(0.6, 1 / 3, 30), Bin(0.9, 0.9, 30)]) == pytest.approx(0.4 / 3)
    assert len(reliability(np.linspace(0, 1, 1000), np.ones(1000))) == 10
    assert reliability([0.7], [1]) == [Bin(0.7, 1.0, 1)]
    assert brier_score([[0.5, 0.3, 0.2]], [[1, 0, 0]]) == pytest.approx(0.25 + 0.09 + 0.04)


@pytest.mark.parametrize(
    ("right", "judged"), [(0.9, "about as sure as it is right"), (0.7, "too sure"), (0.99, "not sure enough")]
)
def test_calibration_in_words(right, judged):
    assert f": {judged}" in calibration_sentence([Bin(0.9, right, 400)], what="GRU")


def test_few_answers_tell_no_calibration_and_all_right_is_no_certainty():
    assert "8 answers are too few to judge that by" in calibration_sentence([Bin(0.6, 1.0, 8)])
    assert "about as sure as it is right" in calibration_sentence([Bin(0.97, 1.0, 50)])  # 93 to 100 % by Wilson
    assert "too few to judge that by" in calibration_sentence([Bin(0.1, 0.0, 25), Bin(0.8, 1.0, 5)], of="labels")


def test_a_metric_goes_to_the_data_and_back_into_the_command(tmp_path):
    plan = make_plan("reviews.csv", cells=["gru"], task="classification", metric="macro-f1")
    assert plan.settings["metric"] == "macro-f1" and plan.search is None
    assert "--metric macro-f1" in compare_command(plan, tmp_path)
    searched = make_plan("imdb", cells=["gru"], grid={"dropout": [0.0, 0.5]}, metric="auroc")
    assert searched.settings["metric"] == "auroc" and searched.search.metric is None
    by_loss = make_plan("imdb", cells=["gru"], grid={"dropout": [0.0, 0.5]}, metric="loss")
    assert "metric" not in by_loss.settings and by_loss.search.metric == "loss"


def test_the_metric_chooses_the_epoch_and_is_compared(tmp_path):
    generator = np.random.default_rng(0)
    lines = ["text,label"]
    for number in range(160):
        bad = number % 8 == 0
        word = generator.choice(["poor", "dull"] if bad or generator.random() < 0.2 else ["fine", "good"])
        lines.append(f"a {word} film {number},{'bad' if bad else 'usual'}")
    (tmp_path / "rare.csv").write_text("\n".join(lines) + "\n")
    small = {"hidden_size": 4, "embedding_size": 4, "epochs": 4, "patience": 4, "batch_size": 16, "threads": 1}
    plan = make_plan(str(tmp_path / "rare.csv"), cells=["rnn"], metric="auroc", learning_rate=0.02, **small)
    record = run_plan(plan, tmp_path / "out", cost=False).record
    assert record.metric.name == "auroc" and not record.metric.percent
    assert record.margin == 0.005
    assert record.data.details["trivial"] == {"words": "giving all texts the same score", "value": 0.5}
    for model in record.models:
        assert model.figure.estimate == pytest.approx(model.figures["auroc"])
    cell = next(model for model in record.models if not model.is_baseline)
    ranks = [(epoch.validation["auroc"], -epoch.validation["loss"]) for epoch in cell.runs[0].epochs]
    assert cell.runs[0].best_epoch == 1 + ranks.index(max(ranks))
    page = render_page(record)
    assert "est AUROC" in page
    assert "Giving all texts the same score reaches 0.5" in page and "How far confidence can be trusted" in page


def test_the_trivial_answer_of_label_sets_is_the_best_that_needs_no_text():
    """Thresholds of a model that knows nothing may end in any labels for all texts: none beats the trivial one."""
    draw = np.random.default_rng(3)
    table = (draw.random((400, 5)) < [0.5, 0.45, 0.4, 0.1, 0.02]).astype(np.int64)
    part = Split(tuple(f"text {n}" for n in range(400)), table)
    dataset = replace(rare(), label_names=tuple("abcde"), train=part, test=part)
    for metric, words in ((None, "'a', 'b' and 'c'"), ("macro-f1", "all labels")):
        measure = measure_of(metric, 5, multi_label=True)
        found = trivial_answer(measure, dataset)
        assert found is not None and found[0] == f"always predicting {words}"
        for labels in itertools.product([0.0, 1.0], repeat=5):
            chances = np.tile(labels, (400, 1))
            assert measure.of(contributions_of(measure, chances, table)) <= found[1] + 1e-12
