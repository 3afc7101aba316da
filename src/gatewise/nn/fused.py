"""Runs one direction of one layer on the compiled kernels; ``fused`` in :mod:`gatewise.nn.implementations`.

Importing this module offers those kernels to :mod:`gatewise.kernels.dispatch`.
"""

from __future__ import annotations

from torch import Tensor

from gatewise.kernels.dispatch import Choice
from gatewise.kernels.fused import selection as selection
from gatewise.kernels.fused.call import Inputs, Options
from gatewise.kernels.fused.scan_layer import scan_layer
from gatewise.kernels.fused.sequence import sequence, zoneout_parts
from gatewise.nn.cell import State
from gatewise.nn.time_loop import Direction

__all__ = ["run_fused"]


def run_fused(choice: Choice, direction: Direction) -> tuple[Tensor, State]:
    """One direction on the compiled kernels.

    Args:
        choice: why it runs here.
        direction: what to run; on the CPU in float32.

    Returns:
        Output ``(T, B, H)``, zero past each row's end, and the final states, held past each row's end.
    """
    kernel = direction.cell.kernel_name
    if kernel in ("mingru", "minlstm"):
        weights = direction.weights
        output, last = scan_layer(
            kernel,
            direction.x,
            weights["weight_ih"],
            weights.get("bias_ih"),
            direction.state[0],
            lengths=direction.lengths,
            reverse=direction.reverse,
        )
        return output, (last,)
    output, *final = _run_sequence(kernel, direction, choice.implementation.endswith("-bf16"))
    return output, tuple(final)


def _run_sequence(kernel: str, direction: Direction, bf16: bool) -> tuple[Tensor, ...]:
    """A cell with recurrent weights: output, last hidden state and, for an LSTM, last cell state."""
    named, weight, state = direction.cell.kernel_options(), direction.weights.get, direction.state
    keep_h, rate_h = zoneout_parts(direction.zoneout[0] if direction.zoneout else None)
    keep_c, rate_c = zoneout_parts(direction.zoneout[1] if len(direction.zoneout) > 1 else None)
    options = Options(
        kernel.partition("_")[0],
        direction.reverse,
        kernel == "rnn_relu",
        "reset_before" in named,
        "update_replace" in named,
        "coupled" in named,
        rate_h,
        rate_c,
        bf16,
    )
    inputs = Inputs(
        direction.x,
        None,
        state[0],
        state[1] if len(state) > 1 else None,
        weight("weight_ih"),
        direction.weights["weight_hh"],
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
    return sequence(options, inputs)
