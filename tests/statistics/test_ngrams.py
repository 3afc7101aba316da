"""BLEU and chrF against sacrebleu, corpus by corpus."""

from __future__ import annotations

import random

import numpy as np
import pytest
import sacrebleu

from gatewise.errors import OptionError
from gatewise.statistics import Bleu, ChrF
from gatewise.statistics.ngrams import character_contributions, tokens_13a, word_contributions

SIGNS = ["&quot;so&quot;", "1,5-2", "(ein)", "„der“", "a/b", "3-4", ". .", "x-y", "<skipped>", "$5.", "Äpfel", "…", "@"]


def made_up(seed: int, count: int = 60) -> tuple[list[str], list[str]]:
    """References, and translations that share some of their words."""
    chance = random.Random(seed)
    words = [f"w{number}" for number in range(30)] + ["Haus", "haus", "und", "Und"] + SIGNS
    references = [" ".join(chance.choice(words) for _ in range(chance.randint(1, 14))) + "." for _ in range(count)]
    translations = []
    for text in references:
        kept = [word for word in text.split() if chance.random() < 0.8]
        if chance.random() < 0.5:
            kept.insert(chance.randint(0, len(kept)), chance.choice(words))
        translations.append(" ".join(kept))
    return translations, references


@pytest.mark.parametrize("seed", range(4))
def test_figures_equal_those_of_sacrebleu(seed: int) -> None:
    translations, references = made_up(seed)
    for lowercase in (False, True):
        ours = Bleu(smoothing="exp").of(word_contributions(translations, references, lowercase=lowercase))
        theirs = sacrebleu.corpus_bleu(translations, [references], lowercase=lowercase)
        assert 100 * ours == pytest.approx(theirs.score, abs=1e-9)
    assert 100 * ChrF().of(character_contributions(translations, references)) == pytest.approx(
        sacrebleu.corpus_chrf(translations, [references]).score, abs=1e-9
    )


@pytest.mark.parametrize("text", [*SIGNS, 'He paid 1,000.50 (cash), 3-4 - "well".', "", "a&amp;b", "end-\nless"])
def test_words_are_those_of_the_13a_tokenisation(text: str) -> None:
    expected = sacrebleu.BLEU(tokenize="13a").tokenizer(text.rstrip())
    assert tokens_13a(text) == expected.split()


def test_the_gradient_of_chrf_is_its_slope() -> None:
    table = character_contributions(*made_up(9))
    means, steps = table.mean(axis=0), np.eye(18) * 1e-5
    numeric = [(ChrF().figure(means + step) - ChrF().figure(means - step)) / 2e-5 for step in steps]
    assert np.abs(ChrF().gradient(means) - numeric).max() < 1e-9
    assert not ChrF().gradient(np.zeros(18)).any() and ChrF().figure(np.zeros(18)) == 0.0


def test_orders_that_texts_are_too_short_for_do_not_count() -> None:
    short = character_contributions(["ab", "abc"], ["ab", "abd"])
    assert 100 * ChrF().of(short) == pytest.approx(sacrebleu.corpus_chrf(["ab", "abc"], [["ab", "abd"]]).score)
    with pytest.raises(OptionError, match="out of range"):
        ChrF(order=0)


def test_several_references_count_as_in_sacrebleu():
    """Each n-gram as often as in the reference that has it most; the nearest length; of chrF the best reference."""
    ours = ["a dog runs over the grass", "two men", "the cat", "the the the"]
    theirs = [
        ["a brown dog runs", "the dog runs over the green grass", "a dog"],
        ["two men sit", "men"],
        ["a cat", "the cat sat on the mat"],
        ["the cat the", "the dog and the cat"],
    ]
    columns = [[rows[place] if place < len(rows) else None for rows in theirs] for place in range(3)]
    bleu = sacrebleu.BLEU(smooth_method="exp").corpus_score(ours, columns)
    assert 100 * Bleu(smoothing="exp").of(word_contributions(ours, theirs)) == pytest.approx(bleu.score)
    chrf = sacrebleu.CHRF().corpus_score(ours, columns)
    assert 100 * ChrF().of(character_contributions(ours, theirs)) == pytest.approx(chrf.score)
    assert np.array_equal(
        word_contributions(ours, [[each[0]] for each in theirs]), word_contributions(ours, [each[0] for each in theirs])
    )
