"""The values of a traced step, and how expressions of them are collected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from gatewise.export.graph.expressions import Array, Expression, Operand

__all__ = ["BATCH", "Collector", "UnknownOperation", "Value"]

BATCH = 7
"""Rows with which a step is traced: a size that no cell has by chance is of no use here, any but 1 is."""


@dataclass(frozen=True)
class Value:
    """A value that depends on an input: (B, width), or (B,) where flat."""

    name: str
    width: int
    flat: bool = False


class UnknownOperation(Exception):
    """An operation that has no expression."""

    def __init__(self, operation: str, reason: str = "") -> None:
        super().__init__(operation)
        self.operation, self.reason = operation, reason


class Collector:
    """Collects expressions; what depends on weights alone arrives evaluated, as a tensor.

    Args:
        prefix: of the expressions' names.
        names: of the parameters in the graph, by short name.
        found: weights by name, to which those that are read are added.
    """

    def __init__(self, prefix: str, names: Mapping[str, str], found: dict[str, Array]) -> None:
        self.prefix, self.names, self.found = prefix, names, found
        self.expressions: list[Expression] = []
        self.parameters: dict[int, tuple[str, Tensor]] = {}

    def _emit(self, operation: str, operands: Sequence[Operand], width: int, *attributes: float) -> Value:
        name = f"{self.prefix}e{len(self.expressions)}"
        self.expressions.append(Expression(name, operation, tuple(operands), width, tuple(attributes)))
        return Value(name, width)

    def _operand(self, value: Any) -> tuple[Operand, int]:
        """An operand and its width; numbers have width 1."""
        if isinstance(value, Value):
            return value.name, value.width
        if isinstance(value, bool | int | float):
            return float(value), 1
        if isinstance(value, Tensor):
            if value.numel() == 1 and value.dim() <= 1:
                return float(value), 1
            if value.dim() == 2 and (value.shape[0] == 1 or bool((value == value[:1]).all())):
                value = value[0]
            if value.dim() == 1:
                return self._keep(value), value.shape[0]
        raise UnknownOperation("an operand", f"{type(value).__name__} {tuple(getattr(value, 'shape', ()))}")

    def _keep(self, tensor: Tensor) -> str:
        """The name of a tensor as a weight; a parameter has its own."""
        array = np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)
        name = self.parameters[id(tensor)][0] if id(tensor) in self.parameters else None
        if name is None:
            for known, kept in self.found.items():
                if kept.shape == array.shape and kept.dtype == array.dtype and np.array_equal(kept, array):
                    return known
            base = next(iter(self.names.values()), "cell.weight").split(".")[0]
            suffix = "_" + next(iter(self.names.values()), "cell.weight_").rpartition("_l")[2]
            name = f"{base}.{self.prefix}_folded{len(self.found)}_l{suffix[1:]}"
        self.found[name] = array
        return name

    def _unary(self, operation: str, value: Value) -> Value:
        found = self._emit(operation, (value.name,), value.width)
        return Value(found.name, found.width, value.flat)

    def _pair(self, operation: str, left: Any, right: Any) -> Value:
        flats = [each.flat for each in (left, right) if isinstance(each, Value)]
        if any(flats) and not all(flats):
            raise UnknownOperation(operation, "vectors (B,) and (B, N) together: use keepdim=True")
        (first, left_width), (second, right_width) = self._operand(left), self._operand(right)
        found = self._emit(operation, (first, second), max(left_width, right_width))
        return Value(found.name, found.width, any(flats))

    def _feature_axis(self, operation: str, value: Value, axis: Any) -> None:
        axes = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
        if axes not in ((-1,), (1,)) or value.flat:
            raise UnknownOperation(operation, f"over axis {axis}: a step sees one row at a time")
