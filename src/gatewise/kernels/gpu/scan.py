"""Cells whose gates see the input only: all steps of a row in one Triton kernel, and all gradients in another.

``h_t = a_t h_{t-1} + b_t`` is linear in the state. A program takes one row of the batch and some units through time,
``TIME`` steps at once: within them by an associative scan of pairs (a, b), from one piece to the next by its last state
(Blelloch 1990). Zoneout stays linear: a kept value is a = 1, b = 0. Backwards the gradient of the states obeys the same
recurrence with the coefficients of the step after.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from gatewise.kernels.gpu.device import joined, zoned

__all__ = ["ScanFunction", "ScanInputs", "ScanPlan", "ScanSettings", "forward"]

TIME, UNITS, WARPS = 64, 32, 4
"""Steps and units of a tile, and a program's warps."""


class ScanPlan(NamedTuple):
    """One cell.

    Attributes:
        gates: G.
        coefficients: Triton function ``(gates_x, at, size, ok)`` to (a, b).
        gradient: Triton function that stores ``grad_gates`` given those of a and b:
            ``(gates_x, grad_gates, at, size, ok, grad_a, grad_b)``.
    """

    gates: int
    coefficients: Callable[..., Any]
    gradient: Callable[..., Any]


class ScanSettings(NamedTuple):
    """What is no tensor: the cell's plan, the direction, and the expectation of zoneout."""

    plan: ScanPlan
    reverse: bool = False
    rate: float = 0.0


class ScanInputs(NamedTuple):
    """The tensors of one direction; the first two have gradients."""

    gates_x: Tensor
    h0: Tensor
    keep: Tensor | None
    lengths: Tensor | None


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
def _forward(
    gates_x, h0, keep, lengths, output, last, steps, batch, size, RATE: tl.constexpr, REVERSE: tl.constexpr,
    GATES: tl.constexpr, COEFFICIENTS: tl.constexpr, TIME: tl.constexpr, UNITS: tl.constexpr,
):  # fmt: skip
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
def _backward(
    gates_x, h0, keep, lengths, output, grad_output, grad_last, grad_gates, grad_h0, steps, batch, size,
    RATE: tl.constexpr, REVERSE: tl.constexpr, GATES: tl.constexpr, COEFFICIENTS: tl.constexpr, GRADIENT: tl.constexpr,
    TIME: tl.constexpr, UNITS: tl.constexpr,
):  # fmt: skip
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


def _launch(kernel: Any, settings: ScanSettings, inputs: ScanInputs, **more: Any) -> None:
    plan, (steps, batch, _), size = settings.plan, inputs.gates_x.shape, inputs.h0.shape[1]
    given = {
        "steps": steps, "batch": batch, "size": size, "RATE": settings.rate, "REVERSE": settings.reverse,
        "GATES": plan.gates, "COEFFICIENTS": plan.coefficients, "GRADIENT": plan.gradient, "TIME": TIME, "UNITS": UNITS,
        **inputs._asdict(), **more,
    }  # fmt: skip
    arguments = {name: given[name] for name in kernel.arg_names}
    with torch.cuda.device(inputs.h0.device) if inputs.h0.is_cuda else nullcontext():
        kernel[(batch, -(-size // UNITS))](**arguments, num_warps=WARPS)


def forward(settings: ScanSettings, inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Output ``(T, B, H)``, zero past each row's end, and the last states ``(B, H)``."""
    (steps, batch, _), size = inputs.gates_x.shape, inputs.h0.shape[1]
    make = inputs.h0.new_empty if inputs.lengths is None else inputs.h0.new_zeros
    output, last = make(steps, batch, size), torch.empty_like(inputs.h0)
    _launch(_forward, settings, inputs, output=output, last=last)
    return output, last


class ScanFunction(torch.autograd.Function):
    """One direction of one layer over a whole batch, with its gradient; there is no gradient of the gradient."""

    @staticmethod
    def forward(ctx: Any, settings: ScanSettings, *tensors: Tensor | None) -> Any:
        """Output and last state."""
        inputs = ScanInputs(*tensors)  # type: ignore[arg-type]
        output, last = forward(settings, inputs)
        ctx.save_for_backward(*inputs, output)
        ctx.settings = settings
        ctx.set_materialize_grads(False)
        return output, last

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_output: Tensor | None, grad_last: Tensor | None) -> Any:
        """Gradients of the gates and of the initial state."""
        *tensors, output = ctx.saved_tensors
        inputs = ScanInputs(*tensors)
        make = torch.empty_like if inputs.lengths is None else torch.zeros_like
        grad_gates, grad_h0 = make(inputs.gates_x), torch.empty_like(inputs.h0)
        _launch(
            _backward,
            ctx.settings,
            inputs,
            output=output,
            grad_output=None if grad_output is None else grad_output.contiguous(),
            grad_last=None if grad_last is None else grad_last.contiguous(),
            grad_gates=grad_gates,
            grad_h0=grad_h0,
        )
        return None, grad_gates, grad_h0, None, None
