"""What tagging files become: columns, names, JSON lines; each unusable file is refused with its line and a fix."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewise.errors import DataError, OptionError
from gatewise.kinds.tagging.reading import read_tagged
from gatewise.kinds.tagging.tokenisation import tokenise
from gatewise.training.registry import task_of

SHARED = Path(os.environ.get("GATEWISE_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


def write(folder: Path, content: str | bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "tags", "column"),
    [
        ("Bonn NNP B-NP B-LOC\nwaits VBZ B-VP O\n", ("B-LOC", "O"), 4),
        ("Bonn NNP B-LOC\nwaits VBZ O\n", ("B-LOC", "O"), 3),
        ("Bonn B-LOC 0\nwaits O 0\n", ("B-LOC", "O"), 2),
        ("Bonn\tB-LOC\nwaits\tO\n", ("B-LOC", "O"), 2),
        ("1 Bonn B-LOC O\n2 waits O O\n", ("B-LOC", "O"), 3),
        ("Bonn  B-LOC   \nwaits\t O\n", ("B-LOC", "O"), 2),
    ],
)
def test_the_last_column_that_varies_holds_the_tags_and_a_note_says_so(
    tmp_path: Path, content: str, tags: tuple[str, ...], column: int
) -> None:
    read = read_tagged(write(tmp_path, content))
    assert [(s.words, s.tags) for s in read.sentences] == [(("Bonn", "waits"), tags)]
    assert read.columns is not None and read.columns.tags == column
    assert any(f"column {column} of" in note for note in read.notes)


def test_columns_can_be_chosen_by_number_from_either_end(tmp_path: Path) -> None:
    path = write(tmp_path, "Bonn NNP B-NP B-LOC\nwaits VBZ B-VP O\n")
    assert read_tagged(path, tags=2).sentences[0].tags == ("NNP", "VBZ")
    assert read_tagged(path, tags=-2).sentences[0].tags == ("B-NP", "B-VP")
    assert read_tagged(path, words=4, tags=1).sentences[0].words == ("B-LOC", "O")
    with pytest.raises(DataError, match=r"no column 5 for the tag; expected: 1 to 4"):
        read_tagged(path, tags=5)
    with pytest.raises(DataError, match="same column"):
        read_tagged(path, tags=-4)
    with pytest.raises(DataError, match="no header, so there is no column named 'ner'"):
        read_tagged(path, tags="ner")


@pytest.mark.parametrize("header", ["pos\tword\tner\n", "# global.columns = pos word ner\n"])
def test_columns_can_be_chosen_by_name(tmp_path: Path, header: str) -> None:
    path = write(tmp_path, header + "NNP\tNew York\tB-LOC\nVBZ\twaits\tO\n\nNN\tend\tO\n")
    read = read_tagged(path)
    assert read.sentences[0].words == ("New York", "waits")
    assert read.sentences[0].line == 2
    assert read_tagged(path, tags="pos").sentences[0].tags == ("NNP", "VBZ")
    with pytest.raises(DataError, match=r"no column 'nre'; expected: one of: pos, word, ner; fix: did you mean 'ner'"):
        read_tagged(path, tags="nre")


def test_universal_dependencies_are_read_with_their_own_columns(tmp_path: Path) -> None:
    content = (
        "# sent_id = 1\n# text = Zum Haus\n"
        "1-2\tZum\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "1\tzu\tzu\tADP\tAPPR\t_\t0\troot\t_\t_\n"
        "2\tdem\tder\tDET\tART\t_\t1\tdet\t_\t_\n"
        "2.1\tx\tx\tX\tX\t_\t_\t_\t_\t_\n"
        "3\tHaus\tHaus\tNOUN\tNN\t_\t1\tobl\t_\tSpaceAfter=No\n\n"
    )
    read = read_tagged(write(tmp_path, content, "a.conllu"))
    sentence = read.sentences[0]
    assert (sentence.words, sentence.tags) == (("zu", "dem", "Haus"), ("ADP", "DET", "NOUN"))
    assert [sentence.line_of(at) for at in range(3)] == [4, 5, 7]
    assert any("2 comment lines" in note for note in read.notes)
    assert any("2 lines" in note and "empty nodes" in note for note in read.notes)
    assert read_tagged(tmp_path / "a.conllu", tags="XPOS").sentences[0].tags == ("APPR", "ART", "NN")


def test_document_marks_end_sentences_and_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "-DOCSTART- -X- -X- O\n\nBonn NNP X B-LOC\n-DOCSTART- -X- -X- O\nwaits VBZ Y O\n")
    read = read_tagged(path)
    assert [s.words for s in read.sentences] == [("Bonn",), ("waits",)]
    assert "2 -DOCSTART- lines" in " ".join(read.notes)


def test_metadata_of_as_many_fields_as_columns_is_a_comment(tmp_path: Path) -> None:
    text = "# sent_id = 1\nBonn NNP B-NP B-LOC\nwaits VBZ B-VP O\n\n# sent_id = 2\n# 5 B-NP O\n"
    read = read_tagged(write(tmp_path, text))
    assert [s.words for s in read.sentences] == [("Bonn", "waits"), ("#",)]
    assert any("2 comment lines" in note for note in read.notes)


def test_a_number_sign_can_be_a_word_or_begin_a_comment(tmp_path: Path) -> None:
    read = read_tagged(write(tmp_path, "# O\nBonn B-LOC\n\n# made in 1996 by hand\n# O\n# O\n"))
    assert [s.words for s in read.sentences] == [("#", "Bonn"), ("#", "#")]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packed", [False, True])
def test_line_ends_byte_order_mark_and_gzip_change_nothing(
    tmp_path: Path, ends: str, mark: bytes, packed: bool
) -> None:
    content = mark + ends.join(["Köln B-LOC", "a\u2028b\u00a0c O", "", "", "Bonn B-LOC"]).encode()
    read = read_tagged(write(tmp_path, gzip.compress(content) if packed else content, "a.txt.gz" if packed else "a"))
    assert [s.words for s in read.sentences] == [("Köln", "a\u2028b\u00a0c"), ("Bonn",)]
    assert read.sentences[1].line == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n \n\t\n", "is empty"),
        ("-DOCSTART- O\n\n", "holds no sentence"),
        ("Bonn\nwaits\n", r"line 1 has one column, so there are no tags"),
        ("Bonn,B-LOC\n", "replace the commas"),
        ("Bonn;B-LOC\nwaits;O\n", r"separated by ';'; .*got: 'Bonn;B-LOC'; fix: replace the semicolons"),
        ("Sentence #,Word,Tag\n1,Bonn,B-LOC\n,waits,O\n", r"separated by ','; .*got: 'Sentence #,Word,Tag'; fix: repl"),
        ("Bonn B-LOC\nwaits O\n\nNew York B-LOC\n", r"line 4 has 3 columns; expected: 2, as 2 lines"),
        ("Bonn B-LOC\nwaits\nhere O\n", r"line 2 has 1 column"),
        ("Bonn\tB-LOC\n\tO\n", "line 2 has an empty word"),
        ("Bonn\tB-LOC\nx\t\ny\tO\n", "line 2 has an empty tag"),
        ("Köln B-LOC\n".encode("cp1252"), r"byte 0xf6 in line 1; .*Latin-1 or Windows-1252; fix: convert it: iconv"),
        ("Köln B-LOC\n".encode("utf-16"), "is UTF-16"),
        (b"a\0b O\n", "NUL byte in line 1"),
        (b"\x1f\x8b\x08broken", "damaged gzip"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tagged(write(tmp_path, content))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_tagged(tmp_path / "none.txt")
    with pytest.raises(DataError, match="is a folder"):
        read_tagged(tmp_path)


def test_lines_of_unequal_length_are_read_where_both_columns_are_given(tmp_path: Path) -> None:
    read = read_tagged(write(tmp_path, "Bonn B-LOC\nBonn x B-LOC\nwaits O\n"), words=1, tags=-1)
    assert read.sentences[0].tags == ("B-LOC", "B-LOC", "O")
    assert any("1 line" in note and "another number of columns" in note for note in read.notes)


def test_a_file_without_empty_lines_and_long_words_are_said(tmp_path: Path) -> None:
    read = read_tagged(write(tmp_path, "w O\n" * 600 + "B" * 10_000 + " B-LOC\n"))
    assert len(read) == 1 and len(read.sentences[0].words[-1]) == 10_000
    assert any("no empty line: its 601 words are one sentence" in note for note in read.notes)
    assert any("the longest 10,000 (line 601)" in note for note in read.notes)


def test_constant_columns_and_too_many_tags_are_said(tmp_path: Path) -> None:
    assert "every word has 'O'" in read_tagged(write(tmp_path, "a O\nb O\n")).notes[0]
    read = read_tagged(write(tmp_path, "".join(f"w t{n}\n" for n in range(501))))
    assert any("501 different tags" in note for note in read.notes)


def test_words_alone_are_enough_for_prediction(tmp_path: Path) -> None:
    read = read_tagged(write(tmp_path, "Bonn\nwaits\n\nhere\n"), tags_needed=False)
    assert [(s.words, s.tags) for s in read.sentences] == [(("Bonn", "waits"), ()), (("here",), ())]


def test_json_lines_of_tokens_and_of_text_are_read(tmp_path: Path) -> None:
    records = [
        {"id": 7, "tokens": ["Bonn", "waits"], "tags": ["B-LOC", "O"]},
        {"tokens": [], "tags": []},
        {
            "text": "The Bank of Bonn waits.",
            "entities": [
                {"start": 4, "end": 16, "label": "ORG"},
                {"start": 12, "end": 16, "label": "LOC"},
                {"start": 18, "end": 21, "label": "ACT"},
            ],
        },
    ]
    read = read_tagged(write(tmp_path, "\n".join(map(json.dumps, records)), "a.jsonl"))
    assert read.sentences[0].tags == ("B-LOC", "O")
    assert read.sentences[1].words == ("The", "Bank", "of", "Bonn", "waits", ".")
    assert read.sentences[1].tags == ("O", "B-ORG", "I-ORG", "I-ORG", "B-ACT", "O")
    notes = " | ".join(read.notes)
    for part in ("key 'id' not read (first in line 1)", "without words skipped", "overlaps a longer", "whole words"):
        assert part in notes


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is not JSON"),
        ("7", "line 1 is not a JSON object"),
        ('[{"tokens": []}]', "is one JSON list"),
        ('{"token": ["a"], "tags": ["O"]}', "neither 'tokens' nor 'text'; .*did you mean 'token'"),
        ('{"tokens": ["a"]}', "line 1 has no 'tags'"),
        ('{"tokens": ["a"], "tags": []}', "line 1 has 1 word and 0 tags"),
        ('{"tokens": ["a"], "tags": [3]}', "entry 1 is not a string; .*in place of their numbers"),
        ('{"tokens": "a", "tags": ["O"]}', "'tokens' is not a list"),
        ('{"tokens": [""], "tags": ["O"]}', "entry 1 is empty"),
        ('{"text": "a"}', "a text and no 'entities'"),
        ('{"text": "a", "entities": [{"start": 0, "end": 2, "label": "X"}]}', "0 <= start < end <= 1"),
        ('{"text": "a", "entities": [{"start": 0, "end": 1}]}', "entity 1 is incomplete"),
        ('{"text": "a", "entities": [{"start": 0, "end": 1, "label": ""}]}', "entity 1 has no label"),
        ('{"tokens": [], "tags": []}', "holds no sentence"),
    ],
)
def test_unusable_json_lines_are_refused(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tagged(write(tmp_path, line, "a.jsonl"))


def test_json_keys_can_be_chosen_by_name_only(tmp_path: Path) -> None:
    path = write(tmp_path, '{"words": ["a"], "ner": ["O"]}', "a.jsonl")
    assert read_tagged(path, words="words", tags="ner").sentences[0].tags == ("O",)
    with pytest.raises(OptionError, match="keys and no columns"):
        read_tagged(path, words="words", tags=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("He can't, we're O'Brien's.", "He ca n't , we 're O'Brien 's ."),
        ("US$ 1,119.0 (.500) on 1996-08-22...", "US$ 1,119.0 ( .500 ) on 1996-08-22 ..."),
        ("Mr. J. Smith of the U.S.-led S&P at 10:30 a.m.", "Mr. J. Smith of the U.S.-led S&P at 10:30 a.m."),
        ("12-year-old --- see www.a.com/x.", "12-year-old --- see www.a.com/x ."),
        ("हिन्दी भाषा। ไป", "हिन्दी भाषा । ไ ป"),
        ("", ""),
    ],
)
def test_raw_text_is_cut_as_documented(text: str, words: str) -> None:
    assert [word for word, _, _ in tokenise(text)] == words.split()


@given(st.text(max_size=200))
def test_tokens_cover_everything_but_spaces(text: str) -> None:
    tokens = tokenise(text)
    assert all(text[start:end] == word and word.strip() for word, start, end in tokens)
    assert "".join(word for word, _, _ in tokens) == "".join(text.split())
    assert all(before[2] <= after[1] for before, after in itertools.pairwise(tokens))


def test_cutting_takes_time_in_proportion_to_the_text() -> None:
    import time

    for text in ("1" + "a" * 20_000 + "2", "a." * 10_000, "-." * 10_000, "n't" * 7_000, "'s" * 10_000, "a-" * 10_000):
        start = time.process_time()
        tokenise(text)
        assert time.process_time() - start < 5


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        pytest.param("train", 14_041, marks=pytest.mark.slow),
        pytest.param("valid", 3_250, marks=pytest.mark.slow),
        ("test", 3_453),
    ],
)
def test_the_conll_2003_corpus_has_its_known_size(name: str, sentences: int) -> None:
    path = SHARED / "conll2003" / f"{name}.txt"
    if not path.is_file():
        pytest.skip("the CoNLL-2003 texts are not at hand")
    read = read_tagged(path)
    assert len(read) == sentences
    assert read.columns is not None and read.columns.tags == 2
    if name == "test":
        rejoined = [[word for word, _, _ in tokenise(" ".join(s.words))] == list(s.words) for s in read.sentences]
        assert sum(rejoined) / len(rejoined) > 0.9


def test_a_text_file_of_tagged_words_is_known_by_its_content(tmp_path):
    tagged = "Ana B-PER\nvive O\nen O\nVigo B-LOC\n\nLuis B-PER\nllegó O\n\n" * 10
    for content, task in (
        (tagged, "tagging"),
        (tagged.replace("\n", " 0\n").replace(" 0\n 0\n", " 0\n\n"), "tagging"),
        (tagged.replace("B-", "the "), "language-modelling"),
        (tagged.replace("\n\n", "\n"), "language-modelling"),
        ("A line of words.\nAnother one.\n\n" * 20, "language-modelling"),
        ("O O\n\n" * 3, "language-modelling"),
    ):
        (tmp_path / "names.txt").write_text(content, encoding="utf-8")
        assert task_of(str(tmp_path / "names.txt")) == task, content[:40]
        (tmp_path / "names.txt.gz").write_bytes(gzip.compress(content.encode()))
        assert (task_of(str(tmp_path / "names.txt.gz")) == "tagging") is (task == "tagging"), content[:40]
    (tmp_path / "half.txt.gz").write_bytes(gzip.compress(tagged.encode())[:-20])
    assert task_of(str(tmp_path / "half.txt.gz")) != "tagging"
