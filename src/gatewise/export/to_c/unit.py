"""What a C file is made of: which functions and weights its code asked for. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gatewise.export.graph.expressions import Array, Expression, is_weight
from gatewise.export.graph.graph import Graph
from gatewise.export.to_c.helpers import Helpers
from gatewise.export.to_c.literals import array, identifier

__all__ = ["Unit"]


class Unit:
    """Collects functions and weights.

    Args:
        graph: of which.

    Attributes:
        helpers: functions of `parts/operations.h`.
        functions: those of the recurrent layers, in order.
        products: multiply-adds of what was emitted since it was set to 0.
        tables: weights that are read as they are; all other matrices are stored column by column.
    """

    def __init__(self, graph: Graph) -> None:
        self.weights: Mapping[str, Array] = graph.weights
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

    @property
    def bytes(self) -> int:
        """Of all weights."""
        return sum(self.weights[name].nbytes for name in self._names)

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


def _expressions(graph: Graph) -> Iterator[Expression]:
    for node in graph.nodes:
        if isinstance(node, Expression):
            yield node
    for stack in graph.stacks.values():
        for layer in stack.layers:
            for direction in layer.directions:
                yield from direction.project.expressions
                yield from direction.step.expressions
