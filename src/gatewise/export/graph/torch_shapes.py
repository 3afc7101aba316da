"""Operations of torch that change shapes alone, as expressions: one method for each, called as torch calls it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.export.graph.torch_values import BATCH, Collector, UnknownOperation, Value

__all__ = ["ShapeOperations"]


class ShapeOperations(Collector):
    """Views, parts and joined vectors."""

    def _unsqueeze(self, value: Value, axis: int) -> Value:
        if not value.flat or axis not in (-1, 1):
            raise UnknownOperation("unsqueeze", "more than one feature axis")
        return Value(value.name, value.width)

    def _squeeze(self, value: Value, axis: Any = None) -> Value:
        if value.width != 1 or value.flat or axis not in (-1, 1, [-1], [1]):
            raise UnknownOperation("squeeze")
        return Value(value.name, 1, True)

    def _expand(self, value: Value, shape: Sequence[int]) -> Value:
        if len(shape) != 2 or value.flat:
            raise UnknownOperation("expand", f"to {list(shape)}")
        width = value.width if shape[1] == -1 else shape[1]
        return value if width == value.width else self._emit("mul", (value.name, self._keep(torch.ones(width))), width)

    def _view(self, value: Value, shape: Sequence[int]) -> Value:
        if list(shape) not in ([BATCH, value.width], [-1, value.width], [BATCH, -1]) or value.flat:
            raise UnknownOperation("view", f"to {list(shape)}: more than one feature axis")
        return value

    _reshape = _view

    def _slice(
        self, value: Value, axis: int = 0, start: int | None = None, stop: int | None = None, by: int = 1
    ) -> Any:
        if axis == 0 and start in (0, None) and (stop is None or stop >= BATCH):
            return value
        if axis not in (-1, 1) or by != 1 or value.flat:
            raise UnknownOperation("slice", f"of axis {axis} by {by}")
        first, last, _ = slice(start, stop).indices(value.width)
        if (first, last) == (0, value.width):
            return value
        return self._emit("slice", (value.name,), last - first, first, last)

    def _narrow(self, value: Value, axis: int, start: int, length: int) -> Any:
        return self._slice(value, axis, start, start + length)

    def _split(self, value: Value, sizes: int | Sequence[int], axis: int = 0) -> Any:
        self._feature_axis("split", value, axis)
        if isinstance(sizes, int):
            sizes = [min(sizes, value.width - start) for start in range(0, value.width, sizes)]
        borders = np.cumsum([0, *sizes]).tolist()
        return [self._slice(value, 1, first, last) for first, last in itertools.pairwise(borders)]

    _split_with_sizes = _split

    def _chunk(self, value: Value, count: int, axis: int = 0) -> Any:
        return self._split(value, -(-value.width // count), axis)

    def _tensor_split(self, value: Value, count: int, axis: int = 0) -> Any:
        if not isinstance(count, int):
            raise UnknownOperation("tensor_split")
        least, more = divmod(value.width, count)
        return self._split(value, [least + (place < more) for place in range(count)], axis)

    def _cat(self, values: Sequence[Any], axis: int = 0) -> Value:
        if axis not in (-1, 1):
            raise UnknownOperation("cat", f"along axis {axis}")
        operands = [
            (self._keep(each), len(each)) if isinstance(each, Tensor) and each.dim() == 1 else self._operand(each)
            for each in values
        ]
        if any(not isinstance(each, str) for each, _ in operands):
            raise UnknownOperation("cat", "with a number")
        return self._emit("concat", [each for each, _ in operands], sum(width for _, width in operands))

    _concat = _cat

    def _pad(self, value: Value, sizes: Sequence[int], mode: str = "constant", fill: float | None = None) -> Value:
        if mode != "constant" or len(sizes) != 2 or min(sizes) < 0 or value.flat:
            raise UnknownOperation("pad", f"{mode} by {list(sizes)}")
        before, after = (torch.full((size,), fill or 0.0) for size in sizes)
        return self._cat([part for part in (before, value, after) if isinstance(part, Value) or len(part)], 1)
