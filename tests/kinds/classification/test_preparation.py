"""What loading says about the words of a data set, and how texts without spaces are learnt from."""

from __future__ import annotations

import random

import numpy as np
import pytest

from gatewise.kinds.classification.kind import ClassificationKind
from gatewise.kinds.classification.preparation import prepare_texts
from gatewise.kinds.classification.spec import DataSpec
from gatewise.kinds.classification.tfidf import TfidfLogisticRegression

THAI = (("ดีมาก", "สนุก", "ประทับใจ"), ("น่าเบื่อ", "แย่", "เสียเวลา"), ("หนัง", "เรื่อง", "ตัวละคร", "ฉาก", "เพลง"))
CHINESE = (("好看", "精彩", "感人"), ("无聊", "难看", "失望"), ("电影", "演员", "故事", "音乐", "剧情", "导演"))


def write(path, words, rows=300, join=""):
    chance = random.Random(3)
    lines = ["text,label"]
    for number in range(rows):
        glad = number % 2 == 0
        found = [chance.choice(words[2]) for _ in range(8)] + [chance.choice(words[not glad])]
        chance.shuffle(found)
        lines.append(f"{join.join(found)},{'glad' if glad else 'sad'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ClassificationKind().load(DataSpec(str(path)))


@pytest.mark.parametrize(("name", "words"), [("Thai", THAI), ("Chinese", CHINESE)])
def test_texts_without_spaces_are_read_by_characters(name, words, tmp_path):
    dataset = write(tmp_path / "a.csv", words)
    assert any(note.startswith(f"{name} texts have no spaces") for note in dataset.notes)
    assert not any("unknown" in note for note in dataset.notes)
    prepared = prepare_texts(dataset, 20_000, 256)
    assert prepared.vocabulary.tokenisation == "characters"
    assert min(prepared.train.lengths) > 9
    model = TfidfLogisticRegression().fit(dataset.train.texts, dataset.train.labels)
    right = model.predict_proba(dataset.test.texts).argmax(axis=1) == dataset.test.labels
    assert right.mean() > 0.95


def test_the_same_words_with_spaces_stay_words(tmp_path):
    dataset = write(tmp_path / "a.csv", [[word.encode().hex() for word in part] for part in CHINESE], join=" ")
    assert not any("spaces" in note or "unknown" in note for note in dataset.notes)
    assert prepare_texts(dataset, 20_000, 256).vocabulary.tokenisation == "words"


def test_the_share_of_unknown_words_is_stated(tmp_path):
    train = [f"fine film,{mood}" for mood in "ab"] + [f"word{n} poor,{'ab'[n % 2]}" for n in range(40)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *train]) + "\n")
    (tmp_path / "b.csv").write_text("text,label\nfine film new,a\nfilm newer newest new film,b\n")
    dataset = ClassificationKind().load(DataSpec(str(tmp_path / "a.csv"), test=str(tmp_path / "b.csv")))
    assert "50.0 % of the words of the test part are unknown: not in the training part" in dataset.notes


def test_a_vocabulary_of_any_size_is_the_start_of_the_whole(tmp_path):
    dataset = write(tmp_path / "a.csv", CHINESE)
    whole = prepare_texts(dataset, 20_000, 256).vocabulary
    small = prepare_texts(dataset, 9, 256)
    assert small.vocabulary.words == whole.words[:7] and len(small.vocabulary) == 9
    assert np.max(small.train.values) == 8
