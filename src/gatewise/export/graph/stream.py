"""Step by step: which outputs of a graph can be computed as values arrive, with which states, and how. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import Array, Expression, apply, is_weight, run_program
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.interpreter import Interpreter
from gatewise.export.graph.nodes import Accumulate, Convert, EachStep, Input, Node, Pool, Reshape, Run, Steps

__all__ = ["StepInterpreter", "Stream", "StreamState", "state_name", "stream_of", "way_round"]


@dataclass(frozen=True)
class StreamState:
    """What a stream carries from step to step.

    Attributes:
        name: unique, letters, digits and ``_``.
        width: its size.
        weight: the weight that it starts with; None: the number ``start`` everywhere.
        start: see ``weight``.
    """

    name: str
    width: int
    weight: str | None = None
    start: float = 0.0


@dataclass(frozen=True)
class Stream:
    """How a graph runs step by step: each node once per step, without an axis of time.

    ::

        Run            one step of each layer; states ``<run>_l<layer>_<state>``
        Pool last      the step's value
        Pool mean      (<pool>_sum + value) / (steps + 1); states ``<pool>_sum`` and ``steps``
        Pool max       max(<pool>_max, value); state ``<pool>_max``
        Steps, last K  the step's value: the caller keeps the last K
    Reshape        of a vector to a sequence of its own

    After n steps the outputs are those of the whole graph for the first n steps: of sequences its last step.

    Attributes:
        nodes: those that the outputs need, in the order of evaluation.
        inputs: those that the nodes need; sequences are given a step at a time.
        outputs: name of the value by name of the output.
        states: what is carried.
        left_out: reason by name of an output that needs the whole sequence.
        sequences: values that are sequences at every step, made from a vector: a forecast of several steps.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Input, ...]
    outputs: Mapping[str, str]
    states: tuple[StreamState, ...]
    left_out: Mapping[str, str]
    sequences: frozenset[str] = frozenset()


_LEAST = float(np.finfo(np.float32).min)


def state_name(node: Run | Pool, depth: int = 0, state: str = "") -> str:
    """The name of a stream's state of a run or pooling."""
    if isinstance(node, Run):
        return f"{node.stack}_l{depth}_{state}"
    return f"{node.name}_{'sum' if node.how == 'mean' else 'max'}"


def stream_of(graph: Graph) -> Stream:
    """The stream of a graph.

    Raises:
        ConversionError: no output can be computed step by step; the message says why.

    Example:
        >>> from gatewise.export.graph.layers import layer_graph
        >>> from gatewise.nn import GRU
        >>> [state.name for state in stream_of(layer_graph(GRU(2, 3, num_layers=2))).states]
        ['recurrent_l0_hidden', 'recurrent_l1_hidden']
    """
    kinds: dict[str, str] = {}
    reasons: dict[str, str] = {}
    used: set[str] = set()
    for given in graph.inputs:
        kinds[given.name] = "given" if given.steps is None else "step"
    for node in graph.nodes:
        sources = _sources(node)
        blocked = next((each for each in sources if each in reasons), None)
        if blocked is not None:
            reasons[node.name] = reasons[blocked]
            continue
        reason = _blocked(graph, node, [kinds[each] for each in sources])
        if isinstance(node, Run) and reason is None and node.stack in used:
            reason = "a recurrent layer is used twice"
        if reason is not None:
            reasons[node.name] = reason
            continue
        used.update([node.stack] if isinstance(node, Run) else [])
        if isinstance(node, Pool):
            kinds[node.name] = "summary"
        elif isinstance(node, Expression) and all(kinds[each] == "given" for each in sources):
            kinds[node.name] = "given"
        elif any(kinds[each] == "summary" for each in sources):
            kinds[node.name] = "summary"
        else:
            kinds[node.name] = "step"
    outputs = {name: value for name, value in graph.outputs.items() if value not in reasons}
    left_out = {name: reasons[value] for name, value in graph.outputs.items() if value in reasons}
    if not outputs:
        raise ConversionError("the network does not run step by step", got="; ".join(dict.fromkeys(left_out.values())))
    nodes = _needed(graph, outputs)
    read = {source for node in nodes for source in _sources(node)} | set(outputs.values())
    inputs = tuple(each for each in graph.inputs if each.name in read)
    whole = frozenset(node.name for node in nodes if kinds[node.name] == "summary" and node.steps is not None)
    return Stream(nodes, inputs, outputs, _states(graph, nodes), left_out, whole)


def way_round(graph: Graph) -> str:
    """What a caller does where a graph does not run step by step: what follows the reason; empty where nothing helps.

    Windows of a known length can be moved: one that moved by a row is another sequence to such a network, whose first
    steps change too, so that no state of the one before is of use, but it can be run as a whole.

    Example:
        >>> from gatewise.export.graph import GraphBuilder
        >>> build = GraphBuilder("windows")
        >>> build.output("moved", build.apply("sub", x := build.input("x", 12, 1), build.pool(x, "last")))
        >>> way_round(build.graph())
        '; keep the last 12 rows and run the whole window after each new one'
    """
    rows = [given.steps for given in graph.inputs if isinstance(given.steps, int)]
    return f"; keep the last {rows[0]} rows and run the whole window after each new one" if rows else ""


def _sources(node: Node) -> list[str]:
    if isinstance(node, Expression):
        return [each for each in node.operands if isinstance(each, str) and not is_weight(each)]
    found = list(getattr(node, "sources", ())) or [node.source]  # type: ignore[union-attr]
    return [*found, node.initial] if isinstance(node, Run) and node.initial is not None else found


def _blocked(graph: Graph, node: Node, kinds: list[str]) -> str | None:
    """Why a node needs the whole sequence; None where it does not."""
    if isinstance(node, Expression):
        if "step" in kinds and "summary" in kinds:
            return "each step is put in relation to the whole sequence (normalised by the window)"
        return None
    if isinstance(node, Run):
        if graph.stacks[node.stack].bidirectional:
            return "a bidirectional layer reads the sequence from its end as well"
        return None if node.initial is None else "a second recurrent layer starts where the first one ends"
    if isinstance(node, Pool) and node.how == "sum":
        return "the weights of a sum over the steps are known at its end only"
    if isinstance(node, Pool | Convert) or (isinstance(node, Reshape | Accumulate) and "step" not in kinds):
        return None
    if isinstance(node, EachStep):
        return None
    if isinstance(node, Steps) and node.start == -node.steps:
        return None
    return {
        "Viterbi": "the best sequence of tags is known at its end only",
        "Convolution": "a convolution looks ahead",
        "SoftmaxSteps": "the weights of a sum over the steps are known at its end only",
    }.get(type(node).__name__, "it is computed from the whole sequence")


def _needed(graph: Graph, outputs: Mapping[str, str]) -> tuple[Node, ...]:
    wanted = set(outputs.values())
    nodes = []
    for node in reversed(graph.nodes):
        if node.name in wanted:
            nodes.append(node)
            wanted.update(_sources(node))
    return tuple(reversed(nodes))


def _states(graph: Graph, nodes: tuple[Node, ...]) -> tuple[StreamState, ...]:
    states = []
    for node in nodes:
        if isinstance(node, Run):
            for depth, layer in enumerate(graph.stacks[node.stack].layers):
                for state in layer.directions[0].states:
                    states.append(StreamState(state_name(node, depth, state.name), state.width, state.initial))
        elif isinstance(node, Pool) and node.how == "max":
            states.append(StreamState(state_name(node), node.width, None, _LEAST))
        elif isinstance(node, Pool) and node.how == "mean":
            states.append(StreamState(state_name(node), node.width))
    if any(isinstance(node, Pool) and node.how == "mean" for node in nodes):
        states.append(StreamState("steps", 1))
    return tuple(states)


class StepInterpreter:
    """Evaluates a stream in NumPy.

    Args:
        graph: the graph.
        dtype: as of `gatewise.export.graph.Interpreter`.

    Example:
        >>> from gatewise.export.graph import GraphBuilder
        >>> build = GraphBuilder("sums")
        >>> build.output("mean", build.pool(build.input("x", "T", 1), "mean"))
        >>> stream = StepInterpreter(build.graph())
        >>> state = stream.initial(1)
        >>> for value in (1.0, 3.0):
        ...     outputs, state = stream.step({"x": np.array([[value]])}, state)
        >>> outputs["mean"]
        array([[2.]])
    """

    def __init__(self, graph: Graph, dtype: npt.DTypeLike = np.float64) -> None:
        self.graph, self.stream = graph, stream_of(graph)
        self.dtype = np.dtype(dtype)
        self._weights = Interpreter(graph, dtype).weights

    def initial(self, batch: int) -> dict[str, Array]:
        """The states before the first step, each (B, width)."""
        return {
            each.name: np.full((batch, each.width), each.start, dtype=self.dtype)
            if each.weight is None
            else np.tile(self._weights[each.weight], (batch, 1)).astype(self.dtype)
            for each in self.stream.states
        }

    def step(self, inputs: Mapping[str, Any], state: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """One step.

        Args:
            inputs: (B, width) of each; tokens (B,).
            state: of the step before.

        Returns:
            Outputs and new states, each (B, width).
        """
        new = dict(state)
        if "steps" in new:
            new["steps"] = new["steps"] + 1
        values: dict[str, Array] = {}
        for given in self.stream.inputs:
            floating = np.float64 if given.wide else self.dtype
            values[given.name] = np.asarray(inputs[given.name], dtype=np.int64 if given.tokens else floating)
        for node in self.stream.nodes:
            values[node.name] = self._evaluate(node, values, new)
        return {name: values[value] for name, value in self.stream.outputs.items()}, new

    def _evaluate(self, node: Node, values: Mapping[str, Array], new: dict[str, Array]) -> Array:
        if isinstance(node, Expression):
            return self._expression(node, values)
        source = values[node.source]  # type: ignore[union-attr]
        if isinstance(node, Run):
            return self._run(node, source, new)
        if isinstance(node, Convert):
            return source.astype(np.float64 if node.wide else self.dtype)
        if isinstance(node, Reshape):
            return source.reshape(len(source), *(() if node.steps is None else (node.steps,)), node.width)
        if isinstance(node, Accumulate):
            return np.asarray(np.cumsum(source, axis=1))
        if isinstance(node, Pool) and node.how == "max":
            new[state_name(node)] = np.maximum(new[state_name(node)], source)
            return new[state_name(node)]
        if isinstance(node, Pool) and node.how == "mean":
            new[state_name(node)] = new[state_name(node)] + source
            return np.asarray(new[state_name(node)] / new["steps"])
        if isinstance(node, EachStep):
            (given,) = node.body.inputs
            rows = [{given.name: np.asarray(word)} for word in source]
            (output,) = Interpreter(node.body, self.dtype).run(rows).values()
            return np.stack(output)
        return source

    def _expression(self, node: Expression, values: Mapping[str, Array]) -> Array:
        floating = np.float64 if node.wide else self.dtype
        sequences = self.stream.sequences
        operands: list[Array] = []
        for each in node.operands:
            if not isinstance(each, str):
                operands.append(np.asarray(each, dtype=floating))
            elif is_weight(each):
                operands.append(self._weights[each])
            else:
                repeated = node.name in sequences and each not in sequences
                operands.append(values[each][:, None] if repeated else values[each])
        return apply(node.operation, operands, node.attributes)

    def _run(self, node: Run, x: Array, new: dict[str, Array]) -> Array:
        for depth, layer in enumerate(self.graph.stacks[node.stack].layers):
            direction = layer.directions[0]
            names = [state_name(node, depth, state.name) for state in direction.states]
            (gates,) = run_program(direction.project, {"x": x}, self._weights)
            before = {f"s{place}": new[name] for place, name in enumerate(names)}
            after = run_program(direction.step, {"gates": gates, **before}, self._weights)
            new.update(zip(names, after, strict=True))
            x = after[0] + x if layer.residual else after[0]
        return x
