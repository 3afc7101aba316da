"""The MinGRU's step as coefficients of a scan on a GPU, by the equations of this folder's README.md."""

from __future__ import annotations

import triton
import triton.language as tl

from gatewise.kernels.gpu.device import positive, positive_slope, sigmoid
from gatewise.kernels.gpu.scan import ScanPlan

__all__ = ["plan"]


@triton.jit
def _coefficients(gates_x, at, size, ok):
    update = tl.load(gates_x + at, mask=ok, other=0.0)
    candidate = tl.load(gates_x + at + size, mask=ok, other=0.0)
    return sigmoid(-update), sigmoid(update) * positive(candidate)


@triton.jit
def _gradient(gates_x, grad_gates, at, size, ok, grad_a, grad_b):
    update = tl.load(gates_x + at, mask=ok, other=0.0)
    candidate = tl.load(gates_x + at + size, mask=ok, other=0.0)
    kept, entered = sigmoid(-update), sigmoid(update)
    tl.store(grad_gates + at, (grad_b * positive(candidate) - grad_a) * entered * kept, mask=ok)
    tl.store(grad_gates + at + size, grad_b * entered * positive_slope(candidate), mask=ok)


def plan(options: frozenset[str]) -> ScanPlan:
    """The kernels of a MinGRU; it has no options of its own."""
    return ScanPlan(2, _coefficients, _gradient)
