"""Cells whose gates see the input only: all steps of a row in one Triton kernel, and all gradients in another.

``h_t = a_t h_{t-1} + b_t`` is linear in the state. A program takes one row of the batch and some units through time,
``TIME`` steps at once: within them by an associative scan of pairs (a, b), from one piece to the next by its last state
(Blelloch 1990). Zoneout stays linear: a kept value is a = 1, b = 0. Backwards the gradient of the states obeys the same
recurrence with the coefficients of the step after.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatewise.kernels.gpu import launch
from gatewise.kernels.once import once, refusal

__all__ = ["ScanFunction", "ScanInputs", "ScanPlan", "ScanSettings", "forward"]

TIME, UNITS, WARPS = 32, 32, 4
"""Steps (in float64 half as many) and units of a tile, and a program's warps: what stays in registers when compiled."""


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


def _run(name: str, settings: ScanSettings, inputs: ScanInputs, **more: Any) -> None:
    plan, (steps, batch, _), size = settings.plan, inputs.gates_x.shape, inputs.h0.shape[1]
    given = {
        "steps": steps, "batch": batch, "size": size, "RATE": settings.rate, "REVERSE": settings.reverse,
        "GATES": plan.gates, "COEFFICIENTS": plan.coefficients, "GRADIENT": plan.gradient, "UNITS": UNITS,
        "TIME": max(TIME * 4 // inputs.h0.element_size(), 1),
        **inputs._asdict(), **more,
    }  # fmt: skip
    kernels = import_module("gatewise.kernels.gpu.scan_kernels")  # it loads triton
    with launch.on_device_of(inputs.h0):
        launch.launcher(getattr(kernels, name), given, (batch, -(-size // UNITS)), WARPS)()


def forward(settings: ScanSettings, inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Output ``(T, B, H)``, zero past each row's end, and the last states ``(B, H)``."""
    (steps, batch, _), size = inputs.gates_x.shape, inputs.h0.shape[1]
    make = inputs.h0.new_empty if inputs.lengths is None else inputs.h0.new_zeros
    output, last = make(steps, batch, size), torch.empty_like(inputs.h0)
    _run("forward", settings, inputs, output=output, last=last)
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
    def backward(ctx: Any, grad_output: Tensor | None, grad_last: Tensor | None) -> Any:
        """Gradients of the gates and of the initial state."""
        *tensors, output = ctx.saved_tensors
        inputs = ScanInputs(*tensors)
        with torch.no_grad():
            make = torch.empty_like if inputs.lengths is None else torch.zeros_like
            grad_gates, grad_h0 = make(inputs.gates_x), torch.empty_like(inputs.h0)
            _run(
                "backward",
                ctx.settings,
                inputs,
                output=output,
                grad_output=None if grad_output is None else grad_output.contiguous(),
                grad_last=None if grad_last is None else grad_last.contiguous(),
                grad_gates=grad_gates,
                grad_h0=grad_h0,
            )
        found = once((grad_gates, grad_h0), (*inputs, grad_output, grad_last), refusal("the Triton kernels"))
        return None, *found, None, None
