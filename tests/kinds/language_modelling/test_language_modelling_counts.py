"""Kneser-Ney and unigram: sums, a count by hand, and the known figure on the Penn Treebank."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gatewise.errors import OptionError
from gatewise.kinds.language_modelling.corpora import corpus_infos, load_corpus
from gatewise.kinds.language_modelling.kneser_ney import KneserNey, Unigram

SHARED = Path(os.environ.get("GATEWISE_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


def text(count=600, words=12, seed=0):
    """A first-order chain, so that contexts matter; 0 ends lines."""
    source = np.random.default_rng(seed)
    chances = source.dirichlet(np.full(words, 0.3), size=words)
    found = [0]
    for _ in range(count):
        found.append(int(source.choice(words, p=chances[found[-1]])))
    return np.array(found[1:], dtype=np.int32)


@pytest.mark.parametrize("end", [0, None])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_one_after_any_context(order, end):
    model = KneserNey(order).fit(text(), 15, end=end)  # three words never occur
    for context in ([], [0], [3], [3, 4], [1, 2, 3, 4, 5, 6], [0, 0, 0], [14, 13, 12], [5, 14, 2]):
        chances = model.distribution(np.array(context, dtype=np.int32))
        assert chances.sum() == pytest.approx(1.0, abs=1e-9)
        assert (chances > 0).all()


def test_losses_are_those_of_the_distributions():
    model, sample = KneserNey(3).fit(text(), 12, end=0), text(40, seed=0)
    losses = model.losses(sample)
    for place in range(len(sample)):
        chances = model.distribution(sample[:place])
        assert losses[place] == pytest.approx(-np.log(chances[sample[place]]), abs=1e-9)


def test_bigram_by_hand():
    """Line `1 2 1 3 0`: after 1 come 2 and 3, once each; every count is one, so each discount is one half."""
    model = KneserNey(2).fit(np.array([1, 2, 1, 3, 0], dtype=np.int32), 4, end=0)
    # how many different tokens each follows: 1 follows the line's end and 2; 2, 3 and 0 follow one token each
    order = model._orders[0]
    assert order.counts.tolist() == [1, 2, 1, 1]
    kept = np.array([1, 2, 1, 1]) - order.discounts[[1, 2, 1, 1]]
    taken = order.discounts[[1, 2, 1, 1]].sum()
    unigram = kept / 5 + taken / 5 / 4
    half = model._orders[1].discounts[1]
    assert half == 0.5
    expected = np.array([0, 0, 1 - half, 1 - half]) / 2 + 2 * half / 2 * unigram
    assert model.distribution(np.array([1])) == pytest.approx(expected)


def test_context_helps_and_longer_ones_do_not_hurt():
    train, test = text(20_000), text(2_000)
    losses = [KneserNey(order).fit(train, 12, end=0).losses(test).mean() for order in (1, 2, 4)]
    assert losses[1] < losses[0] - 0.1 and losses[2] < losses[1] + 0.05
    assert Unigram().fit(train, 12).losses(test).mean() == pytest.approx(losses[0], abs=0.05)


def test_lines_shorter_than_the_order():
    """No line has five tokens, so the longest contexts that there are have to do."""
    short = np.array([1, 0, 2, 0] * 20, dtype=np.int32)
    five, three = KneserNey(5).fit(short, 3, end=0), KneserNey(3).fit(short, 3, end=0)
    assert five.losses(short) == pytest.approx(three.losses(short), abs=1e-12)
    assert five.distribution(np.array([1])).sum() == pytest.approx(1.0)


def test_nothing_is_impossible_after_a_short_text():
    """One token occurs twice, thrice and four times each: the formula would take nothing from the frequent ones."""
    counted = np.repeat(np.arange(14), [1] * 10 + [2, 3, 4, 9]).astype(np.int32)
    model = KneserNey(1).fit(counted, 20)
    assert (model._orders[0].discounts[1:] > 0).all()
    repeated = KneserNey(2).fit(np.concatenate([counted, [1, 13] * 9]).astype(np.int32), 20)
    for context in range(14):
        assert (repeated.distribution(np.array([context])) > 0).all()


def test_an_order_below_one_is_refused():
    with pytest.raises(OptionError, match="order"):
        KneserNey(0)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.skipif(not corpus_infos(SHARED)[0].at_hand, reason="the Penn Treebank is not at hand")
def test_penn_treebank_perplexity_is_that_of_the_literature():
    """Mikolov et al. (2011) give 141.2 for a 5-gram with modified Kneser-Ney."""
    corpus = load_corpus("ptb", cache=SHARED)
    model = KneserNey(5).fit(corpus.train, len(corpus.vocabulary), corpus.vocabulary.end)
    assert np.exp(model.losses(corpus.test).mean()) == pytest.approx(141.2, abs=0.5)
