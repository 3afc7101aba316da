"""Chats in JSON lines as texts, and ratings as labels by their names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import ran
from gatewise.data.label_names import label_notes
from gatewise.data.tables import read_table
from gatewise.errors import DataError


def _chats(path: Path, rows: int = 60) -> Path:
    lines = []
    for number in range(rows):
        good = number % 2 == 0
        messages = [
            {"role": "user", "content": f"order {number} is late"},
            {"role": "assistant", "content": "solved it" if good else "no way"},
        ]
        lines.append(json.dumps({"messages": messages, "resolved": good}))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_chats_are_texts_with_a_message_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _chats(tmp_path / "chats.jsonl")
    table = read_table(path, text="messages", label="resolved")
    assert table.texts[0] == "user: order 0 is late\nassistant: solved it" and set(table.labels) == {"true", "false"}
    assert "messages of chats.jsonl holds chats: a message a line, its role before it" in table.notes
    run, small = tmp_path / "run", ["--hidden", "8", "--epochs", "1", "--threads", "1"]
    assert ran(["train", path, "--text", "messages", "--label", "resolved", *small, "--out", run], capsys)[0] == 0
    left, out, err = ran(["predict", run, "--file", path, "--json"], capsys)
    assert left == 0 and len(out.splitlines()) == 60 and "holds chats" in err


def test_other_lists_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": [1, 2], "label": n % 2}) + "\n" for n in range(9)))
    with pytest.raises(DataError, match=r"line 1: 'text' is not a string; expected: a text, or a chat.*--text"):
        read_table(path)


def test_ratings_are_labels_where_nothing_else_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("review,rating,helpful\n" + "".join(f"a stay {n},{n % 5 + 1},{n % 3}\n" for n in range(40)))
    table = read_table(path)
    assert set(table.labels) == set("12345") and "labels the column rating" in " ".join(table.notes)
    path.write_text(path.read_text().replace("helpful", "sentiment"))
    assert "labels the column sentiment" in " ".join(read_table(path).notes)


def test_rare_spellings_of_a_frequent_label_are_said() -> None:
    labels = ["yes"] * 60 + ["no"] * 60 + ["yse"] * 3 + ["n0", "maybe"] + ["şikayet"] * 30 + ["sikayet"]
    notes = label_notes(labels)
    assert [note.split(" (")[0] for note in notes] == ["the label 'yse'", "the label 'sikayet'"]
    assert label_notes(["abc"] * 50 + ["xyz"]) == [] and label_notes(["100"] * 50 + ["101"]) == []
    assert label_notes(["positive"] * 50 + ["negative"] * 3) == []
