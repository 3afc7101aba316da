"""A graph over whole sequences in C, of at most so many steps. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from gatewise.export.graph.expressions import Expression
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import (
    Accumulate,
    Convolution,
    EachStep,
    JoinSteps,
    Node,
    Pool,
    Reshape,
    Run,
    SoftmaxSteps,
    Steps,
    Viterbi,
)
from gatewise.export.to_c.literals import literal
from gatewise.export.to_c.places import (
    Place,
    Places,
    as_expression,
    kind_of,
    lengths_of,
    looks_across,
    sources_of,
    steps_in_c,
    unsupported,
)
from gatewise.export.to_c.recurrent import StackCode
from gatewise.export.to_c.unit import Unit
from gatewise.export.to_c.vectors import Lines

__all__ = ["InnerCode", "WholeCode", "emit_inner", "emit_whole", "runs_to_end"]


def runs_to_end(graph: Graph) -> set[str]:
    """Runs of which only the last step's output is read, or only the final states: no step's output has to be kept."""
    outputs = set(graph.outputs.values())
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        initial = node.initial if isinstance(node, Run) else None
        for source in sources_of(node):
            if source != initial:
                readers.setdefault(source, []).append(node)
    return {
        run.name
        for run in graph.nodes
        if isinstance(run, Run)
        and run.name not in outputs
        and not graph.stacks[run.stack].bidirectional
        and all(
            isinstance(node, Pool) and node.how == "last" and node.directions == 1 for node in readers.get(run.name, [])
        )
    }


@dataclass(frozen=True)
class WholeCode:
    """What was emitted.

    Attributes:
        lines: statements; every output is written by them.
        work, wide, kept: numbers of memory.
        products: multiply-adds of a sequence of the greatest length.
    """

    lines: tuple[str, ...]
    work: int
    wide: int
    kept: int
    products: int


def emit_whole(
    unit: Unit,
    graph: Graph,
    stacks: Mapping[str, StackCode],
    pointers: Mapping[str, str],
    most: int,
    bodies: Mapping[str, InnerCode] | None = None,
    *,
    inner: str = "",
) -> WholeCode:
    """Emit a graph.

    Args:
        unit: collects functions and weights.
        graph: the graph.
        stacks: functions of the recurrent layers.
        pointers: in C, by name of input and output.
        most: the greatest number of steps of ``"T"``.
        bodies: functions for the sequences within steps, by node, see `emit_inner`.
        inner: it is the graph of such a function, of this node.

    Raises:
        ConversionError: a node has no form in C.
    """
    return _Whole(unit, graph, stacks, pointers, most, bodies or {}, inner).emit()


class InnerCode(NamedTuple):
    """The function of a graph for the sequence within a step.

    Attributes:
        function: ``void function(instance *m, const uint32_t *tokens, size_t steps, float *output)``.
        code: its memory and arithmetic.
    """

    function: str
    code: WholeCode


def emit_inner(
    unit: Unit, node: EachStep, stacks: Mapping[str, StackCode], most: int, instance: str
) -> tuple[InnerCode, str]:
    """Emit the graph for the sequence within a step; returns also the function's text.

    Args:
        unit: collects functions and weights.
        node: whose.
        stacks: functions of the body's recurrent layers.
        most: tokens of a step, at most.
        instance: type of the instance.
    """
    (given,), (output,) = node.body.inputs, node.body.outputs
    if not given.tokens:
        raise unsupported("sequences of numbers within a step")
    code = emit_whole(unit, node.body, stacks, {given.name: "tokens", output: "output"}, most, inner=node.name)
    function, body = f"each_{node.name}", "\n".join(code.lines)
    head = f"static void {function}({instance} *m, const uint32_t *tokens, size_t steps, float *output)"
    unused = "".join(f"    (void){each};\n" for each in ("m", "steps") if not re.search(rf"\b{each}\b", body))
    return InnerCode(function, code), f"{head}\n{{\n{unused}{body}\n}}\n"


class _Whole:
    def __init__(
        self,
        unit: Unit,
        graph: Graph,
        stacks: Mapping[str, StackCode],
        pointers: Mapping[str, str],
        most: int,
        bodies: Mapping[str, InnerCode],
        inner: str,
    ) -> None:
        self.unit, self.graph, self.stacks, self.pointers, self.most = unit, graph, stacks, pointers, most
        self.bodies = bodies
        self.lines = Lines()
        self.places = Places(unit, self.lines, graph.nodes, graph.outputs.values(), most, inner=inner)
        self.targets: dict[str, Place] = {}
        self.finals: dict[str, str] = {}
        runs = [(index, node) for index, node in enumerate(graph.nodes) if isinstance(node, Run)]
        self.final_use = {node.initial: index for index, node in runs if node.initial is not None}
        self.known = graph.values
        self.ends = runs_to_end(graph)

    def emit(self) -> WholeCode:
        self.unit.products = 0
        for given in self.graph.inputs:
            self.places.given(given, self.pointers[given.name])
        targets = self.targets
        for name, value in self.graph.outputs.items():
            node = self.known[value]
            targets[value] = Place(self.pointers[name], node.width, steps_in_c(node.steps), kind_of(node))
        nodes, index = self.graph.nodes, 0
        while index < len(nodes):
            group: list[Expression] = []
            while index < len(nodes) and (found := as_expression(nodes[index])) is not None:
                if group and (group[0].steps != found.steps or looks_across(found, group)):
                    break
                group.append(found)
                index += 1
            if group:
                self.places.expressions(index - len(group), group, targets)
                continue
            self._node(index, nodes[index])
            self.places.release(index)
            index += 1
        self._give()
        work, wide = self.places.arenas[False].size, self.places.arenas[True].size
        return WholeCode(tuple(self.lines.found), work, wide, self.places.kept.size, self.unit.products)

    def _give(self) -> None:
        for name, value in self.graph.outputs.items():
            place, node = self.places.found[value], self.known[value]
            if place.pointer == self.pointers[name]:
                continue
            count = f"{steps_in_c(node.steps)} * {node.width}" if node.steps is not None else str(node.width)
            copy = self.unit.helpers.need("copy", wide=node.wide)
            self.lines.add(f"{copy}({place.pointer}, {count}, {self.pointers[name]});")

    def _node(self, index: int, node: Node) -> None:
        if isinstance(node, JoinSteps):
            self._join(node)
            return
        assert not isinstance(node, Expression)
        source = self.places.found[node.source]
        if isinstance(node, Run):
            self._run(index, node, source)
        elif isinstance(node, Pool):
            self._pool(node, source)
        elif isinstance(node, SoftmaxSteps):
            if node.width != 1:
                raise unsupported("an attention of several features")
            place = self.places.take(node.name, 1, node.steps, wide=node.wide)
            function = self.unit.helpers.need("softmax", wide=node.wide)
            self.lines.add(f"{function}({source.pointer}, {source.steps}, {place.pointer});")
        elif isinstance(node, Steps):
            start = f"({source.steps} - {-node.start})" if node.start < 0 else str(node.start)
            pointer = f"{source.pointer} + {start} * {node.width}" if start != "0" else source.pointer
            self.places.alias(node.name, replace(source, pointer=pointer, steps=str(node.steps)))
        elif isinstance(node, Reshape):
            self.places.alias(node.name, replace(source, steps=steps_in_c(node.steps), width=node.width))
        elif isinstance(node, Accumulate):
            place = self.places.take(node.name, node.width, node.steps, wide=node.wide)
            function = self.unit.helpers.need("accumulate", wide=node.wide)
            self.lines.add(f"{function}({source.pointer}, {node.steps}, {node.width}, {place.pointer});")
        elif isinstance(node, Convolution):
            self._convolution(node, source)
        elif isinstance(node, Viterbi):
            self._viterbi(node, source)
        elif isinstance(node, EachStep):
            self._each_step(node, source)

    def _convolution(self, node: Convolution, source: Place) -> None:
        rows, columns, taps = self.unit.weights[node.weight].shape
        place = self.places.take(node.name, node.width, node.steps, wide=node.wide)
        weight, bias = self.unit.weight(node.weight, by_column=True), self.unit.weight(node.bias)
        function = self.unit.helpers.need("convolution", wide=node.wide)
        sizes = f"{columns}, {rows}, {taps}"
        self.lines.add(f"{function}({source.pointer}, {source.steps}, {weight}, {bias}, {sizes}, {place.pointer});")
        self.unit.products += rows * columns * taps * (self.most if node.steps == "T" else int(node.steps))

    def _viterbi(self, node: Viterbi, source: Place) -> None:
        place = self.targets.get(node.name)
        if place is None:
            raise unsupported("tags that are no output")
        count = source.width
        best = self.places.take(f"{node.name} best", count, node.steps, wide=source.kind == "double")
        weights = ", ".join(self.unit.weight(each) for each in (node.transitions, node.start, node.end))
        function = self.unit.helpers.need("viterbi", wide=source.kind == "double")
        given = f"{source.pointer}, {source.steps}, {count}, {weights}"
        self.lines.add(f"{function}({given}, {best.pointer}, {place.pointer});")
        self.places.found[node.name] = place

    def _each_step(self, node: EachStep, source: Place) -> None:
        place, inner = self.places.take(node.name, node.width, node.steps), self.bodies[node.name]
        lengths = self.pointers[lengths_of(node.source)]
        self.lines.add(f"const uint32_t *{node.name}_read = {source.pointer};")
        self.lines.loop("t", source.steps)
        target = place.pointer + f" + t * {node.width}"
        self.lines.add(f"{inner.function}(m, {node.name}_read, {lengths}[t], {target});")
        self.lines.add(f"{node.name}_read += {lengths}[t];")
        self.lines.close()
        self.unit.products += inner.code.products * (self.most if node.steps == "T" else int(node.steps))

    def _join(self, node: JoinSteps) -> None:
        place = self.places.take(node.name, node.width, node.steps, wide=node.wide)
        copy, start = self.unit.helpers.need("copy", wide=node.wide), 0
        for each in node.sources:
            source = self.places.found[each]
            count = int(source.steps or 1) * node.width
            target = f"{place.pointer} + {start}" if start else place.pointer
            self.lines.add(f"{copy}({source.pointer}, {count}, {target});")
            start += count

    def _run(self, index: int, node: Run, source: Place) -> None:
        code = self.stacks[node.stack]
        states, floats = f"{node.name} states", code.fraction is None
        pointer = (
            self.places.take(states, code.states, None).pointer
            if floats
            else self.places.take_integers(states, code.states)
        )
        if self.final_use.get(node.name, -1) > index:
            self.places.keep(states, self.final_use[node.name])
        self.finals[node.name] = pointer
        steps = steps_in_c(node.steps)
        self.unit.products += code.products * (self.most if node.steps == "T" else int(node.steps))
        if node.initial is None:
            self.lines.add(f"{code.start}({pointer});")
        else:
            copy = self.unit.helpers.need("copy" if floats else "copy_integers")
            self.lines.add(f"{copy}({self.finals[node.initial]}, {code.states}, {pointer});")
        work = "m->cells" if floats else "m->numbers"
        if node.name in self.ends:  # no need to keep the outputs of all steps
            self.lines.loop("t", steps)
            self.lines.add(f"{code.step}({source.pointer} + t * {source.width}, {pointer}, {work});")
            self.lines.close()
            output = f"{pointer} + {code.output}" if code.output else pointer
            if code.fraction is None:
                self.places.alias(node.name, Place(output, node.width, root=states))
                return
            place = self.places.take(node.name, node.width, None)
            function, scale = self.unit.helpers.need("from_integers"), literal(2.0**-code.fraction)
            self.lines.add(f"{function}({output}, {node.width}, {scale}, {place.pointer});")
            return
        between = ""
        if code.between:
            name = f"{node.name} between"
            if floats:
                between = f"{self.places.take(name, code.between, node.steps).pointer}, "
            else:
                count = code.between * (self.most if node.steps == "T" else int(node.steps))
                between = f"{self.places.take_integers(name, count)}, "
        place = self.places.take(node.name, node.width, node.steps)
        self.lines.add(f"{code.run}({source.pointer}, {steps}, {pointer}, {between}{place.pointer}, {work});")

    def _pool(self, node: Pool, source: Place) -> None:
        width, wide = node.width, node.wide
        if node.how == "last" and node.directions == 1:
            pointer = source.pointer + ("" if source.steps is None else f" + ({source.steps} - 1) * {width}")
            self.places.alias(node.name, replace(source, pointer=pointer, steps=None))
            return
        place = self.places.take(node.name, width, None, wide=wide)
        if node.how == "last":
            copy, half = self.unit.helpers.need("copy", wide=wide), width // 2
            self.lines.add(f"{copy}({source.pointer} + ({source.steps} - 1) * {width}, {half}, {place.pointer});")
            self.lines.add(f"{copy}({source.pointer} + {half}, {width - half}, {place.pointer} + {half});")
            return
        function = self.unit.helpers.need(f"pool_{node.how}", wide=wide)
        self.lines.add(f"{function}({source.pointer}, {source.steps}, {width}, {place.pointer});")
