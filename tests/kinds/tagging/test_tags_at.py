"""Chances of one word's tags under a CRF, against sums over all sequences and against automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gatewise.kinds.tagging.chains import Logarithms
from gatewise.kinds.tagging.crf import marginals
from gatewise.kinds.tagging.schemes import allowed_moves, scheme_tags
from gatewise.kinds.tagging.tags_at import log_chances_at


def _field(count: int, seed: int, *, limited: bool) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    weights = torch.randn(count, count).double(), torch.randn(count).double(), torch.randn(count).double()
    if not limited:
        return weights
    limits = allowed_moves(scheme_tags(["A", "B"], "iobes"), "iobes")
    return tuple(
        weight.masked_fill(~torch.as_tensor(allowed), -torch.inf)
        for weight, allowed in zip(weights, limits, strict=True)
    )  # type: ignore[return-value]


def _plain(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, place: int) -> Tensor:
    """The same by autograd through the recursions in logarithms, written out."""
    before, after = start + emissions[0], end.expand_as(emissions[0])
    for emission in emissions[1 : place + 1]:
        before = torch.logsumexp(before[:, :, None] + transitions, dim=1) + emission
    for emission in emissions[place + 1 :].flip(0):
        after = torch.logsumexp(transitions + (emission + after)[:, None], dim=2)
    return (before + after).log_softmax(dim=1)


@pytest.mark.parametrize("wide", [1.0, 60.0])
@pytest.mark.parametrize(("steps", "place"), [(1, 0), (2, 1), (7, 0), (7, 3), (7, -1), (40, 11)])
def test_values_and_gradients_are_those_of_the_recursions_written_out(steps: int, place: int, wide: float) -> None:
    weights = _field(4, steps, limited=False)
    emissions = (wide * torch.randn(steps, 3, 4).double()).requires_grad_()
    mix = torch.randn(3, 4).double()
    (expected,) = torch.autograd.grad((mix * _plain(emissions, *weights, place % steps)).sum(), emissions)
    found = log_chances_at(emissions, *weights, place)
    torch.testing.assert_close(found, _plain(emissions, *weights, place % steps), rtol=1e-9, atol=1e-9)
    (gradient,) = torch.autograd.grad((mix * found).sum(), emissions)
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-9)


def test_logarithms_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = _field(4, 1, limited=False)
    emissions = torch.randn(9, 2, 4).double().requires_grad_()
    mix = torch.randn(2, 4).double()
    values = log_chances_at(emissions, *weights, 4)
    (slopes,) = torch.autograd.grad((mix * values).sum(), emissions)
    monkeypatch.setattr("gatewise.kinds.tagging.tags_at.chain", Logarithms)
    again = log_chances_at(emissions, *weights, 4)
    torch.testing.assert_close(again, values)
    torch.testing.assert_close(torch.autograd.grad((mix * again).sum(), emissions)[0], slopes)


@pytest.mark.parametrize("place", [0, 1, 4, -1])
def test_tags_that_cannot_be_there_have_no_chance_and_no_gradient(place: int) -> None:
    weights = _field(9, 3, limited=True)
    emissions = torch.randn(6, 2, 9).double().requires_grad_()
    found = log_chances_at(emissions, *weights, place)
    lengths = torch.full((2,), 6)
    torch.testing.assert_close(found.exp(), marginals(emissions, *weights, lengths)[place])
    score = found.clamp(min=-1e4)
    (gradient,) = torch.autograd.grad((score[:, 1] - score[:, 2:].logsumexp(dim=1)).sum(), emissions)
    assert gradient.isfinite().all() and gradient.abs().sum() > 0
    assert (found == -torch.inf).any() == (place in (0, -1))


def test_small_chances_are_none_of_zero() -> None:
    emissions = torch.zeros(3, 1, 2)
    emissions[1, 0, 0] = -300.0
    zero = torch.zeros(2)
    found = log_chances_at(emissions, torch.zeros(2, 2), zero, zero, 1)
    assert found.dtype == torch.float32 and found[0].tolist() == pytest.approx([-300, 0])
