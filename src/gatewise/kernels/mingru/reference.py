"""The minimal GRU (Feng et al. 2024), one step and the whole sequence at once, in plain PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gatewise.kernels.scan import log_positive, log_space_scan, positive

__all__ = ["scan", "step"]


def step(gates_x: Tensor, hidden: Tensor) -> dict[str, Tensor]:
    """One step, by the forward equations of this folder's README.md; gate order in memory update, candidate.

    Args:
        gates_x: ``(B, 2*H)``, ``W_ih x_t + b_ih``.
        hidden: ``(B, H)``, h_{t-1}, any sign.

    Returns:
        ``update``, ``candidate``, ``hidden``, each ``(B, H)``.

    Example:
        >>> step(torch.zeros(1, 2), torch.ones(1, 1))["hidden"]
        tensor([[0.7500]])
    """
    update_x, candidate_x = gates_x.chunk(2, dim=-1)
    update_gate = torch.sigmoid(update_x)
    candidate = positive(candidate_x)
    new = (1.0 - update_gate) * hidden + update_gate * candidate
    return {"update": update_gate, "candidate": candidate, "hidden": new}


def scan(gates_x: Tensor, hidden: Tensor) -> Tensor:
    """All steps at once in log space; equal to :func:`step` repeated.

    Args:
        gates_x: ``(T, B, 2*H)``.
        hidden: ``(B, H)``, the state before the first step.

    Returns:
        ``(T, B, H)``, the hidden states.

    Example:
        >>> scan(torch.zeros(2, 1, 2), torch.ones(1, 1)).flatten()
        tensor([0.7500, 0.6250])
    """
    update_x, candidate_x = gates_x.chunk(2, dim=-1)
    return log_space_scan(logsigmoid(-update_x), logsigmoid(update_x) + log_positive(candidate_x), hidden)
