"""A folder of texts as the text of a language model: order, parts of whole documents, encodings, notes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from commands import ran, refused
from gatewise.errors import DataError, OptionError
from gatewise.kinds.language_modelling.corpora import Corpus, load_corpus
from gatewise.kinds.language_modelling.folders import read_folder
from gatewise.kinds.language_modelling.spec import CorpusSpec
from gatewise.training import task_of
from gatewise.training.run_spec import RunSpec
from small_data import write_reviews
from small_text import SENTENCES, small_text

LM_FLAGS = ["--hidden", "8", "--epochs", "1", "--threads", "1", "--batch-size", "4"]


def _write(folder: Path, sizes: dict[str, int]) -> Path:
    """Texts of so many lines, each of which names its file."""
    for name, lines in sizes.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        word = place.stem.replace("-", "")
        place.write_text("".join(f"{word} {SENTENCES[line % 5]} {line}\n" for line in range(lines)))
    return folder


def _files(corpus: Corpus, part: str) -> list[str]:
    """The files that a part's lines are of, in their order."""
    lines = corpus.vocabulary.decode(getattr(corpus, part)).splitlines()
    return list(dict.fromkeys(line.split()[0] for line in lines))


@pytest.mark.parametrize("tokens", ["word", "character"])
def test_whole_documents_follow_each_other_by_name(tmp_path: Path, tokens: str) -> None:
    names = [f"chapter{number}.txt" for number in range(1, 21)]
    folder = _write(tmp_path / "novel", dict.fromkeys(reversed(names), 12))
    (folder / "cover.jpg").write_bytes(b"\xff\xd8")
    (folder / ".hidden.txt").write_text("never read " * 50)
    assert task_of(str(folder)) == "language-modelling"
    corpus = load_corpus(folder, tokens=tokens, vocabulary_size=500)
    words = [name.removesuffix(".txt") for name in names]
    if tokens == "character":
        assert _files(corpus, "train") == words[:16] and _files(corpus, "test") == words[18:]
        text = "".join((folder / name).read_text() for name in names)
        parts = (corpus.train, corpus.validation, corpus.test)
        assert "".join(corpus.vocabulary.decode(part) for part in parts) == text
    assert [line.split()[0] for line in corpus.test_lines[::12]] == words[18:]
    assert corpus.source == f"the 20 files of the folder {folder}"
    assert corpus.split_note == "the last 2 files of novel: chapter19.txt, chapter20.txt"
    said = " ".join(corpus.notes)
    assert "20 files of novel in the order of their names (chapter1.txt to chapter20.txt): the first 16" in said
    assert "2 to validate (chapter17.txt, chapter18.txt), the last 2 for the test" in said
    assert "of a test part of 2 documents no difference between models is claimed" in said
    assert len(corpus.test_borders) == 1


def test_documents_of_the_test_part_are_the_examples_of_intervals_where_they_are_enough(tmp_path: Path) -> None:
    folder = _write(tmp_path / "posts", {f"{number:03}.txt": 6 for number in range(100)})
    corpus = load_corpus(folder)
    assert len(corpus.test_borders) == 9 and "10 documents: intervals are over documents" in " ".join(corpus.notes)
    ends = [0, *corpus.test_borders, len(corpus.test)]
    assert len(set(np.diff(ends))) == 1


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ((30, 30, 30, 30, 30), (3, 1, 1)),
        ((90, 5, 5), (1, 1, 1)),
        ((20, 20, 20, 20), (2, 1, 1)),
        ((10,) * 10, (8, 1, 1)),
        ((50, 50, 50), None),
        ((10, 10, 300), None),
        ((300, 2, 2), None),
        ((200,), None),
    ],
)
def test_documents_stay_whole_where_they_are_enough(
    sizes: tuple[int, ...], parts: tuple[int, int, int] | None, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "texts", {f"{chr(97 + place)}.txt": size for place, size in enumerate(sizes)})
    found = read_folder(folder, "character")
    inside = [{line.split()[0] for line in part} for part in (found.train, found.validation, found.test)]
    if parts is not None:
        assert tuple(map(len, inside)) == parts and not inside[0] & inside[1] and not inside[1] & inside[2]
        assert found.notes[0].endswith("none is in two parts")
    else:
        assert "the text is cut within files" in found.notes[0]
        assert 0.7 < len(found.train) / sum(sizes) < 0.9 and min(len(found.validation), len(found.test)) > 0
    assert len(found.train) + len(found.validation) + len(found.test) == sum(sizes)


@pytest.mark.parametrize("nested", [False, True])
def test_files_that_are_called_parts_are_these_parts(tmp_path: Path, nested: bool) -> None:
    names = (
        ("train/a.txt", "test/b.txt", "valid/c.txt")
        if nested
        else ("wiki.train.txt", "wiki.test.txt", "wiki.valid.txt")
    )
    folder = _write(tmp_path / "corpus", {names[0]: 40, names[1]: 11, names[2]: 9})
    corpus = load_corpus(folder, tokens="character")
    lines = [corpus.vocabulary.decode(part).count("\n") for part in (corpus.train, corpus.validation, corpus.test)]
    assert lines == [40, 9, 11] and "1 to train on, 1 for the test" in " ".join(corpus.notes)
    (folder / names[2]).unlink()
    again = read_folder(folder, "character")
    assert len(again.test) == 11 and len(again.train) + len(again.validation) == 40 and len(again.validation) > 2
    assert "the end of the training part validates" in " ".join(again.notes)
    (folder / "other.txt").write_text(small_text(30))
    with pytest.raises(DataError, match="some files are called as parts, and others are not"):
        load_corpus(folder)


def test_titles_with_such_words_are_no_parts(tmp_path: Path) -> None:
    names = ["The Test.txt", "Training Day.txt", *(f"story {number}.txt" for number in range(8))]
    found = read_folder(_write(tmp_path, dict.fromkeys(names, 10)), "character")
    assert "in the order of their names" in found.notes[0]


def test_encodings_copies_and_empty_files_are_said_once(tmp_path: Path) -> None:
    folder = _write(tmp_path / "texts", {f"{number}.txt": 10 for number in range(8)})
    for number in (1, 2, 3):
        (folder / f"{number}.txt").write_bytes((f"größer, schöner, für {number}\n" * 10).encode("cp1252"))
    (folder / "4.txt").write_bytes((folder / "4.txt").read_text().encode("utf-16"))
    (folder / "5.txt").write_text(" \n")
    (folder / "6.txt").write_text((folder / "0.txt").read_text().replace("\n", "\r\n"))
    found = read_folder(folder, "word")
    said = "\n".join(found.notes)
    assert "3 files are not UTF-8 and were read as Windows-1252; --encoding names another: 1.txt, 2.txt, 3.txt" in said
    assert f"{folder / '4.txt'} is UTF-16, as its byte order mark says" in said
    assert "1 file without a text left out: 5.txt" in said and "1 file left out that repeat another: 6.txt" in said
    assert any("größer" in line for line in found.train)
    (folder / "7.txt").write_bytes(("очень хорошо\n" * 20).encode("cp1251"))
    with pytest.raises(DataError, match=r"7\.txt is not UTF-8.*cp1251"):
        read_folder(folder, "word")
    assert "очень хорошо" in read_folder_of_one(folder / "7.txt")


def read_folder_of_one(path: Path) -> str:
    corpus = load_corpus(path, tokens="character", encoding="cp1251")
    return corpus.vocabulary.decode(corpus.train)


def test_single_files_in_other_encodings_are_read_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(("größer, schöner, für immer\n" * 30).encode("cp1252"))
    assert any("was read as Windows-1252 (for example 'größer')" in note for note in load_corpus(path).notes)
    path.write_bytes(("the sky\n" * 40).encode("utf-16"))
    assert any("is UTF-16, as its byte order mark says" in note for note in load_corpus(path).notes)
    with pytest.raises(OptionError, match="--encoding does not go with the known data set"):
        load_corpus("ptb", encoding="cp1251")


def test_folders_of_something_else_are_not_taken_for_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tagged = tmp_path / "tagged"
    tagged.mkdir()
    for name in ("train.txt", "test.txt"):
        (tagged / name).write_text("".join(f"to O\nTown{n} B-LOC\n\n" for n in range(40)))
    assert task_of(str(tagged)) == "classification"
    assert "name the file in it" in refused(["train", tagged, "--out", tmp_path / "run"], capsys)
    labelled = _write(tmp_path / "labelled", {"spam/1.txt": 3, "ham/1.txt": 3})
    assert task_of(str(labelled)) == "classification"
    assert task_of(str(labelled), task="language-modelling") == "language-modelling"
    pictures = _write(tmp_path / "pictures", {"captions.txt": 1})
    (pictures / "captions.txt").write_text("image,caption\n1.jpg,a dog\n2.jpg,a cat\n")
    assert task_of(str(pictures)) == "captioning"
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no texts"):
        load_corpus(tmp_path / "none")
    logs = _write(tmp_path / "logs", {f"{number}.log": 20 for number in range(5)})
    assert "5 files of logs" in read_folder(logs, "word").notes[0]


def test_runs_on_a_folder_are_trained_and_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, run = tmp_path / "letters", tmp_path / "run"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.txt").write_text(small_text(25, number))
    left, out, err = ran(["train", folder, *LM_FLAGS, "--out", run], capsys)
    assert left == 0 and "12 files of letters in the order of their names" in " ".join((out + err).split())
    tested = json.loads(ran(["evaluate", run, "--json"], capsys)[1])
    found = json.loads(ran(["evaluate", run, folder, "--json"], capsys)[1])
    assert found["documents"] == 12 and found["document"] == "file" and found["perplexity_interval"] is not None
    assert tested["perplexity"] > 1 and "12 files of letters" in found["notes"][0]
    few = tmp_path / "few"
    few.mkdir()
    (few / "a.txt").write_text(small_text(30, 50))
    (few / "b.txt").write_text(small_text(30, 51))
    found = json.loads(ran(["evaluate", run, few, "--json"], capsys)[1])
    assert found["documents"] == 60 and found["document"] == "line"
    (tmp_path / "western.txt").write_bytes(("the café is in the sky\n" * 20).encode("cp1252"))
    left, _, err = ran(["evaluate", run, tmp_path / "western.txt", "--encoding", "cp1252"], capsys)
    assert left == 0 and "unknown" in err


def test_the_encoding_changes_no_hash_where_it_is_not_given(tmp_path: Path) -> None:
    assert "encoding" not in RunSpec(CorpusSpec("a.txt")).to_identity()["data"]
    assert RunSpec(CorpusSpec("a.txt", encoding="cp1251")).to_identity()["data"]["encoding"] == "cp1251"


def test_texts_in_folders_of_labels_are_classified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import csv

    rows = list(csv.DictReader(write_reviews(tmp_path / "reviews.csv", 120).open(encoding="utf-8")))
    for part, chosen in (("train", rows[:90]), ("test", rows[90:])):
        for number, row in enumerate(chosen):
            place = tmp_path / "films" / part / row["mood"] / f"{number}.txt"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(row["review"])
    (tmp_path / "films" / "train" / "unsup").mkdir()
    (tmp_path / "films" / "train" / "unsup" / "1.txt").write_text("a text without a label")
    small = ["--hidden", "8", "--epochs", "1", "--threads", "1"]
    for folder, tested in ((tmp_path / "films", 30), (tmp_path / "films" / "train", None)):
        run = tmp_path / f"run-{folder.name}"
        left, out, err = ran(["train", folder, *small, "--out", run], capsys)
        said = " ".join((out + err).split())
        assert left == 0 and "90 files in 2 folders of train, whose names are the labels: glad" in said, said
        assert "unsup of train is not read" in said
        assert tested is None or json.loads(ran(["evaluate", run, "--json"], capsys)[1])["n"] == tested
    found = json.loads(ran(["evaluate", run, tmp_path / "films" / "test", "--json"], capsys)[1])
    assert found["n"] == 30 and found["label_names"] == ["glad", "sad"]
    said = refused(["train", tmp_path / "films", "--text", "review", *small, "--out", tmp_path / "no"], capsys)
    assert "--text is for tables" in said
