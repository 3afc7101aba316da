"""What a trained model computes, as a flat list of nodes, and the builder by which each kind states it. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import OPERATIONS, Array, Expression, Operand, Program, is_weight
from gatewise.export.graph.grids import AddSteps, GridConvolution, GridMax, GridMean, GridNorm
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
    Stack,
    Steps,
    Viterbi,
)

__all__ = ["Example", "Graph", "GraphBuilder", "spread"]


@dataclass(frozen=True)
class Graph:
    """What a trained model computes for one example.

    Attributes:
        name: of the kind of problem, or of the layer.
        inputs: what is given.
        nodes: in the order of evaluation; each reads inputs and earlier nodes.
        outputs: name of the value by name of the output.
        stacks: recurrent layers by name.
        weights: arrays by name; every name has a dot.
        metadata: what turns texts or columns into inputs and outputs into answers, ready for JSON.
        writer: of a network that reads one sequence and then writes another token by token, one step of the writing:
            its inputs are the token before, its own states and outputs of this graph, see
            `gatewise.export.graph.writing`.
        program: Python that answers with the exported ONNX models alone, for the `README.md` beside them; empty: there
            is none.
    """

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, str]
    stacks: Mapping[str, Stack]
    weights: Mapping[str, Array]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    writer: Graph | None = None
    program: str = ""

    @property
    def values(self) -> dict[str, Input | Node]:
        """Each value's node, or the input, by its name; with ``steps``, ``width`` and ``wide``."""
        return {each.name: each for each in (*self.inputs, *self.nodes)}


@dataclass(frozen=True)
class Example:
    """One real example: what goes into a graph, and what the model makes of it.

    Attributes:
        inputs: arrays by input: (steps, width), tokens (steps,), inner ones a list of arrays; a vector (width,).
        outputs: arrays by output, of the trained model: (steps, width), tags (steps,), a vector (width,).
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Array]


def spread(total: int, count: int) -> Array:
    """At most ``count`` of so many places, evenly spread, in order.

    Example:
        >>> spread(10, 4).tolist(), spread(3, 9).tolist()
        ([0, 3, 6, 9], [0, 1, 2])
    """
    return np.unique(np.linspace(0, total - 1, min(count, total)).astype(np.int64)) if total else np.zeros(0, np.int64)


class GraphBuilder:
    """States a graph node by node; each method returns the name of the new value.

    Args:
        name: of the kind of problem, or of the layer.

    Example:
        >>> build = GraphBuilder("sums")
        >>> x = build.input("x", "T", 3)
        >>> build.output("sums", build.linear(build.pool(x, "mean"), np.ones((1, 3))))
        >>> [type(node).__name__ for node in build.graph().nodes]
        ['Pool', 'Expression']
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._inputs: list[Input] = []
        self._nodes: list[Node] = []
        self._outputs: dict[str, str] = {}
        self._stacks: dict[str, Stack] = {}
        self._weights: dict[str, Array] = {}
        self._values: dict[str, Input | Node] = {}

    def graph(self, metadata: Mapping[str, Any] | None = None, writer: Graph | None = None, program: str = "") -> Graph:
        """The finished graph."""
        return Graph(
            self._name,
            tuple(self._inputs),
            tuple(self._nodes),
            dict(self._outputs),
            dict(self._stacks),
            dict(self._weights),
            dict(metadata or {}),
            writer,
            program,
        )

    def steps(self, value: str) -> int | str | None:
        """Of a value."""
        return self._values[value].steps

    def width(self, value: str) -> int:
        """Of a value."""
        return self._values[value].width

    def input(self, name: str, steps: int | str | None, width: int, *, wide: bool = False, meaning: str = "") -> str:
        """Numbers."""
        return self._given(Input(name, steps, width, wide=wide, meaning=meaning))

    def tokens(self, name: str, limit: int, *, inner: bool = False, steps: str | None = "T", meaning: str = "") -> str:
        """Integers below ``limit``, one a step; with ``inner`` a sequence of them at each step; ``steps`` None: one."""
        return self._given(Input(name, steps, 1, tokens=True, limit=limit, inner=inner, meaning=meaning))

    def output(self, name: str, value: str) -> None:
        """Make a value an output."""
        self._outputs[name] = value

    def weight(self, values: Any, name: str | None = None, *, wide: bool = False) -> str:
        """Keep an array or tensor as a weight, and return its name; of the same name it is kept once."""
        array = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
        name = name or f"constant.{len(self._weights)}"
        if not is_weight(name):
            raise ConversionError(f"a weight's name needs a dot: {name!r}")
        self._weights.setdefault(name, np.ascontiguousarray(array, dtype=np.float64 if wide else np.float32))
        return name

    def embedding(self, tokens: str, table: Any, name: str | None = None) -> str:
        """The rows of a table (V, N)."""
        weight = self.weight(table, name)
        return self._add(
            Expression(
                self._new(), "embedding", (tokens, weight), self._weights[weight].shape[1], steps=self.steps(tokens)
            )
        )

    def linear(self, value: str, weight: Any, bias: Any = None, name: str | None = None) -> str:
        """``weight x + bias``; weights (O, I) and (O,)."""
        operands: tuple[Operand, ...] = (value, self.weight(weight, None if name is None else f"{name}.weight"))
        rows = self._weights[str(operands[1])].shape[0]
        if bias is not None:
            operands += (self.weight(bias, None if name is None else f"{name}.bias"),)
        return self._add(Expression(self._new(), "linear", operands, rows, steps=self.steps(value)))

    def product(self, value: str, weight: str, bias: str | None = None) -> str:
        """As `linear`, with weights that are kept already, by their names."""
        operands = (value, weight) if bias is None else (value, weight, bias)
        rows = self._weights[weight].shape[0]
        return self._add(Expression(self._new(), "linear", operands, rows, steps=self.steps(value)))

    def spread(self, value: str, matrix: Any, name: str) -> str:
        """A product of a wide value, or wide weight, with a constant matrix (O, I)."""
        if is_weight(value):
            return self.weight(
                np.asarray(matrix) @ self._weights[value], f"{value}_{name.replace('.', '_')}", wide=True
            )
        kept = self.weight(matrix, name, wide=True)
        rows = self._weights[kept].shape[0]
        return self._add(Expression(self._new(), "linear", (value, kept), rows, steps=self.steps(value), wide=True))

    def part(self, value: str, start: int, stop: int) -> str:
        """Features start to stop - 1 of a value or of a weight (N,)."""
        if not is_weight(value):
            return self.slice(value, start, stop)
        array = self._weights[value]
        if (start, stop) == (0, len(array)):
            return value
        return self.weight(array[start:stop], f"{value}_{start}_{stop}", wide=array.dtype == np.float64)

    def apply(self, operation: str, *operands: Operand, attributes: tuple[float, ...] = ()) -> str:
        """Any of `OPERATIONS`, at each step where an operand is a sequence."""
        if operation not in OPERATIONS:
            raise ConversionError(f"there is no operation {operation!r}", expected=", ".join(OPERATIONS))
        values = [self._values[each] for each in operands if isinstance(each, str) and not is_weight(each)]
        widths = [each.width for each in values]
        widths += [self._weights[each].shape[-1] for each in operands if isinstance(each, str) and is_weight(each)]
        width = max(widths)
        if operation == "slice":
            width = int(attributes[1] - attributes[0])
        elif operation == "concat":
            width = sum(widths)
        elif operation in ("sum", "mean", "greatest"):
            width = 1
        steps = next((each.steps for each in values if each.steps is not None), None)
        wide = bool(values) and values[0].wide
        return self._add(Expression(self._new(), operation, operands, width, attributes, steps, wide))

    def slice(self, value: str, start: int, stop: int) -> str:
        """Features start to stop - 1; the value itself where these are all."""
        if start == 0 and stop == self.width(value):
            return value
        return self.apply("slice", value, attributes=(start, stop))

    def concat(self, values: Sequence[str]) -> str:
        """Side by side; the value itself where it is the only one."""
        return values[0] if len(values) == 1 else self.apply("concat", *values)

    def stack(self, stack: Stack, weights: Mapping[str, Array]) -> str:
        """Keep recurrent layers, see `gatewise.export.graph.layers.stack_of`; returns their name."""
        self._stacks[stack.name] = stack
        self._weights.update(weights)
        return stack.name

    def run(self, stack: str, value: str, initial: str | None = None) -> str:
        """The output of a stack at every step of a sequence."""
        steps = self.steps(value)
        assert steps is not None
        return self._add(Run(self._new(), stack, value, steps, self._stacks[stack].width, initial))

    def pool(self, value: str, how: str, directions: int = 1) -> str:
        """One vector from all steps; several ways joined with ``+`` side by side."""
        wide, width = self._values[value].wide, self.width(value)
        return self.concat(
            [self._add(Pool(self._new(), value, each, width, directions, wide)) for each in how.split("+")]
        )

    def softmax_steps(self, value: str) -> str:
        """Weights over the steps of a sequence, which sum to 1."""
        steps = self.steps(value)
        assert steps is not None
        return self._add(SoftmaxSteps(self._new(), value, steps, self.width(value), self._values[value].wide))

    def advance(self, stack: Stack, weights: Mapping[str, Array], value: str, states: Sequence[str]) -> list[str]:
        """One step of recurrent layers of one direction.

        Args:
            stack: the layers.
            weights: theirs.
            value: the vector that the first layer reads.
            states: of every layer in turn, vectors.

        Returns:
            The output, then the states after the step.
        """
        self._weights.update(weights)
        found: list[str] = []
        for layer in stack.layers:
            (direction,) = layer.directions
            before = states[len(found) :][: len(direction.states)]
            (gates,) = self._program(direction.project, {"x": value})
            after = self._program(direction.step, {"gates": gates, **{f"s{i}": s for i, s in enumerate(before)}})
            found += after
            value = self.apply("add", after[0], value) if layer.residual else after[0]
        return [value, *found]

    def _program(self, program: Program, inputs: Mapping[str, str]) -> list[str]:
        """A program's expressions on vectors of the graph; returns its outputs."""
        names = dict(inputs)
        for each in program.expressions:
            operands = tuple(
                names.get(operand, operand) if isinstance(operand, str) else operand for operand in each.operands
            )
            names[each.name] = self._add(Expression(self._new(), each.operation, operands, each.width, each.attributes))
        return [names[name] for name in program.outputs]

    def take(self, value: str, start: int, count: int) -> str:
        """Consecutive steps; a negative start counts from the end."""
        return self._add(Steps(self._new(), value, start, count, self.width(value), self._values[value].wide))

    def join(self, values: Sequence[str]) -> str:
        """Sequences one after another."""
        if len(values) == 1 and self.steps(values[0]) is not None:
            return values[0]
        steps = sum(1 if self.steps(each) is None else int(self.steps(each) or 0) for each in values)
        first = self._values[values[0]]
        return self._add(JoinSteps(self._new(), tuple(values), steps, first.width, first.wide))

    def reshape(self, value: str, steps: int | None, width: int) -> str:
        """The same numbers in other steps."""
        return self._add(Reshape(self._new(), value, steps, width, self._values[value].wide))

    def accumulate(self, value: str) -> str:
        """Running sums over the steps."""
        first = self._values[value]
        return self._add(Accumulate(self._new(), value, int(first.steps or 0), first.width, first.wide))

    def convert(self, value: str, *, wide: bool) -> str:
        """In the network's precision, or float64."""
        first = self._values[value]
        return self._add(Convert(self._new(), value, first.steps, first.width, wide))

    def convolution(self, value: str, weight: Any, bias: Any, name: str) -> str:
        """A convolution over the steps."""
        kept = self.weight(weight, f"{name}.weight")
        steps = self.steps(value)
        assert steps is not None
        rows = self._weights[kept].shape[0]
        return self._add(Convolution(self._new(), value, kept, self.weight(bias, f"{name}.bias"), steps, rows))

    def add_steps(self, value: str, weight: Any, name: str) -> str:
        """Another vector (a row of (T, N)) added to each step."""
        first = self._values[value]
        kept = self.weight(weight, name)
        return self._add(AddSteps(self._new(), value, kept, self._known_steps(value), first.width))

    def grid_mean(self, value: str, shape: tuple[int, int], size: int) -> str:
        """The mean of the places around each place of a grid."""
        return self._add(GridMean(self._new(), value, shape, size, self._known_steps(value), self.width(value)))

    def grid_convolution(
        self, value: str, weight: Any, shape: tuple[int, int], name: str, *, repeated: bool = False
    ) -> str:
        """A convolution (O, I, K, K) over the steps as a grid, as large as before."""
        rows, kernel = int(weight.shape[0]), int(weight.shape[-1])
        kept = self.weight(weight.reshape(rows, -1), name)
        steps = self._known_steps(value)
        return self._add(GridConvolution(self._new(), value, kept, shape, kernel, steps, rows, repeated))

    def grid_norm(self, value: str, groups: int, weight: Any, bias: Any, epsilon: float, shape: tuple[int, int],
                  name: str) -> str:  # fmt: skip
        """Group normalisation."""
        kept = [self.weight(each, f"{name}.{part}") for each, part in ((weight, "weight"), (bias, "bias"))]
        steps, width = self._known_steps(value), self.width(value)
        return self._add(GridNorm(self._new(), value, kept[0], kept[1], groups, epsilon, shape, steps, width))

    def grid_max(
        self, value: str, shape: tuple[int, int], rows: Sequence[tuple[int, int]], columns: Sequence[tuple[int, int]]
    ) -> str:
        """The greatest values in windows of a grid."""
        steps = len(rows) * len(columns)
        return self._add(GridMax(self._new(), value, shape, tuple(rows), tuple(columns), steps, self.width(value)))

    def _known_steps(self, value: str) -> int:
        steps = self.steps(value)
        assert isinstance(steps, int)
        return steps

    def viterbi(self, value: str, transitions: Any, start: Any, end: Any) -> str:
        """The best tags."""
        steps = self.steps(value)
        assert steps is not None
        names = [
            self.weight(each, f"field.{name}")
            for name, each in (("transitions", transitions), ("start", start), ("end", end))
        ]
        return self._add(Viterbi(self._new(), value, names[0], names[1], names[2], steps))

    def each_step(self, value: str, body: Graph) -> str:
        """A graph for each step's inner sequence."""
        (output,) = body.outputs.values()
        steps = self.steps(value)
        assert steps is not None
        return self._add(EachStep(self._new(), value, body, steps, body.values[output].width))

    def _new(self) -> str:
        return f"v{len(self._nodes)}"

    def _given(self, value: Input) -> str:
        self._inputs.append(value)
        self._values[value.name] = value
        return value.name

    def _add(self, node: Node) -> str:
        self._nodes.append(node)
        self._values[node.name] = node
        return node.name
