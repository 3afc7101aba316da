"""The chunked cross-entropy and the adaptive softmax against torch's own functions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from gatewise.errors import OptionError, ShapeError
from gatewise.kernels.dispatch import precision
from gatewise.nn.softmax import products
from gatewise.nn.softmax.adaptive import AdaptiveSoftmax
from gatewise.nn.softmax.loss import chunked_cross_entropy, smoothed_cross_entropy, token_losses
from gatewise.nn.softmax.products import product


def case(tokens=7, size=5, words=11, dtype=torch.float64, scale=1.0, seed=0):
    source = torch.Generator().manual_seed(seed)
    hidden, weight, bias = (
        (scale * torch.randn(*shape, generator=source, dtype=dtype)).requires_grad_()
        for shape in ((tokens, size), (words, size), (words,))
    )
    return hidden, weight, bias, torch.randint(words, (tokens,), generator=source)


@pytest.mark.parametrize("chunk_rows", [1, 3, 7, 100, None])
@pytest.mark.parametrize("with_bias", [True, False])
def test_gradients_by_finite_differences(chunk_rows, with_bias):
    hidden, weight, bias, targets = case()
    inputs = (hidden, weight, bias) if with_bias else (hidden, weight)

    def loss(*given):
        return chunked_cross_entropy(*given[:2], given[2] if with_bias else None, targets, chunk_rows=chunk_rows)

    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize(("tokens", "size", "words"), [(1, 1, 2), (33, 17, 1001), (130, 64, 9001)])
def test_equals_torchs_cross_entropy_in_single_precision(tokens, size, words):
    hidden, weight, bias, targets = case(tokens, size, words, torch.float32, 0.3)
    expected = functional.cross_entropy(functional.linear(hidden, weight, bias), targets)
    ours = chunked_cross_entropy(hidden, weight, bias, targets, chunk_rows=32)
    assert torch.allclose(ours, expected, rtol=1e-6, atol=1e-6)
    for mine, theirs in zip(
        torch.autograd.grad(2.5 * ours, (hidden, weight, bias)),
        torch.autograd.grad(2.5 * expected, (hidden, weight, bias)),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-6 * float(theirs.abs().max()) + 1e-9)


def test_only_the_gradients_that_are_asked_for():
    hidden, weight, bias, targets = case()
    loss = chunked_cross_entropy(hidden, weight.detach(), bias.detach(), targets)
    (gradient,) = torch.autograd.grad(loss, (hidden,))
    wanted = functional.cross_entropy(functional.linear(hidden, weight, bias), targets)
    assert torch.allclose(gradient, torch.autograd.grad(wanted, (hidden,))[0])
    with torch.no_grad():
        assert not chunked_cross_entropy(hidden, weight, bias, targets).requires_grad


def test_a_hopeless_target_has_a_finite_loss():
    """Its probability is too small for the precision, its logarithm is not."""
    hidden, weight = torch.tensor([[1.0]], requires_grad=True), torch.tensor([[300.0], [-300.0]])
    loss = chunked_cross_entropy(hidden, weight, None, torch.tensor([1]))
    assert loss.item() == pytest.approx(600.0)
    loss.backward()
    assert hidden.grad is not None and hidden.grad.item() == pytest.approx(600.0)


def test_token_losses_are_those_of_each_token():
    hidden, weight, bias, targets = case(tokens=20)
    expected = functional.cross_entropy(functional.linear(hidden, weight, bias), targets, reduction="none")
    found = token_losses(hidden, weight, bias, targets, chunk_rows=6)
    assert torch.allclose(found, expected) and not found.requires_grad


@pytest.mark.parametrize("onednn", [True, False])
def test_products_of_views(monkeypatch, onednn):
    if not onednn:
        monkeypatch.setattr(products, "_onednn", lambda: None)
    first, second = torch.randn(300, 90), torch.randn(90, 2000)
    assert torch.allclose(product(first, second.t(), None), first @ second, atol=1e-3)
    assert torch.allclose(product(second.t(), first, torch.ones(300)), second.t() @ first.t() + 1, atol=1e-3)
    assert torch.allclose(product(first[:, :50], second[:50].t()), first[:, :50] @ second[:50], atol=1e-3)


def test_bf16_rounds_the_factors_of_a_large_product_and_nothing_afterwards():
    first, second = torch.randn(300, 90), torch.randn(2000, 90)
    exact = product(first, second)
    with precision("bf16"):
        found = product(first, second)
    rounded = first.bfloat16().double() @ second.bfloat16().double().t()
    near = float((found - rounded).abs().max())
    assert near < 1e-4 or torch.equal(found, exact), near
    if torch.ops.mkldnn._is_mkldnn_bf16_supported() and "amx_bf16" in Path("/proc/cpuinfo").read_text():
        assert near < 1e-4 < float((found - exact).abs().max())
    assert torch.equal(product(first, second), exact)
    with precision("int8"):
        assert torch.equal(product(first, second), exact)


def test_threads_in_bf16_leave_torchs_setting_as_it_was():
    first, second = torch.randn(300, 90), torch.randn(2000, 90)
    exact = product(first, second)
    before = torch.backends.mkldnn.matmul.fp32_precision
    with precision("bf16"), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: product(first, second), range(200)))
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    assert torch.equal(product(first, second), exact)


def test_bf16_trains_a_large_softmax():
    hidden, weight, bias, targets = case(300, 64, 2000, torch.float32, 0.3)
    exact = chunked_cross_entropy(hidden, weight, bias, targets)
    expected = torch.autograd.grad(exact, (hidden, weight, bias))
    with precision("bf16"):
        loss = chunked_cross_entropy(hidden, weight, bias, targets)
    assert abs(loss.item() - exact.item()) < 2e-3
    for got, want in zip(torch.autograd.grad(loss, (hidden, weight, bias)), expected, strict=True):
        assert float((got - want).abs().max()) < 0.01 * float(want.abs().max())


def test_shapes_that_do_not_fit():
    hidden, weight, bias, targets = case()
    with pytest.raises(ShapeError, match="hidden \\(N, H\\)"):
        chunked_cross_entropy(hidden, weight.t(), bias, targets)
    with pytest.raises(ShapeError):
        chunked_cross_entropy(hidden, weight, bias, targets[:-1])
    with pytest.raises(ShapeError, match="no token"):
        chunked_cross_entropy(hidden[:0], weight, bias, targets[:0])


def test_adaptive_softmax_is_torchs():
    torch.manual_seed(0)
    ours = AdaptiveSoftmax(16, 60, (6, 24)).double()
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 60, [6, 24], div_value=4.0, dtype=torch.float64)
    with torch.no_grad():
        theirs.head.weight.copy_(ours.head)
        for number, tail in enumerate(theirs.tail):
            tail[0].weight.copy_(ours.projections[number])
            tail[1].weight.copy_(ours.tails[number])
    hidden, targets = torch.randn(50, 16, dtype=torch.float64, requires_grad=True), torch.randint(60, (50,))
    expected = theirs(hidden, targets)
    assert torch.allclose(ours.loss(hidden, targets), expected.loss)
    assert torch.allclose(ours.losses(hidden, targets), -expected.output)
    assert torch.allclose(ours.log_probabilities(hidden), theirs.log_prob(hidden))
    mine = torch.autograd.grad(ours.loss(hidden, targets), (hidden, *ours.parameters()))
    wanted = torch.autograd.grad(expected.loss, (hidden, theirs.head.weight, theirs.tail[0][0].weight))
    for gradient, other in zip(mine[:3], wanted, strict=True):
        assert torch.allclose(gradient, other)


def test_adaptive_softmax_of_a_vocabulary_that_cannot_be_divided():
    with pytest.raises(OptionError, match="cutoffs"):
        AdaptiveSoftmax(8, 2)
    with pytest.raises(OptionError, match="cutoffs"):
        AdaptiveSoftmax(8, 30, (20, 10))


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_second_derivative_is_refused_also_past_the_loss(number, smoothing):
    """Where hidden, weight or bias also reach the loss by another way, half of it would be a wrong number."""
    *leaves, targets = case()
    loss = smoothed_cross_entropy(*leaves, targets, smoothing)[0] + sum(each.pow(3).sum() for each in leaves)
    plain = torch.autograd.grad(loss, leaves, retain_graph=True)
    first = torch.autograd.grad(loss, leaves, create_graph=True)
    assert all(map(torch.equal, plain, first))
    with pytest.raises(RuntimeError, match=r"no second derivative.*functional\.cross_entropy"):
        torch.autograd.grad(first[0].sum() + first[1].sum(), leaves[number])
