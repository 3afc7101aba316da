"""A whole graph in integers: its weights in 8 bits, and what each product reads. Imports no torch.

- Recurrent layers of products, sums, comparisons, tanh and the logistic function compute in integers alone (`stack`).
- Other products, of heads and of cells with other operations, read their vector in 16 bits and give float32; what is
  between them stays float32.
- Tables (embeddings) have 8 bits with a scale per row. Matrices of zeros and ones stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import Array, Expression, Operand, is_weight
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import EachStep
from gatewise.export.integers.calibration import Ranges, measure_ranges, scope_of
from gatewise.export.integers.formats import Rows, fraction_of, rows_of
from gatewise.export.integers.stack import IntegerStack, integer_stack, why_not_integers

__all__ = ["Quantised", "matrices_of", "quantise_graph", "refuse_weights", "rounded_graph"]

LARGEST_WEIGHT = 2.0**30
_MOST_INNER = 1000


@dataclass(frozen=True)
class Quantised:
    """A graph in integers.

    Attributes:
        graph: it, with its float weights.
        stacks: those that compute in integers alone, by name.
        mixed: why the others do not, by name: an operation.
        rows: matrices and tables in 8 bits, by name.
        reads: fraction bits of the vector that a product reads which gives float32, by scope and expression.
        bodies: the graphs for the sequences within steps, by node.
    """

    graph: Graph
    stacks: Mapping[str, IntegerStack]
    mixed: Mapping[str, str]
    rows: Mapping[str, Rows]
    reads: Mapping[str, int]
    bodies: Mapping[str, Quantised] = field(default_factory=dict)

    @property
    def all_mixed(self) -> dict[str, str]:
        """As ``mixed``, with the stacks of sequences within steps."""
        return {**self.mixed, **{name: why for each in self.bodies.values() for name, why in each.all_mixed.items()}}


def quantise_graph(graph: Graph, examples: Sequence[Mapping[str, Any]]) -> Quantised:
    """Quantise a graph.

    Args:
        graph: the graph.
        examples: inputs of the training part, by which the ranges of all values are measured.

    Raises:
        ConversionError: there is no example, the graph has a part without integers, or a weight is no finite number.
    """
    refuse_weights(graph, _read_weights(graph))
    ranges = measure_ranges(graph, examples)
    rows = {name: rows_of(graph.weights[name]) for name in matrices_of(graph)}
    stacks: dict[str, IntegerStack] = {}
    mixed: dict[str, str] = {}
    reads: dict[str, int] = {}
    for name, stack in graph.stacks.items():
        reason = why_not_integers(stack, ranges)
        if reason is None:
            stacks[name] = integer_stack(stack, ranges, graph.weights, rows)
            continue
        mixed[name] = reason
        for scope, expressions in _directions(graph, name):
            reads.update(_reads(scope, expressions, ranges, rows))
    reads.update(_reads("", [node for node in graph.nodes if isinstance(node, Expression)], ranges, rows))
    bodies = {
        node.name: quantise_graph(node.body, _inner(node, examples))
        for node in graph.nodes
        if isinstance(node, EachStep)
    }
    return Quantised(graph, stacks, mixed, rows, reads, bodies)


def _inner(node: EachStep, examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Different sequences within the steps of examples, the first ones."""
    (given,) = node.body.inputs
    found = {tuple(np.asarray(each).tolist()): None for example in examples for each in example[node.source]}
    return [{given.name: np.array(each, dtype=np.int64)} for each in list(found)[:_MOST_INNER]]


def refuse_weights(graph: Graph, names: Iterable[str]) -> None:
    """Refuse weights that no integer with a scale stands for.

    Raises:
        ConversionError: a weight holds NaN, infinity or a number of 2^30 and more; it names the weight and the place.
    """
    for name in names:
        weight = graph.weights[name]
        bad = np.argwhere(~(np.abs(weight) < LARGEST_WEIGHT))
        if len(bad):
            place, more = tuple(bad[0].tolist()), f", and {len(bad) - 1} more" if len(bad) > 1 else ""
            raise ConversionError(
                f"int8 does not go with the weight {name}",
                expected=f"finite numbers below {LARGEST_WEIGHT:,.0f}",
                got=f"{float(weight[place]):g} at {list(place)}{more}",
                fix="train again, with a lower learning rate or --clip-norm, or export without --precision",
            )


def _read_weights(graph: Graph) -> Iterator[str]:
    """Weights of recurrent layers, products and look-ups; in float64 there are none of 8 bits."""
    found: list[Operand] = []
    for stack in graph.stacks.values():  # whole parameters first: their names say more than those of their parts
        natives = [each.native for layer in stack.layers for each in layer.directions if each.native is not None]
        found += [name for native in natives for _, name in native.weights]
    found += [each for node in graph.nodes if isinstance(node, Expression) for each in node.operands]
    for key, stack in graph.stacks.items():
        found += [operand for _, each in _directions(graph, key) for one in each for operand in one.operands]
        states = [state for layer in stack.layers for each in layer.directions for state in each.states]
        found += [state.initial for state in states if state.initial is not None]
    for name in dict.fromkeys(each for each in found if is_weight(each)):
        if graph.weights[str(name)].dtype == np.float32:
            yield str(name)


def _reads(
    scope: str, expressions: Sequence[Expression], ranges: Ranges, rows: Mapping[str, Rows]
) -> Iterator[tuple[str, int]]:
    for each in expressions:
        if each.operation == "linear" and str(each.operands[1]) in rows:
            source = str(each.operands[0])
            yield f"{scope}{each.name}", fraction_of(ranges.get(f"{scope}{source}", 0.0))


def _directions(graph: Graph, name: str) -> Iterator[tuple[str, list[Expression]]]:
    for depth, layer in enumerate(graph.stacks[name].layers):
        for place, direction in enumerate(layer.directions):
            yield (
                scope_of(name, depth, place),
                [*direction.project.expressions, *direction.step.expressions],
            )


def matrices_of(graph: Graph) -> list[str]:
    """Weights that products or look-ups read, in float32 and not of zeros and ones alone."""
    expressions = [node for node in graph.nodes if isinstance(node, Expression)]
    for name in graph.stacks:
        for _, found in _directions(graph, name):
            expressions += found
    names = dict.fromkeys(str(each.operands[1]) for each in expressions if each.operation in ("linear", "embedding"))
    return [name for name in names if _is_quantised(graph.weights[name])]


def _is_quantised(weight: Array) -> bool:
    return weight.dtype == np.float32 and weight.ndim == 2 and not np.isin(weight, (0.0, 1.0)).all()


def rounded_graph(graph: Graph, rows: Mapping[str, Rows]) -> Graph:
    """The graph with the numbers that its weights in 8 bits stand for."""
    return replace(graph, weights={**graph.weights, **{name: each.floats for name, each in rows.items()}})
