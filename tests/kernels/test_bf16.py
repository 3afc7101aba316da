"""Training on products of bfloat16: every result and gradient against the equations with the same factors rounded."""

from __future__ import annotations

import ctypes
import itertools

import pytest
import torch
from torch import Tensor

from gatewise import nn
from gatewise.errors import KernelError, OptionError
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused import bf16
from gatewise.kernels.fused.bf16 import PRODUCTS, available_products, products, use_products
from gatewise.kernels.fused.call import Inputs, Options, Sequence, run
from gatewise.kernels.fused.library import available_variants, require
from gatewise.kernels.fused.sequence import sequence
from gatewise.kernels.registry import CELLS

LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
SIZES = [(1, 3, 1, 1), (5, 6, 7, 9), (1, 40, 16, 64), (13, 4, 130, 17), (33, 3, 20, 70), (20, 4, 65, 130)]
"""B, T, I, H: sizes that fill no tile, one and several tiles of rows."""

pytestmark = pytest.mark.skipif(not available_variants(), reason="the fused kernels are not compiled here")


def _ways():
    """Every variant with every kind of products, and why this CPU leaves one out."""
    for variant in available_variants():
        found = available_products(require(variant))
        for name in PRODUCTS[1:]:
            if name == "emulated" or variant == "avx512":
                lacking = pytest.mark.skipif(name not in found, reason=f"no products of bfloat16 by {name} here")
                yield pytest.param(variant, name, marks=lacking, id=f"{variant}-{name}")


ways = pytest.mark.parametrize(("variant", "name"), list(_ways()))
cells = pytest.mark.parametrize("cell", LAYERS)


def _rounded(value: Tensor) -> Tensor:
    return value.detach().float().bfloat16().to(value.dtype)


class _Product(torch.autograd.Function):
    """x W^T with both factors rounded, and so in both gradients: of x dy W, of W dy^T x."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return _rounded(x) @ _rounded(weight).T

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        rounded = _rounded(gradient)
        return rounded @ _rounded(weight), rounded.T @ _rounded(x)


product = _Product.apply


def _step(cell, x, states, weights):
    """One step of the equations with rounded products; weights and biases of input and state."""
    w, u, b, c = weights
    from_x, from_h = product(x, w) + b, product(states[0], u) + c
    if cell == "rnn":
        return [torch.tanh(from_x + from_h)]
    if cell == "gru":
        (rx, zx, nx), (rh, zh, nh) = from_x.chunk(3, -1), from_h.chunk(3, -1)
        update = torch.sigmoid(zx + zh)
        candidate = torch.tanh(nx + torch.sigmoid(rx + rh) * nh)
        return [update * states[0] + (1 - update) * candidate]
    i, f, g, o = (from_x + from_h).chunk(4, -1)
    new = torch.sigmoid(f) * states[1] + torch.sigmoid(i) * torch.tanh(g)
    return [torch.sigmoid(o) * torch.tanh(new), new]


def _direction(cell, x, states, weights, lengths, reverse):
    """A whole direction of ragged rows in float64; output and final states."""
    steps = x.shape[0]
    outputs = [torch.zeros_like(states[0])] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        running = (t < lengths)[:, None]
        new = _step(cell, x[t], states, weights)
        states = [torch.where(running, n, old) for n, old in zip(new, states, strict=True)]
        outputs[t] = torch.where(running, new[0], 0.0)
    return torch.stack(outputs), states


def _oracle(cell, layer, x, states, lengths):
    """The layer's equations with rounded products, in float64; leaves by name, and output and final states."""
    leaves = {name: value.detach().double().requires_grad_() for name, value in layer.named_parameters()}
    leaves |= {"x": x.detach().double().requires_grad_()}
    leaves |= {f"state{n}": each.detach().double().requires_grad_() for n, each in enumerate(states)}
    current, finals = leaves["x"], []
    for depth in range(layer.num_layers):
        outputs = []
        for number in range(layer.directions):
            place = depth * layer.directions + number
            suffix = f"_l{depth}" + ("_reverse" if number else "")
            weights = [leaves[f"{kind}{suffix}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            begin = [leaves[f"state{n}"][place] for n in range(len(states))]
            output, final = _direction(cell, current, begin, weights, lengths, bool(number))
            outputs.append(output)
            finals.append(final)
        current = torch.cat(outputs, -1)
    return leaves, [current, *(torch.stack(each) for each in zip(*finals, strict=True))]


def _run(layer, x, states, lengths, threads=1):
    """The layer inside the block, its gradient outside of it; leaves by name, output and final states."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        leaves = dict(layer.named_parameters()) | {"x": x.requires_grad_()}
        leaves |= {f"state{n}": each.requires_grad_() for n, each in enumerate(states)}
        with nn.precision("bf16"):
            output, final = layer(x, states[0] if len(states) == 1 else tuple(states), lengths=lengths)
        finals = [final] if len(states) == 1 else list(final)
        along = _along([output, *finals])
        gradients = torch.autograd.grad([output, *finals], list(leaves.values()), along, retain_graph=True)
        again = torch.autograd.grad([output, *finals], list(leaves.values()), along)
        for one, two in zip(gradients, again, strict=True):
            assert torch.equal(one, two), "a second backward differs"
        return [output.detach(), *(each.detach() for each in finals)], dict(zip(leaves, gradients, strict=True))
    finally:
        torch.set_num_threads(before)


def _along(results):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(each.shape, generator=generator) for each in results]


def _make(cell, batch, steps, inputs, hidden, **options):
    torch.manual_seed(1)
    layer = LAYERS[cell](inputs, hidden, **options)
    count = layer.num_layers * layer.directions
    states = [torch.randn(count, batch, hidden) * 0.5 for _ in layer._cells[0].states]
    return layer, torch.randn(steps, batch, inputs), states


def _compare(cell, layer, x, states, lengths, threads, tolerance):
    got, gradients = _run(layer, x, states, lengths, threads)
    limits = torch.tensor(lengths if lengths is not None else [x.shape[0]] * x.shape[1])
    leaves, expected = _oracle(cell, layer, x, states, limits)
    along = [each.double() for each in _along(expected)]
    exact = dict(zip(leaves, torch.autograd.grad(expected, list(leaves.values()), along), strict=True))
    for place, (one, two) in enumerate(zip(got, expected, strict=True)):
        _near(f"result {place}", one, two.detach(), tolerance)
    for name, value in exact.items():
        _near(f"gradient of {name}", gradients[name], value, tolerance)


def _near(what, got, expected, tolerance):
    error = float((got.double() - expected).abs().max() / expected.abs().max().clamp_min(1e-3))
    assert error <= tolerance, f"{what}: off by {error:.1e} of its largest value"


@cells
@ways
@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_are_those_of_the_rounded_equations(cell, variant, name, threads):
    for sizes in SIZES:
        with force(variant), use_products(name):
            layer, *given = _make(cell, *sizes)
            # Where a sum lies near the middle of two bfloat16 numbers, float32 and float64 may round to either.
            _compare(cell, layer, *given, None, threads, 2e-3)
            assert "bf16" in (layer.kernel or "")


@cells
@ways
def test_one_step_is_exact_but_for_float32(cell, variant, name):
    """With one step from states that are bfloat16 numbers already nothing can round either way but gradients."""
    for batch, inputs, hidden in [(3, 5, 4), (18, 40, 33), (40, 33, 66)]:
        with force(variant), use_products(name):
            layer, x, states = _make(cell, batch, 1, inputs, hidden)
            got, _ = _run(layer, x, states, None)
            _, expected = _oracle(cell, layer, x, states, torch.tensor([1] * batch))
            for one, two in zip(got, expected, strict=True):
                _near("result", one, two.detach(), 2e-6)


@cells
@ways
def test_ragged_both_directions_two_layers(cell, variant, name):
    lengths = [6, 1, 4, 1, 6, 2, 5, 3, 1, 6, 6, 6, 2, 2, 4, 5, 6, 3, 1]
    for threads in (1, 2):
        with force(variant), use_products(name):
            layer, *given = _make(cell, len(lengths), 6, 11, 37, num_layers=2, bidirectional=True)
            _compare(cell, layer, *given, lengths, threads, 4e-3)


@cells
@ways
def test_same_bits_again_and_alone(cell, variant, name):
    with force(variant), use_products(name):
        for batch, threads in itertools.product((5, 39), (1, 2)):
            layer, x, states = _make(cell, batch, 7, 12, 40)
            one, two = (_run(layer, x, states, None, threads) for _ in range(2))
            assert all(map(torch.equal, one[0], two[0]))
            assert all(torch.equal(one[1][key], two[1][key]) for key in one[1])
            for row in (0, batch - 1):
                alone, gradients = _run_row(layer, x, states, row, threads)
                assert torch.equal(alone, one[0][0][:, row : row + 1]), "a row depends on its batch"
                assert torch.equal(gradients, _gradient_of_x(layer, x, states, threads)[:, row : row + 1])


def _run_row(layer, x, states, row, threads):
    one = x.detach()[:, row : row + 1].contiguous()
    begin = [each.detach()[:, row : row + 1].contiguous() for each in states]
    output = _run(layer, one, begin, None, threads)[0][0]
    return output, _gradient_of_x(layer, one, begin, threads)


def _gradient_of_x(layer, x, states, threads):
    """Of the sum of the output, so that a row's gradient is asked for alike in every batch."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x = x.detach().requires_grad_()
        begin = [each.detach() for each in states]
        with nn.precision("bf16"):
            output, _ = layer(x, begin[0] if len(begin) == 1 else tuple(begin))
        return torch.autograd.grad(output.sum(), x)[0]
    finally:
        torch.set_num_threads(before)


@cells
def test_the_tiles_of_the_processor_and_the_code_that_stands_for_them_agree(cell):
    """AMX sums each word's two products in an order of its own: equal but for float32's rounding of sums."""
    if "amx" not in available_products(require()):
        pytest.skip("this CPU has no products of bfloat16 by amx")
    results = []
    for name in ("emulated", "amx"):
        with use_products(name):
            layer, *given = _make(cell, 37, 1, 45, 50)
            results.append(_run(layer, *given, None))
    for one, two in zip(results[0][0], results[1][0], strict=True):
        _near("result", one, two.double(), 2e-6)


@ways
def test_large_weights_are_read_in_pieces(variant, name):
    """A backward product of more than 1,024 words."""
    with force(variant), use_products(name):
        layer, *given = _make("lstm", 35, 2, 6, 530)
        _compare("lstm", layer, *given, None, 1, 2e-3)


@cells
@ways
def test_near_float32(cell, variant, name):
    with force(variant), use_products(name):
        layer, *given = _make(cell, 21, 12, 40, 48)
        got, gradients = _run(layer, *given, None)
        with nn.precision("float32"):
            x, states = given
            exact, _ = layer(x, states[0] if len(states) == 1 else tuple(states))
        assert 0 < (got[0] - exact).abs().max() < 2e-2
        assert all(each.isfinite().all() for each in gradients.values())


@ways
def test_nan_and_infinity_stay_in_their_row(variant, name):
    with force(variant), use_products(name):
        layer, x, states = _make("gru", 20, 4, 6, 24)
        x[1, 2], x[2, 7] = float("nan"), float("inf")
        output, gradients = _run_rowwise(layer, x, states)
        others = [row for row in range(20) if row not in (2, 7)]
        assert output[:, others].isfinite().all() and gradients[:, others].isfinite().all()
        assert output[1:, 2].isnan().all()


def _run_rowwise(layer, x, states):
    x = x.detach().requires_grad_()
    with nn.precision("bf16"):
        output, _ = layer(x, states[0])
    return output.detach(), torch.autograd.grad(output.sum(), x)[0]


@ways
def test_rounding_is_to_nearest_even(variant, name):
    """The row that the kernels multiply, against torch's own rounding: ties, overflow, infinities, NaN, zeros."""
    special = [1.0, -1.0, 1.00390625, 1.01171875, -1.00390625, 3.4e38, -3.4e38, float("inf"), float("-inf"), 0.0, -0.0]
    values = torch.cat([torch.tensor(special), torch.randn(54) * torch.logspace(-30, 30, 54), torch.tensor([2.5, 7.0])])
    values = values[:-1]  # an odd number
    with force(variant), use_products(name):
        library = require(variant)
        function = library.function(
            "gatewise_bf16_row", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p
        )
        words = torch.full((function(None, len(values), None),), -1, dtype=torch.int32)
        function(values.data_ptr(), len(values), words.data_ptr())
        got = words.view(torch.bfloat16)
        assert torch.equal(got[: len(values)].view(torch.int16), values.bfloat16().view(torch.int16))
        assert (got[len(values) :] == 0).all()
        values[3] = float("nan")
        function(values.data_ptr(), len(values), words.data_ptr())
        assert words.view(torch.bfloat16)[3].isnan()


def test_products_are_named():
    library = require()
    assert products(library) in PRODUCTS
    assert {"none", "emulated"} <= set(available_products(library))
    with use_products("none"):
        layer = nn.GRU(3, 4)
        with nn.precision("bf16"):
            layer(torch.ones(2, 1, 3))[0].sum().backward()
        assert "bf16 was requested" in layer.explain_kernel()
    with pytest.raises(KernelError, match=r"emulate.*emulated"), use_products("emulate"):
        pass


def test_the_environment_chooses(monkeypatch):
    library = require()
    before = products(library)
    try:
        for name, found in (("emulated", "emulated"), ("none", "none"), ("", "none")):
            monkeypatch.setattr(bf16, "_asked", set())
            monkeypatch.setenv("GATEWISE_BF16", name)
            assert products(library) == found
        monkeypatch.setattr(bf16, "_asked", set())
        monkeypatch.setenv("GATEWISE_BF16", "amy")
        for _ in range(2):
            with pytest.raises(KernelError, match=r"GATEWISE_BF16.*amx"):
                products(library)
    finally:
        monkeypatch.undo()
        bf16._choose(library, before)
    assert products(library) == before


def test_a_choice_says_that_its_instruction_is_slow():
    class Measured:
        def __init__(self, ratio):
            self.function = lambda *_: lambda: ratio

    assert "float32 is faster" in (slow := bf16.explain_products(Measured(4.0), "avx512"))
    assert bf16.explain_products(Measured(1.0), "avx512") == bf16.explain_products(Measured(4.0), "amx") == ""
    library = require()
    ratio = library.function("gatewise_bf16_slowness", ctypes.c_double)()
    if "avx512" not in available_products(library):
        assert ratio == 0.0
        return
    assert 0.3 < ratio < 30.0  # Intel: 4; Zen 4 and 5: 1
    layer = LAYERS["gru"](3, 4)
    with use_products("avx512"), nn.precision("bf16"):
        layer(torch.randn(2, 1, 3))
        assert (slow in layer.explain_kernel()) == bool(bf16.explain_products(library, "avx512"))


@pytest.mark.skipif("avx2" not in available_variants(), reason="no kernels with AVX2 here")
def test_narrow_vectors_have_no_tiles():
    message = r"avx2 kernels have no .* by amx.*emulated"
    with force("avx2"), pytest.raises(KernelError, match=message), use_products("amx"):
        pass


def test_the_kernel_refuses_what_it_cannot():
    with use_products("none"), pytest.raises(OptionError, match="rounded products"):
        run("gru", "forward", Sequence(2, 1, 3, 4, 1, True, False, 0, 1))


def test_a_stack_that_was_prepared_trains_as_the_first_call():
    """The second call of a layer takes the short way."""
    with use_products("emulated"):
        layer, x, states = _make("lstm", 6, 5, 7, 20, num_layers=2)
        first, second = (_run(layer, x, states, None) for _ in range(2))
        assert layer._prepared is not None and layer._prepared.precision == "bf16"
    assert all(map(torch.equal, first[0], second[0]))
    assert all(torch.equal(first[1][key], second[1][key]) for key in first[1])


@cells
@ways
def test_a_row_without_steps(cell, variant, name):
    """The layers refuse it, the kernels do not: its state passes, and so does its gradient."""
    info, hidden, inputs = CELLS[cell], 19, 5
    torch.manual_seed(4)
    rows = info.gates_of(0) * hidden
    x, h0, c0 = torch.randn(4, 18, inputs), torch.randn(18, hidden), torch.randn(18, hidden)
    given = [x, h0, c0 if info.states > 1 else None, torch.randn(rows, inputs), torch.randn(rows, hidden) / 4]
    leaves = [each.requires_grad_() for each in given if each is not None]
    options = Options(cell, rounding=1)
    with force(variant), use_products(name):
        lengths = torch.tensor([4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4])
        output, h_n, *_ = sequence(options, Inputs(*given, lengths=lengths))
        gradients = torch.autograd.grad(output.sum() + (h_n * torch.arange(18.0)[:, None]).sum(), leaves)
    assert torch.equal(h_n[[1, 6]], h0[[1, 6]]) and (output[:, [1, 6]] == 0).all()
    assert (gradients[0][:, [1, 6]] == 0).all() and torch.equal(gradients[1][1], torch.ones(hidden))
    assert torch.equal(gradients[1][6], torch.full((hidden,), 6.0))
    assert all(each.isfinite().all() for each in gradients)
