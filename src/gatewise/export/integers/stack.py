"""Recurrent layers as programs of integers: the same expressions, each value with its fraction bits. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gatewise.export.graph.expressions import Array, Expression, Operand, is_weight
from gatewise.export.graph.nodes import Direction, Stack
from gatewise.export.integers.calibration import Ranges, scope_of
from gatewise.export.integers.formats import (
    LARGEST,
    ONE,
    Integers,
    Multipliers,
    Rows,
    fraction_of,
    logistic,
    multipliers,
    rescaled,
    rounded,
    rows_of,
    saturated,
    scalar,
)

__all__ = [
    "INTEGER_OPERATIONS",
    "IntegerDirection",
    "IntegerLayer",
    "IntegerStack",
    "Product",
    "evaluate",
    "integer_stack",
    "meeting",
    "number",
    "run_integers",
    "why_not_integers",
]

INTEGER_OPERATIONS = frozenset(
    {
        *("linear", "constant", "slice", "concat", "add", "sub", "mul", "neg", "abs", "relu", "max", "min", "where"),
        *("tanh", "sigmoid", "ge", "gt", "le", "lt", "eq", "ne"),
    }
)
"""What a cell's step may consist of to be computed in integers."""
COMPARISONS = {
    "ge": np.greater_equal, "gt": np.greater, "le": np.less_equal, "lt": np.less, "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip
_SQUASHED = ("tanh", "sigmoid")
_CHOICES = ("max", "min", "where")
_REACH = 8.0
_WIDEST = 2.0**15
_WIDEST_NUMBER = 2.0**30
_APART = 14


@dataclass(frozen=True)
class Product:
    """A product with a matrix.

    Attributes:
        weight: its name in the graph.
        rows: the matrix in 8 bits.
        after: from sums to values.
    """

    weight: str
    rows: Rows
    after: Multipliers


@dataclass(frozen=True)
class IntegerDirection:
    """One direction of one layer.

    Attributes:
        reverse: see `gatewise.export.graph.nodes.Direction`.
        expressions: of projection and step, in order; they read ``x`` and the states ``s0``, ``s1`` ..
        outputs: name of each state's new value.
        fractions: fraction bits by name of a value, states and weights that are vectors among them.
        products: by name of the expression.
        vectors: weights that are no matrices, by name.
        widths: of the states.
        initial: of the states; None: zeros.
    """

    reverse: bool
    expressions: tuple[Expression, ...]
    outputs: tuple[str, ...]
    fractions: Mapping[str, int]
    products: Mapping[str, Product]
    vectors: Mapping[str, Integers]
    widths: tuple[int, ...]
    initial: tuple[Integers | None, ...]


@dataclass(frozen=True)
class IntegerLayer:
    """One or two directions.

    Attributes:
        directions: forward first.
        residual: the layer's input is added to its output.
        before: fraction bits of what it reads.
        inside: of the directions' outputs.
        after: of what it gives; another number where ``residual``.
    """

    directions: tuple[IntegerDirection, ...]
    residual: bool
    before: int
    inside: int
    after: int

    @property
    def width(self) -> int:
        """Of the output."""
        return sum(each.widths[0] for each in self.directions)


@dataclass(frozen=True)
class IntegerStack:
    """Recurrent layers; as `gatewise.export.graph.nodes.Stack`."""

    name: str
    input_size: int
    layers: tuple[IntegerLayer, ...]

    @property
    def width(self) -> int:
        """Of the output."""
        return self.layers[-1].width

    @property
    def bidirectional(self) -> bool:
        """Whether a layer reads backwards too."""
        return any(each.reverse for layer in self.layers for each in layer.directions)


def why_not_integers(stack: Stack, ranges: Ranges) -> str | None:
    """Why a stack cannot be computed in integers; None where it can."""
    for depth, layer in enumerate(stack.layers):
        for place, direction in enumerate(layer.directions):
            for each in (*direction.project.expressions, *direction.step.expressions):
                if each.operation not in INTEGER_OPERATIONS:
                    return each.operation
                if any(not isinstance(o, str) and not abs(o) < _WIDEST_NUMBER for o in each.operands):
                    return f"numbers of {_WIDEST_NUMBER:,.0f} and more"
                if ranges.get(f"{scope_of(stack.name, depth, place)}{each.name}", 0.0) >= _WIDEST:
                    return f"values of {_WIDEST:,.0f} and more"
    return None


def integer_stack(stack: Stack, ranges: Ranges, weights: Mapping[str, Array], rows: dict[str, Rows]) -> IntegerStack:
    """A stack in integers.

    Args:
        stack: one that `why_not_integers` has nothing against.
        ranges: of its values.
        weights: of the graph.
        rows: matrices in 8 bits by name, which those that are read are added to.
    """
    layers: list[IntegerLayer] = []
    before = fraction_of(ranges[f"{scope_of(stack.name, 0, 0)}x"])
    for depth, layer in enumerate(stack.layers):
        scopes = [scope_of(stack.name, depth, place) for place in range(len(layer.directions))]
        inside = min(fraction_of(ranges[f"{scope}s0"]) for scope in scopes)
        found = [
            _Formats(direction, ranges, scope, weights, rows).direction(before, inside)
            for direction, scope in zip(layer.directions, scopes, strict=True)
        ]
        after = inside
        if layer.residual:
            after = min(fraction_of(ranges[f"{stack.name}/{depth}"]), max(before, inside))
        layers.append(IntegerLayer(tuple(found), layer.residual, before, inside, after))
        before = after
    return IntegerStack(stack.name, stack.input_size, tuple(layers))


class _Formats:
    """Chooses the fraction bits of a direction's values."""

    def __init__(
        self, direction: Direction, ranges: Ranges, scope: str, weights: Mapping[str, Array], rows: dict[str, Rows]
    ) -> None:
        self.given, self.ranges, self.scope, self.weights, self.rows = direction, ranges, scope, weights, rows
        renamed = {"gates": direction.project.outputs[0]}
        self.expressions = [
            *direction.project.expressions,
            *(
                replace(each, operands=tuple(renamed.get(o, o) if isinstance(o, str) else o for o in each.operands))
                for each in direction.step.expressions
            ),
        ]
        self.outputs = tuple(renamed.get(name, name) for name in direction.step.outputs)
        self.fractions: dict[str, int] = {}
        self.products: dict[str, Product] = {}
        self.vectors: dict[str, Integers] = {}

    def direction(self, before: int, inside: int) -> IntegerDirection:
        """The direction, which reads ``before`` and gives ``inside`` fraction bits."""
        self.fractions["x"] = before
        initial: list[Integers | None] = []
        for place, state in enumerate(self.given.states):
            fraction = fraction_of(self.ranges[f"{self.scope}s{place}"]) if place else inside
            self.fractions[f"s{place}"] = fraction
            start = None if state.initial is None else self.weights[state.initial].astype(np.float64)
            initial.append(None if start is None else saturated(np.rint(start * 2.0**fraction).astype(np.int64)))
        squashed = self._squashed()
        for each in self.expressions:
            self._vectors(each)
            self.fractions[each.name] = self._fraction(each, each.name in squashed)
            if each.operation == "linear":
                self._product(each)
        widths = tuple(state.width for state in self.given.states)
        return IntegerDirection(
            self.given.reverse,
            tuple(self.expressions),
            self.outputs,
            self.fractions,
            self.products,
            self.vectors,
            widths,
            tuple(initial),
        )

    def _squashed(self) -> set[str]:
        """Values that only tanh and the logistic function read, which are flat beyond ±8."""
        readers: dict[str, set[str]] = {}
        for each in self.expressions:
            for operand in each.operands:
                if isinstance(operand, str):
                    readers.setdefault(operand, set()).add(each.operation)
        return {name for name, found in readers.items() if found <= set(_SQUASHED) and name not in self.outputs}

    def _vectors(self, each: Expression) -> None:
        for place, operand in enumerate(each.operands):
            if (is_weight(operand) and each.operation != "linear") or (each.operation == "linear" and place > 2):
                assert isinstance(operand, str)
                values = self.weights[operand].astype(np.float64)
                fraction = fraction_of(float(np.abs(values).max(initial=0.0)))
                self.fractions[operand] = fraction
                self.vectors[operand] = saturated(np.rint(values * 2.0**fraction).astype(np.int64))

    def _fraction(self, each: Expression, squashed: bool) -> int:
        operation = each.operation
        if operation in _SQUASHED:
            return ONE
        if operation in COMPARISONS:
            return ONE
        most = self.ranges[f"{self.scope}{each.name}"]
        found = fraction_of(min(2 * most, _REACH), spare=False) if squashed else fraction_of(most)
        if operation == "linear":
            return found
        if operation in _CHOICES:
            chosen = each.operands[operation == "where" :]
            least = [] if all(isinstance(o, str) for o in chosen) else [found]  # numbers have the result's bits
            return min([self.fractions[o] for o in chosen if isinstance(o, str)] + least)
        read = [self.fractions[o] if isinstance(o, str) else number(each, o, self.fractions)[1] for o in each.operands]
        if operation in ("add", "sub"):
            return min(found, meeting(*read))
        if operation == "mul":
            return max(min(found, sum(read)), sum(read) - 30)
        return min(read)  # slice, constant, concat, neg, abs, relu

    def _product(self, each: Expression) -> None:
        source, weight = str(each.operands[0]), str(each.operands[1])
        if weight not in self.rows:
            self.rows[weight] = rows_of(self.weights[weight])
        bias = self.weights[str(each.operands[2])] if len(each.operands) > 2 else None
        rows = self.rows[weight]
        after = multipliers(rows.scale, self.fractions[source], self.fractions[each.name], bias)
        self.products[each.name] = Product(weight, rows, after)


def meeting(first: int, second: int) -> int:
    """Fraction bits at which two values are added or compared, within 32 bits."""
    return min(max(first, second), min(first, second) + _APART)


def number(each: Expression, value: float, fractions: Mapping[str, int]) -> tuple[int, int]:
    """A number among an expression's operands as an integer with its fraction bits.

    Where one of several values is chosen (max, min, where), it has the result's bits, within ±32767.

    Example:
        >>> number(Expression("e1", "where", ("e0", "s0", 0.25), 4), 0.25, {"e0": 14, "s0": 13, "e1": 12})
        (1024, 12)
        >>> number(Expression("e1", "add", ("s0", 0.25), 4), 0.25, {"s0": 13})
        (16384, 16)
    """
    if each.operation in _CHOICES:
        after = fractions[each.name]
        return max(-LARGEST, min(LARGEST, round(value * 2.0**after))), after
    named = [fractions[o] for o in each.operands if isinstance(o, str)]
    return scalar(value, named[0] if named else ONE)


def run_integers(direction: IntegerDirection, x: Integers, states: tuple[Integers, ...]) -> tuple[Integers, ...]:
    """One step: x (.., I) and the states (.., width) to new states."""
    values: dict[str, Integers] = {"x": x, **{f"s{place}": each for place, each in enumerate(states)}}
    values.update(direction.vectors)
    for each in direction.expressions:
        if each.operation == "linear":
            product = direction.products[each.name]
            values[each.name] = product.after.apply(product.rows.sums(values[str(each.operands[0])]))
        else:
            values[each.name] = evaluate(each, values, direction.fractions)
    return tuple(
        np.broadcast_to(
            rescaled(values[name], direction.fractions[name], direction.fractions[f"s{place}"]), states[place].shape
        )
        for place, name in enumerate(direction.outputs)
    )


def evaluate(each: Expression, values: Mapping[str, Integers], fractions: Mapping[str, int]) -> Integers:
    """One operation that is no product; see `IntegerDirection`."""
    operation, after = each.operation, fractions[each.name]
    pairs = [_read(each, o, values, fractions) for o in each.operands]
    read, bits = [value for value, _ in pairs], [fraction for _, fraction in pairs]
    if operation in ("add", "sub") or operation in COMPARISONS:
        middle = meeting(*bits)
        first, second = (
            value << (middle - fraction) if middle >= fraction else rounded(value, fraction - middle)
            for value, fraction in pairs
        )
        if operation in COMPARISONS:
            return np.asarray(COMPARISONS[operation](first, second)).astype(np.int64) << ONE
        return saturated(rounded(first + second if operation == "add" else first - second, middle - after))
    if operation == "mul":
        return saturated(rounded(read[0] * read[1], sum(bits) - after))
    if operation == "tanh":
        return logistic(_twelve(read[0], bits[0] - 1)) - 16384
    if operation == "sigmoid":
        return rounded(logistic(_twelve(read[0], bits[0])), 1)
    if operation == "slice":
        return read[0][..., int(each.attributes[0]) : int(each.attributes[1])]
    if operation == "relu":
        return np.maximum(read[0], 0)
    if operation in ("neg", "abs"):
        return -read[0] if operation == "neg" else np.abs(read[0])
    moved = [rounded(value, fraction - after) if fraction >= after else value for value, fraction in pairs]
    if operation in ("max", "min"):
        return (np.maximum if operation == "max" else np.minimum)(moved[0], moved[1])
    if operation == "where":
        return np.where(read[0] != 0, moved[1], moved[2])
    if operation == "concat":
        most = np.broadcast_shapes(*(value.shape[:-1] for value in moved))
        return np.concatenate([np.broadcast_to(value, (*most, value.shape[-1])) for value in moved], axis=-1)
    return moved[0]  # constant


def _read(
    each: Expression, operand: Operand, values: Mapping[str, Integers], fractions: Mapping[str, int]
) -> tuple[Integers, int]:
    if isinstance(operand, str):
        return values[operand], fractions[operand]
    value, fraction = number(each, operand, fractions)
    return np.asarray(value, dtype=np.int64), fraction


def _twelve(x: Integers, fraction: int) -> Integers:
    """With 12 fraction bits; what is beyond ±16 in any case stays beyond it."""
    return x << (12 - fraction) if fraction <= 12 else rounded(x, fraction - 12)
