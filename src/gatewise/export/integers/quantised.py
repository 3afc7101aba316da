"""A whole graph in integers: its weights in 8 bits, and what each product reads. Imports no torch.

- Recurrent layers of products, sums, comparisons, tanh and the logistic function compute in integers alone (`stack`).
- Other products, of heads and of cells with other operations, read their vector in 16 bits and give float32; what is
  between them stays float32.
- Tables (embeddings) have 8 bits with a scale per row. Matrices of zeros and ones stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import Array, Expression
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import EachStep
from gatewise.export.integers.calibration import Ranges, measure_ranges, scope_of
from gatewise.export.integers.formats import Rows, fraction_of, rows_of
from gatewise.export.integers.stack import IntegerStack, integer_stack, why_not_integers

__all__ = ["Quantised", "matrices_of", "quantise_graph", "rounded_graph"]


@dataclass(frozen=True)
class Quantised:
    """A graph in integers.

    Attributes:
        graph: it, with its float weights.
        stacks: those that compute in integers alone, by name.
        mixed: why the others do not, by name: an operation.
        rows: matrices and tables in 8 bits, by name.
        reads: fraction bits of the vector that a product reads which gives float32, by scope and expression.
    """

    graph: Graph
    stacks: Mapping[str, IntegerStack]
    mixed: Mapping[str, str]
    rows: Mapping[str, Rows]
    reads: Mapping[str, int]


def quantise_graph(graph: Graph, examples: Sequence[Mapping[str, Any]]) -> Quantised:
    """Quantise a graph.

    Args:
        graph: the graph.
        examples: inputs of the training part, by which the ranges of all values are measured.

    Raises:
        ConversionError: there is no example, or the graph has a part without integers.
    """
    if any(isinstance(node, EachStep) for node in graph.nodes):
        raise ConversionError(
            "int8 does not go with sequences within a step (words read by their characters)",
            fix="use --to onnx --precision int8",
        )
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
    return Quantised(graph, stacks, mixed, rows, reads)


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
