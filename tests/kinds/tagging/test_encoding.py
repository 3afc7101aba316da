"""Vocabulary, encoding and word vectors: what stands where, what is cut, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatewise.errors import RunError, ShapeError
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


def test_constants_match_torch() -> None:
    assert (PADDING, UNKNOWN) == (0, 1) and SHAPES[0] == "padding"
    assert encode(sentences("a"), vocabulary("a")).batch([0]).words.dtype == torch.int64
