"""Recurrent layers as nodes of ONNX: the standard operators where they are exact, else `Scan` with one step as body.

Sequences are (T, B, N). Past an example's end the outputs are 0 and the states are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from gatewise.export.graph.expressions import Array
from gatewise.export.graph.nodes import Direction, Layer, Stack
from gatewise.export.to_onnx.operations import Body

__all__ = ["Ragged", "emit_stack", "native_operator"]

_ORDER = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
_PEEPHOLES = (0, 2, 1)


@dataclass(frozen=True)
class Ragged:
    """What ragged sequences need; None where all are as long as the array.

    Attributes:
        mask: (T, B, 1) bool, true at real steps.
        lengths: (B,) int32.
        batch: (1,) int64, the number of examples.
    """

    mask: str | None
    lengths: str | None
    batch: str


States = list[list[tuple[str, ...]]]
"""Per layer and direction the names of the states, each (B, width)."""


def native_operator(layer: Layer) -> str | None:
    """The standard operator that computes a layer, or None."""
    natives = [each.native for each in layer.directions]
    if any(native is None for native in natives):
        return None
    return natives[0].cell.upper() if natives[0] is not None else None


def emit_stack(
    body: Body, stack: Stack, x: str, ragged: Ragged, initial: States | None, *, single: bool = False
) -> tuple[str, States]:
    """A stack over a sequence.

    Args:
        body: where the nodes go.
        stack: the layers.
        x: (T, B, I); with ``single`` (B, I).
        ragged: lengths.
        initial: states before; None: the stack's own.
        single: one step of a stream, (B, ..) without an axis of time; initial is given.

    Returns:
        The output (T, B, ..) or (B, ..), and the final states.
    """
    finals: States = []
    for depth, layer in enumerate(stack.layers):
        before = None if initial is None else initial[depth]
        if native_operator(layer) is not None:
            output, after = _native(body, layer, x, ragged, before, single)
        elif single:
            assert before is not None
            output, after = _single(body, layer, x, before)
        else:
            pairs = [
                _scan(body, direction, x, ragged, None if before is None else before[place])
                for place, direction in enumerate(layer.directions)
            ]
            outputs = [output for output, _ in pairs]
            output = outputs[0] if len(outputs) == 1 else body.add("Concat", outputs, axis=-1)
            after = [states for _, states in pairs]
        x = body.add("Add", [output, x]) if layer.residual else output
        finals.append(after)
    return x, finals


def _single(body: Body, layer: Layer, x: str, before: Sequence[tuple[str, ...]]) -> tuple[str, list[tuple[str, ...]]]:
    """One step of one layer of one direction."""
    (direction,) = layer.directions
    (gates,) = body.program(direction.project, {"x": x}, flat=True)
    states = {f"s{place}": name for place, name in enumerate(before[0])}
    after = body.program(direction.step, {"gates": gates, **states}, flat=True)
    return after[0], [tuple(after)]


def _start(body: Body, direction: Direction, ragged: Ragged) -> tuple[str, ...]:
    """A direction's own initial states, (B, width) each."""
    found = []
    for state in direction.states:
        shape = body.add("Concat", [ragged.batch, body.integers(state.width)], axis=0)
        start = (
            body.constant(np.zeros(1, dtype=np.float32)) if state.initial is None else body.names.weight(state.initial)
        )
        found.append(body.add("Expand", [start, shape]))
    return tuple(found)


def _scan(
    body: Body, direction: Direction, x: str, ragged: Ragged, initial: tuple[str, ...] | None
) -> tuple[str, tuple[str, ...]]:
    """One direction by its step; the backward one walks from the end and holds its states until an example begins."""
    (gates,) = body.program(direction.project, {"x": x}, flat=False)
    width = dict(direction.project.widths)[direction.project.outputs[0]]
    start = initial or _start(body, direction, ragged)
    inner = Body(body.names)
    before = [body.names.new("before") for _ in direction.states]
    gate, real = body.names.new("gates"), body.names.new("real")
    states = {f"s{place}": name for place, name in enumerate(before)}
    after = inner.program(direction.step, {"gates": gate, **states}, flat=True)
    if ragged.mask is not None:
        held = [inner.add("Where", [real, new, old]) for new, old in zip(after, before, strict=True)]
        zero = inner.constant(np.zeros(1, dtype=np.float32))
        shown = inner.add("Where", [real, held[0], zero])
    else:
        held = [inner.add("Identity", [new]) for new in after]
        shown = inner.add("Identity", [held[0]])
    values = [_float(name, "batch", state.width) for name, state in zip(before, direction.states, strict=True)]
    values.append(_float(gate, "batch", width))
    if ragged.mask is not None:
        values.append(helper.make_tensor_value_info(real, TensorProto.BOOL, ["batch", 1]))
    results = [_float(name, "batch", state.width) for name, state in zip(held, direction.states, strict=True)]
    results.append(_float(shown, "batch", direction.states[0].width))
    step = helper.make_graph(inner.nodes, "step", values, results)
    scanned = [gates] if ragged.mask is None else [gates, ragged.mask]
    *finals, output = body.several(
        "Scan",
        [*start, *scanned],
        len(start) + 1,
        body=step,
        num_scan_inputs=len(scanned),
        scan_input_directions=[int(direction.reverse)] * len(scanned),
        scan_output_directions=[int(direction.reverse)],
    )
    return output, tuple(finals)


def _float(name: str, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def _native(
    body: Body,
    layer: Layer,
    x: str,
    ragged: Ragged,
    before: Sequence[tuple[str, ...]] | None,
    single: bool,
) -> tuple[str, list[tuple[str, ...]]]:
    """One layer as RNN, LSTM or GRU."""
    native = layer.directions[0].native
    assert native is not None
    options = dict(native.options)
    first = dict(native.weights)["weight_ih"]
    tensors = _tensors(body, layer)
    names = {role: body.names.constant(array, f"{first}.{role}") for role, array in tensors.items()}
    learned = any(state.initial is not None for each in layer.directions for state in each.states)
    if before is None and learned:
        before = [_start(body, each, ragged) for each in layer.directions]
    states = layer.directions[0].states
    starts = ["" for _ in states]
    if before is not None:
        starts = [_side_by_side(body, [each[place] for each in before]) for place in range(len(states))]
    read = body.add("Unsqueeze", [x, body.integers(0)]) if single else x
    inputs = [read, names["W"], names["R"], names["B"], "" if single else ragged.lengths or "", *starts]
    if "P" in names:
        inputs.append(names["P"])
    while inputs[-1] == "":
        inputs.pop()
    attributes: dict[str, Any] = {
        "hidden_size": states[0].width,
        "direction": "bidirectional" if len(layer.directions) == 2 else "forward",
    }
    if native.cell == "gru":
        attributes["linear_before_reset"] = int(options["reset"] == "after")
    if native.cell == "rnn":
        attributes["activations"] = [str(options["nonlinearity"]).capitalize()] * len(layer.directions)
    if options.get("coupled"):
        attributes["input_forget"] = 1
    whole, *lasts = body.several(native.cell.upper(), inputs, 1 + len(states), **attributes)
    if single:
        output = body.add("Squeeze", [whole, body.integers(0, 1)])
    elif len(layer.directions) == 1:
        output = body.add("Squeeze", [whole, body.integers(1)])
    else:
        turned = body.add("Transpose", [whole], perm=[0, 2, 1, 3])
        output = body.add(
            "Reshape", [turned, body.integers(0, 0, sum(each.states[0].width for each in layer.directions))]
        )
    places = range(len(layer.directions))
    split = [[body.add("Gather", [last, body.constant(np.int64(place))], axis=0) for last in lasts] for place in places]
    return output, [tuple(each) for each in split]


def _side_by_side(body: Body, states: Sequence[str]) -> str:
    """States (B, H) of the directions as (D, B, H)."""
    parts = [body.add("Unsqueeze", [state, body.integers(0)]) for state in states]
    return parts[0] if len(parts) == 1 else body.add("Concat", parts, axis=0)


def _tensors(body: Body, layer: Layer) -> dict[str, Array]:
    """W (D, G*H, I), R (D, G*H, H), B (D, 2*G*H) and P (D, 3*H) of a standard operator.

    Gates go from our order to ONNX's: LSTM i o f c, GRU z r h. An update gate that replaces is one that keeps with the
    signs of all that enters it turned. A coupled LSTM is ``input_forget=1``, f = 1 - i: the forget gate's weights
    become, negated, the input gate's.
    """
    columns: dict[str, list[Array]] = {"W": [], "R": [], "B": [], "P": []}
    for direction in layer.directions:
        native = direction.native
        assert native is not None
        options = dict(native.options)
        found = {role: body.names.weights[name] for role, name in native.weights}
        for name in ("bias_ih", "bias_hh"):
            found.setdefault(name, np.zeros_like(found["weight_ih"][:, 0]))
        if options.get("update") == "replace":
            for name, value in found.items():
                reset, update, candidate = np.split(value, 3)
                found[name] = np.concatenate([reset, -update, candidate])
        if options.get("coupled"):
            found = {name: _uncoupled(name, value) for name, value in found.items()}
        order = _ORDER[native.cell]
        columns["W"].append(_reordered(found["weight_ih"], order))
        columns["R"].append(_reordered(found["weight_hh"], order))
        columns["B"].append(np.concatenate([_reordered(found[name], order) for name in ("bias_ih", "bias_hh")]))
        if "weight_peephole" in found:
            columns["P"].append(np.concatenate([found["weight_peephole"][place] for place in _PEEPHOLES]))
    return {name: np.stack(column) for name, column in columns.items() if column}


def _reordered(array: Array, order: Sequence[int]) -> Array:
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[place] for place in order])


def _uncoupled(name: str, value: Array) -> Array:
    """Rows f, g, o (peepholes f, o) as i, f, g, o (i, f, o) with i = -f."""
    if name == "weight_peephole":
        return np.stack([-value[0], np.zeros_like(value[0]), value[1]])
    forget, candidate, output = np.split(value, 3)
    return np.concatenate([-forget, np.zeros_like(forget), candidate, output])
