"""gradcheck for every option, and second derivatives."""

from __future__ import annotations

import pytest
import torch
from conformance import Case, assert_close, cases, parametrize_cases, random_state, tensors

from gatewise.kernels.dispatch import force
from gatewise.kernels.fused.call import Inputs, Options
from gatewise.kernels.fused.library import load
from gatewise.kernels.fused.traced import traced_sequence
from gatewise.nn import GRU, LSTM, RNN, MinGRU, MinLSTM

SMOOTH = [case for case in cases() if case.options.get("cell_options", {}).get("nonlinearity") != "relu"]


def function(layer, hx, lengths):
    """Output and states as a function of x, hx and all parameters, with the same masks at every call."""
    names = [name for name, _ in layer.named_parameters()]
    count = len(list(tensors(hx)))

    def rebuild(flat, like):
        return flat.pop(0) if isinstance(like, torch.Tensor) else tuple(rebuild(flat, part) for part in like)

    def call(x, *rest):
        torch.manual_seed(0)
        state, parameters = rebuild(list(rest[:count]), hx), rest[count:]
        output, final = torch.func.functional_call(
            layer, dict(zip(names, parameters, strict=True)), (x, state), {"lengths": lengths}
        )
        return (output, *tensors(final))

    inputs = [each.detach().clone().requires_grad_() for each in (*tensors(hx), *layer.parameters())]
    return call, inputs


@parametrize_cases()
def test_gradcheck(case: Case):
    """Analytic equals numeric gradient by x, hx and every parameter, ragged, both directions, in training."""
    layer = case.build(2, 3, bidirectional=True, dtype=torch.float64)
    hx = random_state(layer, 2)
    call, inputs = function(layer, hx, torch.tensor([3, 2]))
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    with force("reference"):
        assert torch.autograd.gradcheck(call, (x, *inputs), fast_mode=True, atol=1e-6, rtol=1e-4)


@pytest.mark.slow
@parametrize_cases([case for case in SMOOTH if "checkpoint_steps" not in case.options])
def test_second_derivatives_of_the_reference(case: Case):
    layer = case.build(2, 3, dtype=torch.float64)
    hx = random_state(layer, 2)
    call, inputs = function(layer, hx, None)
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    with force("reference"):
        assert torch.autograd.gradgradcheck(call, (x, *inputs), fast_mode=True, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_second_derivative_through_torch_equals_the_reference(kind):
    layer = kind(3, 4)
    x = torch.randn(5, 2, 3, requires_grad=True)

    def second():
        first = torch.autograd.grad(layer(x)[0].pow(2).sum(), x, create_graph=True)[0]
        return torch.autograd.grad(first.pow(2).sum(), x)[0]

    with force("torch"):
        got = second()
    with force("reference"):
        expected = second()
    assert_close(got, expected, "second derivative", 1e-4)


@pytest.mark.parametrize("steps", [1, 3, 4, 7, 50])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("implementation", ["reference", "torch"])
@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_checkpointing_changes_no_number(kind, implementation, ragged, steps):
    results = []
    for chunk in (None, steps):
        torch.manual_seed(0)
        layer = kind(3, 4, 2, bidirectional=True, zoneout=0.2, dropout=0.2, checkpoint_steps=chunk).double()
        if implementation == "torch":
            layer.zoneout = (0.0,) * len(layer.zoneout)
        x = torch.randn(8, 3, 3, dtype=torch.float64, requires_grad=True)
        with force(implementation):
            output, final = layer(x, lengths=[2, 8, 5] if ragged else None)
        (output.pow(2).sum() + sum(each.sum() for each in tensors(final))).backward()
        results.append((output, x.grad, layer.weight_hh_l0.grad, layer.weight_ih_l1_reverse.grad))
    for got, expected in zip(*reversed(results), strict=True):
        assert_close(got, expected, "checkpointed", 1e-12)


def test_checkpointing_keeps_fewer_tensors():
    """What autograd saves during the forward pass shrinks by more than half."""

    def saved(chunk):
        layer = GRU(8, 8, reset="before", checkpoint_steps=chunk)
        seen = {}

        def pack(tensor):
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), force("reference"):
            output, _ = layer(torch.randn(64, 4, 8))
        assert output.requires_grad
        return sum(seen.values())

    assert saved(8) < saved(None) / 2


def _another_way(kind, name, x):
    """A layer, and a loss which x and every weight also reach past it."""
    options = {"transposed": {}, "stack": {"num_layers": 2}, "long way": {"num_layers": 2, "checkpoint_steps": 2}}
    layer = kind(4, 4, **options.get(name, {}))

    def call():
        # strides of x that no kernel reads: it runs on a copy
        output, _ = layer(x.transpose(1, 2).contiguous().transpose(1, 2) if name == "transposed" else x)
        return output

    with torch.no_grad():
        call()  # the second call is prepared
    return layer, (call() + x).square().sum() + sum(each.pow(3).sum() for each in layer.parameters())


@pytest.mark.parametrize("name", ["plain", "transposed", "stack", "long way"])
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU, MinGRU, MinLSTM])
def test_a_second_derivative_past_the_kernels_is_right_or_refused(kind, name):
    """Where x and the weights also reach the loss by another way, the part through the layer must not be left out."""
    x = torch.randn(5, 2, 4).requires_grad_()
    layer, loss = _another_way(kind, name, x)
    if not (layer.kernel or "").startswith("fused"):
        pytest.skip("no compiled kernels")
    leaves = [x, *layer.parameters()]
    plain = torch.autograd.grad(loss, leaves, retain_graph=True)
    first = torch.autograd.grad(loss, leaves, create_graph=True)
    assert all(map(torch.equal, plain, first))
    for gradient in first:
        for leaf in leaves:
            with pytest.raises(RuntimeError, match=r"fused kernels have no second derivative.*reference"):
                torch.autograd.grad(gradient.sum(), leaf, retain_graph=True)


def test_the_derivative_by_a_gradient_of_the_output_is_refused_too():
    """The trick by which two reverse passes give a forward one: x itself wants no gradient of a gradient."""
    layer, x = GRU(3, 4), torch.randn(5, 2, 3)
    output, _ = layer(x)
    if not (layer.kernel or "").startswith("fused"):
        pytest.skip("no compiled kernels")
    v = torch.ones_like(output, requires_grad=True)
    gradient = torch.autograd.grad(output, layer.weight_ih_l0, v, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(gradient.sum() + v.sum(), v)


def test_a_traced_layer_refuses_a_second_derivative_past_it():
    options = Options("gru")
    if load()[0] is None:
        pytest.skip("no compiled kernels")
    x, weight = torch.randn(5, 2, 4).requires_grad_(), torch.randn(12, 4)
    inputs = Inputs(x, torch.zeros(2, 4), None, weight_ih=weight, weight_hh=torch.randn(12, 4))
    loss = (traced_sequence(options, inputs)[0] + x).square().sum()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(gradient.sum(), x)
