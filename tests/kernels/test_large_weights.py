"""Weights larger than a cache: threads share the units, panels are read in pieces; small batches with options too."""

import pytest
import torch

from gatewise import nn
from gatewise.kernels.fused.library import load

pytestmark = pytest.mark.skipif(load()[0] is None, reason="no compiled kernels")
LARGE = {"rnn": (1500, 520), "gru": (700, 290), "lstm": (600, 290)}
LAYERS = {
    "rnn": (nn.RNN, torch.nn.RNN),
    "gru": (nn.GRU, torch.nn.GRU),
    "lstm": (nn.LSTM, torch.nn.LSTM),
}


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def _gradients(layer, x, weight):
    layer.zero_grad()
    x = x.clone().requires_grad_()
    output, _ = layer(x)
    (output * weight).sum().backward()
    return {"output": output.detach(), "x": x.grad} | {name: p.grad for name, p in layer.named_parameters()}


@pytest.mark.parametrize("cell", LARGE)
@pytest.mark.parametrize("rows", [5, 17])
def test_equals_torch_in_float64(cell, rows, two_threads):
    inputs, hidden = LARGE[cell]
    ours, theirs = (kind(inputs, hidden) for kind in LAYERS[cell])
    theirs.load_state_dict(ours.state_dict())
    x, weight = torch.randn(3, rows, inputs), torch.randn(3, rows, hidden)
    got = _gradients(ours, x, weight)
    assert ours.kernel.startswith("fused")
    want = _gradients(theirs.double(), x.double(), weight.double())
    for name, expected in want.items():
        scale = expected.abs().max()
        assert (got[name].double() - expected).abs().max() < 1e-5 * scale, name


@pytest.mark.parametrize("cell", LARGE)
def test_ragged_backward_direction_equals_the_reference(cell, two_threads):
    inputs, hidden = LARGE[cell]
    layer = LAYERS[cell][0](inputs, hidden, bidirectional=True)
    x, lengths, weight = torch.randn(4, 6, inputs), [4, 1, 3, 4, 2, 1], torch.randn(4, 6, 2 * hidden)
    results = []
    for kernel in (None, "reference"):
        layer.zero_grad()
        with pytest.MonkeyPatch.context() as patch:
            if kernel is not None:
                patch.setenv("GATEWISE_KERNEL", kernel)
            output, _ = layer(x, lengths=lengths)
            (output * weight).sum().backward()
        results.append([output.detach()] + [p.grad.clone() for p in layer.parameters()])
    for got, want in zip(*results, strict=True):
        assert (got - want).abs().max() < 2e-5 * want.abs().max()


@pytest.mark.parametrize("cell", LARGE)
def test_a_row_has_the_same_bits_alone_and_on_one_thread(cell, two_threads):
    inputs, hidden = LARGE[cell]
    layer, x = LAYERS[cell][0](inputs, hidden), torch.randn(3, 9, inputs)
    with torch.no_grad():
        together, _ = layer(x)
        alone, _ = layer(x[:, 4:5])
        torch.set_num_threads(1)
        single, _ = layer(x)
    assert torch.equal(together[:, 4:5], alone) and torch.equal(together, single)


@pytest.mark.parametrize("cell", LARGE)
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("reset", ["after", "before"])
def test_options_share_units_for_tiny_batches(cell, rows, reset, two_threads):
    """Two threads share the rows of a tiny batch: the same bits forward as one thread, the same gradients."""
    if reset == "before" and cell != "gru":
        pytest.skip("a GRU's option")
    extra = {"reset": reset} if cell == "gru" else {}
    layer = LAYERS[cell][0](50, 70, layer_norm=True, zoneout=0.2, recurrent_dropout=0.2, **extra)
    x, weight = torch.randn(60, rows, 50), torch.randn(60, rows, 70)
    results = []
    for threads in (2, 1):
        torch.set_num_threads(threads)
        torch.manual_seed(4)
        results.append(_gradients(layer, x, weight))
    for name, want in results[1].items():
        got = results[0][name]
        if name == "output":
            assert torch.equal(got, want)
        assert (got - want).abs().max() <= 1e-5 * want.abs().max(), name


@pytest.mark.parametrize("cell", LARGE)
@pytest.mark.parametrize("steps", [1, 2, 9])
def test_few_rows_have_the_same_bits_with_two_threads(cell, steps, two_threads):
    """One tile of rows: threads share the units, in a call of a step or two at once, else where weights are larger."""
    for inputs, hidden in ((300, 260), (64, 128)):
        layer = LAYERS[cell][0](inputs, hidden).eval()
        for rows in (1, 4, 5, 8):
            x = torch.randn(steps, rows, inputs)
            with torch.no_grad():
                torch.set_num_threads(2)
                output, state = layer(x)
                with nn.frozen(layer):
                    assert all(torch.equal(output, layer(x)[0]) for _ in range(2))
                torch.set_num_threads(1)
                alone, last = layer(x)
            assert torch.equal(output, alone)
            for one, two in zip(
                *((each if isinstance(each, tuple) else (each,)) for each in (state, last)), strict=True
            ):
                assert torch.equal(one, two)
