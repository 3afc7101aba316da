"""fastText's lines (``__label__good a fine film``): claimed, read, trained, answered and measured as classification."""

from __future__ import annotations

import csv
import gzip
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from gatewise.cli.app import app
from gatewise.data.labelled_lines import holds_labelled_lines
from gatewise.data.rows import read_rows
from gatewise.kinds.classification.loading import load_text
from gatewise.kinds.classification.unlabelled import read_unlabelled
from gatewise.training.registry import task_of
from small_data import FLAGS, write_reviews


def write_lines(path, several=False, count=60):
    """Every third text of ``several`` has a second label; returns texts and labels too."""
    with write_reviews(path.with_suffix(".table"), count).open(encoding="utf-8", newline="") as file:
        rows = [(row["review"], [row["mood"]]) for row in csv.DictReader(file)]
    if several:
        rows = [(text, [*labels, "a|third"] if place % 3 == 0 else labels) for place, (text, labels) in enumerate(rows)]
    path.write_text("".join(" ".join([*(f"__label__{each}" for each in labels), text, "\n"]) for text, labels in rows))
    return path, rows


def run(*words):
    found = CliRunner().invoke(app, [str(word) for word in words])
    assert found.exit_code == 0, (found.output, found.exception)
    return found.output


def records(*words):
    """The JSON lines of an output, without the notes."""
    return [json.loads(line) for line in run(*words, "--json").splitlines() if line.startswith("{")]


@pytest.mark.parametrize("name", ["train.txt", "train", "train.ft.txt", "moods.csv", "train.train"])
def test_such_a_file_is_for_classification(tmp_path, name):
    path, rows = write_lines(tmp_path / name)
    assert task_of(str(path)) == "classification"
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert task_of(str(packed)) == "classification"
    assert read_rows(packed).values == [[text, labels[0]] for text, labels in rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("novel.txt", "a line about __label__ marks\nmore of the novel\nand more\n"),
        ("labelled.csv", "label,text\n__label__good,a film\n__label__bad,a plot\n"),
        ("nameless.csv", "__label__good,a film\n__label__bad,a plot\n"),
        ("quoting.jsonl", 2 * '{"text": "write __label__good before it", "label": "advice"}\n'),
        ("quoting.csv", "how a __label__x is written\n__label__good a film\n__label__bad a plot\n"),
        ("empty.txt", ""),
    ],
)
def test_other_files_are_read_as_before(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    assert not holds_labelled_lines(path)


def test_labels_anywhere_and_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf__label__a one\r\n\r\ntwo __label__b words\r\n__label__b\t__label__c three\r\n")
    rows = read_rows(path)
    assert rows.values == [["one", "a"], ["two words", "b"], ["three", ["b", "c"]]] and rows.numbers == [1, 3, 4]
    assert "1 of 3 lines have several" in rows.notes[0]


def test_one_label_and_several(tmp_path):
    one = load_text(write_lines(tmp_path / "one.txt")[0])
    assert one.label_names == ("glad", "sad") and not one.multi_label
    assert any("labels begin with __label__" in note for note in one.notes)
    path, rows = write_lines(tmp_path / "several.txt", several=True)
    several = load_text(path)
    assert several.label_names == ("a|third", "glad", "sad") and several.multi_label
    truth = dict(rows)
    for text, labels in zip(several.train.texts, several.train.labels, strict=True):
        assert {several.label_names[place] for place in np.flatnonzero(labels)} == set(truth[text])


def test_a_line_without_a_label_is_named(tmp_path):
    path, _ = write_lines(tmp_path / "one.txt")
    path.write_text(path.read_text() + "a text without one\n")
    assert "1 of 61 rows has no label (line 61) and is left out" in load_text(path).notes


def test_texts_without_labels_lose_their_marks(tmp_path):
    path, rows = write_lines(tmp_path / "more.txt", several=True)
    assert read_unlabelled(path) == [text for text, _ in rows]


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True])
def test_train_predict_and_evaluate(tmp_path, several):
    path, rows = write_lines(tmp_path / "train.txt", several)
    folder, answers = tmp_path / "run", tmp_path / "answers.csv"
    run("train", path, *FLAGS, "--out", folder)
    assert "as fastText has them" in run("predict", folder, "--file", path, "--out", answers)
    with answers.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["text"] for row in found] == [text for text, _ in rows]
    metrics = records("evaluate", folder, path)[0]
    if several:
        assert metrics["per_label"]["a|third"]["true"] == 20
        single = write_lines(tmp_path / "single.txt")[0]
        assert records("evaluate", folder, single)[0]["n"] == 60
    else:
        right = np.mean([row["predicted"] == labels[0] for row, (_, labels) in zip(found, rows, strict=True)])
        assert metrics["accuracy"] == pytest.approx(right)
        both = write_lines(tmp_path / "both.txt", several=True)[0]
        refused = CliRunner().invoke(app, ["evaluate", str(folder), str(both)])
        assert "texts with several labels" in str(refused.exception)


@pytest.mark.slow
def test_a_network_of_a_table_reads_such_lines(tmp_path):
    """The table's columns are called otherwise than those of the lines."""
    table = write_reviews(tmp_path / "reviews.csv", 60)
    run("train", table, "--text", "review", "--label", "mood", *FLAGS, "--out", tmp_path / "run")
    path, rows = write_lines(tmp_path / "lines.txt")
    found = records("predict", tmp_path / "run", "--file", path)
    assert [each["row"]["text"] for each in found] == [text for text, _ in rows]
    assert records("evaluate", tmp_path / "run", path)[0]["n"] == 60
