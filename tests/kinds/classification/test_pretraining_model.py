"""A language model of texts, from both sides: its probabilities, what each direction sees, and how texts are cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gatewise.data.batches import Ragged
from gatewise.errors import DataError
from gatewise.kinds.classification.pretraining_model import PretrainingModel, PretrainingProblem, cut_texts


def probabilities(model, tokens, direction):
    """(T, V) of every answer at each step, by asking for each word in turn; only valid for one sequence."""
    size = model.embedding.num_embeddings
    output, _ = model.recurrent(model.embedding(tokens), lengths=torch.tensor([len(tokens)]))
    part = output[:, 0, direction * model.hidden_size : (direction + 1) * model.hidden_size]
    states = model.projections[direction](part)
    rows = []
    for state in states:
        answers = torch.arange(size)
        each = [model._negative_log_likelihood(state[None], answer[None]) for answer in answers]
        rows.append(torch.stack(each).neg().exp())
    return torch.stack(rows)


@pytest.mark.parametrize("size", [40, 1_200])
def test_the_answers_probabilities_add_up_to_one(size):
    torch.manual_seed(1)
    model = PretrainingModel(size, hidden_size=6, embedding_size=4, dropout=0.0)
    with torch.no_grad():
        model.word_bias.normal_()
        model.clusters.normal_()
        chances = probabilities(model, torch.randint(2, size, (2, 1)), 0)
    assert chances.sum(dim=1).tolist() == pytest.approx([1, 1], abs=1e-4)


@pytest.mark.parametrize("count", [1, 255, 256, 700])
def test_value_and_gradients_are_those_of_the_written_out_softmax(count):
    """log p(word) = log p(cluster) + log p(word | cluster) alone, however many words are predicted at once."""
    torch.manual_seed(5)
    model = PretrainingModel(4_100, hidden_size=6, embedding_size=4)
    answers = torch.randint(1, 4_100, (count,))
    gradients = []
    for written_out in (False, True):
        states = torch.randn(count, 4, generator=torch.Generator().manual_seed(6)).requires_grad_()
        model.zero_grad()
        if written_out:
            words, bias = model.embedding.weight, model.word_bias
            head = torch.cat([words[:1_000], model.clusters]), torch.cat([bias[:1_000], model.cluster_bias])
            first = torch.log_softmax(states @ head[0].T + head[1], dim=1)
            parts = [first[:, :1_000]]
            for number, (start, stop) in enumerate([(1_000, 4_000), (4_000, 4_100)]):
                inner = torch.log_softmax(states @ words[start:stop].T + bias[start:stop], dim=1)
                parts.append(first[:, 1_000 + number, None] + inner)
            loss = -torch.cat(parts, dim=1)[torch.arange(count), answers].mean()
        else:
            loss = model._negative_log_likelihood(states, answers)
        loss.backward()
        parameters = (model.embedding.weight, model.clusters, model.cluster_bias, model.word_bias)
        gradients.append([loss.detach(), states.grad, *(each.grad.clone() for each in parameters)])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


def test_loss_is_the_mean_over_both_directions():
    torch.manual_seed(2)
    model = PretrainingModel(1_050, hidden_size=5, embedding_size=4, bidirectional=True, dropout=0.0)
    tokens = torch.tensor([[4], [1_020], [7], [999]])
    with torch.no_grad():
        forward, backward = (probabilities(model, tokens, direction) for direction in (0, 1))
        wanted = [forward[t, tokens[t + 1, 0]] for t in range(3)] + [backward[t, tokens[t - 1, 0]] for t in range(1, 4)]
        loss, count = model(tokens, torch.tensor([4]))
    assert count == 6
    assert loss.item() == pytest.approx(-torch.stack(wanted).log().mean().item(), rel=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "mingru"])
def test_no_direction_sees_the_word_that_it_tells(cell):
    """Another word at place t changes neither the forward states before t nor the backward states after t."""
    torch.manual_seed(3)
    model = PretrainingModel(30, cell=cell, hidden_size=5, embedding_size=4, bidirectional=True, dropout=0.0).eval()
    tokens = torch.randint(2, 30, (7, 1))
    other = tokens.clone()
    other[3] = (tokens[3] - 1) % 28 + 2
    assert not torch.equal(tokens, other)
    first, second = (model.recurrent(model.embedding(each), lengths=torch.tensor([7]))[0] for each in (tokens, other))
    assert torch.equal(first[:3, :, :5], second[:3, :, :5])
    assert torch.equal(first[4:, :, 5:], second[4:, :, 5:])
    assert not torch.equal(first[3:, :, :5], second[3:, :, :5])


def test_padding_is_neither_read_nor_predicted():
    torch.manual_seed(4)
    model = PretrainingModel(30, hidden_size=5, embedding_size=4, bidirectional=True, dropout=0.0)
    alone = [
        model(torch.tensor([[4], [9], [6]]), torch.tensor([3])),
        model(torch.tensor([[7], [8]]), torch.tensor([2])),
    ]
    both, count = model(torch.tensor([[4, 7], [9, 8], [6, 29]]), torch.tensor([3, 2]))
    assert count == sum(each[1] for each in alone) == 6
    assert both.item() == pytest.approx(sum(loss.item() * words for loss, words in alone) / 6, rel=1e-5)


@pytest.mark.parametrize("steps", [8, 11, 64])
def test_windows_cover_every_text_once(steps):
    generator = np.random.default_rng(0)
    lengths = [2, 1, 8, 9, 17, 100, 64, 65, 3]
    texts = Ragged.join([generator.integers(2, 50, count).astype(np.int32) for count in lengths])
    counts = set()
    for epoch in range(6):
        windows = cut_texts(texts, steps, seed=1, epoch=epoch)
        kept = np.concatenate([texts.row(row) for row in range(len(texts)) if lengths[row] > 1])
        assert np.array_equal(windows.values[windows.offsets[0] : windows.offsets[-1]], kept)
        assert windows.lengths.min() >= 2
        assert windows.lengths.max() <= 1.5 * steps + 1
        counts.add(len(windows))
    assert len(counts) == 1


def test_windows_differ_between_epochs_and_depend_on_the_seed_alone():
    texts = Ragged.join([np.arange(100, dtype=np.int32)] * 4)
    first, again, next_epoch = (cut_texts(texts, 16, seed=0, epoch=epoch).offsets.tolist() for epoch in (1, 1, 2))
    assert first == again != next_epoch


def test_texts_of_single_words_are_refused():
    single = Ragged.join([np.array([4], dtype=np.int32)] * 3)
    model = PretrainingModel(10, hidden_size=4, embedding_size=4)
    with pytest.raises(DataError, match="no text of the training part has two words"):
        PretrainingProblem(model, single, single, batch_size=2, steps=8, seed=0)
