"""The `.c` and `.h` of a graph. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gatewise
from gatewise.errors import ConversionError, OptionError
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import EachStep, Input, Run, Steps
from gatewise.export.graph.stream import Stream, stream_of
from gatewise.export.integers.quantised import Quantised
from gatewise.export.to_c.header import emit_header
from gatewise.export.to_c.literals import identifier
from gatewise.export.to_c.places import lengths_of, parameters_of
from gatewise.export.to_c.recurrent import StackCode, emit_stack
from gatewise.export.to_c.sentences import Sentences, sentences_of
from gatewise.export.to_c.stepwise import StepCode, emit_stream
from gatewise.export.to_c.unit import Unit
from gatewise.export.to_c.vectors import Lines
from gatewise.export.to_c.whole import InnerCode, WholeCode, emit_inner, emit_whole, runs_to_end
from gatewise.export.to_c.words import Words, words_of

__all__ = ["MOST_STEPS", "Source", "check_name", "emit_source"]

MOST_STEPS = 256
"""Greatest number of steps of a whole sequence where nothing else is asked for."""
MOST_INNER = 64
"""Greatest number of tokens within a step where the network does not say."""

_KEYWORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long
register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while"""
_OWN = "m i n t steps work state wide cells"
_TAKEN = frozenset(f"{_KEYWORDS} {_OWN}".split())


@dataclass(frozen=True)
class Source:
    """A program in C and what is known of it.

    Attributes:
        name: of files, functions and types.
        header, code: texts of the files.
        graph: what it computes.
        pointers: parameter by name of input and output, and of the lengths of the sequences within steps.
        most_inner: greatest number of tokens within a step.
        has_step: whether it runs step by step.
        step_inputs, step_outputs: those of ``step``.
        sequences: outputs that are a sequence at every step: a forecast of several steps.
        most: greatest number of steps of ``run``; None: any number.
        stream_run: ``run`` is a loop over steps.
        left_out: reason by output that ``step`` lacks; of all outputs where there is no ``step``.
        weight_bytes: of all weights.
        memory: bytes of one instance.
        step_products: multiply-adds of a step.
        run_products: of ``run`` with ``run_steps`` steps.
        run_steps: see there; None: its inputs have fixed lengths.
        words: look-up of words, if the network reads texts.
        sentences: the same, if it reads the words of sentences one by one.
        quantised: what it computes in integers; None: all is float32.
    """

    name: str
    header: str
    code: str
    graph: Graph
    pointers: Mapping[str, str]
    most_inner: int
    has_step: bool
    step_inputs: tuple[str, ...]
    step_outputs: tuple[str, ...]
    sequences: frozenset[str]
    most: int | None
    stream_run: bool
    left_out: Mapping[str, str]
    weight_bytes: int
    memory: int
    step_products: int | None
    run_products: int
    run_steps: int | None
    words: Words | None
    sentences: Sentences | None
    quantised: Quantised | None = None

    @property
    def ragged(self) -> bool:
        """Whether sequences differ in length."""
        return any(given.steps == "T" for given in self.graph.inputs)


def check_name(name: str) -> None:
    """Refuse a name that C does not take.

    Raises:
        OptionError: it is no identifier.

    Example:
        >>> check_name("my-model")
        Traceback (most recent call last):
        gatewise.errors.OptionError: 'my-model' cannot name functions in C; expected: letters, digits and _; ...
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in _TAKEN or name == "main":
        raise OptionError(
            f"{name!r} cannot name functions in C", expected="letters, digits and _", fix="choose another --name"
        )


def emit_source(
    graph: Graph, name: str = "model", most: int = MOST_STEPS, quantised: Quantised | None = None
) -> Source:
    """Emit a graph.

    Args:
        graph: what to emit.
        name: of functions and types.
        most: greatest number of steps of whole sequences, where they have to be kept.
        quantised: the graph in integers; None: in float32.

    Raises:
        ConversionError: the graph has no form in C.
        OptionError: ``name`` is no identifier.
    """
    check_name(name)
    return _Writer(graph, name, most, quantised).source()


class _Writer:
    def __init__(self, graph: Graph, name: str, most: int, quantised: Quantised | None) -> None:
        self.graph, self.name, self.most, self.quantised = graph, name, most, quantised
        self.unit = Unit(graph, quantised)
        self.pointers: dict[str, str] = {}
        inner = [lengths_of(given.name) for given in graph.inputs if given.inner]
        for each in [*(given.name for given in graph.inputs), *inner, *graph.outputs]:
            found = identifier(each)
            while found in _TAKEN or found in self.pointers.values():
                found += "_"
            self.pointers[each] = found
        self.words = words_of(graph.metadata, name)
        self.most_inner = int(graph.metadata.get("max_characters") or MOST_INNER)
        self.sentences = sentences_of(graph, name, self.most_inner)
        self.sequences: frozenset[str] = frozenset()

    def source(self) -> Source:
        stream, left_out = self._stream()
        if stream is not None:
            self.sequences = frozenset(name for name, value in stream.outputs.items() if value in stream.sequences)
        stream_run = stream is not None and not stream.left_out and self._is_loop(stream)
        stacks = self._stacks(self.graph, stream_run)
        bodies, inner_stacks, texts = self._bodies()
        step = None if stream is None else emit_stream(self.unit, self.graph, stream, stacks, self.pointers, bodies)
        whole = None if stream_run else emit_whole(self.unit, self.graph, stacks, self.pointers, self.most, bodies)
        every, inner = [*stacks.values(), *inner_stacks], [each.code for each in bodies.values()]
        sizes = {
            "state": 0 if step is None else step.state,
            "work": max(step.work if step else 0, whole.work if whole else 0),
            "cells": max((code.work for code in every if code.fraction is None), default=0),
            "inner": max((code.work for code in inner), default=0),
            "kept": max(step.kept if step else 0, whole.kept if whole else 0),
            "inner_kept": max((code.kept for code in inner), default=0),
            "numbers": max((code.work for code in every if code.fraction is not None), default=0),
            "wide": max(step.wide if step else 0, whole.wide if whole else 0),
            "inner_wide": max((code.wide for code in inner), default=0),
        }
        body = "\n".join([*texts, self._functions(step, whole)])
        ragged = any(given.steps == "T" for given in self.graph.inputs)
        fixed = next((given.steps for given in self.graph.inputs if isinstance(given.steps, int)), 1)
        if whole is not None:
            products, steps = whole.products, self.most if ragged else None
        else:
            assert step is not None
            products, steps = step.products * (1 if ragged else int(fixed)), 1 if ragged else None
        return Source(
            self.name,
            self._header(sizes, step, whole),
            self._code(body),
            self.graph,
            self.pointers,
            self.most_inner,
            step is not None,
            () if step is None else tuple(given.name for given in step.inputs),
            () if step is None else step.outputs,
            self.sequences,
            self.most if whole is not None and ragged else None,
            stream_run,
            left_out,
            self.unit.bytes + sum(each.bytes for each in (self.words, self.sentences) if each is not None),
            4 * (sizes["state"] + sizes["work"] + sizes["cells"] + sizes["inner"])
            + 2 * (sizes["kept"] + sizes["inner_kept"] + sizes["numbers"])
            + 8 * (sizes["wide"] + sizes["inner_wide"]),
            None if step is None else step.products,
            products,
            steps,
            self.words,
            self.sentences,
            self.quantised,
        )

    def _stacks(self, graph: Graph, stream_run: bool) -> dict[str, StackCode]:
        """The functions of a graph's recurrent layers by name."""
        ends = runs_to_end(graph)
        runs = [node for node in graph.nodes if isinstance(node, Run)]
        kept = {node.stack for node in runs if node.name not in ends}
        fresh = {node.stack for node in runs if node.initial is None}
        return {
            each: emit_stack(self.unit, stack, start=each in fresh, whole=not stream_run and each in kept)
            for each, stack in graph.stacks.items()
        }

    def _bodies(self) -> tuple[dict[str, InnerCode], list[StackCode], list[str]]:
        """The functions for sequences within steps by node, those of their layers, and their texts."""
        bodies: dict[str, InnerCode] = {}
        stacks: list[StackCode] = []
        texts: list[str] = []
        for node in self.graph.nodes:
            if isinstance(node, EachStep):
                own = self._stacks(node.body, False)
                instance = f"{self.name}_instance"
                bodies[node.name], text = emit_inner(self.unit, node, own, self.most_inner, instance)
                stacks += own.values()
                texts.append(text)
        return bodies, stacks, texts

    def _stream(self) -> tuple[Stream | None, Mapping[str, str]]:
        try:
            stream = stream_of(self.graph)
        except ConversionError as error:
            return None, dict.fromkeys(self.graph.outputs, str(error.got))
        return stream, stream.left_out

    def _is_loop(self, stream: Stream) -> bool:
        """Whether the outputs of a whole sequence are those of its steps, or of the last one."""
        lengths = {given.steps for given in stream.inputs if given.steps is not None}
        values = set(stream.outputs.values())
        steps = {self.graph.values[value].steps for value in values - stream.sequences} - {None}
        cut = any(isinstance(node, Steps) for node in stream.nodes)
        if any(given.inner for given in self.graph.inputs):
            return False
        return len(lengths) == 1 and steps <= lengths and not cut and len(stream.inputs) == len(self.graph.inputs)

    # the parts of the files

    def _functions(self, step: StepCode | None, whole: WholeCode | None) -> str:
        name, lines = self.name, Lines(0)
        found: list[str] = []
        if step is not None:
            parameters = parameters_of(self.graph, self.pointers, step.inputs, step.outputs)
            advance = self._static("advance", step.advance, parameters)
            answer = self._static("answer", step.answer, parameters)
            found += [advance.text, answer.text]
            start = "\n".join(step.start) or "    (void)m;"
            found.append(f"void {name}_reset({name}_instance *m)\n{{\n{start}\n}}\n")
            lines.open(f"int {name}_step({', '.join([f'{name}_instance *m', *(d for _, d in parameters)])})")
            self._check_tokens(lines, step.inputs, "1")
            lines.add(advance.call({}), answer.call({}), f"return {name.upper()}_OK;")
            lines.close()
            found += ["\n".join(lines.found).replace(") {", ")\n{", 1) + "\n"]
        else:
            found.append(f"void {name}_reset({name}_instance *m)\n{{\n    (void)m;\n}}\n")
            advance = answer = _Static("", "", ())
        found.append(f"void {name}_init({name}_instance *m)\n{{\n    {name}_reset(m);\n}}\n")
        found.append(self._run(step, whole, advance, answer))
        return "\n".join(each for each in found if each)

    def _run(self, step: StepCode | None, whole: WholeCode | None, advance: _Static, answer: _Static) -> str:
        name, lines = self.name, Lines(0)
        ragged = any(given.steps == "T" for given in self.graph.inputs)
        parameters = parameters_of(self.graph, self.pointers, self.graph.inputs, tuple(self.graph.outputs))
        declared = [f"{name}_instance *m", *(["size_t steps"] if ragged else []), *(d for _, d in parameters)]
        lines.open(f"int {name}_run({', '.join(declared)})")
        if ragged:
            limit = f" || steps > {name.upper()}_STEPS" if whole is not None else ""
            lines.open(f"if (steps == 0{limit})")
            lines.add(f"return {name.upper()}_BAD_LENGTH;")
            lines.close()
        self._check_tokens(lines, self.graph.inputs, "steps")
        if whole is not None:
            if not any(re.search(r"\bm\b", line) for line in whole.lines):
                lines.add("(void)m;")
            lines.found += whole.lines
        else:
            self._loop(lines, advance, answer)
        lines.add(f"return {name.upper()}_OK;")
        lines.close()
        return "\n".join(lines.found).replace(") {", ")\n{", 1) + "\n"

    def _loop(self, lines: Lines, advance: _Static, answer: _Static) -> None:
        moved = {}
        rows = [(given.name, given.width, given.steps) for given in self.graph.inputs]
        outputs = {name: self.graph.values[value] for name, value in self.graph.outputs.items()}
        outputs = {name: node for name, node in outputs.items() if name not in self.sequences}
        rows += [(name, node.width, node.steps) for name, node in outputs.items()]
        for each, width, steps in rows:
            if steps is not None:
                moved[self.pointers[each]] = f"{self.pointers[each]} + t" + (f" * {width}" if width > 1 else "")
        fixed = next(given.steps for given in self.graph.inputs if given.steps is not None)
        each_step = any(node.steps is not None for node in outputs.values())
        lines.add(f"{self.name}_reset(m);")
        lines.loop("t", "steps" if fixed == "T" else fixed)
        lines.add(advance.call(moved))
        if each_step:
            lines.add(answer.call(moved))
        lines.close()
        if not each_step:
            last = "steps - 1" if fixed == "T" else int(fixed) - 1
            lines.add(answer.call({key: place.replace("+ t", f"+ ({last})", 1) for key, place in moved.items()}))

    def _check_tokens(self, lines: Lines, inputs: Sequence[Input], steps: str) -> None:
        for given in inputs:
            if not given.tokens:
                continue
            if given.inner:
                self._check_inner(lines, given, steps)
                continue
            lines.loop("t", steps)
            lines.open(f"if ({self.pointers[given.name]}[t] >= {given.limit}u)")
            lines.add(f"return {self.name.upper()}_BAD_TOKEN;")
            lines.close()
            lines.close()

    def _check_inner(self, lines: Lines, given: Input, steps: str) -> None:
        """The tokens of all steps lie one after another."""
        upper, pointer, lengths = self.name.upper(), self.pointers[given.name], self.pointers[lengths_of(given.name)]
        lines.add(f"const uint32_t *{pointer}_read = {pointer};")
        lines.loop("t", steps)
        lines.open(f"if ({lengths}[t] == 0u || {lengths}[t] > {self.most_inner}u)")
        lines.add(f"return {upper}_BAD_LENGTH;")
        lines.close()
        lines.loop("i", f"{lengths}[t]")
        lines.open(f"if ({pointer}_read[i] >= {given.limit}u)")
        lines.add(f"return {upper}_BAD_TOKEN;")
        lines.close()
        lines.close()
        lines.add(f"{pointer}_read += {lengths}[t];")
        lines.close()

    def _static(self, function: str, body: Sequence[str], parameters: Sequence[tuple[str, str]]) -> _Static:
        """A function with the parameters that it reads."""
        text = "\n".join(body)
        if not body:
            return _Static("", "", ())
        used = [(each, declared) for each, declared in parameters if re.search(rf"\b{each}\b", text)]
        given = [f"{self.name}_instance *m", *(declared for _, declared in used)]
        unused = "" if re.search(r"\bm\b", text) else "    (void)m;\n"
        return _Static(
            function, f"static void {function}({', '.join(given)})\n{{\n{unused}{text}\n}}\n", tuple(e for e, _ in used)
        )

    def _code(self, body: str) -> str:
        weights = "\n".join(self.unit.arrays)
        words = "\n".join(each.code for each in (self.words, self.sentences) if each is not None)
        functions = "\n".join(self.unit.functions)
        helpers = self.unit.helpers.text
        return (
            f"/* {self.graph.name}: written by Gatewise {gatewise.__version__}; see {self.name}.h */\n\n"
            f'#include "{self.name}.h"\n\n#include <math.h>\n\n'
            + "\n".join(part for part in (weights, helpers, functions, body, words) if part)
        )

    def _header(self, sizes: Mapping[str, int], step: StepCode | None, whole: WholeCode | None) -> str:
        ragged = any(given.steps == "T" for given in self.graph.inputs)
        return emit_header(
            self.graph,
            self.name,
            self.pointers,
            sizes,
            None if step is None else ([given.name for given in step.inputs], list(step.outputs)),
            self.most if whole is not None and ragged else None,
            self.most_inner,
            self.words or self.sentences,
            self.sequences,
        )


@dataclass(frozen=True)
class _Static:
    """A function with internal linkage; "" where there is nothing to do."""

    name: str
    text: str
    parameters: tuple[str, ...]

    def call(self, moved: Mapping[str, str]) -> str:
        """A statement that calls it."""
        if not self.name:
            return ";"
        return f"{self.name}({', '.join(['m', *(moved.get(each, each) for each in self.parameters)])});"
