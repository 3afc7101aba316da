"""Recurrent layers in integers as C functions; the same shape as `gatewise.export.to_c.recurrent`. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gatewise.export.graph.expressions import Expression, Operand, is_weight
from gatewise.export.integers.formats import LOGISTIC, ONE
from gatewise.export.integers.stack import IntegerDirection, IntegerLayer, IntegerStack, meeting, number
from gatewise.export.to_c.literals import identifier, literal
from gatewise.export.to_c.memory import Arena
from gatewise.export.to_c.unit import Unit
from gatewise.export.to_c.vectors import Lines, Reference, Vectors

__all__ = ["emit_integer_stack"]

_COMPARISONS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "eq": "==", "ne": "!="}
_TABLE = "logistic_values"


def emit_integer_stack(
    unit: Unit, stack: IntegerStack, *, start: bool, whole: bool
) -> tuple[str, str, int, str, int, int, int, int, int]:
    """The fields of `gatewise.export.to_c.recurrent.StackCode`, whose functions read and give floats."""
    return _Stack(unit, stack).emit(start=start, whole=whole)


class _Stack:
    def __init__(self, unit: Unit, stack: IntegerStack) -> None:
        self.unit, self.stack, self.name = unit, stack, identifier(stack.name)
        self.places: list[list[tuple[str, int]]] = []
        self.states = 0

    def emit(self, *, start: bool, whole: bool) -> tuple[str, str, int, str, int, int, int, int, int]:
        unit, stack, name = self.unit, self.stack, self.name
        work, products = 0, 0
        for depth, layer in enumerate(stack.layers):
            row = []
            for direction in layer.directions:
                function = f"{name}_l{depth}{'_reverse' if direction.reverse else ''}"
                needed, count = _direction(unit, direction, function, layer.before)
                work, products = max(work, needed), products + count
                row.append((function, self.states))
                self.states += sum(direction.widths)
            self.places.append(row)
        work += stack.input_size
        begin = self._start() if start else ""
        run, fraction = f"{name}_run" if whole else "", stack.layers[-1].after
        if stack.bidirectional:
            self._run_both(run)
            widest = max((layer.width for layer in stack.layers[:-1]), default=0)
            between = widest * min(2, len(stack.layers) - 1)
            return begin, "", 0, run, self.states, work, between, products, fraction
        output = self._step(f"{name}_step")
        if whole:
            self._run_ahead(run, output)
        return begin, f"{name}_step", output, run, self.states, work, 0, products, fraction

    def _start(self) -> str:
        lines, offset, function = Lines(), 0, f"{self.name}_start"
        for depth, layer in enumerate(self.stack.layers):
            for direction in layer.directions:
                for place, (width, start) in enumerate(zip(direction.widths, direction.initial, strict=True)):
                    target = _at("state", offset)
                    if start is None:
                        lines.loop("i", width)
                        lines.add(f"({target})[i] = 0;")
                        lines.close()
                    else:
                        side = "_reverse" if direction.reverse else ""
                        given = self.unit.numbers(f"{self.name}.start_l{depth}{side}_{place}", "int16_t", start)
                        lines.add(f"{self.unit.helpers.need('copy_integers')}({given}, {width}, {target});")
                    offset += width
        self._add(f"{function}(int16_t *state)", lines)
        return function

    def _step(self, function: str) -> int:
        """One step of all layers; returns where in ``state`` the output lies."""
        lines, size, given, output = Lines(), self.stack.input_size, "work", 0
        self._read(lines, "x")
        for layer, ((called, offset),) in zip(self.stack.layers, self.places, strict=True):
            lines.add(f"{called}({given}, {_at('state', offset)}, work + {size});")
            output = offset
            if layer.residual:
                lines.loop("i", layer.width)
                total = self._residual(layer, f"({given})[i]", f"state[{offset} + i]")
                lines.add(f"state[{self.states} + i] = (int16_t){total};")
                lines.close()
                output, self.states = self.states, self.states + layer.width
            given = _at("state", output)
        self._add(f"{function}(const float *x, int16_t *state, int16_t *work)", lines)
        return output

    def _read(self, lines: Lines, x: str) -> None:
        scale = literal(2.0 ** self.stack.layers[0].before)
        lines.add(f"{self.unit.helpers.need('to_integers')}({x}, {self.stack.input_size}, {scale}, work);")

    def _residual(self, layer: IntegerLayer, x: str, output: str) -> str:
        middle = meeting(layer.before, layer.inside)
        total = f"{_shift(self.unit, x, layer.before, middle)} + {_shift(self.unit, output, layer.inside, middle)}"
        self.unit.helpers.need("saturated")
        return f"saturated({_shift(self.unit, total, middle, layer.after, whole=True)})"

    def _run_ahead(self, function: str, output: int) -> None:
        lines, width = Lines(), self.stack.width
        lines.loop("t", "steps")
        lines.add(f"{self.name}_step(x + t * {self.stack.input_size}, state, work);")
        scale = literal(2.0 ** -self.stack.layers[-1].after)
        given = _at("state", output)
        lines.add(f"{self.unit.helpers.need('from_integers')}({given}, {width}, {scale}, output + t * {width});")
        lines.close()
        self._add(
            f"{function}(const float *x, size_t steps, int16_t *state, float *output, int16_t *work)",
            lines,
        )

    def _run_both(self, function: str) -> None:
        """Layer by layer, the layers' outputs in turns in two places, the last one's as floats."""
        lines, given, width, size = Lines(), "", self.stack.input_size, self.stack.input_size
        widest = max((layer.width for layer in self.stack.layers[:-1]), default=0)
        for depth, (layer, row) in enumerate(zip(self.stack.layers, self.places, strict=True)):
            last = depth == len(self.stack.layers) - 1
            target = "output" if last else f"between + {depth % 2} * steps * {widest}" if depth % 2 else "between"
            start = 0
            for direction, (called, offset) in zip(layer.directions, row, strict=True):
                state = _at("state", offset)
                lines.loop("n", "steps")
                lines.add(f"const size_t t = {'steps - 1 - n' if direction.reverse else 'n'};")
                if depth == 0:
                    self._read(lines, f"x + t * {width}")
                read = f"{given} + t * {width}" if depth else "work"
                lines.add(f"{called}({read}, {state}, work + {size});")
                lines.loop("i", direction.widths[0])
                value = f"({state})[i]"
                if layer.residual:
                    value = self._residual(layer, f"({given})[t * {width} + {start} + i]", value)
                shown = f"(float){value} * {literal(2.0**-layer.after)}" if last else f"(int16_t){value}"
                lines.add(f"({target})[t * {layer.width} + {start} + i] = {shown};")
                lines.close()
                lines.close()
                start += direction.widths[0]
            given, width = target, layer.width
        between = "int16_t *between, " if len(self.stack.layers) > 1 else ""
        self._add(
            f"{function}(const float *x, size_t steps, int16_t *state, {between}float *output, int16_t *work)", lines
        )

    def _add(self, head: str, lines: Lines) -> None:
        self.unit.functions.append(f"static void {head}\n{{\n" + "\n".join(lines.found) + "\n}\n")


def _at(base: str, offset: int) -> str:
    return f"{base} + {offset}" if offset else base


def _shift(unit: Unit, value: str, before: int, after: int, *, whole: bool = False) -> str:
    """A value with other fraction bits; ``whole``: it is a sum."""
    if before == after:
        return value
    if after < before:
        return f"{unit.helpers.need('rounded')}({value}, {before - after})"
    return f"{f'({value})' if whole else value} * {1 << (after - before)}"


def _direction(unit: Unit, direction: IntegerDirection, function: str, before: int) -> tuple[int, int]:
    """One step: reads ``x``, updates ``state``; returns working memory and multiply-adds."""
    lines, arena = Lines(), Arena()
    read = next(each for each in direction.expressions if "x" in each.operands)
    width = direction.products[read.name].rows.values.shape[1] if read.operation == "linear" else read.width
    given = {"x": Reference("x", 0, width)}
    offset, kept = 0, {}
    for place, size in enumerate(direction.widths):
        given[f"s{place}"] = Reference("state", offset, size)
        offset += size
    for name, size in zip(direction.outputs, direction.widths, strict=True):
        if name not in given and name not in kept:
            kept[name] = Reference("work", arena.take(size), size)
    unit.products = 0
    vectors = IntegerVectors(unit, lines, given, kept, arena, direction, function)
    vectors.emit(direction.expressions)
    sources = [vectors.values[name] for name in direction.outputs]
    targets = [given[f"s{place}"] for place in range(len(sources))]
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        if source.base == "state" and source != target:  # another state's old value, before it is overwritten
            sources[place] = replace(source, base="work", offset=arena.take(source.width))
            lines.add(
                f"{unit.helpers.need('copy_integers')}({source.address}, {source.width}, {sources[place].address});"
            )
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        bits = direction.fractions[direction.outputs[place]], direction.fractions[f"s{place}"]
        if source == target and bits[0] == bits[1]:
            continue
        if bits[0] == bits[1]:
            lines.add(f"{unit.helpers.need('copy_integers')}({source.address}, {target.width}, {target.address});")
            continue
        moved = _shift(unit, source.at("i"), bits[0], max(bits[1], bits[0] - 30) if bits[1] < bits[0] else bits[1])
        if bits[1] > bits[0]:
            unit.helpers.need("saturated")
            moved = f"saturated({source.at('i')} * {1 << min(bits[1] - bits[0], 16)})"
        lines.loop("i", target.width)
        lines.add(f"{target.at('i')} = (int16_t){moved};")
        lines.close()
    head = f"static void {function}(const int16_t *restrict x, int16_t *restrict state, int16_t *restrict work)"
    body = "\n".join(lines.found)
    unused = "".join(f"    (void){name};\n" for name in ("x", "state", "work") if f"{name}[" not in body
                     and f"{name} +" not in body and f"({name}," not in body and f" {name}," not in body
                     and f" {name})" not in body)  # fmt: skip
    unit.functions.append(f"{head}\n{{\n{unused}{body}\n}}\n")
    return arena.size, unit.products


class IntegerVectors(Vectors):
    """Emits a direction's expressions on integers; see `gatewise.export.integers.stack.evaluate`.

    Args:
        unit, lines, given, kept: as of `Vectors`.
        arena: working memory.
        direction: whose.
        function: of which.
    """

    def __init__(
        self,
        unit: Unit,
        lines: Lines,
        given: Mapping[str, Reference],
        kept: Mapping[str, Reference],
        arena: Arena,
        direction: IntegerDirection,
        function: str,
    ) -> None:
        super().__init__(unit, lines, given, kept, {False: ("work", arena)})
        self.direction, self.function, self.fractions = direction, function, direction.fractions

    def _kind(self, wide: bool) -> str:
        return "int32_t"

    def _narrow(self, found: str) -> str:
        return f"(int16_t)({found})"

    def _of(self, operand: Operand, wide: bool) -> Reference:
        assert isinstance(operand, str)
        if not is_weight(operand):
            return self.values[operand]
        values = self.direction.vectors[operand]
        name = self.unit.numbers(f"{operand}.integers", "int16_t", values, f"{operand}, {self.fractions[operand]} bits")
        return Reference(name, 0, values.shape[-1])

    def _pair(self, each: Expression, operand: Operand, inside: set[str]) -> tuple[str, int]:
        """An operand in C with its fraction bits."""
        if not isinstance(operand, str):
            value, fraction = number(each, operand, self.fractions)
            return (str(value) if value >= 0 else f"({value})"), fraction
        return self._atom(operand, False, inside), self.fractions[operand]

    def _formula(self, each: Expression, inside: set[str]) -> str:
        operation, after, need = each.operation, self.fractions[each.name], self.unit.helpers.need
        pairs = [self._pair(each, operand, inside) for operand in each.operands]
        bits = [fraction for _, fraction in pairs]
        if operation in ("add", "sub") or operation in _COMPARISONS:
            middle = meeting(*bits)
            first, second = (_shift(self.unit, value, fraction, middle) for value, fraction in pairs)
            if operation in _COMPARISONS:
                return f"{first} {_COMPARISONS[operation]} {second} ? {1 << ONE} : 0"
            total = f"{first} {'+' if operation == 'add' else '-'} {second}"
            return f"{need('saturated')}({_shift(self.unit, total, middle, after, whole=True)})"
        first = pairs[0][0]
        if operation == "mul":
            return f"{need('saturated')}({_shift(self.unit, f'{first} * {pairs[1][0]}', sum(bits), after, whole=True)})"
        if operation in ("tanh", "sigmoid"):
            self.unit.numbers(_TABLE, "uint16_t", np.asarray(LOGISTIC), "32768 / (1 + exp(-x)) for x = 0, 1/32 .. 16")
            read = bits[0] - 1 if operation == "tanh" else bits[0]
            found = f"{need('logistic')}({_shift(self.unit, first, read, 12)})"
            return f"{found} - 16384" if operation == "tanh" else f"{need('rounded')}({found}, 1)"
        if operation == "relu":
            return f"{first} < 0 ? 0 : {first}"
        if operation in ("neg", "abs"):
            return f"-{first}" if operation == "neg" else f"{first} < 0 ? -{first} : {first}"
        moved = [_shift(self.unit, value, fraction, after) if fraction >= after else value for value, fraction in pairs]
        if operation in ("max", "min"):
            return f"{moved[0]} {'>' if operation == 'max' else '<'} {moved[1]} ? {moved[0]} : {moved[1]}"
        assert operation == "where", operation
        return f"{first} != 0 ? {moved[1]} : {moved[2]}"

    def _call(self, each: Expression) -> None:
        if each.operation == "linear":
            self._linear(each)
            return
        if each.operation in ("slice", "constant"):
            source = self._alias(each)
            self._copy(source, self._place(each))
            return
        assert each.operation == "concat", each.operation
        target, start, after = self._place(each), 0, self.fractions[each.name]
        for operand in each.operands:
            source = self._of(operand, False)
            place = replace(target, offset=target.offset + start, width=source.width)
            self.lines.loop("i", source.width)
            moved = _shift(self.unit, source.at("i"), self.fractions[str(operand)], after)
            self.lines.add(f"{place.at('i')} = (int16_t){moved};")
            self.lines.close()
            start += source.width

    def _linear(self, each: Expression) -> None:
        product, source = self.direction.products[each.name], self._of(each.operands[0], False)
        target, after, unit = self._place(each), product.after, self.unit
        label = f"{product.weight}.{self.function}_{each.name}"
        rows, columns = product.rows.values.shape
        unit.products += rows * columns
        factors = unit.numbers(f"{label}.factors", "int32_t", after.factors)
        bias = "NULL" if after.bias is None else unit.numbers(f"{label}.bias", "int32_t", after.bias)
        function = unit.helpers.need("linear_integers" if product.rows.fits else "linear_integers_long")
        self.lines.add(
            f"{function}({source.address}, {unit.packed(product.weight)}, {factors}, {bias}, {after.shift}, {columns}, "
            f"{rows}, {target.address});"
        )

    def _copy(self, source: Reference, target: Reference) -> None:
        self.lines.add(
            f"{self.unit.helpers.need('copy_integers')}({source.address}, {target.width}, {target.address});"
        )
