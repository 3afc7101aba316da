"""Labels as files write them: lists in one cell, signs for a missing label, names that differ by case alone."""

from __future__ import annotations

import csv
import json

import pytest

from gatewise.data.label_names import label_name, label_notes, list_of_labels
from gatewise.errors import DataError
from gatewise.kinds.classification.loading import load_text


def write(path, labels):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((f"text number {number} of {number * 7} words", label) for number, label in enumerate(labels))
    return path


def test_lists_in_a_table_are_sets_of_labels(tmp_path):
    written = [("['art', 'money']", '["money"]', "[]")[number % 3] for number in range(30)]
    data = load_text(write(tmp_path / "a.csv", written), separator=",")
    assert data.label_names == ("art", "money")
    assert any("1.00 a text, 10 texts without any" in note for note in data.notes)
    data = load_text(write(tmp_path / "b.csv", written), separator="|")
    assert data.label_names == ("art", "money")


def test_lists_in_a_table_are_no_classes(tmp_path):
    written = [("['a', 'b']", "['b']")[number % 2] for number in range(30)]
    with pytest.raises(DataError, match=r"a\.csv are lists.*\['a', 'b'\].*--separator '\|'"):
        load_text(write(tmp_path / "a.csv", written))
    names = [("[game]", "[work]")[number % 2] for number in range(30)]
    assert load_text(write(tmp_path / "b.csv", names)).label_names == ("[game]", "[work]")


def test_a_label_that_holds_the_separator_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"text": f"text {n}", "label": [("a|b", "c")[n % 2]]} for n in range(30)]))
    with pytest.raises(DataError, match=r"the label 'a\|b' holds the separator"):
        load_text(path, separator="|")
    assert load_text(path, separator=";").label_names == ("a|b", "c")


def test_what_may_be_no_class_is_noted(tmp_path):
    labels = [("good", "bad", "Good", "NaN")[number % 4] for number in range(40)]
    notes = load_text(write(tmp_path / "a.csv", labels)).notes
    assert any(note.startswith("10 labels are 'NaN'") for note in notes)
    assert any(note.startswith("the labels 'good' (10 texts) and 'Good' (10 texts) differ by case") for note in notes)
    notes = load_text(write(tmp_path / "b.csv", [("1", "2", "1.0")[number % 3] for number in range(40)])).notes
    assert any("'1' (14 texts) and '1.0' (13 texts) are the same number" in note for note in notes)
    assert not label_notes(["1", "2", "10", "true", "false", "C", "C++", "-1"])


def test_what_is_a_list():
    assert list_of_labels("['a']") == ["a"] and list_of_labels('["x, y", "z"]') == ["x, y", "z"]
    assert list_of_labels("[a]") is None and list_of_labels("['a', ['b']]") is None and list_of_labels("['a'") is None
    assert label_name("['a', 'b']", "line 2") == "['a', 'b']"


def test_labels_that_only_look_alike_are_noted(tmp_path):
    labels = [("Entt\u00e4uscht", "Entta\u0308uscht", "gut", "gut\u200b")[number % 4] for number in range(40)]
    notes = load_text(write(tmp_path / "a.csv", labels)).notes
    assert any(r"'Enttäuscht' (10 texts) and 'Entta\u0308uscht' (10 texts) differ" in note for note in notes)
    assert any(r"'gut' (10 texts) and 'gut\u200b' (10 texts) differ" in note for note in notes)


def test_labels_of_several_a_text_are_looked_at_too(tmp_path):
    labels = [("art;Money", "money;art", "money")[number % 3] for number in range(60)]
    notes = load_text(write(tmp_path / "a.csv", labels), separator=";").notes
    assert any("'Money' (20 texts) and 'money' (40 texts) differ by case" in note for note in notes)


def test_lists_of_one_label_each_are_classes(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [{"id": n, "text": f"text {n}", "label": [("a", "c")[n % 2]]} for n in range(30)]
    path.write_text("\n".join(map(json.dumps, lines)))
    assert load_text(path).label_names == ("a", "c")
    path.write_text("\n".join(map(json.dumps, [*lines, {"id": 30, "text": "text", "label": ["a", "c"]}])))
    with pytest.raises(DataError, match=r"line 31: the label is not a class.*\['a', 'c'\].*--separator"):
        load_text(path)
