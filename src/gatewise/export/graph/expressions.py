"""Elementwise operations and products: what a cell computes in a step, and what a network computes at each step.

An operation works on vectors, the features of one example at one step. A target emits each of `OPERATIONS` once, and
has every cell with it. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["OPERATIONS", "Array", "Expression", "Operand", "Program", "apply", "is_weight", "run_program"]

Array = npt.NDArray[Any]
Operand = str | float
"""A value by its name, a weight by its name (which has a dot: ``recurrent.weight_hh_l0``), or a number."""


@dataclass(frozen=True)
class Expression:
    """One vector from others: ``name = operation(operands)``.

    Attributes:
        name: of the result.
        operation: one of `OPERATIONS`.
        operands: values, weights or numbers. One of width 1 is repeated to the width of the others; in a graph a
            vector is repeated for all steps of a sequence.
        width: features of the result.
        attributes: plain numbers, as `OPERATIONS` says.
        steps: of the result, see `gatewise.export.graph.nodes`; within a `Program` None.
        wide: computed in float64, see `gatewise.export.graph.nodes`.
    """

    name: str
    operation: str
    operands: tuple[Operand, ...]
    width: int
    attributes: tuple[float, ...] = ()
    steps: int | str | None = None
    wide: bool = False


@dataclass(frozen=True)
class Program:
    """A list of expressions, each reading inputs, weights and earlier expressions only.

    Attributes:
        inputs: name and width of each.
        expressions: in the order of evaluation; each name is assigned once.
        outputs: names of expressions or inputs.
    """

    inputs: tuple[tuple[str, int], ...]
    expressions: tuple[Expression, ...]
    outputs: tuple[str, ...]

    @property
    def widths(self) -> Mapping[str, int]:
        """The width of every input and expression by name."""
        return MappingProxyType({**dict(self.inputs), **{each.name: each.width for each in self.expressions}})


def is_weight(operand: Operand) -> bool:
    """Whether an operand names a weight.

    Example:
        >>> is_weight("recurrent.weight_hh_l0"), is_weight("e3"), is_weight(0.5)
        (True, False, False)
    """
    return isinstance(operand, str) and "." in operand


def _linear(values: list[Array], attributes: tuple[float, ...]) -> Array:
    product = values[0] @ values[1].T
    return np.asarray(product + values[2] if len(values) > 2 else product)


def _log_sigmoid(x: Array) -> Array:
    return np.asarray(np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))))


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + small), small / (1 + small)))


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x))


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _log_softmax(x: Array) -> Array:
    moved = x - x.max(axis=-1, keepdims=True)
    return np.asarray(moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True)))


def _layer_norm(values: list[Array], attributes: tuple[float, ...]) -> Array:
    x = values[0]
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + x.dtype.type(attributes[0]))
    if len(values) > 1:
        scaled = scaled * values[1]
    return np.asarray(scaled + values[2] if len(values) > 2 else scaled)


def _where(values: list[Array], attributes: tuple[float, ...]) -> Array:
    return np.where(values[0] != 0, values[1], values[2])


def _slice(values: list[Array], attributes: tuple[float, ...]) -> Array:
    return values[0][..., int(attributes[0]) : int(attributes[1])]


def _concat(values: list[Array], attributes: tuple[float, ...]) -> Array:
    most = np.broadcast_shapes(*(each.shape[:-1] for each in values))
    return np.concatenate([np.broadcast_to(each, (*most, each.shape[-1])) for each in values], axis=-1)


def _unary(function: Any) -> Callable[[list[Array], tuple[float, ...]], Array]:
    return lambda values, attributes: np.asarray(function(values[0]))


def _binary(function: Callable[[Array, Array], Any]) -> Callable[[list[Array], tuple[float, ...]], Array]:
    return lambda values, attributes: np.asarray(function(values[0], values[1]))


def _compare(function: Callable[[Array, Array], Any]) -> Callable[[list[Array], tuple[float, ...]], Array]:
    def compared(values: list[Array], attributes: tuple[float, ...]) -> Array:
        floating = np.result_type(*values)
        return np.asarray(function(values[0], values[1])).astype(floating)

    return compared


_EVALUATED: dict[str, Callable[[list[Array], tuple[float, ...]], Array]] = {
    "linear": _linear,
    "embedding": lambda values, attributes: values[1][values[0].astype(np.int64)],
    "constant": lambda values, attributes: values[0],
    **{
        name: _unary(function)
        for name, function in {
            "tanh": np.tanh,
            "sigmoid": _sigmoid,
            "log_sigmoid": _log_sigmoid,
            "softplus": lambda x: -_log_sigmoid(-x),
            "relu": lambda x: np.maximum(x, 0),
            "exp": np.exp,
            "log": np.log,
            "sqrt": np.sqrt,
            "neg": np.negative,
            "abs": np.abs,
            "sign": np.sign,
            "sin": np.sin,
            "cos": np.cos,
            "erf": _erf,
            "floor": np.floor,
            "softmax": _softmax,
            "log_softmax": _log_softmax,
            "sum": lambda x: x.sum(axis=-1, keepdims=True),
            "mean": lambda x: x.mean(axis=-1, keepdims=True),
            "greatest": lambda x: x.max(axis=-1, keepdims=True),
        }.items()
    },
    **{
        name: _binary(function)
        for name, function in {
            "add": np.add,
            "sub": np.subtract,
            "mul": np.multiply,
            "div": np.divide,
            "pow": np.power,
            "max": np.maximum,
            "min": np.minimum,
        }.items()
    },
    **{
        name: _compare(function)
        for name, function in {
            "ge": np.greater_equal,
            "gt": np.greater,
            "le": np.less_equal,
            "lt": np.less,
            "eq": np.equal,
            "ne": np.not_equal,
        }.items()
    },
    "where": _where,
    "slice": _slice,
    "concat": _concat,
    "layer_norm": _layer_norm,
}

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "linear": "x, weight (O, I), bias (O,) or left out: weight x + bias",
        "embedding": "token, table (V, N): the token's row",
        "constant": "a weight (N,): the weight itself",
        "tanh": "x",
        "sigmoid": "x: 1 / (1 + exp(-x))",
        "log_sigmoid": "x: ln sigmoid(x) = min(x, 0) - ln(1 + exp(-|x|))",
        "softplus": "x: ln(1 + exp(x)) = -log_sigmoid(-x)",
        "relu": "x: max(x, 0)",
        "exp": "x",
        "log": "x, natural",
        "sqrt": "x",
        "neg": "x",
        "abs": "x",
        "sign": "x: -1, 0 or 1",
        "sin": "x",
        "cos": "x",
        "erf": "x",
        "floor": "x",
        "softmax": "x: over the features",
        "log_softmax": "x: over the features, natural logarithm",
        "sum": "x: over the features, width 1",
        "mean": "x: over the features, width 1",
        "greatest": "x: over the features, width 1",
        "add": "a, b",
        "sub": "a, b: a - b",
        "mul": "a, b",
        "div": "a, b: a / b",
        "pow": "a, b: a to the power of b",
        "max": "a, b: the greater one",
        "min": "a, b: the lesser one",
        "ge": "a, b: 1 where a >= b, else 0",
        "gt": "a, b: 1 where a > b, else 0",
        "le": "a, b: 1 where a <= b, else 0",
        "lt": "a, b: 1 where a < b, else 0",
        "eq": "a, b: 1 where a = b, else 0",
        "ne": "a, b: 1 where a differs from b, else 0",
        "where": "c, a, b: a where c is not 0, else b; what is not chosen does not count, not even NaN",
        "slice": "x; attributes start, stop: features start to stop - 1",
        "concat": "two or more: side by side",
        "layer_norm": "x, gain and bias or left out (no bias without gain); attribute e: "
        "(x - mean) / sqrt(variance + e) * gain + bias, variance biased",
    }
)
"""Every operation: its operands, attributes and meaning."""


def apply(operation: str, values: list[Array], attributes: tuple[float, ...] = ()) -> Array:
    """Evaluate one operation over the last axis, in the operands' precision.

    Example:
        >>> apply("slice", [np.arange(6.0).reshape(2, 3)], (1, 3)).tolist()
        [[1.0, 2.0], [4.0, 5.0]]
    """
    with np.errstate(all="ignore"):
        return _EVALUATED[operation](values, attributes)


def run_program(program: Program, inputs: Mapping[str, Array], weights: Mapping[str, Array]) -> tuple[Array, ...]:
    """Evaluate a program.

    Args:
        program: the program.
        inputs: (.., width) of each input.
        weights: by name, in the precision of the inputs.

    Returns:
        Its outputs, each (.., width).

    Example:
        >>> double = Program((("x", 2),), (Expression("e0", "mul", ("x", 2.0), 2),), ("e0",))
        >>> run_program(double, {"x": np.ones((1, 2))}, {})[0].tolist()
        [[2.0, 2.0]]
    """
    values = dict(inputs)
    floating = np.result_type(*values.values())
    for each in program.expressions:
        operands = [
            floating.type(operand)
            if not isinstance(operand, str)
            else weights[operand]
            if is_weight(operand)
            else values[operand]
            for operand in each.operands
        ]
        found = apply(each.operation, [np.asarray(operand) for operand in operands], each.attributes)
        values[each.name] = found
    return tuple(values[name] for name in program.outputs)
