"""An ordinary call without gradients on the compiled kernels, prepared when it is repeated.

One step of a small network lasts a few microseconds; choosing what to run and checking every weight at every call
would take ten times as long. So a layer remembers, for the last shape of x, the kernels' arguments with the addresses
of the weights. Every call compares: another shape, a weight that was replaced, another mode of torch, and it goes the
long way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gatewise.kernels.dispatch import CANDIDATES, Choice, forced_kernel, requested_precision
from gatewise.kernels.fused.call import Options, Sequence, address_of, check_status, compiled_function, threads
from gatewise.kernels.registry import KERNELS

if TYPE_CHECKING:
    from gatewise.nn.recurrent import Recurrent

__all__ = ["Prepared", "prepare"]

_OPTIONS = (
    "batch_first",
    "bidirectional",
    "dropout",
    "layer_norm",
    "learned_initial_state",
    "recurrent_dropout",
    "residual",
    "weight_dropout",
    "zoneout",
)
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _plain(value: object, shape: torch.Size) -> bool:
    """Whether a kernel may read this tensor as it lies."""
    return (
        isinstance(value, Tensor)
        and value.shape == shape
        and value.dtype is torch.float32
        and value.is_cpu
        and value.is_contiguous()
    )


def _nothing() -> None:
    """What a copied or pickled `Prepared` becomes: the copy's weights lie elsewhere."""


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer's C function and its arguments, all but the addresses of what changes from call to call."""

    cell: str
    function: Callable[[int], int]
    arguments: Sequence
    weights: tuple[tuple[str, Tensor, int, torch.Size], ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What repeats a call of one direction without options and without gradients, for one shape of x.

    Attributes:
        shape: of x.
        state_shape: of each state, ``(L, B, H)``, unbatched ``(L, H)``.
        state_bytes: of one layer's state.
        choices: of the layer's last call; another object means that it ran otherwise since.
        candidates: `gatewise.kernels.dispatch.CANDIDATES` as they were.
        layers: from the input to the output.
        output_shape: as the kernels write it, ``(T, B, H)``, unbatched ``(T, H)``.
        batch_first: the output is transposed.
        states: 1, or 2 for (hidden, cell).
        training: the layer's mode.
        options: the layer's, which may be set at any time.
    """

    shape: torch.Size
    state_shape: torch.Size
    state_bytes: int
    choices: tuple[tuple[str, Choice], ...]
    candidates: tuple[object, ...]
    layers: tuple[_Layer, ...]
    output_shape: tuple[int, ...]
    batch_first: bool
    states: int
    training: bool
    options: tuple[object, ...]

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return _nothing, ()

    def __call__(self, layer: Recurrent, x: object, hx: Any) -> tuple[Tensor, Any] | None:
        """Output and final state, the same bits as the long way gives; None where that has to be taken.

        Args:
            layer: whose call it is.
            x: as in ``forward``.
            hx: as in ``forward``.
        """
        if (
            type(x) is not Tensor
            or torch.is_grad_enabled()
            or not _plain(x, self.shape)
            or layer._choices is not self.choices
            or layer.training is not self.training
            or _options(layer) != self.options
            or torch.is_autocast_enabled("cpu")
            or torch._C._are_functorch_transforms_active()
            or forced_kernel() is not None
            or requested_precision() != "float32"
            or tuple(CANDIDATES) != self.candidates
            or not self._has_weights(layer._parameters)
        ):
            return None
        initial: list[int | None] = [None, None]
        if hx is not None:
            parts = hx if self.states == 2 else (hx,)
            if type(parts) is not tuple or len(parts) != self.states:
                return None
            for number, part in enumerate(parts):
                if type(part) is not Tensor or not _plain(part, self.state_shape):
                    return None
                initial[number] = part.data_ptr()
        return self._run(x, *initial)

    def _has_weights(self, parameters: Mapping[str, Tensor | None]) -> bool:
        for layer in self.layers:
            for name, weight, address, shape in layer.weights:
                if parameters.get(name) is not weight or weight.data_ptr() != address or not _plain(weight, shape):
                    return False
        return True

    def _run(self, x: Tensor, h0: int | None, c0: int | None) -> tuple[Tensor, Any]:
        h_n = x.new_empty(self.state_shape)
        c_n = x.new_empty(self.state_shape) if self.states == 2 else None
        for number, layer in enumerate(self.layers):
            arguments = Sequence.from_buffer_copy(layer.arguments)
            output = x.new_empty(self.output_shape)
            skipped = number * self.state_bytes
            arguments.threads = threads()
            arguments.x, arguments.output = x.data_ptr(), output.data_ptr()
            arguments.h_n = h_n.data_ptr() + skipped
            if h0 is not None:
                arguments.h0 = h0 + skipped
            if c_n is not None:
                arguments.c_n = c_n.data_ptr() + skipped
                if c0 is not None:
                    arguments.c0 = c0 + skipped
            check_status(layer.cell, layer.function(address_of(arguments)), arguments)
            x = output
        return (x.transpose(0, 1) if self.batch_first else x), (h_n if c_n is None else (h_n, c_n))


def _options(layer: Recurrent) -> tuple[object, ...]:
    own = layer.__dict__
    return tuple([own[name] for name in _OPTIONS])


def prepare(layer: Recurrent, x: Tensor) -> Prepared | None:
    """What repeats the call that the layer has just made without lengths; None where it cannot be repeated so.

    Args:
        layer: after the call.
        x: what it read.
    """
    options = (layer.layer_norm, any(layer.zoneout), layer.learned_initial_state, layer.bidirectional, layer.residual)
    masks = layer.training and (layer.dropout > 0 or layer.recurrent_dropout > 0 or layer.weight_dropout > 0)
    choices = layer._choices
    kernels = {choice.implementation for _, choice in choices}
    if any(options) or masks or not layer._uniform or not layer.widths[0] or x.numel() == 0 or len(kernels) != 1:
        return None
    if choices[0][1].family != "fused" or choices[0][1].implementation.endswith("-bf16") or forced_kernel() is not None:
        return None
    batched = x.dim() == 3
    transposed = batched and layer.batch_first
    steps, batch = (x.shape[1], x.shape[0]) if transposed else (x.shape[0], x.shape[1] if batched else 1)
    hidden, size = layer.widths[0], layer.input_size
    layers = []
    for number, (place, suffix) in enumerate(layer._places):
        width = size if number == 0 else hidden
        strides = (width, steps * width) if transposed and number == 0 else (batch * width, width)
        each = _prepare_layer(layer, place, suffix, (steps, batch, width, hidden), strides)
        if each is None:
            return None
        layers.append(each)
    middle = (batch, hidden) if batched else (hidden,)
    return Prepared(
        shape=x.shape,
        state_shape=torch.Size((len(layers), *middle)),
        state_bytes=4 * batch * hidden,
        choices=choices,
        candidates=tuple(CANDIDATES),
        layers=tuple(layers),
        output_shape=(steps, *middle),
        batch_first=transposed,
        states=len(layer._cells[0].states),
        training=layer.training,
        options=_options(layer),
    )


def _prepare_layer(
    layer: Recurrent, place: int, suffix: str, sizes: tuple[int, int, int, int], strides: tuple[int, int]
) -> _Layer | None:
    cell = layer._cells[place]
    info = KERNELS[cell.kernel_name]
    flags = info.flags_of(cell.kernel_name, cell.kernel_options())
    weights = []
    steps, batch, width, hidden = sizes
    arguments = Sequence(steps, batch, width, hidden, 1, False, False, flags, False)
    arguments.x_step_stride, arguments.x_batch_stride = strides
    for short, full in layer._full_names[suffix]:
        weight = layer._parameters.get(full)
        if short not in _WEIGHTS or weight is None or not _plain(weight, weight.shape):
            return None
        setattr(arguments, short, weight.data_ptr())
        weights.append((full, weight, weight.data_ptr(), weight.shape))
    if cell.state_sizes()[0] != hidden or Options(info.cell, flags=flags).gates * hidden != weights[0][1].shape[0]:
        return None
    return _Layer(info.cell, compiled_function(info.cell, "forward"), arguments, tuple(weights))
