"""Walks a direction through time, forward and back: per step one product by torch and one Triton kernel.

Nothing is read back from the device, so the walk neither waits for it nor breaks a capture with ``torch.cuda.graph``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatewise.kernels.gpu import launch
from gatewise.kernels.gpu.plan import Inputs, Kept, Plan, tiles
from gatewise.kernels.once import once, refusal
from gatewise.kernels.products import EPSILON, normalise

__all__ = ["Settings", "WalkFunction", "forward"]

_DIFFERENTIABLE = 9


class Settings(NamedTuple):
    """What is no tensor.

    Attributes:
        plan: the cell's.
        reverse: walk from the last step to the first.
        rate_h, rate_c: expectations of zoneout.
    """

    plan: Plan
    reverse: bool = False
    rate_h: float = 0.0
    rate_c: float = 0.0


def _launchers(
    kernels: tuple[Any, ...], settings: Settings, inputs: Inputs, buffers: dict[str, Any]
) -> list[Callable[..., None]]:
    """One function of t for each kernel, with everything that stays the same bound."""
    plan, (batch, size) = settings.plan, inputs.h0.shape
    norms = [inputs.layer_norm_hh, inputs.layer_norm_c]
    cut = tiles(batch, size, max(plan.blocks) * size if any(each is not None for each in norms) else None)
    given = buffers | {
        "gates_x": inputs.gates_x, "bias": inputs.bias_hh, "gain": inputs.layer_norm_hh, "gain_c": inputs.layer_norm_c,
        "bias_c": inputs.layer_norm_c_bias, "peephole": inputs.weight_peephole, "mask": inputs.recurrent_mask,
        "keep_h": inputs.keep_h, "keep_c": inputs.keep_c, "lengths": inputs.lengths, "batch": batch, "size": size,
        "RATE_H": settings.rate_h, "RATE_C": settings.rate_c, "EPSILON": EPSILON, "REVERSE": int(settings.reverse),
        "ROWS": cut.rows, "UNITS": cut.units, "WIDTH": cut.width, **plan.constants,
    }  # fmt: skip

    return [launch.launcher(kernel, given, cut.grid, cut.warps, ("t",)) for kernel in kernels]


def _times(steps: int, backwards: bool) -> Iterable[int]:
    return reversed(range(steps)) if backwards else range(steps)


def _stage_slots(buffer: Tensor, plan: Plan, size: int) -> list[tuple[Tensor, ...]]:
    """Per stage and step the columns ``(B, gates*H)`` of a ``(T, B, G*H)`` buffer."""
    return [buffer[..., first * size : end * size].unbind(0) for first, end in plan.stages]


def forward(settings: Settings, inputs: Inputs, training: bool) -> tuple[Tensor, tuple[Tensor, ...], Kept]:
    """Run all steps.

    Args:
        settings: what is no tensor.
        inputs: dense tensors on one device.
        training: keep what :class:`WalkFunction` needs for the way back.

    Returns:
        Output ``(T, B, H)``, zero past each row's end; final states; what was kept.
    """
    plan, reverse = settings.plan, int(settings.reverse)
    (steps, batch, width), size = inputs.gates_x.shape, inputs.h0.shape[1]
    new = inputs.gates_x.new_empty
    hidden = new(steps + 1, batch, size)
    hidden[steps if reverse else 0] = inputs.h0
    product = new(steps if training and inputs.layer_norm_hh is not None else 1, batch, width)
    saved = new(steps if training else 1, batch, plan.saved * size) if training or plan.passes else None
    cell = None
    if inputs.c0 is not None:
        cell = new(steps + 1 if training else 1, batch, size)
        cell[steps if reverse and training else 0] = inputs.c0
    seen = None if inputs.recurrent_mask is None else inputs.h0 * inputs.recurrent_mask
    seen_later = new(batch, size) if len(plan.stages) > 1 else None
    buffers = {
        "hidden": hidden, "cell": cell, "saved": saved, "seen": seen, "seen_later": seen_later, "product": product,
        "product_step": product.stride(0) if product.shape[0] == steps else 0,
        "saved_step": saved.stride(0) if saved is not None and training else 0,
        "cell_step": batch * size if training else 0,
    }  # fmt: skip
    weights = [inputs.weight_hh[first * size : end * size].t() for first, end in plan.stages]
    slots, products = hidden.unbind(0), _stage_slots(product, plan, size)
    with launch.on_device_of(inputs.gates_x):
        kernels = _launchers(plan.forward, settings, inputs, buffers)
        for t in _times(steps, settings.reverse):
            read = slots[t + reverse] if seen is None else seen
            for weight, kernel, columns in zip(weights, kernels, products, strict=True):
                torch.mm(read, weight, out=columns[t if len(columns) > 1 else 0])
                kernel(t=t)
                read = seen_later  # type: ignore[assignment]
    output = hidden[:-1] if reverse else hidden[1:]
    last = hidden[0 if reverse else steps].clone()
    if inputs.lengths is not None:
        past = torch.arange(steps, device=output.device)[:, None] >= inputs.lengths
        output = output.masked_fill(past[..., None], 0)
    final = (last,) if cell is None else (last, cell[steps if training and not reverse else 0].clone())
    return output, final, Kept(hidden, cell, saved, product)


def backward(
    settings: Settings,
    inputs: Inputs,
    kept: Kept,
    grad_output: Tensor | None,
    grad_final: tuple[Tensor | None, ...],
    wanted: tuple[bool, ...],
) -> list[Tensor | None]:
    """The gradients of the first nine inputs, None where not wanted."""
    plan, reverse = settings.plan, int(settings.reverse)
    (steps, batch, width), size = inputs.gates_x.shape, inputs.h0.shape[1]
    new, zeros = inputs.gates_x.new_empty, inputs.h0.new_zeros
    normed = inputs.layer_norm_hh is not None
    grad_gates = new(steps, batch, width)
    grad_product = new(steps, batch, width) if normed or plan.apart else grad_gates
    grad_shown = None if inputs.layer_norm_c is None else new(steps, batch, size)
    carries = [zeros(batch, size) if each is None else each.clone(memory_format=torch.contiguous_format)
               for each in (*grad_final, None)]  # fmt: skip
    backs = [zeros(batch, size) for _ in plan.stages]
    buffers = {
        "grad_output": None if grad_output is None else grad_output.contiguous(), "carry": carries[0],
        "carry_c": carries[1], "back": backs[0], "back_later": backs[-1], "hidden": kept.hidden, "cell": kept.cell,
        "saved": kept.saved, "saved_step": batch * plan.saved * size, "cell_step": batch * size,
        "product": kept.product, "product_step": batch * width if normed else 0, "grad_gates": grad_gates,
        "grad_product": grad_product, "grad_shown": grad_shown,
    }  # fmt: skip
    weights = [inputs.weight_hh[first * size : end * size] for first, end in plan.stages]
    with launch.on_device_of(inputs.gates_x):
        kernels = _launchers(plan.backward, settings, inputs, buffers)
        stages = list(zip(weights, kernels, _stage_slots(grad_product, plan, size), backs, strict=True))[::-1]
        for t in _times(steps, not settings.reverse):
            for weight, kernel, columns, back in stages:
                kernel(t=t)
                torch.mm(columns[t], weight, out=back)
    grad_h0 = carries[0] + (backs[0] if inputs.recurrent_mask is None else backs[0] * inputs.recurrent_mask)
    found: dict[str, Tensor | None] = {"gates_x": grad_gates, "h0": grad_h0, "c0": carries[1]}
    old = kept.hidden[1:] if reverse else kept.hidden[:-1]
    if wanted[Inputs._fields.index("weight_hh")]:
        found["weight_hh"] = _weight_gradient(plan, inputs, kept, old, grad_product)
    found |= _row_gradients(plan, inputs, kept, grad_gates, wanted)
    if kept.cell is not None:
        found |= plan.own(inputs, kept, kept.cell[1:] if reverse else kept.cell[:-1], grad_gates, grad_shown)
    return [found.get(name) if want else None for name, want in zip(Inputs._fields, wanted, strict=False)]


def _weight_gradient(plan: Plan, inputs: Inputs, kept: Kept, old: Tensor, grad_product: Tensor) -> Tensor:
    """One product over all steps and rows for each stage."""
    size = old.shape[-1]
    gradient = torch.empty_like(inputs.weight_hh)
    for number, (first, end) in enumerate(plan.stages):
        read = old
        if number and plan.later_seen is not None and kept.saved is not None:
            read = plan.later_seen(kept.saved, old)
        if inputs.recurrent_mask is not None:
            read = read * inputs.recurrent_mask
        columns = grad_product[..., first * size : end * size].reshape(-1, (end - first) * size)
        torch.mm(columns.t(), read.reshape(-1, size), out=gradient[first * size : end * size])
    return gradient


def _row_gradients(
    plan: Plan, inputs: Inputs, kept: Kept, grad_gates: Tensor, wanted: tuple[bool, ...]
) -> dict[str, Tensor | None]:
    """Gradients of the recurrent bias and of the gain of its normalised product."""
    wants = dict(zip(Inputs._fields, wanted, strict=False))
    if not wants["bias_hh"] and not wants["layer_norm_hh"]:
        return {}
    after = grad_gates
    if plan.before_bias is not None and kept.saved is not None:
        after = plan.before_bias(grad_gates, kept.saved)
    found: dict[str, Tensor | None] = {"bias_hh": after.sum((0, 1))}
    if wants["layer_norm_hh"]:
        size = inputs.h0.shape[1]
        blocks = [gates * size for gates in plan.blocks]
        normal = normalise(kept.product, kept.product.new_ones(kept.product.shape[-1]), None, blocks)
        found["layer_norm_hh"] = (after * normal).sum((0, 1))
    return found


class WalkFunction(torch.autograd.Function):
    """One direction of one layer over a whole batch, with its gradient; there is no gradient of the gradient."""

    @staticmethod
    def forward(ctx: Any, settings: Settings, *tensors: Tensor | None) -> Any:
        """Output, and the last state or two."""
        inputs = Inputs(*tensors)  # type: ignore[arg-type]
        output, final, kept = forward(settings, inputs, True)
        ctx.save_for_backward(*inputs, *kept)
        ctx.settings = settings
        ctx.set_materialize_grads(False)
        return output, *final

    @staticmethod
    def backward(ctx: Any, grad_output: Any, *grad_final: Any) -> Any:
        """Gradients of all tensors."""
        inputs, kept = Inputs(*ctx.saved_tensors[:-4]), Kept(*ctx.saved_tensors[-4:])
        wanted = ctx.needs_input_grad[1 : 1 + _DIFFERENTIABLE]
        with torch.no_grad():
            gradients = backward(ctx.settings, inputs, kept, grad_output, grad_final, wanted)
        gradients = once(gradients, (*inputs, grad_output, *grad_final), refusal("the Triton kernels"))
        return (None, *gradients, *([None] * (len(inputs) - _DIFFERENTIABLE)))
