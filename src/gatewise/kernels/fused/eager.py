"""One direction of one layer over a whole batch, and its gradient, as eager code calls the compiled kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gatewise.kernels.fused.call import (
    DIFFERENTIABLE,
    Inputs,
    Kept,
    Options,
    Sequence,
    is_readable,
    pointer,
    readable,
    run,
    saved_values,
    threads,
)
from gatewise.kernels.fused.workspace import POOL
from gatewise.kernels.once import once, refusal

__all__ = [
    "REFUSAL",
    "SequenceFunction",
    "backward",
    "dense",
    "forward",
    "kept_values",
]

REFUSAL = refusal("the fused kernels")
"""The error of a gradient's gradient."""
KEPT_VALUES = 4 << 20
"""Pre-activations up to this many (16 MB) are kept for the way back where no gate sees the state; computing more of
them again beats fresh memory (``native/scan_layer_backward.h``)."""


def dense(inputs: Inputs) -> Inputs:
    """The same tensors in the layout that the kernels read: x by strides, all others dense."""
    x = inputs.x
    if x.is_neg() or (x.stride(2) != 1 and x.shape[2] > 1):
        x = readable(x)
    if x is inputs.x and all(tensor is None or is_readable(tensor) for tensor in inputs[1:]):
        return inputs
    return Inputs(x, *[None if tensor is None else readable(tensor) for tensor in inputs[1:]])  # type: ignore[arg-type]


def _arguments(options: Options, inputs: Inputs, output: Tensor, training: bool) -> Sequence:
    steps, batch, hidden_size = output.shape
    x = inputs.x
    arguments = Sequence(
        steps, batch, x.shape[2], hidden_size, threads(), training, options.reverse, options.flags, options.rounding,
        x.data_ptr(), *x.stride()[:2],
    )  # fmt: skip
    for name, tensor in zip(Inputs._fields[1:], inputs[1:], strict=True):
        if tensor is not None:
            setattr(arguments, name, tensor.data_ptr())
    arguments.zoneout_h, arguments.zoneout_c = options.zoneout_h, options.zoneout_c
    arguments.output = output.data_ptr()
    return arguments


def is_plain(options: Options, inputs: Inputs) -> bool:
    """Whether none of the options is on that make an output alone too little to go back from."""
    given = (inputs.layer_norm_ih, inputs.layer_norm_hh, inputs.recurrent_mask, inputs.zoneout_h_mask)
    return options.zoneout_h == 0.0 and all(each is None for each in given)


def kept_values(options: Options, inputs: Inputs, steps: int, batch: int, hidden_size: int) -> int:
    """How many values a training forward keeps in :attr:`Kept.buffer`; 0: it keeps none."""
    values = steps * batch * hidden_size * saved_values(options)
    if options.info.recurrent:
        return 0 if options.info.output_suffices and is_plain(options, inputs) else values
    return values if values <= KEPT_VALUES else 0


def _room(options: Options, inputs: Inputs, steps: int, batch: int, hidden_size: int, pooled: bool) -> Kept:
    """Memory for what a training forward keeps."""
    norm_x, norm_h = inputs.layer_norm_ih is not None, inputs.layer_norm_hh is not None
    values = steps * batch * hidden_size
    buffer = kept_values(options, inputs, steps, batch, hidden_size)
    take: Callable[[int], Tensor] = POOL.take if pooled else inputs.x.new_empty
    return Kept(
        take(buffer) if buffer else None,
        take(values) if options.info.states > 1 else None,
        take(values * options.gates) if norm_x else None,
        take(values * options.gates) if norm_h else None,
        inputs.x.new_empty(steps, batch, 4) if norm_x or norm_h else None,
    )


_NOTHING = Kept(None, None, None, None, None)


def forward(
    options: Options, inputs: Inputs, training: bool, pooled: bool = True
) -> tuple[Tensor, Tensor, Tensor | None, Kept]:
    """Output, last states, and with ``training`` what the backward pass needs (from the pool, or fresh)."""
    steps, batch, _ = inputs.x.shape
    hidden_size = inputs.weight_ih.shape[0] // options.gates
    output = inputs.x.new_empty(steps, batch, hidden_size)
    h_n = inputs.x.new_empty(batch, hidden_size)
    c_n = inputs.x.new_empty(batch, hidden_size) if options.info.states > 1 else None
    kept = _room(options, inputs, steps, batch, hidden_size, pooled) if training else _NOTHING
    arguments = _arguments(options, inputs, output, training)
    arguments.h_n = h_n.data_ptr()
    arguments.c_n = pointer(c_n)
    kept.lend(arguments)
    run(options.cell, "forward", arguments)
    return output, h_n, c_n, kept


def backward(
    options: Options,
    inputs: Inputs,
    output: Tensor,
    kept: Kept,
    grad_output: Tensor | None,
    grad_h_n: Tensor | None,
    grad_c_n: Tensor | None,
    wanted: tuple[bool, ...],
) -> list[Tensor | None]:
    """The gradients of the first :data:`DIFFERENTIABLE` inputs; overwrites ``kept``."""
    steps, batch, hidden_size = output.shape
    if grad_output is not None and (grad_output.stride(2) != 1 or grad_output.is_neg()):
        grad_output = readable(grad_output)
    grad_h_n = None if grad_h_n is None else readable(grad_h_n)
    grad_c_n = None if grad_c_n is None else readable(grad_c_n)
    arguments = _arguments(options, inputs, output, True)
    if grad_output is not None:
        arguments.grad_output = grad_output.data_ptr()
        arguments.grad_output_step_stride, arguments.grad_output_batch_stride, _ = grad_output.stride()
    arguments.grad_h_n, arguments.grad_c_n = pointer(grad_h_n), pointer(grad_c_n)
    if kept.buffer is None and options.info.recurrent:
        kept = kept._replace(buffer=POOL.take(steps * batch * hidden_size * saved_values(options)))
    kept.lend(arguments)
    gradients: list[Tensor | None] = []
    for name, tensor, want in zip(Inputs._fields, inputs[:DIFFERENTIABLE], wanted, strict=False):
        gradient = None
        if want and tensor is not None:
            gradient = tensor.new_empty(tensor.shape)
            setattr(arguments, f"grad_{name}", gradient.data_ptr())
        gradients.append(gradient)
    run(options.cell, "backward", arguments)
    kept.give_back()
    return gradients


class SequenceFunction(torch.autograd.Function):
    """One direction of one layer over a whole batch, with its gradient; the tensors are :func:`dense` ones."""

    @staticmethod
    def forward(ctx: Any, options: Options, *tensors: Tensor | None) -> Any:
        """Output, and the last state or two."""
        inputs = Inputs(*tensors)  # type: ignore[arg-type]
        output, h_n, c_n, kept = forward(options, inputs, True)
        ctx.save_for_backward(*inputs, output)
        ctx.options, ctx.kept = options, kept
        ctx.set_materialize_grads(False)
        return (output, h_n) if c_n is None else (output, h_n, c_n)

    @staticmethod
    def backward(ctx: Any, grad_output: Any, grad_h_n: Any, grad_c_n: Any = None) -> Any:
        """Gradients of all tensors; a second call repeats the forward pass, since the first consumed what it kept."""
        *tensors, output = ctx.saved_tensors
        inputs = Inputs(*tensors)
        kept, ctx.kept = ctx.kept, None
        with torch.no_grad():
            if kept is None:
                kept = forward(ctx.options, inputs, True)[3]
            gradients = backward(
                ctx.options, inputs, output, kept, grad_output, grad_h_n, grad_c_n, ctx.needs_input_grad[1:]
            )
        if torch.is_grad_enabled():  # create_graph=True
            gradients = once(gradients, (*tensors, grad_output, grad_h_n, grad_c_n), REFUSAL)
        return (None, *gradients, *([None] * (len(inputs) - DIFFERENTIABLE)))
