"""What the sequence kernels can run, and the checks that keep a wrong tensor from reaching a raw pointer."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewise.errors import ShapeError
from gatewise.kernels.dispatch import Request
from gatewise.kernels.fused.call import Inputs

__all__ = ["SEQUENCE_CELLS", "bf16_supports", "check_inputs", "sequence_supports"]

SEQUENCE_CELLS = frozenset({"rnn_tanh", "rnn_relu", "lstm", "gru"})
"""Cells with a whole-sequence kernel."""

SEQUENCE_OPTIONS = frozenset(
    {
        "coupled",
        "layer_norm",
        "lengths",
        "peephole",
        "recurrent_dropout",
        "reset_before",
        "reverse",
        "update_replace",
        "zoneout",
    }
)
"""Options these kernels have."""


def sequence_supports(request: Request) -> tuple[bool, str]:
    """Whether the compiled sequence kernels compute exactly this request, and why (not); says nothing of this machine.

    Args:
        request: what is to be computed.

    Returns:
        The answer and its reason in one sentence.

    Example:
        >>> sequence_supports(Request("gru", "cuda", torch.float32, 10, 20, 3, 5))
        (False, 'the fused kernels run on the CPU, not on cuda')
    """
    if request.cell not in SEQUENCE_CELLS:
        return False, f"there is no fused sequence kernel for {request.cell}"
    if request.device != "cpu":
        return False, f"the fused kernels run on the CPU, not on {request.device}"
    if request.dtype != torch.float32:
        return False, f"the fused kernels compute in float32, not {str(request.dtype).removeprefix('torch.')}"
    missing = sorted(request.options - SEQUENCE_OPTIONS)
    if missing:
        return False, f"the fused {request.cell} has no {', '.join(missing)}"
    return True, f"a fused kernel computes {request.cell} with these options"


def bf16_supports(request: Request) -> tuple[bool, str]:
    """Whether a request can run on products of bfloat16, and why (not); says nothing of this machine.

    Args:
        request: what is to be computed.

    Returns:
        The answer and its reason in one sentence.

    Example:
        >>> bf16_supports(Request("mingru", "cpu", torch.float32, 10, 20, 3, 5))
        (False, 'bf16 was asked for, but mingru has no such products')
    """
    if request.cell not in SEQUENCE_CELLS:
        return False, f"bf16 was asked for, but {request.cell} has no such products"
    extra = sorted(request.options - {"lengths", "reverse"})
    if extra:
        return False, f"bf16 was asked for, but there are no such products with {', '.join(extra)}"
    return True, "products of bfloat16, as asked"


def _expect(name: str, tensor: Tensor | None, shape: tuple[int, ...], axes: str, dtype: torch.dtype) -> None:
    if tensor is None:
        return
    if tensor.shape != shape:
        raise ShapeError(f"{name} has the wrong shape", expected=f"{axes} = {shape}", got=tuple(tensor.shape))
    if tensor.dtype != dtype or tensor.device.type != "cpu":
        raise ShapeError(
            f"{name} has the wrong type", expected=f"{dtype} on the CPU", got=f"{tensor.dtype} on {tensor.device}"
        )


def _fit(inputs: Inputs, gates: int) -> bool:
    """Whether the tensors of an ordinary call are right; quick, because every call asks. No further options."""
    x, gates_x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, *options, lengths = inputs
    if x is None or weight_ih is None or gates_x is not None or any(option is not None for option in options):
        return False
    if x.dim() != 3 or weight_hh.dim() != 2:
        return False
    (_, batch, size), (rows, hidden) = x.shape, weight_hh.shape
    if rows != gates * hidden or weight_ih.shape != (rows, size):
        return False
    for tensor in (x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0):
        if tensor is not None and (tensor.dtype is not torch.float32 or not tensor.is_cpu):
            return False
    for bias in (bias_ih, bias_hh):
        if bias is not None and bias.shape != (rows,):
            return False
    for state in (h0, c0):
        if state is not None and state.shape != (batch, hidden):
            return False
    return lengths is None or (lengths.shape == (batch,) and lengths.dtype is torch.int64 and lengths.is_cpu)


def check_inputs(inputs: Inputs, gates: int) -> None:
    """Refuse tensors whose shape, precision or device the kernels do not take.

    Args:
        inputs: the tensors of a call.
        gates: G, gates per unit in the weights.

    Raises:
        ShapeError: naming the tensor, what was expected and what came.
    """
    if _fit(inputs, gates):
        return
    source = inputs.x if inputs.x is not None else inputs.gates_x
    if source is None or (inputs.x is None) != (inputs.weight_ih is None):
        raise ShapeError("the input is missing", expected="x with weight_ih, or gates_x alone")
    if source.dim() != 3 or inputs.weight_hh.dim() != 2:
        raise ShapeError("x and weight_hh need the right axes", expected="x (T, B, I), weight_hh (G*H, H)")
    steps, batch, size = source.shape
    hidden = inputs.weight_hh.shape[1]
    rows = gates * hidden
    per_step = (steps, batch, hidden)
    expected: dict[str, tuple[tuple[int, ...], str]] = {
        "x": ((steps, batch, size), "(T, B, I)"),
        "gates_x": ((steps, batch, rows), "(T, B, G*H)"),
        "h0": ((batch, hidden), "(B, H)"),
        "c0": ((batch, hidden), "(B, H)"),
        "weight_ih": ((rows, size), "(G*H, I)"),
        "weight_hh": ((rows, hidden), "(G*H, H)"),
        "bias_ih": ((rows,), "(G*H,)"),
        "bias_hh": ((rows,), "(G*H,)"),
        "layer_norm_ih": ((rows,), "(G*H,)"),
        "layer_norm_hh": ((rows,), "(G*H,)"),
        "layer_norm_c": ((hidden,), "(H,)"),
        "layer_norm_c_bias": ((hidden,), "(H,)"),
        "peephole": ((gates - 1, hidden), "(G-1, H)"),
        "recurrent_mask": ((batch, hidden), "(B, H)"),
        "zoneout_h_mask": (per_step, "(T, B, H)"),
        "zoneout_c_mask": (per_step, "(T, B, H)"),
        "lengths": ((batch,), "(B,)"),
    }
    for (name, (shape, axes)), tensor in zip(expected.items(), inputs, strict=True):
        dtype = torch.float32
        if name == "lengths":
            dtype = torch.int64
        elif name.startswith("zoneout"):
            dtype = torch.uint8
        _expect(name, tensor, shape, axes, dtype)
