"""A layer's later calls are prepared: the same bits and gradients, and the long way where that is needed."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from gatewise.errors import ShapeError
from gatewise.kernels.dispatch import force, precision
from gatewise.kernels.fused.library import load
from gatewise.nn import GRU, LSTM, RNN, MinGRU, MinLSTM, Recurrent

KINDS = [RNN, LSTM, GRU, MinGRU, MinLSTM]
compiled = pytest.mark.skipif(load()[0] is None, reason="no compiled kernels")


def flat(result):
    output, state = result
    return [output, *(state if isinstance(state, tuple) else (state,))]


def same(first, second):
    return all(
        torch.equal(one, two) and one.stride() == two.stride()
        for one, two in zip(flat(first), flat(second), strict=True)
    )


def warmed(layer, x, hx=None):
    """The layer after a call, which prepares the others."""
    with torch.no_grad():
        layer(x, hx)
    return layer


def quick(layer, x, hx=None):
    """What the prepared call gives: None where it goes the long way."""
    with torch.no_grad():
        return layer._prepared(layer, x, hx)


@compiled
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (4,)], ids=["one step", "batch", "unbatched"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [True, False])
def test_same_bits_as_the_long_way(kind, layers, shape, batch_first, bias):
    layer = kind(3, 5, layers, batch_first=batch_first, bias=bias)
    x = torch.randn(*shape, 3)
    with torch.no_grad():
        state = layer(torch.randn(*shape, 3))[1]
        for hx in (None, state):
            expected = copy.deepcopy(layer)(x, hx)
            found = quick(warmed(layer, x, hx), x, hx)
            assert found is not None and same(found, expected) and same(layer(x, hx), expected)


@compiled
def test_weights_that_changed_are_seen():
    layer, x = GRU(3, 5, 2), torch.randn(3, 2, 3)
    changes = {
        "in place": lambda: layer.weight_hh_l1.data.mul_(0.5),
        "other data": lambda: setattr(layer.bias_ih_l0, "data", torch.randn(15)),
        "other parameter": lambda: setattr(layer, "weight_ih_l0", torch.nn.Parameter(torch.randn(15, 3))),
        "loaded": lambda: layer.load_state_dict(GRU(3, 5, 2).state_dict()),
    }
    for name, change in changes.items():
        before = warmed(layer, x)(x)
        change()
        with torch.no_grad():
            expected = copy.deepcopy(layer)(x)
            assert same(layer(x), expected) and not same(before, expected), name


@compiled
def test_other_modes_go_the_long_way():
    layer, x = GRU(3, 5), torch.randn(1, 2, 3)
    warmed(layer, x)
    assert quick(layer, x) is not None
    with force("reference"):
        assert quick(layer, x) is None
        with torch.no_grad():
            layer(x)
        assert layer.kernel == "reference"
    with torch.no_grad():
        layer(x)
    assert layer.kernel.startswith("fused"), "what ran last is what the layer names"
    with precision("bf16"):
        assert quick(layer, x) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert quick(layer, x) is None
    assert quick(layer, torch.randn(7, 4, 3)) is not None, "any size"
    assert quick(layer, torch.randn(2, 2, 4)) is None
    assert quick(layer, torch.randn(0, 2, 3)) is None
    assert quick(layer, torch.randn(1, 3, 2).transpose(1, 2)) is None
    assert quick(layer, x, torch.zeros(2, 5)) is None
    assert quick(layer, x, torch.zeros(5, 1, 2).permute(1, 2, 0)) is None
    assert quick(layer, x, torch.zeros(1, 2, 5, dtype=torch.float64)) is None
    with torch.no_grad():
        other = {name: torch.zeros_like(each) for name, each in layer.named_parameters()}
        assert not torch.func.functional_call(layer, other, (x,))[0].any()
        layer.double()
        assert layer(x.double())[0].dtype == torch.float64


@compiled
@pytest.mark.parametrize("option", ["bidirectional", "zoneout", "layer_norm", "learned_initial_state", "dropout"])
def test_options_are_never_prepared_wrongly(option):
    options = {option: 0.5 if option in ("zoneout", "dropout") else True}
    layer, x = GRU(3, 5, 2, **options), torch.randn(4, 2, 3)
    for mode in (True, False):
        layer.train(mode)
        warmed(layer, x)
        found = layer._prepared is not None and quick(layer, x) is not None
        assert found == (option == "bidirectional" or (option == "dropout" and not mode))
    with torch.no_grad():
        assert same(layer(x), copy.deepcopy(layer)(x))


@compiled
def test_options_that_are_set_later_take_effect():
    layer, x = warmed(GRU(3, 5, 2), torch.randn(4, 4, 3)), torch.randn(4, 4, 3)
    for name, value in (("batch_first", True), ("residual", True)):
        before = warmed(layer, x)(x)[0]
        setattr(layer, name, value)
        with torch.no_grad():
            assert same(layer(x), copy.deepcopy(layer)(x)) and not torch.equal(before, layer(x)[0]), name
    layer = warmed(GRU(3, 5, 2).train(), x)
    layer.dropout = 0.5
    with torch.no_grad():
        assert not torch.equal(layer(x)[0], layer(x)[0])


@compiled
def test_errors_are_those_of_the_long_way():
    layer, x = warmed(LSTM(3, 5), torch.randn(1, 2, 3)), torch.randn(1, 2, 3)
    with torch.no_grad(), pytest.raises(ShapeError, match="one tensor per state"):
        layer(x, torch.zeros(1, 2, 5))
    with torch.no_grad(), pytest.raises(ShapeError, match="wrong shape"):
        layer(x, (torch.zeros(1, 2, 5), torch.zeros(1, 3, 5)))


@compiled
def test_copies_and_pickles_prepare_for_themselves():
    layer, x = warmed(GRU(3, 5), torch.randn(1, 2, 3)), torch.randn(1, 2, 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301  # its own
        assert other._prepared is None
        with torch.no_grad():
            assert same(other(x), layer(x))


@compiled
def test_threads_share_a_layer():
    layer = warmed(GRU(3, 32), torch.randn(8, 2, 3))
    inputs = [torch.randn(8, 2, 3) for _ in range(64)]
    with torch.no_grad():
        expected = [copy.deepcopy(layer)(x)[0] for x in inputs]

    def run(x):
        with torch.no_grad():
            return layer(x)[0]

    with ThreadPoolExecutor(4) as pool:
        assert all(map(torch.equal, pool.map(run, inputs), expected))


@pytest.mark.parametrize("default", ["dtype", "device"])
def test_memory_is_that_of_the_input_whatever_torchs_defaults_are(default):
    """In torch's defaults of the moment a buffer would be too large, too small, or nowhere."""
    layer, x = Recurrent("lstm", 3, 5, 2, layer_norm=True, zoneout=0.2), torch.randn(4, 2, 3)
    plain = GRU(3, 5)
    with torch.no_grad():
        expected = layer.eval()(x)[0], plain(x)[0], plain.session(2)(x[0])
    try:
        if default == "dtype":
            torch.set_default_dtype(torch.float64)
        else:
            torch.set_default_device("meta")
        with torch.no_grad():
            for _ in range(3):
                found = layer(x)[0], plain(x)[0], plain.session(2)(x[0])
                assert all(map(torch.equal, found, expected))
        layer.train()
        output, _ = layer(x)
        output.sum().backward()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert output.dtype == torch.float32 and output.device.type == "cpu"
    assert all(each.grad is not None and each.grad.dtype == torch.float32 for each in layer.parameters())


def with_gradients(layer, x, hx, lengths):
    """Output, states, and every gradient of one call."""
    leaves = [x.clone().requires_grad_()]
    if hx is not None:
        parts = [each.clone().requires_grad_() for each in (hx if isinstance(hx, tuple) else (hx,))]
        leaves += parts
        hx = tuple(parts) if isinstance(hx, tuple) else parts[0]
    layer.zero_grad(set_to_none=True)
    output, *states = flat(layer(leaves[0], hx, lengths))
    found = [output, *states]
    sum((each * each).sum() * scale for scale, each in enumerate(found, 1)).backward()
    return output.grad_fn, [*found, *(each.grad for each in [*leaves, *layer.parameters()])]


@compiled
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("call", ["plain", "state", "ragged", "unbatched"])
def test_same_gradients_as_the_long_way(kind, layers, bidirectional, batch_first, call):
    layer = kind(3, 5, layers, batch_first=batch_first, bidirectional=bidirectional)
    x = torch.randn((4, 3) if call == "unbatched" else (4, 4, 3))
    lengths = [2, 4, 1, 3] if call == "ragged" else None
    with torch.no_grad():
        hx = None if call == "plain" else layer(torch.randn(x.shape))[1]
    node, expected = with_gradients(copy.deepcopy(layer), x, hx, lengths)
    assert node.name() != "StackFunctionBackward"
    warmed(layer, x)
    node, found = with_gradients(layer, x, hx, lengths)
    assert node.name() == "StackFunctionBackward"
    for one, two in zip(found, expected, strict=True):
        assert torch.equal(one, two)
    assert found[0].stride() == expected[0].stride()


@compiled
def test_gradients_only_of_what_is_trained():
    layer, x = warmed(LSTM(3, 5, 3), torch.randn(4, 2, 3)), torch.randn(4, 2, 3)
    expected = with_gradients(copy.deepcopy(layer), x, None, None)[1][3:]
    for trained in ("weight_hh_l2", "bias_ih_l1", "weight_ih_l0"):
        layer.zero_grad(set_to_none=True)
        for name, weight in layer.named_parameters():
            weight.requires_grad_(name == trained)
        output, state = layer(x)
        sum((each * each).sum() * scale for scale, each in enumerate(flat((output, state)), 1)).backward()
        for (name, weight), gradient in zip(layer.named_parameters(), expected[1:], strict=True):
            assert (weight.grad is None) == (name != trained)
            assert name != trained or torch.equal(weight.grad, gradient)


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_backward_can_be_repeated_but_not_differentiated(kind):
    layer, x = warmed(kind(3, 5, 2), torch.randn(4, 2, 3)), torch.randn(4, 2, 3)
    output, _ = layer(x)
    first = torch.autograd.grad(output.sum(), list(layer.parameters()), retain_graph=True)
    again = torch.autograd.grad(output.sum(), list(layer.parameters()), create_graph=True)
    assert all(map(torch.equal, first, again))
    with pytest.raises(RuntimeError, match="no second derivative"):
        again[0].sum().backward()


@compiled
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [None, [4, 2]])
def test_hooks_may_save_tensors_in_another_layout(bidirectional, batch_first, lengths):
    layer = warmed(LSTM(3, 5, 2, batch_first=batch_first, bidirectional=bidirectional), torch.randn(2, 4, 3))
    x = torch.randn(2, 4, 3) if batch_first else torch.randn(4, 2, 3)
    x.requires_grad_()

    def gradients():
        output, (hidden, cell) = layer(x, lengths=lengths)
        whole = (output * torch.linspace(-1, 1, output.numel()).view(output.shape)).sum() + hidden.sum() + cell.sum()
        return torch.autograd.grad(whole, [x, *layer.parameters()])

    expected = gradients()
    columns = (lambda saved: saved.detach().numpy().copy(order="F"), torch.from_numpy)
    rows = (lambda saved: saved.detach().numpy().copy(order="C"), torch.from_numpy)
    for hooks in (columns, rows):
        with torch.autograd.graph.saved_tensors_hooks(*hooks):
            assert all(map(torch.equal, gradients(), expected))


@compiled
def test_changes_in_place_are_safe():
    layer, x = warmed(GRU(3, 5, batch_first=True, bidirectional=True), torch.randn(4, 2, 3)), torch.randn(4, 2, 3)
    expected = torch.autograd.grad((layer(x)[0] * 2).sum(), list(layer.parameters()))
    found = torch.autograd.grad(layer(x)[0].mul_(2).sum(), list(layer.parameters()))
    assert all(map(torch.equal, found, expected))
    output, _ = layer(x)
    with torch.no_grad():
        layer.weight_hh_l0.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@compiled
def test_long_sequences_of_a_checkpointing_layer_go_the_long_way():
    layer = warmed(GRU(3, 5, checkpoint_steps=4), torch.randn(4, 2, 3))
    for steps in (4, 9):
        x = torch.randn(steps, 2, 3)
        assert (layer._prepared(layer, x, None) is None) == (steps > 4)
        assert quick(layer, x) is not None, "without gradients nothing is kept"


@compiled
def test_lengths_are_checked():
    layer, x = warmed(GRU(3, 5), torch.randn(4, 2, 3)), torch.randn(4, 2, 3)
    for lengths, words in (([0, 2], "not positive"), ([5, 2], "longer than"), ([1], "one entry per row")):
        with pytest.raises(ShapeError, match=words):
            layer(x, lengths=lengths)
    with pytest.raises(ShapeError, match="one length"):
        layer(x[:, 0], lengths=[2])
