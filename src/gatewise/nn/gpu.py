"""Runs one direction of one layer on the Triton kernels; ``triton`` in :mod:`gatewise.nn.implementations`.

Importing this module registers those kernels with :mod:`gatewise.kernels.dispatch`; triton is loaded by the first call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gatewise.kernels.dispatch import Choice
from gatewise.kernels.fused.sequence import zoneout_parts
from gatewise.kernels.gpu import scan, selection
from gatewise.kernels.gpu.plan import Inputs
from gatewise.kernels.gpu.walk import Settings, WalkFunction, forward
from gatewise.kernels.registry import KERNELS
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
    name = cell.kernel_name
    plan = selection.kernels_of(name).plan(frozenset({name}) | cell.kernel_options())
    gates_x = cell.project(direction.x, direction.weights)
    keep_h, rate_h = zoneout_parts(direction.zoneout[0] if direction.zoneout else None)
    if not KERNELS[name].recurrent:
        return _scan(plan, direction, gates_x, keep_h, rate_h)
    keep_c, rate_c = zoneout_parts(direction.zoneout[1] if len(direction.zoneout) > 1 else None)
    tensors = _dense(
        gates_x,
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
    )
    settings = Settings(plan, direction.reverse, rate_h, rate_c)
    if _wants_gradients(tensors):
        output, *final = WalkFunction.apply(settings, *tensors)
        return output, tuple(final)
    output, last, _ = forward(settings, Inputs(*tensors), False)
    return output, last


def _scan(plan: Any, direction: Direction, gates_x: Tensor, keep: Tensor | None, rate: float) -> tuple[Tensor, State]:
    """A cell whose gates see the input only."""
    tensors = _dense(gates_x, direction.state[0], keep, direction.lengths)
    settings = scan.ScanSettings(plan, direction.reverse, rate)
    if _wants_gradients(tensors):
        output, last = scan.ScanFunction.apply(settings, *tensors)
    else:
        output, last = scan.forward(settings, scan.ScanInputs(*tensors))
    return output, (last,)


def _dense(*tensors: Tensor | None) -> list[Any]:
    """The same tensors as the kernels read them."""
    return [None if each is None else each.contiguous() for each in tensors]


def _wants_gradients(tensors: Iterable[Tensor | None]) -> bool:
    return torch.is_grad_enabled() and any(each is not None and each.requires_grad for each in tensors)
