"""Adversarial training: the gradient is that of both losses, the perturbation the worst of its length."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gatewise.kinds.classification.adversarial import adversarial_loss, worst_perturbation
from gatewise.kinds.classification.network import SequenceClassifier

TOKENS = torch.tensor([[4, 5, 9], [7, 3, 2], [2, 0, 0], [6, 0, 0]])
LENGTHS = torch.tensor([4, 2, 2])
LABELS = torch.tensor([0, 1, 1])


def network() -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier(12, 2, cell="gru", hidden_size=8, embedding_size=6, dropout=0.0, word_dropout=0.0).train()


def loss_of(scores: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(scores, LABELS)


@pytest.mark.parametrize("size", [0.5, 5.0])
def test_the_gradient_is_that_of_the_plain_and_the_perturbed_loss(size: float) -> None:
    model = network()
    adversarial_loss(model, TOKENS, LENGTHS, size, loss_of)[0].backward()
    found = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    embedded = model.embed(TOKENS)
    plain = loss_of(model.score(embedded, LENGTHS))
    (gradient,) = torch.autograd.grad(plain, embedded, retain_graph=True)
    moved = embedded + worst_perturbation(gradient, embedded.detach(), LENGTHS, size)
    (plain + loss_of(model.score(moved, LENGTHS))).backward()
    for name, weight in model.named_parameters():
        assert torch.allclose(found[name], weight.grad, rtol=1e-4, atol=1e-7), name
        assert found[name].abs().max() > 0


def test_no_other_direction_of_its_length_is_worse() -> None:
    model = network()
    with torch.no_grad():
        model.embedding.weight.mul_(5)
    embedded = model.embed(TOKENS).detach().requires_grad_()
    plain = loss_of(model.score(embedded, LENGTHS))
    (gradient,) = torch.autograd.grad(plain, embedded)
    worst = worst_perturbation(gradient, embedded.detach(), LENGTHS, 0.05)
    inside = torch.arange(len(TOKENS))[:, None] < LENGTHS
    sigma = torch.stack([embedded.detach()[:n, b].square().mean().sqrt() for b, n in enumerate(LENGTHS.tolist())])
    assert torch.allclose(worst.square().sum(dim=(0, 2)).sqrt(), 0.05 * sigma)
    assert (worst[~inside] == 0).all()
    rises = []
    for _ in range(50):
        other = torch.randn_like(worst) * inside[..., None]
        other = worst_perturbation(other, embedded.detach(), LENGTHS, 0.05)
        rises.append(float(loss_of(model.score(embedded + other, LENGTHS)).detach() - plain.detach()))
    assert float(loss_of(model.score(embedded + worst, LENGTHS)).detach() - plain.detach()) > max(rises)


def test_texts_without_a_gradient_are_not_moved() -> None:
    words = torch.ones(4, 3, 6)
    assert (worst_perturbation(torch.zeros_like(words), words, LENGTHS, 5.0) == 0).all()
