"""Beam search against exhaustive search, attention against loops, smoothed cross-entropy against torch's."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from gatewise.errors import OptionError
from gatewise.nn.attention import SCORES, Attention
from gatewise.nn.decoding import beam_search
from gatewise.nn.dropout import hashed_dropout
from gatewise.nn.softmax.loss import smoothed_cross_entropy

BEGIN, END, TOKENS = 0, 1, 5


class Table:
    """Random log-probabilities of the next token for every prefix, another table for every example.

    The state is the number of the example and the prefix as a number in base `TOKENS`.
    """

    def __init__(self, examples: int, limit: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        prefixes = TOKENS ** (limit + 1)
        self.chances = (3 * torch.randn(examples, prefixes, TOKENS, generator=generator)).log_softmax(2)

    def start(self, examples: Tensor, beam: int) -> tuple[Tensor, Tensor]:
        rows = examples.repeat_interleave(beam)
        return rows, torch.zeros_like(rows)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        rows, prefix = state
        prefix = prefix * TOKENS + tokens
        return self.chances[rows, prefix], (rows, prefix)

    def select(self, state: Any, rows: Tensor, examples: Tensor) -> Any:
        return state[0][rows], state[1][rows]

    def score(self, example: int, tokens: tuple[int, ...]) -> float:
        prefix, total = 0, 0.0
        for before, token in itertools.pairwise((BEGIN, *tokens)):
            prefix = prefix * TOKENS + before
            total += float(self.chances[example, prefix, token])
        return total


def searched(table: Table, examples: Tensor, limits: Tensor, beam: int, power: float = 1.0) -> list[tuple[int, ...]]:
    state = table.start(examples, beam)
    found = beam_search(table, state, limits, begin=BEGIN, end=END, beam=beam, length_power=power)
    return [tuple(row[:length].tolist()) for row, length in zip(found.tokens, found.lengths.tolist(), strict=True)]


@pytest.mark.parametrize("power", [0.0, 0.7, 1.0])
def test_a_wide_beam_finds_what_exhaustive_search_finds(power: float) -> None:
    limit = 3
    table = Table(12, limit, seed=4)
    limits = torch.full((12,), limit)
    found = searched(table, torch.arange(12), limits, beam=TOKENS**limit, power=power)
    others = [token for token in range(TOKENS) if token != END]
    for example in range(12):
        ended = [(*body, END) for length in range(limit) for body in itertools.product(others, repeat=length)]
        best = max(ended, key=lambda tokens: table.score(example, tokens) / len(tokens) ** power)
        assert found[example] == best[:-1]


def test_a_beam_of_one_takes_the_likeliest_token_until_the_end_or_the_limit() -> None:
    table, limits = Table(40, 5, seed=1), torch.tensor([2, 5] * 20)
    found = searched(table, torch.arange(40), limits, beam=1)
    lengths = set()
    for example in range(40):
        expected: list[int] = []
        prefix, token = 0, BEGIN
        while len(expected) < int(limits[example]):
            prefix = prefix * TOKENS + token
            token = int(table.chances[example, prefix].argmax())
            if token == END:
                break
            expected.append(token)
        assert found[example] == tuple(expected)
        lengths.add(len(expected))
    assert {0, 2, 5} <= lengths


def test_examples_do_not_influence_each_other() -> None:
    table, limits = Table(20, 4, seed=2), torch.tensor([4, 3] * 10)
    together = searched(table, torch.arange(20), limits, beam=3)
    alone = [searched(table, torch.tensor([row]), limits[row : row + 1], beam=3)[0] for row in range(20)]
    assert together == alone


def test_the_score_of_a_search_is_that_of_its_tokens() -> None:
    table = Table(8, 4, seed=3)
    found = beam_search(
        table, table.start(torch.arange(8), 2), torch.full((8,), 4), begin=BEGIN, end=END, beam=2, length_power=1.0
    )
    for example in range(8):
        tokens = tuple(found.tokens[example, : int(found.lengths[example])].tolist())
        whole = tokens if len(tokens) == 4 else (*tokens, END)
        assert float(found.scores[example]) == pytest.approx(table.score(example, whole) / len(whole), abs=1e-5)


def test_impossible_searches_are_refused() -> None:
    with pytest.raises(OptionError, match="beam of at least 1"):
        beam_search(Table(1, 1, 0), None, torch.tensor([1]), begin=0, end=1, beam=0)


@pytest.mark.parametrize("score", SCORES)
def test_attention_is_the_weighted_mean_that_the_papers_have(score: str) -> None:
    torch.manual_seed(0)
    attention = Attention(3, 4, score).double()
    queries, values = torch.randn(2, 3, 3).double(), torch.randn(2, 5, 4).double()
    real = torch.tensor([[True] * 5, [True, True, False, False, False]])
    context, weights = attention(queries, attention.keys(values), values, real)
    for row, query in itertools.product(range(2), range(3)):
        count = int(real[row].sum())
        scores = []
        for place in range(count):
            key = attention.of_values(values[row, place])
            if score == "additive":
                scores.append(attention.sum @ torch.tanh(attention.of_queries(queries[row, query]) + key))
            else:
                scores.append(queries[row, query] @ key)
        expected = torch.stack(scores).softmax(0)
        torch.testing.assert_close(weights[row, query, :count], expected)
        assert not weights[row, query, count:].any()
        torch.testing.assert_close(context[row, query], expected @ values[row, :count])


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(OptionError, match="additive, multiplicative"):
        Attention(3, 4, "dot")


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_smoothed_cross_entropy_equals_torch(smoothing: float) -> None:
    torch.manual_seed(1)
    tensors = [torch.randn(shape).double().requires_grad_() for shape in ((7, 4), (11, 4), (11,))]
    targets = torch.randint(11, (7,))
    loss, value = smoothed_cross_entropy(*tensors, targets, smoothing, chunk_rows=3)
    ours = torch.autograd.grad(3 * loss, tensors)
    hidden, weight, bias = tensors
    scores = functional.linear(hidden, weight, bias)
    expected = functional.cross_entropy(scores, targets, label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(value, functional.cross_entropy(scores, targets))
    for mine, theirs in zip(ours, torch.autograd.grad(3 * expected, tensors), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_hashed_dropout_keeps_the_mean_and_follows_the_seed() -> None:
    values = torch.ones(300, 100, requires_grad=True)
    torch.manual_seed(5)
    dropped = hashed_dropout(values, 0.4)
    torch.manual_seed(5)
    assert torch.equal(dropped, hashed_dropout(values, 0.4))
    assert dropped.mean().item() == pytest.approx(1.0, abs=5 * math.sqrt(0.4 / 0.6 / 30_000))
    dropped.sum().backward()
    assert values.grad is not None and torch.equal(values.grad, dropped.detach())
    assert hashed_dropout(values, 0.4, training=False) is values


class Certain:
    """After each token of 4, 3, 2, 2, 2 ... the right next one has 98 %, and the end the most of the rest."""

    chain = (4, 3, 4, 3, 2, 2, END)

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        chances = torch.full((len(tokens), TOKENS), 0.002)
        chances[:, END] = 0.014
        rows = torch.arange(len(tokens))
        chances[rows, torch.tensor([self.chain[min(int(place), 6)] for place in state])] = 0.98
        return (chances / chances.sum(dim=1, keepdim=True)).log(), state + 1

    def select(self, state: Tensor, rows: Tensor, examples: Tensor) -> Tensor:
        return state[rows]


def test_a_thorough_search_goes_on_while_a_better_hypothesis_has_not_ended() -> None:
    """Three poor hypotheses ended first, and the search with them: captions came out cut or with letters missing."""
    options = {"begin": BEGIN, "end": END, "beam": 3}
    state = torch.zeros(6, dtype=torch.int64)
    limits = torch.tensor([10, 10])
    cut = beam_search(Certain(), state, limits, **options)
    whole = beam_search(Certain(), state, limits, thorough=True, **options)
    assert whole.tokens.tolist() == [[4, 3, 4, 3, 2, 2]] * 2 and bool((whole.scores > cut.scores).all())
    assert int(beam_search(Certain(), state, torch.tensor([3, 3]), thorough=True, **options).lengths.max()) <= 3
