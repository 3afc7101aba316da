"""Texts with several labels: reading, splitting, training, answering."""

from __future__ import annotations

import csv
import json
import random
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gatewise import TextClassifier
from gatewise.cli.app import app
from gatewise.data.records import Split
from gatewise.errors import DataError
from gatewise.kinds.classification.label_advice import advising
from gatewise.kinds.classification.label_sets import label_table, looks_multi_label, parse_labels, split_sets
from gatewise.kinds.classification.loading import load_text
from gatewise.kinds.classification.tfidf import TfidfLogisticRegression
from gatewise.kinds.classification.weighting import positive_weights
from gatewise.reports import read_comparison
from gatewise.reports.page import render_page

WORDS = {"sport": ("match", "goal"), "money": ("bank", "share"), "art": ("stage", "song")}
SMALL = ["--hidden", "8", "--embedding-size", "8", "--epochs", "12", "--batch-size", "8", "--lr", "0.03", "--patience"]
SMALL += ["12", "--threads", "1"]


def texts_with_labels(count=90, seed=0):
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        labels = [label for label in WORDS if chance.random() < 0.4]
        words = [chance.choice(WORDS[label]) for label in labels]
        rows.append((f"the {' and '.join(words) or 'rain'} number {number}", labels))
    return rows


def write(path: Path, rows, sign="|") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((text, sign.join(labels)) for text, labels in rows)
    return path


def test_label_sets_are_read(tmp_path):
    data = load_text(write(tmp_path / "a.csv", texts_with_labels()), separator="|")
    assert data.multi_label and data.label_names == ("art", "money", "sport")
    assert data.train.labels.shape == (len(data.train.texts), 3)
    written = dict(texts_with_labels())
    for part in (data.train, data.validation, data.test):
        for text, row in zip(part.texts, part.labels, strict=True):
            assert sorted(written[text]) == [data.label_names[place] for place in np.flatnonzero(row)]
        assert (part.labels.sum(axis=0) > 0).all()
    assert not set(data.train.texts) & set(data.test.texts)
    assert sum(data.sizes.values()) == 90


def test_json_lists_and_a_test_file(tmp_path):
    rows = texts_with_labels()
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": labels}) + "\n" for text, labels in rows))
    test = write(tmp_path / "b.csv", rows[:10], "|")
    data = load_text(path, separator="|", test=test)
    assert data.sizes["test"] == 10 and not set(data.train.texts) & set(data.test.texts)
    write(tmp_path / "b.csv", [("x y", ["sprot"])])
    with pytest.raises(DataError, match=r"b.csv, line 2: the label 'sprot'.*did you mean 'sport'"):
        load_text(path, separator="|", test=test)


def test_one_label_per_text_that_looks_like_several_is_said(tmp_path):
    rows = [(f"{text} {number}", labels or ["none"]) for number in range(4) for text, labels in texts_with_labels(40)]
    assert any("add --separator '|'" in note for note in load_text(write(tmp_path / "a.csv", rows)).notes)
    with pytest.raises(DataError, match=r"--separator '\|'"):
        load_text(write(tmp_path / "b.csv", [*rows, ("once only", ["art", "none"])]))
    assert looks_multi_label(["good", "bad, really", "bad, really", "good"]) is None
    assert looks_multi_label(["C++", "C", "C++"]) is None


def test_rare_labels_reach_every_part_or_are_refused():
    labels = label_table([("often",)] * 50 + [("often", "rare")] * 3, ["often", "rare"])
    whole = Split(tuple(f"text {n}" for n in range(53)), labels)
    parts = split_sets(whole, ["often", "rare"], "a.csv", with_test=True)
    assert [int(part.labels[:, 1].sum()) for part in parts] == [1, 1, 1]
    with pytest.raises(DataError, match="the label 'rare' has 2 texts"):
        split_sets(Split(whole.texts[:52], labels[:52]), ["often", "rare"], "a.csv", with_test=True)


def test_balanced_labels():
    table = np.zeros((1000, 2), dtype=np.int64)
    table[:500, 0], table[0, 1] = 1, 1
    assert positive_weights(table, "balanced").tolist() == [1.0, 100.0]
    assert positive_weights(table, "none") is None


def run(*words):
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_compare_predict_and_evaluate(tmp_path):
    """The whole way: both models are above the trivial answer, the report has its parts, answers keep their order."""
    path = write(tmp_path / "a.csv", texts_with_labels(150))
    out = tmp_path / "out"
    run("compare", path, "--separator", "|", "--cells", "gru", "--no-cost", "--out", out, *SMALL)
    record = read_comparison(out)
    assert record.metric.name == "micro_f1" and record.data.details["multi_label"] is True
    for model in record.models:
        assert model.figure.estimate > record.data.details["trivial"]["value"]
        assert {"macro_f1", "exact_match", "expected_calibration_error", "brier_score"} <= set(model.figures)
    page = render_page(record)
    assert "Label by label" in page and "How far confidence can be trusted" in page
    gru = next(model for model in record.models if not model.is_baseline)
    folder = out / gru.runs[0].folder
    answers = tmp_path / "answers.csv"
    run("predict", folder, "--file", path, "--out", answers)
    with answers.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == [text for text, _ in texts_with_labels(150)]
    limits = json.loads((folder / "thresholds.json").read_text())["thresholds"]
    for row in rows:
        chosen = [part for part in row["predicted"].split("|") if part]
        shares = [float(part) for part in row["probabilities"].split("|") if part]
        assert len(chosen) == len(shares)
        assert all(share >= limits[label] - 1e-6 for label, share in zip(chosen, shares, strict=True))
    found = json.loads(run("evaluate", folder, path, "--json"))
    right = np.mean([set(row["predicted"].split("|")) == set(row["label"].split("|")) for row in rows])
    assert found["exact_match"] == pytest.approx(right)
    assert "expected calibration error" in run("evaluate", folder, path)
    other = write(tmp_path / "b.csv", texts_with_labels(150), ";")
    refused = CliRunner().invoke(app, ["evaluate", str(folder), str(other)])
    assert "no label contains '|'" in str(refused.exception) and "is --separator ';' meant?" in str(refused.exception)
    assert json.loads(run("evaluate", folder, other, "--separator", ";", "--json"))["micro_f1"] == found["micro_f1"]
    first = json.loads(run("predict", folder, "the goal", "--json").splitlines()[0])
    assert set(first["probabilities"]) == set(WORDS) and isinstance(first["labels"], list)


def test_the_classifier_takes_lists(tmp_path):
    texts, labels = zip(*texts_with_labels(80), strict=True)
    model = TextClassifier(hidden_size=8, embedding_size=8, epochs=10, patience=10, batch_size=8, learning_rate=0.05)
    model.set_params(metric="macro-f1", threads=1)
    model.fit(texts, labels)
    assert model.predict_proba(texts[:4]).shape == (4, 3)
    assert model.score(texts, labels) > 0.8
    answers = model.predict(texts)
    assert TextClassifier.load(model.save(tmp_path / "run")).predict(texts) == answers
    with pytest.raises(DataError, match="labels of text 1 are not a list"):
        model.fit(list(texts), [["a"], "b", *labels[2:]])


def test_parsing():
    assert parse_labels(" a |b||a", "|") == ("a", "b")


def test_one_label_that_texts_have_or_not(tmp_path):
    """The baseline of a single label: scikit-learn gives its two answers, of which one is the label's."""
    rows = [(text, [label for label in labels if label == "art"]) for text, labels in texts_with_labels()]
    data = load_text(write(tmp_path / "a.csv", rows), separator="|")
    assert data.label_names == ("art",)
    model = TfidfLogisticRegression().fit(data.train.texts, data.train.labels)
    chances = model.predict_proba(data.test.texts)
    assert chances.shape == data.test.labels.shape
    assert ((chances >= 0.5) == data.test.labels).mean() > 0.9


def test_empty_labels_beside_separated_ones_name_the_separator(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"word{n},{('a|b', 'a', '')[n % 3]}\n" for n in range(30)))
    with pytest.raises(DataError, match=r'10 rows with an empty label.*--separator "\|" if a text may have several'):
        load_text(str(tmp_path / "a.csv"))
    (tmp_path / "b.csv").write_text("text,label\n" + "".join(f"word{n},{('b', 'a', '')[n % 3]}\n" for n in range(30)))
    found = load_text(str(tmp_path / "b.csv"))
    assert "10 of 30 rows have no label (lines 4, 7, 10, 13, 16 ...) and are left out" in found.notes
    assert found.label_names == ("a", "b")


def test_groups_and_near_duplicates_of_texts_with_several_labels_stay_in_one_part(tmp_path):

    chance = random.Random(0)
    rows = []
    for number in range(240):
        labels = "|".join(sorted(name for name in ("art", "sport", "war") if chance.random() < 0.4))
        text = " ".join(
            chance.choice(
                ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
            )
            for _ in range(14)
        )
        rows += [f"{text},{labels},author {number // 6}", f"{text.upper()} !,{labels},author {number // 6}"]
    (tmp_path / "a.csv").write_text("\n".join(["text,label,author", *rows]) + "\n")
    near = load_text(tmp_path / "a.csv", separator="|")
    grouped = load_text(tmp_path / "a.csv", separator="|", group="author")
    author_of = {row.split(",")[0]: row.split(",")[2] for row in rows}
    for dataset in (near, grouped):
        parts = [
            {text.rstrip(" !").lower() for text in part.texts}
            for part in (dataset.train, dataset.validation, dataset.test)
        ]
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
        assert dataset.test.labels.shape == (len(dataset.test.texts), 3) and dataset.test.groups is not None
    held = [{author_of[text] for text in part.texts} for part in (grouped.train, grouped.validation, grouped.test)]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])
    assert len(set(grouped.test.groups.tolist())) == len(held[2]) >= 4
    assert len(set(near.test.groups.tolist())) == len(near.test.texts) // 2


def test_another_separator_than_the_given_one_is_named(tmp_path):
    words = r"no label contains ';', but \d+ contains? '\|': is --separator '\|' meant"
    rows = [(text, [" | ".join(labels)]) for text, labels in texts_with_labels(300)]
    notes = load_text(write(tmp_path / "a.csv", rows), separator=";").notes
    assert any(re.match(words, note) for note in notes)
    with pytest.raises(DataError, match=words):
        load_text(write(tmp_path / "b.csv", rows[:6]), separator=";")
    notes = load_text(write(tmp_path / "c.csv", texts_with_labels()), separator="|").notes
    assert not any("is --separator" in note for note in notes)


def test_the_separator_is_blamed_for_errors_of_labels_alone(tmp_path):
    """A missing file, a group or a misspelt label of the test file is no matter of the training file's separator."""
    rows = [(text, ["|".join(labels)]) for text, labels in texts_with_labels(300)]
    path = write(tmp_path / "a.csv", rows)
    with pytest.raises(DataError) as missing:
        load_text(path, separator=";", test=tmp_path / "none.csv")
    assert "none.csv" in missing.value.message and "--separator" not in str(missing.value)
    test = write(tmp_path / "b.csv", [("the rain", ["sprot"])])
    with pytest.raises(DataError) as misspelt:
        load_text(path, separator=";", test=test)
    assert "'sprot'" in misspelt.value.message and "--separator" not in str(misspelt.value)
    test = write(tmp_path / "c.csv", [("the rain", ["sport|art|money|snow"])])
    with pytest.raises(DataError, match=r"is --separator '\|' meant\? Else "):
        load_text(path, separator=";", test=test)
    several = write(
        tmp_path / "d.csv", [(f"text {n}", each) for n, each in enumerate((["a|b"], ["b|a"], ["a"], ["b"]))]
    )
    with pytest.raises(DataError) as grouped:
        load_text(several, group="nothing")
    assert "nothing" in grouped.value.message and "--separator" not in str(grouped.value)


def test_advice_on_the_separator_agrees_in_number_and_has_no_empty_else(tmp_path):
    path = write(tmp_path / "a.csv", [("the rain", ["a|b"]), ("the snow", ["a"])])
    with pytest.raises(DataError, match=r"but 1 contains '\|': is --separator '\|' meant\?") as error:
        load_text(path, separator=";")
    assert "None" not in str(error.value)
    with pytest.raises(DataError) as bare, advising("is it so?"):
        raise DataError("no")
    assert bare.value.fix == "is it so?"
    rows = [(f"the rain number {n} of {n * n}", ["a"] if n else []) for n in range(40)]
    assert (
        "1 label, separated by '|': 0.97 a text, 1 text without any"
        in load_text(write(tmp_path / "b.csv", rows), separator="|").notes
    )


@pytest.mark.slow
def test_columns_of_marks_go_from_training_to_prediction_and_evaluation(tmp_path):
    path = tmp_path / "marked.csv"
    rows = texts_with_labels(150)
    marked = [f"{text},{','.join(str(int(name in labels)) for name in WORDS)}" for text, labels in rows]
    path.write_text(f"comment_text,{','.join(WORDS)}\n" + "\n".join(marked) + "\n")
    run("train", path, *SMALL, "--epochs", "40", "--patience", "40", "--metric", "micro-f1", "--out", tmp_path / "run")
    figures = json.loads(run("evaluate", tmp_path / "run", path, "--json"))
    assert set(figures["per_label"]) == set(WORDS)
    answer = json.loads(run("predict", tmp_path / "run", "the match and goal number 3", "--json"))
    assert max(answer["probabilities"], key=answer["probabilities"].get) == "sport"


@pytest.mark.slow
def test_an_estimator_takes_and_gives_tables_of_zeros_and_ones(tmp_path):
    texts, sets = zip(*texts_with_labels(150), strict=True)
    table = pd.DataFrame({name: [int(name in labels) for labels in sets] for name in WORDS}, index=range(200, 350))
    settings = {"hidden_size": 8, "embedding_size": 8, "epochs": 40, "patience": 40, "batch_size": 8, "threads": 1}
    classifier = TextClassifier(**settings, learning_rate=0.03, thresholds="0.5")
    classifier.fit(pd.Series(texts, index=table.index), table)
    assert classifier.classes_.tolist() == ["sport", "money", "art"]  # the network has them sorted
    found = np.asarray(classifier.predict(texts))
    assert found.shape == table.shape
    assert (found == table.to_numpy()).mean() > 0.9
    assert (found == (classifier.predict_proba(texts) >= 0.5)).all()
    assert classifier.score(texts, table) == pytest.approx((found == table.to_numpy()).all(axis=1).mean())
    classifier.save(tmp_path / "saved")
    again = TextClassifier.load(tmp_path / "saved")
    assert np.array_equal(again.predict(texts), found)
    with pytest.raises(DataError, match="'odd' of the labels marks no text"):
        TextClassifier(**settings).fit(texts, table.assign(odd=0))
    with pytest.raises(DataError, match="other values than 0 and 1"):
        TextClassifier(**settings).fit(texts, table * 2)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_missing_texts_and_labels_are_named(missing):
    with pytest.raises(DataError, match="text 1 is missing"):
        TextClassifier().fit(["a", missing, "b"], ["x", "y", "x"])
    with pytest.raises(DataError, match=r"labels have missing values; got: 1, at place 1"):
        TextClassifier().fit(["a", "c", "b"], np.array(["x", missing, "x"], dtype=object))
