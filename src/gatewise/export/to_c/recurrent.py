"""Recurrent layers as C functions: one per direction for a step, one per stack. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from gatewise.export.graph.expressions import Expression
from gatewise.export.graph.nodes import Direction, Stack
from gatewise.export.integers.calibration import scope_of
from gatewise.export.to_c.integers import emit_integer_stack
from gatewise.export.to_c.literals import identifier
from gatewise.export.to_c.memory import Arena
from gatewise.export.to_c.unit import Unit
from gatewise.export.to_c.vectors import Lines, Reference, Vectors

__all__ = ["StackCode", "emit_stack"]


class StackCode(NamedTuple):
    """The functions of a stack.

    Attributes:
        start: ``void start(float *state)``; "" where it was not asked for.
        step: ``void step(const float *x, float *state, float *work)`` of a stack of one direction; "" otherwise.
        output: offset in ``state`` of the output of ``step``.
        run: ``void run(const float *x, size_t steps, float *state, float *between, float *output, float *work)``,
            without ``between`` where ``between`` is 0; "" where it was not asked for.
        states: numbers of all states, and of outputs that are no state.
        work: numbers of working memory.
        between: numbers per step between layers.
        products: multiply-adds per step.
        fraction: fraction bits of the output where states and working memory are ``int16_t``; None: they are float.
    """

    start: str
    step: str
    output: int
    run: str
    states: int
    work: int
    between: int
    products: int
    fraction: int | None = None


def emit_stack(unit: Unit, stack: Stack, *, start: bool, whole: bool) -> StackCode:
    """Emit a stack's functions into the unit; ``start`` and ``run`` only where they are asked for."""
    if stack.name in unit.stacks:
        return StackCode(*emit_integer_stack(unit, unit.stacks[stack.name], start=start, whole=whole))
    name = identifier(stack.name)
    work, products, places, offset = 0, 0, [], 0
    for depth, layer in enumerate(stack.layers):
        row = []
        for place, direction in enumerate(layer.directions):
            suffix = "_reverse" if direction.reverse else ""
            function = f"{name}_l{depth}{suffix}"
            needed, count = _direction(unit, direction, function, scope_of(stack.name, depth, place))
            work, products = max(work, needed), products + count
            row.append((function, offset))
            offset += sum(state.width for state in direction.states)
        places.append(row)
    begin = _start(unit, stack, f"{name}_start") if start else ""
    run = f"{name}_run" if whole else ""
    if stack.bidirectional:
        _run_both(unit, stack, run, places)
        widest = max((layer.width for layer in stack.layers[:-1]), default=0)
        between = widest * min(2, len(stack.layers) - 1)
        return StackCode(begin, "", 0, run, offset, work, between, products)
    output, states = _step(unit, stack, f"{name}_step", places, offset)
    if whole:
        _run_ahead(unit, stack, run, f"{name}_step", output)
    return StackCode(begin, f"{name}_step", output, run, states, work, 0, products)


def _direction(unit: Unit, direction: Direction, function: str, scope: str) -> tuple[int, int]:
    """One step: reads ``x``, updates ``state``; returns working memory and multiply-adds."""
    lines, arena = Lines(), Arena()
    expressions: list[Expression] = list(direction.project.expressions)
    step = direction.step
    renamed = {"gates": direction.project.outputs[0]}
    for each in step.expressions:
        operands = tuple(renamed.get(o, o) if isinstance(o, str) else o for o in each.operands)
        expressions.append(replace(each, operands=operands))
    outputs = [renamed.get(name, name) for name in step.outputs]
    given = {"x": Reference("x", 0, dict(direction.project.inputs)["x"])}
    offset, kept = 0, {}
    for place, state in enumerate(direction.states):
        given[f"s{place}"] = Reference("state", offset, state.width)
        offset += state.width
    for name, state in zip(outputs, direction.states, strict=True):
        if name not in given and name not in kept:
            kept[name] = Reference("work", arena.take(state.width), state.width)
    unit.products = 0
    vectors = Vectors(unit, lines, given, kept, {False: ("work", arena)}, scope)
    vectors.emit(expressions)
    sources = [vectors.values[name] for name in outputs]
    targets = [given[f"s{place}"] for place in range(len(sources))]
    copy = unit.helpers.need("copy")
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        if source.base == "state" and source != target:  # another state's old value, before it is overwritten
            sources[place] = replace(source, base="work", offset=arena.take(source.width))
            lines.add(f"{copy}({source.address}, {source.width}, {sources[place].address});")
    for source, target in zip(sources, targets, strict=True):
        if source != target:
            lines.add(f"{copy}({source.address}, {target.width}, {target.address});")
    head = f"static void {function}(const float *restrict x, float *restrict state, float *restrict work)"
    body = "\n".join(lines.found)
    unused = "".join(f"    (void){name};\n" for name in ("x", "state", "work") if not _reads(body, name))
    unit.functions.append(f"{head}\n{{\n{unused}{body}\n}}\n")
    return arena.size, unit.products


def _reads(body: str, name: str) -> bool:
    return any(sign in body for sign in (f"{name}[", f"{name} +", f"({name},", f" {name},", f" {name})"))


def _start(unit: Unit, stack: Stack, function: str) -> str:
    lines, offset = Lines(), 0
    states = [state for layer in stack.layers for each in layer.directions for state in each.states]
    for state in states:
        place = f"state + {offset}" if offset else "state"
        if state.initial is None:
            lines.add(f"{unit.helpers.need('fill')}({place}, {state.width}, 0.0f);")
        else:
            lines.add(f"{unit.helpers.need('copy')}({unit.weight(state.initial)}, {state.width}, {place});")
        offset += state.width
    unit.functions.append(f"static void {function}(float *state)\n{{\n" + "\n".join(lines.found) + "\n}\n")
    return function


def _step(unit: Unit, stack: Stack, function: str, places: list[list[tuple[str, int]]], states: int) -> tuple[int, int]:
    """One step of all layers; returns where in ``state`` the output lies, and the numbers there."""
    lines, given, output = Lines(), "x", 0
    for layer, ((called, offset),) in zip(stack.layers, places, strict=True):
        state = f"state + {offset}" if offset else "state"
        lines.add(f"{called}({given}, {state}, work);")
        output = offset
        if layer.residual:
            lines.loop("i", layer.width)
            lines.add(f"state[{states} + i] = ({given})[i] + state[{offset} + i];")
            lines.close()
            output, states = states, states + layer.width
        given = f"state + {output}" if output else "state"
    head = f"static void {function}(const float *x, float *state, float *work)"
    unit.functions.append(f"{head}\n{{\n" + "\n".join(lines.found) + "\n}\n")
    return output, states


def _run_ahead(unit: Unit, stack: Stack, function: str, step: str, output: int) -> None:
    lines = Lines()
    lines.loop("t", "steps")
    lines.add(f"{step}(x + t * {stack.input_size}, state, work);")
    copy = unit.helpers.need("copy")
    lines.add(f"{copy}(state + {output}, {stack.width}, output + t * {stack.width});")
    lines.close()
    _add_run(unit, function, lines)


def _run_both(unit: Unit, stack: Stack, function: str, places: list[list[tuple[str, int]]]) -> None:
    """Layer by layer, the layers' outputs in turns in two places."""
    lines, given, width = Lines(), "x", stack.input_size
    copy = unit.helpers.need("copy")
    widest = max((layer.width for layer in stack.layers[:-1]), default=0)
    for depth, (layer, row) in enumerate(zip(stack.layers, places, strict=True)):
        last = depth == len(stack.layers) - 1
        target = "output" if last else f"between + {depth % 2} * steps * {widest}" if depth % 2 else "between"
        start = 0
        for direction, (called, offset) in zip(layer.directions, row, strict=True):
            size = direction.states[0].width
            state = f"state + {offset}" if offset else "state"
            lines.loop("n", "steps")
            lines.add(f"const size_t t = {'steps - 1 - n' if direction.reverse else 'n'};")
            lines.add(f"{called}({given} + t * {width}, {state}, work);")
            place = f"{target} + t * {layer.width}" + (f" + {start}" if start else "")
            lines.add(f"{copy}({state}, {size}, {place});")
            lines.close()
            start += size
        if layer.residual:
            lines.loop("i", f"steps * {layer.width}")
            lines.add(f"({target})[i] += ({given})[i];")
            lines.close()
        given, width = target, layer.width
    _add_run(unit, function, lines)


def _add_run(unit: Unit, function: str, lines: Lines) -> None:
    arguments = "const float *x, size_t steps, float *state, float *output, float *work"
    if any("between" in line for line in lines.found):
        arguments = "const float *x, size_t steps, float *state, float *between, float *output, float *work"
    unit.functions.append(f"static void {function}({arguments})\n{{\n" + "\n".join(lines.found) + "\n}\n")
