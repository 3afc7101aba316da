"""gradcheck for every option, and second derivatives."""

from __future__ import annotations

import pytest
import torch
from conformance import Case, assert_close, cases, parametrize_cases, random_state, tensors

from gatewise.kernels.dispatch import force
from gatewise.nn import GRU, LSTM, RNN

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
