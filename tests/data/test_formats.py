"""One table in every format a person may have, and what each format can get wrong."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest

from gatewise.data.rows import MISSING, read_rows
from gatewise.data.separated import detect_separator, rare_separator
from gatewise.data.tables import find_text_columns, read_table
from gatewise.errors import DataError

TEXTS = ["ein schöner Film", 'er sagte "gut",\nund ging', "很好的电影", "ดีมาก; จริง", "plain|text", "tab\there"]
LABELS = ["1", "0", "1", "1", "0", "0"]


def separated(separator=",", newline="\r\n"):
    content = io.StringIO(newline="")
    writer = csv.writer(content, delimiter=separator, lineterminator=newline)
    writer.writerow(["id", "text", "label"])
    writer.writerows([number, text, label] for number, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True)))
    return content.getvalue()


def excel(path, rows, title="Sheet1", more=()):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    for name, extra in more:
        sheet = book.create_sheet(name)
        for row in extra:
            sheet.append(row)
    book.save(path)
    return path


def _write(kind, path):
    records = [{"id": n, "text": t, "label": int(v)} for n, (t, v) in enumerate(zip(TEXTS, LABELS, strict=True))]
    columns = {name: [record[name] for record in records] for name in records[0]}
    if kind == "xlsx":
        excel(path, [list(columns), *(list(record.values()) for record in records)])
    elif kind == "parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pa.table(columns), path)
    else:
        written = {
            "csv": separated(),
            "csv.gz": separated(),
            "tsv": separated("\t"),
            "tsv.gz": separated("\t", "\n"),
            "jsonl": "\n".join(map(json.dumps, records)),
            "jsonl.gz": "\r\n".join(map(json.dumps, records)) + "\r\n",
            "json": json.dumps(records, indent=1),
            "json.gz": json.dumps(records),
            "columns.json": json.dumps(columns, ensure_ascii=False),
            "pandas.json": json.dumps({n: {str(i): v for i, v in enumerate(c)} for n, c in columns.items()}),
            "lines.json": "\n".join(map(json.dumps, records)),
            "data.json": json.dumps({"data": records}),
        }[kind].encode("utf-8-sig")
        path.write_bytes(gzip.compress(written) if kind.endswith(".gz") else written)


KINDS = (
    "csv", "csv.gz", "tsv", "tsv.gz", "jsonl", "jsonl.gz", "json", "json.gz", "columns.json", "pandas.json",
    "lines.json", "data.json", "parquet", "xlsx",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_holds_the_same_table(kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    _write(kind, path)
    table = read_table(path)
    assert table.texts == TEXTS and table.labels == LABELS
    assert read_rows(path).columns == ("id", "text", "label")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_separators_are_detected_whatever_the_suffix(separator, suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(separated(separator).encode())
    table = read_table(path)
    assert table.texts == TEXTS
    assert bool(table.notes) == (separator != {"csv": ",", "tsv": "\t"}[suffix])


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ("text,label\na;b;c,1\nd,0\n", ","),
        ("text;label\na,b;1\nc;0\n", ";"),
        ('"text, whole";label\na,b;1\nc;0\n', ";"),
        ("text\nno separator, here\n", ","),
        ("text|score,new|label\na|1,0|x\nb|2,5|y\n", "|"),
        ("text,label\nbroken, row, here\n", ","),
    ],
)
def test_detect_separator(content, separator):
    assert detect_separator(content, ",") == separator


def test_the_line_that_excel_hides(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("sep=;\ntext;label\nfine;1\n;0\n")
    with pytest.raises(DataError, match="empty text") as caught:
        read_table(path)
    assert caught.value.got == "line 4"


def test_old_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"text;label\rfine;1\rbad;0\r")
    assert read_table(path).texts == ["fine", "bad"]


def test_empty_rows_of_one_column_stay(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text\nfine\n""\n\n" "\nbad\n')
    assert [row for (row,) in read_rows(path).values] == ["fine", "", " ", "bad"]


def test_missing_keys_are_told_from_empty_values(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": 1}\n{"label": null, "more": [1]}\n')
    rows = read_rows(path)
    assert rows.columns == ("text", "label", "more")
    assert rows.values == [["a", 1, MISSING], [MISSING, None, [1]]]
    with pytest.raises(DataError, match="line 2: the key 'text' is missing"):
        read_table(path)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["1.0", "0.0"], ["1", "0"]),
        (["1", "NaN"], None),
        (["1", "null"], None),
        (["true", "false"], ["true", "false"]),
        (['" x "', '"y"'], ["x", "y"]),
    ],
)
def test_labels_of_json(labels, names, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[" + ",".join(f'{{"text": "t{n}", "label": {label}}}' for n, label in enumerate(labels)) + "]")
    if names is not None:
        assert read_table(path).labels == names
        return
    with pytest.raises(DataError, match="empty label") as caught:
        read_table(path)
    assert caught.value.got == "row 2"


def test_labels_of_parquet_with_a_missing_one(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": ["a", "b", "c"], "label": [1, None, 0], "text ": [[1], [2], [3]]}).to_parquet(path)
    table = read_table(path)
    assert table.texts == ["a", "c"] and table.lines == [1, 3]
    assert "1 of 3 rows has no label (row 2) and is left out" in table.notes
    assert read_rows(path).values[2] == ["c", 0.0, [3]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1, 2]", "row 1: not a JSON object"),
        ('{"text": "a"}', "'text' is not a column"),
        ('{"text": ["a", "b"], "label": ["x"]}', "the column 'label' has other rows"),
        ('{"text": {"0": "a"}, "label": {"1": "x"}}', "the column 'label' has other rows"),
        ('{"text": ["a"], "label": "x"}', "'label' is not a column"),
        ("{}", "has no columns"),
        ("[]", "header but no rows"),
        ('[{"text": "a", "label": 1},\n{"text": }]', "line 2: not JSON"),
        ('"a"', "is not a table"),
        ("[" * 100_000, "not"),
    ],
)
def test_broken_json(content, words, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError, match=words.replace("(", r"\(")):
        read_table(path)


def test_a_list_under_the_wrong_name(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('[{"text": "a", "label": 1}]')
    with pytest.raises(DataError, match="not a JSON object") as caught:
        read_table(path)
    assert ".json" in caught.value.fix


def test_workbooks(tmp_path):
    rows = [["text", "label"], ["fine", 1], [2012, 0], [None, None], ["bad", 0], [None, None]]
    path = excel(tmp_path / "a.xlsx", rows, title="Reviews", more=[("other", [["x"]])])
    table = read_table(path)
    assert table.texts == ["fine", "2012", "bad"] and table.labels == ["1", "0", "0"] and table.lines == [2, 3, 5]
    assert any("'Reviews'" in note for note in table.notes)
    assert len(read_rows(path).values) == 4
    assert "1 of 4 rows has no label (row 7) and is left out" in (
        read_table(excel(tmp_path / "b.xlsx", [*rows, ["good", "#N/A"]])).notes
    )
    with pytest.raises(DataError, match="row 2: the row has 3 cells"):
        read_table(excel(tmp_path / "c.xlsx", [["text", "label"], ["a", 1, "beside"]]))
    with pytest.raises(DataError, match="is empty"):
        read_table(excel(tmp_path / "d.xlsx", []))
    with pytest.raises(DataError, match="header but no rows"):
        read_table(excel(tmp_path / "e.xlsx", [["text", "label"]]))


def test_no_workbook(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(DataError, match="is not an Excel workbook"):
        read_table(path)
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "none.xlsx")


def test_a_workbook_without_the_extra(tmp_path, monkeypatch):
    import sys

    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert "gatewise[excel]" in caught.value.fix


@pytest.mark.parametrize("name", ["a.csv.zip", "a.parquet.gz", "a.ods", "a"])
def test_other_suffixes(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"text,label\n")
    with pytest.raises(DataError, match="suffix"):
        read_table(path)


def test_several_columns_are_one_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("title,body,label\ngood,really,1\n,only body,0\n")
    table = read_table(path, "title, body")
    assert table.texts == ["good\nreally", "only body"]
    assert any("title, body" in note for note in table.notes)
    with pytest.raises(DataError, match="column 'boddy'") as caught:
        read_table(path, "title,boddy")
    assert "'body'" in caught.value.fix
    with pytest.raises(DataError, match="both text and label"):
        read_table(path, "title,label")


def test_a_column_whose_name_has_a_comma():
    from pathlib import Path

    assert find_text_columns(Path("a.csv"), ["title", "title,body", "body"], "title,body") == [1]


def test_gzip_that_is_cut_off(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(separated().encode())[:-12])
    with pytest.raises(DataError, match="damaged gzip"):
        read_table(path)


@pytest.mark.parametrize("sign", ["~", "^", "¦", "\x01"])
def test_rare_separators_are_found_where_the_header_has_no_usual_one(tmp_path, sign):
    path = tmp_path / "a.csv"
    path.write_text(separated(sign).replace("schöner", "schöner, guter"), encoding="utf-8", newline="")
    table = read_table(path)
    assert table.labels == LABELS and any(repr(sign) in note for note in table.notes)
    assert table.texts == [text.replace("schöner", "schöner, guter") for text in TEXTS]


@pytest.mark.parametrize(("sign", "shown"), [("::", "'::'"), (" => ", "'=>'"), ("#", "put the line sep=# above it")])
def test_a_sign_that_is_not_looked_for_is_named(tmp_path, sign, shown):
    path = tmp_path / "a.csv"
    rows = [f"text{sign}label", *(f"a film {number}{sign}{number % 2}" for number in range(9))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"seem to be separated by .*{shown}"):
        read_table(path)
    if len(sign) == 1:
        path.write_text("\n".join([f"sep={sign}", *rows]) + "\n", encoding="utf-8")
        assert read_table(path).labels == [str(number % 2) for number in range(9)]


@pytest.mark.parametrize(
    "content",
    ["text,label\na~b,1\nc~d,0\n", "text\na~b\nc~d\n", "a text~here\nno sign\nc~d\n", "and/or\none / two\nnone\n", ""],
)
def test_what_separates_no_columns(tmp_path, content):
    assert rare_separator(tmp_path / "a.csv", content) is None


def test_a_column_of_texts_whose_name_could_mean_several_is_said_to_mean_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('a,b,"a,b",label\n' + "".join(f"one {n},two {n},three {n},{n % 2}\n" for n in range(4)))
    table = read_table(path, "a,b", "label")
    assert table.texts[1] == "three 1"
    assert (
        "'a,b' is read as the column of this name, not as the columns 'a' and 'b': for these write 'a, b'"
        in table.notes
    )
    table = read_table(path, "a, b", "label")
    assert table.texts[1] == "one 1\ntwo 1" and not any("of this name" in note for note in table.notes)


def test_rows_without_a_text_or_a_label_are_left_out_and_said(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label,film\nfine,1,a\n ,0,b\nbad,0,c\nnone,,d\npoor,0,e\n")
    table = read_table(path, group="film")
    assert (table.texts, table.labels, table.lines) == (["fine", "bad", "poor"], ["1", "0", "0"], [2, 4, 6])
    assert table.groups == ["a", "c", "e"]
    assert table.notes[-2:] == [
        "1 of 5 rows has no text (line 3) and is left out",
        "1 of 5 rows has no label (line 5) and is left out",
    ]
    path.write_text("text,label\nfine,1\n,0\nbad,\npoor,\n")
    with pytest.raises(DataError, match="2 rows with an empty label") as caught:
        read_table(path)
    assert caught.value.got == "lines 4, 5"
    path.write_text("text,label,film\nfine,1,a\nbad,0,\n")
    with pytest.raises(DataError, match="1 row with an empty group"):
        read_table(path, group="film")
