"""`gatewise predict` on what people have: tables in every format, lines, pipes; one answer per row, in order."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import ran
from gatewise.cli import main
from small_data import FLAGS, write_reviews

TEXTS = [
    "a wonderful film",
    "a dreadful plot",
    "",
    "superb,\nmoving\nand charming",
    "ünïcode 映画",
    "   ",
    "boring; clumsy",
]
BLANK = [2, 5]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was trained on the columns review and mood."""
    folder = tmp_path_factory.mktemp("run") / "gru"
    data = write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv", rows=60)
    with pytest.raises(SystemExit) as leave:
        main(["train", str(data), "--text", "review", "--label", "mood", *FLAGS, "--out", str(folder)])
    assert not leave.value.code
    return folder


@pytest.fixture(scope="module")
def expected(run):
    """Label and probability of each text, from the network itself; None for the blank ones."""
    from gatewise import load_run

    network = load_run(run)
    found = []
    for text in TEXTS:
        row = network.predict_proba([text])[0]
        found.append((network.label_names[row.argmax()], float(row.max())) if text.strip() else None)
    return found


def write_table(path: Path, column="review", separator=",", encoding="utf-8", newline="\r\n") -> Path:
    content = io.StringIO(newline="")
    writer = csv.writer(content, delimiter=separator, lineterminator=newline)
    writer.writerow(["id", column, "note"])
    writer.writerows([number, text, "x, y"] for number, text in enumerate(TEXTS))
    raw = content.getvalue().encode(encoding)
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def _read(path, separator=","):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter=separator))


def _agree(rows, expected):
    assert len(rows) == len(expected)
    for row, answer in zip(rows, expected, strict=True):
        if answer is None:
            assert row["predicted"] == row["probability"] == ""
        else:
            assert row["predicted"] == answer[0]
            assert float(row["probability"]) == pytest.approx(answer[1], abs=2e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("new.csv", {}),
        ("new.tsv", {"separator": "\t"}),
        ("new.csv.gz", {"newline": "\n"}),
        ("bom.csv", {"encoding": "utf-8-sig", "separator": ";"}),
        ("wide.csv", {"encoding": "utf-16"}),
    ],
)
def test_one_answer_per_row_and_all_columns(run, expected, name, options, tmp_path, capsys):
    file = write_table(tmp_path / name, **options)
    before = file.read_bytes()
    code, out, err = ran(["predict", run, "--file", file, "--out", tmp_path / "labels.csv"], capsys)
    assert code == 0 and out == "" and "7 predictions written" in err
    assert "2 of 7 texts are blank (lines 4, 9)" in err
    rows = _read(tmp_path / "labels.csv")
    assert list(rows[0]) == ["id", "review", "note", "predicted", "probability"]
    assert [row["review"] for row in rows] == TEXTS and [row["id"] for row in rows] == [*"0123456"]
    _agree(rows, expected)
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["new.jsonl", "new.json", "new.parquet", "new.xlsx"])
def test_other_formats(run, expected, name, tmp_path, capsys):
    file = tmp_path / name
    texts = [None if n in BLANK else text for n, text in enumerate(TEXTS)]
    records = [{"review": text, "id": n, "more": n / 2} for n, text in enumerate(texts)]
    if name.endswith(".jsonl"):
        file.write_text("\n".join(map(json.dumps, records)))
    elif name.endswith(".json"):
        file.write_text(json.dumps(records))
    else:
        frame = pytest.importorskip("pandas").DataFrame(records)
        pytest.importorskip({"parquet": "pyarrow", "xlsx": "openpyxl"}[name.rpartition(".")[2]])
        frame.to_parquet(file) if name.endswith("parquet") else frame.to_excel(file, index=False)
    assert ran(["predict", run, "--file", file, "--out", tmp_path / "labels.tsv"], capsys)[0] == 0
    rows = _read(tmp_path / "labels.tsv", "\t")
    assert list(rows[0]) == ["review", "id", "more", "predicted", "probability"]
    assert [row["review"] for row in rows] == [text or "" for text in texts] and rows[3]["more"] == "1.5"
    _agree(rows, expected)


def test_json_keeps_the_row(run, expected, tmp_path, capsys):
    file = write_table(tmp_path / "new.csv")
    _, out, err = ran(["predict", run, "--file", file, "--json"], capsys)
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["row"] for record in records] == [
        {"id": str(n), "review": text, "note": "x, y"} for n, text in enumerate(TEXTS)
    ]
    for record, answer in zip(records, expected, strict=True):
        if answer is None:
            assert record["label"] is record["probability"] is record["probabilities"] is None
        else:
            assert record["label"] == answer[0] and set(record["probabilities"]) == {"glad", "sad"}
    assert "blank" in err
    for name in ("labels.jsonl", "labels.json"):
        assert ran(["predict", run, "--file", file, "--out", tmp_path / name], capsys)[0] == 0
    assert (tmp_path / "labels.jsonl").read_text(encoding="utf-8") == out
    assert json.loads((tmp_path / "labels.json").read_text(encoding="utf-8")) == records


def test_standard_output_has_one_line_per_row(run, tmp_path, capsys):
    code, out, _ = ran(["predict", run, "--file", write_table(tmp_path / "new.csv")], capsys)
    lines = out.splitlines()
    assert code == 0 and len(lines) == len(TEXTS)
    assert lines[0].endswith("%  a wonderful film") and lines[2].endswith("(blank)")


def test_another_column_and_several(run, expected, tmp_path, capsys):
    file = write_table(tmp_path / "new.csv", column="comment")
    code, _, err = ran(["predict", run, "--file", file], capsys)
    assert code == 2 and "column 'review' is not in new.csv" in err and "--text COLUMN" in err and "comment" in err
    assert ran(["predict", run, "--file", file, "--text", "comment", "--out", tmp_path / "a.csv"], capsys)[0] == 0
    _agree(_read(tmp_path / "a.csv"), expected)
    code, out, err = ran(["predict", run, "--file", file, "--text", "comment,note", "--json"], capsys)
    assert code == 0 and "joined by line breaks" in err and len(out.splitlines()) == len(TEXTS)
    assert json.loads(out.splitlines()[2])["label"]


def test_windows_1252_and_a_named_encoding(run, tmp_path, capsys):
    file = tmp_path / "new.csv"
    file.write_bytes("review\nein schöner Film\n".encode("cp1252"))
    _, out, err = ran(["predict", run, "--file", file], capsys)
    assert out.strip().endswith("ein schöner Film") and "Windows-1252" in err
    file.write_bytes("review\nочень хорошо\n".encode("cp1251"))
    code, _, err = ran(["predict", run, "--file", file], capsys)
    assert code == 2 and "--encoding" in err
    assert ran(["predict", run, "--file", file, "--encoding", "cp1251"], capsys)[1].strip().endswith("очень хорошо")
    code, _, err = ran(["predict", run, "--file", file, "--encoding", "cp9999"], capsys)
    assert code == 2 and "there is no encoding" in err


def test_the_input_is_never_overwritten(run, tmp_path, capsys):
    file = write_table(tmp_path / "new.csv")
    before = file.read_bytes()
    (tmp_path / "link.csv").symlink_to(file)
    os.link(file, tmp_path / "hard.csv")
    for out in (file, tmp_path / "link.csv", tmp_path / "hard.csv", tmp_path / "." / "new.csv"):
        code, _, err = ran(["predict", run, "--file", file, "--out", out], capsys)
        assert code == 2 and "is the input file" in err
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hard.csv", "link.csv", "new.csv"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("review,label\n", "header but no rows"),
        ('review,label\n"never closed,1\n', "line 2: broken quoting"),
        ("review,label\na,b,c\n", "line 2: the row has 3 fields"),
        ("review,review\na,b\n", "column 'review' twice"),
        ("", "is empty"),
    ],
)
def test_a_bad_table_is_one_error_and_no_file(run, content, words, tmp_path, capsys):
    file = tmp_path / "new.csv"
    file.write_text(content)
    code, out, err = ran(["predict", run, "--file", file, "--out", tmp_path / "labels.csv"], capsys)
    assert code == 2 and words in " ".join(err.split()) and out == "" and "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


@pytest.mark.parametrize(("out", "words"), [("labels.xlsx", "cannot be written"), ("none/labels.csv", "no folder")])
def test_an_output_that_cannot_be_written(run, out, words, tmp_path, capsys):
    file = write_table(tmp_path / "new.csv")
    code, _, err = ran(["predict", run, "--file", file, "--out", tmp_path / out], capsys)
    assert code == 2 and words in " ".join(err.split())


def test_columns_whose_names_are_taken(run, tmp_path, capsys):
    file = tmp_path / "new.csv"
    file.write_text("review,predicted,x,x\nfine,old,1,2\n")
    assert ran(["predict", run, "--file", file, "--out", tmp_path / "a.csv"], capsys)[0] == 0
    header, row = csv.reader((tmp_path / "a.csv").read_text().splitlines())
    assert header == ["review", "predicted", "x", "x", "predicted_2", "probability"] and row[:4] == [
        "fine",
        "old",
        "1",
        "2",
    ]
    _, out, _ = ran(["predict", run, "--file", file, "--json"], capsys)
    assert json.loads(out)["row"] == {"review": "fine", "predicted": "old", "x": "1", "x_2": "2"}


def test_lines_of_a_text_file(run, tmp_path, capsys):
    file = tmp_path / "new.txt"
    file.write_bytes("review,mood\r\n\r\nschön, wirklich\r\n".encode("cp1252"))
    _, out, err = ran(["predict", run, "--file", file, "--out", tmp_path / "a.csv"], capsys)
    assert [row["text"] for row in _read(tmp_path / "a.csv")] == ["review,mood", "", "schön, wirklich"]
    assert out == "" and "Windows-1252" in err and "1 of 3 lines is blank (line 2): no prediction there" in err
    code, _, err = ran(["predict", run, "--file", file, "--text", "review"], capsys)
    assert code == 2 and "--text names a column" in err


@pytest.mark.parametrize("source", ["file", "standard input"])
def test_one_answer_for_each_line_also_for_blank_ones(run, source, tmp_path, capsys, monkeypatch):
    content = "a fine film\n\n \t\u00a0\na dull one\n\n".encode()
    (tmp_path / "new.txt").write_bytes(content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    words = ["predict", run, *(["--file", tmp_path / "new.txt"] if source == "file" else [])]
    _, out, err = ran([*words, "--json"], capsys)
    assert [bool(json.loads(line)["label"]) for line in out.splitlines()] == [True, False, False, True, False]
    assert "3 of 5 lines are blank (lines 2, 3, 5): no prediction there" in err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    lines = ran(words, capsys)[1].splitlines()
    assert [line.endswith("(blank)") for line in lines] == [False, True, True, False, True]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert ran([*words, "--out", tmp_path / "a.csv"], capsys)[0] == 0
    rows = _read(tmp_path / "a.csv")
    assert len(rows) == 5 and rows[3]["text"] == "a dull one" and rows[4]["predicted"] == rows[4]["text"] == ""


def test_a_blank_line_among_labelled_lines_has_an_answer(run, tmp_path, capsys):
    (tmp_path / "new.txt").write_text("__label__glad a fine film\n\n__label__sad a dull one\n")
    _, out, err = ran(["predict", run, "--file", tmp_path / "new.txt", "--json"], capsys)
    assert [bool(json.loads(line)["label"]) for line in out.splitlines()] == [True, False, True]
    assert "1 of 3 texts is blank" in err


def test_a_run_whose_path_is_no_utf8_answers_and_is_exported(run, tmp_path, capsys):
    """Folders and files as other systems named them: Python has such bytes as lone surrogates."""
    folder = tmp_path / os.fsdecode(b"\xff")
    shutil.copytree(run, folder / "run")
    (folder / os.fsdecode(b"\xf6.txt")).write_text("a fine film\n")
    code, out, err = ran(["predict", folder / "run", "--file", folder / os.fsdecode(b"\xf6.txt"), "--json"], capsys)
    assert code == 0, err
    assert out == ran(["predict", run, "a fine film", "--json"], capsys)[1]
    for target in ("onnx", "c"):
        code, _, err = ran(["export", folder / "run", "--to", target, "--out", folder / target], capsys)
        assert code == 0, err
        assert (folder / target / "README.md").read_text(encoding="utf-8")


def test_texts_of_the_command_line_into_a_file(run, tmp_path, capsys):
    assert ran(["predict", run, "fine, really", "bad", "--out", tmp_path / "a.csv"], capsys)[0] == 0
    assert [row["text"] for row in _read(tmp_path / "a.csv")] == ["fine, really", "bad"]


def test_a_text_that_names_a_file_is_said_to_be_read_as_a_text(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mail.txt").write_text("a wonderful film\n")
    code, out, err = ran(["predict", run, "mail.txt"], capsys)
    assert code == 0 and "mail.txt" in out
    assert "is the name of a file, and is itself labelled; to label what is in it: --file" in " ".join(err.split())
    assert ran(["predict", run, "none.txt"], capsys)[2] == ""


@pytest.mark.parametrize(
    "text", ["хороший фильм, " * 10, "电影很好看，" * 20, "a fine film " * 400, "x" * 300 + ".txt"]
)
def test_texts_that_are_longer_than_a_files_name_may_be(run, text, capsys):
    code, out, err = ran(["predict", run, text, "--json"], capsys)
    assert code == 0 and json.loads(out)["label"] and err == ""


@pytest.mark.parametrize("arguments", [["predict"], ["compare"], ["report"], ["explain"]])
def test_a_text_in_the_place_of_a_folder_is_one_error(arguments, capsys):
    code, _, err = ran([*arguments, "хороший фильм, " * 10, *(["a text"] if arguments == ["predict"] else [])], capsys)
    assert code == 2 and err.startswith("Error: ") and "Traceback" not in err


def test_flags_of_other_commands_are_refused(run, capsys):
    assert ran(["predict", run, "fine", "--label", "mood"], capsys)[0] == 2


@pytest.mark.slow
def test_a_pipe_is_answered_line_by_line(run):
    """An answer comes before the next line is sent."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gatewise", "predict", str(run), "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    for text in ("a wonderful film", "ünïcode"):
        process.stdin.write(f"\n{text}\n".encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["label"] is None  # of the blank line
        assert json.loads(process.stdout.readline())["label"] in ("glad", "sad")
    process.stdin.write("the last one without a line end, \xfc".encode("latin-1"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and out == b"" and b"line 5 is not UTF-8" in err and b"Traceback" not in err


def test_standard_input_in_another_encoding(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("schön\r\n\r\nübel".encode("cp1252"))))
    words = ["predict", run, "--file", "-", "--encoding", "cp1252", "--out", tmp_path / "a.csv"]
    assert ran(words, capsys)[0] == 0
    assert [row["text"] for row in _read(tmp_path / "a.csv")] == ["schön", "", "übel"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code, _, err = ran(["predict", run], capsys)
    assert code == 2 and "no text to label" in err


def test_evaluate_takes_the_columns_of_training(run, tmp_path, capsys):
    file = write_reviews(tmp_path / "other.csv", rows=50)
    code, out, _ = ran(["evaluate", run, file, "--json"], capsys)
    assert code == 0 and json.loads(out)["n"] == 50
