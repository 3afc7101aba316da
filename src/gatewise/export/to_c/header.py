"""The `.h`: constants, the instance, declarations. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import gatewise
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import Input, Node
from gatewise.export.to_c.places import lengths_of, parameters_of
from gatewise.export.to_c.sentences import Sentences
from gatewise.export.to_c.words import Words

__all__ = ["emit_header"]

_MEMBERS = {
    "state": "float state[{}]; /* what is carried from step to step */",
    "work": "float work[{}]; /* working memory: nothing is kept between calls */",
    "cells": "float cells[{}]; /* the same, of the recurrent layers */",
    "inner": "float inner[{}]; /* the same, of the sequences within steps */",
    "kept": "int16_t kept[{}]; /* states of the recurrent layers, in integers */",
    "inner_kept": "int16_t inner_kept[{}]; /* the same, of the sequences within steps */",
    "numbers": "int16_t numbers[{}]; /* their working memory */",
    "wide": "double wide[{}]; /* the same, of values before and after their scaling */",
    "inner_wide": "double inner_wide[{}];",
}


def emit_header(
    graph: Graph,
    name: str,
    pointers: Mapping[str, str],
    sizes: Mapping[str, int],
    step: tuple[Sequence[str], Sequence[str]] | None,
    most: int | None,
    most_inner: int,
    words: Words | Sentences | None,
    whole: Set[str] = frozenset(),
) -> str:
    """The header.

    Args:
        graph: what is computed.
        name: of functions and types.
        pointers: parameter by name of input and output.
        sizes: numbers by member of the instance.
        step: inputs and outputs of ``step``; None: there is none.
        most: greatest number of steps; None: any.
        most_inner: greatest number of tokens within a step, if there are any.
        words: look-up of words.
        whole: outputs of ``step`` that are sequences of their own.
    """
    guard, ragged = f"{name.upper()}_H", any(given.steps == "T" for given in graph.inputs)
    members = [f"    {_MEMBERS[key].format(size)}" for key, size in sizes.items() if size]
    parts = [
        f"/* {graph.name}: written by Gatewise {gatewise.__version__}. C99, no allocation; no library but <math.h>.",
        "   Instances are independent of each other; one may not be used by two threads at once. */",
        "",
        *(f"#ifndef {guard}", f"#define {guard}", ""),
        *("#include <stddef.h>", "#include <stdint.h>", ""),
        *("#ifdef __cplusplus", 'extern "C" {', "#endif", ""),
        *_constants(graph, name, pointers, most, most_inner),
        "",
        *("typedef struct {", *(members or ["    float unused;"]), f"}} {name}_instance;", ""),
        *("/* Before the first use. */", f"void {name}_init({name}_instance *m);", ""),
        *("/* Back to the start of a sequence. */", f"void {name}_reset({name}_instance *m);", ""),
    ]
    if step is not None:
        inputs = [given for given in graph.inputs if given.name in step[0]]
        parts += _comment_of_step(graph, name, pointers, inputs, step[1], whole)
        parts += [f"int {name}_step({_declared(graph, name, pointers, inputs, step[1])});", ""]
    parts += _comment_of_run(graph, name, pointers)
    declared = _declared(graph, name, pointers, graph.inputs, tuple(graph.outputs), ragged=ragged)
    parts += [f"int {name}_run({declared});", ""]
    if words is not None:
        parts += [words.declarations, ""]
    parts += ["#ifdef __cplusplus", "}", "#endif", "", "#endif", ""]
    return "\n".join(parts)


def _constants(graph: Graph, name: str, pointers: Mapping[str, str], most: int | None, most_inner: int) -> list[str]:
    """Widths and limits, and what functions return."""
    upper = name.upper()
    found = [f"#define {upper}_STEPS {most} /* greatest number of steps of {name}_run */"] if most else []
    for given in graph.inputs:
        found.append(f"#define {upper}_{pointers[given.name].upper()}_WIDTH {given.width}")
        if given.inner:
            found.append(f"#define {upper}_{pointers[given.name].upper()}_MOST {most_inner} /* tokens of a step */")
    for each, value in graph.outputs.items():
        found.append(f"#define {upper}_{pointers[each].upper()}_WIDTH {graph.values[value].width}")
    return [*found, "", f"enum {{ {upper}_OK = 0, {upper}_BAD_LENGTH = -1, {upper}_BAD_TOKEN = -2 }};"]


def _comment_of_step(
    graph: Graph,
    name: str,
    pointers: Mapping[str, str],
    inputs: Sequence[Input],
    outputs: Sequence[str],
    whole: Set[str],
) -> list[str]:
    lines = [line for each in inputs for line in _lines(pointers, each, None)]
    for each in outputs:
        node = graph.values[graph.outputs[each]]
        lines.append(_line(pointers[each], node, node.steps if each in whole else None, None))
    upper = name.upper()
    length = f"{upper}_BAD_LENGTH or " if any(given.inner for given in inputs) else ""
    head = "One step: reads the next row of the sequence and writes the outputs as they are now."
    return _comment(head, lines, f"Returns {upper}_OK, or {length}{upper}_BAD_TOKEN and reads nothing.")


def _comment_of_run(graph: Graph, name: str, pointers: Mapping[str, str]) -> list[str]:
    lines = [line for each in graph.inputs for line in _lines(pointers, each, each.steps)]
    for each, value in graph.outputs.items():
        lines.append(_line(pointers[each], graph.values[value], graph.values[value].steps, None))
    upper = name.upper()
    end = f"Returns {upper}_OK, {upper}_BAD_LENGTH or {upper}_BAD_TOKEN; after an error nothing is written."
    return _comment("A whole sequence from its start; the state of steps before is lost.", lines, end)


def _declared(
    graph: Graph,
    name: str,
    pointers: Mapping[str, str],
    inputs: Sequence[Input],
    outputs: Sequence[str],
    *,
    ragged: bool = False,
) -> str:
    """The parameters of a function."""
    steps = ["size_t steps"] if ragged else []
    given = [declared for _, declared in parameters_of(graph, pointers, inputs, outputs)]
    return ", ".join([f"{name}_instance *m", *steps, *given])


def _lines(pointers: Mapping[str, str], given: Input, steps: int | str | None) -> list[str]:
    """An input's line; of tokens within steps a second one."""
    if not given.inner:
        return [_line(pointers[given.name], given, steps, given)]
    each = "the step" if steps is None else "each step, one step after another"
    lengths, count = pointers[lengths_of(given.name)], "1" if steps is None else "steps"
    meaning = f"{given.meaning}, " if given.meaning else ""
    return [
        f"{pointers[given.name]}  those of {each}: {meaning}each below {given.limit}",
        f"{lengths}  {count}: how many there are in each step, at least 1",
    ]


def _line(pointer: str, value: Input | Node, steps: int | str | None, given: Input | None) -> str:
    shape = str(value.width) if steps is None else f"{'steps' if steps == 'T' else steps} x {value.width}"
    meaning = ""
    if given is not None:
        meaning = f": {given.meaning}" if given.meaning else ""
        meaning += f", each below {given.limit}" if given.tokens else ""
    return f"{pointer}  {shape}{meaning}"


def _comment(head: str, lines: Sequence[str], end: str) -> list[str]:
    return [f"/* {head}", *(f"     {line}" for line in lines), f"   {end} */"]
