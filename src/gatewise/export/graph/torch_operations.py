"""Operations of torch as expressions: one method for each, called as torch calls it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.export.graph.expressions import Array, Expression, Operand

__all__ = ["BATCH", "BINARY", "SAME", "UNARY", "Operations", "UnknownOperation", "Value"]

BATCH = 7
"""Rows with which a step is traced: a size that no cell has by chance is of no use here, any but 1 is."""


@dataclass(frozen=True)
class Value:
    """A value that depends on an input: (B, width), or (B,) where flat."""

    name: str
    width: int
    flat: bool = False


UNARY = {
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "log_sigmoid": "log_sigmoid",
    "relu": "relu",
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "neg": "neg",
    "abs": "abs",
    "sign": "sign",
    "sin": "sin",
    "cos": "cos",
    "erf": "erf",
    "floor": "floor",
}
BINARY = {
    "mul": "mul",
    "div": "div",
    "pow": "pow",
    "maximum": "max",
    "minimum": "min",
    "ge": "ge",
    "gt": "gt",
    "le": "le",
    "lt": "lt",
    "eq": "eq",
    "ne": "ne",
}
SAME = {"clone", "detach", "contiguous", "alias", "lift_fresh_copy", "_to_copy", "to"}


class UnknownOperation(Exception):
    """An operation that has no expression."""

    def __init__(self, operation: str, reason: str = "") -> None:
        super().__init__(operation)
        self.operation, self.reason = operation, reason


class Operations:
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
        return _flat(self._emit(operation, (value.name,), value.width), value)

    def _pair(self, operation: str, left: Any, right: Any) -> Value:
        flats = [each.flat for each in (left, right) if isinstance(each, Value)]
        if any(flats) and not all(flats):
            raise UnknownOperation(operation, "vectors (B,) and (B, N) together: use keepdim=True")
        (first, left_width), (second, right_width) = self._operand(left), self._operand(right)
        found = self._emit(operation, (first, second), max(left_width, right_width))
        return Value(found.name, found.width, any(flats))

    # operations of torch, by their names

    def _add(self, left: Any, right: Any, alpha: float = 1) -> Value:
        return self._pair("add", left, right if alpha == 1 else self._scaled(right, alpha))

    def _sub(self, left: Any, right: Any, alpha: float = 1) -> Value:
        return self._pair("sub", left, right if alpha == 1 else self._scaled(right, alpha))

    def _rsub(self, left: Any, right: Any, alpha: float = 1) -> Value:
        return self._sub(right, left, alpha)

    def _scaled(self, value: Any, factor: float) -> Any:
        return self._pair("mul", value, factor) if isinstance(value, Value) else value * factor

    def _dropout(self, value: Value, p: float, training: bool) -> Value:
        if training and p:
            raise UnknownOperation("dropout", "in evaluation a step has to be certain")
        return value

    def _logical_and(self, left: Any, right: Any) -> Value:
        return self._pair("mul", left, right)

    def _logical_or(self, left: Any, right: Any) -> Value:
        return self._pair("max", left, right)

    def _logical_not(self, value: Value) -> Value:
        return self._pair("sub", 1.0, value)

    _and, _or = _logical_and, _logical_or
    _bitwise_and, _bitwise_or, _bitwise_not = _logical_and, _logical_or, _logical_not

    def _square(self, value: Value) -> Value:
        return self._pair("mul", value, value)

    def _reciprocal(self, value: Value) -> Value:
        return self._pair("div", 1.0, value)

    def _rsqrt(self, value: Value) -> Value:
        return self._pair("div", 1.0, self._unary("sqrt", value))

    def _softplus(self, value: Value, beta: float = 1, threshold: float = 20) -> Value:
        scaled = value if beta == 1 else self._pair("mul", value, beta)
        smooth = self._unary("softplus", scaled)
        return smooth if beta == 1 else self._pair("div", smooth, beta)

    def _silu(self, value: Value) -> Value:
        return self._pair("mul", value, self._unary("sigmoid", value))

    def _gelu(self, value: Value, approximate: str = "none") -> Value:
        if approximate == "none":
            inner = self._unary("erf", self._pair("mul", value, 0.5**0.5))
        else:
            cubed = self._pair("mul", self._pair("mul", value, value), value)
            inner = self._pair("add", value, self._pair("mul", cubed, 0.044715))
            inner = self._unary("tanh", self._pair("mul", inner, (2 / np.pi) ** 0.5))
        return self._pair("mul", self._pair("mul", value, 0.5), self._pair("add", inner, 1.0))

    def _leaky_relu(self, value: Value, slope: float = 0.01) -> Value:
        return self._where(self._pair("ge", value, 0.0), value, self._pair("mul", value, slope))

    def _elu(self, value: Value, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Value:
        low = self._pair("min", value, 0.0)
        grown = self._pair("sub", self._unary("exp", self._pair("mul", low, input_scale)), 1.0)
        bent = self._where(self._pair("gt", value, 0.0), value, self._pair("mul", grown, alpha))
        return bent if scale == 1 else self._pair("mul", bent, scale)

    def _selu(self, value: Value) -> Value:
        return self._elu(value, 1.6732632423543772, 1.0507009873554805)

    def _expm1(self, value: Value) -> Value:
        return self._pair("sub", self._unary("exp", value), 1.0)

    def _log1p(self, value: Value) -> Value:
        return self._unary("log", self._pair("add", value, 1.0))

    def _clamp(self, value: Value, least: Any = None, most: Any = None, **keywords: Any) -> Value:
        least, most = keywords.get("min", least), keywords.get("max", most)
        value = value if least is None else self._pair("max", value, least)
        return value if most is None else self._pair("min", value, most)

    def _clamp_min(self, value: Value, least: Any) -> Value:
        return self._pair("max", value, least)

    def _clamp_max(self, value: Value, most: Any) -> Value:
        return self._pair("min", value, most)

    def _hardtanh(self, value: Value, least: float = -1, most: float = 1) -> Value:
        return self._clamp(value, least, most)

    def _relu6(self, value: Value) -> Value:
        return self._clamp(value, 0.0, 6.0)

    def _hardsigmoid(self, value: Value) -> Value:
        return self._clamp(self._pair("add", self._pair("div", value, 6.0), 0.5), 0.0, 1.0)

    def _lerp(self, start: Any, end: Any, weight: Any) -> Value:
        return self._pair("add", start, self._pair("mul", weight, self._pair("sub", end, start)))

    def _addcmul(self, value: Any, left: Any, right: Any, value_: float = 1, **keywords: float) -> Value:
        return self._pair("add", value, self._scaled(self._pair("mul", left, right), keywords.get("value", value_)))

    def _where(self, condition: Any, left: Any, right: Any) -> Value:
        operands = [self._operand(each) for each in (condition, left, right)]
        values = [each for each in (condition, left, right) if isinstance(each, Value)]
        if any(each.flat for each in values):
            raise UnknownOperation("where", "a condition (B,): use keepdim=True")
        return self._emit("where", [each for each, _ in operands], max(width for _, width in operands))

    def _linear(self, value: Any, weight: Any, bias: Tensor | None = None) -> Value:
        if not isinstance(value, Value) or not isinstance(weight, Tensor) or value.flat:
            raise UnknownOperation("linear", "a product of two values that both depend on the input")
        if weight.dim() == 1:
            weight = weight[None]
        operands: list[Operand] = [value.name, self._keep(weight)]
        if bias is not None:
            operands.append(self._keep(bias))
        return self._emit("linear", operands, weight.shape[0])

    def _matmul(self, left: Any, right: Any) -> Value:
        if not isinstance(right, Tensor):
            raise UnknownOperation("matmul", "a product whose second factor is no weight")
        found = self._linear(left, right if right.dim() == 1 else self._turned(right))
        return Value(found.name, found.width, right.dim() == 1)

    _mm = _matmul
    _mv = _matmul

    def _turned(self, weight: Tensor) -> Tensor:
        """The transpose; the parameter itself where the weight is its transpose."""
        for _, known in self.parameters.values():
            if known.data_ptr() == weight.data_ptr() and torch.equal(known, weight.t()):
                return known
        return weight.t().contiguous()

    def _addmm(self, bias: Any, left: Any, right: Any, beta: float = 1, alpha: float = 1) -> Value:
        product = self._scaled(self._matmul(left, right), alpha) if alpha != 1 else self._matmul(left, right)
        return self._pair("add", product, bias if beta == 1 else bias * beta)

    def _layer_norm(
        self,
        value: Value,
        shape: Sequence[int],
        gain: Tensor | None = None,
        bias: Tensor | None = None,
        epsilon: float = 1e-5,
        *_: Any,
    ) -> Value:
        if tuple(shape) != (value.width,):
            raise UnknownOperation("layer_norm", f"over {tuple(shape)}")
        operands: list[Operand] = [value.name]
        if gain is not None or bias is not None:
            operands.append(self._keep(torch.ones(value.width) if gain is None else gain))
        if bias is not None:
            operands.append(self._keep(bias))
        return self._emit("layer_norm", operands, value.width, epsilon)

    def _native_layer_norm(self, value: Value, shape: Sequence[int], gain: Any, bias: Any, epsilon: float) -> Any:
        return (self._layer_norm(value, shape, gain, bias, epsilon), None, None)

    def _softmax(self, value: Value, axis: int, *_: Any) -> Value:
        self._feature_axis("softmax", value, axis)
        return self._emit("softmax", (value.name,), value.width)

    def _feature_axis(self, operation: str, value: Value, axis: Any) -> None:
        axes = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
        if axes not in ((-1,), (1,)) or value.flat:
            raise UnknownOperation(operation, f"over axis {axis}: a step sees one row at a time")

    def _reduced(self, operation: str, value: Value, axis: Any, keep: bool) -> Value:
        self._feature_axis(operation, value, axis)
        found = self._emit(operation, (value.name,), 1)
        return Value(found.name, 1, not keep)

    def _sum(self, value: Value, axis: Any = None, keepdim: bool = False, **_: Any) -> Value:
        return self._reduced("sum", value, axis, keepdim)

    def _mean(self, value: Value, axis: Any = None, keepdim: bool = False, **_: Any) -> Value:
        return self._reduced("mean", value, axis, keepdim)

    def _amax(self, value: Value, axis: Any = (), keepdim: bool = False) -> Value:
        return self._reduced("greatest", value, axis, keepdim)

    def _max(self, value: Value, other: Any, keepdim: bool = False) -> Any:
        if not isinstance(other, int) or isinstance(other, bool):
            return self._pair("max", value, other)
        return (self._reduced("greatest", value, other, keepdim), None)

    def _min(self, value: Value, other: Any, keepdim: bool = False) -> Any:
        if not isinstance(other, int) or isinstance(other, bool):
            return self._pair("min", value, other)
        found = self._reduced("greatest", self._unary("neg", value), other, keepdim)
        return (self._unary("neg", found), None)

    def _linalg_vector_norm(self, value: Value, order: float = 2, axis: Any = None, keepdim: bool = False) -> Value:
        if order != 2:
            raise UnknownOperation("norm", f"of order {order}")
        return self._unary("sqrt", self._reduced("sum", self._square(value), axis, keepdim))

    def _pad(self, value: Value, sizes: Sequence[int], mode: str = "constant", fill: float | None = None) -> Value:
        if mode != "constant" or len(sizes) != 2 or min(sizes) < 0 or value.flat:
            raise UnknownOperation("pad", f"{mode} by {list(sizes)}")
        before, after = (torch.full((size,), fill or 0.0) for size in sizes)
        return self._cat([part for part in (before, value, after) if isinstance(part, Value) or len(part)], 1)

    def _assert_tensor_metadata(self, *_: Any, **__: Any) -> None:
        return None

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

    def _zeros_like(self, value: Value, **_: Any) -> float:
        return 0.0

    def _ones_like(self, value: Value, **_: Any) -> float:
        return 1.0

    def _full_like(self, value: Value, fill: float, **_: Any) -> float:
        return float(fill)


def _flat(found: Value, source: Value) -> Value:
    return Value(found.name, found.width, source.flat)
