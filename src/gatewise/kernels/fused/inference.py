"""A stack of plain layers without gradients, with as few steps in Python as a call can have."""

from __future__ import annotations

from collections.abc import Sequence as Items
from typing import Any

import torch
from torch import Tensor

from gatewise.kernels.fused.call import Sequence, address_of, check_status, threads
from gatewise.kernels.fused.stack import WEIGHTS, Call, Stack, laid_out, time_major

__all__ = ["infer", "run_places"]


def infer(stack: Stack, *tensors: Any) -> tuple[Tensor, ...]:
    """Output and final states without gradients; no tensor is checked here.

    Args:
        stack: what to run.
        tensors: ``lengths`` ``(B,)`` int64 on the CPU, dense, or None; ``x`` ``(T, B, I)``, ``(B, T, I)`` or
            ``(T, I)``, not empty, float32 on the CPU, its features side by side; the initial states ``h0`` and ``c0``
            ``(L*D, B, H)`` or ``(L*D, H)``, dense, or None; and the weights of all places in the order of their names.

    Returns:
        Output laid out as x, and ``(L*D, B, H)`` per state.
    """
    return run_places(stack, [place.arguments for place in stack.places], tensors)


def run_places(stack: Stack, known: Items[Sequence], tensors: Call) -> tuple[Tensor, ...]:
    """As :func:`infer`, on given arguments: of every call's microseconds these lines are a good part.

    Args:
        stack: what to run.
        known: of each place, what is known before the call; copied.
        tensors: as in :func:`infer`; without weights where ``known`` has their addresses.
    """
    x, directions, hidden = tensors[1], stack.directions, stack.hidden
    shape = x.shape
    if len(shape) == 2:
        steps, batch, across, between = shape[0], 1, x.stride(0), 0
        states = [x.new_empty(len(known), hidden) for _ in range(stack.states)]
    elif stack.batch_first:
        (batch, steps, _), (between, across, _) = shape, x.stride()
        states = [x.new_empty(len(known), batch, hidden) for _ in range(stack.states)]
    else:
        (steps, batch, _), (across, between, _) = shape, x.stride()
        states = [x.new_empty(len(known), batch, hidden) for _ in range(stack.states)]
    current, skipped, team = x, 0, threads()
    outputs: list[Tensor] = []
    lengths, starts = tensors[0], [None if each is None else each.data_ptr() for each in tensors[2:WEIGHTS]]
    ends = [each.data_ptr() for each in states]
    for number, place in enumerate(stack.places):
        if number and not (directions == 2 and number % 2):
            current = torch.cat(outputs[-2:], -1) if directions == 2 else outputs[-1]
            across, between = batch * hidden * directions, hidden * directions
        last = directions == 1 and number + 1 == len(known)
        if not last or (len(shape) == 3 and not stack.batch_first):
            output = x.new_empty(steps, batch, hidden)
        else:
            output = laid_out(stack, x, (steps, batch, 0, 0), hidden)
        outputs.append(output)
        arguments = Sequence.from_buffer_copy(known[number])
        arguments.steps, arguments.batch, arguments.threads = steps, batch, team
        arguments.x_step_stride, arguments.x_batch_stride = across, between
        arguments.x, arguments.output, arguments.h_n = current.data_ptr(), output.data_ptr(), ends[0] + skipped
        if len(tensors) > WEIGHTS:
            position = WEIGHTS + stack.starts[number]
            for name in place.weights:
                setattr(arguments, name, tensors[position].data_ptr())
                position += 1
        if stack.states == 2:
            arguments.c_n = ends[1] + skipped
        if lengths is not None:
            arguments.lengths = lengths.data_ptr()
        if starts[0] is not None:
            arguments.h0 = starts[0] + skipped
            if starts[1] is not None:
                arguments.c0 = starts[1] + skipped
        status = place.forward(address_of(arguments))
        if status:
            check_status(place.cell, status, arguments)
        skipped += 4 * batch * hidden
    if directions == 2:
        result = laid_out(stack, x, (steps, batch, 0, 0), 2 * hidden)
        torch.cat(outputs[-2:], -1, out=time_major(stack, result))
        return (result, *states)
    return (outputs[-1], *states)
