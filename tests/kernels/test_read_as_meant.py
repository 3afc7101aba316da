"""What kernels read from memory is what torch means by it, and nothing of it is missing from what torch records."""

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from fresh_processes import TORCH, fresh
from gatewise import nn
from gatewise.kernels.fused.library import load

compiled = pytest.mark.skipif(load()[0] is None, reason="no compiled kernels")
KINDS = ["RNN", "GRU", "LSTM"]


def both(kind):
    """A layer, prepared by a call, and the same one of torch."""
    layer, other = getattr(nn, kind)(5, 7).eval(), getattr(torch.nn, kind)(5, 7).eval()
    other.load_state_dict(layer.state_dict())
    with torch.no_grad():
        layer(torch.randn(4, 3, 5))
    return layer, other


def negative(*shape):
    return torch._neg_view(torch.randn(shape))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gradients", [False, True])
def test_views_whose_sign_is_not_in_memory(kind, gradients):
    layer, other = both(kind)
    state = negative(1, 3, 7)
    assert state.is_neg()
    hx = (state, negative(1, 3, 7)) if kind == "LSTM" else state
    with torch.set_grad_enabled(gradients):
        for x, given in (
            (negative(4, 3, 5), None),
            (torch.randn(4, 3, 5), hx),
            (negative(3, 4, 5).transpose(0, 1), hx),
        ):
            found, expected = layer(x, given)[0], other(x, given)[0]
            assert torch.allclose(found, expected, atol=1e-5)
            with nn.frozen(layer):
                layer(x, given)
                assert torch.allclose(layer(x, given)[0], expected, atol=1e-5)
    if gradients:
        inputs = [torch.randn(4, 3, 5, requires_grad=True) for _ in range(2)]
        inputs[1].data.copy_(inputs[0].data)
        weights = negative(4, 3, 7)
        for each, x in zip((layer, other), inputs, strict=True):
            each(x)[0].backward(weights)
        assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-5)
        assert torch.allclose(layer.weight_hh_l0.grad, other.weight_hh_l0.grad, atol=1e-4)


def test_a_stream_reads_such_views_as_well():
    layer, _ = both("GRU")
    x = negative(6, 5)
    session = layer.session()
    found = torch.stack([session(each) for each in x])
    with torch.no_grad():
        assert torch.allclose(found, layer(x)[0], atol=1e-5)


@compiled
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("prepared", [False, True])
def test_what_is_recorded_has_the_layer_in_it(kind, gradients, prepared):
    layer, other = both(kind)
    if not prepared:
        layer._prepared = None
    x = torch.randn(4, 3, 5)
    with torch.set_grad_enabled(gradients):
        if prepared and not gradients:
            layer(x)
        traced = torch.jit.trace(layer, (x,), check_trace=False)
        assert torch.allclose(traced(2 * x)[0], other(2 * x)[0], atol=1e-5)
        if prepared and not gradients:
            graph = make_fx(lambda given: layer(given)[0])(x)
            assert torch.allclose(graph(2 * x), other(2 * x)[0], atol=1e-5)


@compiled
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("del torch._C._len_torch_dispatch_stack", "does not say which of its modes are on"),
        ("torch.Tensor.__dlpack_c_exchange_api__ = 5", "lends tensors in another way"),
    ],
)
def test_another_torch_is_used_without_the_binding(change, reason, tmp_path):
    program = f"""
import torch
{change}
from gatewise import nn
from gatewise.kernels.fused.binding import explain_binding
layer, x = nn.GRU(3, 4), torch.ones(2, 1, 3)
with torch.no_grad():
    assert torch.equal(layer(x)[0], layer(x)[0])
print(explain_binding())
"""
    done = fresh(["-c", program], tmp_path, libraries=TORCH)
    assert done.returncode == 0, done.stderr
    assert reason in done.stdout or "not built" in done.stdout
