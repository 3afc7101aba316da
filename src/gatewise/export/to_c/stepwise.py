"""A graph step by step in C: ``advance`` reads a step, ``answer`` computes what needs no further state. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gatewise.export.graph.expressions import Expression
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import Accumulate, EachStep, Input, Node, Pool, Reshape, Run
from gatewise.export.graph.stream import Stream, StreamState
from gatewise.export.to_c.literals import literal
from gatewise.export.to_c.places import (
    Place,
    Places,
    as_expression,
    kind_of,
    lengths_of,
    looks_across,
    sources_of,
    unsupported,
)
from gatewise.export.to_c.recurrent import StackCode
from gatewise.export.to_c.unit import Unit
from gatewise.export.to_c.vectors import Lines
from gatewise.export.to_c.whole import InnerCode

__all__ = ["StepCode", "emit_stream"]


@dataclass(frozen=True)
class StepCode:
    """What was emitted.

    Attributes:
        advance, answer, start: statements; ``start`` sets the states.
        inputs: which are read.
        outputs: names.
        state, work, wide, kept: numbers of memory.
        products: multiply-adds per step.
    """

    advance: tuple[str, ...]
    answer: tuple[str, ...]
    start: tuple[str, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    state: int
    work: int
    wide: int
    kept: int
    products: int


def emit_stream(
    unit: Unit,
    graph: Graph,
    stream: Stream,
    stacks: Mapping[str, StackCode],
    pointers: Mapping[str, str],
    bodies: Mapping[str, InnerCode] | None = None,
) -> StepCode:
    """Emit a stream.

    Args:
        unit: collects functions and weights.
        graph: whose.
        stream: how it runs.
        stacks: functions of the recurrent layers.
        pointers: in C, by name of input and output.
        bodies: functions for the sequences within a step, by node.
    """
    return _Stream(unit, graph, stream, stacks, pointers, bodies or {}).emit()


class _Stream:
    def __init__(
        self,
        unit: Unit,
        graph: Graph,
        stream: Stream,
        stacks: Mapping[str, StackCode],
        pointers: Mapping[str, str],
        bodies: Mapping[str, InnerCode],
    ) -> None:
        self.bodies = bodies
        self.unit, self.graph, self.stream, self.stacks, self.pointers = unit, graph, stream, stacks, pointers
        ahead = _ahead(stream)
        self.nodes = [*(n for n in stream.nodes if n.name in ahead), *(n for n in stream.nodes if n.name not in ahead)]
        self.ahead = len(ahead)
        self.lines = Lines()
        self.places = Places(unit, self.lines, self.nodes, stream.outputs.values(), 1)
        self.state = self.kept = 0
        self.start = Lines()
        self.count: int | None = None

    def emit(self) -> StepCode:
        graph, unit = self.graph, self.unit
        for given in self.stream.inputs:
            self.places.given(given, self.pointers[given.name], stepwise=True)
        unit.products = 0
        if any(isinstance(node, Pool) and node.how == "mean" for node in self.nodes):
            self.count = self._states(1, "0.0f")
            self.lines.add(f"m->state[{self.count}] += 1.0f;")
        outputs = {value: name for name, value in self.stream.outputs.items()}
        targets = {
            value: Place(
                self.pointers[name], graph.values[value].width, self._steps(value), kind_of(graph.values[value])
            )
            for value, name in outputs.items()
        }
        self._nodes(0, self.nodes[: self.ahead], {})
        advance, self.lines.found = list(self.lines.found), []
        self._nodes(self.ahead, self.nodes[self.ahead :], targets)
        for name, value in self.stream.outputs.items():
            found, width = self.places.found[value], graph.values[value].width * int(self._steps(value) or 1)
            if found.pointer != self.pointers[name]:
                copy = unit.helpers.need("copy", wide=graph.values[value].wide)
                self.lines.add(f"{copy}({found.pointer}, {width}, {self.pointers[name]});")
        arenas = self.places.arenas
        return StepCode(
            tuple(advance),
            tuple(self.lines.found),
            tuple(self.start.found),
            self.stream.inputs,
            tuple(self.stream.outputs),
            self.state,
            arenas[False].size,
            arenas[True].size,
            self.kept,
            unit.products,
        )

    def _nodes(self, first: int, nodes: Sequence[Node], targets: Mapping[str, Place]) -> None:
        index = 0
        while index < len(nodes):
            group: list[Expression] = []
            while index < len(nodes) and (found := as_expression(nodes[index])) is not None:
                if self._steps(found.name) is None:
                    found = replace(found, steps=None)
                if group and (group[0].steps != found.steps or looks_across(found, group)):
                    break
                group.append(found)
                index += 1
            if group:
                self.places.expressions(first + index - len(group), group, targets)
                continue
            self._node(nodes[index])
            self.places.release(first + index)
            index += 1

    def _steps(self, value: str) -> str | None:
        """How many steps a value has at every step; None: it is a vector."""
        steps = self.graph.values[value].steps
        return str(steps) if value in self.stream.sequences else None

    def _node(self, node: Node) -> None:
        source = self.places.found[node.source]  # type: ignore[union-attr]
        if isinstance(node, EachStep):
            place, inner = self.places.take(node.name, node.width, None), self.bodies[node.name]
            lengths = self.pointers[lengths_of(node.source)]
            self.lines.add(f"{inner.function}(m, {source.pointer}, {lengths}[0], {place.pointer});")
            self.unit.products += inner.code.products
        elif isinstance(node, Run):
            code = self.stacks[node.stack]
            if code.fraction is not None:
                self._integers(node, source, code, code.fraction)
                return
            offset = self._states(code.states, None)
            state = f"m->state + {offset}" if offset else "m->state"
            self.start.add(f"{code.start}({state});")
            self.lines.add(f"{code.step}({source.pointer}, {state}, m->cells);")
            self.unit.products += code.products
            output = offset + code.output
            pointer = f"m->state + {output}" if output else "m->state"
            self.places.alias(node.name, Place(pointer, node.width))
        elif isinstance(node, Pool) and node.how != "last":
            self._pool(node, source)
        elif isinstance(node, Reshape):
            self.places.alias(node.name, replace(source, steps=self._steps(node.name), width=node.width))
        elif isinstance(node, Accumulate):
            place = self.places.take(node.name, node.width, node.steps, wide=node.wide)
            function = self.unit.helpers.need("accumulate", wide=node.wide)
            self.lines.add(f"{function}({source.pointer}, {node.steps}, {node.width}, {place.pointer});")
        else:
            self.places.alias(node.name, source)

    def _integers(self, node: Run, source: Place, code: StackCode, fraction: int) -> None:
        """A step of layers in integers; their output as floats."""
        state = "m->kept" + (f" + {self.kept}" if self.kept else "")
        output = self.kept + code.output
        self.kept += code.states
        self.start.add(f"{code.start}({state});")
        self.lines.add(f"{code.step}({source.pointer}, {state}, m->numbers);")
        self.unit.products += code.products
        place = self.places.take(node.name, node.width, None)
        given, scale = "m->kept" + (f" + {output}" if output else ""), literal(2.0**-fraction)
        function = self.unit.helpers.need("from_integers")
        self.lines.add(f"{function}({given}, {node.width}, {scale}, {place.pointer});")

    def _pool(self, node: Pool, source: Place) -> None:
        if node.wide:
            raise unsupported("a stream of means of values before their scaling")
        least = next(each.start for each in self.stream.states if _belongs(each, node))
        offset = self._states(node.width, literal(least))
        self.lines.loop("i", node.width)
        held, value = f"m->state[{offset} + i]", f"({source.pointer})[i]"
        if node.how == "max":
            self.lines.add(f"{held} = {value} > {held} ? {value} : {held};")
            self.lines.close()
            self.places.alias(node.name, Place(f"m->state + {offset}", node.width))
            return
        self.lines.add(f"{held} += {value};")
        place = self.places.take(node.name, node.width, None)
        self.lines.add(f"({place.pointer})[i] = {held} / m->state[{self.count}];")
        self.lines.close()

    def _states(self, count: int, start: str | None) -> int:
        offset, self.state = self.state, self.state + count
        if start is not None:
            self.start.add(f"{self.unit.helpers.need('fill')}(m->state + {offset}, {count}, {start});")
        return offset


def _belongs(state: StreamState, node: Pool) -> bool:
    return state.name in (f"{node.name}_sum", f"{node.name}_max")


def _ahead(stream: Stream) -> set[str]:
    """The nodes that states depend on; the others can wait until an answer is asked for."""
    wanted: set[str] = set()
    for node in reversed(stream.nodes):
        if node.name in wanted or isinstance(node, Run | Pool):
            wanted.add(node.name)
            wanted.update(sources_of(node))
    return {node.name for node in stream.nodes if node.name in wanted}
