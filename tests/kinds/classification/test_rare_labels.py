"""Labels of few texts: left out where that is asked for, and said; else errors and notes name the option."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from commands import ran, refused
from gatewise import TextClassifier
from gatewise.errors import DataError, OptionError
from gatewise.kinds.classification.loading import load_text
from small_data import FLAGS

RARE = {"odd": 5, "queer": 2, "lone": 1}
SHOWN = "odd (5), queer (2), lone (1)"


def _rows(counts: dict[str, int], start: int = 0) -> list[tuple[str, str]]:
    return [
        (f"a {label} text about number {start + n}", label) for label, count in counts.items() for n in range(count)
    ]


def _write(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


@pytest.fixture
def moods(tmp_path: Path) -> Path:
    """Two frequent moods, and three of few texts; a copy of a text makes it no more frequent."""
    rows = _rows({"glad": 40, "sad": 30, **RARE})
    return _write(tmp_path / "moods.csv", [*rows, *(row for row in rows if row[1] == "queer")])


def test_labels_of_few_texts_are_left_out_and_said(moods: Path) -> None:
    data = load_text(moods, drop_labels_below=6)
    assert data.label_names == ("glad", "sad") and sum(data.sizes.values()) == 70
    assert f"3 labels of fewer than 6 texts are left out, with 10 texts: {SHOWN}" in data.notes
    kept = load_text(moods, drop_labels_below=5)
    assert kept.label_names == ("glad", "odd", "sad")
    assert "2 labels of fewer than 5 texts are left out, with 5 texts: queer (2), lone (1)" in kept.notes
    few = next(note for note in kept.notes if "--drop-labels-below 10" in note)
    assert few == (
        "1 label has fewer than 10 texts, of which one or two are tested (odd: 5): --drop-labels-below 10 leaves it out"
    )
    rows = [row for row in csv.reader(moods.open(encoding="utf-8")) if row[1] in ("glad", "sad")]
    without = load_text(_write(moods.with_name("without.csv"), [(text, label) for text, label in rows]))
    assert without.fingerprint == data.fingerprint and not any("--drop" in note for note in without.notes)


def test_without_the_option_the_error_names_it(moods: Path) -> None:
    with pytest.raises(DataError) as found:
        load_text(moods)
    assert "the class 'lone' has 1 text in moods.csv, and 1 other class as few" in str(found.value)
    assert "leave out labels of few texts: --drop-labels-below 3" in str(found.value)
    texts, labels = zip(*_rows({"glad": 9, "lone": 1}), strict=True)
    with pytest.raises(DataError) as found:
        TextClassifier(epochs=1).fit(texts, labels)
    assert "--" not in str(found.value)


def test_at_least_two_labels_have_to_be_left(moods: Path) -> None:
    with pytest.raises(DataError) as found:
        load_text(moods, drop_labels_below=35)
    for words in ("--drop-labels-below 35 leaves 1 label of 5", "glad 40, sad 30, odd 5", "lower it, to 30 at most"):
        assert words in str(found.value)
    with pytest.raises(OptionError, match="does not go with the known data set"):
        load_text("imdb", drop_labels_below=3)


def test_a_test_file_loses_the_same_labels(moods: Path, tmp_path: Path) -> None:
    test = _write(tmp_path / "test.csv", _rows({"glad": 9, "odd": 8}, start=90))
    data = load_text(moods, test=test, drop_labels_below=6)
    assert len(data.test.texts) == 9 and "8 texts of test.csv are not tested: of labels that are left out" in data.notes
    unknown = _write(tmp_path / "unknown.csv", _rows({"glad": 9, "merry": 2}, start=90))
    with pytest.raises(DataError, match="the label 'merry' is not in the training file"):
        load_text(moods, test=unknown, drop_labels_below=6)


def test_groups_stay_with_their_texts(tmp_path: Path) -> None:
    rows = _rows({"lone": 1, "glad": 40, "sad": 40})
    film_of = {text: "lone" if label == "lone" else f"film {n % 10}" for n, (text, label) in enumerate(rows)}
    path = tmp_path / "grouped.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label", "film"), *((*row, film_of[row[0]]) for row in rows)])
    data = load_text(path, group="film", drop_labels_below=3)
    assert data.test.groups is not None and sum(data.sizes.values()) == 80
    trained, tested = ({film_of[text] for text in part.texts} for part in (data.train, data.test))
    assert not trained & tested and len(set(data.test.groups.tolist())) == len(tested)


def test_of_several_labels_the_others_stay(tmp_path: Path) -> None:
    rows = [(f"text number {n}", "|".join(["art"] * (n % 2) + ["money"] * (n % 3 == 0))) for n in range(60)]
    rows[1] = (rows[1][0], "art|lone")
    rows[5] = (rows[5][0], "once")
    path = _write(tmp_path / "a.csv", rows)
    with pytest.raises(DataError, match=r"the label 'lone' has 1 text.*--drop-labels-below 3"):
        load_text(path, separator="|")
    data = load_text(path, separator="|", drop_labels_below=3)
    assert data.label_names == ("art", "money") and sum(data.sizes.values()) == 59
    told = "2 labels of fewer than 3 texts are left out, with 1 text that has no other: lone (1), once (1)"
    assert told in data.notes
    sets = {text: row for part in (data.train, data.validation, data.test) for text, row in zip(*part[:2], strict=True)}
    assert sets["text number 1"].tolist() == [1, 0] and "text number 5" not in sets
    assert int(np.sum([row.sum() == 0 for row in sets.values()])) == sum(not label for _, label in rows)


def test_commands_take_it_and_say_it(moods: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    said = refused(["train", moods, "--cell", "gru", *FLAGS, "--out", run], capsys)
    assert "--drop-labels-below 3" in said
    code, out, err = ran(["train", moods, "--cell", "gru", *FLAGS, "--drop-labels-below", "6", "--out", run], capsys)
    assert code == 0 and f"3 labels of fewer than 6 texts are left out, with 10 texts: {SHOWN}" in out + err
    assert json.loads((run / "spec.json").read_text())["data"]["drop_labels_below"] == 6
    code, out, err = ran(["evaluate", run, moods, "--json"], capsys)
    assert code == 0 and json.loads(out)["n"] == 70
    assert "3 labels left out of the training are left out here, with 10 texts: odd (5), queer (4), lone (1)" in err
    strange = _write(tmp_path / "strange.csv", _rows({"odd": 4}))
    assert "the network does not know the label 'odd'" in refused(["evaluate", run, strange], capsys)


@pytest.mark.slow
def test_an_export_leaves_the_same_labels_out_and_reads_the_same_files(
    moods: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    run, exported = tmp_path / "run", tmp_path / "model"
    moods.write_bytes(moods.read_text("utf-8").replace("a glad", "ein fröhlicher").encode("cp1250"))
    options = [*FLAGS, "--drop-labels-below", "6", "--encoding", "cp1250"]
    assert ran(["train", moods, "--cell", "gru", *options, "--out", run], capsys)[0] == 0
    assert ran(["export", run, "--to", "onnx", "--out", exported], capsys)[0] == 0
    found, said = [], []
    for place in (run, exported / "model.onnx"):
        code, out, err = ran(["evaluate", place, moods, "--json"], capsys)
        assert code == 0, err
        found.append(json.loads(out))
        said.append([line for line in err.splitlines() if line.startswith("Note:")])
    assert found[1]["n"] == 70 and found[1]["confusion"] == found[0]["confusion"]
    assert found[1]["loss"] == pytest.approx(found[0]["loss"], rel=1e-5) and said[1] == said[0]
    assert any("3 labels left out of the training are left out here, with 10 texts" in note for note in said[1])


def test_where_all_labels_are_rare_another_column_is_advised(tmp_path: Path) -> None:
    path = tmp_path / "summaries.csv"
    path.write_text("text,label\n" + "\n".join(f"text number {n},its summary {n}" for n in range(20)) + "\n")
    with pytest.raises(DataError, match=r"19 other classes as few.*choose another column with --label") as caught:
        load_text(path)
    assert "--drop-labels-below" not in str(caught.value)
