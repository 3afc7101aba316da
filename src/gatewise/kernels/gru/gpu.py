"""One step of the GRU on a GPU, forward and backward, in all four readings of this folder's README.md.

Where the reset gate acts after the product, a step is one product and one kernel; where it acts before, the candidate
has a product of its own, and a step is two of each. What the buffers hold: :mod:`gatewise.kernels.gpu.plan`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatewise.kernels.gpu.device import (
    arriving,
    normed,
    product_of,
    row_norm,
    running,
    sigmoid,
    tanh,
    through_norm,
    tile,
    zoned,
)
from gatewise.kernels.gpu.plan import Plan

__all__ = ["plan"]


@triton.jit
def _norm_through_two(grad_product, product, gain, da_r, da_z, wide, units, ok, rows, batch, size,
                      EPSILON: tl.constexpr, WIDTH: tl.constexpr):  # fmt: skip
    """Gradients of the reset and update gates' products, which share one mean and variance."""
    mean, scale = row_norm(product, rows, batch, 0, 2 * size, 3 * size, EPSILON, WIDTH)
    n_r, n_z = normed(product, wide, ok, mean, scale), normed(product, wide + size, ok, mean, scale)
    da_r *= tl.load(gain + units, mask=units < size, other=0.0)
    da_z *= tl.load(gain + units + size, mask=units < size, other=0.0)
    total = tl.sum(da_r + da_z, axis=1)[:, None] / (2 * size)
    along = tl.sum(da_r * n_r + da_z * n_z, axis=1)[:, None] / (2 * size)
    tl.store(grad_product + wide, through_norm(da_r, n_r, scale, total, along), mask=ok)
    tl.store(grad_product + wide + size, through_norm(da_z, n_z, scale, total, along), mask=ok)


@triton.jit
def _norm_through_one(grad_product, product, gain, da, wide, units, ok, rows, batch, size, EPSILON: tl.constexpr,
                      WIDTH: tl.constexpr):  # fmt: skip
    """The gradient of the candidate's product."""
    mean, scale = row_norm(product, rows, batch, 2 * size, size, 3 * size, EPSILON, WIDTH)
    normal = normed(product, wide + 2 * size, ok, mean, scale)
    da *= tl.load(gain + units + 2 * size, mask=units < size, other=0.0)
    total, along = tl.sum(da, axis=1)[:, None] / size, tl.sum(da * normal, axis=1)[:, None] / size
    tl.store(grad_product + wide + 2 * size, through_norm(da, normal, scale, total, along), mask=ok)


@triton.jit
def _gates(
    gates_x, product, bias, gain, wide, units, ok, rows, batch, size, EPSILON: tl.constexpr, WIDTH: tl.constexpr
):
    """Reset and update gate."""
    if gain is not None:
        mean, scale = row_norm(product, rows, batch, 0, 2 * size, 3 * size, EPSILON, WIDTH)
    else:
        mean, scale = 0.0, 1.0
    reset = tl.load(gates_x + wide, mask=ok, other=0.0) + product_of(product, bias, gain, wide, units, ok, mean, scale)
    update = tl.load(gates_x + wide + size, mask=ok, other=0.0)
    update += product_of(product, bias, gain, wide + size, units + size, ok, mean, scale)
    return sigmoid(reset), sigmoid(update)


@triton.jit
def _candidate_product(product, bias, gain, wide, units, ok, rows, batch, size, EPSILON: tl.constexpr,
                       WIDTH: tl.constexpr):  # fmt: skip
    """The state's share of the candidate."""
    if gain is not None:
        mean, scale = row_norm(product, rows, batch, 2 * size, size, 3 * size, EPSILON, WIDTH)
    else:
        mean, scale = 0.0, 1.0
    return product_of(product, bias, gain, wide + 2 * size, units + 2 * size, ok, mean, scale)


@triton.jit
def _mixed(update, old, candidate, REPLACE: tl.constexpr):
    """The new state."""
    if REPLACE:
        result = (1.0 - update) * old + update * candidate
    else:
        result = update * old + (1.0 - update) * candidate
    return result


@triton.jit
def _finish(new, old, hidden, seen, mask, keep_h, lengths, rows, t, batch, size, at, ok, RATE_H: tl.constexpr,
            REVERSE: tl.constexpr):  # fmt: skip
    """Zoneout, ends of rows, and what the next step's product reads."""
    step = t.to(tl.int64)
    new = zoned(new, old, keep_h, step * batch * size + at, ok, RATE_H)
    new = tl.where(running(lengths, rows, batch, t), new, old)
    tl.store(hidden + (step + 1 - REVERSE) * batch * size + at, new, mask=ok)
    if mask is not None:
        tl.store(seen + at, new * tl.load(mask + at, mask=ok, other=0.0), mask=ok)


@triton.jit(do_not_specialize=["t"])
def _forward_after(
    gates_x, product, product_step, bias, gain, hidden, seen, saved, saved_step, mask, keep_h, lengths, t, batch, size,
    RATE_H: tl.constexpr, EPSILON: tl.constexpr, REPLACE: tl.constexpr, REVERSE: tl.constexpr, ROWS: tl.constexpr,
    UNITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    step = t.to(tl.int64)
    at, wide = rows * size + units, rows * (3 * size) + units
    gates_x += step * batch * 3 * size
    product += step * product_step
    reset, update = _gates(gates_x, product, bias, gain, wide, units, ok, rows, batch, size, EPSILON, WIDTH)
    share = _candidate_product(product, bias, gain, wide, units, ok, rows, batch, size, EPSILON, WIDTH)
    candidate = tanh(tl.load(gates_x + wide + 2 * size, mask=ok, other=0.0) + reset * share)
    if saved is not None:
        saved += step * saved_step + rows * (4 * size) + units
        tl.store(saved, reset, mask=ok)
        tl.store(saved + size, update, mask=ok)
        tl.store(saved + 2 * size, candidate, mask=ok)
        tl.store(saved + 3 * size, share, mask=ok)
    old = tl.load(hidden + (step + REVERSE) * batch * size + at, mask=ok, other=0.0)
    new = _mixed(update, old, candidate, REPLACE)
    _finish(new, old, hidden, seen, mask, keep_h, lengths, rows, t, batch, size, at, ok, RATE_H, REVERSE)


@triton.jit(do_not_specialize=["t"])
def _forward_gates(
    gates_x, product, product_step, bias, gain, hidden, seen_later, saved, saved_step, mask, t, batch, size,
    EPSILON: tl.constexpr, REVERSE: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    step = t.to(tl.int64)
    at, wide = rows * size + units, rows * (3 * size) + units
    gates_x += step * batch * 3 * size
    product += step * product_step
    reset, update = _gates(gates_x, product, bias, gain, wide, units, ok, rows, batch, size, EPSILON, WIDTH)
    tl.store(saved + step * saved_step + wide, reset, mask=ok)
    tl.store(saved + step * saved_step + wide + size, update, mask=ok)
    shown = reset * tl.load(hidden + (step + REVERSE) * batch * size + at, mask=ok, other=0.0)
    if mask is not None:
        shown *= tl.load(mask + at, mask=ok, other=0.0)
    tl.store(seen_later + at, shown, mask=ok)


@triton.jit(do_not_specialize=["t"])
def _forward_candidate(
    gates_x, product, product_step, bias, gain, hidden, seen, saved, saved_step, mask, keep_h, lengths, t, batch, size,
    RATE_H: tl.constexpr, EPSILON: tl.constexpr, REPLACE: tl.constexpr, REVERSE: tl.constexpr, ROWS: tl.constexpr,
    UNITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    step = t.to(tl.int64)
    at, wide = rows * size + units, rows * (3 * size) + units
    product += step * product_step
    saved += step * saved_step
    share = _candidate_product(product, bias, gain, wide, units, ok, rows, batch, size, EPSILON, WIDTH)
    candidate = tanh(tl.load(gates_x + step * batch * 3 * size + wide + 2 * size, mask=ok, other=0.0) + share)
    tl.store(saved + wide + 2 * size, candidate, mask=ok)
    old = tl.load(hidden + (step + REVERSE) * batch * size + at, mask=ok, other=0.0)
    new = _mixed(tl.load(saved + wide + size, mask=ok, other=0.0), old, candidate, REPLACE)
    _finish(new, old, hidden, seen, mask, keep_h, lengths, rows, t, batch, size, at, ok, RATE_H, REVERSE)


@triton.jit
def _update_and_candidate(new_dh, update, candidate, old, REPLACE: tl.constexpr):
    """Gradients of the candidate's and the update gate's sums, and of the old state through what is kept of it."""
    slope = (old - candidate) * update * (1.0 - update)
    if REPLACE:
        da_n, da_z, held = new_dh * update, -new_dh * slope, new_dh * (1.0 - update)
    else:
        da_n, da_z, held = new_dh * (1.0 - update), new_dh * slope, new_dh * update
    return da_n * (1.0 - candidate * candidate), da_z, held


@triton.jit(do_not_specialize=["t"])
def _backward_after(
    grad_output, carry, back, hidden, saved, saved_step, product, product_step, gain, mask, keep_h, lengths, grad_gates,
    grad_product, t, batch, size, RATE_H: tl.constexpr, EPSILON: tl.constexpr, REPLACE: tl.constexpr,
    REVERSE: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    step = t.to(tl.int64)
    at, wide = rows * size + units, rows * (3 * size) + units
    step_at = step * batch * size + at
    live = running(lengths, rows, batch, t)
    dh = arriving(carry, back, mask, grad_output, at, step_at, ok, live)
    new_dh = tl.where(live, zoned(dh, tl.zeros_like(dh), keep_h, step_at, ok, RATE_H), 0.0)
    saved += step * saved_step + rows * (4 * size) + units
    reset, update = tl.load(saved, mask=ok, other=0.0), tl.load(saved + size, mask=ok, other=0.0)
    candidate, share = tl.load(saved + 2 * size, mask=ok, other=0.0), tl.load(saved + 3 * size, mask=ok, other=0.0)
    old = tl.load(hidden + (step + REVERSE) * batch * size + at, mask=ok, other=0.0)
    da_n, da_z, held = _update_and_candidate(new_dh, update, candidate, old, REPLACE)
    da_r = tl.where(live, da_n * share * reset * (1.0 - reset), 0.0)
    da_z, da_n = tl.where(live, da_z, 0.0), tl.where(live, da_n, 0.0)
    dq = tl.where(live, da_n * reset, 0.0)
    grad_gates += step * batch * 3 * size
    grad_product += step * batch * 3 * size
    tl.store(grad_gates + wide, da_r, mask=ok)
    tl.store(grad_gates + wide + size, da_z, mask=ok)
    tl.store(grad_gates + wide + 2 * size, da_n, mask=ok)
    if gain is not None:
        product += step * product_step
        _norm_through_two(grad_product, product, gain, da_r, da_z, wide, units, ok, rows, batch, size, EPSILON, WIDTH)
        _norm_through_one(grad_product, product, gain, dq, wide, units, ok, rows, batch, size, EPSILON, WIDTH)
    else:
        tl.store(grad_product + wide, da_r, mask=ok)
        tl.store(grad_product + wide + size, da_z, mask=ok)
        tl.store(grad_product + wide + 2 * size, dq, mask=ok)
    tl.store(carry + at, tl.where(live, dh - new_dh + held, dh), mask=ok)


@triton.jit(do_not_specialize=["t"])
def _backward_candidate(
    grad_output, carry, back, hidden, saved, saved_step, product, product_step, gain, mask, keep_h, lengths, grad_gates,
    grad_product, t, batch, size, RATE_H: tl.constexpr, EPSILON: tl.constexpr, REPLACE: tl.constexpr,
    REVERSE: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    step = t.to(tl.int64)
    at, wide = rows * size + units, rows * (3 * size) + units
    step_at = step * batch * size + at
    live = running(lengths, rows, batch, t)
    dh = arriving(carry, back, mask, grad_output, at, step_at, ok, live)
    new_dh = tl.where(live, zoned(dh, tl.zeros_like(dh), keep_h, step_at, ok, RATE_H), 0.0)
    saved += step * saved_step + wide
    update, candidate = tl.load(saved + size, mask=ok, other=0.0), tl.load(saved + 2 * size, mask=ok, other=0.0)
    old = tl.load(hidden + (step + REVERSE) * batch * size + at, mask=ok, other=0.0)
    da_n, da_z, held = _update_and_candidate(new_dh, update, candidate, old, REPLACE)
    da_z, da_n = tl.where(live, da_z, 0.0), tl.where(live, da_n, 0.0)
    grad_gates += step * batch * 3 * size
    tl.store(grad_gates + wide + size, da_z, mask=ok)
    tl.store(grad_gates + wide + 2 * size, da_n, mask=ok)
    if gain is not None:
        grad_product += step * batch * 3 * size
        product += step * product_step
        _norm_through_one(grad_product, product, gain, da_n, wide, units, ok, rows, batch, size, EPSILON, WIDTH)
    tl.store(carry + at, tl.where(live, dh - new_dh + held, dh), mask=ok)


@triton.jit(do_not_specialize=["t"])
def _backward_gates(
    carry, back_later, hidden, saved, saved_step, product, product_step, gain, mask, lengths, grad_gates, grad_product,
    t, batch, size, EPSILON: tl.constexpr, REVERSE: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr,
    WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    step = t.to(tl.int64)
    at, wide = rows * size + units, rows * (3 * size) + units
    live = running(lengths, rows, batch, t)
    shown = tl.load(back_later + at, mask=ok, other=0.0)
    if mask is not None:
        shown *= tl.load(mask + at, mask=ok, other=0.0)
    reset = tl.load(saved + step * saved_step + wide, mask=ok, other=0.0)
    old = tl.load(hidden + (step + REVERSE) * batch * size + at, mask=ok, other=0.0)
    da_r = tl.where(live, shown * old * reset * (1.0 - reset), 0.0)
    grad_gates += step * batch * 3 * size
    tl.store(grad_gates + wide, da_r, mask=ok)
    if gain is not None:
        grad_product += step * batch * 3 * size
        product += step * product_step
        da_z = tl.load(grad_gates + wide + size, mask=ok, other=0.0)
        _norm_through_two(grad_product, product, gain, da_r, da_z, wide, units, ok, rows, batch, size, EPSILON, WIDTH)
    kept = tl.load(carry + at, mask=ok, other=0.0)
    tl.store(carry + at, tl.where(live, kept + shown * reset, kept), mask=ok)


def _before_bias(grad_gates: Tensor, saved: Tensor) -> Tensor:
    """The reset gate scales what reaches the candidate's product."""
    size = grad_gates.shape[-1] // 3
    gates, candidate = grad_gates.split((2 * size, size), dim=-1)
    return torch.cat([gates, candidate * saved[..., :size]], dim=-1)


def plan(options: frozenset[str]) -> Plan:
    """The kernels of a GRU with these options: ``reset_before``, ``update_replace``."""
    constants = {"REPLACE": "update_replace" in options}
    if "reset_before" not in options:
        return Plan(
            gates=3,
            saved=4,
            stages=((0, 3),),
            forward=(_forward_after,),
            backward=(_backward_after,),
            blocks=(2, 1),
            constants=constants,
            apart=True,
            before_bias=_before_bias,
        )
    return Plan(
        gates=3,
        saved=3,
        stages=((0, 2), (2, 3)),
        forward=(_forward_gates, _forward_candidate),
        backward=(_backward_gates, _backward_candidate),
        blocks=(2, 1),
        constants=constants,
        passes=True,
        later_seen=lambda saved, old: saved[..., : old.shape[-1]] * old,
    )
