"""The `.h`: constants, the instance, declarations. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import gatewise
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import Input, Node
from gatewise.export.to_c.places import kind_of, lengths_of
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
    upper, values = name.upper(), graph.values
    guard = f"{upper}_H"
    members = [f"    {_MEMBERS[key].format(size)}" for key, size in sizes.items() if size]
    members = members or ["    float unused;"]
    constants = [f"#define {upper}_STEPS {most} /* greatest number of steps of {name}_run */"] if most else []
    for given in graph.inputs:
        constants.append(f"#define {upper}_{pointers[given.name].upper()}_WIDTH {given.width}")
        if given.inner:
            constants.append(f"#define {upper}_{pointers[given.name].upper()}_MOST {most_inner} /* tokens of a step */")
    for each, value in graph.outputs.items():
        constants.append(f"#define {upper}_{pointers[each].upper()}_WIDTH {values[value].width}")
    parts = [
        f"/* {graph.name}: written by Gatewise {gatewise.__version__}. C99, no allocation; no library but <math.h>.",
        "   Instances are independent of each other; one may not be used by two threads at once. */",
        "",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        *constants,
        "",
        f"enum {{ {upper}_OK = 0, {upper}_BAD_LENGTH = -1, {upper}_BAD_TOKEN = -2 }};",
        "",
        "typedef struct {",
        *members,
        f"}} {name}_instance;",
        "",
        "/* Before the first use. */",
        f"void {name}_init({name}_instance *m);",
        "",
        "/* Back to the start of a sequence. */",
        f"void {name}_reset({name}_instance *m);",
        "",
    ]
    if step is not None:
        inputs = [given for given in graph.inputs if given.name in step[0]]
        parts += _comment(
            "One step: reads the next row of the sequence and writes the outputs as they are now.",
            [line for each in inputs for line in _lines(pointers, each, None)]
            + [
                _line(pointers[each], node := values[graph.outputs[each]], node.steps if each in whole else None, None)
                for each in step[1]
            ],
            f"Returns {upper}_OK, or {upper}_BAD_TOKEN and reads nothing."
            if not any(each.inner for each in inputs)
            else f"Returns {upper}_OK, or {upper}_BAD_LENGTH or {upper}_BAD_TOKEN and reads nothing.",
        )
        parts += [f"int {name}_step({_declared(graph, name, pointers, inputs, step[1], ragged=False)});", ""]
    ragged = any(given.steps == "T" for given in graph.inputs)
    parts += _comment(
        "A whole sequence from its start; the state of steps before is lost.",
        [line for each in graph.inputs for line in _lines(pointers, each, each.steps)]
        + [_line(pointers[each], values[value], values[value].steps, None) for each, value in graph.outputs.items()],
        f"Returns {upper}_OK, {upper}_BAD_LENGTH or {upper}_BAD_TOKEN; after an error nothing is written.",
    )
    declared = _declared(graph, name, pointers, graph.inputs, tuple(graph.outputs), ragged=ragged)
    parts += [f"int {name}_run({declared});", ""]
    if words is not None:
        parts += [words.declarations, ""]
    parts += ["#ifdef __cplusplus", "}", "#endif", "", "#endif", ""]
    return "\n".join(parts)


def _declared(
    graph: Graph,
    name: str,
    pointers: Mapping[str, str],
    inputs: Sequence[Input],
    outputs: Sequence[str],
    *,
    ragged: bool,
) -> str:
    found = [f"{name}_instance *m"] + (["size_t steps"] if ragged else [])
    for given in inputs:
        found.append(f"const {kind_of(given)} *{pointers[given.name]}")
        if given.inner:
            found.append(f"const uint32_t *{pointers[lengths_of(given.name)]}")
    for each in outputs:
        found.append(f"{kind_of(graph.values[graph.outputs[each]])} *{pointers[each]}")
    return ", ".join(found)


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
