"""The kernels of :mod:`gatewise.kernels.gpu.scan`: one row of the batch and some units through all of their time."""

from __future__ import annotations

import triton
import triton.language as tl

from gatewise.kernels.gpu.device import joined, zoned

__all__ = ["backward", "forward"]


@triton.jit
def _place(s, length, row, batch, REVERSE: tl.constexpr):
    """Where the row's step number s lies among the (T, B) positions."""
    if REVERSE:
        position = length - 1 - s
    else:
        position = s
    return position.to(tl.int64) * batch + row


@triton.jit
def _zoned(a, b, keep, at, ok, RATE: tl.constexpr):
    """The coefficients of a step under zoneout: a kept value is a = 1, b = 0."""
    one = tl.full(a.shape, 1.0, a.dtype)
    return zoned(a, one, keep, at, ok, RATE), zoned(b, tl.zeros_like(b), keep, at, ok, RATE)


@triton.jit
def forward(
    gates_x, h0, keep, lengths, output, last, steps, batch, size, RATE: tl.constexpr, REVERSE: tl.constexpr,
    GATES: tl.constexpr, COEFFICIENTS: tl.constexpr, TIME: tl.constexpr, UNITS: tl.constexpr,
):  # fmt: skip
    """All states and the last one."""
    row = tl.program_id(0)
    units = (tl.program_id(1) * UNITS + tl.arange(0, UNITS))[None, :]
    moments = tl.arange(0, TIME)[:, None]
    length = steps
    if lengths is not None:
        length = tl.load(lengths + row).to(tl.int32)
    state = tl.load(h0 + row * size + units, mask=units < size, other=0.0)
    for start in range(0, length, TIME):
        s = start + moments
        ok = (s < length) & (units < size)
        place = _place(s, length, row, batch, REVERSE)
        a, b = COEFFICIENTS(gates_x, place * (GATES * size) + units, size, ok)
        a, b = _zoned(a, b, keep, place * size + units, ok, RATE)
        a, b = tl.associative_scan((tl.where(ok, a, 1.0), tl.where(ok, b, 0.0)), 0, joined)
        hidden = a * state + b
        tl.store(output + place * size + units, hidden, mask=ok)
        state = tl.sum(tl.where(moments == TIME - 1, hidden, 0.0), axis=0)[None, :]
    tl.store(last + row * size + units, state, mask=units < size)


@triton.jit
def backward(
    gates_x, h0, keep, lengths, output, grad_output, grad_last, grad_gates, grad_h0, steps, batch, size,
    RATE: tl.constexpr, REVERSE: tl.constexpr, GATES: tl.constexpr, COEFFICIENTS: tl.constexpr, GRADIENT: tl.constexpr,
    TIME: tl.constexpr, UNITS: tl.constexpr,
):  # fmt: skip
    """Gradients of the gates and of the initial state, from the last step to the first."""
    row = tl.program_id(0)
    units = (tl.program_id(1) * UNITS + tl.arange(0, UNITS))[None, :]
    inside = units < size
    moments = tl.arange(0, TIME)[:, None]
    length = steps
    if lengths is not None:
        length = tl.load(lengths + row).to(tl.int32)
    initial = tl.load(h0 + row * size + units, mask=inside, other=0.0)
    sent = tl.zeros_like(initial)
    if grad_last is not None:
        sent = tl.load(grad_last + row * size + units, mask=inside, other=0.0)
    for start in range(0, length, TIME):
        s = length - 1 - start - moments
        ok = (s >= 0) & inside
        place = _place(s, length, row, batch, REVERSE)
        later = ok & (s + 1 < length)
        after = _place(s + 1, length, row, batch, REVERSE)
        a, b = COEFFICIENTS(gates_x, after * (GATES * size) + units, size, later)
        a, b = _zoned(a, b, keep, after * size + units, later, RATE)
        value = tl.zeros_like(a)
        if grad_output is not None:
            value = tl.load(grad_output + place * size + units, mask=ok, other=0.0)
        a, b = tl.associative_scan((tl.where(later, a, 1.0), tl.where(ok, value, 0.0)), 0, joined)
        grad = a * sent + b
        before = _place(s - 1, length, row, batch, REVERSE)
        old = tl.load(output + before * size + units, mask=ok & (s > 0), other=0.0)
        old = tl.where(s == 0, initial, old)
        at = place * (GATES * size) + units
        entered = zoned(grad, tl.zeros_like(grad), keep, place * size + units, ok, RATE)
        GRADIENT(gates_x, grad_gates, at, size, ok, entered * old, entered)
        sent = tl.sum(tl.where(moments == TIME - 1, grad, 0.0), axis=0)[None, :]
    if length > 0:
        first = _place(0 * units, length, row, batch, REVERSE)
        a, b = COEFFICIENTS(gates_x, first * (GATES * size) + units, size, inside)
        a, b = _zoned(a, b, keep, first * size + units, inside, RATE)
        sent = a * sent
    tl.store(grad_h0 + row * size + units, sent, mask=inside)
