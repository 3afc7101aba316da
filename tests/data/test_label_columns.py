"""Labels in columns of 0 and 1, and columns without a name that count the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewise.data.tables import read_table
from gatewise.errors import DataError
from gatewise.kinds.classification.loading import load_text

HEAD = "id,comment_text,toxic,insult,threat"


def _comments(folder: Path, head: str = HEAD, count: int = 60) -> Path:
    rows = []
    for number in range(count):
        marks = (int(number % 2 == 0), int(number % 3 == 0), int(number % 5 == 0))
        words = " ".join(name for name, mark in zip(("garbage", "fool", "beware"), marks, strict=True) if mark)
        rows.append(f"{number:05x}z,comment number {number} says {words},{','.join(map(str, marks))}")
    path = folder / "comments.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_a_table_with_columns_of_marks_has_several_labels_a_text(tmp_path: Path) -> None:
    dataset = load_text(_comments(tmp_path))
    assert dataset.multi_label
    assert dataset.label_names == ("insult", "threat", "toxic")
    assert dataset.columns == ("comment_text", "toxic,insult,threat")
    parts = (dataset.train, dataset.validation, dataset.test)
    found = {
        text: {name for name, mark in zip(dataset.label_names, row, strict=True) if mark}
        for part in parts
        for text, row in zip(part.texts, part.labels.tolist(), strict=True)
    }
    assert found["comment number 0 says garbage fool beware"] == {"toxic", "insult", "threat"}
    assert found["comment number 3 says fool"] == {"insult"}
    assert found["comment number 7 says "] == set()
    assert any("mark a label each" in note for note in dataset.notes)


def test_columns_that_are_named_are_read_and_no_others(tmp_path: Path) -> None:
    dataset = load_text(_comments(tmp_path), text="comment_text", label="toxic, threat")
    assert dataset.multi_label
    assert dataset.label_names == ("threat", "toxic")


def test_one_column_that_is_named_stays_one_label(tmp_path: Path) -> None:
    dataset = load_text(_comments(tmp_path), text="comment_text", label="toxic")
    assert not dataset.multi_label
    assert dataset.label_names == ("0", "1")


def test_columns_of_which_each_text_marks_one_are_classes(tmp_path: Path) -> None:
    rows = [
        f"film {n} was {word},{int(word == 'good')},{int(word == 'bad')}" for n in range(20) for word in ("good", "bad")
    ]
    path = tmp_path / "films.csv"
    path.write_text("text,good,bad\n" + "\n".join(rows) + "\n")
    dataset = load_text(path)
    assert not dataset.multi_label
    assert dataset.label_names == ("bad", "good")
    place = dataset.label_names.index("good")
    assert all(("good" in text) == (label == place) for text, label in zip(*dataset.train[:2], strict=True))


def test_a_table_with_a_column_of_labels_is_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text(
        "text,label,seen,liked\n" + "".join(f"film {n},{'ab'[n % 2]},{n % 2},{n // 2 % 2}\n" for n in range(8))
    )
    assert set(read_table(path).labels) == {"a", "b"}


def test_marks_of_comments_that_repeat_in_other_columns_are_not_guessed(tmp_path: Path) -> None:
    """Whether a buyer is verified is no label: a column that repeats (the country) says that more is told of a text."""
    path = tmp_path / "reviews.csv"
    rows = [f"a long enough review number {n},{n % 2},{n // 2 % 2},{'DE' if n % 3 else 'FR'}" for n in range(30)]
    path.write_text("text,verified,anonymous,country\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="--label A,B"):
        read_table(path)


@pytest.mark.parametrize(
    ("value", "label", "match"),
    [
        ("2", None, "'toxic' does not say"),
        ("", None, "'toxic' does not say"),
        ("1", "toxic,insullt", "did you mean 'insult'"),
    ],
)
def test_what_is_no_mark_or_no_column_is_named(tmp_path: Path, value: str, label: str | None, match: str) -> None:
    path = _comments(tmp_path)
    path.write_text(path.read_text() + f"zz,a last comment of five words,{value},0,0\n")
    with pytest.raises(DataError, match=match):
        read_table(path, "comment_text", label or "toxic,insult,threat")


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_nameless_column_that_counts_the_rows_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "survey.csv"
    path.write_text(f"{name},answer,score\n" + "".join(f"{n},answer number {n},{n % 3}\n" for n in range(12)))
    table = read_table(path)
    assert table.texts[1] == "answer number 1"
    assert table.labels[:4] == ["0", "1", "2", "0"]


def test_a_first_line_with_a_sentence_is_said_to_be_no_line_of_names(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("".join(f"the parcel number {n} came on a monday,ref-{n}\n" for n in range(12)))
    with pytest.raises(DataError, match="seems to have no line with the names of its columns"):
        read_table(path)
