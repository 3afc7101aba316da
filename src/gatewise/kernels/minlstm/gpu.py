"""The MinLSTM's step as coefficients of a scan on a GPU, by the equations of this folder's README.md."""

from __future__ import annotations

import triton
import triton.language as tl

from gatewise.kernels.gpu.device import log_sigmoid, positive, positive_slope, sigmoid
from gatewise.kernels.gpu.scan import ScanPlan

__all__ = ["plan"]


@triton.jit
def _coefficients(gates_x, at, size, ok):
    forget = tl.load(gates_x + at, mask=ok, other=0.0)
    enter = tl.load(gates_x + at + size, mask=ok, other=0.0)
    candidate = tl.load(gates_x + at + 2 * size, mask=ok, other=0.0)
    difference = log_sigmoid(forget) - log_sigmoid(enter)
    return sigmoid(difference), sigmoid(-difference) * positive(candidate)


@triton.jit
def _gradient(gates_x, grad_gates, at, size, ok, grad_a, grad_b):
    forget = tl.load(gates_x + at, mask=ok, other=0.0)
    enter = tl.load(gates_x + at + size, mask=ok, other=0.0)
    candidate = tl.load(gates_x + at + 2 * size, mask=ok, other=0.0)
    difference = log_sigmoid(forget) - log_sigmoid(enter)
    kept, entered = sigmoid(difference), sigmoid(-difference)
    slope = (grad_a - grad_b * positive(candidate)) * kept * entered
    tl.store(grad_gates + at, slope * sigmoid(-forget), mask=ok)
    tl.store(grad_gates + at + size, -slope * sigmoid(-enter), mask=ok)
    tl.store(grad_gates + at + 2 * size, grad_b * entered * positive_slope(candidate), mask=ok)


def plan(options: frozenset[str]) -> ScanPlan:
    """The kernels of a MinLSTM; it has no options of its own."""
    return ScanPlan(3, _coefficients, _gradient)
