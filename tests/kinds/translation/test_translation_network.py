"""The network: what it computes step by step is what it computes at once, for every way of attending."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from gatewise.data import Ragged
from gatewise.data.subwords import BEGIN, END
from gatewise.kinds.translation.encoding import EncodedPairs, TranslationBatch, source_batches, token_batches
from gatewise.kinds.translation.network import TranslationNetwork
from gatewise.nn.writer_state import Writing, rows_of

WAYS = [
    ("multiplicative", "output"),
    ("multiplicative", "layer"),
    ("multiplicative", "input"),
    ("additive", "output"),
    ("additive", "layer"),
    ("additive", "input"),
    ("none", "output"),
    ("none", "layer"),
]


def pairs(count: int = 6, seed: int = 0) -> EncodedPairs:
    generator = np.random.default_rng(seed)
    source = [np.append(generator.integers(3, 20, generator.integers(1, 7)), END) for _ in range(count)]
    target = [
        np.concatenate([[BEGIN], generator.integers(3, 25, generator.integers(1, 8)), [END]]) for _ in range(count)
    ]
    return EncodedPairs(
        Ragged.join([row.astype(np.int32) for row in source]), Ragged.join([row.astype(np.int32) for row in target])
    )


def network(attention: str = "multiplicative", feeding: str = "layer", cell: str = "gru", **more: Any) -> Any:
    torch.manual_seed(3)
    options = {"hidden_size": 8, "embedding_size": 6, "attention": attention, "feeding": feeding, **more}
    made = TranslationNetwork(20, 25, cell=cell, **options)
    with torch.no_grad():
        made.bias.normal_()
    return made.eval()


def stepped_losses(model: TranslationNetwork, batch: TranslationBatch) -> torch.Tensor:
    """Each real target token's loss, through `step`, one token after the other."""
    read = model.read(batch.source, batch.lengths)
    lower, upper = model._begin(read)
    rows = torch.arange(len(batch.lengths))
    fed = torch.zeros(len(rows), 6) if model.feeding == "input" else None
    state = Writing(read, rows_of(lower, rows), rows_of(upper, rows), fed)
    found = torch.zeros(batch.inputs.shape)
    for step, tokens in enumerate(batch.inputs):
        chances, state = model.step(tokens, state)
        found[step] = -chances.gather(1, batch.targets[step][:, None])[:, 0]
    return found[torch.arange(len(found))[:, None] < batch.target_lengths]


@pytest.mark.parametrize(("attention", "feeding"), WAYS)
@torch.no_grad()
def test_steps_give_what_the_whole_target_gives(attention: str, feeding: str) -> None:
    model, batch = network(attention, feeding), pairs().batch(range(6))
    torch.testing.assert_close(stepped_losses(model, batch), model.losses(batch))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "mingru", "minlstm"])
@torch.no_grad()
def test_any_cell_of_any_depth_reads_and_writes(cell: str) -> None:
    model, batch = network(cell=cell, num_layers=2, bidirectional=False, tied=False), pairs().batch(range(6))
    torch.testing.assert_close(stepped_losses(model, batch), model.losses(batch))
    assert model.translate(batch.source, batch.lengths, torch.full((6,), 5), beam=3).tokens.shape[0] == 6


@pytest.mark.parametrize(("attention", "feeding"), WAYS)
@torch.no_grad()
def test_a_batch_gives_what_each_pair_gives_by_itself(attention: str, feeding: str) -> None:
    model, data = network(attention, feeding), pairs()
    whole = data.batch(range(6))
    written = model.translate(whole.source, whole.lengths, 2 * whole.lengths, beam=3)
    parts = []
    for row in range(6):
        one = data.batch([row])
        parts.append(model.losses(one).sum())
        alone = model.translate(one.source, one.lengths, 2 * one.lengths, beam=3)
        assert written.tokens[row, : written.lengths[row]].tolist() == alone.tokens[0].tolist()
    torch.testing.assert_close(torch.stack(parts).sum(), model.losses(whole).sum())


def test_the_loss_is_torchs_label_smoothing_over_real_tokens() -> None:
    model, batch = network(label_smoothing=0.2), pairs().batch(range(6))
    loss, value = model.loss(batch)
    hidden, goals = model._teacher_forced(*model._known(batch))
    scores = functional.linear(hidden, model._weight, model.bias)
    torch.testing.assert_close(loss, functional.cross_entropy(scores, goals, label_smoothing=0.2))
    torch.testing.assert_close(value, model.losses(batch).mean())
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_each_place_has_its_own_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, float]] = []

    def noted(values: torch.Tensor, p: float, training: bool = True) -> torch.Tensor:
        seen.append((values.shape[-1], p))
        return values

    monkeypatch.setattr("gatewise.nn.writer.hashed_dropout", noted)
    batch = pairs().batch(range(6))
    network(dropout=0.1, embedding_dropout=0.2, readout_dropout=0.3).loss(batch)
    assert seen == [(6, 0.2), (16, 0.1), (6, 0.2), (8, 0.1), (8, 0.1), (6, 0.3)]
    seen.clear()
    network(dropout=0.1, readout_dropout=0.0).loss(batch)
    assert [p for _, p in seen] == [0.1] * 5 + [0.0]


@torch.no_grad()
def test_word_noise_changes_what_the_decoder_reads_while_training_alone() -> None:
    model, batch = network(word_noise=0.5), pairs().batch(range(6))
    quiet = network()
    assert torch.equal(model.losses(batch), quiet.losses(batch))
    assert not torch.equal(model.train().losses(batch), quiet.train().losses(batch))


@torch.no_grad()
def test_attention_never_looks_at_padding_and_sums_to_one() -> None:
    batch = pairs().batch(range(6))
    weights = network().weights(batch)
    padded = torch.arange(batch.source.shape[0]) >= batch.lengths[:, None]
    assert weights.shape == (6, batch.inputs.shape[0], batch.source.shape[0])
    assert not weights.transpose(1, 2)[padded].any()
    torch.testing.assert_close(weights.sum(2), torch.ones(weights.shape[:2]))
    assert network("none", "output").weights(batch) is None


def test_a_shared_vocabulary_is_one_embedding() -> None:
    model = TranslationNetwork(20, 20, hidden_size=4, embedding_size=4, shared=True)
    assert model.source is model.target
    assert len([name for name, _ in model.named_parameters() if name in ("source.weight", "target.weight")]) == 1
    kept = dict(model.named_parameters())  # what a run keeps
    assert model.state_dict().keys() == kept.keys()
    other = TranslationNetwork(20, 20, hidden_size=4, embedding_size=4, shared=True)
    other.load_state_dict(kept)
    assert torch.equal(other.source.weight, model.target.weight) and other.source is other.target
    apart = TranslationNetwork(20, 20, hidden_size=4, embedding_size=4)
    assert {"source.weight", "target.weight"} <= apart.state_dict().keys() and apart.source is not apart.target


def test_batches_hold_every_pair_once_and_as_many_steps_in_every_epoch() -> None:
    data = pairs(400)
    epochs = [token_batches(data, 16, seed=1, epoch=epoch) for epoch in (1, 2)]
    for batches in epochs:
        assert sorted(np.concatenate(batches).tolist()) == list(range(400))
        room = 16 * data.target.lengths.mean()
        assert all(len(rows) * data.target.lengths[rows].max() <= room for rows in batches if len(rows) > 1)
    assert len(epochs[0]) == len(epochs[1])
    assert not all(np.array_equal(one, two) for one, two in zip(*epochs, strict=True))
    again = token_batches(data, 16, seed=1, epoch=2)
    assert all(np.array_equal(one, two) for one, two in zip(epochs[1], again, strict=True))


def test_batches_for_translation_begin_with_the_longest() -> None:
    data = pairs(50).source
    batches = source_batches(data, 30)
    assert sorted(np.concatenate(batches).tolist()) == list(range(50))
    assert data.lengths[batches[0][0]] == data.lengths.max()
    assert all(len(rows) == 1 or len(rows) * data.lengths[rows].max() <= 30 for rows in batches)
