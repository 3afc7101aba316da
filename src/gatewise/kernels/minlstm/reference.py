"""The minimal LSTM (Feng et al. 2024), one step and the whole sequence at once, in plain PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gatewise.kernels.scan import log_positive, log_space_scan, positive

__all__ = ["scan", "step"]


def _log_gates(gates_x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithms of the two normalised gates, which add up to one: f' = f / (f + i) = sigmoid(log f - log i)."""
    forget_x, input_x, candidate_x = gates_x.chunk(3, dim=-1)
    difference = logsigmoid(forget_x) - logsigmoid(input_x)
    return logsigmoid(difference), logsigmoid(-difference), candidate_x


def step(gates_x: Tensor, hidden: Tensor) -> dict[str, Tensor]:
    """One step, by the forward equations of this folder's README.md; gate order in memory forget, input, candidate.

    Args:
        gates_x: ``(B, 3*H)``, ``W_ih x_t + b_ih``.
        hidden: ``(B, H)``, h_{t-1}, any sign.

    Returns:
        ``forget``, ``input`` (both normalised), ``candidate``, ``hidden``, each ``(B, H)``.

    Example:
        >>> step(torch.zeros(1, 3), torch.ones(1, 1))["hidden"]
        tensor([[0.7500]])
    """
    log_forget, log_input, candidate_x = _log_gates(gates_x)
    forget_gate, input_gate, candidate = torch.exp(log_forget), torch.exp(log_input), positive(candidate_x)
    new = forget_gate * hidden + input_gate * candidate
    return {"forget": forget_gate, "input": input_gate, "candidate": candidate, "hidden": new}


def scan(gates_x: Tensor, hidden: Tensor) -> Tensor:
    """All steps at once in log space; equal to :func:`step` repeated.

    Args:
        gates_x: ``(T, B, 3*H)``.
        hidden: ``(B, H)``, the state before the first step.

    Returns:
        ``(T, B, H)``, the hidden states.

    Example:
        >>> scan(torch.zeros(2, 1, 3), torch.ones(1, 1)).flatten()
        tensor([0.7500, 0.6250])
    """
    log_forget, log_input, candidate_x = _log_gates(gates_x)
    return log_space_scan(log_forget, log_input + log_positive(candidate_x), hidden)
