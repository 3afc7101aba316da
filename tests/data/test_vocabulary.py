"""Tokenisation, vocabulary and batches."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.data import Ragged, Vocabulary, ordered_batches, shuffled_batches
from gatewise.errors import RunError

TEXTS = ["The film was GOOD, wasn't it?<br /><br />Very good...", "A <i>bad</i> film!!! 3/10", "good film , good"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It's<br />over", ["it's", "over"]),
        ("well...really?!", ["well", "...", "really", "?", "!"]),
        ("rated 3/10", ["rated", "3", "/", "10"]),
        ("a < b and c > d", ["a", "<", "b", "and", "c", ">", "d"]),
        ("Ärger über Ünsinn", ["ärger", "über", "ünsinn"]),
        ("it’s 'quoted'", ["it’s", "'", "quoted", "'"]),
        ("", ["[unknown]"]),
        (" <br /> ", ["[unknown]"]),
        ("映画 😀", ["映画", "😀"]),
        ("broken \ud800 half", ["broken", "?", "half"]),
    ],
)
def test_tokens(text, tokens):
    assert Vocabulary(["film"]).tokens(text) == tokens


def test_words_are_ordered_by_frequency_and_cut():
    vocabulary = Vocabulary.fit(TEXTS, size=5, minimum_count=1)
    assert vocabulary.words[:2] == ("good", "film")
    assert len(vocabulary) == 5


def test_rare_words_are_left_out():
    assert set(Vocabulary.fit(TEXTS, size=100, minimum_count=2).words) == {"good", "film", ","}


def test_order_of_texts_does_not_matter():
    assert Vocabulary.fit(TEXTS, 100, 1) == Vocabulary.fit(TEXTS[::-1], 100, 1)


def test_tokens_and_numbers_agree():
    vocabulary = Vocabulary.fit(TEXTS, 100, 1)
    names = ("[padding]", "[unknown]", *vocabulary.words)
    for text in [*TEXTS, "", "entirely new words", "good \ud800"]:
        for length in (2, 3, 256):
            numbers = vocabulary.encode([text], length).row(0)
            words = vocabulary.tokens(text, length)
            assert len(words) == len(numbers) <= length
            assert [names[number] for number in numbers] == [w if w in names else "[unknown]" for w in words]


@pytest.mark.parametrize("limit", [2, 3, 6, 7, 10])
def test_truncation_keeps_both_ends(limit):
    words = [f"w{n}" for n in range(10)]
    kept = Vocabulary(words).tokens(" ".join(words), limit)
    assert kept == words[: limit - limit // 2] + words[10 - limit // 2 :]


def test_dictionary_round_trip_and_copies():
    vocabulary = Vocabulary.fit(TEXTS, 100, 1)
    vocabulary.encode(TEXTS, 5)
    for other in (Vocabulary.from_dict(vocabulary.to_dict()), copy.deepcopy(vocabulary)):
        assert other == vocabulary
        assert np.array_equal(other.encode(TEXTS, 9).values, vocabulary.encode(TEXTS, 9).values)


@pytest.mark.parametrize(
    "record",
    [
        {},
        [],
        {"format_version": 2, "words": []},
        {"format_version": 1, "tokenisation": "words", "words": [1]},
        {"format_version": 1, "tokenisation": "words", "words": ["a", "a"]},
        {"format_version": 1, "tokenisation": "bytes", "words": ["a"]},
        {"format_version": 1, "tokenisation": "words"},
    ],
)
def test_damaged_dictionary(record):
    with pytest.raises(RunError):
        Vocabulary.from_dict(record)


def encoded(lengths):
    return Ragged.join([np.full(length, place + 2, dtype=np.int32) for place, length in enumerate(lengths)])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 7), st.integers(0, 3))
def test_every_text_once_per_epoch(lengths, size, seed):
    texts = encoded(lengths)
    batches = shuffled_batches(texts, size, seed, 1)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(1 <= len(rows) <= size for rows in batches)
    assert [rows.tolist() for rows in batches] == [rows.tolist() for rows in shuffled_batches(texts, size, seed, 1)]
    seen = [row for batch in ordered_batches(texts, size) for row in batch.rows.tolist()]
    assert sorted(seen) == list(range(len(lengths)))


def test_epochs_and_seeds_differ():
    texts = encoded([3] * 50)
    orders = {tuple(np.concatenate(shuffled_batches(texts, 5, seed, epoch))) for seed in (0, 1) for epoch in (1, 2)}
    assert len(orders) == 4


def test_padding_is_little():
    lengths = np.random.default_rng(0).integers(1, 256, size=2_000)
    texts = encoded(lengths)
    padded = sum(texts.batch(rows).values.size for rows in shuffled_batches(texts, 32, 0, 1))
    assert padded < 1.1 * lengths.sum()


def test_batch_layout():
    batch = encoded([2, 1, 3]).batch([1, 2])
    assert batch.values.tolist() == [[3, 4], [0, 4], [0, 4]]
    assert batch.lengths.tolist() == [1, 3]
