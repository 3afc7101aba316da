"""Scripts without spaces between words: found, split into characters, and nothing else changed."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from gatewise.data import Vocabulary
from gatewise.data.scripts import spaceless_script
from gatewise.errors import RunError

SPACELESS = {
    "Chinese": ["这部电影很好看，演员也很棒！", "不好看的GPT4电影，浪费2个小时"],
    "Japanese": ["とても良い映画でした。", "カメラワークが良くない"],
    "Thai": ["หนังเรื่องนี้ดีมาก", "ไม่ดีเลย น่าเบื่อ"],
    "Lao": ["ຮູບເງົານີ້ດີຫຼາຍ"],
    "Khmer": ["ភាពយន្តនេះល្អណាស់"],
    "Burmese": ["ဒီရုပ်ရှင်က အရမ်းကောင်းတယ်"],
}
SPACED = {
    "English": ["a film from 中国 about 映画", "good"],
    "Korean": ["아주 좋은 영화였어요", "재미없다"],
    "Russian": ["очень хороший фильм"],
    "Hindi": ["बहुत अच्छी फिल्म"],
    "Arabic": ["فيلم جيد جدا"],
    "Vietnamese": ["phim rất hay"],
    "digits": ["123 456", "!!!"],
    "nothing": [],
}


@pytest.mark.parametrize("script", SPACELESS)
def test_scripts_without_spaces_are_found(script):
    assert spaceless_script(SPACELESS[script]) == script
    vocabulary = Vocabulary.fit(SPACELESS[script], 1000, 1)
    assert vocabulary.tokenisation == "characters"
    for text in SPACELESS[script]:
        tokens = vocabulary.tokens(text)
        assert "".join(tokens) == "".join(text.lower().split())
        assert len(tokens) > len(text) / 3
        assert 1 not in vocabulary.encode([text], 1000).values


@pytest.mark.parametrize("script", SPACED)
def test_other_scripts_stay_words(script):
    assert spaceless_script(SPACED[script]) is None
    if SPACED[script]:
        vocabulary = Vocabulary.fit(SPACED[script], 1000, 1)
        assert vocabulary.tokenisation == "words"
        assert vocabulary == Vocabulary(vocabulary.words)


def test_marks_stay_on_their_letters_and_words_stay_whole():
    vocabulary = Vocabulary(["x"], "characters")
    assert vocabulary.tokens("ดีมาก") == ["ดี", "ม", "า", "ก"]
    assert vocabulary.tokens("我用GPT4看don't……看3/10") == [
        "我", "用", "gpt4", "看", "don't", "……", "看", "3", "/", "10"
    ]  # fmt: skip
    assert vocabulary.tokens("カメラ ｶﾒﾗ") == ["カ", "メ", "ラ", "ｶ", "ﾒ", "ﾗ"]


def test_the_majority_of_the_letters_decides():
    chinese, english = ["电影" * 10], ["film " * 5]
    assert spaceless_script(chinese * 2 + english) == "Chinese"
    assert spaceless_script(chinese + english) is None


def test_the_file_says_how_texts_are_split():
    texts = SPACELESS["Thai"]
    vocabulary = Vocabulary.fit(texts, 1000, 1)
    record = vocabulary.to_dict()
    assert record["format_version"] == 2 and record["tokenisation"] == "characters"
    for other in (Vocabulary.from_dict(record), copy.deepcopy(vocabulary)):
        assert other == vocabulary
        assert np.array_equal(
            other.encode(SPACELESS["Thai"], 99).values, vocabulary.encode(SPACELESS["Thai"], 99).values
        )
    assert Vocabulary(vocabulary.words) != vocabulary
    old = {"format_version": 1, "tokenisation": "words", "words": ["电影"]}
    assert Vocabulary.from_dict(old).tokens("好电影") == ["好电影"]
    assert Vocabulary.from_dict(old).to_dict() == old
    for version, name in ((1, "characters"), (2, "words"), (3, "characters"), (None, None)):
        with pytest.raises(RunError):
            Vocabulary.from_dict({"format_version": version, "tokenisation": name, "words": []})
