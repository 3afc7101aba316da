"""Runs one direction of one layer on the Triton kernels; ``triton`` in :mod:`gatewise.nn.implementations`.

Importing this module registers those kernels with :mod:`gatewise.kernels.dispatch`; triton is loaded by the first call.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gatewise.kernels.dispatch import Choice
from gatewise.kernels.fused.sequence import zoneout_parts
from gatewise.kernels.gpu import selection
from gatewise.kernels.gpu.plan import Inputs
from gatewise.kernels.gpu.walk import Settings, WalkFunction, forward
from gatewise.nn.cell import State
from gatewise.nn.time_loop import Direction

__all__ = ["run_triton"]


def run_triton(choice: Choice, direction: Direction) -> tuple[Tensor, State]:
    """One direction on the Triton kernels.

    Args:
        choice: the dispatch decision.
        direction: what to run; on a CUDA device, or on the CPU in Triton's interpreter.

    Returns:
        Output ``(T, B, H)``, zero past each row's end, and the final states, held past each row's end.
    """
    cell, weight, state = direction.cell, direction.weights.get, direction.state
    module = selection.kernels_of(cell.kernel_name)
    keep_h, rate_h = zoneout_parts(direction.zoneout[0] if direction.zoneout else None)
    keep_c, rate_c = zoneout_parts(direction.zoneout[1] if len(direction.zoneout) > 1 else None)
    tensors = [
        cell.project(direction.x, direction.weights),
        state[0],
        state[1] if len(state) > 1 else None,
        direction.weights["weight_hh"],
        weight("bias_hh"),
        weight("layer_norm_hh"),
        weight("layer_norm_c"),
        weight("layer_norm_c_bias"),
        weight("weight_peephole"),
        direction.recurrent_mask,
        keep_h,
        keep_c,
        direction.lengths,
    ]
    inputs = Inputs(*[None if each is None else each.contiguous() for each in tensors])  # type: ignore[arg-type]
    plan = module.plan(frozenset({cell.kernel_name}) | cell.kernel_options())
    settings = Settings(plan, direction.reverse, rate_h, rate_c)
    if torch.is_grad_enabled() and any(each is not None and each.requires_grad for each in inputs):
        output, *final = WalkFunction.apply(settings, *inputs)
        return output, tuple(final)
    output, last, _ = forward(settings, inputs, False)
    return output, last
