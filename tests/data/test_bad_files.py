"""Every way in which a file of one's own can be wrong ends in one message that names the place and the fix."""

from __future__ import annotations

import gzip
import json
import shlex
from pathlib import Path

import pandas as pd
import pytest

from gatewise.cli import main
from gatewise.data.tables import find_text_columns, read_table
from gatewise.errors import DataError, OptionError
from gatewise.kinds.classification.loading import load_text
from gatewise.kinds.forecasting.series.loading import load_series


def rows(count=20, names=("pos", "neg")):
    return [f"text number {n},{names[n % len(names)]}" for n in range(count)]


def write(folder, lines, name="reviews.csv", header="text,label"):
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def refused(path, **options):
    with pytest.raises(DataError) as caught:
        load_text(path, **options)
    return caught.value


def test_missing_file_suggests_the_near_one(tmp_path):
    write(tmp_path, rows())
    error = refused(tmp_path / "reveiws.csv")
    assert "does not exist" in error.message
    assert "reviews.csv" in error.fix


def test_missing_folder(tmp_path):
    assert "folder" in refused(tmp_path / "nowhere" / "a.csv").fix


def test_unknown_name_suggests_a_known_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused("imbd").fix == "did you mean 'imdb'?"


def test_a_folder(tmp_path):
    assert "is a folder" in refused(tmp_path).message


def test_a_folder_called_like_a_file(tmp_path):
    (tmp_path / "a.csv").mkdir()
    assert "is a folder" in refused(tmp_path / "a.csv").message


def test_unknown_suffix(tmp_path):
    path = tmp_path / "reviews.xls"
    path.write_bytes(b"PK")
    assert ".csv" in refused(path).expected
    assert ".xlsx" in refused(path).fix


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \r\n"])
def test_empty_file(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert "is empty" in refused(path).message


def test_only_a_header(tmp_path):
    assert "header but no rows" in refused(write(tmp_path, [])).message


def test_missing_column_suggests_the_near_one(tmp_path):
    path = write(tmp_path, rows(), header="review,sentiment")
    error = refused(path, text="reveiw", label="sentiment")
    assert error.message == "column 'reveiw' is not in reviews.csv"
    assert error.got == "review, sentiment"
    assert error.fix == "did you mean 'review'?"


def test_missing_default_column_names_the_option(tmp_path):
    path = write(tmp_path, [row + ",x" for row in rows()], header="what,label,more")
    assert refused(path).fix == "name it with --text COLUMN; for example: --text what --label label"


def test_two_unknown_columns_are_asked_for_at_once(tmp_path):
    error = refused(write(tmp_path, [f"{row},7" for row in rows()], header="recenze,nálada,číslo"))
    assert "texts and the labels" in error.message and error.got == "recenze, nálada, číslo"
    assert error.fix.startswith(
        "name them with --text COLUMN --label COLUMN; for numbers over time: --task forecasting"
    )
    assert error.fix.endswith(f"; for example: --text recenze --label {shlex.quote('nálada')}")


def test_a_table_whose_columns_are_undecided_is_read_with_the_options_of_the_error(tmp_path, capsys):
    words = [
        f'{n},2024-01-{n % 28 + 1:02d},"ein Satz {n} mit Worten",{("Tier", "Ding")[n % 2]},{n / 7}' for n in range(60)
    ]
    path = tmp_path / "people data.csv"
    path.write_text("\n".join(["id,when,der Satz,thema,score", *words]))
    for name in ("train", "compare"):  # whatever the command: it is repeated with these
        with pytest.raises(SystemExit):
            main([name, str(path), "--epochs", "1"])
        options = capsys.readouterr().err.rpartition("for example: ")[2].strip()
        assert options == "--text 'der Satz' --label thema"
    assert read_table(path, *shlex.split(options)[1::2]).labels[:2] == ["Tier", "Ding"]
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("\n".join(["a,b,c", *(f"{n},{n % 3},{n}" for n in range(20))]))
    assert "for example" not in str(refused(numbers).fix)  # nothing looks like a text


@pytest.mark.parametrize("header", ["review,sentiment", "Review,label", "recenze,label", "Tweet,odd", "class,what"])
def test_usual_names_of_columns_are_known_and_said(tmp_path, header):
    lines = [",".join(reversed(row.split(","))) for row in rows()] if header == "class,what" else rows()
    table = read_table(write(tmp_path, lines, header=header))
    assert len(set(table.labels)) == 2 and len(set(table.texts)) == 20
    columns = header.split(",")[:: -1 if header == "class,what" else 1]
    assert table.notes == [f"texts are the column {columns[0]}, labels the column {columns[1]}"]


def test_two_usual_names_of_one_role_are_not_chosen_from(tmp_path):
    path = write(tmp_path, [row + ",x" for row in rows()], header="review,label,comment")
    assert refused(path).fix == "name it with --text COLUMN; for example: --text review --label label"


def test_a_table_to_label_may_have_one_column_or_labels_beside_the_texts():
    assert find_text_columns(Path("a.csv"), ["recenze"], None) == [0]
    assert find_text_columns(Path("a.csv"), ["sentiment", "recenze"], None) == [1]
    with pytest.raises(DataError, match="'text'"):
        find_text_columns(Path("a.csv"), ["one", "two"], None)


def test_same_column_for_text_and_label(tmp_path):
    assert "both" in refused(write(tmp_path, rows()), text="text", label="text").message


def test_doubled_column(tmp_path):
    assert "twice" in refused(write(tmp_path, [row + ",x" for row in rows()], header="text,label,text")).message


def test_one_class(tmp_path):
    error = refused(write(tmp_path, rows(names=("pos",))))
    assert "all 20 labels" in error.message
    assert "'pos'" in error.message


@pytest.mark.parametrize("examples", [1, 2])
def test_a_class_with_too_few_examples(tmp_path, examples):
    lines = rows() + [f"rare {n},odd" for n in range(examples)]
    error = refused(write(tmp_path, lines))
    assert f"'odd' has {examples} text" in error.message
    assert "at least 3" in error.expected


def test_a_class_whose_examples_are_all_the_same_text(tmp_path):
    error = refused(write(tmp_path, [*rows(), "rare,odd", "rare ,odd", "rare,odd", "rare,odd"]))
    assert "'odd' has 1 text" in error.message


@pytest.mark.parametrize(("line", "what"), [(",pos", "text"), ('"  \t ",pos', "text"), ("fine, ", "label")])
def test_a_note_names_the_line_of_an_empty_text_or_label(tmp_path, line, what):
    path = write(tmp_path, [*rows(), line])
    assert f"1 of 21 rows has no {what} (line 22) and is left out" in load_text(path).notes


def test_text_of_five_megabytes(tmp_path):
    error = refused(write(tmp_path, [*rows(), "x " * 2_500_000 + ",pos"]))
    assert "5,000,000 characters in line 22" in error.message


def test_a_long_text_below_the_limit_is_taken(tmp_path):
    dataset = load_text(write(tmp_path, [*rows(), "word " * 100_000 + ",pos"]))
    assert max(len(text) for part in (dataset.train, dataset.validation, dataset.test) for text in part.texts) > 400_000


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_encodings_without_a_mark(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes("\n".join(["text,label", *rows()]).encode(encoding))
    error = refused(path)
    assert "UTF-8" in str(error.expected)
    assert "iconv" in error.fix


def test_another_encoding_names_the_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("\n".join(["text,label", *rows(), "очень хорошо,pos"]).encode("cp1251"))
    error = refused(path)
    assert "byte 0xee in line 22" in error.message
    assert "--encoding cp1251" in error.fix and "1252" not in error.got


def test_nul_byte_names_the_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("\n".join(["text,label", *rows(), "a\0b,pos"]).encode())
    assert "NUL byte in line 22" in refused(path).message


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([*rows(), '"said "hello" to me",pos', "fine,neg"], 22),
        ([*rows(4), '"never closed,pos', *rows()], 6),
        ([*rows(), '"last one,pos'], 22),
    ],
)
def test_broken_quoting_names_the_line(tmp_path, lines, line):
    error = refused(write(tmp_path, lines))
    assert f"line {line}: broken quoting" in error.message


def test_row_with_too_many_fields_names_the_line(tmp_path):
    error = refused(write(tmp_path, [*rows(), "well, well,pos"]))
    assert "line 22: the row has 3 fields" in error.message


def test_line_numbers_count_lines_inside_quotes(tmp_path):
    path = write(tmp_path, ['"two\nlines",pos', *rows(), ",pos"])
    assert "1 of 22 rows has no text (line 24) and is left out" in load_text(path).notes


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{broken", "line 21: not JSON"),
        ("[1]", "line 21: not a JSON object"),
        ('{"text": "a"}', "line 21: the key 'label' is missing"),
        ('{"text": 5, "label": "pos"}', "line 21: 'text' is not a string"),
        ('{"text": "a", "label": 0.5}', "line 21: the label is not a class"),
    ],
)
def test_broken_json_lines(tmp_path, line, words):
    path = tmp_path / "a.jsonl"
    good = [json.dumps({"text": f"t {n}", "label": n % 2}) for n in range(20)]
    path.write_text("\n".join([*good, line]))
    assert words in refused(path).message


def test_broken_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 not really")
    assert "not a Parquet file" in refused(path).message


def test_missing_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    assert "does not exist" in refused(tmp_path / "a.parquet").message


def test_label_of_the_test_file_that_was_never_trained(tmp_path):
    path = write(tmp_path, rows())
    test = write(tmp_path, ["new,positive"], name="test.csv")
    error = refused(path, test=test)
    assert "test.csv, line 2: the label 'positive'" in error.message


def test_every_training_text_is_tested(tmp_path):
    path = write(tmp_path, rows())
    assert "every training text" in refused(path, test=path).message


def test_columns_do_not_go_with_a_known_data_set():
    with pytest.raises(OptionError, match="--text does not go with"):
        load_text("imdb", text="review")


def table_bytes(folder, suffix):
    """A usable table of 60 rows in a format that a library reads."""
    table = pd.DataFrame({"text": [f"word{n} film" for n in range(60)], "label": ["a", "b"] * 30})
    path = folder / f"whole{suffix}"
    {".xlsx": lambda: table.to_excel(path, index=False), ".parquet": lambda: table.to_parquet(path)}.get(
        suffix, lambda: table.to_csv(path, index=False)
    )()
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet", ".csv.gz"])
@pytest.mark.parametrize("damage", ["cut", "empty", "overwritten", "text"])
def test_what_another_library_says_of_a_damaged_file_comes_with_the_fix(tmp_path, suffix, damage, capsys):
    whole = table_bytes(tmp_path, suffix)
    broken = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "overwritten": whole[:30] + b"y" * (len(whole) - 60) + whole[-30:],
        "text": b"this is no table at all\n",
    }[damage]
    place = tmp_path / f"a{suffix}"
    place.write_bytes(broken)
    with pytest.raises(SystemExit) as left:
        main(["train", str(place), "--epochs", "1", "--out", str(tmp_path / "run")])
    said = capsys.readouterr().err
    assert left.value.code == 2 and said.startswith(f"Error: {place}") and "\n  fix: " in said, said
    assert "is empty" in said or damage != "empty"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"text": "a", "label": "b"}, {"text": '),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": \n'),
        ("a.json", "[1, 2]"),
        ("a.json", "3"),
        ("a.json", "[" * 100_000),
        ("a.json", "{}"),
    ],
)
def test_broken_json_comes_with_the_fix(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    error = refused(tmp_path / name)
    assert error.expected and error.fix


def test_a_damaged_series_is_refused(tmp_path):
    content = bytearray(
        gzip.compress("\n".join(["day,price", *[f"2026-01-{n:02},{n}" for n in range(1, 30)]]).encode())
    )
    content[40:70] = b"y" * 30
    (tmp_path / "a.csv.gz").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"not a gzip file, or a damaged one; .*fix: copy or download"):
        load_series(tmp_path / "a.csv.gz", time="day", target="price", horizon=2, lookback=5)


def test_a_title_above_the_columns_names_is_said(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Survey of 2024\ntext,label\nfine,a\npoor,b\n")
    with pytest.raises(DataError, match=r"line 2: the row has 2 fields; expected: 1.*or delete what stands above"):
        read_table(path)
