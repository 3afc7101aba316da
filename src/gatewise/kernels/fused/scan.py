"""MinGRU and MinLSTM over a whole sequence, compiled: one pass from pre-activations to states, one pass back.

The gates of these cells see the input only, so all projections are one matrix product beforehand; what is left,
``h_t = a_t * h_{t-1} + b_t``, is read and written once as it lies in memory (``native/scan.h``). The backward pass
computes the gates again instead of storing them: beside its input and output the scan keeps nothing.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from gatewise.errors import ShapeError
from gatewise.kernels.dispatch import Request
from gatewise.kernels.fused.call import threads
from gatewise.kernels.fused.library import Library, require

__all__ = ["mingru", "minlstm", "supports"]

GATES = {"mingru": 2, "minlstm": 3}
"""Gates per hidden unit."""
_INT, _LONG, _POINTER = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p

torch.library.define(
    "gatewise::scan", "(Tensor gates_x, Tensor h0, Tensor? lengths, bool reverse, str cell) -> (Tensor, Tensor)"
)
torch.library.define(
    "gatewise::scan_backward",
    "(Tensor grad_output, Tensor grad_state, Tensor gates_x, Tensor h0, Tensor output, Tensor? lengths, bool reverse, "
    "str cell) -> (Tensor, Tensor)",
)


def supports(request: Request) -> tuple[bool, str]:
    """Whether the compiled scans compute this request, and the reason.

    Example:
        >>> supports(Request("mingru", "cpu", torch.float64, 4, 4, 1, 1))
        (False, 'the compiled mingru scan is for float32 on the CPU')
    """
    if request.cell not in GATES:
        return False, f"{request.cell} is no scan cell"
    if request.device != "cpu" or request.dtype != torch.float32:
        return False, f"the compiled {request.cell} scan is for float32 on the CPU"
    missing = sorted(request.options - {"lengths", "reverse"})
    if missing:
        return False, f"the compiled {request.cell} scan has no {', '.join(missing)}"
    return True, f"one compiled pass over the sequence computes {request.cell}"


def mingru(
    gates_x: Tensor, h0: Tensor, *, lengths: Tensor | None = None, reverse: bool = False
) -> tuple[Tensor, Tensor]:
    """Minimal GRU: ``z = sigmoid(z_x); n = g(n_x); h_t = (1 - z) * h_{t-1} + z * n``.

    ``g(a) = a + 0.5`` for a >= 0, else ``sigmoid(a)``. Source: Feng et al. 2024, "Were RNNs All We Needed?",
    arXiv:2410.01201. Same meaning as :func:`gatewise.kernels.mingru.reference.step` repeated.

    Args:
        gates_x: ``(T, B, 2*H)`` float32 on the CPU, ``W_ih x + b_ih``, gate order in memory update, candidate.
        h0: ``(B, H)``.
        lengths: ``(B,)`` int64 on the CPU, 0 to T, or None for whole rows.
        reverse: each row runs from its own last step to its first.

    Returns:
        Output ``(T, B, H)``, zero past a row's end, and the last states ``(B, H)``.

    Raises:
        ShapeError: a tensor of another shape, precision or device, or a length outside 0 to T.
        KernelError: no compiled library is there.

    Example:
        >>> from gatewise.kernels.fused.library import load
        >>> if load()[0] is not None:
        ...     output, last = mingru(torch.zeros(2, 1, 2), torch.ones(1, 1))
        ...     assert output.flatten().tolist() == [0.75, 0.625]
    """
    output, last = torch.ops.gatewise.scan(gates_x, h0, lengths, reverse, "mingru")
    return output, last


def minlstm(
    gates_x: Tensor, h0: Tensor, *, lengths: Tensor | None = None, reverse: bool = False
) -> tuple[Tensor, Tensor]:
    """Minimal LSTM: ``f' = f / (f + i); i' = i / (f + i); h_t = f' * h_{t-1} + i' * g(n_x)``.

    ``f = sigmoid(f_x)``, ``i = sigmoid(i_x)``; computed without 0 / 0 where both gates are shut. Source: Feng et al.
    2024, arXiv:2410.01201. Same meaning as :func:`gatewise.kernels.minlstm.reference.step` repeated.

    Args:
        gates_x: ``(T, B, 3*H)`` float32 on the CPU, ``W_ih x + b_ih``, gate order in memory forget, input, candidate.
        h0: ``(B, H)``.
        lengths: ``(B,)`` int64 on the CPU, 0 to T, or None for whole rows.
        reverse: each row runs from its own last step to its first.

    Returns:
        Output ``(T, B, H)``, zero past a row's end, and the last states ``(B, H)``.

    Raises:
        ShapeError: a tensor of another shape, precision or device, or a length outside 0 to T.
        KernelError: no compiled library is there.

    Example:
        >>> from gatewise.kernels.fused.library import load
        >>> if load()[0] is not None:
        ...     output, last = minlstm(torch.zeros(2, 1, 3), torch.ones(1, 1))
        ...     assert output.flatten().tolist() == [0.75, 0.625]
    """
    output, last = torch.ops.gatewise.scan(gates_x, h0, lengths, reverse, "minlstm")
    return output, last


def _pointer(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _sizes(gates_x: Tensor, h0: Tensor, reverse: bool) -> tuple[int, int, int, int, int]:
    return threads(), int(reverse), gates_x.shape[0], gates_x.shape[1], h0.shape[1]


def _check(gates_x: Tensor, h0: Tensor, lengths: Tensor | None, cell: str) -> None:
    """Keep a wrong tensor from reaching a raw pointer."""
    if gates_x.dim() != 3 or h0.dim() != 2 or gates_x.shape[1:] != (h0.shape[0], GATES[cell] * h0.shape[1]):
        raise ShapeError(
            f"{cell}: gates_x and h0 do not fit each other",
            expected=f"(T, B, {GATES[cell]}*H) and (B, H)",
            got=f"{tuple(gates_x.shape)} and {tuple(h0.shape)}",
        )
    if gates_x.dtype != torch.float32 or h0.dtype != torch.float32:
        raise ShapeError(f"{cell}: the compiled scan is for float32", got=f"{gates_x.dtype} and {h0.dtype}")
    if lengths is not None and (lengths.shape != h0.shape[:1] or lengths.dtype != torch.int64):
        raise ShapeError(
            f"{cell}: lengths must be one int64 per row",
            expected=f"({h0.shape[0]},)",
            got=f"{tuple(lengths.shape)} {lengths.dtype}",
        )


def _functions(library: Library, cell: str) -> tuple[ctypes._NamedFuncPointer, ctypes._NamedFuncPointer]:
    sizes = (_INT, _INT, _LONG, _LONG, _LONG)
    forward = library.function(f"gatewise_{cell}_forward", _INT, *sizes, *[_POINTER] * 4)
    backward = library.function(f"gatewise_{cell}_backward", None, *sizes, *[_POINTER] * 7)
    return forward, backward


_LOADED: dict[tuple[str, str], tuple[ctypes._NamedFuncPointer, ctypes._NamedFuncPointer]] = {}


def _loaded(cell: str) -> tuple[ctypes._NamedFuncPointer, ctypes._NamedFuncPointer]:
    library = require()
    key = (str(library.path), cell)
    if key not in _LOADED:
        _LOADED[key] = _functions(library, cell)
    return _LOADED[key]


@torch.library.impl("gatewise::scan", "CPU")  # type: ignore[untyped-decorator]
def _scan(gates_x: Tensor, h0: Tensor, lengths: Tensor | None, reverse: bool, cell: str) -> tuple[Tensor, Tensor]:
    _check(gates_x, h0, lengths, cell)
    gates_x, last = gates_x.contiguous(), h0.clone(memory_format=torch.contiguous_format)
    lengths = None if lengths is None else lengths.contiguous()
    output = gates_x.new_empty(gates_x.shape[0], *h0.shape)
    forward, _ = _loaded(cell)
    sizes = _sizes(gates_x, h0, reverse)
    if forward(*sizes, gates_x.data_ptr(), _pointer(lengths), last.data_ptr(), output.data_ptr()):
        raise ShapeError(f"{cell}: a length does not fit the batch", expected=f"0 to {gates_x.shape[0]}")
    return output, last


@torch.library.impl("gatewise::scan_backward", "CPU")  # type: ignore[untyped-decorator]
def _scan_backward(
    grad_output: Tensor,
    grad_state: Tensor,
    gates_x: Tensor,
    h0: Tensor,
    output: Tensor,
    lengths: Tensor | None,
    reverse: bool,
    cell: str,
) -> tuple[Tensor, Tensor]:
    gates_x, h0, grad_output = gates_x.contiguous(), h0.contiguous(), grad_output.contiguous()
    lengths = None if lengths is None else lengths.contiguous()
    grad_h0 = grad_state.clone(memory_format=torch.contiguous_format)
    grad_gates = torch.empty_like(gates_x)
    _, backward = _loaded(cell)
    backward(
        *_sizes(gates_x, h0, reverse),
        gates_x.data_ptr(),
        _pointer(lengths),
        h0.data_ptr(),
        output.data_ptr(),
        grad_output.data_ptr(),
        grad_h0.data_ptr(),
        grad_gates.data_ptr(),
    )
    return grad_gates, grad_h0


@torch.library.register_fake("gatewise::scan")  # type: ignore[untyped-decorator]
def _fake_scan(gates_x: Tensor, h0: Tensor, lengths: Tensor | None, reverse: bool, cell: str) -> tuple[Tensor, Tensor]:
    return gates_x.new_empty(gates_x.shape[0], *h0.shape), torch.empty_like(h0, memory_format=torch.contiguous_format)


@torch.library.register_fake("gatewise::scan_backward")  # type: ignore[untyped-decorator]
def _fake_scan_backward(
    grad_output: Tensor,
    grad_state: Tensor,
    gates_x: Tensor,
    h0: Tensor,
    output: Tensor,
    lengths: Tensor | None,
    reverse: bool,
    cell: str,
) -> tuple[Tensor, Tensor]:
    contiguous = torch.contiguous_format
    return torch.empty_like(gates_x, memory_format=contiguous), torch.empty_like(h0, memory_format=contiguous)


def _save(ctx: torch.autograd.function.FunctionCtx, inputs: tuple, output: tuple[Tensor, Tensor]) -> None:  # type: ignore[type-arg]
    gates_x, h0, lengths, ctx.reverse, ctx.cell = inputs  # type: ignore[attr-defined]
    ctx.save_for_backward(gates_x, h0, output[0], lengths)


def _gradient(ctx, grad_output: Tensor, grad_state: Tensor):  # type: ignore[no-untyped-def]
    gates_x, h0, output, lengths = ctx.saved_tensors
    grad_gates, grad_h0 = torch.ops.gatewise.scan_backward(
        grad_output, grad_state, gates_x, h0, output, lengths, ctx.reverse, ctx.cell
    )
    return grad_gates, grad_h0, None, None, None


def _refuse(ctx, *gradients: Tensor):  # type: ignore[no-untyped-def]
    raise RuntimeError(
        "the compiled MinGRU and MinLSTM have no second derivative; "
        "compute it with GATEWISE_KERNEL=reference or gatewise.kernels.dispatch.force('reference')"
    )


torch.library.register_autograd("gatewise::scan", _gradient, setup_context=_save)
torch.library.register_autograd("gatewise::scan_backward", _refuse)
