"""What a C file is made of: which functions and weights its code asked for. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gatewise.export.graph.expressions import Array, Expression, is_weight
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import EachStep
from gatewise.export.integers.formats import Rows
from gatewise.export.integers.quantised import Quantised
from gatewise.export.integers.stack import IntegerStack
from gatewise.export.to_c.helpers import Helpers
from gatewise.export.to_c.literals import array, identifier

__all__ = ["Unit"]

_BYTES = {"int8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "float": 4}


class Unit:
    """Collects functions and weights.

    Args:
        graph: of which.
        quantised: the same in integers; None: it is computed in float32.

    Attributes:
        helpers: functions of `parts/operations.h`.
        functions: those of the recurrent layers, in order.
        products: multiply-adds of what was emitted since it was set to 0.
        rows, reads, stacks: as of `gatewise.export.integers.Quantised`.
        tables: weights that are read as they are; all other matrices are stored column by column.
    """

    def __init__(self, graph: Graph, quantised: Quantised | None = None) -> None:
        self.rows: dict[str, Rows] = {}
        self.reads: dict[str, int] = {}
        self.stacks: dict[str, IntegerStack] = {}
        self._quantised("", quantised)
        self.weights: Mapping[str, Array] = _weights(graph)
        self.helpers = Helpers()
        self.functions: list[str] = []
        self.products = 0
        self.tables = {
            str(operand)
            for each in _expressions(graph)
            for place, operand in enumerate(each.operands)
            if is_weight(operand) and (each.operation != "linear" or place != 1)
        }
        self._names: dict[str, str] = {}
        self._by_column: set[str] = set()
        self._numbers: dict[str, tuple[str, Array, str]] = {}

    def _quantised(self, scope: str, quantised: Quantised | None) -> None:
        """Keep what is in integers, also of the sequences within steps, whose products have their node's scope."""
        if quantised is None:
            return
        self.rows |= quantised.rows
        self.stacks |= quantised.stacks
        self.reads |= {name if "/" in name else f"{scope}{name}": bits for name, bits in quantised.reads.items()}
        for name, body in quantised.bodies.items():
            self._quantised(f"{name}/", body)

    def is_wide(self, weight: str) -> bool:
        """Whether it is stored as double."""
        return self.weights[weight].dtype == np.float64

    def weight(self, name: str, *, by_column: bool = False) -> str:
        """Ask for a weight; returns its name in C."""
        if name not in self._names:
            found = identifier(name)
            while found in self._names.values():
                found += "_"
            self._names[name] = found
            if by_column:
                self._by_column.add(name)
        assert (name in self._by_column) == by_column, name
        return self._names[name]

    def packed(self, weight: str) -> str:
        """Ask for a matrix in 8 bits, row by row."""
        shape = " x ".join(str(size) for size in self.weights[weight].shape)
        return self.numbers(f"{weight}.packed", "int8_t", self.rows[weight].values, f"{weight}, {shape}")

    def scale(self, weight: str, power: int = 0) -> str:
        """Ask for the scales of its rows, times two to a power."""
        name = f"{weight}.scale" + (f"_{-power}" if power else "").replace("-", "m")
        return self.numbers(name, "float", self.rows[weight].scale * np.float32(2.0**power))

    def numbers(self, name: str, kind: str, values: Array, comment: str = "") -> str:
        """Ask for an array of constants; returns its name in C. The same name is the same array."""
        kept = self._numbers.setdefault(name, (kind, values, comment))
        assert np.array_equal(kept[1], values), name
        return identifier(name)

    @property
    def bytes(self) -> int:
        """Of all weights."""
        floats = sum(self.weights[name].nbytes for name in self._names)
        return floats + sum(_BYTES[kind] * np.size(values) for kind, values, _ in self._numbers.values())

    @property
    def arrays(self) -> Iterator[str]:
        """The weights in C."""
        for name, called in self._names.items():
            values = self.weights[name]
            shape = " x ".join(str(size) for size in values.shape)
            turned = name in self._by_column
            yield array(
                "double" if self.is_wide(name) else "float",
                called,
                values.T if turned else values,
                f"{name}, {shape}{', column by column' if turned else ''}",
            )

        for name, (kind, found, comment) in self._numbers.items():
            yield array(kind, identifier(name), found, comment)


def _weights(graph: Graph) -> dict[str, Array]:
    """Those of the graph, and of the graphs for sequences within its steps."""
    found = dict(graph.weights)
    for node in graph.nodes:
        if isinstance(node, EachStep):
            found |= _weights(node.body)
    return found


def _expressions(graph: Graph) -> Iterator[Expression]:
    for node in graph.nodes:
        if isinstance(node, Expression):
            yield node
        elif isinstance(node, EachStep):
            yield from _expressions(node.body)
    for stack in graph.stacks.values():
        for layer in stack.layers:
            for direction in layer.directions:
                yield from direction.project.expressions
                yield from direction.step.expressions
