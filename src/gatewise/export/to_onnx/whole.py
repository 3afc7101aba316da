"""The graph of whole sequences: batches of any size, of any length, ragged."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from gatewise.export.graph.expressions import Expression
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.grids import GRID_NODES, AddSteps, GridNode
from gatewise.export.graph.nodes import (
    Accumulate,
    Convert,
    Convolution,
    EachStep,
    Input,
    JoinSteps,
    Node,
    Pool,
    Reshape,
    Run,
    SoftmaxSteps,
    Steps,
    Viterbi,
)
from gatewise.export.to_onnx.grids import as_grid, as_steps, emit_grid
from gatewise.export.to_onnx.operations import Body, Names
from gatewise.export.to_onnx.recurrent import Ragged, States, emit_stack
from gatewise.export.to_onnx.tags import emit_viterbi

__all__ = ["Emitter", "emit_inner", "emit_whole"]


def emit_whole(graph: Graph) -> Any:
    """The graph as ``onnx.GraphProto``.

    Inputs are (B, T, N), tokens (B, T), vectors (B, N), a word's characters (B, T, M) with ``<name>_lengths`` (B, T);
    ``lengths`` (B,) says how long each sequence is. Outputs are (B, T, N), tags (B, T), vectors (B, N).
    """
    names = Names(graph.weights)
    body = Body(names)
    inputs, emitter = [], Emitter(graph, body)
    for given in graph.inputs:
        inputs.append(_declared(given))
        if given.inner:
            lengths = f"{given.name}_lengths"
            inputs.append(helper.make_tensor_value_info(lengths, TensorProto.INT64, ["batch", "time"]))
    if any(given.steps == "T" for given in graph.inputs):
        inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT64, ["batch"]))
    emitter.read_inputs()
    emitter.evaluate()
    outputs = [emitter.give(name, value) for name, value in graph.outputs.items()]
    return helper.make_graph(body.nodes, graph.name, inputs, outputs, list(names.initializers.values()))


def _declared(given: Input) -> Any:
    shape: list[Any] = ["batch"]
    if given.steps is not None:
        shape.append("time" if given.steps == "T" else given.steps)
    if given.inner:
        shape.append(f"{given.name}_time")
    elif not given.tokens:
        shape.append(given.width)
    kind = TensorProto.INT64 if given.tokens else TensorProto.DOUBLE if given.wide else TensorProto.FLOAT
    return helper.make_tensor_value_info(given.name, kind, shape)


class Emitter:
    """Emits a graph's nodes; sequences are (T, B, N) inside.

    Args:
        graph: the graph.
        body: where the nodes go.
    """

    def __init__(self, graph: Graph, body: Body) -> None:
        self.graph, self.body = graph, body
        self.values: dict[str, str] = _Values(self)
        self.grids: dict[str, str] = {}
        self.finals: dict[str, States] = {}
        self.known = graph.values
        self.mask: str | None = None
        self.lengths = self.lengths32 = self.batch = ""
        body.ranks = {name: 1 if value.steps is None else 2 for name, value in self.known.items()}

    def read_inputs(self) -> None:
        """Turn the model's inputs time first."""
        body = self.body
        for given in self.graph.inputs:
            if given.steps is None or given.inner:
                self.values[given.name] = given.name
            elif given.tokens:
                self.values[given.name] = body.add("Transpose", [given.name], perm=[1, 0])
            else:
                self.values[given.name] = body.add("Transpose", [given.name], perm=[1, 0, 2])
        first = next(given for given in self.graph.inputs)
        self.batch = body.add("Slice", [body.add("Shape", [first.name]), body.integers(0), body.integers(1)])
        ragged = next((given for given in self.graph.inputs if given.steps == "T"), None)
        if ragged is not None:
            steps = body.add("Slice", [body.add("Shape", [ragged.name]), body.integers(1), body.integers(2)])
            self.set_lengths("lengths", steps)

    def set_lengths(self, lengths: str, steps: str) -> None:
        """Derive the mask (T, B, 1) from lengths (B,) and T (1,)."""
        body = self.body
        self.lengths = lengths
        self.lengths32 = body.add("Cast", [lengths], to=TensorProto.INT32)
        count = body.add("Squeeze", [steps, body.integers(0)])
        zero, one = body.constant(np.int64(0)), body.constant(np.int64(1))
        places = body.add("Unsqueeze", [body.add("Range", [zero, count, one]), body.integers(1)])
        real = body.add("Less", [places, body.add("Unsqueeze", [lengths, body.integers(0)])])
        self.mask = body.add("Unsqueeze", [real, body.integers(2)])

    def evaluate(self) -> None:
        """All nodes."""
        for node in self.graph.nodes:
            if isinstance(node, GRID_NODES) or self._is_relu_of_grid(node):
                self._on_grid(node)  # type: ignore[arg-type]
            else:
                self.values[node.name] = self._node(node)

    def _is_relu_of_grid(self, node: Node) -> bool:
        return isinstance(node, Expression) and node.operation == "relu" and node.operands[0] in self.grids

    def _on_grid(self, node: GridNode | Expression) -> None:
        """Emit a node of a picture; it becomes a sequence where one is needed, see `_Values`."""
        body = self.body
        if isinstance(node, Expression):
            self.grids[node.name] = body.add("Relu", [self.grids[str(node.operands[0])]])
            return
        if isinstance(node, AddSteps):
            weight = body.add("Unsqueeze", [body.names.weight(node.weight), body.integers(1)])
            self.values[node.name] = body.add("Add", [self.values[node.source], weight])
            return
        width = self.known[node.source].width
        grid = self.grids.get(node.source)
        if grid is None:
            grid = as_grid(body, self.values[node.source], node.shape, width)
        self.grids[node.name] = emit_grid(body, node, grid, width)

    def give(self, name: str, value: str) -> Any:
        """An output, batch first, 0 past an example's end; returns its declaration."""
        body, node, found = self.body, self.known[value], self.values[value]
        tags = isinstance(node, Viterbi)
        if node.steps is not None:
            if node.steps == "T" and not tags:
                assert self.mask is not None
                found = body.add("Where", [self.mask, found, body.constant(np.zeros(1, dtype=_floating(node.wide)))])
            found = body.add("Transpose", [found], perm=[1, 0] if tags else [1, 0, 2])
        body.nodes.append(helper.make_node("Identity", [found], [name]))
        shape: list[Any] = ["batch"]
        if node.steps is not None:
            shape.append("time" if node.steps == "T" else node.steps)
        if not tags:
            shape.append(node.width)
        kind = TensorProto.INT64 if tags else TensorProto.DOUBLE if node.wide else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, kind, shape)

    def _ragged(self, source: str) -> Ragged:
        if self.known[source].steps == "T":
            return Ragged(self.mask, self.lengths32, self.batch)
        return Ragged(None, None, self.batch)

    def _node(self, node: Node) -> str:
        body, values = self.body, self.values
        if isinstance(node, Expression):
            return self._expression(node)
        if isinstance(node, JoinSteps):
            parts = [
                values[each]
                if self.known[each].steps is not None
                else body.add("Unsqueeze", [values[each], body.integers(0)])
                for each in node.sources
            ]
            return body.add("Concat", parts, axis=0)
        source = values[node.source]
        if isinstance(node, Run):
            initial = None if node.initial is None else self.finals[node.initial]
            stack = self.graph.stacks[node.stack]
            found, self.finals[node.name] = emit_stack(body, stack, source, self._ragged(node.source), initial)
            return found
        if isinstance(node, Pool):
            return self._pool(node, source)
        if isinstance(node, SoftmaxSteps):
            if self.known[node.source].steps == "T":
                assert self.mask is not None
                least = body.constant(np.full(1, -np.inf, dtype=_floating(node.wide)))
                source = body.add("Where", [self.mask, source, least])
            return body.add("Softmax", [source], axis=0)
        if isinstance(node, Steps):
            return self._steps(node, source)
        if isinstance(node, Reshape):
            return self._reshape(node, source)
        if isinstance(node, Accumulate):
            return body.add("CumSum", [source, body.constant(np.int64(0))])
        if isinstance(node, Convert):
            return body.add("Cast", [source], to=TensorProto.DOUBLE if node.wide else TensorProto.FLOAT)
        if isinstance(node, Convolution):
            return self._convolution(node, source)
        if isinstance(node, Viterbi):
            weights = [body.names.weight(each) for each in (node.transitions, node.start, node.end)]
            assert self.mask is not None
            width = self.known[node.source].width
            return emit_viterbi(body, source, self.mask, self.lengths, weights, self.batch, width)
        assert isinstance(node, EachStep)
        return self._each_step(node)

    def _expression(self, node: Expression) -> str:
        found = self.body.expression(node, self.values, flat=node.steps is None)
        if node.operation != "constant":
            return found
        shape = self.body.add("Concat", [self.batch, self.body.integers(node.width)], axis=0)
        return self.body.add("Expand", [found, shape])

    def _at_end(self, source: str, name: str, start: int, count: int) -> str:
        """``count`` steps from ``start`` (negative: from each example's end) of a ragged sequence, (B, count, N)."""
        body = self.body
        begin = body.add("Unsqueeze", [self.lengths, body.integers(1)])
        places = body.add("Add", [begin, body.constant(np.arange(start, start + count, dtype=np.int64)[None])])
        turned = body.add("Transpose", [source], perm=[1, 0, 2])
        return body.add("GatherND", [turned, body.add("Unsqueeze", [places, body.integers(2)])], batch_dims=1)

    def _pool(self, node: Pool, source: str) -> str:
        body, ragged = self.body, self.known[node.source].steps == "T"
        if node.how == "last":
            if ragged:
                last = body.add("Squeeze", [self._at_end(source, node.source, -1, 1), body.integers(1)])
            else:
                last = body.add("Gather", [source, body.constant(np.int64(-1))], axis=0)
            if node.directions == 1:
                return last
            first = body.add("Gather", [source, body.constant(np.int64(0))], axis=0)
            half = node.width // 2
            ahead = body.add("Slice", [last, body.integers(0), body.integers(half), body.integers(-1)])
            back = body.add("Slice", [first, body.integers(half), body.integers(node.width), body.integers(-1)])
            return body.add("Concat", [ahead, back], axis=-1)
        floating = _floating(node.wide)
        fill = -np.inf if node.how == "max" else 0.0
        if ragged:
            assert self.mask is not None
            source = body.add("Where", [self.mask, source, body.constant(np.full(1, fill, dtype=floating))])
        if node.how == "max":
            return body.add("ReduceMax", [source], axes=[0], keepdims=0)
        if node.how == "sum":
            return body.add("ReduceSum", [source, body.integers(0)], keepdims=0)
        if not ragged:
            return body.add("ReduceMean", [source], axes=[0], keepdims=0)
        total = body.add("ReduceSum", [source, body.integers(0)], keepdims=0)
        count = body.add("Cast", [self.lengths], to=TensorProto.DOUBLE if node.wide else TensorProto.FLOAT)
        return body.add("Div", [total, body.add("Unsqueeze", [count, body.integers(1)])])

    def _steps(self, node: Steps, source: str) -> str:
        body, steps = self.body, self.known[node.source].steps
        if steps == "T" and node.start < 0:
            return body.add("Transpose", [self._at_end(source, node.source, node.start, node.steps)], perm=[1, 0, 2])
        start = node.start if node.start >= 0 or not isinstance(steps, int) else steps + node.start
        return body.add("Slice", [source, body.integers(start), body.integers(start + node.steps), body.integers(0)])

    def _reshape(self, node: Reshape, source: str) -> str:
        body = self.body
        if self.known[node.source].steps is not None:
            source = body.add("Transpose", [source], perm=[1, 0, 2])
        if node.steps is None:
            return body.add("Reshape", [source, body.integers(-1, node.width)])
        shaped = body.add("Reshape", [source, body.integers(-1, node.steps, node.width)])
        return body.add("Transpose", [shaped], perm=[1, 0, 2])

    def _convolution(self, node: Convolution, source: str) -> str:
        body = self.body
        if self.known[node.source].steps == "T":
            assert self.mask is not None
            source = body.add("Where", [self.mask, source, body.constant(np.zeros(1, dtype=np.float32))])
        turned = body.add("Transpose", [source], perm=[1, 2, 0])
        half = body.names.weights[node.weight].shape[2] // 2
        weights = [body.names.weight(each) for each in (node.weight, node.bias)]
        found = body.add("Conv", [turned, *weights], pads=[half, half])
        return body.add("Transpose", [found], perm=[2, 0, 1])

    def _each_step(self, node: EachStep) -> str:
        """The inner sequences of all steps as one batch; empty ones, past an example's end, count as one token."""
        body, source = self.body, self.values[node.source]
        rest = body.add("Slice", [body.add("Shape", [source]), body.integers(2), body.integers(3)])
        flat = body.add("Reshape", [source, body.add("Concat", [body.integers(-1), rest], axis=0)])
        lengths = body.add("Reshape", [f"{node.source}_lengths", body.integers(-1)])
        found = emit_inner(body, node, flat, lengths)
        body.ranks = {name: 1 if value.steps is None else 2 for name, value in self.known.items()}
        outer = body.add("Slice", [body.add("Shape", [source]), body.integers(0), body.integers(2)])
        shape = body.add("Concat", [outer, body.integers(node.width)], axis=0)
        return body.add("Transpose", [body.add("Reshape", [found, shape])], perm=[1, 0, 2])


class _Values(dict[str, str]):
    """The names of values; a grid becomes a sequence when it is first asked for."""

    def __init__(self, emitter: Emitter) -> None:
        super().__init__()
        self._emitter = emitter

    def __missing__(self, name: str) -> str:
        known = self._emitter.known[name]
        assert isinstance(known.steps, int)
        self[name] = as_steps(self._emitter.body, self._emitter.grids[name], known.steps, known.width)
        return self[name]


def emit_inner(body: Body, node: EachStep, tokens: str, lengths: str) -> str:
    """The graph of inner sequences: tokens (F, M) with lengths (F,) in, (F, width) out."""
    body.names.weights.update(node.body.weights)
    (given,) = node.body.inputs
    inner = Emitter(node.body, body)
    inner.values[given.name] = body.add("Transpose", [tokens], perm=[1, 0])
    lengths = body.add("Max", [lengths, body.integers(1)])
    inner.batch = body.add("Shape", [lengths])
    steps = body.add("Slice", [body.add("Shape", [tokens]), body.integers(1), body.integers(2)])
    inner.set_lengths(lengths, steps)
    inner.evaluate()
    (value,) = node.body.outputs.values()
    return inner.values[value]


def _floating(wide: bool) -> Any:
    return np.float64 if wide else np.float32
