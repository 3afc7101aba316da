"""Tables for a paper or a README: whole, escaped, and drawn again from the record alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gatewise.cli import main
from gatewise.record import compact_json
from gatewise.reports.text_tables import latex_table, markdown_table
from made_up_comparison import made_up_language, made_up_record

HOSTILE = "a_b|<i>&%$#{x}~^\\*"


def test_markdown_has_a_row_per_model_and_all_of_a_width() -> None:
    record = made_up_record({"baseline": 0.86, "lstm": 0.88, "gru": 0.885}, seeds=2, failed=["lstm-seed2"])
    text = markdown_table(record)
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        lines = block.splitlines()
        assert len(lines) == 2 + len(record.models)
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert record.verdict.headline in text and record.command in text and "lstm-seed2" in text


def test_latex_marks_the_leaders_and_is_balanced() -> None:
    record = made_up_language({"kneser-ney-5": 141.0, "rnn": 130.0, "lstm": 60.0}, tokens=4000)
    text = latex_table(record)
    assert record.verdict.leaders == ("lstm",)
    assert text.count(r"\textbf{") == 1 and r"LSTM & \textbf{" in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    columns = re.search(r"begin\{tabular\}\{(\w+)\}", text)
    assert columns is not None
    assert {line.count(" & ") for line in body.splitlines() if "&" in line} == {len(columns[1]) - 1}
    assert (text.count("{") == text.count("}") and text.isascii() is False) or text.isascii()


def test_names_cannot_break_a_table() -> None:
    record = made_up_record({"gru": 0.88})
    record = replace(record, models=(replace(record.models[0], title=HOSTILE),))
    line = next(line for line in markdown_table(record).splitlines() if line.startswith("| a"))
    assert "<i>" not in line and r"a\_b\|&lt;i&gt;" in line
    escaped = r"a\_b|<i>\&\%\$\#\{x\}\textasciitilde{}\textasciicircum{}\textbackslash{}*"
    assert escaped in latex_table(record)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("markdown", {"table.md"}),
        ("latex", {"table.tex"}),
        ("html", {"report.html", "curves.png", "curves.svg"}),
        ("all", {"table.md", "table.tex", "report.html", "curves.png", "curves.svg"}),
    ],
)
def test_the_command_writes_what_was_asked(
    name: str, files: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "comparison.json").write_text(compact_json(made_up_record({"baseline": 0.8, "gru": 0.88})))
    with pytest.raises(SystemExit) as left:
        main(["report", str(tmp_path), "--format", name])
    assert left.value.code == 0
    assert {path.name for path in tmp_path.iterdir()} == files | {"comparison.json"}
    told = capsys.readouterr().out
    assert all(str(tmp_path / file) in told for file in files if not file.startswith("curves"))


def test_the_command_says_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, accuracy in (("old", 0.7), ("new", 0.9)):
        (tmp_path / folder).mkdir()
        record = made_up_record({"baseline": 0.8, "gru": accuracy})
        (tmp_path / folder / "comparison.json").write_text(compact_json(record))
    with pytest.raises(SystemExit) as left:
        main(["report", str(tmp_path / "new"), "--against", str(tmp_path / "old")])
    assert left.value.code == 0
    assert "better than before" in capsys.readouterr().out
    assert "What changed since" in (tmp_path / "new" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ({}, [], "holds no finished comparison"),
        ({"plan.json": "{}"}, [], "it resumes where it was stopped"),
        ({"spec.json": "{}"}, [], "holds a single run"),
        ({"comparison.json": "{"}, [], "damaged"),
        ({"comparison.json": json.dumps({"format_version": 99})}, [], "newer Gatewise"),
        ({"comparison.json": json.dumps({"format_version": 1})}, [], "older Gatewise"),
        ({}, ["--format", "markdwn"], "did you mean 'markdown'"),
    ],
)
def test_what_cannot_be_reported_is_said(
    files: dict[str, str], words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(SystemExit) as left:
        main(["report", str(tmp_path), *words])
    error = capsys.readouterr().err
    assert left.value.code == 2 and message in error and "Traceback" not in error
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["report", str(tmp_path / "nowhere")])
    assert left.value.code == 2 and "there is no folder" in capsys.readouterr().err
