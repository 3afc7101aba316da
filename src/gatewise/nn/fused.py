"""Runs one direction of one layer on the compiled kernels; ``fused`` in :mod:`gatewise.nn.implementations`.

Importing this module offers those kernels to :mod:`gatewise.kernels.dispatch`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatewise.kernels import fused
from gatewise.kernels.dispatch import Choice
from gatewise.kernels.fused import selection as selection
from gatewise.kernels.fused.scan_layer import scan_layer
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
    arguments = _products(direction) | {
        "lengths": direction.lengths,
        "reverse": direction.reverse,
        "recurrent_mask": direction.recurrent_mask,
    }
    if kernel == "lstm":
        return _run_lstm(direction, arguments)
    arguments["zoneout_h"] = _keep(direction, 0)
    arguments["h0"] = direction.state[0]
    if kernel == "gru":
        options = direction.cell.kernel_options()
        arguments["reset"] = "before" if "reset_before" in options else "after"
        arguments["update"] = "replace" if "update_replace" in options else "keep"
        output, last = fused.gru(**arguments)
    else:
        arguments["nonlinearity"] = kernel.removeprefix("rnn_")
        output, last = fused.rnn(**arguments)
    return output, (last,)


def _run_lstm(direction: Direction, arguments: dict[str, Any]) -> tuple[Tensor, State]:
    weights = direction.weights
    output, hidden, cell = fused.lstm(
        **arguments,
        h0=direction.state[0],
        c0=direction.state[1],
        zoneout_h=_keep(direction, 0),
        zoneout_c=_keep(direction, 1),
        layer_norm_c=weights.get("layer_norm_c"),
        layer_norm_c_bias=weights.get("layer_norm_c_bias"),
        peephole=weights.get("weight_peephole"),
        coupled="coupled" in direction.cell.kernel_options(),
    )
    return output, (hidden, cell)


def _products(direction: Direction) -> dict[str, Any]:
    """What enters the products of input and state."""
    weights = direction.weights
    optional = ("bias_ih", "bias_hh", "layer_norm_ih", "layer_norm_hh")
    return {
        "x": direction.x,
        "weight_ih": weights["weight_ih"],
        "weight_hh": weights["weight_hh"],
        **{name: weights.get(name) for name in optional},
    }


def _keep(direction: Direction, number: int) -> Tensor | float | None:
    """One state's zoneout as the kernels take it: a uint8 mask, a probability, or None."""
    keep = direction.zoneout[number] if direction.zoneout else None
    return keep.to(torch.uint8) if isinstance(keep, Tensor) else keep
