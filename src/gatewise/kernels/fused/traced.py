"""The sequence operation as PyTorch operators, for ``torch.compile``, ``torch.export`` and fake tensors.

Eager calls go straight to :class:`gatewise.kernels.fused.eager.SequenceFunction`, which reuses memory and is some
tens of microseconds quicker. A graph needs operators without hidden state: here everything that the forward pass keeps
is an output, and the backward pass works on copies of it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatewise.kernels.fused.call import DIFFERENTIABLE, Inputs, Kept, Options
from gatewise.kernels.fused.eager import REFUSAL, backward, dense, forward, kept_values

__all__ = ["traced_sequence"]

_TENSORS = ", ".join(f"Tensor{'' if name in ('x', 'weight_ih') else '?'} {name}" for name in Inputs._fields)
_SETTINGS = "str cell, bool reverse, int flags, float zoneout_h, float zoneout_c, int rounding"
_COUNT = len(Inputs._fields)
_KEPT = len(Kept._fields)

torch.library.define(
    "gatewise::sequence", f"({_TENSORS}, {_SETTINGS}, bool training) -> (" + ", ".join(["Tensor"] * (3 + _KEPT)) + ")"
)
torch.library.define(
    "gatewise::sequence_backward",
    f"({_TENSORS}, Tensor output, {', '.join(f'Tensor {name}' for name in Kept._fields)}, Tensor? grad_output, "
    f"Tensor? grad_h_n, Tensor? grad_c_n, {_SETTINGS}, bool[] wanted) -> ("
    + ", ".join(["Tensor"] * DIFFERENTIABLE)
    + ")",
)


def _or_empty(tensor: Tensor | None) -> Tensor:
    return torch.empty(0, dtype=torch.float32, device="cpu") if tensor is None else tensor


@torch.library.impl("gatewise::sequence", "CPU")  # type: ignore[untyped-decorator]
def _sequence(*arguments: Any) -> tuple[Tensor, ...]:
    inputs, settings, training = Inputs(*arguments[:_COUNT]), Options(*arguments[_COUNT:-1]), arguments[-1]
    output, h_n, c_n, kept = forward(settings, dense(inputs), training, pooled=False)
    return output, h_n, _or_empty(c_n), *(_or_empty(part) for part in kept)


@torch.library.register_fake("gatewise::sequence")  # type: ignore[untyped-decorator]
def _fake_sequence(*arguments: Any) -> tuple[Tensor, ...]:
    inputs, settings, training = Inputs(*arguments[:_COUNT]), Options(*arguments[_COUNT:-1]), arguments[-1]
    steps, batch, hidden = inputs.x.shape[0], inputs.x.shape[1], inputs.weight_ih.shape[0] // settings.gates
    new, values, two = inputs.x.new_empty, steps * batch * hidden, settings.info.states > 1
    norms = [training and norm is not None for norm in (inputs.layer_norm_ih, inputs.layer_norm_hh)]
    return (
        new(steps, batch, hidden),
        new(batch, hidden),
        new(batch, hidden) if two else new(0),
        new(kept_values(settings, inputs, steps, batch, hidden) if training else 0),
        new(values if training and two else 0),
        *(new(values * settings.gates if norm else 0) for norm in norms),
        new(steps, batch, 4) if any(norms) else new(0),
    )


@torch.library.impl("gatewise::sequence_backward", "CPU")  # type: ignore[untyped-decorator]
def _sequence_backward(*arguments: Any) -> tuple[Tensor, ...]:
    inputs, output, rest = Inputs(*arguments[:_COUNT]), arguments[_COUNT], arguments[_COUNT + 1 :]
    kept = Kept(*(None if part.numel() == 0 else part.clone() for part in rest[:_KEPT]))
    grad_output, grad_h_n, grad_c_n, *settings = rest[_KEPT:-1]
    gradients = backward(
        Options(*settings), dense(inputs), output, kept, grad_output, grad_h_n, grad_c_n, tuple(rest[-1])
    )
    return tuple(_or_empty(gradient) for gradient in gradients)


@torch.library.register_fake("gatewise::sequence_backward")  # type: ignore[untyped-decorator]
def _fake_sequence_backward(*arguments: Any) -> tuple[Tensor, ...]:
    inputs, wanted = Inputs(*arguments[:_COUNT]), arguments[-1]
    weight = inputs.weight_ih
    return tuple(
        weight.new_empty(tensor.shape) if want and tensor is not None else weight.new_empty(0)
        for tensor, want in zip(inputs[:DIFFERENTIABLE], wanted, strict=True)
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.settings = inputs[_COUNT:-1]
    ctx.save_for_backward(*inputs[:_COUNT], output[0], *output[3:])
    ctx.set_materialize_grads(False)


def _gradient(ctx: Any, grad_output: Any, grad_h_n: Any, grad_c_n: Any, *rest: Any) -> tuple[Any, ...]:
    wanted = list(ctx.needs_input_grad[:DIFFERENTIABLE])
    grad_c_n = grad_c_n if Options(*ctx.settings).info.states > 1 else None
    gradients = torch.ops.gatewise.sequence_backward(
        *ctx.saved_tensors, grad_output, grad_h_n, grad_c_n, *ctx.settings, wanted
    )
    present = [tensor is not None for tensor in ctx.saved_tensors[:DIFFERENTIABLE]]
    found = [g if want and there else None for g, want, there in zip(gradients, wanted, present, strict=True)]
    return (*found, *([None] * (_COUNT - DIFFERENTIABLE + len(ctx.settings) + 1)))


def _refuse(ctx: Any, *gradients: Any) -> Any:
    """Stand in for the gradient of a gradient."""
    raise RuntimeError(REFUSAL)


torch.library.register_autograd("gatewise::sequence", _gradient, setup_context=_save)
torch.library.register_autograd("gatewise::sequence_backward", _refuse, setup_context=lambda ctx, inputs, output: None)


def traced_sequence(options: Options, inputs: Inputs) -> tuple[Tensor, ...]:
    """As :func:`gatewise.kernels.fused.sequence.sequence`, through the operators.

    Args:
        options: the cell and everything that is no tensor.
        inputs: the tensors.

    Returns:
        ``output``, ``h_n`` and, where the cell has two states, ``c_n``.
    """
    training = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs[:DIFFERENTIABLE])
    output, h_n, c_n, *_ = torch.ops.gatewise.sequence(*inputs, *options, training)
    return (output, h_n, c_n) if options.info.states > 1 else (output, h_n)
