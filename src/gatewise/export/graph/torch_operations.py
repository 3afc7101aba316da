"""Operations of torch as expressions: one method for each, called as torch calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.export.graph.expressions import Operand
from gatewise.export.graph.torch_shapes import ShapeOperations
from gatewise.export.graph.torch_values import UnknownOperation, Value

__all__ = ["BINARY", "SAME", "UNARY", "Operations"]

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


class Operations(ShapeOperations):
    """All operations of torch that have an expression, by their names."""

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

    def _assert_tensor_metadata(self, *_: Any, **__: Any) -> None:
        return None

    def _zeros_like(self, value: Value, **_: Any) -> float:
        return 0.0

    def _ones_like(self, value: Value, **_: Any) -> float:
        return 1.0

    def _full_like(self, value: Value, fill: float, **_: Any) -> float:
        return float(fill)
