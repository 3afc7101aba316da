"""Subwords: every text comes back, whatever it holds."""

from __future__ import annotations

import pytest

from gatewise.data.subwords import Subwords
from gatewise.errors import DataError, OptionError

TEXTS = ["ein Hund läuft über die Straße", "ein Hund schläft", "die Straße schläft nie"] * 4


@pytest.mark.parametrize(
    "text", ["ein Hund", "Ünicode 日本語 🙂", "<s> </s> <pad>", "x" * 500, "tab and dot .", "'n' \"quoted\"", "é vs é"]
)
def test_every_text_comes_back(text: str) -> None:
    subwords = Subwords.from_dict(Subwords.fit(TEXTS, 300).to_dict())
    numbers = subwords.encode([text])[0]
    assert subwords.decode([1, *numbers, 2, 0]) == text
    assert numbers.min() >= 3 and numbers.max() < len(subwords) <= 300


def test_frequent_words_are_one_piece_and_the_same_texts_give_the_same_pieces() -> None:
    first, second = Subwords.fit(TEXTS, 320), Subwords.fit(TEXTS, 320)
    assert first.to_dict() == second.to_dict()
    assert first.pieces([*first.encode(["ein Hund"])[0], 2]) == [" ein", " Hund", "∎"]
    assert first.pieces(first.encode(["語"])[0]) == [" ", "·", "·", "·"]


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(OptionError, match="too small for byte pairs"):
        Subwords.fit(TEXTS, 200)
    with pytest.raises(DataError, match="no text"):
        Subwords.fit([" "], 300)


def test_digits_are_pieces_of_their_own_where_wanted() -> None:
    texts = ["DOTS-1245 of 1984, ¼ 十二"] * 5
    subwords = Subwords.from_dict(Subwords.fit(texts, 320, digits=True).to_dict())
    numbers = subwords.encode(texts[:1])[0]
    shown = subwords.pieces(numbers)
    assert shown[:7] == [" DOTS", "-", "1", "2", "4", "5", " of"] and shown[7:12] == [" ", "1", "9", "8", "4"]
    assert subwords.decode(numbers) == texts[0] and " ¼" in shown
    assert " 1984" in Subwords.fit(texts, 320).pieces(Subwords.fit(texts, 320).encode(texts[:1])[0])


def test_lower_case_is_read_and_written_where_wanted() -> None:
    subwords = Subwords.from_dict(Subwords.fit([text.upper() for text in TEXTS], 300, lowercase=True).to_dict())
    numbers = subwords.encode(["EIN Hund LÄUFT über die Straße"])[0]
    assert subwords.decode(numbers) == "ein hund läuft über die straße"
    assert numbers.tolist() == subwords.encode(["ein hund läuft über die straße"])[0].tolist()
    assert subwords.places("EIN Hund")[0][1:] == (0, 3)
    assert len(Subwords.fit(TEXTS, 300).encode(["EIN"])[0]) > len(subwords.encode(["EIN"])[0])
