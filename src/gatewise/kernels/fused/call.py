"""Calls the compiled sequence kernels on the memory of tensors: the Python face of ``native/sequence.h``."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gatewise.errors import KernelError, OptionError, ShapeError
from gatewise.kernels.fused.library import Library, require
from gatewise.kernels.fused.workspace import POOL
from gatewise.kernels.info import KernelInfo
from gatewise.kernels.registry import CELLS

__all__ = [
    "DIFFERENTIABLE",
    "Inputs",
    "Kept",
    "Options",
    "Sequence",
    "address_of",
    "check_status",
    "compiled_function",
    "is_readable",
    "is_recorded",
    "readable",
    "run",
    "saved_values",
]

address_of = ctypes.addressof
"""The address of a :class:`Sequence`, as the compiled functions take it."""


class Options(NamedTuple):
    """What is not a tensor in one call; ``flags`` as :meth:`gatewise.kernels.info.KernelInfo.flags_of` gives them,
    ``rounding`` one of :data:`gatewise.kernels.dispatch.ROUNDINGS`.

    Example:
        >>> Options("gru", reverse=True).gates
        3
    """

    cell: str
    reverse: bool = False
    flags: int = 0
    zoneout_h: float = 0.0
    zoneout_c: float = 0.0
    rounding: int = 0

    @property
    def info(self) -> KernelInfo:
        """What is known about the cell."""
        return CELLS[self.cell]

    @property
    def gates(self) -> int:
        """G, the gates per hidden unit."""
        return CELLS[self.cell].gates_of(self.flags)


class Inputs(NamedTuple):
    """The tensors of one call, in the order of their gradients; None where absent."""

    x: Tensor
    h0: Tensor | None
    c0: Tensor | None
    weight_ih: Tensor
    weight_hh: Tensor | None
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    layer_norm_ih: Tensor | None = None
    layer_norm_hh: Tensor | None = None
    layer_norm_c: Tensor | None = None
    layer_norm_c_bias: Tensor | None = None
    peephole: Tensor | None = None
    recurrent_mask: Tensor | None = None
    zoneout_h_mask: Tensor | None = None
    zoneout_c_mask: Tensor | None = None
    lengths: Tensor | None = None


DIFFERENTIABLE = 12
"""How many of :class:`Inputs`, from the front, can have gradients."""


_INTEGERS = frozenset(
    {
        "steps", "batch", "input_size", "hidden_size", "threads", "training", "reverse", "flags", "rounding",
        "x_step_stride", "x_batch_stride", "grad_output_step_stride", "grad_output_batch_stride", "packed_ready",
    }
)  # fmt: skip
_REALS = frozenset({"zoneout_h", "zoneout_c"})
_ORDER = (
    "steps", "batch", "input_size", "hidden_size", "threads", "training", "reverse", "flags", "rounding",
    "x", "x_step_stride", "x_batch_stride", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "h0", "c0",
    "lengths", "recurrent_mask", "zoneout_h_mask", "zoneout_c_mask", "zoneout_h", "zoneout_c",
    "layer_norm_ih", "layer_norm_hh", "layer_norm_c", "layer_norm_c_bias", "peephole",
    "output", "h_n", "c_n", "cells", "gates", "normalized_x", "normalized_h", "deviations",
    "grad_output", "grad_output_step_stride", "grad_output_batch_stride", "grad_h_n", "grad_c_n",
    "grad_x", "grad_h0", "grad_c0", "grad_weight_ih", "grad_weight_hh", "grad_bias_ih", "grad_bias_hh",
    "grad_layer_norm_ih", "grad_layer_norm_hh", "grad_layer_norm_c", "grad_layer_norm_c_bias", "grad_peephole",
    "packed", "packed_ready",
)  # fmt: skip


def _kind(name: str) -> type:
    return ctypes.c_int64 if name in _INTEGERS else ctypes.c_double if name in _REALS else ctypes.c_void_p


class Sequence(ctypes.Structure):
    """``GatewiseSequence`` of ``native/sequence.h``, field by field.

    Example:
        >>> Sequence(steps=3).steps
        3
    """

    _fields_ = [(name, _kind(name)) for name in _ORDER]


class Kept(NamedTuple):
    """What forward keeps for backward beside its inputs and its output."""

    buffer: Tensor | None
    cells: Tensor | None
    normalized_x: Tensor | None
    normalized_h: Tensor | None
    deviations: Tensor | None

    def lend(self, arguments: Sequence) -> None:
        """Point the kernel to these."""
        arguments.gates, arguments.cells = pointer(self.buffer), pointer(self.cells)
        arguments.normalized_x, arguments.normalized_h = pointer(self.normalized_x), pointer(self.normalized_h)
        arguments.deviations = pointer(self.deviations)

    def give_back(self) -> None:
        """Return what came from the pool."""
        for tensor in (self.buffer, self.cells, self.normalized_x, self.normalized_h):
            if tensor is not None:
                POOL.give_back(tensor)


_tracing: Callable[[], object] = getattr(torch._C, "_get_tracing_state", lambda: None)
_modes: Callable[[], int] = getattr(torch._C, "_len_torch_dispatch_stack", lambda: 0)


def is_recorded() -> bool:
    """Whether something follows which operators of torch run: `torch.jit.trace`, `make_fx` and other dispatch modes.

    What reads and writes memory past them would be missing from what they record.

    Example:
        >>> is_recorded()
        False
    """
    return _tracing() is not None or _modes() > 0


def is_readable(tensor: Tensor) -> bool:
    """Whether a kernel may read a tensor at its address: dense, and its values as they lie there.

    Example:
        >>> is_readable(torch.ones(2)), is_readable(torch.ones(2, 2).t()), is_readable(torch._neg_view(torch.ones(2)))
        (True, False, False)
    """
    return tensor.is_contiguous() and not tensor.is_neg()


def readable(tensor: Tensor) -> Tensor:
    """The same values where a kernel may read them; a view such as ``x.conj().imag`` has its sign beside its values.

    Example:
        >>> is_readable(readable(torch._neg_view(torch.ones(2, 3)).t()))
        True
    """
    return tensor.resolve_neg().contiguous()


FORKED: list[bool] = []
"""Holds something in a forked child."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: FORKED.append(True))


def threads() -> int:
    """How many threads a call may use: torch's setting; one in a forked child, whose worker threads are gone.

    Example:
        >>> threads() >= 1
        True
    """
    return 1 if FORKED else torch.get_num_threads()


_functions: dict[tuple[str, str, str], Callable[[int], int]] = {}


def compiled_function(cell: str, direction: str, library: Library | None = None) -> Callable[[int], int]:
    """A compiled function, from the address of a :class:`Sequence` to a status.

    Args:
        cell: one of :data:`gatewise.kernels.registry.CELLS`.
        direction: ``forward`` or ``backward``.
        library: which variant; default: the chosen one.

    Raises:
        KernelError: there are no compiled kernels.
    """
    library = library or require()
    key = (library.variant, cell, direction)
    function = _functions.get(key)
    if function is None:
        function = library.function(f"gatewise_{cell}_{direction}", ctypes.c_int, ctypes.c_void_p)
        _functions[key] = function
    return function


def run(cell: str, direction: str, arguments: Sequence, library: Library | None = None) -> None:
    """Run one compiled function.

    Args:
        cell: one of :data:`gatewise.kernels.registry.CELLS`.
        direction: ``forward`` or ``backward``.
        arguments: all of it; the tensors behind the pointers must be alive.
        library: which variant; default: the chosen one.

    Raises:
        ShapeError: a length is negative or longer than the batch.
        OptionError: rounded products with options, whole numbers in training, bfloat16 on a CPU without.
        KernelError: the kernel found no memory.
    """
    function = compiled_function(cell, direction, library)
    check_status(cell, function(ctypes.addressof(arguments)), arguments)


def check_status(cell: str, status: int, arguments: Sequence) -> None:
    """Raise what a compiled function's status means, see :func:`run`; 0 passes.

    Example:
        >>> check_status("gru", 0, Sequence())
    """
    if status == 0:
        return
    if status == 1:
        raise ShapeError(
            "a length does not fit the batch", expected=f"0 to {arguments.steps}", fix="check the lengths' unit: steps"
        )
    if status == 3:
        raise OptionError(
            "these rounded products are not for options, int8 not for training, and bf16 needs a CPU that has them",
            fix="rounding=0",
        )
    raise KernelError(f"the {cell} kernel found no memory for its workspace", fix="use a smaller batch")


def saved_values(options: Options) -> int:
    """Values per hidden unit and step that the forward pass keeps for the backward pass in one buffer.

    Example:
        >>> saved_values(Options("gru"))
        4
    """
    return options.info.saved or options.gates


def pointer(tensor: Tensor | None) -> int | None:
    """The address of a tensor's first element, or None."""
    return None if tensor is None else tensor.data_ptr()
