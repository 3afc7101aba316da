"""Words that are joined with their tags, and tables with a row for each word: read without options, and said."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from small_sentences import SMALL, sentences, write

from commands import ran
from gatewise.errors import DataError
from gatewise.kinds.tagging.dataset import load_tagging
from gatewise.kinds.tagging.joined import holds_joined
from gatewise.kinds.tagging.reading import read_tagged
from gatewise.kinds.tagging.sentence_tables import holds_sentence_table
from gatewise.kinds.tagging.spec import TaggingDataSpec
from gatewise.training import task_of

FLAGS = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]
EXAMPLE = "EU/NNP rejects/VBZ German/JJ call/NN to/TO boycott/VB 1\\/2/CD and\\/or/CC B&O/NNP ./.\n"


def _joined(path: Path, rows: list[list[tuple[str, str]]]) -> Path:
    path.write_text("\n".join(" ".join(f"{word}/{tag}" for word, tag in row) for row in rows) + "\n", encoding="utf-8")
    return path


def _table(path: Path, rows: list[list[tuple[str, str]]], *, blank: bool = True, encoding: str = "utf-8") -> Path:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(["Sentence #", "Word", "POS", "Tag"])
    for number, row in enumerate(rows, start=1):
        for place, (word, tag) in enumerate(row):
            writer.writerow(["" if blank and place else f"Sentence: {number}", word, f"X{len(word) % 3}", tag])
    path.write_bytes(written.getvalue().encode(encoding))
    return path


def test_the_last_slash_separates_word_and_tag_and_an_escaped_one_is_a_slash(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(EXAMPLE + "\n\tThe/at Fulton/np-tl http://x.org/a/nn //sym\n")
    read = read_tagged(tmp_path / "a.txt")
    first, second = read.sentences
    assert first.words == ("EU", "rejects", "German", "call", "to", "boycott", "1/2", "and/or", "B&O", ".")
    assert first.tags == ("NNP", "VBZ", "JJ", "NN", "TO", "VB", "CD", "CC", "NNP", ".")
    assert second.words == ("The", "Fulton", "http://x.org/a", "/") and second.tags == ("at", "np-tl", "nn", "sym")
    assert second.line_of(0) == second.line_of(2) == 3 and read.columns is None
    assert read.notes == (
        f"{tmp_path / 'a.txt'} has words that are joined with their tags by slashes, a sentence a line: 2 sentences",
    )
    asked = read_tagged(tmp_path / "a.txt", tags=-1)
    assert asked.sentences == read.sentences and "--words and --tags are not used" in asked.notes[1]
    (tmp_path / "b.txt").write_text(EXAMPLE + "One/CD word/NN\nwithout tag/NN\n")
    with pytest.raises(DataError, match=r"b\.txt: line 3 has a word without a tag.*got: 'without'"):
        read_tagged(tmp_path / "b.txt")


def test_texts_of_joined_words_are_tagging_and_others_are_not(tmp_path: Path) -> None:
    rows = sentences()
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(_joined(tmp_path / "a.txt", rows).read_bytes()))
    assert task_of(str(tmp_path / "a.txt")) == "tagging" and holds_joined(tmp_path / "a.txt.gz")
    others = {
        "dates": "on 3/4/2020 and/or 5/6/2021 he/she went there\n" * 20,
        "addresses": "".join(f"https://example.org/page{n} http://example.org/{n}\n" for n in range(40)),
        "fractions": "1/2 3/4 5/6 7/8\n" * 20,
        "words": "".join(f"{word} {tag}\n" for row in rows for word, tag in row),
        "single": "".join(f"{word}/{tag}\n" for row in rows for word, tag in row),
        "short": EXAMPLE,
        "paths": "src/nn/cell.c src/nn/loop.c src/io/cell.c src/io/loop.c\n" * 20,
        "units": "90km/h 12m/s 3kg/m 7km/h 8m/s\n" * 20,
        "alternatives": "and/or he/she or/and she/he\n" * 20,
    }
    for name, content in others.items():
        (tmp_path / f"{name}.txt").write_text(content)
        assert not holds_joined(tmp_path / f"{name}.txt"), name


PENN = r"""
*x*Copyright/NN of/IN a/DT head/NN*x*

======================================

[ The/DT grand/JJ jury/NN ]
said/VBD 1\/2/CD of/IN
[ them/PRP ]
was/VBD late/JJ|RB ./. ''/''
[ Mr./NNP \*Vinken/NNP ]
asked/VBD ,/, ``/`` Why/WRB ?/. ''/'' he/PRP said/VBD ./.

[ A/DT HEADLINE/NN ]

======================================

[ It/PRP ]
fell/VBD ./.
"""


def test_the_penn_treebanks_bracketed_files_are_sentences(tmp_path: Path) -> None:
    path = tmp_path / "wsj_0001.pos"
    path.write_text(PENN)
    assert task_of(str(path)) == "tagging"
    read = read_tagged(path)
    assert [" ".join(each.words) for each in read.sentences] == [
        "The grand jury said 1/2 of them was late . ''",
        "Mr. *Vinken asked , `` Why ? '' he said .",
        "A HEADLINE",
        "It fell .",
    ]
    assert read.sentences[0].tags == ("DT", "JJ", "NN", "VBD", "CD", "IN", "PRP", "VBD", "JJ", ".", "''")
    assert (
        read.sentences[0].line_of(0) == 6 and read.sentences[0].line_of(4) == 7 and read.sentences[3].line_of(1) == 18
    )
    assert "brackets, which are not read: 4 sentences" in read.notes[0]
    assert read.notes[1] == f"1 word of {path} with several tags (such as JJ|NN): the first is read"
    (tmp_path / "wsj.txt").write_text(PENN * 3)
    assert task_of(str(tmp_path / "wsj.txt")) == "tagging" and holds_joined(tmp_path / "wsj.txt")
    path.write_text("[ The/DT jury/NN ]\n" * 9 + "[ a word ]\n")
    with pytest.raises(DataError, match=r"line 10 has a word without a tag.*a word"):
        read_tagged(path)
    (tmp_path / "list.txt").write_text("[ 1/2 3/4 ]\n" * 20)
    assert not holds_joined(tmp_path / "list.txt")


def test_joined_words_give_the_data_of_columns(tmp_path: Path) -> None:
    rows = sentences()
    joined = load_tagging(TaggingDataSpec(str(_joined(tmp_path / "a.txt", rows))))
    columns = load_tagging(TaggingDataSpec(str(write(tmp_path / "a.conll", rows))))
    assert joined.fingerprint == columns.fingerprint and joined.tag_set.scheme == "iob2"
    mixed = load_tagging(TaggingDataSpec(str(tmp_path / "a.conll"), test=str(_joined(tmp_path / "t.txt", rows[:9]))))
    assert mixed.sizes["test"] == 9


@pytest.mark.parametrize("blank", [True, False])
def test_a_table_with_a_row_for_each_word_gives_the_data_of_columns(tmp_path: Path, blank: bool) -> None:
    rows = [[("“", "O"), *row, ('"', "O")] for row in sentences()]
    path = _table(tmp_path / "ner.csv", rows, blank=blank)
    assert task_of(str(path)) == "tagging"
    table = load_tagging(TaggingDataSpec(str(path)))
    assert table.fingerprint == load_tagging(TaggingDataSpec(str(write(tmp_path / "a.conll", rows)))).fingerprint
    assert f"a sentence of {path} begins where 'Sentence #' says so: 60 sentences" in table.notes
    assert "tags are read from column 4 of 4 (Tag), the last that is not constant" in table.notes
    assert load_tagging(TaggingDataSpec(str(path), tags="POS")).tag_set.names == ("X0", "X1", "X2")
    (tmp_path / "ner.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert len(read_tagged(tmp_path / "ner.csv.gz")) == 60


def test_tables_in_latin_1_are_read_and_said(tmp_path: Path) -> None:
    rows = [[(word.replace("Łódź", "Lodz"), tag) for word, tag in row] for row in sentences()]
    read = read_tagged(_table(tmp_path / "one.csv", rows, encoding="cp1252"))
    assert ("Köln", "B-LOC") in {pair for each in read.sentences for pair in zip(each.words, each.tags, strict=True)}
    assert read.notes[0].endswith("is not UTF-8 and was read as Windows-1252; if words look wrong, save it as UTF-8")
    names = [("Ségolène", "B-per"), ("Erdoðan", "B-per"), ("İstanbul".replace("İ", "Ý"), "B-geo"), ("a\x81b", "O")]
    many = [[("plain", "O")] * 30 for _ in range(60)]
    read = read_tagged(_table(tmp_path / "several.csv", [names, *many], encoding="latin-1"))
    assert read.sentences[0].words == tuple(word for word, _ in names)
    assert read.notes[0].endswith("is not UTF-8 and was read as Latin-1; if words look wrong, save it as UTF-8")
    cyrillic = [[("Москва", "B-LOC"), ("ждёт", "O")]] * 30
    with pytest.raises(DataError, match="is not UTF-8"):
        read_tagged(_table(tmp_path / "other.csv", cyrillic, encoding="cp1251"))


def test_rows_without_a_word_are_left_out_and_other_tables_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Sentence #,Word,POS,Tag\nSentence: 1,EU,NNP,B-org\n,,NN,O\n,,,\n,fell,VBD,O\n")
    read = read_tagged(path)
    assert read.sentences[0].words == ("EU", "fell") and read.sentences[0].line_of(1) == 5
    assert "1 row has no word and is left out (the first in line 3)" in read.notes
    for head in ("text,label", "Sentence #,Sentence,POS,Tag", "Word,Tag", "sentence,word"):
        path.write_text(f"{head}\na,b\n")
        assert not holds_sentence_table(path), head
    assert not holds_sentence_table(tmp_path / "none.csv") and not holds_sentence_table(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["joined.txt", "ner.csv"])
def test_commands_take_them(layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = sentences()
    data = _joined(tmp_path / layout, rows) if layout.endswith("txt") else _table(tmp_path / layout, rows)
    run, columns = tmp_path / "run", write(tmp_path / "a.conll", rows)
    code, out, err = ran(["train", data, *FLAGS, "--cell", "gru", "--out", run], capsys)
    assert code == 0 and "60 sentences" in out + err
    figures = [json.loads(ran(["evaluate", run, file, "--json"], capsys)[1]) for file in (data, columns)]
    assert figures[0]["words"] == figures[1]["words"] and figures[0]["span_f1"] == figures[1]["span_f1"]
    code, out, err = ran(["predict", run, "--file", data, "--json"], capsys)
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(answers) == 60 and "its own tags are not used" in err
    assert answers[0]["words"] == [word for word, _ in rows[0]]


def test_tags_that_stand_before_the_words_are_said_with_what_exchanges_them(tmp_path: Path) -> None:
    rows = [[(f"word{number}x{place}", "NV"[place % 2]) for place in range(20)] for number in range(40)]
    (tmp_path / "a.conll").write_text(
        "\n\n".join("\n".join(f"{tag} {word}" for word, tag in row) for row in rows) + "\n"
    )
    (note,) = [note for note in read_tagged(tmp_path / "a.conll").notes if "is it the tags?" in note]
    assert "column 2 of" in note and note.endswith("Column 1 holds 2: --words 2 --tags 1 exchanges them")
    assert read_tagged(tmp_path / "a.conll", words=2, tags=1).sentences[0].words[0] == "word0x0"
