"""One step of the RNN on a GPU, forward and backward, by the equations of this folder's README.md.

What the buffers hold: :mod:`gatewise.kernels.gpu.plan`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gatewise.kernels.gpu.device import (
    arriving,
    normed,
    product_of,
    row_norm,
    running,
    tanh,
    through_norm,
    tile,
    zoned,
)
from gatewise.kernels.gpu.plan import Plan

__all__ = ["plan"]


@triton.jit(do_not_specialize=["t"])
def _forward(
    gates_x, product, product_step, bias, gain, hidden, seen, saved, saved_step, mask, keep_h, lengths, t, batch, size,
    RATE_H: tl.constexpr, EPSILON: tl.constexpr, RELU: tl.constexpr, REVERSE: tl.constexpr, ROWS: tl.constexpr,
    UNITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    step = t.to(tl.int64)
    at = rows * size + units
    step_at = step * batch * size + at
    product += step * product_step
    if gain is not None:
        mean, scale = row_norm(product, rows, batch, 0, size, size, EPSILON, WIDTH)
    else:
        mean, scale = 0.0, 1.0
    total = tl.load(gates_x + step_at, mask=ok, other=0.0)
    total += product_of(product, bias, gain, at, units, ok, mean, scale)
    if RELU:
        new = tl.where(total <= 0, 0.0, total)
    else:
        new = tanh(total)
    if saved is not None:
        tl.store(saved + step * saved_step + at, new, mask=ok)
    old = tl.load(hidden + (step + REVERSE) * batch * size + at, mask=ok, other=0.0)
    new = tl.where(running(lengths, rows, batch, t), zoned(new, old, keep_h, step_at, ok, RATE_H), old)
    tl.store(hidden + (step + 1 - REVERSE) * batch * size + at, new, mask=ok)
    if mask is not None:
        tl.store(seen + at, new * tl.load(mask + at, mask=ok, other=0.0), mask=ok)


@triton.jit(do_not_specialize=["t"])
def _backward(
    grad_output, carry, back, saved, saved_step, product, product_step, gain, mask, keep_h, lengths, grad_gates,
    grad_product, t, batch, size, RATE_H: tl.constexpr, EPSILON: tl.constexpr, RELU: tl.constexpr, ROWS: tl.constexpr,
    UNITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    step = t.to(tl.int64)
    at = rows * size + units
    step_at = step * batch * size + at
    live = running(lengths, rows, batch, t)
    dh = arriving(carry, back, mask, grad_output, at, step_at, ok, live)
    new_dh = tl.where(live, zoned(dh, tl.zeros_like(dh), keep_h, step_at, ok, RATE_H), 0.0)
    new = tl.load(saved + step * saved_step + at, mask=ok, other=0.0)
    if RELU:
        da = tl.where(new > 0, new_dh, 0.0)
    else:
        da = new_dh * (1.0 - new * new)
    da = tl.where(live, da, 0.0)
    tl.store(grad_gates + step_at, da, mask=ok)
    if gain is not None:
        product += step * product_step
        mean, scale = row_norm(product, rows, batch, 0, size, size, EPSILON, WIDTH)
        normal = normed(product, at, ok, mean, scale)
        da *= tl.load(gain + units, mask=units < size, other=0.0)
        total, along = tl.sum(da, axis=1)[:, None] / size, tl.sum(da * normal, axis=1)[:, None] / size
        tl.store(grad_product + step_at, through_norm(da, normal, scale, total, along), mask=ok)
    tl.store(carry + at, dh - new_dh, mask=ok)


def plan(options: frozenset[str]) -> Plan:
    """The kernels of an RNN with this activation: ``rnn_tanh`` or ``rnn_relu``."""
    return Plan(
        gates=1,
        saved=1,
        stages=((0, 1),),
        forward=(_forward,),
        backward=(_backward,),
        blocks=(1,),
        constants={"RELU": "rnn_relu" in options},
    )
