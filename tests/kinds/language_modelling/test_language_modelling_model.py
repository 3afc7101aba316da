"""The language model's network and problem: masks, ties, carried state, exact figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gatewise.errors import DataError, OptionError
from gatewise.kinds.language_modelling.model import LanguageModel, locked_dropout
from gatewise.kinds.language_modelling.problem import LanguageModellingProblem, read_losses

WORDS = 30


def model(**options):
    torch.manual_seed(1)
    return LanguageModel(WORDS, **{"cell": "lstm", "hidden_size": 10, "embedding_size": 6, **options}).eval()


def tokens(count=200, seed=0):
    return np.random.default_rng(seed).integers(WORDS, size=count).astype(np.int32)


def problem(network, **options):
    settings = {"batch_size": 4, "steps": 7, "seed": 0, **options}
    return LanguageModellingProblem(network, tokens(), tokens(60, 1), 0, **settings)


@pytest.mark.parametrize(
    "options", [{}, {"tied": False}, {"embedding_size": 10}, {"tied": False, "adaptive_softmax": True}]
)
def test_probabilities_sum_to_one_and_agree_with_the_losses(options):
    network = model(**options)
    read = network.read(torch.from_numpy(tokens(9).astype(np.int64))[:, None])
    targets = torch.arange(9)[:, None]
    scores = network.log_probabilities(read.output[:, 0])
    assert torch.allclose(scores.exp().sum(dim=1), torch.ones(9), atol=1e-5)
    losses = network.losses(read.output, targets)
    assert torch.allclose(losses, -scores[torch.arange(9), torch.arange(9)], atol=1e-5)
    assert network.loss(read.output, targets).item() == pytest.approx(losses.mean().item(), rel=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 400])
def test_both_ways_round_of_the_projection_agree(rows):
    network = model(hidden_size=3, embedding_size=8)
    hidden = torch.randn(rows, 3)
    left, right = network._output_product(hidden)
    assert torch.allclose(left @ right.t(), hidden @ network.projection.t() @ network.embedding.weight.t(), atol=1e-5)


def test_tied_weights_are_one_parameter():
    assert {name for name, _ in model().named_parameters()} >= {"embedding.weight", "projection", "bias"}
    assert not any(name == "head" for name, _ in model().named_parameters())
    with pytest.raises(OptionError, match="no-tied"):
        model(adaptive_softmax=True)


def test_locked_dropout_drops_the_same_units_at_all_steps():
    torch.manual_seed(0)
    dropped = locked_dropout(torch.ones(6, 3, 50), 0.4)
    assert all(torch.equal(step, dropped[0]) for step in dropped)
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    assert not torch.equal(dropped[0, 0], dropped[0, 1])
    assert torch.equal(locked_dropout(dropped, 0.4, training=False), dropped)


def test_embedding_dropout_blanks_whole_tokens():
    network = model(embedding_dropout=0.5, hidden_size=4).train()
    block = torch.arange(WORDS)[:, None].repeat(1, 2)
    seen = {}
    network.layers[0].register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    network.read(block)
    blank = (seen["x"] == 0).all(dim=2)
    assert 0.2 < blank.float().mean() < 0.8
    assert torch.equal(blank[:, 0], blank[:, 1])
    kept = ~blank[:, 0]
    assert torch.allclose(seen["x"][kept, 0], 2 * network.embedding.weight[kept])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "minlstm"])
def test_a_text_read_in_blocks_equals_the_whole(cell):
    network, text = model(cell=cell, num_layers=2), torch.from_numpy(tokens(40).astype(np.int64)).view(20, 2)
    whole = network.read(text)
    state, outputs = None, []
    for block in text.split(6):
        read = network.read(block, state)
        outputs.append(read.output)
        state = read.state
    assert torch.allclose(torch.cat(outputs), whole.output, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"num_layers": 3, "last_size": 5}])
def test_the_stack_is_the_same_function(options):
    network = model(**options)
    text = torch.from_numpy(tokens(12).astype(np.int64)).view(6, 2)
    output, _ = network.stacked()(network.embedding(text))
    assert torch.allclose(output, network.read(text).raw, atol=1e-6)


def test_losses_of_a_text_are_those_of_one_long_read(monkeypatch):
    from gatewise.kinds.language_modelling import problem as module

    network, text = model(), tokens(50)
    inputs = torch.from_numpy(np.concatenate([[3], text[:-1]]).astype(np.int64))[:, None]
    read = network.read(inputs)
    scores = network.log_probabilities(read.output[:, 0])
    expected = -scores[torch.arange(50), torch.from_numpy(text.astype(np.int64))]
    monkeypatch.setattr(module, "_READ_AT_ONCE", 8)
    assert read_losses(network, text, 3) == pytest.approx(expected.numpy(), abs=1e-5)
    other = {name: value * 0.5 for name, value in network.state_dict().items()}
    halved = model()
    halved.load_state_dict(other)
    assert read_losses(network, text, 3, weights=other) == pytest.approx(read_losses(halved, text, 3), abs=1e-6)


def test_parts_side_by_side_differ_only_where_they_begin():
    network, text = model(), tokens(53)
    whole, parts = read_losses(network, text, 3), read_losses(network, text, 3, 4)
    assert len(parts) == 53
    assert parts[:14] == pytest.approx(whole[:14], abs=1e-5)
    assert not np.allclose(parts[14], whole[14])


def test_an_epoch_shows_every_column_once_and_carries_its_state():
    network = model(dropout=0.0).train()
    work = problem(network)
    work.begin_epoch(1)
    assert work.examples_per_epoch == 196 and work.steps_per_epoch == 7
    seen = [work.loss(step) for step in range(work.steps_per_epoch)]
    assert sum(outcome.examples for outcome in seen) == work.examples_per_epoch
    carried = work.carried()
    assert set(carried) == {"0.0", "0.1"} and carried["0.0"].shape == (1, 4, 10)
    # the state at the end is that of one read over the whole columns
    whole = network.read(work._columns[:-1])
    assert torch.allclose(carried["0.0"], whole.state[0][0], atol=1e-5)


def test_columns_begin_elsewhere_in_another_epoch():
    work = problem(model())
    work.begin_epoch(1)
    first = work._columns.clone()
    work.begin_epoch(2)
    assert not torch.equal(first, work._columns)
    work.begin_epoch(1)
    assert torch.equal(first, work._columns)


def test_a_taken_up_epoch_goes_on_with_the_carried_state():
    network = model().train()
    whole, resumed = problem(network), problem(network)
    whole.begin_epoch(3)
    for step in range(3):
        whole.loss(step)
    saved = whole.carried()
    resumed.load_carried(saved)
    resumed.begin_epoch(3, 3)
    assert torch.equal(resumed.loss(3).value, whole.loss(3).value)


def test_regularisation_is_not_counted_as_loss():
    plain = problem(model().train())
    regular = problem(plain.model, activation_regularisation=2.0, temporal_regularisation=3.0)
    for work in (plain, regular):
        work.begin_epoch(1)
    first, second = plain.loss(0), regular.loss(0)
    assert torch.equal(first.value, second.value) and torch.equal(first.loss, first.value)
    read = plain.model.read(plain._columns[:7])
    extra = 2 * read.output.square().mean() + 3 * (read.raw[1:] - read.raw[:-1]).square().mean()
    assert torch.allclose(second.loss - second.value, extra, atol=1e-6)


def test_a_text_too_short_for_its_columns():
    with pytest.raises(DataError, match="batch-size"):
        LanguageModellingProblem(model(), tokens(30), tokens(10), 0, batch_size=20, steps=5, seed=0)


def test_the_bias_begins_at_the_frequencies():
    network = model(tied=False)
    network.begin_at_frequencies(torch.arange(WORDS))
    chances = network.bias.exp()
    assert torch.allclose(chances, torch.arange(1, WORDS + 1) / torch.arange(1, WORDS + 1).sum())
