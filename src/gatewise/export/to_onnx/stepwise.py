"""The graph of one step of a stream: the states go in and come out."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from gatewise.export.graph.expressions import Expression
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import Accumulate, Convert, EachStep, Node, Pool, Reshape, Run
from gatewise.export.graph.stream import Stream, state_name
from gatewise.export.to_onnx.operations import Body, Names
from gatewise.export.to_onnx.recurrent import Ragged, emit_stack
from gatewise.export.to_onnx.whole import emit_inner

__all__ = ["NEXT", "emit_step"]

NEXT = "_next"
"""What the name of a state ends with where it is an output."""


def emit_step(graph: Graph, stream: Stream) -> Any:
    """One step as ``onnx.GraphProto``.

    Inputs are (B, N), tokens (B,), a word's characters (B, M) with ``<name>_lengths`` (B,), and each state (B, width);
    outputs are (B, N) and each state as ``<state>_next``.
    """
    names = Names(graph.weights)
    emitter = _StepEmitter(graph, stream, Body(names))
    inputs = []
    for given in stream.inputs:
        kind = TensorProto.INT64 if given.tokens else TensorProto.DOUBLE if given.wide else TensorProto.FLOAT
        shape: list[Any] = ["batch"] if given.tokens else ["batch", given.width]
        if given.inner:
            shape.append(f"{given.name}_time")
            inputs.append(helper.make_tensor_value_info(f"{given.name}_lengths", kind, ["batch"]))
        inputs.append(helper.make_tensor_value_info(given.name, kind, shape))
    for state in stream.states:
        inputs.append(helper.make_tensor_value_info(state.name, TensorProto.FLOAT, ["batch", state.width]))
    outputs = emitter.emit()
    return helper.make_graph(
        emitter.body.nodes, f"{graph.name} step", inputs, outputs, list(names.initializers.values())
    )


class _StepEmitter:
    """Emits the nodes of a stream.

    Args:
        graph: the graph.
        stream: its stream.
        body: where the nodes go.
    """

    def __init__(self, graph: Graph, stream: Stream, body: Body) -> None:
        self.graph, self.stream, self.body = graph, stream, body
        self.values = {given.name: given.name for given in stream.inputs}
        self.after: dict[str, str] = {}
        sequences = stream.sequences
        body.ranks = {node.name: 2 if node.name in sequences else 1 for node in (*stream.inputs, *stream.nodes)}

    def emit(self) -> list[Any]:
        """All nodes; returns the declarations of the outputs."""
        body = self.body
        if any(state.name == "steps" for state in self.stream.states):
            self.after["steps"] = body.add("Add", ["steps", body.constant(np.ones(1, dtype=np.float32))])
        for node in self.stream.nodes:
            self.values[node.name] = self._node(node)
        outputs = []
        known = self.graph.values
        for name, value in self.stream.outputs.items():
            kind = TensorProto.DOUBLE if known[value].wide else TensorProto.FLOAT
            shape: list[Any] = ["batch", known[value].width]
            if value in self.stream.sequences:
                body.nodes.append(helper.make_node("Transpose", [self.values[value]], [name], perm=[1, 0, 2]))
                shape.insert(1, known[value].steps)
            else:
                body.nodes.append(helper.make_node("Identity", [self.values[value]], [name]))
            outputs.append(helper.make_tensor_value_info(name, kind, shape))
        for state in self.stream.states:
            body.nodes.append(helper.make_node("Identity", [self.after[state.name]], [state.name + NEXT]))
            shape = ["batch", state.width]
            outputs.append(helper.make_tensor_value_info(state.name + NEXT, TensorProto.FLOAT, shape))
        return outputs

    def _node(self, node: Node) -> str:
        body = self.body
        if isinstance(node, Expression):
            return body.expression(node, self.values, flat=node.name not in self.stream.sequences)
        if isinstance(node, EachStep):
            return emit_inner(body, node, node.source, f"{node.source}_lengths")
        source = self.values[node.source]  # type: ignore[union-attr]
        if isinstance(node, Run):
            return self._run(node, source)
        if isinstance(node, Convert):
            return body.add("Cast", [source], to=TensorProto.DOUBLE if node.wide else TensorProto.FLOAT)
        if isinstance(node, Reshape):
            return self._reshape(node, source)
        if isinstance(node, Accumulate):
            return body.add("CumSum", [source, body.constant(np.int64(0))])
        if isinstance(node, Pool) and node.how != "last":
            name = state_name(node)
            joined = body.add("Max" if node.how == "max" else "Add", [name, source])
            self.after[name] = joined
            return joined if node.how == "max" else body.add("Div", [joined, self.after["steps"]])
        return source

    def _reshape(self, node: Reshape, source: str) -> str:
        """Sequences that a vector becomes are (T, B, N), as in the graph of whole sequences."""
        body = self.body
        if node.source in self.stream.sequences:
            source = body.add("Transpose", [source], perm=[1, 0, 2])
        if node.steps is None:
            return body.add("Reshape", [source, body.integers(-1, node.width)])
        shaped = body.add("Reshape", [source, body.integers(-1, node.steps, node.width)])
        return body.add("Transpose", [shaped], perm=[1, 0, 2])

    def _run(self, node: Run, source: str) -> str:
        stack = self.graph.stacks[node.stack]
        initial = [
            [tuple(state_name(node, depth, state.name) for state in layer.directions[0].states)]
            for depth, layer in enumerate(stack.layers)
        ]
        found, finals = emit_stack(self.body, stack, source, Ragged(None, None, ""), initial, single=True)
        for depth, layer in enumerate(stack.layers):
            for state, name in zip(layer.directions[0].states, finals[depth][0], strict=True):
                self.after[state_name(node, depth, state.name)] = name
        return found
