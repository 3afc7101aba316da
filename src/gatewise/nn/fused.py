"""Runs one direction of one layer on the compiled kernels; ``fused`` in :mod:`gatewise.nn.implementations`.

Importing this module registers those kernels with :mod:`gatewise.kernels.dispatch`.
"""

from __future__ import annotations

from torch import Tensor

from gatewise.kernels.dispatch import Choice, rounding_of
from gatewise.kernels.fused import selection as selection
from gatewise.kernels.fused.call import Inputs, Options
from gatewise.kernels.fused.sequence import sequence, zoneout_parts
from gatewise.kernels.registry import KERNELS
from gatewise.nn.cell import State
from gatewise.nn.time_loop import Direction

__all__ = ["run_fused"]


def run_fused(choice: Choice, direction: Direction) -> tuple[Tensor, State]:
    """One direction on the compiled kernels.

    Args:
        choice: the dispatch decision.
        direction: what to run; on the CPU in float32.

    Returns:
        Output ``(T, B, H)``, zero past each row's end, and the final states, held past each row's end.
    """
    cell, weight, state = direction.cell, direction.weights.get, direction.state
    info = KERNELS[cell.kernel_name]
    keep_h, rate_h = zoneout_parts(direction.zoneout[0] if direction.zoneout else None)
    keep_c, rate_c = zoneout_parts(direction.zoneout[1] if len(direction.zoneout) > 1 else None)
    options = Options(
        info.cell,
        direction.reverse,
        info.flags_of(cell.kernel_name, cell.kernel_options()),
        rate_h,
        rate_c,
        rounding_of(choice.implementation),
    )
    inputs = Inputs(
        direction.x,
        state[0],
        state[1] if len(state) > 1 else None,
        direction.weights["weight_ih"],
        weight("weight_hh"),
        weight("bias_ih"),
        weight("bias_hh"),
        weight("layer_norm_ih"),
        weight("layer_norm_hh"),
        weight("layer_norm_c"),
        weight("layer_norm_c_bias"),
        weight("weight_peephole"),
        direction.recurrent_mask,
        keep_h,
        keep_c,
        direction.lengths,
    )
    output, *final = sequence(options, inputs)
    return output, tuple(final)
