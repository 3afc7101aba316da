"""Splits: nothing in two parts, the same ones whatever the order, and said what was done."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gatewise.data.splits import content_key, distinct_rows
from gatewise.errors import DataError
from gatewise.kinds.classification.loading import load_text


def lines(count=200):
    return [f"text number {n},{'abc'[n % 3]}" for n in range(count)]


def write(path, rows, header="text,label"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def parts(dataset):
    return dataset.train, dataset.validation, dataset.test


def test_shares_and_stratification(tmp_path):
    dataset = load_text(write(tmp_path / "a.csv", lines(300)))
    assert [len(part.texts) for part in parts(dataset)] == [210, 30, 60]
    for part in parts(dataset):
        assert set(np.bincount(part.labels)) == {len(part.texts) // 3}


def test_order_of_the_file_does_not_matter(tmp_path):
    first = load_text(write(tmp_path / "a.csv", lines()))
    second = load_text(write(tmp_path / "a.csv", lines()[::-1]))
    assert first.fingerprint == second.fingerprint
    assert first.test.texts == second.test.texts


def test_a_new_row_leaves_most_of_the_split_as_it_was(tmp_path):
    before = load_text(write(tmp_path / "a.csv", lines()))
    after = load_text(write(tmp_path / "a.csv", [*lines(), "one more,a"]))
    assert len(set(before.test.texts) & set(after.test.texts)) >= len(before.test.texts) - 1
    assert before.fingerprint != after.fingerprint


def test_changed_label_changes_the_fingerprint(tmp_path):
    before = load_text(write(tmp_path / "a.csv", lines()))
    changed = lines()
    changed[0] = "text number 0,b"
    assert load_text(write(tmp_path / "a.csv", changed)).fingerprint != before.fingerprint


def test_repeated_texts_are_kept_once(tmp_path):
    dataset = load_text(write(tmp_path / "a.csv", [*lines(), *(f"text   number {n},a" for n in range(0, 30, 3))]))
    keys = [content_key(text) for part in parts(dataset) for text in part.texts]
    assert len(keys) == len(set(keys)) == 200
    assert dataset.notes == ("10 repeated texts were dropped",)


def test_disputed_labels_keep_the_majority(tmp_path):
    dataset = load_text(write(tmp_path / "a.csv", [*lines(), "odd one,a", "odd one,b", "odd one,b"]))
    found = [int(part.labels[part.texts.index("odd one")]) for part in parts(dataset) if "odd one" in part.texts]
    assert found == [1]
    assert any("several labels" in note for note in dataset.notes)


def test_texts_of_a_given_test_file_leave_the_training_part(tmp_path):
    path = write(tmp_path / "a.csv", lines())
    test = write(tmp_path / "b.csv", [*lines(7), "only here,c"])
    dataset = load_text(path, test=test)
    assert len(dataset.test.texts) == 8
    assert not {*dataset.train.texts, *dataset.validation.texts} & set(dataset.test.texts)
    assert "7 texts of the test part were removed from the training part" in dataset.notes
    assert "b.csv" in dataset.split_note


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_read_off_the_header(tmp_path, separator):
    rows = [row.replace(",", separator) for row in lines()]
    dataset = load_text(write(tmp_path / "a.csv", rows, header=f"text{separator}label"))
    assert dataset.label_names == ("a", "b", "c")


def test_kinds_of_files_agree(tmp_path):
    rows = [row.split(",") for row in lines()]
    table = load_text(write(tmp_path / "a.csv", lines()))
    tabbed = load_text(write(tmp_path / "a.tsv", ["\t".join(row) for row in rows], header="text\tlabel"))
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": text, "label": label}) for text, label in rows))
    assert table.fingerprint == tabbed.fingerprint == load_text(path).fingerprint


def test_parquet_agrees(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [row.split(",") for row in lines()]
    parquet.write_table(
        pa.table({"label": [row[1] for row in rows], "text": [row[0] for row in rows]}), tmp_path / "a.parquet"
    )
    assert load_text(tmp_path / "a.parquet").fingerprint == load_text(write(tmp_path / "a.csv", lines())).fingerprint


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(["Text,Label", *lines()]).encode())
    assert load_text(path).fingerprint == load_text(write(tmp_path / "b.csv", lines())).fingerprint


def test_numbers_as_labels_are_sorted_as_numbers(tmp_path):
    rows = [f"text {n},{n % 11}" for n in range(110)]
    assert load_text(write(tmp_path / "a.csv", rows)).label_names == tuple(str(n) for n in range(11))


def test_small_test_file_needs_two_of_a_class(tmp_path):
    path = write(tmp_path / "a.csv", ["x,a", "y,a", "z,b"])
    with pytest.raises(DataError, match="at least 2"):
        load_text(path, test=write(tmp_path / "b.csv", ["w,a"]))


def test_limited_training_part_is_nested_and_leaves_the_rest_whole(tmp_path):
    from gatewise.data.splits import limit_training

    rows = [f"{word} {n},{mood}" for n in range(100) for word, mood in (("fine", "glad"), ("poor", "sad"))]
    path = tmp_path / "moods.csv"
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    whole = load_text(path)
    small, smaller = limit_training(whole, 60), limit_training(whole, 20)
    assert set(smaller.train.texts) < set(small.train.texts) < set(whole.train.texts)
    assert np.bincount(small.train.labels).tolist() == [30, 30]
    assert small.test.texts == whole.test.texts and small.validation.texts == whole.validation.texts
    assert len({whole.fingerprint, small.fingerprint, smaller.fingerprint}) == 3


def test_a_text_with_as_many_of_two_labels_is_said_to_keep_the_first():
    texts, labels = ["a", "a", "b", "b", "b"], np.array([1, 0, 0, 1, 1])
    rows, chosen, notes = distinct_rows(texts, labels)
    assert rows == [0, 2] and chosen.tolist() == [1, 1]
    assert notes[1] == (
        "2 texts had several labels and kept the most frequent one, 1 of them the first of equally frequent ones"
    )
