"""Zoneout, recurrent, weight and layer dropout: right rate, right place in time, off in evaluation."""

from __future__ import annotations

import math

import pytest
import torch

from gatewise.kernels.dispatch import force
from gatewise.nn import GRU, LSTM, RNN

P = 0.3


def near(count: float, total: int, p: float) -> bool:
    """Within five standard deviations of a binomial."""
    return abs(count - total * p) <= 5 * math.sqrt(total * p * (1 - p))


def plain(hidden: int, recurrent: torch.Tensor, bias: float, **options) -> RNN:
    """h_t = relu(W h_{t-1} + bias), which shows masks bare."""
    layer = RNN(1, hidden, nonlinearity="relu", **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.weight_hh_l0.copy_(recurrent)
        layer.bias_ih_l0.fill_(bias)
    return layer


def test_recurrent_mask_is_constant_over_time_scaled_and_differs_between_rows():
    size, rows, steps = 200, 50, 4
    layer = plain(size, torch.eye(size), 0.0, recurrent_dropout=P)
    torch.manual_seed(0)
    output, _ = layer(torch.zeros(steps, rows, 1), torch.ones(1, rows, size))
    kept = output[0] > 0
    for t in range(steps):
        assert torch.equal(output[t] > 0, kept)
        assert torch.allclose(output[t][kept], torch.tensor(1 / (1 - P)) ** (t + 1))
    assert near(float((~kept).sum()), size * rows, P)
    assert len({tuple(row.tolist()) for row in kept}) == rows


def test_recurrent_mask_does_not_touch_the_kept_state_of_a_gru():
    """With the update gate at one, h is copied: the mask acts on the products only."""
    layer = GRU(1, 8, recurrent_dropout=0.5)
    with torch.no_grad():
        layer.bias_ih_l0[8:16] = 1e4
    hidden = torch.randn(1, 3, 8)
    assert torch.allclose(layer(torch.zeros(5, 3, 1), hidden)[0][-1], hidden[0], rtol=1e-6)


def test_zoneout_keeps_units_afresh_each_step():
    size, rows, steps = 100, 50, 6
    layer = plain(size, torch.zeros(size, size), 1.0, zoneout=P)
    torch.manual_seed(0)
    output, _ = layer(torch.zeros(steps, rows, 1))
    for t in range(steps):
        assert near(float((output[t] == 0).sum()), size * rows, P ** (t + 1))
    assert set(output.unique().tolist()) == {0.0, 1.0}


def test_zoneout_rates_are_per_state():
    layer = LSTM(1, 400, zoneout=(0.0, P))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0[800:1200] = 1.0
    torch.manual_seed(0)
    trace = layer.trace(torch.zeros(1, 25, 1))
    cell, hidden = trace[0, "forward"]["cell"], trace[0, "forward"]["hidden"]
    assert near(float((cell == 0).sum()), 400 * 25, P)
    assert bool((hidden != 0).all())


def test_zoneout_is_its_mean_in_evaluation():
    layer = plain(4, torch.zeros(4, 4), 1.0, zoneout=P).eval()
    output, _ = layer(torch.zeros(3, 2, 1))
    for t in range(3):
        assert torch.allclose(output[t], torch.tensor(1 - P ** (t + 1)))


def test_weight_dropout_drops_entries_once_for_all_rows_and_steps():
    size = 100
    layer = plain(size, torch.ones(size, size), 0.0, weight_dropout=P)
    torch.manual_seed(0)
    columns, _ = layer(torch.zeros(1, size, 1), torch.eye(size)[None])
    values = columns[0]
    dropped = values == 0
    assert near(float(dropped.sum()), size * size, P)
    assert torch.allclose(values[~dropped], torch.tensor(1 / (1 - P)))
    torch.manual_seed(0)
    twice, _ = layer(torch.zeros(1, 2, 1), torch.stack([torch.eye(size)[0]] * 2)[None])
    assert torch.equal(twice[0, 0], twice[0, 1])


def test_layer_dropout_drops_outputs_of_all_layers_but_the_last():
    layer = RNN(1, 100, 2, nonlinearity="relu", dropout=P)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0.fill_(1.0)
        layer.weight_ih_l1.copy_(torch.eye(100))
    torch.manual_seed(0)
    output, hidden = layer(torch.zeros(5, 20, 1))
    assert near(float((output == 0).sum()), 100 * 20 * 5, P)
    assert torch.allclose(output[output != 0], torch.tensor(1 / (1 - P)))
    assert bool((hidden[0] == 1).all())


@pytest.mark.parametrize(
    "options",
    [{"recurrent_dropout": P}, {"weight_dropout": P}, {"dropout": P, "num_layers": 2}],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_dropouts_are_off_in_evaluation(kind, options):
    plain_options = {key: value for key, value in options.items() if key == "num_layers"}
    torch.manual_seed(0)
    layer = kind(3, 4, **options).eval()
    torch.manual_seed(0)
    bare = kind(3, 4, **plain_options).eval()
    x = torch.randn(5, 2, 3)
    with force("torch"):
        assert torch.equal(layer(x)[0], bare(x)[0])
    with force("torch"):
        assert not torch.equal(layer.train()(x)[0], bare(x)[0])


def test_masks_do_not_depend_on_the_implementation():
    layer = GRU(3, 4, 2, recurrent_dropout=P, weight_dropout=P, zoneout=P, dropout=P, bidirectional=True).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    results = []
    for chunk in (None, 2):
        layer.checkpoint_steps = chunk
        torch.manual_seed(4)
        results.append(layer(x)[0])
    assert torch.allclose(*results, atol=1e-12)
