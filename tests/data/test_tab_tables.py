"""Text files with a label and a text a line, and tables of tokens that hold whole sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewise.data.tab_tables import columns_note, holds_tab_table
from gatewise.data.tables import read_table
from gatewise.errors import DataError
from gatewise.kinds.language_modelling.corpora import load_corpus
from gatewise.kinds.tagging.sentence_tables import holds_sentence_table
from gatewise.training.registry import kind_of, task_of

MESSAGES = [f"{'ham' if n % 3 else 'spam'}\tcall me at number {n}" for n in range(40)]


def _write(folder: Path, lines: list[str], name: str = "messages.txt") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def test_lines_with_a_label_and_a_text_are_a_table(tmp_path: Path) -> None:
    path = _write(tmp_path, ["label\ttext", *MESSAGES])
    assert task_of(str(path)) == "classification"
    table = read_table(path)
    assert table.labels[:3] == ["spam", "ham", "ham"]
    assert table.texts[2] == "call me at number 2"


def test_without_a_line_of_names_it_is_said_how_to_read_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"label, a tab, text; to read it as running text: --task language-modelling"):
        read_table(_write(tmp_path, MESSAGES))


@pytest.mark.parametrize(
    "lines",
    [
        [f"word{n}\tlemma{n % 5}" for n in range(40)],  # words and their main forms
        [f"a sentence number {n}\tein Satz mit Nummer {n}" for n in range(40)],  # pairs
        [f"the river keeps number {n}" for n in range(40)],
        [*MESSAGES, "a line without a tab"],
        MESSAGES[:5],
    ],
)
def test_other_text_is_none(tmp_path: Path, lines: list[str]) -> None:
    assert not holds_tab_table(_write(tmp_path, lines))


@pytest.mark.parametrize(("token", "tagging"), [("Paris", True), ("the team won the match", False)])
def test_a_column_of_tokens_with_whole_sentences_is_no_tagging(tmp_path: Path, token: str, tagging: bool) -> None:
    rows = [f"{n},{token if n % 2 else token.upper()},{'AB'[n % 2]}" for n in range(30)]
    path = _write(tmp_path, ["sent_id,token,label", *rows], "table.csv")
    assert holds_sentence_table(path) is tagging
    assert task_of(str(path)) == ("tagging" if tagging else "classification")


def test_words_and_their_main_forms_are_said_to_look_like_a_table(tmp_path: Path) -> None:
    lines = [f"word{n}\tform{n // 2}" for n in range(60)]
    path = _write(tmp_path, lines, "lemmas.txt")
    assert task_of(str(path)) == "language-modelling"
    said = [note for note in load_corpus(path).notes if "columns with tabs" in note]
    assert len(said) == 1 and said[0].startswith("the lines of lemmas.txt look like 2 columns with tabs between them")
    for option in ("--task translation", "--task tagging", ".tsv"):
        assert option in said[0]
    assert columns_note("a.txt", [*lines, "a line of prose"]) != []
    assert columns_note("a.txt", [*lines, *["a line of prose"] * 9]) == []
    assert columns_note("a.txt", lines[:5]) == []
    assert columns_note("a.txt", ["\tan indented line"] * 30) == []
    prose = load_corpus(_write(tmp_path, [line.replace("\t", " ") for line in lines], "words.txt"))
    assert not any("columns" in note for note in prose.notes)


@pytest.mark.parametrize("task", ["translation", "tagging"])
def test_what_the_note_names_reads_such_a_file(tmp_path: Path, task: str) -> None:
    lines = [f"{'abc'[n % 3]}word{n}\t{'abc'[n % 3]}form" + "\n" * (n % 5 == 4) for n in range(200)]
    path = _write(tmp_path, lines, "lemmas.txt")
    assert columns_note(path.name, path.read_text().splitlines()) != []
    kind = kind_of(task)
    assert kind.load(kind.data_spec(str(path))).sizes["train"] > 0  # type: ignore[call-arg]
