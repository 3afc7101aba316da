"""One time step at a time, compiled: a stack of layers that keeps its state and allocates nothing per step.

Made for streams: samples arrive one by one, and each answer is wanted within microseconds. The weights are copied and
packed once; training the layers afterwards does not change a session.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import KernelError, ShapeError
from gatewise.kernels.fused.call import is_readable, readable
from gatewise.kernels.fused.library import Library, require
from gatewise.kernels.registry import KERNELS

__all__ = ["FusedSession", "SessionLayer", "supports_session"]

_INT, _LONG, _POINTER = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


@dataclass(frozen=True)
class SessionLayer:
    """What a session needs to know of one layer, in one direction.

    Attributes:
        cell: one of :data:`gatewise.kernels.registry.KERNELS`.
        weight_ih: ``(G*H, I)``, gate order as in the cell's reference.
        weight_hh: ``(G*H, H)``; None where the gates see the input only.
        bias_ih: ``(G*H,)`` or None.
        bias_hh: ``(G*H,)`` or None.
        options: the cell's own, as in a :class:`gatewise.kernels.dispatch.Request`.
    """

    cell: str
    weight_ih: Tensor
    weight_hh: Tensor | None = None
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    options: frozenset[str] = frozenset()


def supports_session(layers: Sequence[SessionLayer]) -> tuple[bool, str]:
    """Whether compiled steps exist for these layers, and the reason.

    Example:
        >>> supports_session([SessionLayer("lstm", torch.zeros(4, 1), options=frozenset({"peephole"}))])
        (False, 'no compiled step for lstm with peephole')
    """
    for layer in layers:
        info = KERNELS.get(layer.cell)
        if info is None or layer.options - info.step_options:
            options = f" with {', '.join(sorted(layer.options))}" if layer.options else ""
            return False, f"no compiled step for {layer.cell}{options}"
        if layer.weight_ih.dtype != torch.float32 or layer.weight_ih.device.type != "cpu":
            return False, "compiled steps are for float32 on the CPU"
    return True, "every layer has a compiled step"


class FusedSession:
    """Steps through time with the state inside; call it with one time step of input.

    Args:
        layers: bottom layer first; each one's width is the next one's input.
        batch: B, independent streams side by side.

    Raises:
        KernelError: no compiled library, or no compiled step for a layer's options.
        ShapeError: a weight's shape does not fit its place.

    Example:
        >>> from gatewise.kernels.fused.library import load
        >>> if load()[0] is not None:
        ...     session = FusedSession([SessionLayer("mingru", torch.zeros(4, 3))])
        ...     first, second = session(torch.zeros(1, 3)), session(torch.zeros(1, 3))
        ...     assert first.tolist() == [[0.25, 0.25]] and second.tolist() == [[0.375, 0.375]]
    """

    def __init__(self, layers: Sequence[SessionLayer], batch: int = 1) -> None:
        if not layers or batch < 1:
            raise ShapeError("a session needs at least one layer and one stream", got=f"{len(layers)}, {batch}")
        library = require()
        supported, reason = supports_session(layers)
        if not supported:
            raise KernelError(reason, fix="step the layer itself: layer.step(x, state)")
        self.implementation = library.implementation
        self.batch = batch
        self.input_size = layers[0].weight_ih.shape[1]
        infos = [KERNELS[layer.cell] for layer in layers]
        self._states = tuple(info.states for info in infos)
        self._sizes = tuple(layer.weight_ih.shape[0] // info.gates for layer, info in zip(layers, infos, strict=True))
        self._shape, self._output_shape = (batch, self.input_size), (batch, self._sizes[-1])
        delete = library.function("gatewise_session_delete", None, _POINTER)
        self._step = library.function("gatewise_session_step", None, _POINTER, _POINTER, _POINTER)
        self._copy = library.function("gatewise_session_state", None, _POINTER, _INT, _INT, _INT, _POINTER)
        self._handle = library.function("gatewise_session_new", _POINTER, _LONG)(batch)
        if not self._handle:
            raise MemoryError("no memory for a session")
        weakref.finalize(self, delete, self._handle)
        width = self.input_size
        for layer, size in zip(layers, self._sizes, strict=True):
            self._add(library, layer, width, size)
            width = size

    def _add(self, library: Library, layer: SessionLayer, width: int, size: int) -> None:
        info = KERNELS[layer.cell]
        rows = info.gates * size
        expected = {
            "weight_ih": (rows, width),
            "weight_hh": (rows, size) if info.recurrent else None,
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        kept = {}
        for name, shape in expected.items():
            value = getattr(layer, name)
            if value is None and name.startswith("bias"):
                continue
            if (None if value is None else tuple(value.shape)) != shape:
                got = None if value is None else tuple(value.shape)
                raise ShapeError(f"{name} of a session's {layer.cell} layer has another shape", expected=shape, got=got)
            if value is not None:
                kept[name] = readable(value.detach())
        pointers = [kept[name].data_ptr() if name in kept else None for name in expected]
        flags = info.flags_of(layer.cell, layer.options)
        cell = library.function(f"gatewise_{info.cell}_session", _POINTER, _LONG)(flags)
        add = library.function("gatewise_session_add", _INT, _POINTER, _POINTER, *[_LONG] * 3, *[_POINTER] * 4)
        if add(self._handle, cell, flags, width, size, *pointers):
            raise MemoryError("no memory for a session's weights")

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]: ...
    def __call__(self, x: Tensor | np.ndarray[Any, Any]) -> Tensor | np.ndarray[Any, Any]:
        """One time step.

        Args:
            x: ``(B, I)`` float32, a tensor or an array; for B = 1 also ``(I,)``.

        Returns:
            The top layer's hidden state ``(B, H)`` (or ``(H,)``), of the same kind as x, newly made.

        Raises:
            ShapeError: another shape or precision.
        """
        if isinstance(x, np.ndarray):
            return self._step_array(x)
        if x.dtype is not torch.float32 or not x.is_cpu:
            raise ShapeError("a session steps on float32 on the CPU", got=f"{x.dtype} on {x.device}")
        shape = x.shape
        flat = shape != self._shape
        if flat and (self.batch != 1 or shape != (self.input_size,)):
            raise ShapeError("a session's input has another shape", expected=self._shape, got=tuple(shape))
        if not is_readable(x):
            x = readable(x)
        output = x.new_empty(*self._output_shape)
        self._step(self._handle, x.data_ptr(), output.data_ptr())
        return output[0] if flat else output

    def _step_array(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        flat = self.batch == 1 and x.shape == (self.input_size,)
        if x.dtype != np.float32:
            raise ShapeError("a session steps on float32", got=str(x.dtype), fix="x.astype(numpy.float32)")
        if x.shape != self._shape and not flat:
            raise ShapeError("a session's input has another shape", expected=self._shape, got=x.shape)
        if not x.flags.c_contiguous:
            x = np.ascontiguousarray(x)
        output: np.ndarray[Any, Any] = np.empty(self._output_shape, np.float32)
        self._step(self._handle, x.ctypes.data, output.ctypes.data)
        return output[0] if flat else output

    def _state_tensors(self) -> list[tuple[Tensor, ...]]:
        return [
            tuple(torch.zeros(self.batch, size, dtype=torch.float32, device="cpu") for _ in range(states))
            for states, size in zip(self._states, self._sizes, strict=True)
        ]

    def state(self) -> list[tuple[Tensor, ...]]:
        """A copy of every layer's state: ``(h,)`` or ``(h, c)``, each ``(B, H)``; fit for :meth:`reset`."""
        copies = self._state_tensors()
        for index, states in enumerate(copies):
            for which, tensor in enumerate(states):
                self._copy(self._handle, index, which, 0, tensor.data_ptr())
        return copies

    def reset(self, state: Sequence[Sequence[Tensor]] | None = None) -> None:
        """Go back to the start, or to a state.

        Args:
            state: as :meth:`state` gives it; None: zeros.

        Raises:
            ShapeError: it is not of this session's layers.
        """
        expected = self._state_tensors()
        given = expected if state is None else state
        want, got = ([[tuple(t.shape) for t in states] for states in each] for each in (expected, given))
        if want != got:
            raise ShapeError("this state is not one of this session", expected=want, got=got)
        for index, states in enumerate(given):
            for which, tensor in enumerate(states):
                values = readable(tensor.detach().to(torch.float32))
                self._copy(self._handle, index, which, 1, values.data_ptr())
