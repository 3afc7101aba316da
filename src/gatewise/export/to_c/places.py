"""Where the values of a graph lie while it is evaluated in C. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import Expression, is_weight
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import Convert, Input, Node, Run, Viterbi
from gatewise.export.to_c.memory import Arena
from gatewise.export.to_c.unit import Unit
from gatewise.export.to_c.vectors import CONVERT, Lines, Reference, Vectors

__all__ = [
    "Place",
    "Places",
    "as_expression",
    "kind_of",
    "lengths_of",
    "looks_across",
    "parameters_of",
    "sources_of",
    "unsupported",
]


@dataclass(frozen=True)
class Place:
    """Where a value lies: ``steps`` rows of ``width`` numbers.

    Attributes:
        pointer: to the first number, in C.
        width: of a row.
        steps: a number or, in C, how many there are; None: one vector.
        kind: ``float``, ``double`` or ``uint32_t``.
        root: the value whose memory it is; None: nobody's.
    """

    pointer: str
    width: int
    steps: str | None = None
    kind: str = "float"
    root: str | None = None


def as_expression(node: Node) -> Expression | None:
    """A node as an expression, where it is one for each step by itself."""
    if isinstance(node, Convert):
        return Expression(node.name, CONVERT, (node.source,), node.width, (), node.steps, node.wide)
    return node if isinstance(node, Expression) else None


def kind_of(value: Input | Node) -> str:
    """The type of a value's numbers in C."""
    if isinstance(value, Viterbi) or (isinstance(value, Input) and value.tokens):
        return "uint32_t"
    return "double" if value.wide else "float"


def lengths_of(given: str) -> str:
    """The name of the numbers of tokens in each step of an input whose steps hold sequences of their own."""
    return f"{given}_lengths"


def parameters_of(
    graph: Graph, pointers: Mapping[str, str], inputs: Sequence[Input], outputs: Sequence[str]
) -> list[tuple[str, str]]:
    """Name and declaration of each parameter of a function that reads inputs and writes outputs."""
    found = []
    for given in inputs:
        found.append((pointers[given.name], f"const {kind_of(given)} *{pointers[given.name]}"))
        if given.inner:
            lengths = pointers[lengths_of(given.name)]
            found.append((lengths, f"const uint32_t *{lengths}"))
    for name in outputs:
        kind = kind_of(graph.values[graph.outputs[name]])
        found.append((pointers[name], f"{kind} *{pointers[name]}"))
    return found


def sources_of(node: Node) -> list[str]:
    """The values that a node reads."""
    if isinstance(node, Expression):
        return [each for each in node.operands if isinstance(each, str) and not is_weight(each)]
    found = list(getattr(node, "sources", ())) or [node.source]  # type: ignore[union-attr]
    return [*found, node.initial] if isinstance(node, Run) and node.initial is not None else found


def looks_across(found: Expression, group: Sequence[Expression]) -> bool:
    """Whether an expression with an axis of time reads one of a group without, or the other way round."""
    steps = {each.name: each.steps for each in group}
    return any(isinstance(each, str) and steps.get(each, found.steps) != found.steps for each in found.operands)


def unsupported(what: str) -> ConversionError:
    """The error of a graph that C cannot express."""
    return ConversionError(
        f"there is no C for {what}", fix="use --to onnx, or export the layers: gatewise.export.c(layer)"
    )


class Places:
    """Values by name; their memory is reused once nothing needs them.

    Args:
        unit: collects functions and weights.
        lines: where the code goes.
        nodes: in the order of evaluation.
        lasting: values that are needed at the end.
        most: how many steps ``"T"`` has at most.
        inner: node of the graph for the sequence within a step, whose memory is not that of the graph around it.
    """

    def __init__(
        self,
        unit: Unit,
        lines: Lines,
        nodes: Sequence[Node],
        lasting: Iterable[str],
        most: int,
        *,
        inner: str = "",
    ) -> None:
        self.unit, self.lines, self.most = unit, lines, most
        self.memory = {False: "m->inner" if inner else "m->work", True: "m->inner_wide" if inner else "m->wide"}
        self.integers = "m->inner_kept" if inner else "m->kept"
        self.scope = f"{inner}/" if inner else ""
        self.arenas = {False: Arena(), True: Arena()}
        self.kept = Arena()
        self.found: dict[str, Place] = {}
        self._nodes = nodes
        self._last = {source: index for index, node in enumerate(nodes) for source in sources_of(node)}
        self._last |= dict.fromkeys(lasting, len(nodes))
        self._counts: dict[str, tuple[Arena, int, int]] = {}

    def given(self, value: Input, pointer: str, *, stepwise: bool = False) -> None:
        """Enter an input; ``stepwise``: a step of it."""
        if stepwise:
            value = replace(value, steps=None)
        self.found[value.name] = Place(pointer, value.width, steps_in_c(value.steps), kind_of(value))

    def take(self, name: str, width: int, steps: int | str | None, *, wide: bool = False) -> Place:
        """Memory for a value."""
        count = width * (self.most if steps == "T" else int(steps or 1))
        offset = self.arenas[wide].take(count)
        self._counts[name] = (self.arenas[wide], offset, count)
        pointer = self.memory[wide] + (f" + {offset}" if offset else "")
        self.found[name] = Place(pointer, width, steps_in_c(steps), "double" if wide else "float", name)
        return self.found[name]

    def take_integers(self, name: str, count: int) -> str:
        """Memory for integers of 16 bits; returns the pointer."""
        offset = self.kept.take(count)
        self._counts[name] = (self.kept, offset, count)
        return self.integers + (f" + {offset}" if offset else "")

    def alias(self, name: str, place: Place) -> None:
        """A value that lies within another."""
        self.found[name] = place
        if place.root is not None:
            self._last[place.root] = max(self._last.get(place.root, -1), self._last.get(name, -1))

    def keep(self, name: str, index: int) -> None:
        """Keep a value's memory until a node has been evaluated."""
        self._last[name] = index

    def release(self, index: int) -> None:
        """Give back what no node after ``index`` needs."""
        for name, (arena, offset, count) in list(self._counts.items()):
            if self._last.get(name, -1) <= index:
                arena.give(offset, count)
                del self._counts[name]

    def is_read_after(self, name: str, index: int) -> bool:
        """Whether a node after ``index``, or the end, needs a value."""
        return self._last.get(name, -1) > index

    def expressions(self, first: int, group: Sequence[Expression], outputs: Mapping[str, Place]) -> None:
        """Emit neighbouring expressions of the same number of steps.

        Args:
            first: index of the first one among the nodes.
            group: the expressions.
            outputs: where results belong that the caller asked for.
        """
        steps = group[0].steps
        end = first + len(group) - 1
        if steps is not None:
            self.lines.loop("t", steps_in_c(steps))
        given: dict[str, Reference] = {}
        inside = {each.name for each in group}
        for name in dict.fromkeys(source for each in group for source in sources_of(each) if source not in inside):
            given[name] = self._row(name, self.found[name])
        kept = {}
        for each in group:
            if each.name in outputs:
                self.found[each.name] = outputs[each.name]
            elif self.is_read_after(each.name, end):
                self.take(each.name, each.width, steps, wide=each.wide)
            else:
                continue
            kept[each.name] = self._row(each.name, self.found[each.name], written=True)
        work = {wide: (self.memory[wide], arena) for wide, arena in self.arenas.items()}
        before = self.unit.products
        Vectors(self.unit, self.lines, given, kept, work, self.scope).emit(group)
        if steps is not None:
            self.lines.close()
            times = self.most if steps == "T" else int(steps)
            self.unit.products = before + (self.unit.products - before) * times
        self.release(end)

    def _row(self, name: str, place: Place, *, written: bool = False) -> Reference:
        """A value at step t."""
        wide = place.kind == "double"
        if place.steps is None:
            return Reference(f"({place.pointer})" if "+" in place.pointer else place.pointer, 0, place.width, wide)
        constant = "" if written else "const "
        pointer = place.pointer + (f" + t * {place.width}" if place.width > 1 else " + t")
        self.lines.add(f"{constant}{place.kind} *const {name}_t = {pointer};")
        return Reference(f"{name}_t", 0, place.width, wide)


def steps_in_c(steps: int | str | None) -> str | None:
    """How many steps, in C."""
    return None if steps is None else "steps" if steps == "T" else str(steps)
