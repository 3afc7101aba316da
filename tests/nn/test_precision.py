"""Products of bfloat16: the equations with rounded factors, where they apply, what they refuse."""

import pytest
import torch

from gatewise import nn
from gatewise.errors import OptionError
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused.bf16 import implementation, products
from gatewise.kernels.fused.library import cpu_features, load, require

HAVE_BF16 = "avx512_bf16" in cpu_features() and load()[0] is not None and load()[0].variant == "avx512"
needs_bf16 = pytest.mark.skipif(not HAVE_BF16, reason="this CPU has no products of bfloat16")
LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def _rounded(value: torch.Tensor) -> torch.Tensor:
    return value.to(torch.float32).to(torch.bfloat16).double()


def _expected(layer, x, states):
    """The equations in float64, each factor of a product rounded to bfloat16 first."""
    weights = {name: value.detach().double() for name, value in layer.named_parameters()}
    w, u = _rounded(weights["weight_ih_l0"]), _rounded(weights["weight_hh_l0"])
    h, *c = (state.double() for state in states)
    outputs = []
    for step in x:
        from_x = _rounded(step) @ w.T + weights["bias_ih_l0"]
        from_h = _rounded(h) @ u.T + weights["bias_hh_l0"]
        if layer.cell == "rnn":
            h = torch.tanh(from_x + from_h)
        elif layer.cell == "gru":
            (rx, zx, nx), (rh, zh, nh) = from_x.chunk(3, -1), from_h.chunk(3, -1)
            update = torch.sigmoid(zx + zh)
            candidate = torch.tanh(nx + torch.sigmoid(rx + rh) * nh)
            h = update * h + (1 - update) * candidate
        else:
            i, f, g, o = (from_x + from_h).chunk(4, -1)
            c = [torch.sigmoid(f) * c[0] + torch.sigmoid(i) * torch.tanh(g)]
            h = torch.sigmoid(o) * torch.tanh(c[0])
        outputs.append(h)
    return torch.stack(outputs)


@needs_bf16
@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("sizes", [(1, 3, 1, 1), (7, 5, 33, 45), (1, 40, 16, 64), (13, 4, 130, 17)])
@pytest.mark.parametrize("threads", [1, 2])
def test_rounded_equations(cell, sizes, threads):
    batch, steps, inputs, hidden = sizes
    torch.manual_seed(1)
    layer, x = LAYERS[cell](inputs, hidden), torch.randn(steps, batch, inputs)
    states = [torch.randn(1, batch, hidden) * 0.5 for _ in layer._cells[0].states]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.no_grad(), nn.precision("bf16"):
            output, _ = layer(x, states[0] if len(states) == 1 else tuple(states))
    finally:
        torch.set_num_threads(before)
    assert layer.kernel == implementation("fused-avx512", products(require()))
    # A state near the middle between two bfloat16 numbers may round either way: one such step of 2^-9 at most.
    assert (output.double() - _expected(layer, x, [state[0] for state in states])).abs().max() < 2e-3


@needs_bf16
@pytest.mark.parametrize("cell", LAYERS)
def test_ragged_both_directions_near_float32(cell):
    torch.manual_seed(2)
    layer, x = LAYERS[cell](20, 40, num_layers=2, bidirectional=True), torch.randn(9, 4, 20)
    lengths = [9, 1, 5, 8]
    with torch.no_grad():
        exact, _ = layer(x, lengths=lengths)
        with nn.precision("bf16"):
            rounded, _ = layer(x, lengths=lengths)
    assert 0 < (exact - rounded).abs().max() < 1e-2
    assert (rounded[1:, 1] == 0).all()


@needs_bf16
def test_nan_stays_in_its_row():
    layer, x = nn.LSTM(6, 8), torch.randn(4, 3, 6)
    x[1, 2] = float("nan")
    with torch.no_grad(), nn.precision("bf16"):
        output, _ = layer(x)
    assert output[:, :2].isfinite().all() and output[1:, 2].isnan().all()


@needs_bf16
@pytest.mark.parametrize("change", [{"zoneout": 0.1}, {"layer_norm": True}])
def test_options_run_in_float32_and_say_so(change):
    layer, x = nn.GRU(3, 4, **change).eval(), torch.randn(2, 1, 3)
    with torch.no_grad():
        plain, _ = layer(x)
        with nn.precision("bf16"):
            asked, _ = layer(x)
    assert torch.equal(plain, asked)
    assert "bf16 was requested" in layer.explain_kernel()


@pytest.mark.parametrize("kernel", [None, "reference", "torch"])
def test_training_on_whole_numbers_is_refused(kernel):
    layer, x = nn.GRU(3, 4), torch.randn(2, 1, 3)

    def run():
        with nn.precision("int8"), pytest.raises(OptionError, match=r"no gradients.*no_grad"):
            layer(x)

    if kernel is None:
        run()
    else:
        with force(kernel):
            run()


@pytest.mark.parametrize("kernel", ["reference", "torch"])
def test_training_on_other_kernels_is_in_float32_and_says_so(kernel):
    layer, x = nn.GRU(3, 4), torch.randn(2, 1, 3)
    gradients = []
    for name in ("float32", "bf16"):
        with force(kernel), nn.precision(name):
            output, _ = layer(x)
        gradients.append(torch.autograd.grad(output.sum(), list(layer.parameters())))
        assert layer.kernel == kernel
    assert all(map(torch.equal, *gradients))


@needs_bf16
def test_gradients_do_not_depend_on_where_backward_is_called():
    layer, x = nn.LSTM(30, 40), torch.randn(5, 3, 30)
    with nn.precision("bf16"):
        output, _ = layer(x)
        inside = torch.autograd.grad(output.sum(), list(layer.parameters()), retain_graph=True)
    outside = torch.autograd.grad(output.sum(), list(layer.parameters()))
    exact = torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters()))
    assert all(map(torch.equal, inside, outside)) and not torch.equal(inside[0], exact[0])


@needs_bf16
def test_chunks_that_are_computed_again_are_rounded_again():
    torch.manual_seed(3)
    layer, x = nn.GRU(8, 24), torch.randn(12, 3, 8)
    found = []
    for steps in (None, 5):
        layer.checkpoint_steps = steps
        with nn.precision("bf16"):
            output, _ = layer(x)
        found.append((output.detach(), torch.autograd.grad(output.sum(), layer.weight_hh_l0)[0]))
    assert torch.equal(found[0][0], found[1][0])
    assert (found[0][1] - found[1][1]).abs().max() < 1e-5 * found[0][1].abs().max()


@needs_bf16
@pytest.mark.parametrize("cell", LAYERS)
def test_a_compiled_layer_trains_alike(cell):
    torch.manual_seed(4)
    layer, x = LAYERS[cell](6, 20), torch.randn(4, 3, 6)

    def run(function):
        with nn.precision("bf16"):
            output, _ = function(x)
        return [output.detach(), *torch.autograd.grad(output.sum(), list(layer.parameters()))]

    eager = run(layer)
    torch.compiler.reset()
    assert all(map(torch.equal, run(torch.compile(layer, backend="aot_eager")), eager))


def test_other_kernels_ignore_the_wish_and_say_what_ran():
    layer, x = nn.GRU(3, 4), torch.randn(2, 1, 3)
    with torch.no_grad(), force("reference"):
        plain, _ = layer(x)
        with nn.precision("bf16"):
            asked, _ = layer(x)
    assert torch.equal(plain, asked) and layer.kernel == "reference"


def test_unknown_precision_names_the_nearest():
    with pytest.raises(OptionError, match=r"bf1.*bf16"), nn.precision("bf1"):
        pass


@needs_bf16
def test_leaving_the_block_gives_float32_again():
    layer, x = nn.GRU(3, 4), torch.randn(2, 1, 3)
    with torch.no_grad():
        with nn.precision("bf16"):
            layer(x)
        layer(x)
    assert layer.kernel == "fused-avx512"
