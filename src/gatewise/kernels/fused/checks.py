"""What the sequence kernels can run, and the checks that keep a wrong tensor from reaching a raw pointer."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewise.errors import ShapeError
from gatewise.kernels.dispatch import Request
from gatewise.kernels.fused.call import Inputs
from gatewise.kernels.info import LAYOUT_OPTIONS
from gatewise.kernels.registry import KERNELS

__all__ = ["check_inputs", "rounding_supports", "supports"]


def supports(request: Request) -> tuple[bool, str]:
    """Whether the compiled kernels compute exactly this request, and why (not); says nothing of this machine.

    Args:
        request: what is to be computed.

    Returns:
        The answer and its reason in one sentence.

    Example:
        >>> supports(Request("gru", "cuda", torch.float32, 10, 20, 3, 5))
        (False, 'the fused kernels run on the CPU, not on cuda')
    """
    info = KERNELS.get(request.cell)
    if info is None:
        return False, f"there is no fused kernel for {request.cell}"
    if request.device != "cpu":
        return False, f"the fused kernels run on the CPU, not on {request.device}"
    if request.dtype != torch.float32:
        return False, f"the fused kernels compute in float32, not {str(request.dtype).removeprefix('torch.')}"
    missing = sorted(request.options - info.options - LAYOUT_OPTIONS)
    if missing:
        return False, f"the fused {request.cell} has no {', '.join(missing)}"
    return True, f"a fused kernel computes {request.cell} with these options"


def rounding_supports(request: Request) -> tuple[bool, str]:
    """Whether a request can run on the rounded products it asks for, and why (not); says nothing of this machine.

    Args:
        request: what is to be computed.

    Returns:
        The answer and its reason in one sentence.

    Example:
        >>> rounding_supports(Request("mingru", "cpu", torch.float32, 10, 20, 3, 5, precision="bf16"))
        (False, 'bf16 was requested, but mingru has no such products')
    """
    info = KERNELS.get(request.cell)
    if info is None or not info.rounds:
        return False, f"{request.precision} was requested, but {request.cell} has no such products"
    extra = sorted(request.options - LAYOUT_OPTIONS)
    if extra:
        return False, f"{request.precision} was requested, but there are no such products with {', '.join(extra)}"
    return True, f"products of {_FACTORS[request.precision]}, as requested"


_FACTORS = {"bf16": "bfloat16", "int8": "8-bit weights with 16-bit inputs"}


def _expect(name: str, tensor: Tensor | None, shape: tuple[int, ...], axes: str, dtype: torch.dtype) -> None:
    if tensor is None:
        return
    if tensor.shape != shape:
        raise ShapeError(f"{name} has the wrong shape", expected=f"{axes} = {shape}", got=tuple(tensor.shape))
    if tensor.dtype != dtype or tensor.device.type != "cpu":
        raise ShapeError(
            f"{name} has the wrong type", expected=f"{dtype} on the CPU", got=f"{tensor.dtype} on {tensor.device}"
        )


def _fit(inputs: Inputs, gates: int, recurrent: bool) -> bool:
    """Whether the tensors of an ordinary call are right; quick, because every call asks. No further options."""
    x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, *options, lengths = inputs
    if any(option is not None for option in options) or x.dim() != 3 or weight_ih.dim() != 2:
        return False
    (_, batch, size), (rows, width) = x.shape, weight_ih.shape
    hidden = rows // gates
    if width != size or rows != gates * hidden or (weight_hh is None) == recurrent:
        return False
    for tensor in (x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0):
        if tensor is not None and (tensor.dtype is not torch.float32 or not tensor.is_cpu):
            return False
    if weight_hh is not None and weight_hh.shape != (rows, hidden):
        return False
    for bias in (bias_ih, bias_hh):
        if bias is not None and bias.shape != (rows,):
            return False
    for state in (h0, c0):
        if state is not None and state.shape != (batch, hidden):
            return False
    return lengths is None or (lengths.shape == (batch,) and lengths.dtype is torch.int64 and lengths.is_cpu)


def check_inputs(inputs: Inputs, gates: int, recurrent: bool) -> None:
    """Refuse tensors whose shape, precision or device the kernels do not take.

    Args:
        inputs: the tensors of a call.
        gates: G, gates per unit in the weights.
        recurrent: the cell has ``weight_hh``.

    Raises:
        ShapeError: naming the tensor, what was expected and what came.
    """
    if _fit(inputs, gates, recurrent):
        return
    x, weight_ih, weight_hh = inputs.x, inputs.weight_ih, inputs.weight_hh
    if x.dim() != 3 or weight_ih.dim() != 2:
        raise ShapeError("x and weight_ih need the right axes", expected="x (T, B, I), weight_ih (G*H, I)")
    if (weight_hh is None) == recurrent:
        raise ShapeError(f"weight_hh is {'missing' if recurrent else 'given to a cell without recurrent weights'}")
    steps, batch, size = x.shape
    hidden = weight_ih.shape[0] // gates
    rows = gates * hidden
    per_step = (steps, batch, hidden)
    expected: dict[str, tuple[tuple[int, ...], str]] = {
        "x": ((steps, batch, size), "(T, B, I)"),
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
