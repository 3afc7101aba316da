"""An ordinary call on the compiled kernels, prepared once for all of a layer's later calls, with or without gradients.

One step of a small network lasts a few microseconds; choosing what to run and checking every weight at every call
would take ten times as long. So a layer remembers the kernels' arguments. Every call compares: a tensor of another
kind, an option that was set, another mode of torch, and it goes the long way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter

from gatewise.kernels.dispatch import (
    CANDIDATES,
    ENVIRONMENT,
    PRECISION,
    REQUESTS,
    ROUNDINGS,
    Choice,
    forced_kernel,
    requested_precision,
    rounding_of,
)
from gatewise.kernels.fused.binding import Guards, Plan, infer_or_none, make_plan
from gatewise.kernels.fused.call import Options, is_recorded
from gatewise.kernels.fused.inference import infer
from gatewise.kernels.fused.selection import offer
from gatewise.kernels.fused.stack import Place, Stack, differentiate, make_place, make_stack
from gatewise.kernels.registry import KERNELS
from gatewise.kernels.transforms import LEVEL, transformed
from gatewise.nn.inputs import check_lengths

if TYPE_CHECKING:
    from gatewise.nn.recurrent import Recurrent

__all__ = ["Prepared", "prepare"]

_OPTIONS = (
    "batch_first",
    "bidirectional",
    "checkpoint_steps",
    "dropout",
    "layer_norm",
    "learned_initial_state",
    "recurrent_dropout",
    "residual",
    "weight_dropout",
    "zoneout",
)
_options_of = itemgetter(*_OPTIONS)
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_FLOAT = torch.float32


def _nothing() -> None:
    """What a copied or pickled `Prepared` becomes: the copy prepares for itself."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What runs the calls of a layer without options, for any x.

    Attributes:
        stack: the kernels and their arguments.
        weights: the parameters' names and shapes, in the stack's order.
        input_size: I.
        count: L*D.
        choices: what `Recurrent.choices` says of such a call.
        masks: in training the layer draws dropouts and goes the long way.
        options: the layer's, which may be set at any time.
        checkpoint_steps: longer sequences with gradients go the long way.
        precision: as ``gatewise.kernels.dispatch.requested_precision`` has it.
        guards: what has to stay as it is for calls through the compiled binding.
        plan: how that runs a call without gradients; None: it cannot.
    """

    stack: Stack
    weights: tuple[tuple[str, torch.Size], ...]
    input_size: int
    count: int
    choices: tuple[tuple[str, Choice], ...]
    masks: bool
    options: tuple[object, ...]
    checkpoint_steps: int | None
    precision: str
    guards: Guards
    plan: Plan | None

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return _nothing, ()

    def __call__(self, layer: Recurrent, x: object, hx: Any, lengths: Any = None) -> tuple[Tensor, Any] | None:
        """Output and final state, the same bits as the long way gives; None where that has to be taken.

        Args:
            layer: whose call it is.
            x: as in ``forward``.
            hx: as in ``forward``.
            lengths: as in ``forward``.

        Raises:
            ShapeError: the lengths do not fit.
        """
        stack, own = self.stack, layer.__dict__
        held = own.get("_frozen") if self.precision != "bf16" else None  # pairs are packed at every call
        packed = None if held is None or stack.scan else held.found(stack)  # alive until this call has ended
        plan = packed.plan if packed is not None else self.plan if held is None or stack.scan else None
        if plan is not None and lengths is None:
            found = infer_or_none(plan, layer, x, hx)
            if found is not None:
                return found
        if (
            (type(x) is not Tensor and type(x) is not Parameter)
            or x.dtype is not _FLOAT
            or not x.is_cpu
            or x.is_neg()
            or self.outdated(layer)
            or _elsewhere()
        ):
            return None
        sizes = self._sizes(x, lengths is not None)
        if sizes is None:
            return None
        steps, batch = sizes
        differentiated = torch.is_grad_enabled()
        if differentiated and self.checkpoint_steps is not None and steps > self.checkpoint_steps:
            return None
        tensors: list[Tensor | None] = [None, x, None, None]
        if hx is not None and not self._add_states(tensors, hx, batch, len(x.shape)):
            return None
        if lengths is not None:
            tensors[0] = check_lengths(type(layer).__name__, lengths, batch, steps, x.device).contiguous()
        parameters = layer._parameters
        if held is not None:
            packed = held.current(stack, parameters)
            if packed is not None and not (differentiated and _train(tensors, parameters)):
                return self._result(own, packed(*tensors))
        if not self._add_weights(tensors, parameters):
            return None
        last = tensors[-1]
        if differentiated and ((last is not None and last.requires_grad) or any(_need_gradients(tensors))):
            return self._result(own, differentiate(stack, *tensors)) if self.precision != "int8" else None
        if held is not None:
            held.pack(stack, self.weights, tensors[4:], self.guards)  # for the next call
        return self._result(own, infer(stack, *tensors))

    def _sizes(self, x: Tensor, ragged: bool) -> tuple[int, int] | None:
        """T and B; None where x is empty or not laid out as the kernels read it."""
        shape = x.shape
        rank = len(shape)
        if rank == 3:
            steps, batch, size = shape
            if self.stack.batch_first:
                steps, batch = batch, steps
        elif rank == 2 and not ragged:
            (steps, size), batch = shape, 1
        else:
            return None
        if size != self.input_size or steps == 0 or batch == 0 or x.stride(-1) != 1:
            return None
        return steps, batch

    def _add_states(self, tensors: list[Tensor | None], hx: Any, batch: int, rank: int) -> bool:
        """Put the initial states into their places; false where a kernel may not read them as they lie."""
        stack = self.stack
        parts = hx if stack.states == 2 else (hx,)
        expected = (self.count, batch, stack.hidden) if rank == 3 else (self.count, stack.hidden)
        if type(parts) is not tuple or len(parts) != stack.states:
            return False
        for position, part in enumerate(parts, 2):
            if type(part) is not Tensor or not _plain(part, expected) or part.is_neg():
                return False
            tensors[position] = part
        return True

    def _add_weights(self, tensors: list[Tensor | None], parameters: Mapping[str, Tensor | None]) -> bool:
        """Append the weights as they are now; false where a kernel may not read one as it lies."""
        for name, shape in self.weights:
            weight = parameters.get(name)
            if (
                (type(weight) is not Parameter and type(weight) is not Tensor)
                or weight.shape != shape
                or weight.dtype is not _FLOAT
                or not weight.is_cpu
                or not weight.is_contiguous()
            ):
                return False
            tensors.append(weight)
        return True

    def _result(self, own: dict[str, Any], result: tuple[Tensor, ...]) -> tuple[Tensor, Any]:
        """As ``forward`` returns it, and noted in the layer what ran."""
        if own.get("_choices") is not self.choices:
            own["_choices"], own["_asked"] = self.choices, ()
        return (result[0], result[1]) if self.stack.states == 1 else (result[0], result[1:])

    def outdated(self, layer: Recurrent) -> bool:
        """Whether the layer's options, its mode or the precision are others than those that were prepared."""
        own = layer.__dict__
        return (
            requested_precision() != self.precision
            or bool(self.masks and own["training"])
            or _options_of(own) != self.options
        )


def _elsewhere() -> bool:
    """Whether torch or a caller asks for something else than the compiled kernels."""
    return (
        torch.is_autocast_enabled("cpu")
        or transformed()
        or is_recorded()
        or forced_kernel() is not None
        or not CANDIDATES
        or CANDIDATES[0] is not offer
    )


def _train(tensors: list[Tensor | None], parameters: Mapping[str, Tensor | None]) -> bool:
    """Whether anything of a call wants a gradient."""
    return any(_need_gradients(tensors)) or any(_need_gradients(list(parameters.values())))


def _need_gradients(tensors: list[Tensor | None]) -> list[bool]:
    return [each is not None and each.requires_grad for each in tensors]


def _plain(value: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether a kernel may read this tensor as it lies."""
    return value.shape == shape and value.dtype is _FLOAT and value.is_cpu and value.is_contiguous()


def prepare(layer: Recurrent) -> Prepared | None:
    """What runs later calls like the one that the layer has just made; None where these have to go the long way.

    Args:
        layer: after the call.
    """
    options = (layer.layer_norm, any(layer.zoneout), layer.learned_initial_state, layer.residual)
    dropout = layer.dropout > 0 and layer.num_layers > 1
    masks = dropout or layer.recurrent_dropout > 0 or layer.weight_dropout > 0
    choices = layer._choices
    if any(options) or (masks and layer.training) or not layer._uniform or not layer.widths[0]:
        return None
    if {choice.family for _, choice in choices} != {"fused"} or forced_kernel() is not None:
        return None
    precision = requested_precision()
    rounding = {rounding_of(choice.implementation) for _, choice in choices}
    if rounding != {ROUNDINGS[precision]} or CANDIDATES[:1] != [offer]:
        return None
    places: list[Place] = []
    weights: list[tuple[str, torch.Size]] = []
    for depth, suffix in layer._places:
        found = _prepare_place(layer, depth, suffix)
        if found is None:
            return None
        places.append(found)
        weights += [(full, layer._parameters[full].shape) for _, full in layer._full_names[suffix]]  # type: ignore[union-attr]
    stack = make_stack(_options(layer, 0, ""), places, layer.directions, layer.widths[0], layer.batch_first)
    guards = _guards(layer, masks, precision)
    arguments = [place.arguments for place in places]
    return Prepared(
        stack=stack,
        weights=tuple(weights),
        input_size=layer.input_size,
        count=len(places),
        choices=choices,
        masks=masks,
        options=_options_of(layer.__dict__),
        checkpoint_steps=layer.checkpoint_steps,
        precision=precision,
        guards=guards,
        plan=make_plan(stack, arguments, guards, weights),
    )


def _guards(layer: Recurrent, masks: bool, precision: str) -> Guards:
    """As :meth:`Prepared.outdated` and :func:`_elsewhere`, for the compiled binding."""
    own = layer.__dict__
    expected = {name: own[name] for name in _OPTIONS} | {"_choices": layer._choices}
    if masks:
        expected["training"] = False
    environment, variables, variable = ENVIRONMENT
    exact = precision == "float32"
    return Guards(
        layer=expected,
        same=[(vars(os), "environ", environment), LEVEL, *([] if exact else [(PRECISION, "name", precision)])],
        first=[(CANDIDATES, offer)],
        empty=(*REQUESTS, PRECISION) if exact else REQUESTS,
        absent=[(variables, variable)],
    )


def _options(layer: Recurrent, depth: int, suffix: str) -> Options:
    cell = layer._cells[depth]
    info = KERNELS[cell.kernel_name]
    flags = info.flags_of(cell.kernel_name, cell.kernel_options())
    return Options(info.cell, "reverse" in suffix, flags, rounding=ROUNDINGS[requested_precision()])


def _prepare_place(layer: Recurrent, depth: int, suffix: str) -> Place | None:
    """One direction of one layer; None where its weights are not the usual four, as a kernel reads them."""
    options, hidden = _options(layer, depth, suffix), layer.widths[0]
    names = layer._full_names[suffix]
    for short, full in names:
        weight = layer._parameters.get(full)
        if short not in _WEIGHTS or weight is None or not _plain(weight, weight.shape):
            return None
    rows = layer._parameters[names[0][1]].shape[0]  # type: ignore[union-attr]
    if layer._cells[depth].state_sizes()[0] != hidden or options.gates * hidden != rows:
        return None
    width = layer.input_size if depth == 0 else hidden * layer.directions
    return make_place(options, width, hidden, tuple(short for short, _ in names))
