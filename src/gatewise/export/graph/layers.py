"""Recurrent layers of `gatewise.nn` as a `Stack`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gatewise.export.graph.capture import capture_cell
from gatewise.export.graph.expressions import Array, Expression, Program
from gatewise.export.graph.graph import Graph, GraphBuilder
from gatewise.export.graph.nodes import Direction, Layer, Native, Stack, State
from gatewise.nn import Recurrent

__all__ = ["add_recurrent", "layer_graph", "stack_of"]

_NATIVE = ("rnn", "lstm", "gru")


def stack_of(name: str, layer: Recurrent) -> tuple[Stack, dict[str, Array]]:
    """The layers as they compute in evaluation.

    Args:
        name: of the stack; its weights are called ``<name>.weight_hh_l0``, ...
        layer: any recurrent layer.

    Returns:
        The stack, and its weights by name.

    Raises:
        ConversionError: a person's own cell does something that cannot be captured.

    Example:
        >>> from gatewise.nn import GRU
        >>> stack, weights = stack_of("words", GRU(2, 3, bidirectional=True))
        >>> stack.width, stack.layers[0].directions[1].reverse, weights["words.weight_hh_l0_reverse"].shape
        (6, True, (9, 3))
    """
    weights: dict[str, Array] = {}
    layers = []
    for depth in range(layer.num_layers):
        directions = [
            _direction(name, layer, depth, suffix, weights) for place, suffix in layer._places if place == depth
        ]
        layers.append(Layer(tuple(directions), layer.residual and depth > 0))
    return Stack(name, layer.input_size, tuple(layers)), weights


def _direction(name: str, layer: Recurrent, depth: int, suffix: str, weights: dict[str, Array]) -> Direction:
    cell = layer._cells[depth]
    given = {short: getattr(layer, full).detach() for short, full in layer._full_names[suffix]}
    names = {short: f"{name}.{short}{suffix}" for short in given}
    project, step, found = capture_cell(cell, given, names)
    weights.update(found)
    states = []
    for state, size in zip(cell.states, cell.state_sizes(), strict=True):
        initial = None
        if layer.learned_initial_state:
            initial = f"{name}.initial_{state}{suffix}"
            weights[initial] = _array(getattr(layer, f"initial_{state}{suffix}"))
        states.append(State(state, size, initial))
    native = None
    if _is_native(layer, depth):
        for short, value in given.items():
            weights[names[short]] = _array(value)
        options = tuple((key, value) for key, value in cell.options().items() if key != "proj_size")
        native = Native(cell.name, options, tuple(names.items()))  # type: ignore[arg-type]
    step = _with_zoneout(step, layer.zoneout, [state.width for state in states])
    return Direction("reverse" in suffix, project, step, tuple(states), native)


def _array(value: Any) -> Array:
    return np.ascontiguousarray(value.detach().cpu().numpy(), dtype=np.float32)


def _is_native(layer: Recurrent, depth: int) -> bool:
    """Whether a standard cell computes the same."""
    cell = layer._cells[depth]
    own = layer.layer_norm or any(layer.zoneout) or cell.options().get("proj_size")
    return cell.name in _NATIVE and type(cell).__module__.startswith("gatewise.nn.") and not own


def _with_zoneout(step: Program, rates: Sequence[float], widths: Sequence[int]) -> Program:
    """The step followed by zoneout's mean in evaluation: ``p old + (1 - p) new`` (Krueger et al., 2017)."""
    if not any(rates):
        return step
    expressions, outputs = list(step.expressions), list(step.outputs)
    for place, (p, width) in enumerate(zip(rates, widths, strict=True)):
        if p == 0:
            continue
        old, new, mixed = (f"z{kind}{place}" for kind in ("old", "new", "mixed"))
        expressions += [
            Expression(old, "mul", (f"s{place}", p), width),
            Expression(new, "mul", (step.outputs[place], 1.0 - p), width),
            Expression(mixed, "add", (old, new), width),
        ]
        outputs[place] = mixed
    return replace(step, expressions=tuple(expressions), outputs=tuple(outputs))


def add_recurrent(build: GraphBuilder, name: str, layer: Recurrent, value: str, initial: str | None = None) -> str:
    """Add recurrent layers to a graph and run them over a sequence; returns the output's name."""
    stack, weights = stack_of(name, layer)
    return build.run(build.stack(stack, weights), value, initial)


def layer_graph(layer: Recurrent) -> Graph:
    """Recurrent layers by themselves: the input ``x`` (T, I), the output ``output`` (T, D*H).

    Example:
        >>> from gatewise.nn import GRU
        >>> layer_graph(GRU(2, 3)).outputs
        {'output': 'v0'}
    """
    build = GraphBuilder(layer.cell)
    x = build.input("x", "T", layer.input_size, meaning="what the layer reads")
    build.output("output", add_recurrent(build, "recurrent", layer, x))
    return build.graph({"layer": layer.config()})
