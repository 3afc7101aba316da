"""The compiled kernels where things go wrong in practice: many threads, forks, long runs, repeated bits."""

import gc
import os
import resource
import threading

import pytest
import torch

from gatewise import nn
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused.library import available_variants

pytestmark = pytest.mark.skipif(not available_variants(), reason="no compiled kernels")
KINDS = [nn.RNN, nn.LSTM, nn.GRU, nn.MinGRU, nn.MinLSTM]
by_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@pytest.fixture(autouse=True)
def _compiled_and_threads_put_back():
    former = torch.get_num_threads()
    with force(available_variants()[0]):
        yield
    torch.set_num_threads(former)


def train(layer, x):
    """One forward and backward pass: output, gradients."""
    for parameter in layer.parameters():
        parameter.grad = None
    output, _ = layer(x)
    output.square().sum().backward()
    return [output.detach(), *(parameter.grad.clone() for parameter in layer.parameters())]


def same_bits(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@by_kind
def test_same_bits_every_time_for_any_fixed_number_of_threads(kind):
    """Up to eight threads, on however few cores; across thread counts results agree to rounding."""
    layer, x = kind(12, 40), torch.randn(30, 9, 12)
    torch.set_num_threads(1)
    single = train(layer, x)
    for threads in range(1, 9):
        torch.set_num_threads(threads)
        first = train(layer, x)
        assert same_bits(first, train(layer, x)), f"{threads} threads"
        for got, want in zip(first, single, strict=True):
            torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)


@by_kind
def test_several_python_threads_at_once_get_their_own_results(kind):
    torch.set_num_threads(2)
    layers = [kind(8, 24) for _ in range(4)]
    inputs = [torch.randn(20, 5, 8) for _ in layers]
    wanted = [train(layer, x) for layer, x in zip(layers, inputs, strict=True)]
    wrong = []

    def work(index):
        for _ in range(25):
            if not same_bits(train(layers[index], inputs[index]), wanted[index]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(layers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU], ids=lambda kind: kind.__name__)
def test_a_forked_child_can_go_on(kind):
    """Its parent's worker threads are not there; the kernels then stay on the child's own.

    Small enough that torch's own operations, which would wait for those threads for ever, take one thread as well.
    """
    torch.set_num_threads(2)
    layer, x = kind(8, 64), torch.randn(30, 8, 8)
    with torch.no_grad():
        wanted = layer(x)[0]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with torch.no_grad():
                code = 0 if torch.allclose(layer(x)[0], wanted, atol=1e-5) else 2
        finally:
            os._exit(code)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        threading.Event().wait(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0


@by_kind
def test_subnormals_cost_and_change_nothing_outside(kind):
    """The kernels flush subnormal numbers inside; the caller's own arithmetic keeps them."""
    tiny = torch.tensor([1e-40])
    layer = kind(4, 8)
    output, _ = layer(torch.full((5, 2, 4), 1e-40))
    assert bool(torch.isfinite(output).all())
    assert float((tiny * 0.5)[0]) > 0.0


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU], ids=lambda kind: kind.__name__)
def test_huge_values_saturate_and_nan_is_not_lost(kind):
    layer = kind(4, 8)
    output, _ = layer(torch.full((5, 2, 4), 1e30))
    assert bool(torch.isfinite(output).all())
    x = torch.randn(5, 2, 4)
    x[2, 0, 1] = float("nan")
    output, _ = layer(x)
    assert bool(torch.isnan(output[2:, 0]).all())
    assert bool(torch.isfinite(output[:2]).all()) and bool(torch.isfinite(output[:, 1]).all())


@pytest.mark.slow
@by_kind
def test_ten_thousand_calls_leak_nothing(kind):
    layer, x = kind(16, 32), torch.randn(8, 4, 16)
    torch.set_num_threads(2)
    for _ in range(500):
        train(layer, x)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        train(layer, x)
    gc.collect()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000
