"""BPE-dropout: the same texts in other pieces, as often as the library that offers it without a seed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tokenizers import Tokenizer

from gatewise.data.subword_sampling import SubwordSampler
from gatewise.data.subwords import Subwords
from gatewise.errors import OptionError

TEXTS = [
    "ein Hund läuft über die Straße.",
    "zwei Hunde laufen über die Straßen",
    "  der  Hund schläft, die Katze auch!",
    "日本語 x 🙂",
] * 6


def test_without_dropout_the_pieces_are_the_vocabularys_own() -> None:
    subwords = Subwords.from_dict(Subwords.fit(TEXTS, 330).to_dict())
    drawn = SubwordSampler(subwords, TEXTS, 0.0, before=[1], after=[2]).draw([0, 1])
    for row, expected in enumerate(subwords.encode(TEXTS)):
        assert drawn.row(row).tolist() == [1, *expected, 2]
    assert drawn.values.dtype == np.int32


def test_what_is_read_in_lower_case_is_cut_so() -> None:
    subwords = Subwords.fit(TEXTS, 330, lowercase=True)
    drawn = SubwordSampler(subwords, [text.upper() for text in TEXTS], 0.0).draw([0, 1])
    for row, expected in enumerate(subwords.encode([text.upper() for text in TEXTS])):
        assert drawn.row(row).tolist() == expected.tolist()


@pytest.mark.parametrize("dropout", [0.1, 0.9])
def test_every_cutting_spells_the_same_text(dropout: float) -> None:
    subwords = Subwords.fit(TEXTS, 330)
    sampler = SubwordSampler(subwords, TEXTS, dropout)
    first, other = sampler.draw([0, 1]), sampler.draw([0, 2])
    expected = [subwords.decode(row) for row in subwords.encode(TEXTS)]
    for drawn in (first, other):
        assert [subwords.decode(drawn.row(row)) for row in range(len(TEXTS))] == expected
        assert drawn.values.min() >= 3 and drawn.values.max() < len(subwords)
    assert not np.array_equal(first.values, other.values)
    assert np.array_equal(first.values, SubwordSampler(subwords, TEXTS, dropout).draw([0, 1]).values)


@pytest.mark.parametrize("dropout", [0.1, 0.3])
def test_merges_are_left_out_as_often_as_by_the_library(dropout: float) -> None:
    subwords = Subwords.fit(TEXTS, 330)
    content = json.loads(json.dumps(subwords.to_dict()["tokenizer"]))
    content["model"]["dropout"] = dropout
    theirs = Tokenizer.from_str(json.dumps(content))
    texts = TEXTS[:4] * 50
    lengths = [len(theirs.encode(text).ids) for text in texts for _ in range(20)]
    sampler = SubwordSampler(subwords, texts, dropout)
    ours = np.concatenate([sampler.draw([seed]).lengths for seed in range(150)])
    whole = np.mean([len(row) for row in subwords.encode(texts)])
    assert whole + 0.5 < ours.mean() and ours.mean() == pytest.approx(np.mean(lengths), rel=0.02)


def test_nothing_to_cut_and_a_probability_of_one() -> None:
    subwords = Subwords.fit(TEXTS, 330)
    assert SubwordSampler(subwords, [""], 0.5, after=[2]).draw([0]).values.tolist() == [2]
    assert len(SubwordSampler(subwords, [], 0.5).draw([0])) == 0
    with pytest.raises(OptionError, match="dropout of merges"):
        SubwordSampler(subwords, TEXTS, 1.0)
