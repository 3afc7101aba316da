"""Vocabulary, encoding and word vectors: what stands where, what is cut, what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatewise.errors import DataError, RunError, ShapeError
from gatewise.kinds.tagging.embeddings import read_embeddings
from gatewise.kinds.tagging.encoding import encode
from gatewise.kinds.tagging.sentences import Sentence, TaggedSentences
from gatewise.kinds.tagging.vocabulary import PADDING, SHAPES, UNKNOWN, WordVocabulary, shape_of

ROWS = ("The cat the hat 1996", "The Cat sat in 2003", "X")


def sentences(*rows: str) -> list[Sentence]:
    return [Sentence(tuple(row.split()), (), at) for at, row in enumerate(rows, 1)]


def vocabulary(*rows: str, minimum_count: int = 1) -> WordVocabulary:
    return WordVocabulary.fit(TaggedSentences(tuple(sentences(*rows)), "a.txt"), minimum_count)


def test_words_are_folded_counted_and_ranked() -> None:
    known = vocabulary(*ROWS)
    assert known.words == ("the", "0000", "cat", "hat", "in", "sat", "x")
    assert known.first_rare == 5 and known.number("CAT") == 4 and known.number("1234") == 3
    assert known.number("dog") == UNKNOWN and known.word_count == 9
    assert vocabulary(*ROWS, minimum_count=2).words == ("the", "0000", "cat")
    assert "X" not in known.characters and known.spell("tX", 9)[1] == UNKNOWN


def test_a_long_word_keeps_both_ends() -> None:
    known = WordVocabulary([], list("abc"), 2)
    assert known.spell("abbbbbbbbc", 4) == [2, 3, 3, 4] and known.spell("abbbbbc", 3) == [2, 3, 4]


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        ("straße 日本", "lower"),
        ("Österreich", "Capital"),
        ("I", "CAPITALS"),
        ("O'Brien iPad", "miXed"),
        ("٣٤ 1996", "digits"),
        ("6-4 1/2", "number"),
        ("12th", "lett3rs"),
        ("...", "signs"),
    ],
)
def test_shapes_of_words(words: str, shape: str) -> None:
    assert {SHAPES[shape_of(word)] for word in words.split()} == {shape}


@given(st.text(min_size=1, max_size=12))
def test_every_word_has_a_shape(word: str) -> None:
    assert 1 <= shape_of(word) < len(SHAPES)


def test_batches_hold_every_word_and_zero_past_the_end() -> None:
    known = vocabulary(*ROWS)
    rows = sentences(*ROWS, "Dogs sat")
    tags = [np.arange(1, len(row) + 1) for row in rows]
    encoded = encode(rows, known, tags)
    batch = encoded.batch([3, 0, 2])
    assert batch.lengths.tolist() == [2, 5, 1] and batch.tags is not None
    for column, row in enumerate((3, 0, 2)):
        length = len(rows[row])
        for name, expected in {
            "words": [known.number(word) for word in rows[row].words],
            "shapes": [shape_of(word) for word in rows[row].words],
            "rare": [known.number(word) >= known.first_rare for word in rows[row].words],
            "tags": list(range(1, length + 1)),
        }.items():
            values = getattr(batch, name)[:, column]
            assert values[:length].tolist() == expected and not values[length:].any()
        for at, word in enumerate(rows[row].words):
            form = int(batch.forms[at, column])
            size = int(batch.character_lengths[form])
            assert batch.characters[:size, form].tolist() == known.spell(word, 30)
            assert not batch.characters[size:, form].any()
    assert batch.characters.shape[1] == len({word for row in (3, 0, 2) for word in rows[row].words})


def test_cut_words_are_counted_and_wrong_tags_refused() -> None:
    known = vocabulary(*ROWS)
    encoded = encode(sentences("a" * 10_000 + " b"), known, max_characters=20)
    assert "1 distinct word" in encoded.notes[0] and encoded.batch([0]).characters.shape == (20, 2)
    assert encode(sentences("a"), known).notes == ()
    with pytest.raises(ShapeError):
        encode(sentences("a b"), known, [np.array([1])])
    assert encode([], known).batch([]).words.shape == (0, 0)


def test_a_vocabulary_is_saved_and_read() -> None:
    known = vocabulary(*ROWS)
    again = WordVocabulary.from_dict(known.to_dict())
    assert (again.words, again.characters, again.first_rare) == (known.words, known.characters, known.first_rare)
    for record in ({"format_version": 1}, {**known.to_dict(), "words": ["a", "a"]}, [], None):
        with pytest.raises(RunError, match="damaged"):
            WordVocabulary.from_dict(record)  # type: ignore[arg-type]
    with pytest.raises(RunError, match="newer"):
        WordVocabulary.from_dict({"format_version": 2})


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("header", ["", "6 3\n"])
def test_vectors_are_read_for_the_known_words_only(tmp_path: Path, header: str, packed: bool) -> None:
    content = f"{header}The 1 2 3\n1996 4 5 6\n0000 7 8 9\n2003 0 0 0\ndog 1 1 1 \n. . 2 2 2\nthe 3 3 3\nTHE 9 9 9\n"
    path = tmp_path / "vectors.txt"
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    known = vocabulary(*ROWS)
    read = read_embeddings(path, known)
    assert read.numbers.tolist() == [known.number("the"), known.number("0000")]
    assert read.vectors.tolist() == [[3, 3, 3], [7, 8, 9]] and read.vectors.dtype == np.float32
    assert "3 numbers for 2 of 7 words (28.6%)" in read.note


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("the 1 2\ncat 1\n", "line 2 has 1 numbers; expected: a word and 2 numbers"),
        ("1 3\nthe 1 2\n", "line 2 has 2 numbers"),
        ("the 1 2\ncat 1 x\n", "line 2 holds a value that is not a number"),
        ("the 1 2\ncat 1 nan\n", "line 2 holds a number that is not finite"),
        ("der 1 2\n", "no vector for any of the 7 words"),
        ("", "is empty"),
        ("the\t1\t2\n", "line 1 has 0 numbers"),
        ("the 1 2\nK\u00f6ln 1 2\n".encode("cp1252"), "not UTF-8 text: line 2"),
    ],
)
def test_unusable_vectors_are_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        read_embeddings(path, vocabulary(*ROWS))
    with pytest.raises(DataError, match="does not exist"):
        read_embeddings(tmp_path / "none", vocabulary(*ROWS))


def test_constants_match_torch() -> None:
    assert (PADDING, UNKNOWN) == (0, 1) and SHAPES[0] == "padding"
    assert encode(sentences("a"), vocabulary("a")).batch([0]).words.dtype == torch.int64
