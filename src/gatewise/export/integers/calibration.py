"""How large the values of a graph are on real examples. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import Array, Expression, Program, apply, is_weight
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.interpreter import Interpreter, States, run_direction
from gatewise.export.graph.nodes import Stack

__all__ = ["Ranges", "measure_ranges", "scope_of"]

Ranges = Mapping[str, float]
"""The greatest absolute value by name: of a graph's value ``v3``; within a stack ``recurrent/0/1/se5`` (layer,
direction, value), ``recurrent/0`` (the layer's output)."""

_AT_ONCE = 16


def scope_of(stack: str, depth: int, place: int) -> str:
    """What the names of a direction's values begin with."""
    return f"{stack}/{depth}/{place}/"


def measure_ranges(graph: Graph, examples: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The greatest absolute values over examples of the training part.

    Raises:
        ConversionError: there are none.
    """
    if not examples:
        raise ConversionError("there is no training example to calibrate with", fix="use data with a training part")
    recorder = _Recorder(graph)
    for start in range(0, len(examples), _AT_ONCE):
        recorder.run(examples[start : start + _AT_ONCE])
    return recorder.found


class _Recorder(Interpreter):
    """Evaluates in float32 and remembers the greatest values."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph, np.float32)
        self.found: dict[str, float] = {}

    def _note(self, name: str, values: Array) -> None:
        finite = np.abs(values[np.isfinite(values)])
        self.found[name] = max(self.found.get(name, 0.0), float(finite.max(initial=0.0)))

    def _expression(self, node: Expression, values: Mapping[str, Array]) -> Array:
        found = super()._expression(node, values)
        if node.operation == "linear":
            self._note(str(node.operands[0]), values[str(node.operands[0])])
        return found

    def _stack(self, stack: Stack, x: Array, lengths: Any, before: States | None) -> tuple[Array, States]:
        finals: States = []
        real = (np.arange(x.shape[1]) < lengths[:, None])[..., None]
        for depth, layer in enumerate(stack.layers):
            outputs, after = [], []
            for place, direction in enumerate(layer.directions):
                initial = None if before is None else before[depth][place]
                scope = scope_of(stack.name, depth, place)
                self._note(f"{scope}x", np.where(real, x, 0))
                output, final = run_direction(
                    direction,
                    x,
                    lengths,
                    self.weights,
                    initial,
                    lambda program, inputs, weights, scope=scope: self._program(program, inputs, weights, scope),
                )
                outputs.append(output)
                after.append(final)
            output = np.concatenate(outputs, axis=-1)
            x = output + x if layer.residual else output
            self._note(f"{stack.name}/{depth}", x)
            finals.append(after)
        return x, finals

    def _program(
        self, program: Program, inputs: Mapping[str, Array], weights: Mapping[str, Array], scope: str
    ) -> tuple[Array, ...]:
        values = dict(inputs)
        for name, value in inputs.items():
            if name.startswith("s"):
                self._note(f"{scope}{name}", value)
        for each in program.expressions:
            operands = [
                np.float32(operand)
                if not isinstance(operand, str)
                else weights[operand]
                if is_weight(operand)
                else values[operand]
                for operand in each.operands
            ]
            values[each.name] = apply(each.operation, [np.asarray(operand) for operand in operands], each.attributes)
            self._note(f"{scope}{each.name}", values[each.name])
        for place, name in enumerate(program.outputs):
            if "s0" in inputs:
                self._note(f"{scope}s{place}", values[name])
        return tuple(values[name] for name in program.outputs)
