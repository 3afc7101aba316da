"""MinGRU and MinLSTM layers, compiled: input product and scan in one pass, and all gradients in one call.

The pre-activations never travel through memory in inference. In training they are kept for the way back where they are
few; for long sequences they are computed again, which beats fresh memory (``native/scan_layer.h``).
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from gatewise.errors import KernelError, ShapeError
from gatewise.kernels.fused.call import pointer, threads
from gatewise.kernels.fused.library import require
from gatewise.kernels.fused.scan import GATES

__all__ = ["scan_layer"]

_INT, _LONG, _POINTER = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p
_HEAD = (_INT, _INT, _LONG, _LONG, _LONG, _LONG, _POINTER, _LONG, _LONG)

KEPT_VALUES = 4 << 20
"""Pre-activations up to this many (16 MB) are kept for the way back."""

torch.library.define(
    "gatewise::scan_layer",
    "(Tensor x, Tensor weight, Tensor? bias, Tensor h0, Tensor? lengths, bool reverse, str cell, bool keep)"
    " -> (Tensor, Tensor, Tensor)",
)
torch.library.define(
    "gatewise::scan_layer_backward",
    "(Tensor? grad_output, Tensor? grad_state, Tensor x, Tensor weight, Tensor? bias, Tensor gates, Tensor h0,"
    " Tensor output, Tensor? lengths, bool reverse, str cell, bool with_x) -> (Tensor, Tensor, Tensor, Tensor)",
)


def scan_layer(
    cell: str,
    x: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    h0: Tensor,
    *,
    lengths: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """One direction of a MinGRU or MinLSTM layer over a whole batch, differentiably.

    Same meaning as the cell's reference step repeated; equations in ``kernels/<cell>/README.md``.

    Args:
        cell: ``mingru`` (gates update, candidate: G = 2) or ``minlstm`` (forget, input, candidate: G = 3).
        x: ``(T, B, I)`` float32 on the CPU; any strides of its first two axes.
        weight_ih: ``(G*H, I)``.
        bias_ih: ``(G*H,)`` or None.
        h0: ``(B, H)``.
        lengths: ``(B,)`` int64, 0 to T, or None for whole rows.
        reverse: each row runs from its own last step to its first.

    Returns:
        Output ``(T, B, H)``, zero past a row's end, and the last states ``(B, H)``.

    Raises:
        ShapeError: a tensor of another shape or precision, or a length outside 0 to T.
        KernelError: no compiled library is there, or memory is short.

    Example:
        >>> from gatewise.kernels.fused.library import load
        >>> if load()[0] is not None:
        ...     output, last = scan_layer("mingru", torch.ones(2, 1, 3), torch.zeros(2, 3), None, torch.ones(1, 1))
        ...     assert output.flatten().tolist() == [0.75, 0.625]
    """
    tensors = (x, weight_ih, bias_ih, h0)
    wanted = torch.is_grad_enabled() and any(each is not None and each.requires_grad for each in tensors)
    keep = wanted and x.shape[0] * x.shape[1] * weight_ih.shape[0] <= KEPT_VALUES
    output, last, _ = torch.ops.gatewise.scan_layer(x, weight_ih, bias_ih, h0, lengths, reverse, cell, keep)
    return output, last


def _check(x: Tensor, weight: Tensor, bias: Tensor | None, h0: Tensor, lengths: Tensor | None, cell: str) -> None:
    """Keep a wrong tensor from reaching a raw pointer."""
    if x.dim() != 3 or h0.dim() != 2:
        raise ShapeError(f"{cell}: x and h0 need their axes", expected="(T, B, I) and (B, H)")
    rows = GATES[cell] * h0.shape[1]
    expected: dict[str, tuple[Tensor | None, tuple[int, ...], torch.dtype]] = {
        "weight_ih": (weight, (rows, x.shape[2]), torch.float32),
        "bias_ih": (bias, (rows,), torch.float32),
        "h0": (h0, (x.shape[1], h0.shape[1]), torch.float32),
        "lengths": (lengths, (x.shape[1],), torch.int64),
        "x": (x, tuple(x.shape), torch.float32),
    }
    for name, (tensor, shape, dtype) in expected.items():
        if tensor is not None and (tuple(tensor.shape) != shape or tensor.dtype != dtype):
            raise ShapeError(
                f"{cell}: {name} does not fit", expected=f"{shape} {dtype}", got=f"{tuple(tensor.shape)} {tensor.dtype}"
            )


_functions: dict[tuple[str, str], tuple[Any, Any]] = {}


def _loaded(cell: str) -> tuple[Any, Any]:
    library = require()
    key = (library.variant, cell)
    if key not in _functions:
        _functions[key] = (
            library.function(f"gatewise_{cell}_layer_forward", _INT, *_HEAD, *[_POINTER] * 6),
            library.function(f"gatewise_{cell}_layer_backward", _INT, *_HEAD, *[_POINTER] * 11),
        )
    return _functions[key]


def _head(x: Tensor, h0: Tensor, reverse: bool) -> tuple[int, ...]:
    sizes = (x.shape[0], x.shape[1], x.shape[2], h0.shape[1])
    return (threads(), int(reverse), *sizes, x.data_ptr(), x.stride(0), x.stride(1))


def _dense(x: Tensor) -> Tensor:
    return x if x.stride(2) == 1 or x.shape[2] == 1 else x.contiguous()


def _raise(status: int, cell: str, steps: int) -> None:
    if status == 1:
        raise ShapeError(f"{cell}: a length does not fit the batch", expected=f"0 to {steps}")
    if status:
        raise KernelError(f"the {cell} kernel found no memory for its workspace", fix="use a smaller batch")


@torch.library.impl("gatewise::scan_layer", "CPU")  # type: ignore[untyped-decorator]
def _forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    h0: Tensor,
    lengths: Tensor | None,
    reverse: bool,
    cell: str,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    _check(x, weight, bias, h0, lengths, cell)
    x, weight, last = _dense(x), weight.contiguous(), h0.clone(memory_format=torch.contiguous_format)
    bias, lengths = (None if each is None else each.contiguous() for each in (bias, lengths))
    steps, batch = x.shape[:2]
    output = x.new_empty(steps, batch, h0.shape[1])
    gates = x.new_empty(steps, batch, weight.shape[0]) if keep else x.new_empty(0)
    forward, _ = _loaded(cell)
    places = (weight, bias, lengths, last, output, gates if keep else None)
    _raise(forward(*_head(x, h0, reverse), *map(pointer, places)), cell, steps)
    return output, last, gates


@torch.library.impl("gatewise::scan_layer_backward", "CPU")  # type: ignore[untyped-decorator]
def _backward(
    grad_output: Tensor | None,
    grad_state: Tensor | None,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gates: Tensor,
    h0: Tensor,
    output: Tensor,
    lengths: Tensor | None,
    reverse: bool,
    cell: str,
    with_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x, weight, h0 = _dense(x), weight.contiguous(), h0.contiguous()
    bias, lengths = (None if each is None else each.contiguous() for each in (bias, lengths))
    grad_output = None if grad_output is None else grad_output.contiguous()
    if grad_state is None:
        grad_h0 = torch.zeros(h0.shape)
    else:
        grad_h0 = grad_state.clone(memory_format=torch.contiguous_format)
    grad_x = torch.empty(x.shape if with_x else (0,))
    grad_weight, grad_bias = torch.empty(weight.shape), torch.empty(weight.shape[0])
    _, backward = _loaded(cell)
    kept = gates if gates.numel() else None
    places = (weight, bias, lengths, kept, h0, output, grad_output, grad_h0, grad_x if with_x else None)
    status = backward(*_head(x, h0, reverse), *map(pointer, (*places, grad_weight, grad_bias)))
    _raise(status, cell, x.shape[0])
    return grad_x, grad_weight, grad_bias, grad_h0


@torch.library.register_fake("gatewise::scan_layer")  # type: ignore[untyped-decorator]
def _fake_forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    h0: Tensor,
    lengths: Tensor | None,
    reverse: bool,
    cell: str,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    steps, batch = x.shape[:2]
    gates = x.new_empty(steps, batch, weight.shape[0]) if keep else x.new_empty(0)
    return x.new_empty(steps, batch, h0.shape[1]), x.new_empty(h0.shape), gates


@torch.library.register_fake("gatewise::scan_layer_backward")  # type: ignore[untyped-decorator]
def _fake_backward(
    grad_output: Tensor | None,
    grad_state: Tensor | None,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gates: Tensor,
    h0: Tensor,
    output: Tensor,
    lengths: Tensor | None,
    reverse: bool,
    cell: str,
    with_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grad_x = x.new_empty(x.shape) if with_x else x.new_empty(0)
    return grad_x, x.new_empty(weight.shape), x.new_empty(weight.shape[0]), x.new_empty(h0.shape)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    x, weight, bias, h0, lengths, ctx.reverse, ctx.cell, _ = inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, weight, bias, h0, lengths, output[0], output[2])


def _gradient(ctx: Any, grad_output: Tensor | None, grad_state: Tensor | None, _: Tensor | None) -> Any:
    x, weight, bias, h0, lengths, output, gates = ctx.saved_tensors
    wanted = ctx.needs_input_grad
    grad_x, grad_weight, grad_bias, grad_h0 = torch.ops.gatewise.scan_layer_backward(
        grad_output, grad_state, x, weight, bias, gates, h0, output, lengths, ctx.reverse, ctx.cell, wanted[0]
    )
    return (
        grad_x if wanted[0] else None,
        grad_weight if wanted[1] else None,
        grad_bias if wanted[2] else None,
        grad_h0 if wanted[3] else None,
        None,
        None,
        None,
        None,
    )


def _refuse(ctx: Any, *gradients: Tensor) -> Any:
    raise RuntimeError(
        "the compiled MinGRU and MinLSTM have no second derivative; "
        "compute it with GATEWISE_KERNEL=reference or gatewise.kernels.dispatch.force('reference')"
    )


torch.library.register_autograd("gatewise::scan_layer", _gradient, setup_context=_save)
torch.library.register_autograd("gatewise::scan_layer_backward", _refuse)
