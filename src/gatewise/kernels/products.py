"""The two matrix products of every gate, with or without layer normalisation.

Layer normalisation (Ba, Kiros, Hinton 2016, arXiv:1607.06450) acts on each product by itself, before the bias::

    product = W v                          (.., G*H)
    product = LN(W v) * gain               LN(a) = (a - mean(a)) / sqrt(var(a) + 1e-5), biased variance, per block

A *block* is the run of gates that share one mean and variance: all gates for RNN and LSTM, ``(reset, update)`` and
``(candidate,)`` for GRU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["EPSILON", "input_product", "normalise", "recurrent_product"]

EPSILON = 1e-5
"""Added to the variance before the square root, as in ``torch.nn.LayerNorm``."""


def normalise(values: Tensor, gain: Tensor, bias: Tensor | None = None, blocks: Sequence[int] | None = None) -> Tensor:
    """Layer normalisation over the last axis, block by block.

    Args:
        values: ``(.., N)``.
        gain: ``(N,)``.
        bias: ``(N,)`` or None.
        blocks: sizes that add up to N; each block has its own mean and variance. None is one block.

    Returns:
        ``(.., N)``.

    Example:
        >>> normalise(torch.tensor([1.0, 3.0, 5.0, 5.0]), torch.ones(4), blocks=(2, 2)).round(decimals=3) + 0.0
        tensor([-1.,  1.,  0.,  0.])
    """
    if blocks is None or len(blocks) == 1:
        return functional.layer_norm(values, (values.shape[-1],), gain, bias, EPSILON)
    parts = values.split(list(blocks), dim=-1)
    gains = gain.split(list(blocks))
    done = [
        functional.layer_norm(part, (part.shape[-1],), g, None, EPSILON) for part, g in zip(parts, gains, strict=True)
    ]
    joined = torch.cat(done, dim=-1)
    return joined if bias is None else joined + bias


def input_product(
    x: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor | None = None,
    gain: Tensor | None = None,
    blocks: Sequence[int] | None = None,
) -> Tensor:
    """``W_ih x + b_ih``, or ``LN(W_ih x) * gain + b_ih``, for one step or for all steps at once.

    Args:
        x: ``(.., I)``.
        weight_ih: ``(G*H, I)``.
        bias_ih: ``(G*H,)`` or None.
        gain: ``(G*H,)`` turns layer normalisation on.
        blocks: see :func:`normalise`.

    Returns:
        ``(.., G*H)``.

    Example:
        >>> input_product(torch.ones(2, 3), torch.ones(4, 3)).shape
        torch.Size([2, 4])
    """
    if gain is None:
        return functional.linear(x, weight_ih, bias_ih)
    product = normalise(functional.linear(x, weight_ih), gain, None, blocks)
    return product if bias_ih is None else product + bias_ih


def recurrent_product(
    hidden: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor | None = None,
    recurrent_mask: Tensor | None = None,
    gain: Tensor | None = None,
    blocks: Sequence[int] | None = None,
) -> Tensor:
    """``W_hh (mask * h) + b_hh``, or with layer normalisation ``LN(W_hh (mask * h)) * gain + b_hh``.

    Args:
        hidden: ``(B, H)``, the hidden state before this step.
        weight_hh: ``(G*H, H)``.
        bias_hh: ``(G*H,)`` or None.
        recurrent_mask: ``(B, H)`` or None: recurrent dropout's mask, scaled by 1 / (1 - p), the same at every step
            (Gal and Ghahramani 2016, arXiv:1512.05287).
        gain: ``(G*H,)`` turns layer normalisation on.
        blocks: see :func:`normalise`.

    Returns:
        ``(B, G*H)``.

    Example:
        >>> recurrent_product(torch.ones(2, 3), torch.ones(4, 3), recurrent_mask=torch.zeros(2, 3)).sum()
        tensor(0.)
    """
    seen = hidden if recurrent_mask is None else hidden * recurrent_mask
    return input_product(seen, weight_hh, bias_hh, gain, blocks)
