"""Drawing text: what may be drawn, from which chances, and that a seed repeats it."""

from __future__ import annotations

import pytest
import torch

from gatewise.errors import OptionError
from gatewise.kinds.language_modelling.corpora import corpus_from_text
from gatewise.kinds.language_modelling.generation import Generator, Sampling, next_tokens, sampling_distribution
from gatewise.kinds.language_modelling.model import LanguageModel
from small_text import small_text

SCORES = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64).log()


def generator(tokens="word", size=400):
    vocabulary = corpus_from_text(
        small_text() + "größer ist 你好\n" * 4, tokens=tokens, vocabulary_size=size
    ).vocabulary
    torch.manual_seed(0)
    return Generator(LanguageModel(len(vocabulary), hidden_size=8, embedding_size=8), vocabulary)


def test_temperature_sharpens_and_flattens():
    cold = sampling_distribution(SCORES, Sampling(temperature=0.5))
    assert cold.tolist() == pytest.approx([0.16 / 0.3, 0.09 / 0.3, 0.04 / 0.3, 0.01 / 0.3])
    hot = sampling_distribution(SCORES, Sampling(temperature=1e6))
    assert hot.tolist() == pytest.approx([0.25] * 4, abs=1e-5)
    assert sampling_distribution(SCORES, Sampling(temperature=1e-6)).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(("top_p", "kept"), [(0.39, 1), (0.41, 2), (0.7, 2), (0.71, 3), (1.0, 4)])
def test_top_p_keeps_the_fewest_that_reach_it(top_p, kept):
    chances = sampling_distribution(SCORES, Sampling(top_p=top_p))
    assert int((chances > 0).sum()) == kept and chances.sum().item() == pytest.approx(1)


def test_top_k_keeps_the_likeliest_and_blocked_tokens_are_never_drawn():
    assert sampling_distribution(SCORES, Sampling(top_k=1)).tolist() == [1, 0, 0, 0]
    assert sampling_distribution(SCORES, Sampling(top_k=99)).tolist() == pytest.approx(SCORES.exp().tolist())
    assert sampling_distribution(SCORES, Sampling(top_k=1), blocked=0).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_p": 0},
        {"top_p": 1.5},
    ],
)
def test_values_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        Sampling(**options)


@pytest.mark.parametrize("tokens", ["word", "character", "bpe"])
def test_a_seed_repeats_the_text_and_the_pieces_make_it_up(tokens):
    work = generator(tokens)
    first = list(work.stream("the clouds", 30, Sampling(seed=5)))
    assert first == list(work.stream("the clouds", 30, Sampling(seed=5)))
    assert first != list(work.stream("the clouds", 30, Sampling(seed=6)))
    assert "<unk>" not in "".join(first)
    drawn = list(work.numbers(work._with_start(work.vocabulary.encode_prompt("the clouds")), 30, Sampling(seed=5)))
    text = work.vocabulary.decode([*work.vocabulary.encode_prompt("the clouds"), *drawn])
    assert text.startswith("the clouds" + "".join(first))


def test_drawing_step_by_step_is_reading_the_whole():
    """The likeliest token each time, against a fresh read of everything so far."""
    work = generator()
    prompt = work.vocabulary.encode_prompt("the cat")
    drawn = list(work.numbers(work._with_start(prompt), 6, Sampling(top_k=1, unknown=True)))
    so_far = list(work._with_start(prompt))
    for number in drawn:
        read = work.model.read(torch.tensor(so_far)[:, None])
        assert int(work.model.log_probabilities(read.output[-1])[0].argmax()) == number
        so_far.append(number)


def test_unknown_words_in_the_prompt_are_read_as_unknown():
    work = generator()
    assert list(work.stream("zebra", 5, Sampling(seed=0))) == list(work.stream("quagga", 5, Sampling(seed=0)))


def test_next_tokens_are_sorted_and_at_most_the_vocabulary():
    work = generator()
    table = next_tokens(work.model, work.vocabulary, "the", 10_000)
    chances = [chance for _, chance in table]
    assert len(table) == len(work.vocabulary) and chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1, abs=1e-5)


def test_at_least_one_token():
    with pytest.raises(OptionError, match="tokens"):
        list(generator().stream("the", 0, Sampling()))
