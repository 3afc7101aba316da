"""The updates are torch.optim's to the bit, with moments that can be stored and restored."""

from __future__ import annotations

import pytest
import torch

from gatewise.training.spec import TrainingSpec
from gatewise.training.updates import Updates

CASES = {
    "adam": (TrainingSpec(learning_rate=0.01), lambda groups: torch.optim.Adam(groups, fused=True)),
    "adamw": (
        TrainingSpec(learning_rate=0.01, weight_decay=0.1),
        lambda groups: torch.optim.AdamW(groups, weight_decay=0.1, fused=True),
    ),
    "sgd": (
        TrainingSpec(optimizer="sgd", learning_rate=0.01, weight_decay=0.1),
        lambda groups: torch.optim.SGD(groups, weight_decay=0.1, fused=True),
    ),
    "nt-asgd": (
        TrainingSpec(optimizer="nt-asgd", learning_rate=0.01),
        lambda groups: torch.optim.SGD(groups, fused=True),
    ),
}


def weights() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(*shape, generator=generator).requires_grad_() for shape in ((7, 5), (33,), (2, 3))]


def give_gradients(values: list[torch.Tensor], step: int) -> None:
    """The last weight has a gradient in every other step only."""
    generator = torch.Generator().manual_seed(step)
    for place, value in enumerate(values):
        gradient = torch.randn(value.shape, generator=generator)
        value.grad = gradient if place < 2 or step % 2 else None


@pytest.mark.parametrize("name", CASES)
def test_the_weights_are_those_of_torch_to_the_bit(name: str) -> None:
    spec, of_torch = CASES[name]
    ours, theirs = weights(), weights()
    updates = Updates([ours[:1], ours[1:]], spec)
    optimizer = of_torch([{"params": theirs[:1]}, {"params": theirs[1:]}])
    for step in range(6):
        rates = [0.01 / (step + 1), 0.02 / (step + 1)]
        updates.rates = rates
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        for values in (ours, theirs):
            give_gradients(values, step)
        updates.step()
        optimizer.step()
        assert all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True)), step
    for one, two in zip(ours, theirs, strict=True):
        moments = updates.moments.get(one, {})
        assert set(moments) == set(optimizer.state.get(two, {}))
        assert all(torch.equal(value, optimizer.state[two][key]) for key, value in moments.items())


def test_restored_moments_go_on_to_the_same_bits() -> None:
    spec, _ = CASES["adam"]
    whole, halves = weights(), weights()
    updates = Updates([whole], spec)
    first = Updates([halves], spec)
    for step in range(6):
        if step == 3:
            second = Updates([halves], spec)
            second.moments = {
                weight: {key: value.clone() for key, value in kept.items()} for weight, kept in first.moments.items()
            }
            first = second
        for each, values in ((updates, whole), (first, halves)):
            give_gradients(values, step)
            each.step()
    assert all(torch.equal(one, two) for one, two in zip(whole, halves, strict=True))


def test_gradients_are_forgotten_and_no_gradient_means_no_update() -> None:
    values = weights()
    before = [value.detach().clone() for value in values]
    updates = Updates([values], CASES["adam"][0])
    give_gradients(values, 1)
    updates.forget_gradients()
    updates.step()
    assert not updates.moments and all(torch.equal(one, two) for one, two in zip(values, before, strict=True))
