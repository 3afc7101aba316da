"""Elementwise operations and products in C: neighbours of the same width share a loop. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gatewise.export.graph.expressions import Expression, Operand, is_weight
from gatewise.export.to_c.literals import literal
from gatewise.export.to_c.memory import Arena
from gatewise.export.to_c.unit import Unit

__all__ = ["CONVERT", "Lines", "Reference", "Vectors"]

CONVERT = "convert"
"""An operation of this target: the number in the other precision."""

_FUNCTIONS = {
    "tanh": "hyperbolic",
    "sigmoid": "sigmoid",
    "log_sigmoid": "log_sigmoid",
    "softplus": "softplus",
    "max": "greater",
    "min": "lesser",
}
_LIBRARY = {"exp": "exp", "log": "log", "sqrt": "sqrt", "abs": "fabs", "sin": "sin", "cos": "cos", "erf": "erf"}
_LIBRARY |= {"floor": "floor", "pow": "pow"}
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARISONS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "eq": "==", "ne": "!="}
_OTHERS = ("relu", "neg", "sign", "where", CONVERT)
_ELEMENTWISE = {*_FUNCTIONS, *_LIBRARY, *_SIGNS, *_COMPARISONS, *_OTHERS}
_ALIASES = ("slice", "constant", "embedding")


@dataclass(frozen=True)
class Reference:
    """Where a vector lies.

    Attributes:
        base: a pointer in C.
        offset: of the first number.
        width: how many.
        wide: double.
        root: name of the value whose memory it is.
    """

    base: str
    offset: int
    width: int
    wide: bool = False
    root: str | None = None

    @property
    def address(self) -> str:
        """A pointer to the first number."""
        return f"{self.base} + {self.offset}" if self.offset else self.base

    def at(self, index: str) -> str:
        """One number; that of width 1 whatever the index."""
        if self.width == 1:
            return f"{self.base}[{self.offset}]"
        return f"{self.base}[{self.offset} + {index}]" if self.offset else f"{self.base}[{index}]"


@dataclass
class Lines:
    """Lines of C with their indentation."""

    depth: int = 1
    found: list[str] = field(default_factory=list)

    def add(self, *lines: str) -> None:
        """Append lines."""
        self.found.extend("    " * self.depth + line for line in lines)

    def open(self, head: str) -> None:
        """Begin a block."""
        self.add(f"{head} {{")
        self.depth += 1

    def close(self) -> None:
        """End it."""
        self.depth -= 1
        self.add("}")

    def loop(self, index: str, count: object) -> None:
        """Begin a loop from 0."""
        self.open(f"for (size_t {index} = 0; {index} < {count}; {index}++)")


class Vectors:
    """Emits expressions, each once, in order.

    Args:
        unit: collects functions and weights.
        lines: where the code goes.
        given: where each value that is read lies.
        kept: where values that are needed afterwards have to be written.
        work: pointers to working memory, of float and of double, with what is free of them.
        scope: what the names of values begin with in `gatewise.export.integers.Quantised.reads`.
    """

    def __init__(
        self,
        unit: Unit,
        lines: Lines,
        given: Mapping[str, Reference],
        kept: Mapping[str, Reference],
        work: Mapping[bool, tuple[str, Arena]],
        scope: str = "",
    ) -> None:
        self.unit, self.lines, self.work, self.scope = unit, lines, work, scope
        self.values = dict(given)
        self.kept = kept
        self._group: list[Expression] = []
        self._last: dict[str, int] = {}
        self._uses: dict[str, list[int]] = {}
        self._expressions: Sequence[Expression] = ()

    def emit(self, expressions: Sequence[Expression]) -> None:
        """All of them; afterwards ``values`` knows where each lies that is kept or an alias."""
        self._expressions = expressions
        roots: dict[str, str] = {}
        for index, each in enumerate(expressions):
            for operand in each.operands:
                if isinstance(operand, str) and not is_weight(operand):
                    self._uses.setdefault(operand, []).append(index)
                    self._last[roots.get(operand, operand)] = index
            if self._is_alias(each):
                source = str(each.operands[0])
                roots[each.name] = roots.get(source, source)
        for index, each in enumerate(expressions):
            self._one(index, each)
        self._flush(len(expressions))

    def _one(self, index: int, each: Expression) -> None:
        if each.operation in _ELEMENTWISE:
            if (self._group and (self._group[0].width, self._group[0].wide) != (each.width, each.wide)) or any(
                isinstance(operand, str) and self._misfit(operand, each) for operand in each.operands
            ):
                self._flush(index)
            self._group.append(each)
            return
        alias = self._is_alias(each)
        pending = {other.name for other in self._group}
        if not alias or any(operand in pending for operand in each.operands):
            self._flush(index)
        if alias:
            self.values[each.name] = self._alias(each)
            return
        self._call(each)
        self._release(index)

    def _is_alias(self, each: Expression) -> bool:
        """Whether it lies within what it reads; a row of a table in 8 bits does not."""
        packed = each.operation == "embedding" and str(each.operands[1]) in self.unit.rows
        return each.operation in _ALIASES and each.name not in self.kept and not packed

    def _misfit(self, operand: str, reader: Expression) -> bool:
        """Whether a value of the open loop is read otherwise than at its own index."""
        return any(
            other.name == operand and (other.width != reader.width or reader.operation == CONVERT)
            for other in self._group
        )

    def _alias(self, each: Expression) -> Reference:
        if each.operation == "constant":
            return self._of(each.operands[0], each.wide)
        if each.operation == "embedding":
            token, table = each.operands
            name = self.unit.weight(str(table))
            number = self.values[str(token)].at("0")
            return Reference(f"({name} + (size_t){number} * {each.width})", 0, each.width)
        source = self.values[str(each.operands[0])]
        start = int(each.attributes[0])
        return replace(source, offset=source.offset + start, width=each.width)

    def _of(self, operand: Operand, wide: bool) -> Reference:
        assert isinstance(operand, str)
        if not is_weight(operand):
            return self.values[operand]
        width = self.unit.weights[operand].shape[-1]
        return Reference(self.unit.weight(operand), 0, width, self.unit.is_wide(operand))

    def _place(self, each: Expression) -> Reference:
        """Where a result is written."""
        if each.name in self.kept:
            self.values[each.name] = self.kept[each.name]
        else:
            pointer, arena = self.work[each.wide]
            self.values[each.name] = Reference(pointer, arena.take(each.width), each.width, each.wide, each.name)
        return self.values[each.name]

    def _release(self, index: int) -> None:
        """Give back what is not read from an index on."""
        for name, value in list(self.values.items()):
            if value.root == name and self._last.get(name, -1) <= index:
                self.work[value.wide][1].give(value.offset, value.width)
                self.values[name] = replace(value, root=None)

    def _flush(self, index: int) -> None:
        """Close the loop; ``index``: of the expression that comes next."""
        group, self._group = self._group, []
        if not group:
            return
        inside = {each.name for each in group}
        members = {place for place, each in enumerate(self._expressions) if each.name in inside}
        stored = {
            each.name
            for each in group
            if each.name in self.kept or any(use not in members for use in self._uses.get(each.name, []))
        }
        scalar = group[0].width == 1
        if scalar:
            self.lines.open("")
            self.lines.found[-1] = "    " * (self.lines.depth - 1) + "{"
        else:
            self.lines.loop("i", group[0].width)
        for each in group:
            found = self._formula(each, inside)
            if each.name not in stored:
                self.lines.add(f"const {self._kind(each.wide)} {each.name} = {found};")
                continue
            target = self._place(each)
            if any(use in members for use in self._uses.get(each.name, [])):
                self.lines.add(f"const {self._kind(each.wide)} {each.name} = {found};")
                found = each.name
            self.lines.add(f"{target.at('i')} = {self._narrow(found)};")
        self.lines.close()
        self._release(index - 1)

    def _kind(self, wide: bool) -> str:
        """The type of a number of an open loop."""
        return "double" if wide else "float"

    def _narrow(self, found: str) -> str:
        """A number as memory takes it."""
        return found

    def _formula(self, each: Expression, inside: set[str]) -> str:
        operands = [self._atom(operand, each.wide, inside) for operand in each.operands]
        first, operation = operands[0], each.operation
        letter = "" if each.wide else "f"
        zero, one = literal(0.0, wide=each.wide), literal(1.0, wide=each.wide)
        if operation in _SIGNS:
            return f"{first} {_SIGNS[operation]} {operands[1]}"
        if operation in _COMPARISONS:
            return f"{first} {_COMPARISONS[operation]} {operands[1]} ? {one} : {zero}"
        if operation in _FUNCTIONS:
            return f"{self.unit.helpers.need(_FUNCTIONS[operation], wide=each.wide)}({', '.join(operands)})"
        if operation in _LIBRARY:
            return f"{_LIBRARY[operation]}{letter}({', '.join(operands)})"
        if operation == "where":
            return f"{first} != {zero} ? {operands[1]} : {operands[2]}"
        if operation == "relu":
            return f"{first} < {zero} ? {zero} : {first}"
        if operation == "sign":
            return f"({_kind(each.wide)})(({first} > {zero}) - ({first} < {zero}))"
        return f"-{first}" if operation == "neg" else first

    def _atom(self, operand: Operand, wide: bool, inside: set[str]) -> str:
        if not isinstance(operand, str):
            return literal(operand, wide=wide) if operand >= 0 else f"({literal(operand, wide=wide)})"
        if operand in inside:
            return operand
        value = self._of(operand, wide)
        return value.at("i") if value.wide == wide else f"({_kind(wide)}){value.at('i')}"

    def _call(self, each: Expression) -> None:
        """What is no elementwise operation."""
        helper = lambda name: self.unit.helpers.need(name, wide=each.wide)  # noqa: E731
        first = each.operands[0]
        if each.operation == "concat":
            target, start = self._place(each), 0
            for operand in each.operands:
                source = self._of(operand, each.wide)
                self._copy(source, replace(target, offset=target.offset + start, width=source.width))
                start += source.width
            return
        if each.operation == "embedding" and str(each.operands[1]) in self.unit.rows:
            self._row(each)
            return
        if each.operation in _ALIASES:
            source = self._alias(each)
            self._copy(source, self._place(each))
            return
        source = self._of(first, each.wide)
        target = self._place(each)
        if each.operation == "linear":
            weight = str(each.operands[1])
            bias = self._of(each.operands[2], each.wide).address if len(each.operands) > 2 else "NULL"
            rows, columns = self.unit.weights[weight].shape
            rowwise = weight in self.unit.tables
            self.unit.products += rows * columns
            if weight in self.unit.rows:
                self._packed(each, source, bias, target)
                return
            name = self.unit.weight(weight, by_column=not rowwise)
            function = helper("linear_rows" if rowwise else "linear")
            self.lines.add(f"{function}({source.address}, {name}, {bias}, {columns}, {rows}, {target.address});")
        elif each.operation == "layer_norm":
            rest = [self._of(operand, each.wide).address for operand in each.operands[1:]]
            gain, bias = [*rest, "NULL", "NULL"][:2]
            least = literal(each.attributes[0], wide=each.wide)
            arguments = f"{source.address}, {gain}, {bias}, {least}, {source.width}, {target.address}"
            self.lines.add(f"{helper('layer_norm')}({arguments});")
        elif each.operation in ("softmax", "log_softmax"):
            self.lines.add(f"{helper(each.operation)}({source.address}, {source.width}, {target.address});")
        elif each.operation in ("sum", "mean", "greatest"):
            function = helper("sum" if each.operation == "mean" else each.operation)
            share = f" / {literal(source.width, wide=each.wide)}" if each.operation == "mean" else ""
            self.lines.add(f"{target.at('0')} = {function}({source.address}, {source.width}){share};")
        else:
            raise AssertionError(each.operation)

    def _row(self, each: Expression) -> None:
        """A row of a table in 8 bits as floats."""
        token, table = (str(operand) for operand in each.operands)
        values, scale = self.unit.packed(table), self.unit.scale(table)
        number, target = f"(size_t){self.values[token].at('0')}", self._place(each).address
        self.lines.add(f"{self.unit.helpers.need('row_of')}({values}, {scale}, {number}, {each.width}, {target});")

    def _packed(self, each: Expression, source: Reference, bias: str, target: Reference) -> None:
        """A product with a matrix in 8 bits that gives floats."""
        weight, fraction = str(each.operands[1]), self.unit.reads[f"{self.scope}{each.name}"]
        values, scale = self.unit.packed(weight), self.unit.scale(weight, -fraction)
        rows, columns = self.unit.weights[weight].shape
        function = self.unit.helpers.need("linear_mixed" if self.unit.rows[weight].fits else "linear_mixed_long")
        self.lines.open("")
        self.lines.found[-1] = "    " * (self.lines.depth - 1) + "{"
        self.lines.add(f"int16_t read[{columns}];")
        given = f"{source.address}, {literal(2.0**fraction)}, {values}, {scale}, {bias}"
        self.lines.add(f"{function}({given}, {columns}, {rows}, read, {target.address});")
        self.lines.close()

    def _copy(self, source: Reference, target: Reference) -> None:
        copy = self.unit.helpers.need("copy", wide=target.wide)
        self.lines.add(f"{copy}({source.address}, {target.width}, {target.address});")


def _kind(wide: bool) -> str:
    return "double" if wide else "float"
