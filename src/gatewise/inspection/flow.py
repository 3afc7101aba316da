"""Gradient flow: the size of the loss's gradient at every step and layer, before and after training."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.kernels.dispatch import force
from gatewise.nn import Recurrent
from gatewise.training.reader import Reader, ReadInput

__all__ = ["Flow", "GradientFlow", "LayerFlow", "gradient_flow"]

_ONE_AT_A_TIME = threading.RLock()


@dataclass(frozen=True, eq=False)
class LayerFlow:
    """One direction of one layer.

    Attributes:
        layer: number, over all stacks that the answer passes.
        direction: ``forward`` or ``backward``.
        norms: (T,) Euclidean norm of dL/dh_t, all ways through later steps and layers counted.
        unit: what each of the T steps is: of the input, or ``written word`` or ``forecast step`` of a decoder.
    """

    layer: int
    direction: str
    norms: npt.NDArray[np.float64]
    unit: str = "step"

    @property
    def ratio(self) -> float | None:
        """The norm at the step the gradient reaches last over that where it starts; None where it starts at zero.

        Far below 1 the gradient vanishes, far above it explodes (Bengio, Simard & Frasconi 1994).
        """
        ends = (self.norms[0], self.norms[-1])
        last, first = ends if self.direction == "forward" else ends[::-1]
        return float(last / first) if first > 0 else None


@dataclass(frozen=True, eq=False)
class Flow:
    """The flow in one state of the network.

    Attributes:
        loss: L.
        layers: in the order in which the answer passes them.
        parameter_norm: of the gradient of all parameters together, which training clips.
    """

    loss: float
    layers: tuple[LayerFlow, ...]
    parameter_norm: float

    def clipped(self, limit: float) -> float:
        """The factor by which clipping at a norm shrinks every gradient (Pascanu, Mikolov & Bengio 2013).

        Example:
            >>> Flow(1.0, (), 4.0).clipped(1.0), Flow(1.0, (), 0.5).clipped(1.0)
            (0.25, 1.0)
        """
        return 1.0 if self.parameter_norm <= limit or limit <= 0 else limit / self.parameter_norm


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """Before and after training, on one sequence.

    Attributes:
        target: name of the answer whose loss is followed.
        before: with freshly drawn recurrent weights, everything else as trained.
        after: as trained.
    """

    target: str
    before: Flow
    after: Flow


def gradient_flow(
    reader: Reader, read_input: ReadInput, *, target: int | str | None = None, seed: int = 0
) -> GradientFlow:
    """Follow the gradient of the loss of one answer back through a sequence.

    .. math:: g_t = \\Big\\| \\frac{dL}{dh_t} \\Big\\|_2

    where h_t is the hidden state after step t of a layer, and all that depends on it counts. Computed step by step with
    the reference equations, so that every state can be reached; meanwhile no other thread may use the network.

    Args:
        reader: of a network.
        read_input: what it reads.
        target: number or name of the answer taken as right; None: the true one where it is known, else the leading one.
        seed: of the fresh weights.

    Raises:
        DataError: no such answer.
    """
    if target is None and read_input.truth in reader.names:
        target = read_input.truth
    with torch.no_grad():
        final = reader.shares(reader.answer(read_input, reader.embed(read_input))[0])
    chosen = reader.target_of(target, final, read_input)
    layers = [module for module in reader.network.modules() if isinstance(module, Recurrent)]
    units = {id(stack.recurrent): _unit(reader, read_input, name) for name, stack in reader.stacks(read_input).items()}
    with _ONE_AT_A_TIME, force("reference", this_thread=True):
        after = _flow(reader, read_input, chosen, layers, units)
        with _fresh(layers, seed):
            before = _flow(reader, read_input, chosen, layers, units)
    return GradientFlow(reader.names[chosen], before, after)


def _unit(reader: Reader, read: ReadInput, stack: str) -> str:
    """What a step of a stack is."""
    stride = reader.span(stack)[1]
    if stride == 0:
        return "written word" if read.written else "forecast step"
    return reader.unit if stride == 1 else "step"


@contextmanager
def _fresh(layers: Sequence[Recurrent], seed: int) -> Iterator[None]:
    """The same network with recurrent weights as before training."""
    kept = [{name: value.detach().clone() for name, value in layer.named_parameters()} for layer in layers]
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for layer in layers:
                with torch.no_grad():
                    layer.reset_parameters()
        yield
    finally:
        with torch.no_grad():
            for layer, values in zip(layers, kept, strict=True):
                for name, parameter in layer.named_parameters():
                    parameter.copy_(values[name])


def _flow(reader: Reader, read: ReadInput, target: int, layers: Sequence[Recurrent], units: Mapping[int, str]) -> Flow:
    """Gradients of zeros that are added to every hidden state: those of the states themselves."""
    parameters = [each for each in reader.network.parameters() if each.requires_grad]
    embedded = reader.embed(read)
    with torch.enable_grad(), _added(layers) as added:
        loss = reader.loss(read, embedded, target)
        zeros = [zero for _, _, steps, _ in added for zero in steps]
        found = torch.autograd.grad(loss, [*zeros, *parameters], allow_unused=True)
    norms = [0.0 if each is None else float(each.double().norm()) for each in found]
    flows, place = [], 0
    for layer, direction, steps, module in added:
        values = np.array(norms[place : place + len(steps)])
        place += len(steps)
        unit = units.get(id(module), reader.unit)
        flows.append(LayerFlow(layer, direction, values[::-1] if direction == "backward" else values, unit))
    return Flow(float(loss.detach()), tuple(flows), float(np.linalg.norm(norms[len(zeros) :])))


@contextmanager
def _added(layers: Sequence[Recurrent]) -> Iterator[list[tuple[int, str, list[Tensor], Recurrent]]]:
    """Add a zero with a gradient to every hidden state of each layer's first call, and list them.

    A layer that is called again, as for one forecast after the other, is followed through its first sequence only.
    """
    found: list[tuple[int, str, list[Tensor], Recurrent]] = []
    wrapped: list[Any] = []
    hooks = []

    def begin(module: Any, arguments: Any) -> None:
        """Start listing when a stack is called for the first time."""
        if not any(module is each for each in seen):
            seen.append(module)
            steps = arguments[0].shape[0]
            base = len({layer for layer, *_ in found})
            for number, cell in enumerate(module._cells):
                lists: list[list[Tensor]] = []
                for direction in ("forward", "backward")[: module.directions]:
                    lists.append([])
                    found.append((base + number, direction, lists[-1], module))
                _wrap(cell, lists, steps)
                wrapped.append(cell)

    seen: list[Any] = []
    try:
        hooks = [layer.register_forward_pre_hook(begin) for layer in layers]
        yield found
    finally:
        for hook in hooks:
            hook.remove()
        for cell in wrapped:
            del cell.step, cell.scan


def _wrap(cell: Any, lists: list[list[Tensor]], steps: int) -> None:
    """Let a cell's next steps, direction after direction, add their zeros."""
    step, calls = cell.step, iter([each for each in lists for _ in range(steps)])

    def stepped(*arguments: Any, **named: Any) -> dict[str, Tensor]:
        values: dict[str, Tensor] = dict(step(*arguments, **named))
        listed = next(calls, None)
        if listed is not None:
            hidden = values[cell.states[0]]
            zero = torch.zeros_like(hidden, requires_grad=True)
            listed.append(zero)
            values[cell.states[0]] = hidden + zero
        return values

    cell.step = stepped
    cell.scan = lambda *arguments: None  # step by step, also where the cell has a scan
