"""One step of the LSTM on a GPU, forward and backward, by the equations of this folder's README.md.

What the buffers hold: :mod:`gatewise.kernels.gpu.plan`.
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
from gatewise.kernels.gpu.plan import Inputs, Kept, Plan
from gatewise.kernels.products import normalise

__all__ = ["plan"]


@triton.jit
def _shown(value, gain_c, bias_c, units, size, ok, EPSILON: tl.constexpr):
    """The cell as the output sees it, its normalised values and 1 / deviation; a tile holds whole rows."""
    if gain_c is not None:
        mean = tl.sum(value, axis=1)[:, None] / size
        centred = tl.where(ok, value - mean, 0.0)
        scale = 1.0 / tl.sqrt(tl.sum(centred * centred, axis=1)[:, None] / size + EPSILON)
        normal = centred * scale
        shown = normal * tl.load(gain_c + units, mask=units < size, other=0.0)
        if bias_c is not None:
            shown += tl.load(bias_c + units, mask=units < size, other=0.0)
    else:
        shown, normal, scale = value, value, value
    return shown, normal, scale


@triton.jit
def _through_shown(grad, gain_c, grad_shown, step_at, normal, scale, units, size, ok):
    """The new cell's gradient from that of the cell as the output sees it, which is kept for gain and bias."""
    if gain_c is not None:
        tl.store(grad_shown + step_at, grad, mask=ok)
        grad *= tl.load(gain_c + units, mask=units < size, other=0.0)
        mean = tl.sum(grad, axis=1)[:, None] / size
        along = tl.sum(grad * normal, axis=1)[:, None] / size
        grad = through_norm(grad, normal, scale, mean, along)
    return grad


@triton.jit
def _norm_through(grad_product, product, gain, da_i, da_f, da_g, da_o, wide, units, ok, rows, batch, size,
                  EPSILON: tl.constexpr, COUPLED: tl.constexpr, WIDTH: tl.constexpr):  # fmt: skip
    """Gradients of the gates' products, which share one mean and variance; a coupled LSTM has no input gate."""
    GATES: tl.constexpr = 3 if COUPLED else 4
    FIRST: tl.constexpr = GATES - 3
    width = GATES * size
    f, g, o = FIRST * size, (FIRST + 1) * size, (FIRST + 2) * size
    mean, scale = row_norm(product, rows, batch, 0, width, width, EPSILON, WIDTH)
    da_f *= tl.load(gain + units + f, mask=units < size, other=0.0)
    da_g *= tl.load(gain + units + g, mask=units < size, other=0.0)
    da_o *= tl.load(gain + units + o, mask=units < size, other=0.0)
    n_f, n_g = normed(product, wide + f, ok, mean, scale), normed(product, wide + g, ok, mean, scale)
    n_o = normed(product, wide + o, ok, mean, scale)
    total, along = da_f + da_g + da_o, da_f * n_f + da_g * n_g + da_o * n_o
    if not COUPLED:
        da_i *= tl.load(gain + units, mask=units < size, other=0.0)
        n_i = normed(product, wide, ok, mean, scale)
        total += da_i
        along += da_i * n_i
    total = tl.sum(total, axis=1)[:, None] / width
    along = tl.sum(along, axis=1)[:, None] / width
    if not COUPLED:
        tl.store(grad_product + wide, through_norm(da_i, n_i, scale, total, along), mask=ok)
    tl.store(grad_product + wide + f, through_norm(da_f, n_f, scale, total, along), mask=ok)
    tl.store(grad_product + wide + g, through_norm(da_g, n_g, scale, total, along), mask=ok)
    tl.store(grad_product + wide + o, through_norm(da_o, n_o, scale, total, along), mask=ok)


@triton.jit(do_not_specialize=["t"])
def _forward(
    gates_x, product, product_step, bias, gain, hidden, seen, cell, cell_step, saved, saved_step, gain_c, bias_c,
    peephole, mask, keep_h, keep_c, lengths, t, batch, size, RATE_H: tl.constexpr, RATE_C: tl.constexpr,
    EPSILON: tl.constexpr, COUPLED: tl.constexpr, REVERSE: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr,
    WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    GATES: tl.constexpr = 3 if COUPLED else 4
    FIRST: tl.constexpr = GATES - 3
    step = t.to(tl.int64)
    at, wide = rows * size + units, rows * (GATES * size) + units
    gates_x += step * batch * GATES * size
    product += step * product_step
    if gain is not None:
        mean, scale = row_norm(product, rows, batch, 0, GATES * size, GATES * size, EPSILON, WIDTH)
    else:
        mean, scale = 0.0, 1.0
    f, g, o = wide + FIRST * size, wide + (FIRST + 1) * size, wide + (FIRST + 2) * size
    f_column, g_column, o_column = units + FIRST * size, units + (FIRST + 1) * size, units + (FIRST + 2) * size
    forget = tl.load(gates_x + f, mask=ok, other=0.0) + product_of(product, bias, gain, f, f_column, ok, mean, scale)
    candidate = tl.load(gates_x + g, mask=ok, other=0.0) + product_of(product, bias, gain, g, g_column, ok, mean, scale)
    output = tl.load(gates_x + o, mask=ok, other=0.0) + product_of(product, bias, gain, o, o_column, ok, mean, scale)
    old = tl.load(cell + (step + REVERSE) * cell_step + at, mask=ok, other=0.0)
    if peephole is not None:
        forget += tl.load(peephole + units + FIRST * size, mask=ok, other=0.0) * old
    forget = sigmoid(forget)
    if COUPLED:
        enter = 1.0 - forget
    else:
        enter = tl.load(gates_x + wide, mask=ok, other=0.0) + product_of(
            product, bias, gain, wide, units, ok, mean, scale
        )
        if peephole is not None:
            enter += tl.load(peephole + units, mask=ok, other=0.0) * old
        enter = sigmoid(enter)
    candidate = tanh(candidate)
    new = forget * old + enter * candidate
    if peephole is not None:
        output += tl.load(peephole + units + (FIRST + 1) * size, mask=ok, other=0.0) * new
    output = sigmoid(output)
    if saved is not None:
        saved += step * saved_step
        if not COUPLED:
            tl.store(saved + wide, enter, mask=ok)
        tl.store(saved + f, forget, mask=ok)
        tl.store(saved + g, candidate, mask=ok)
        tl.store(saved + o, output, mask=ok)
    shown, _, _ = _shown(new, gain_c, bias_c, units, size, ok, EPSILON)
    old_h = tl.load(hidden + (step + REVERSE) * batch * size + at, mask=ok, other=0.0)
    new_h = zoned(output * tanh(shown), old_h, keep_h, step * batch * size + at, ok, RATE_H)
    new = zoned(new, old, keep_c, step * batch * size + at, ok, RATE_C)
    live = running(lengths, rows, batch, t)
    new_h = tl.where(live, new_h, old_h)
    tl.store(hidden + (step + 1 - REVERSE) * batch * size + at, new_h, mask=ok)
    tl.store(cell + (step + 1 - REVERSE) * cell_step + at, tl.where(live, new, old), mask=ok)
    if mask is not None:
        tl.store(seen + at, new_h * tl.load(mask + at, mask=ok, other=0.0), mask=ok)


@triton.jit(do_not_specialize=["t"])
def _backward(
    grad_output, carry, back, carry_c, saved, saved_step, cell, cell_step, product, product_step, gain, gain_c, bias_c,
    peephole, mask, keep_h, keep_c, lengths, grad_gates, grad_product, grad_shown, t, batch, size,
    RATE_H: tl.constexpr, RATE_C: tl.constexpr, EPSILON: tl.constexpr, COUPLED: tl.constexpr, REVERSE: tl.constexpr,
    ROWS: tl.constexpr, UNITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    rows, units, ok = tile(batch, size, ROWS, UNITS)
    GATES: tl.constexpr = 3 if COUPLED else 4
    FIRST: tl.constexpr = GATES - 3
    step = t.to(tl.int64)
    at, wide = rows * size + units, rows * (GATES * size) + units
    step_at = step * batch * size + at
    f, g, o = wide + FIRST * size, wide + (FIRST + 1) * size, wide + (FIRST + 2) * size
    live = running(lengths, rows, batch, t)
    dh = arriving(carry, back, mask, grad_output, at, step_at, ok, live)
    dc = tl.load(carry_c + at, mask=ok, other=0.0)
    zero = tl.zeros_like(dh)
    new_dh = tl.where(live, zoned(dh, zero, keep_h, step_at, ok, RATE_H), 0.0)
    new_dc = tl.where(live, zoned(dc, zero, keep_c, step_at, ok, RATE_C), 0.0)
    held_c = dc - new_dc
    saved += step * saved_step
    forget = tl.load(saved + f, mask=ok, other=0.0)
    candidate = tl.load(saved + g, mask=ok, other=0.0)
    output = tl.load(saved + o, mask=ok, other=0.0)
    if COUPLED:
        enter = 1.0 - forget
    else:
        enter = tl.load(saved + wide, mask=ok, other=0.0)
    old = tl.load(cell + (step + REVERSE) * cell_step + at, mask=ok, other=0.0)
    new = forget * old + enter * candidate
    shown, normal, scale_c = _shown(new, gain_c, bias_c, units, size, ok, EPSILON)
    squashed = tanh(shown)
    da_o = new_dh * squashed * output * (1.0 - output)
    through = new_dh * output * (1.0 - squashed * squashed)
    new_dc += _through_shown(through, gain_c, grad_shown, step_at, normal, scale_c, units, size, ok)
    if peephole is not None:
        new_dc += tl.load(peephole + units + (FIRST + 1) * size, mask=ok, other=0.0) * da_o
    da_g = new_dc * enter * (1.0 - candidate * candidate)
    held_c += new_dc * forget
    if COUPLED:
        da_f = new_dc * (old - candidate) * forget * (1.0 - forget)
        da_i = zero
    else:
        da_f = new_dc * old * forget * (1.0 - forget)
        da_i = new_dc * candidate * enter * (1.0 - enter)
        if peephole is not None:
            held_c += tl.load(peephole + units, mask=ok, other=0.0) * da_i
    if peephole is not None:
        held_c += tl.load(peephole + units + FIRST * size, mask=ok, other=0.0) * da_f
    grad_gates += step * batch * GATES * size
    da_i, da_f = tl.where(live, da_i, 0.0), tl.where(live, da_f, 0.0)
    da_g, da_o = tl.where(live, da_g, 0.0), tl.where(live, da_o, 0.0)
    if not COUPLED:
        tl.store(grad_gates + wide, da_i, mask=ok)
    tl.store(grad_gates + f, da_f, mask=ok)
    tl.store(grad_gates + g, da_g, mask=ok)
    tl.store(grad_gates + o, da_o, mask=ok)
    if gain is not None:
        product += step * product_step
        grad_product += step * batch * GATES * size
        _norm_through(grad_product, product, gain, da_i, da_f, da_g, da_o, wide, units, ok, rows, batch, size, EPSILON,
                      COUPLED, WIDTH)  # fmt: skip
    tl.store(carry + at, tl.where(live, dh - new_dh, dh), mask=ok)
    tl.store(carry_c + at, tl.where(live, held_c, dc), mask=ok)


def _own(inputs: Inputs, kept: Kept, old: Tensor, grad_gates: Tensor, grad_shown: Tensor | None) -> dict[str, Tensor]:
    """Gradients of the peepholes and of the cell's normalisation: sums over all steps and rows."""
    found: dict[str, Tensor] = {}
    assert kept.saved is not None
    if inputs.weight_peephole is None and grad_shown is None:
        return found
    size, gates = old.shape[-1], grad_gates.shape[-1] // old.shape[-1]
    activated, grads = kept.saved.split(size, -1), grad_gates.split(size, -1)
    forget, candidate = activated[gates - 3], activated[gates - 2]
    new = forget * old + (1.0 - forget if gates == 3 else activated[0]) * candidate
    if inputs.weight_peephole is not None:
        pairs = [*((each, old) for each in grads[: gates - 2]), (grads[-1], new)]
        found["weight_peephole"] = torch.stack([(gradient * seen).sum((0, 1)) for gradient, seen in pairs])
    if grad_shown is not None:
        found["layer_norm_c"] = (grad_shown * normalise(new, new.new_ones(size))).sum((0, 1))
        found["layer_norm_c_bias"] = grad_shown.sum((0, 1))
    return found


def plan(options: frozenset[str]) -> Plan:
    """The kernels of an LSTM with these options: ``coupled``, ``peephole``."""
    gates = 3 if "coupled" in options else 4
    return Plan(
        gates,
        gates,
        ((0, gates),),
        (_forward,),
        (_backward,),
        blocks=(gates,),
        states=2,
        constants={"COUPLED": "coupled" in options},
        own=_own,
    )
