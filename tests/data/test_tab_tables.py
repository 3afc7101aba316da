"""Text files with a label and a text a line, and tables of tokens that hold whole sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewise.data.tab_tables import holds_tab_table
from gatewise.data.tables import read_table
from gatewise.errors import DataError
from gatewise.kinds.tagging.sentence_tables import holds_sentence_table
from gatewise.training.registry import task_of

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
