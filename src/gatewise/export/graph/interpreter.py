"""The oracle: evaluates a graph in NumPy, in float64 or float32, over ragged batches. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import Array, Expression, apply, is_weight, run_program
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.grids import GRID_NODES, evaluate_grid
from gatewise.export.graph.nodes import (
    Accumulate,
    Convert,
    Convolution,
    Direction,
    EachStep,
    Input,
    JoinSteps,
    Node,
    Pool,
    Reshape,
    Run,
    SoftmaxSteps,
    Stack,
    Steps,
    Viterbi,
)

__all__ = ["Integers", "Interpreter", "States", "pad", "run_direction", "viterbi"]

Integers = npt.NDArray[np.int64]
States = list[list[tuple[Array, ...]]]
"""Per layer and direction the states, each (B, width)."""


def pad(rows: Sequence[npt.ArrayLike]) -> tuple[Array, Integers]:
    """Sequences of several lengths as one array (B, T, ..), 0 past their ends, with the lengths (B,).

    Example:
        >>> pad([[1, 2, 3], [4]])[0].tolist()
        [[1, 2, 3], [4, 0, 0]]
    """
    arrays = [np.asarray(row) for row in rows]
    lengths = np.array([len(row) for row in arrays], dtype=np.int64)
    whole = np.zeros((len(arrays), int(lengths.max(initial=0)), *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    for place, row in enumerate(arrays):
        whole[place, : len(row)] = row
    return whole, lengths


class Interpreter:
    """Evaluates a graph.

    Args:
        graph: the graph.
        dtype: float64, or float32 as the targets compute; wide values are float64 either way.

    Example:
        >>> from gatewise.export.graph import GraphBuilder
        >>> build = GraphBuilder("sums")
        >>> build.output("mean", build.pool(build.input("x", "T", 1), "mean"))
        >>> Interpreter(build.graph()).run([{"x": np.array([[1.0], [3.0]])}, {"x": np.array([[5.0]])}])["mean"]
        [array([2.]), array([5.])]
    """

    def __init__(self, graph: Graph, dtype: npt.DTypeLike = np.float64) -> None:
        self.graph = graph
        self.dtype = np.dtype(dtype)
        self.weights = {
            name: array if array.dtype == np.float64 else array.astype(self.dtype)
            for name, array in graph.weights.items()
        }

    def run(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, list[Array]]:
        """The outputs of several examples, evaluated as one ragged batch.

        Args:
            examples: the arrays of each by input, see `gatewise.export.graph.Example`.

        Returns:
            By output the array of each example.
        """
        state = _Batch(len(examples))
        for given in self.graph.inputs:
            self._give(given, [example[given.name] for example in examples], state)
        for node in self.graph.nodes:
            state.values[node.name] = self._evaluate(node, state)
        found: dict[str, list[Array]] = {}
        values = self.graph.values
        for name, value in self.graph.outputs.items():
            array = state.values[value]
            rows = [array[row] for row in range(len(examples))]
            if values[value].steps == "T":
                rows = [row[:length] for row, length in zip(rows, state.lengths, strict=True)]
            found[name] = rows
        return found

    def _give(self, given: Input, rows: Sequence[Any], state: _Batch) -> None:
        if given.inner:
            words, lengths = pad([np.array([len(word) for word in row]) for row in rows])
            longest = max(int(words.max(initial=0)), 1)
            array = np.zeros((*words.shape, longest), dtype=np.int64)
            for place, row in enumerate(rows):
                for step, word in enumerate(row):
                    array[place, step, : len(word)] = word
            state.inner[given.name] = np.maximum(words, 1)
        elif given.steps == "T":
            array, lengths = pad(rows)
        else:
            array, lengths = np.stack([np.asarray(row) for row in rows]), state.lengths
        if given.steps == "T":
            if state.lengths.size and not np.array_equal(state.lengths, lengths):
                raise ConversionError(f"the input {given.name} has other lengths than the one before it")
            state.lengths = lengths
        if not given.tokens:
            array = array.astype(np.float64 if given.wide else self.dtype)
        state.values[given.name] = array

    def _evaluate(self, node: Node, state: _Batch) -> Array:
        values = state.values
        if isinstance(node, Expression):
            found = self._expression(node, values)
            return np.broadcast_to(found, (state.size, *found.shape)) if node.operation == "constant" else found
        if isinstance(node, JoinSteps):
            parts = [values[each] for each in node.sources]
            return np.concatenate([part if part.ndim == 3 else part[:, None] for part in parts], axis=1)
        source = values[node.source]
        steps = self.graph.values[node.source].steps
        lengths = state.lengths if steps == "T" else np.full(state.size, source.shape[1])
        if isinstance(node, Run):
            before = None if node.initial is None else state.finals[node.initial]
            found, state.finals[node.name] = self._stack(self.graph.stacks[node.stack], source, lengths, before)
            return found
        if isinstance(node, Pool):
            return self._pool(node, source, lengths)
        if isinstance(node, SoftmaxSteps):
            return _softmax_steps(source, lengths)
        if isinstance(node, Steps):
            start = lengths + node.start if node.start < 0 else np.full(state.size, node.start)
            places = start[:, None] + np.arange(node.steps)
            return np.asarray(source[np.arange(state.size)[:, None], places])
        if isinstance(node, Reshape):
            shape = (node.width,) if node.steps is None else (node.steps, node.width)
            return source.reshape(state.size, *shape)
        if isinstance(node, Accumulate):
            return np.asarray(np.cumsum(source, axis=1))
        if isinstance(node, Convert):
            return source.astype(np.float64 if node.wide else self.dtype)
        if isinstance(node, Convolution):
            return self._convolution(node, source, lengths)
        if isinstance(node, GRID_NODES):
            return evaluate_grid(node, source, self.weights)
        if isinstance(node, Viterbi):
            weights = [self.weights[each] for each in (node.transitions, node.start, node.end)]
            return viterbi(source, lengths, *weights)
        return self._each_step(node, source, state)

    def _expression(self, node: Expression, values: Mapping[str, Array]) -> Array:
        floating = np.float64 if node.wide else self.dtype
        operands: list[Array] = []
        for operand in node.operands:
            if not isinstance(operand, str):
                operands.append(np.asarray(operand, dtype=floating))
            elif is_weight(operand):
                operands.append(self.weights[operand])
            else:
                value = values[operand]
                sequence = node.steps is not None and self.graph.values[operand].steps is None
                operands.append(value[:, None] if sequence else value)
        if node.operation == "embedding":
            return operands[1][operands[0]]
        return apply(node.operation, operands, node.attributes)

    def _pool(self, node: Pool, source: Array, lengths: Integers) -> Array:
        return _pool(node, source, lengths)

    def _stack(self, stack: Stack, x: Array, lengths: Integers, before: States | None) -> tuple[Array, States]:
        finals: States = []
        for depth, layer in enumerate(stack.layers):
            outputs, after = [], []
            for place, direction in enumerate(layer.directions):
                initial = None if before is None else before[depth][place]
                run = self._runs_programs(stack.name, depth, place)
                output, final = run_direction(direction, x, lengths, self.weights, initial, run)
                outputs.append(output)
                after.append(final)
            output = np.concatenate(outputs, axis=-1)
            x = output + x if layer.residual else output
            finals.append(after)
        return x, finals

    def _runs_programs(self, stack: str, depth: int, place: int) -> Callable[..., tuple[Array, ...]]:
        """What evaluates the programs of a direction of a layer, as `run_program` does."""
        return run_program

    def _convolution(self, node: Convolution, source: Array, lengths: Integers) -> Array:
        weight = self.weights[node.weight]
        half = weight.shape[2] // 2
        steps = source.shape[1]
        real = (np.arange(steps) < lengths[:, None])[..., None]
        padded = np.pad(np.where(real, source, 0), ((0, 0), (half, half), (0, 0)))
        found = self.weights[node.bias] + sum(
            padded[:, place : place + steps] @ weight[:, :, place].T for place in range(weight.shape[2])
        )
        return np.asarray(np.where(real, found, 0).astype(source.dtype))

    def _each_step(self, node: EachStep, source: Array, state: _Batch) -> Array:
        batch, steps, _ = source.shape
        lengths = state.inner[node.source].reshape(-1)
        words = source.reshape(batch * steps, -1)
        (given,) = node.body.inputs
        rows = [{given.name: word[:length]} for word, length in zip(words, lengths, strict=True)]
        (output,) = self._body(node).run(rows).values()
        return np.stack(output).reshape(batch, steps, node.width)

    def _body(self, node: EachStep) -> Interpreter:
        """What evaluates the sequences within steps."""
        return Interpreter(node.body, self.dtype)


@dataclass
class _Batch:
    """What is known of a batch so far."""

    size: int

    def __post_init__(self) -> None:
        self.values: dict[str, Array] = {}
        self.finals: dict[str, States] = {}
        self.inner: dict[str, Integers] = {}
        self.lengths: Integers = np.zeros(0, dtype=np.int64)


def run_direction(
    direction: Direction,
    x: Array,
    lengths: Integers,
    weights: Mapping[str, Array],
    initial: tuple[Array, ...] | None = None,
    run: Callable[..., tuple[Array, ...]] = run_program,
) -> tuple[Array, tuple[Array, ...]]:
    """One direction of one layer.

    Args:
        direction: the direction.
        x: (B, T, I); past an example's end anything.
        lengths: (B,).
        weights: by name, in x's precision.
        initial: the states before, each (B, width); None: the direction's own.
        run: evaluates a program, as `run_program` does.

    Returns:
        Output (B, T, H), 0 past an example's end, and the final states.
    """
    batch, steps, _ = x.shape
    state = initial or tuple(
        np.zeros((batch, each.width), dtype=x.dtype)
        if each.initial is None
        else np.tile(weights[each.initial], (batch, 1)).astype(x.dtype)
        for each in direction.states
    )
    real = (np.arange(steps) < lengths[:, None])[..., None]
    (gates,) = run(direction.project, {"x": np.where(real, x, 0)}, weights)
    gates = np.broadcast_to(gates, (batch, steps, gates.shape[-1]))
    output = np.zeros((batch, steps, direction.states[0].width), dtype=x.dtype)
    for t in reversed(range(steps)) if direction.reverse else range(steps):
        before = {f"s{place}": each for place, each in enumerate(state)}
        new = run(direction.step, {"gates": gates[:, t], **before}, weights)
        state = tuple(np.where(real[:, t], now, old).astype(x.dtype) for now, old in zip(new, state, strict=True))
        output[:, t] = np.where(real[:, t], state[0], 0)
    return output, state


def _softmax_steps(source: Array, lengths: Integers) -> Array:
    real = (np.arange(source.shape[1]) < lengths[:, None])[..., None]
    scores = np.where(real, source, -np.inf)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _pool(node: Pool, source: Array, lengths: Integers) -> Array:
    batch, steps, width = source.shape
    real = (np.arange(steps) < lengths[:, None])[..., None]
    if node.how in ("mean", "sum"):
        total = np.where(real, source, 0).sum(axis=1)
        return np.asarray(total / lengths[:, None].astype(source.dtype) if node.how == "mean" else total)
    if node.how == "max":
        return np.asarray(np.where(real, source, -np.inf).max(axis=1))
    last = source[np.arange(batch), lengths - 1]
    if node.directions == 1:
        return np.asarray(last)
    return np.concatenate([last[:, : width // 2], source[:, 0, width // 2 :]], axis=1)


def viterbi(scores: Array, lengths: Integers, transitions: Array, start: Array, end: Array) -> Integers:
    """The best tags of each example, (B, T), 0 past its end; see `gatewise.export.graph.nodes.Viterbi`.

    Example:
        >>> scores = np.array([[[0.0, 1.0], [1.0, 0.0]]])
        >>> viterbi(scores, np.array([2]), np.zeros((2, 2)), np.zeros(2), np.zeros(2)).tolist()
        [[1, 0]]
    """
    batch, steps, _ = scores.shape
    tags = np.zeros((batch, steps), dtype=np.int64)
    for row in range(batch):
        length = int(lengths[row])
        best = [scores[row, 0] + start]
        for t in range(1, length):
            best.append((best[-1][:, None] + transitions).max(axis=0) + scores[row, t])
        current = int((best[-1] + end).argmax())
        tags[row, length - 1] = current
        for t in range(length - 2, -1, -1):
            current = int((best[t] + transitions[:, current]).argmax())
            tags[row, t] = current
    return tags
