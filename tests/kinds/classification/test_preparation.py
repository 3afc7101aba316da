"""What loading says of a data set's words, how texts without spaces are learnt from, and how long texts are cut."""

from __future__ import annotations

import random

import numpy as np
import pytest

from gatewise.kinds.classification.kind import ClassificationKind
from gatewise.kinds.classification.preparation import prepare_texts
from gatewise.kinds.classification.spec import DataSpec, ModelSpec
from gatewise.kinds.classification.tfidf import TfidfLogisticRegression
from gatewise.training import RunSpec, TrainingSpec

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


def test_training_texts_may_be_cut_to_fewer_tokens_than_the_others(tmp_path):
    path = tmp_path / "long.csv"
    rows = [f"{'fine' if n % 2 else 'poor'} {' '.join(f'w{n + k}' for k in range(30))},{n % 2}" for n in range(60)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    dataset = ClassificationKind().load(DataSpec(str(path)))
    alike = prepare_texts(dataset, 200, 12)
    shorter = prepare_texts(dataset, 200, 12, 8)
    assert set(alike.train.lengths) == set(alike.validation.lengths) == {12}
    assert set(shorter.train.lengths) == {8}
    assert shorter.validation.values.tolist() == alike.validation.values.tolist()
    first = prepare_texts(dataset, 200, 1_000).train.row(0)
    assert shorter.train.row(0).tolist() == [*first[:4], *first[-4:]]
    assert set(prepare_texts(dataset, 200, 12, 400).train.lengths) == {12}


def test_a_run_of_before_training_tokens_keeps_its_one_length():
    assert ModelSpec().training_tokens == 400
    assert ModelSpec().max_tokens == 1_000
    record = RunSpec(data=DataSpec("imdb"), model=ModelSpec(max_tokens=700), training=TrainingSpec(epochs=1)).to_dict()
    del record["model"]["training_tokens"]
    earlier = RunSpec.from_dict(record).model
    assert (earlier.max_tokens, min(earlier.training_tokens, earlier.max_tokens)) == (700, 700)


def test_texts_that_are_not_read_whole_are_said(tmp_path):
    rows = [f"{' '.join(f'w{n}x{place}' for place in range(1_500 if n % 4 else 50))},{'ab'[n % 2]}" for n in range(24)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    notes = ClassificationKind().load(DataSpec(str(tmp_path / "a.csv"))).notes
    (cut,) = [note for note in notes if "have more than 1,000 words and signs" in note]
    assert "1,000 in all unless --max-tokens says otherwise" in cut  # which is not known where data are loaded
    assert "400 in training (--training-tokens)" in cut and "baseline counts every" in cut
    (unknown,) = [note for note in notes if "are unknown" in note]
    assert unknown.startswith("100") and unknown.endswith("only by what else stands in them")
    short = [f"fine film number {n},{'ab'[n % 2]}" for n in range(24)]
    (tmp_path / "b.csv").write_text("\n".join(["text,label", *short]) + "\n")
    assert not any("more than" in note for note in ClassificationKind().load(DataSpec(str(tmp_path / "b.csv"))).notes)


def test_a_label_that_nearly_all_texts_have_is_said_with_other_figures(tmp_path):
    rows = [f"mail number {n} about {n * 7},{'spam' if n % 25 == 0 else 'ham'}" for n in range(200)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    notes = ClassificationKind().load(DataSpec(str(tmp_path / "a.csv"))).notes
    (uneven,) = [note for note in notes if "of the training texts are 'ham'" in note]
    assert uneven.startswith("96.4 %") and "2 of the test texts are not: --metric macro-f1 or auroc" in uneven
    notes = ClassificationKind().load(DataSpec(str(tmp_path / "a.csv"), metric="auroc")).notes
    assert not any("of the training texts are" in note for note in notes)
    even = [row.replace("ham", "spam") for row in rows[:50]]
    (tmp_path / "b.csv").write_text("\n".join(["text,label", *even, *rows[50:]]))
    notes = ClassificationKind().load(DataSpec(str(tmp_path / "b.csv"))).notes
    assert not any("of the training texts are" in note for note in notes)
