"""What a graph in integers computes, in NumPy: every target has to equal it bit for bit. Imports no torch.

What is not in integers is computed in float32 in the order in which the C program does it, own exponential included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.export.graph.expressions import Array, Expression, Program, apply, is_weight
from gatewise.export.graph.interpreter import Interpreter, States
from gatewise.export.graph.nodes import Convolution, EachStep, Pool, SoftmaxSteps, Stack
from gatewise.export.integers.calibration import scope_of
from gatewise.export.integers.formats import Integers, quantise, rounded, saturated
from gatewise.export.integers.quantised import Quantised
from gatewise.export.integers.stack import IntegerDirection, IntegerLayer, IntegerStack, meeting, run_integers

__all__ = ["EXACT", "IntegerInterpreter"]

EXACT = frozenset(
    {
        *(
            "linear",
            "embedding",
            "constant",
            "slice",
            "concat",
            "add",
            "sub",
            "mul",
            "div",
            "neg",
            "abs",
            "sign",
            "sqrt",
        ),
        *("max", "min", "sum", "mean", "greatest", "where", "ge", "gt", "le", "lt", "eq", "ne", "floor", "relu"),
        *("tanh", "sigmoid", "softmax", "layer_norm", "sqrt"),
    }
)
"""Operations whose last bit is the same in C and NumPy; the others go through a library's functions."""

Floats = npt.NDArray[np.float32]


class IntegerInterpreter(Interpreter):
    """Evaluates a quantised graph; `run` as of `gatewise.export.graph.Interpreter`."""

    def __init__(self, quantised: Quantised) -> None:
        super().__init__(quantised.graph, np.float32)
        self.quantised = quantised

    @property
    def exact(self) -> bool:
        """Whether all that it computes has the same last bit in C."""
        graph = self.graph
        operations = {each.operation for each in graph.nodes if isinstance(each, Expression)}
        for name in self.quantised.mixed:
            for layer in graph.stacks[name].layers:
                for direction in layer.directions:
                    operations |= {e.operation for e in (*direction.project.expressions, *direction.step.expressions)}
        if any(isinstance(node, SoftmaxSteps | Convolution) for node in graph.nodes):
            return False
        return operations <= EXACT and all(IntegerInterpreter(each).exact for each in self.quantised.bodies.values())

    def _body(self, node: EachStep) -> Interpreter:
        return IntegerInterpreter(self.quantised.bodies[node.name])

    def _expression(self, node: Expression, values: Mapping[str, Array]) -> Array:
        rows = self.quantised.rows.get(str(node.operands[1])) if len(node.operands) > 1 else None
        if node.operation == "embedding" and rows is not None:
            tokens = values[str(node.operands[0])]
            return np.asarray(rows.values[tokens].astype(np.float32) * rows.scale[tokens][..., None])
        if node.operation == "linear" and rows is not None:
            bias = self.weights[str(node.operands[2])] if len(node.operands) > 2 else None
            return self._product("", node, values[str(node.operands[0])], bias)
        if node.wide or node.operation not in _EMULATED:
            return super()._expression(node, values)
        return _EMULATED[node.operation](np.asarray(values[str(node.operands[0])], dtype=np.float32))

    def _product(self, scope: str, node: Expression, x: Array, bias: Array | None) -> Floats:
        """Sums of integers, as float32 times the row's scale."""
        rows, fraction = self.quantised.rows[str(node.operands[1])], self.quantised.reads[f"{scope}{node.name}"]
        found = rows.sums(quantise(x, fraction)).astype(np.float32) * (rows.scale * np.float32(2.0**-fraction))
        return np.asarray(found if bias is None else found + bias, dtype=np.float32)

    def _pool(self, node: Pool, source: Array, lengths: Integers) -> Array:
        if node.how not in ("mean", "sum"):
            return super()._pool(node, source, lengths)
        real = (np.arange(source.shape[1]) < lengths[:, None])[..., None]
        total = np.cumsum(np.where(real, source, 0), axis=1, dtype=source.dtype)[:, -1]  # one after the other
        return np.asarray(total / lengths[:, None].astype(source.dtype) if node.how == "mean" else total)

    def _stack(self, stack: Stack, x: Array, lengths: Any, before: States | None) -> tuple[Array, States]:
        if stack.name not in self.quantised.stacks:
            return super()._stack(stack, x, lengths, before)
        found = self.quantised.stacks[stack.name]
        real = (np.arange(x.shape[1]) < lengths[:, None])[..., None]
        values, finals = run_integer_stack(
            found, quantise(np.where(real, x, 0), found.layers[0].before), lengths, before
        )
        return values.astype(np.float32) * np.float32(2.0 ** -found.layers[-1].after), finals

    def _runs_programs(self, stack: str, depth: int, place: int) -> Callable[..., tuple[Array, ...]]:
        scope = scope_of(stack, depth, place)
        return lambda program, inputs, weights: self._program(program, inputs, scope)

    def _program(self, program: Program, inputs: Mapping[str, Array], scope: str) -> tuple[Array, ...]:
        values = dict(inputs)
        for each in program.expressions:
            if each.operation == "linear" and f"{scope}{each.name}" in self.quantised.reads:
                bias = self.weights[str(each.operands[2])] if len(each.operands) > 2 else None
                values[each.name] = self._product(scope, each, values[str(each.operands[0])], bias)
                continue
            operands = [
                np.float32(operand)
                if not isinstance(operand, str)
                else self.weights[operand]
                if is_weight(operand)
                else values[operand]
                for operand in each.operands
            ]
            if each.operation == "layer_norm":
                values[each.name] = _layer_norm([np.asarray(operand) for operand in operands], each.attributes)
            elif each.operation in _EMULATED:
                values[each.name] = _EMULATED[each.operation](np.asarray(operands[0], dtype=np.float32))
            else:
                found = [np.asarray(operand) for operand in operands]
                values[each.name] = apply(each.operation, found, each.attributes)
        return tuple(values[name] for name in program.outputs)


def run_integer_stack(
    stack: IntegerStack, x: Integers, lengths: Integers, before: States | None
) -> tuple[Integers, States]:
    """A stack over ragged sequences (B, T, I) of integers; output (B, T, H) with the last layer's fraction bits."""
    finals: States = []
    for depth, layer in enumerate(stack.layers):
        outputs, after = [], []
        for place, direction in enumerate(layer.directions):
            output, final = _direction(direction, x, lengths, None if before is None else before[depth][place])
            outputs.append(output)
            after.append(final)
        output = np.concatenate(outputs, axis=-1)
        x = _residual(layer, x, output) if layer.residual else output
        finals.append(after)
    return x, finals


def _residual(layer: IntegerLayer, x: Integers, output: Integers) -> Integers:
    middle = meeting(layer.before, layer.inside)
    first, second = (
        value << (middle - fraction) if middle >= fraction else rounded(value, fraction - middle)
        for value, fraction in ((x, layer.before), (output, layer.inside))
    )
    return saturated(rounded(first + second, middle - layer.after))


def _direction(
    direction: IntegerDirection, x: Integers, lengths: Integers, initial: tuple[Array, ...] | None
) -> tuple[Integers, tuple[Array, ...]]:
    batch, steps, _ = x.shape
    state: tuple[Integers, ...] = initial or tuple(
        np.tile(np.zeros(width, dtype=np.int64) if start is None else start, (batch, 1))
        for width, start in zip(direction.widths, direction.initial, strict=True)
    )
    real = (np.arange(steps) < lengths[:, None])[..., None]
    output = np.zeros((batch, steps, direction.widths[0]), dtype=np.int64)
    for t in reversed(range(steps)) if direction.reverse else range(steps):
        new = run_integers(direction, x[:, t], state)
        state = tuple(np.where(real[:, t], now, old) for now, old in zip(new, state, strict=True))
        output[:, t] = np.where(real[:, t], state[0], 0)
    return output, state


# the C program's own functions, in its order: `parts_of_exponential`, `sigmoidf`, `hyperbolicf`, `softmaxf`


def _parts(x: Floats) -> tuple[Floats, Floats]:
    one = np.float32
    shifted = x * one(1.44269504) + one(12582912.0)
    n = shifted - one(12582912.0)
    r = (x - n * one(0.693359375)) + n * one(2.12194440e-4)
    bits = (shifted.view(np.uint32) + np.uint32(127)) << np.uint32(23)
    series = one(1.38888889e-3) + r * one(1.98412698e-4)
    for factor in (8.33333333e-3, 4.16666667e-2, 1.66666667e-1, 0.5):
        series = one(factor) + r * series
    return r + r * r * series, bits.view(np.float32)


def _sigmoid(x: Floats) -> Floats:
    between = np.where(x > 87, np.float32(87), np.where(x < -87, np.float32(-87), x))
    rest, scale = _parts(-between)
    return np.asarray(np.float32(1) / (np.float32(1) + (scale + scale * rest)))


def _tanh(x: Floats) -> Floats:
    between = np.where(x > 10, np.float32(10), np.where(x < -10, np.float32(-10), x))
    rest, scale = _parts(np.float32(2) * between)
    less = (scale - np.float32(1)) + scale * rest
    return np.asarray(less / (less + np.float32(2)))


def _softmax(x: Floats) -> Floats:
    moved = x - x.max(axis=-1, keepdims=True)
    rest, scale = _parts(np.maximum(moved, np.float32(-87)))
    powers = scale + scale * rest
    share = np.float32(1) / np.cumsum(powers, axis=-1, dtype=np.float32)[..., -1:]
    return np.asarray(powers * share)


def _sum(x: Floats) -> Floats:
    return np.asarray(np.cumsum(x, axis=-1, dtype=np.float32)[..., -1:])


def _mean(x: Floats) -> Floats:
    return np.asarray(_sum(x) / np.float32(x.shape[-1]))


def _layer_norm(values: list[Array], attributes: tuple[float, ...]) -> Floats:
    x = values[0]
    width = np.float32(x.shape[-1])
    moved = x - _sum(x) / width
    scale = np.float32(1) / np.sqrt(_sum(moved * moved) / width + np.float32(attributes[0]))
    scaled = moved * scale * (values[1] if len(values) > 1 else np.float32(1))
    return np.asarray(scaled + (values[2] if len(values) > 2 else np.float32(0)))


_EMULATED = {"sigmoid": _sigmoid, "tanh": _tanh, "softmax": _softmax, "sum": _sum, "mean": _mean}
