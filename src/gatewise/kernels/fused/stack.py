"""A stack of plain layers on the compiled kernels, run and differentiated as one: a single node of autograd's graph.

The arguments that no call changes are kept in a :class:`Stack`; a call copies them and adds sizes and addresses. So a
call of one step costs some microseconds beside the kernels, whatever the stack's depth. Options that need more than
that (:mod:`gatewise.kernels.fused.eager` has them) are not for a stack.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatewise.kernels.fused.call import (
    Options,
    Sequence,
    address_of,
    check_status,
    compiled_function,
    is_readable,
    readable,
    saved_values,
    threads,
)
from gatewise.kernels.fused.eager import KEPT_VALUES, REFUSAL
from gatewise.kernels.fused.workspace import POOL
from gatewise.kernels.once import once

__all__ = ["Place", "Stack", "StackFunction", "differentiate", "laid_out", "make_place", "make_stack", "time_major"]

_Kept = tuple[Tensor | None, Tensor | None]
"""What one place keeps for its backward pass: the activated gates and the cell states."""


class Place(NamedTuple):
    """One direction of one layer: its C functions, the arguments that no call changes, its weights' fields."""

    cell: str
    forward: Callable[[int], int]
    backward: Callable[[int], int]
    arguments: Sequence
    weights: tuple[str, ...]
    gradients: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Stack:
    """Layers of one cell and width, without options; :func:`make_stack` makes one.

    Attributes:
        places: layer by layer, forward before backward.
        starts: where each place's weights start among all weights; and their number.
        directions: D.
        hidden: H.
        states: 1, or 2 for (hidden, cell).
        saved: values per unit and step that the backward pass works on.
        keeps: the forward pass fills these; else the backward pass needs the room only.
        scan: no gate sees the state, and beyond a size the backward pass computes these values again.
        batch_first: x and output are ``(B, T, ..)``.
    """

    places: tuple[Place, ...]
    starts: tuple[int, ...]
    directions: int
    hidden: int
    states: int
    saved: int
    keeps: bool
    scan: bool
    batch_first: bool


def make_place(options: Options, input_size: int, hidden_size: int, weights: tuple[str, ...]) -> Place:
    """One direction of one layer.

    Args:
        options: the cell, its flags and the direction; no zoneout; no rounding to whole numbers in training.
        input_size: I.
        hidden_size: H.
        weights: the names of its parameters, as in :class:`gatewise.kernels.fused.call.Inputs`.

    Raises:
        KernelError: there are no compiled kernels.
    """
    arguments = Sequence(0, 0, input_size, hidden_size, 1, False, options.reverse, options.flags, options.rounding)
    forward, backward = (compiled_function(options.cell, direction) for direction in ("forward", "backward"))
    return Place(options.cell, forward, backward, arguments, weights, tuple(f"grad_{name}" for name in weights))


def make_stack(options: Options, places: Items[Place], directions: int, hidden_size: int, batch_first: bool) -> Stack:
    """A stack of places that share a cell.

    Args:
        options: of any of them.
        places: layer by layer, forward before backward.
        directions: D.
        hidden_size: H.
        batch_first: x and output are ``(B, T, ..)``.
    """
    starts = [0]
    for place in places:
        starts.append(starts[-1] + len(place.weights))
    info = options.info
    return Stack(
        places=tuple(places),
        starts=tuple(starts),
        directions=directions,
        hidden=hidden_size,
        states=info.states,
        saved=saved_values(options),
        keeps=not info.output_suffices,
        scan=not info.recurrent,
        batch_first=batch_first,
    )


_Sizes = tuple[int, int, int, int]
"""T, B, and how many floats lie between two steps and two rows of one layer's input."""
Call = tuple[Any, ...]
"""The tensors of one call: lengths, x, h0, c0 (each but x may be None), and the weights from the fifth on."""
WEIGHTS = 4


class _Run(NamedTuple):
    """What one forward call makes: the output as x is laid out, the final states, each layer's input from the second on
    and each place's output ``(T, B, ..)``, and what each place keeps."""

    output: Tensor
    states: list[Tensor]
    inputs: list[Tensor]
    outputs: list[Tensor]
    kept: list[_Kept]


def _sizes(stack: Stack, x: Tensor) -> _Sizes:
    if x.dim() == 2:
        return x.shape[0], 1, x.stride(0), 0
    (first, second, _), (one, two, _) = x.shape, x.stride()
    return (second, first, two, one) if stack.batch_first else (first, second, one, two)


def _dense(sizes: _Sizes, width: int) -> _Sizes:
    steps, batch, *_ = sizes
    return steps, batch, batch * width, width


def laid_out(stack: Stack, x: Tensor, sizes: _Sizes, width: int) -> Tensor:
    """Memory ``(T, B, width)``, shaped as x is. Not a view, or autograd would let nothing change it in place."""
    steps, batch, *_ = sizes
    if x.dim() == 2:
        return x.new_empty(steps, width)
    if stack.batch_first:
        return x.new_empty_strided((batch, steps, width), (width, batch * width, 1))
    return x.new_empty(steps, batch, width)


def time_major(stack: Stack, x: Tensor) -> Tensor:
    """``(T, B, width)``, what is laid out as x is."""
    return x[:, None] if x.dim() == 2 else x.transpose(0, 1) if stack.batch_first else x


_SMALL = 1 << 14
"""Buffers of fewer values come from torch's own memory, which is quicker."""


def _take(x: Tensor, values: int) -> Tensor:
    return x.new_empty(values) if values < _SMALL else POOL.take(values)


def _room(stack: Stack, x: Tensor, sizes: _Sizes) -> _Kept:
    """Memory for what a place keeps."""
    units = sizes[0] * sizes[1] * stack.hidden
    values = units * stack.saved
    kept = stack.keeps and not (stack.scan and values > KEPT_VALUES)
    return _take(x, values) if kept else None, _take(x, units) if stack.states == 2 else None


def _arguments(stack: Stack, number: int, call: Call, sizes: _Sizes, kept: _Kept) -> Sequence:
    """What forward and backward of one place share."""
    place = stack.places[number]
    arguments = Sequence.from_buffer_copy(place.arguments)
    arguments.steps, arguments.batch, arguments.x_step_stride, arguments.x_batch_stride = sizes
    arguments.threads = threads()
    position = WEIGHTS + stack.starts[number]
    for name in place.weights:
        setattr(arguments, name, call[position].data_ptr())
        position += 1
    lengths, _, h0, c0 = call[:WEIGHTS]
    if lengths is not None:
        arguments.lengths = lengths.data_ptr()
    if h0 is not None:
        skipped = 4 * sizes[1] * stack.hidden * number
        arguments.h0 = h0.data_ptr() + skipped
        if c0 is not None:
            arguments.c0 = c0.data_ptr() + skipped
    gates, cells = kept
    if gates is not None:
        arguments.gates = gates.data_ptr()
    if cells is not None:
        arguments.cells = cells.data_ptr()
    return arguments


def _forward(stack: Stack, call: Call) -> _Run:
    x, both, count, hidden = call[1], stack.directions == 2, len(stack.places), stack.hidden
    sizes = within = _sizes(stack, x)
    steps, batch, *_ = sizes
    states = [
        x.new_empty(count, batch, hidden) if x.dim() == 3 else x.new_empty(count, hidden) for _ in range(stack.states)
    ]
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    kept: list[_Kept] = []
    current, skipped = x, 0
    for number, place in enumerate(stack.places):
        if number and not (both and number % 2):
            current = torch.cat(outputs[-2:], -1) if both else outputs[-1]
            within = _dense(sizes, hidden * stack.directions)
            inputs.append(current)
        if both or number + 1 < count:
            output = x.new_empty(steps, batch, hidden)
        else:
            output = laid_out(stack, x, sizes, hidden)
        room = _room(stack, x, sizes)
        arguments = _arguments(stack, number, call, within, room)
        arguments.training = True
        arguments.x, arguments.output = current.data_ptr(), output.data_ptr()
        arguments.h_n = states[0].data_ptr() + skipped
        if stack.states == 2:
            arguments.c_n = states[1].data_ptr() + skipped
        status = place.forward(address_of(arguments))
        if status:
            check_status(place.cell, status, arguments)
        outputs.append(output)
        kept.append(room)
        skipped += 4 * batch * hidden
    result = outputs[-1]
    if both:
        result = laid_out(stack, x, sizes, 2 * hidden)
        torch.cat(outputs[-2:], -1, out=time_major(stack, result))
    return _Run(result, states, inputs, outputs, kept)


def _as_kernels_read(stack: Stack, saved: Call) -> Call:
    """What was saved, in the memory layout in which it was: hooks on saved tensors may have copied it to another."""
    lengths, x, *others, output = saved
    if x.stride(-1) != 1 or x.is_neg():
        x = readable(x)
    if stack.directions == 1:
        output = time_major(stack, output)
    others = [each if each is None or is_readable(each) else readable(each) for each in (*others, output)]
    return (lengths, x, *others)


class StackFunction(torch.autograd.Function):
    """A whole stack, with its gradient; the arguments are those of :func:`gatewise.kernels.fused.inference.infer`."""

    @staticmethod
    def forward(ctx: Any, stack: Stack, *tensors: Any) -> Any:
        """Output, and the last state or two."""
        run = _forward(stack, tensors)
        ctx.save_for_backward(*tensors, *run.inputs, *run.outputs)
        ctx.stack, ctx.kept = stack, run.kept
        ctx.set_materialize_grads(False)
        return (run.output, *run.states)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Gradients of all tensors; a second call repeats the forward pass, since the first consumed what it kept."""
        wanted, tensors = ctx.needs_input_grad[1:], ctx.saved_tensors
        saved = _as_kernels_read(ctx.stack, tensors)
        kept, ctx.kept = ctx.kept, None
        if not torch.is_grad_enabled():
            return (None, None, *_backward(ctx.stack, saved, kept, wanted, gradients))
        with torch.no_grad():  # create_graph=True
            found = _backward(ctx.stack, saved, kept, wanted, gradients)
        return (None, None, *once(found, (*tensors[: len(wanted)], *gradients), REFUSAL))


differentiate: Callable[..., tuple[Tensor, ...]] = super(torch.autograd.Function, StackFunction).apply
"""``StackFunction.apply`` for a caller that has seen to it that no transform of ``torch.func`` is active: that check,
over every argument in Python, is most of what ``apply`` costs."""


def _backward(
    stack: Stack, saved: Call, kept: list[_Kept] | None, wanted: tuple[bool, ...], gradients: tuple[Tensor | None, ...]
) -> list[Tensor | None]:
    """The gradients of x, h0, c0 and the weights; overwrites and gives back what the forward pass kept.

    Args:
        stack: as in the forward pass.
        saved: its tensors, and :class:`_Run`'s inputs and outputs.
        kept: what it kept; None: it is repeated.
        wanted: of which of its tensors; layers below which nothing is wanted are left out.
        gradients: of the output and the final states.
    """
    if kept is None:
        kept = _forward(stack, saved[: len(wanted)]).kept
    x = saved[1]
    sizes, directions = _sizes(stack, x), stack.directions
    above, *ends = gradients
    states: list[Tensor | None] = [None if each is None else readable(each) for each in ends]
    if len(states) == 1:
        states.append(None)
    states += [torch.empty_like(saved[number]) if wanted[number] else None for number in (2, 3)]
    weights = [torch.empty_like(saved[n]) if wanted[n] else None for n in range(WEIGHTS, len(wanted))]
    across = None
    if above is not None:
        if above.stride(-1) != 1 or above.is_neg():
            above = readable(above)
        across = _sizes(stack, above)
    back = stack, saved, len(wanted), sizes, states, weights
    for layer in reversed(range(len(stack.places) // directions)):
        below = wanted[1] if layer == 0 else any(wanted[1 : WEIGHTS + stack.starts[layer * directions]])
        parts = [_place_back(back, layer * directions + each, kept, above, across, below) for each in range(directions)]
        above = parts[0]
        if above is None or not below:
            break
        if parts[-1] is not above and parts[-1] is not None:
            above.add_(parts[-1])
        across = _dense(sizes, above.shape[-1])
    if not below:
        above = None
    elif above is not None:
        above = above[:, 0] if x.dim() == 2 else time_major(stack, above)
    return [above, *states[2:], *weights]


_Back = tuple[Stack, Call, int, _Sizes, list[Tensor | None], list[Tensor | None]]
"""What all places of one backward call share: the stack, what was saved and how many of these are the call's tensors,
the sizes, and the gradients of the states (final and initial ones) and of the weights."""
_STATES = ("grad_h_n", "grad_c_n", "grad_h0", "grad_c0")


def _place_back(
    back: _Back, number: int, kept: list[_Kept], above: Tensor | None, across: _Sizes | None, below: bool
) -> Tensor | None:
    """Run one place back, from the gradient of its layer's output; the gradient of its input where that is wanted."""
    stack, saved, given, sizes, states, weights = back
    place, layer = stack.places[number], number // stack.directions
    current, within = saved[1], sizes
    if layer:
        current = saved[given + layer - 1]
        within = _dense(sizes, current.shape[-1])
    gates, cells = kept[number]
    if gates is None and not stack.scan:
        gates = _take(current, sizes[0] * sizes[1] * stack.hidden * stack.saved)
    arguments = _arguments(stack, number, saved, within, (gates, cells))
    arguments.training = True
    arguments.x, arguments.output = current.data_ptr(), saved[number - len(stack.places)].data_ptr()
    if above is not None and across is not None:
        arguments.grad_output = above.data_ptr() + 4 * stack.hidden * (number % stack.directions)
        arguments.grad_output_step_stride, arguments.grad_output_batch_stride = across[2:]
    skipped = 4 * sizes[1] * stack.hidden * number
    for name, state in zip(_STATES, states, strict=True):
        if state is not None:
            setattr(arguments, name, state.data_ptr() + skipped)
    for name, gradient in zip(place.gradients, weights[stack.starts[number] :], strict=False):
        if gradient is not None:
            setattr(arguments, name, gradient.data_ptr())
    grad_x = None
    if below:
        grad_x = current.new_empty(sizes[0], sizes[1], current.shape[-1])
        arguments.grad_x = grad_x.data_ptr()
    status = place.backward(address_of(arguments))
    if status:
        check_status(place.cell, status, arguments)
    for buffer in (gates, cells):
        if buffer is not None and buffer.numel() >= _SMALL:
            POOL.give_back(buffer)
    return grad_x
