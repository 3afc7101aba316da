"""Gates and states of one sequence, as maps over steps and units; which units are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.nn import Recurrent
from gatewise.nn.cell import State
from gatewise.nn.inputs import split_state
from gatewise.nn.tracing import DirectionTrace
from gatewise.training.kind import RecurrentInputs

__all__ = ["GateMap", "Place", "first_sequence_state", "first_states", "gate_maps", "similar_order"]

Place = tuple[str, int, str]
"""A stack's name, a layer's number, and ``forward`` or ``backward``."""
_SMALLEST_SCALE = 1e-6


@dataclass(frozen=True, eq=False)
class GateMap:
    """One gate, candidate or state over steps and units.

    Attributes:
        stack: name of the recurrent stack.
        layer: number, from 0.
        direction: ``forward`` or ``backward``.
        name: textbook name, as ``Cell.gates`` and ``Cell.states`` have it.
        role: ``gate`` (0 to 1), ``candidate`` or ``state``.
        values: (T, H) float32.
        low: least value of its activation; where it has no bound, minus the largest magnitude found.
        high: largest value, likewise.
        order: (H,) the units, alike ones beside each other; the same for all maps of a layer and direction.
        first: the step of the input with which its first row begins.
        stride: steps of the input in a row; 0: its rows are no steps of the input.
        before: (H,) a state before its first step; None: it begins at zero, or is no state.
    """

    stack: str
    layer: int
    direction: str
    name: str
    role: str
    values: npt.NDArray[np.float32]
    low: float
    high: float
    order: npt.NDArray[np.int64]
    first: int = 0
    stride: int = 1
    before: npt.NDArray[np.float32] | None = None

    @property
    def place(self) -> Place:
        """Stack, layer and direction."""
        return self.stack, self.layer, self.direction


def gate_maps(
    stacks: Mapping[str, RecurrentInputs],
    orders: Mapping[Place, npt.NDArray[np.int64]] | None = None,
    *,
    ordered: bool = True,
) -> tuple[GateMap, ...]:
    """Every gate, candidate and state of the first sequence of each stack.

    Args:
        stacks: by name, see `gatewise.training.reader.Reader.stacks`.
        orders: the units' order by place, so that it stays while the input changes; None, or where one is missing:
            that of `similar_order` for this sequence.
        ordered: False: the units' numbers are their order.

    Example:
        >>> from gatewise.nn import GRU
        >>> maps = gate_maps({"recurrent": RecurrentInputs(GRU(2, 3), torch.ones(4, 1, 2), None)})
        >>> [(each.name, each.role, each.values.shape, each.low) for each in maps]
        [('reset', 'gate', (4, 3), 0.0), ('update', 'gate', (4, 3), 0.0), ('candidate', 'candidate', (4, 3), -1.0),
         ('hidden', 'state', (4, 3), -1.0)]
    """
    found: list[GateMap] = []
    for name, given in stacks.items():
        layers = given.recurrent
        with torch.inference_mode():
            length = given.inputs.shape[0] if given.lengths is None else int(given.lengths[0])
            x = given.inputs[:length, :1]
            starts = first_states(given, x.dtype)
            traced = _from_outputs(layers, x, starts) if _quick(layers) else _traced(given, x)
        for direction, start in zip(traced, starts, strict=True):
            cell = layers._cells[direction.layer]
            values = {key: _plain(value) for key, value in direction.items()}
            place = (name, direction.layer, direction.direction)
            order = None if orders is None else orders.get(place)
            if order is None and ordered:
                order = similar_order(values[cell.states[0]])
            elif order is None:
                order = np.arange(values[cell.states[0]].shape[1])
            for key, value in values.items():
                role = "state" if key in cell.states else "candidate" if "candidate" in key else "gate"
                low, high = _range(value, role)
                # a state may be wider or narrower than the first one, such as behind a projection
                own = order if value.shape[1] == len(order) else np.arange(value.shape[1])
                before = _before(start[cell.states.index(key)]) if role == "state" else None
                found.append(GateMap(*place, key, role, value, low, high, own, before=before))
    return tuple(found)


def similar_order(states: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The units in an order in which those with alike courses over time are neighbours.

    Average linkage of the distances ``1 - correlation`` (Sokal & Michener 1958), its leaves from left to right. Of
    units that never change the numbers' order is kept, at the end.

    Args:
        states: (T, H).

    Returns:
        (H,) numbers of units.

    Example:
        >>> t = np.arange(8.0)
        >>> similar_order(np.stack([t, np.sin(t), 2 * t, np.sin(t) + 1], axis=1)).tolist()
        [1, 3, 0, 2]
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    centred = np.asarray(states, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    moving = np.flatnonzero(scale > _SMALLEST_SCALE)
    still = np.setdiff1d(np.arange(states.shape[1]), moving)
    if len(moving) < 3:
        return np.concatenate([moving, still]).astype(np.int64)
    scaled = centred[:, moving] / scale[moving]
    distances = np.clip(1.0 - scaled.T @ scaled, 0.0, 2.0)
    upper = distances[np.triu_indices(len(moving), 1)]
    leaves = leaves_list(linkage(upper, method="average"))
    return np.concatenate([moving[leaves], still]).astype(np.int64)


def _quick(layers: Recurrent) -> bool:
    """Whether the gates follow from the outputs alone: one state, or an LSTM whose gates do not see its cell."""
    cell: Any = layers._cells[0]
    if layers.training or any(layers.zoneout) or layers.batch_first:
        return False
    return len(cell.states) == 1 or (layers.cell == "lstm" and not cell.peephole)


def first_states(given: RecurrentInputs, dtype: torch.dtype) -> list[State]:
    """The states in which the first sequence begins: by layer and direction, (1, size) each."""
    layers = given.recurrent
    if given.state is None:
        return layers._start(1, dtype)
    first = first_sequence_state(given.state, dtype)
    sizes = [cell.state_sizes() for cell in layers._cells]
    like = layers._weight.detach().to(dtype)
    return split_state("state", first, layers._cells[0].states, sizes, layers.directions, 1, like)


def _traced(given: RecurrentInputs, x: Tensor) -> list[DirectionTrace]:
    state = None if given.state is None else first_sequence_state(given.state, x.dtype)
    return list(given.recurrent.trace(x, state).directions)


def first_sequence_state(state: Any, dtype: torch.dtype) -> Any:
    """An initial state of the first sequence of its batch alone, without gradient.

    Args:
        state: (L*D, B, size), or a tuple of such parts, as a layer takes it.
        dtype: the precision of the result.

    Returns:
        (L*D, 1, size), or a tuple of such parts.

    Example:
        >>> hidden, cell = first_sequence_state((torch.zeros(2, 3, 4), torch.zeros(2, 3, 4)), torch.float64)
        >>> tuple(hidden.shape), cell.dtype
        ((2, 1, 4), torch.float64)
    """
    if isinstance(state, Tensor):
        return state[:, :1].detach().to(dtype)
    return tuple(first_sequence_state(part, dtype) for part in state)


def _before(start: Tensor) -> npt.NDArray[np.float32] | None:
    found: npt.NDArray[np.float32] = start[0].detach().float().cpu().numpy()
    return found if found.any() else None


def _from_outputs(layers: Recurrent, x: Tensor, starts: Sequence[State]) -> list[DirectionTrace]:
    """All gates of all steps at once, from the hidden states that the fast kernels give.

    With h known, the steps no longer wait for each other: one call of the cell's step has them as its rows. An LSTM's
    cell state follows from its gates.
    """
    choices = layers._choose_all(x, None, None)
    found: list[DirectionTrace] = []
    for layer in range(layers.num_layers):
        outputs = []
        for number in range(layer * layers.directions, (layer + 1) * layers.directions):
            place = layers._places[number]
            output, _ = layers._direction(choices[number], x, starts[number], *place, lengths=None, traces=None)
            outputs.append(output)
            backward = place[1].endswith("_reverse")
            values = _values(layers, layer, place[1], x[:, 0], output[:, 0], starts[number], backward=backward)
            found.append(DirectionTrace(layer, "backward" if backward else "forward", values))
        output = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
        x = output + x if layers.residual and layer > 0 else output
    return found


def _values(
    layers: Recurrent, layer: int, suffix: str, x: Tensor, output: Tensor, start: State, *, backward: bool
) -> dict[str, Tensor]:
    """Gates and states of one direction, each (T, 1, size)."""
    cell, weights = layers._cells[layer], layers._weights_of(suffix)
    if backward:
        x, output = x.flip(0), output.flip(0)
    before = torch.cat([start[0], output[:-1]])
    rest = tuple(part.expand(len(x), -1) for part in start[1:])
    values = cell.step(cell.project(x, weights), (before, *rest), weights)
    if rest:
        forget, given = values["forget"].numpy(), (values["input"] * values["candidate"]).numpy()
        cells = np.empty_like(forget)
        state = start[1][0].numpy()
        for t in range(len(cells)):
            state = forget[t] * state + given[t]
            cells[t] = state
        values["cell"] = torch.from_numpy(cells)
    values[cell.states[0]] = output
    return {name: (value.flip(0) if backward else value)[:, None] for name, value in values.items()}


def _plain(value: torch.Tensor) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = value[:, 0].float().cpu().numpy()
    return found


def _range(values: npt.NDArray[np.float32], role: str) -> tuple[float, float]:
    """Of its activation, by its role and values: 0 to 1, -1 to 1, or as far as the values go on both sides."""
    least, most = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if role == "gate" and least >= 0.0 and most <= 1.0:
        return 0.0, 1.0
    if least >= -1.0 and most <= 1.0:
        return -1.0, 1.0
    widest = max(-least, most)
    return -widest, widest
