"""Adversarial training of text classifiers: the loss where each text's embedded words are moved the worst way."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gatewise.kinds.classification.network import SequenceClassifier

__all__ = ["adversarial_loss", "worst_perturbation"]


def adversarial_loss(
    model: SequenceClassifier, tokens: Tensor, lengths: Tensor, size: float, loss_of: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """The loss of a batch plus its loss under the worst small perturbation (Miyato, Dai and Goodfellow, 2017).

    ::

        g = gradient of loss_of(scores of x) for x       x: the embedded words, dropout included
        L = loss_of(scores of x) + loss_of(scores of (x + r)),    r = `worst_perturbation` of g, held constant

    The first loss's gradient is derived once, for x and the weights together: what is returned has the gradient of L,
    after two passes in each direction instead of three, and another value.

    Args:
        model: in training mode.
        tokens: (T, B) word numbers.
        lengths: (B,) of the texts.
        size: of the perturbation, in standard deviations of a text's embedded words; 0.5 to 5 in practice.
        loss_of: from scores (B, C) to the mean loss.

    Returns:
        A scalar with the gradient of L, and the scores (B, C) of the unperturbed texts, detached.

    Example:
        >>> model = SequenceClassifier(50, 2, hidden_size=8, embedding_size=4, dropout=0.0, word_dropout=0.0)
        >>> texts, lengths = torch.tensor([[4, 5], [7, 0]]), torch.tensor([2, 1])
        >>> loss_of = lambda scores: torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1]))
        >>> loss, scores = adversarial_loss(model, texts, lengths, 1.0, loss_of)
        >>> loss.requires_grad, tuple(scores.shape)
        (True, (2, 2))
    """
    embedded = model.embed(tokens)
    words = embedded.detach().requires_grad_()
    learnt = [weight for weight in model.parameters() if weight.requires_grad and weight is not model.embedding.weight]
    scores = model.score(words, lengths)
    found = torch.autograd.grad(loss_of(scores), [words, *learnt], allow_unused=True)
    upstream = found[0]
    assert upstream is not None
    moved = embedded + worst_perturbation(upstream, words.detach(), lengths, size)
    # gradients of the first loss, brought to the weights by products with constants
    loss = loss_of(model.score(moved, lengths)) + (embedded * upstream).sum()
    for weight, gradient in zip(learnt, found[1:], strict=True):
        if gradient is not None:
            loss = loss + (weight * gradient).sum()
    return loss, scores.detach()


def worst_perturbation(gradient: Tensor, words: Tensor, lengths: Tensor, size: float) -> Tensor:
    """The perturbation of fixed length along a text's gradient, which raises a locally linear loss the most.

    .. math:: r_b = \\varepsilon\\, \\sigma_b\\, g_b / \\lVert g_b \\rVert_2

    with the norm over all words of text b and their features, and sigma_b the root mean square of its embedded words.
    Miyato, Dai and Goodfellow (2017) normalise the embeddings to variance 1 instead, and use 5.

    Args:
        gradient: g, (T, B, E); zero past each text's end.
        words: the embedded words, (T, B, E).
        lengths: (B,) of the texts.
        size: epsilon.

    Returns:
        (T, B, E); zero where the gradient is.

    Example:
        >>> gradient, words = torch.ones(4, 1, 1), 3 * torch.ones(4, 1, 1)
        >>> worst_perturbation(gradient, words, torch.tensor([4]), 2.0).norm().item()
        6.0
    """
    inside = torch.arange(len(words), device=words.device)[:, None] < lengths.to(words.device)
    squares = (words.square() * inside[..., None]).sum(dim=(0, 2))
    scale = (squares / (lengths.to(words.device) * words.shape[2])).sqrt()
    norm = gradient.square().sum(dim=(0, 2)).sqrt()
    return gradient / norm.clamp_min(torch.finfo(norm.dtype).tiny)[:, None] * (size * scale)[:, None]
