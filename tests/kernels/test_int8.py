"""Integer products: bit for bit what NumPy computes, whatever instructions make them; and layers made of them."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from gatewise import nn
from gatewise.errors import OptionError
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused.library import available_variants, load

pytestmark = pytest.mark.skipif(load()[0] is None, reason="no compiled kernels")
LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
F = np.float32


PRODUCTS = ("pairs", "vnni", "amx")  # as Int8Products in native/int8.h counts them


def choose(variant, number):
    return load(variant)[0].function("gatewise_int8_products", ctypes.c_int32, ctypes.c_int32)(number)


@contextmanager
def products(variant, name):
    """Multiply so inside the block; weights packed outside must not be used there, nor the other way round."""
    before = choose(variant, -2)
    assert choose(variant, PRODUCTS.index(name)) == PRODUCTS.index(name)
    try:
        yield
    finally:
        choose(variant, before)


def ways():
    """Every variant with all products that it has here."""
    found = []
    for variant in available_variants():
        before = choose(variant, -2)
        found += [(variant, name) for number, name in enumerate(PRODUCTS) if choose(variant, number) == number]
        choose(variant, before)
    return found


def whole_numbers(values, limit):
    """Each row as whole numbers up to its limit and the scale that takes them back, in float32 as the kernel does."""
    most = np.abs(values).max(-1, keepdims=True).astype(F)
    shown = most >= F(1e-30)
    up = np.where(shown, F(limit) / np.where(shown, most, F(1)), F(0)).astype(F)
    numbers = np.rint((values * up).astype(F)).astype(np.int64)  # to even, as the kernel
    return numbers, np.where(shown, most / F(limit), F(0)).astype(F)


def limit_of(length):
    return min(32767, (2**31 - 1) // (127 * length))


def expected_product(x, weights):
    """Exact sums of whole numbers; then one rounding to float32, one product of the scales, one with them."""
    numbers, scale = whole_numbers(x, limit_of(x.shape[1]))
    rows, weight_scale = whole_numbers(weights, 127)
    sums = numbers @ rows.T
    assert np.abs(sums).max(initial=0) < 2**31
    return (sums.astype(F) * (scale * weight_scale.T).astype(F)).astype(F)


def product(variant, x, weights):
    library, _ = load(variant)
    pointer, long = ctypes.c_void_p, ctypes.c_int64
    run = library.function("gatewise_int8_product", None, pointer, long, long, pointer, long, pointer)
    x, weights = np.ascontiguousarray(x, F), np.ascontiguousarray(weights, F)
    out = np.full((len(x), len(weights)), np.nan, F)
    run(x.ctypes.data, len(x), x.shape[1], weights.ctypes.data, len(weights), out.ctypes.data)
    return out


@pytest.mark.parametrize("way", ways(), ids="-".join)
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 16, 33, 64, 65, 130, 256, 517, 2051])
def test_the_same_bits_as_numpy(way, length):
    generator = np.random.default_rng(length)
    for rows, units in ((1, 1), (2, 16), (3, 8), (4, 33), (5, 48), (6, 64), (7, 40), (8, 70), (9, 17)):
        x = generator.standard_normal((rows, length)).astype(F) * F(10.0 ** generator.integers(-6, 6))
        weights = generator.standard_normal((units, length)).astype(F)
        x[0] = 0.0
        with products(*way):
            found = product(way[0], x, weights)
        np.testing.assert_array_equal(found, expected_product(x, weights))


@pytest.mark.parametrize("way", ways(), ids="-".join)
@pytest.mark.parametrize("length", [2, 512, 516, 517, 4096, 70000])
def test_the_largest_sums_do_not_overflow(way, length):
    """All factors at their limits and of one sign: the sum that comes nearest to 2^31, of either sign.

    So are those in bytes: 127 times the low and the high byte of the largest number, and the correction.
    """
    x, weights = np.ones((2, length), F), np.ones((18, length), F)
    x[1], weights[9:] = -1.0, -1.0
    expected = expected_product(x, weights)
    assert expected[0, 0] > 0.99 * length and expected[1, 0] == expected[0, 9] == -expected[0, 0]
    with products(*way):
        np.testing.assert_array_equal(product(way[0], x, weights), expected)


@pytest.mark.parametrize("way", ways(), ids="-".join)
@pytest.mark.parametrize("length", [40, 100])
def test_what_is_not_finite_stays_in_its_row(way, length):
    x, weights = np.ones((4, length), F), np.ones((20, length), F)
    x[1, 7], x[2, 39], weights[3, 5] = np.nan, -np.inf, np.inf
    with products(*way):
        out = product(way[0], x, weights)
    assert np.isnan(out[1:3]).all() and np.isnan(out[:, 3]).all()
    assert np.isfinite(np.delete(out[[0, 3]], 3, 1)).all()


def rounded_cell(layer, x, states):
    """A layer's equations in float64 with the products of whole numbers."""
    weights = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    products = [expected_product(step.numpy(), weights["weight_ih_l0"]).astype(np.float64) for step in x]
    h, *c = (state.numpy().astype(np.float64) for state in states)
    outputs = []
    for from_x in products:
        from_h = expected_product(h.astype(F), weights["weight_hh_l0"]) + weights["bias_hh_l0"].astype(np.float64)
        from_x = from_x + weights["bias_ih_l0"]
        sigmoid = lambda value: 1 / (1 + np.exp(-value))  # noqa: E731
        if layer.cell == "rnn":
            h = np.tanh(from_x + from_h)
        elif layer.cell == "gru":
            (rx, zx, nx), (rh, zh, nh) = np.split(from_x, 3, -1), np.split(from_h, 3, -1)
            update = sigmoid(zx + zh)
            h = update * h + (1 - update) * np.tanh(nx + sigmoid(rx + rh) * nh)
        else:
            i, f, g, o = np.split(from_x + from_h, 4, -1)
            c = [sigmoid(f) * c[0] + sigmoid(i) * np.tanh(g)]
            h = sigmoid(o) * np.tanh(c[0])
        outputs.append(h)
    return np.stack(outputs)


SIZES = [(1, 3, 1, 1), (7, 5, 33, 45), (1, 40, 16, 64), (4, 4, 130, 17), (9, 20, 40, 70), (19, 5, 200, 96)]


@pytest.mark.parametrize("way", ways(), ids="-".join)
@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("threads", [1, 2])
def test_rounded_equations(way, cell, sizes, threads):
    variant, _ = way
    batch, steps, inputs, hidden = sizes
    torch.manual_seed(1)
    layer, x = LAYERS[cell](inputs, hidden).eval(), torch.randn(steps, batch, inputs)
    states = [torch.randn(1, batch, hidden) * 0.5 for _ in layer._cells[0].states]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with products(*way), torch.no_grad(), force(variant), nn.precision("int8"):
            output, _ = layer(x, states[0] if len(states) == 1 else tuple(states))
            assert layer.kernel == f"fused-{variant}-int8"
    finally:
        torch.set_num_threads(before)
    # A state near the middle between two whole numbers may round either way: a step of 1 / 32767, times some weights.
    assert np.abs(output.numpy() - rounded_cell(layer, x, [state[0] for state in states])).max() < 1e-4


@pytest.mark.parametrize("cell", LAYERS)
def test_same_bits_frozen_ragged_and_in_any_batch(cell):
    layer, x = LAYERS[cell](20, 40, num_layers=2, bidirectional=True).eval(), torch.randn(9, 5, 20)
    lengths = [9, 1, 5, 8, 9]
    with torch.no_grad(), nn.precision("int8"):
        layer(x)
        expected, ragged = layer(x)[0], layer(x, lengths=lengths)[0]
        alone = layer(x[:, 4:5])[0]
        with nn.frozen(layer):
            for _ in range(3):
                assert torch.equal(layer(x)[0], expected) and torch.equal(layer(x, lengths=lengths)[0], ragged)
            assert layer._frozen.current(layer._prepared.stack, layer._parameters) is not None
            with nn.precision("float32"):
                for _ in range(3):
                    exact, _ = layer(x)
                assert 0 < (exact - expected).abs().max() < 2e-2
    assert torch.equal(alone[:, 0], expected[:, 4])
    assert (ragged[1:, 1] == 0).all()


@pytest.mark.parametrize("cell", LAYERS)
def test_every_way_has_the_same_bits_in_a_layer(cell):
    """Products that one instruction set offers, in long and ragged calls, with and without states."""
    variant = available_variants()[0]
    layer, x = LAYERS[cell](70, 150).eval(), torch.randn(23, 11, 70)
    states = [torch.randn(1, 11, 150) * 0.5 for _ in layer._cells[0].states]
    lengths = [23, 1, 5, 8, 9, 23, 22, 2, 3, 17, 6]
    results = []
    for way in (way for way in ways() if way[0] == variant):
        with products(*way), torch.no_grad(), nn.precision("int8"):
            found = [
                layer(x)[0],
                layer(x, lengths=lengths)[0],
                layer(x, states[0] if len(states) == 1 else tuple(states))[0],
            ]
            found += [layer(x[:, row : row + many])[0] for row, many in ((0, 1), (3, 2), (5, 6))]
        assert torch.equal(found[0][:, 5:], found[-1])
        results.append(found)
    for found in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found, results[0], strict=True))


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("hidden", [9, 80])
def test_weights_that_are_not_finite_are_met_without_a_state_too(cell, hidden):
    """The product of no state is left out of the first step; 0 times infinity is NaN."""
    layer, x = LAYERS[cell](3, hidden).eval(), torch.randn(1, 2, 3)
    with torch.no_grad(), nn.precision("int8"):
        expected, _ = layer(x)
        assert torch.equal(layer(x, None)[0], layer(x, _zeros_of(layer, hidden))[0])
        layer.weight_hh_l0[4, hidden // 2] = float("inf")
        for hx in (None, _zeros_of(layer, hidden)):
            found, _ = layer(x, hx)
            assert found[..., 4].isnan().all()
            assert torch.equal(found[..., 5:], expected[..., 5:])


def _zeros_of(layer, hidden):
    states = [torch.zeros(1, 2, hidden) for _ in layer._cells[0].states]
    return states[0] if len(states) == 1 else tuple(states)


@pytest.mark.parametrize("change", [{"zoneout": 0.1}, {"layer_norm": True}, {"reset": "before"}])
def test_options_run_in_float32_and_say_so(change):
    layer, x = nn.GRU(3, 4, **change).eval(), torch.randn(2, 1, 3)
    with torch.no_grad():
        plain, _ = layer(x)
        with nn.precision("int8"):
            for _ in range(3):
                asked, _ = layer(x)
    assert torch.equal(plain, asked)
    assert "int8 was requested" in layer.explain_kernel()


def test_training_is_refused_also_after_a_call():
    layer, x = nn.GRU(3, 4), torch.randn(2, 1, 3)
    with nn.precision("int8"):
        with torch.no_grad():
            layer(x), layer(x)
        with pytest.raises(OptionError, match=r"no gradients.*no_grad"):
            layer(x)
    layer(x)[0].sum().backward()
    assert layer.kernel.startswith("fused") and not layer.kernel.endswith("int8")
