"""A parallel scan of ``h_t = a_t * h_{t-1} + b_t`` with positive a and b, in log space.

The usual formula ``exp(A_t) * (h_0 + cumsum(b / exp(A)))`` with ``A = cumsum(log a)`` loses digits as A grows: at
T = 5000 a float32 state has three left. Here pairs are combined instead, ``log2(T)`` times over all steps at once
(Hillis and Steele 1986; Blelloch 1990)::

    (A_1, B_1) then (A_2, B_2)  =  (A_1 + A_2, logaddexp(A_2 + B_1, B_2))

so that a large negative A only ever multiplies something that no longer counts. The initial state enters outside the
logarithm, ``h_t = exp(A_t) * h_0 + exp(B_t)``: it may be zero or negative.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["log_positive", "log_space_scan", "positive"]


def positive(values: Tensor) -> Tensor:
    """The activation g of Feng et al. 2024 (arXiv:2410.01201): ``x + 0.5`` for x >= 0, else ``sigmoid(x)``; always > 0.

    Example:
        >>> positive(torch.tensor([1.0, 0.0]))
        tensor([1.5000, 0.5000])
    """
    return torch.where(values >= 0, values + 0.5, torch.sigmoid(values))


def log_positive(values: Tensor) -> Tensor:
    """``log(g(x))``, exact where g underflows.

    Example:
        >>> log_positive(torch.tensor([0.5, -200.0]))
        tensor([   0., -200.])
    """
    return torch.where(values >= 0, torch.log(values.clamp(min=0.0) + 0.5), torch.nn.functional.logsigmoid(values))


def log_space_scan(log_a: Tensor, log_b: Tensor, initial: Tensor) -> Tensor:
    """All states of ``h_t = a_t * h_{t-1} + b_t``.

    Args:
        log_a: ``(T, B, H)``, log of the kept share, at most 0.
        log_b: ``(T, B, H)``, log of what is added.
        initial: ``(B, H)``, h_0, any sign.

    Returns:
        ``(T, B, H)``, h_1 to h_T.

    Example:
        >>> half = torch.full((3, 1, 1), 0.5).log()
        >>> log_space_scan(half, half, torch.ones(1, 1)).flatten()
        tensor([1., 1., 1.])
    """
    reach, steps = 1, log_a.shape[0]
    while reach < steps:
        joined = torch.logaddexp(log_a[reach:] + log_b[:-reach], log_b[reach:])
        summed = log_a[reach:] + log_a[:-reach]
        log_b = torch.cat([log_b[:reach], joined])
        log_a = torch.cat([log_a[:reach], summed])
        reach *= 2
    return torch.exp(log_a) * initial + torch.exp(log_b)
