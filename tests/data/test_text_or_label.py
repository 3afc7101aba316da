"""Columns of texts and labels by their values, where their names say nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatewise.cli import main
from gatewise.data.tables import read_table
from gatewise.errors import DataError
from gatewise.training import kind_of, load_run, train_run
from gatewise.training.assembly import make_spec

ROWS = [("ein Hund bellt", "Tier"), ("eine Katze", "Tier"), ("ein Haus, alt", "Ding"), ("ein Auto", "Ding")]


def csv(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("turned", [False, True])
def test_the_column_whose_values_repeat_holds_the_labels(tmp_path: Path, turned: bool) -> None:
    order = (1, 0) if turned else (0, 1)
    names = ("satz", "art")
    rows = ['"{}","{}"'.format(*(row[place] for place in order)) for row in ROWS]
    table = read_table(csv(tmp_path / "a.csv", ",".join(names[place] for place in order), rows))
    assert list(zip(table.texts, table.labels, strict=True)) == ROWS
    assert "texts are the column satz, labels the column art, whose values repeat" in table.notes


def test_keys_and_numbers_as_labels_and_a_column_of_groups(tmp_path: Path) -> None:
    lines = [json.dumps({"nombre": text, "clase": 3 * (label == "Ding")}) for text, label in ROWS]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert read_table(tmp_path / "a.jsonl").labels == ["0", "0", "3", "3"]
    rows = [f'"{text}",{label},{place}' for place, (text, label) in enumerate(ROWS)]
    grouped = read_table(csv(tmp_path / "c.csv", "satz,art,wer", rows), group="wer")
    assert grouped.labels == ["Tier", "Tier", "Ding", "Ding"] and grouped.groups == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("x,y", ["1,2", "2,2", "3,4", "4,4"]),
        ("tag,wetter", ["2024-01-01,nass", "2024-01-02,nass", "2024-01-03,kalt", "2024-01-04,kalt"]),
        ("satz,antwort", ["wer da,ich", "wo denn,hier", "was nun,nichts", "wann,nie"]),
        ("satz,art", ["ja,a", "ja,a", "ja,b", "nein,b"]),
        ("satz,art", ["eins,a", "zwei,a", "drei,a", "vier,a"]),
        ("nummer,satz,art", ["1,eins,a", "2,zwei,a", "3,drei,b", "4,vier,b"]),
    ],
)
def test_nothing_is_guessed_where_the_values_do_not_show_it(tmp_path: Path, header: str, rows: list[str]) -> None:
    with pytest.raises(DataError, match=r"which columns of a\.csv hold the texts and the labels"):
        read_table(csv(tmp_path / "a.csv", header, rows))


def test_a_file_without_names_of_columns_is_refused(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "a.csv", "ein Hund bellt,Tier", ["ein Rad,Ding", "eine Katze,Tier", "ein Haus,Ding", "ein Reh,Tier"]
    )
    with pytest.raises(DataError, match="no line with the names of its columns") as caught:
        read_table(path)
    assert "text,label" in str(caught.value.fix)


def test_what_is_asked_for_rules(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "satz,art", [f'"{text}",{label}' for text, label in ROWS])
    assert read_table(path, "art", "satz").labels[0] == "ein Hund bellt"
    three = csv(tmp_path / "b.csv", "satz,art,x", ["a,b,c"])
    with pytest.raises(DataError, match="'label' is not in"):
        read_table(three, text="satz")


def test_the_run_remembers_the_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("Hund", "Katze", "Reh", "Haus", "Auto", "Rad")
    rows = [
        f"ein {word} {number},{'Tier' if place < 3 else 'Ding'}"
        for number in range(8)
        for place, word in enumerate(words)
    ]
    path = csv(tmp_path / "a.csv", "satz,art", rows)
    test = csv(tmp_path / "b.csv", "nummer,art,satz", ["1,Tier,ein alter Hund", "2,Tier,ein junges Reh"])
    settings = {"test": str(test), "epochs": 1, "hidden_size": 8, "embedding_size": 8, "threads": 1}
    spec = make_spec("classification", str(path), settings)
    dataset = kind_of("classification").load(spec.data)
    assert dataset.test.texts == ("ein alter Hund", "ein junges Reh") and dataset.columns == ("satz", "art")
    run = train_run(spec, dataset, tmp_path / "run").folder
    assert (load_run(run).spec.data.text, load_run(run).spec.data.label) == ("satz", "art")
    new = csv(tmp_path / "new.csv", "titel,satz", ["eins,ein Hund", "zwei,ein Auto"])
    one = csv(tmp_path / "one.csv", "worte", ["ein Hund", "ein Auto"])
    for file in (new, one):
        with pytest.raises(SystemExit) as caught:
            main(["predict", str(run), "--file", str(file)])
        assert caught.value.code in (0, None) and "ein Hund" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", str(run), str(test)])
    assert caught.value.code in (0, None) and "accuracy" in capsys.readouterr().out
    (tmp_path / "other").mkdir()
    capitals = csv(tmp_path / "other" / "new.csv", "titel,worte", ["eins,ein Hund", "zwei,ein Auto"])
    with pytest.raises(SystemExit) as caught:
        main(["predict", str(run), "--file", str(capitals)])
    assert caught.value.code == 2 and "satz" in capsys.readouterr().err


SWAPPED = [f"{'Tier' if number % 2 else 'Ding'},das hier ist ein Wort mit der Nummer {number}" for number in range(12)]


@pytest.mark.parametrize("asked", [(None, None), ("text", "label")])
def test_swapped_columns_are_refused_with_what_to_do(tmp_path: Path, asked: tuple[str | None, str | None]) -> None:
    """The error used to be that the class 'das hier ist ein Wort ...' is too small."""
    path = csv(tmp_path / "a.csv", "text,label", SWAPPED)
    with pytest.raises(DataError, match=r"texts and labels of a\.csv seem to be swapped") as caught:
        read_table(path, *asked)
    assert caught.value.fix == "--text label --label text"
    assert read_table(path, "label", "text").labels[:2] == ["Ding", "Tier"]


def test_a_first_line_of_text_is_said_to_be_read_as_names(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "ein Hund bellt in der Nacht sehr laut,Tier", SWAPPED)
    with pytest.raises(DataError, match=r"column .text. is not in a\.csv") as caught:
        read_table(path, "text", "label")
    assert "put a line with the names of the columns above it" in str(caught.value.fix)
