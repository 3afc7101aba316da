"""No initial state is a state of zeros: its product is left out of the first step, and nothing else changes."""

import ctypes

import pytest
import torch

from gatewise import nn
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused import library

pytestmark = pytest.mark.skipif(library.load()[0] is None, reason="no compiled kernels")
KINDS = [nn.RNN, nn.GRU, nn.LSTM]


def zeros(layer, rows):
    state = torch.zeros(1, rows, layer.hidden_size)
    return (state, state) if isinstance(layer, nn.LSTM) else state


def bits(output):
    return output.view(torch.int32)


@pytest.mark.parametrize("variant", library.available_variants())
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_as_from_a_state_of_zeros(kind, variant, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with force(variant):
            for hidden, steps, rows in ((5, 1, 1), (40, 1, 9), (130, 2, 4), (130, 3, 1)):
                layer, x = kind(7, hidden), torch.randn(steps, rows, 7)
                trained = layer(x)[0]  # keeps what backward needs
                assert torch.equal(bits(trained), bits(layer(x, zeros(layer, rows))[0]))
                with torch.no_grad(), nn.frozen(layer):
                    assert all(torch.equal(bits(layer(x)[0]), bits(trained)) for _ in range(3))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("place", [(33, 39), (3, 5)])
def test_zero_times_infinity_is_nan_as_in_torch(kind, value, place):
    other = getattr(torch.nn, kind.__name__)(7, 40)
    with torch.no_grad():
        other.weight_hh_l0[place] = value
    layer = kind(7, 40)
    layer.load_state_dict(other.state_dict())
    for steps, rows in ((1, 1), (1, 9), (2, 3), (5, 2)):
        x = torch.randn(steps, rows, 7)
        expected = other(x)[0].detach()
        assert expected.isnan().any() and not expected[0].isnan().all()
        results = [layer(x)[0].detach()]
        with torch.no_grad(), nn.frozen(layer):
            results += [layer(x)[0] for _ in range(3)]
        for result in results:
            assert torch.equal(result.isnan(), expected.isnan())
            torch.testing.assert_close(result, expected, equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_without_a_state_reads_no_recurrent_weight(kind):
    layer, x = kind(7, 40).eval(), torch.randn(1, 2, 7)
    with torch.no_grad(), nn.frozen(layer):
        for _ in range(3):
            expected = layer(x)[0]
        packed = layer._frozen._packed
        (arguments,) = packed._known
        gates = layer.weight_hh_l0.shape[0] // 40
        blocks = -(-40 // library.load()[0].width)
        begin = -(-blocks * library.load()[0].width * gates * 7 // 16) * 16
        values = (ctypes.c_float * (begin + 40 * gates * 40)).from_address(arguments.packed)
        values[begin:] = [float("nan")] * (40 * gates * 40)
        assert torch.equal(layer(x)[0], expected)
        assert layer(x, zeros(layer, 2))[0].isnan().all(), "those were the recurrent weights"


@pytest.mark.parametrize("variant", library.available_variants())
@pytest.mark.parametrize("kind", KINDS)
def test_four_rows_have_the_bits_of_each_alone_where_weights_are_fetched_ahead(kind, variant):
    """Sizes beyond those from which the tile product goes in shorter stretches, whole and not whole."""
    with force(variant), torch.no_grad():
        for inputs, hidden in ((200, 192), (64, 259)):
            layer, x = kind(inputs, hidden), torch.randn(3, 4, inputs)
            together = layer(x)[0]
            for row in range(4):
                assert torch.equal(bits(together[:, row]), bits(layer(x[:, row : row + 1])[0][:, 0]))
