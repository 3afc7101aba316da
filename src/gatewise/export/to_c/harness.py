"""A program around an exported network that reads examples and writes outputs, as raw numbers. Imports no torch."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import Array
from gatewise.export.graph.nodes import Input, Node, Viterbi
from gatewise.export.to_c.places import kind_of, lengths_of
from gatewise.export.to_c.source import Source
from gatewise.export.to_c.vectors import Lines

__all__ = ["emit_harness", "run_harness", "steps_of"]

_SECONDS = 600
_HEAD = """#include "{name}.h"

#include <stdio.h>
#include <stdlib.h>

static void *take(size_t count, size_t size)
{{
    void *found = calloc(count, size);
    if (found == NULL) {{
        exit(3);
    }}
    return found;
}}

static void *read_all(size_t count, size_t size)
{{
    void *found = take(count, size);
    if (fread(found, size, count, stdin) != count) {{
        exit(4);
    }}
    return found;
}}

static void check(int code)
{{
    if (code != {upper}_OK) {{
        exit(5);
    }}
}}

"""


def emit_harness(source: Source) -> str:
    """The program: of each example the number of steps and the inputs; back the outputs of ``run``, then of ``step``.

    The steps are taken in turns with those of a second instance, which reads the example backwards.
    """
    name, upper, values = source.name, source.name.upper(), source.graph.values
    lines = Lines(0)
    lines.open("int main(void)")
    lines.add(f"{name}_instance *const a = take(1, sizeof *a), *const b = take(1, sizeof *b);", "uint32_t count;")
    lines.add("const uint32_t size = (uint32_t)sizeof *a;", "fwrite(&size, sizeof size, 1, stdout);")
    lines.add(f"{name}_init(a);", f"{name}_init(b);")
    lines.open("while (fread(&count, sizeof count, 1, stdin) == 1)")
    if source.ragged:
        lines.add("const size_t steps = count;")
    run = ["b", *(["steps"] if source.ragged else [])]
    for given in source.graph.inputs:
        p = source.pointers[given.name]
        if given.inner:
            run += _inner(lines, p, source.pointers[lengths_of(given.name)])
            continue
        lines.add(f"{kind_of(given)} *const {p} = read_all({_count(given)}, sizeof *{p});")
        run.append(p)
    for output, value in source.graph.outputs.items():
        p = source.pointers[output]
        lines.add(f"{kind_of(values[value])} *const {p} = take({_count(values[value])}, sizeof *{p});")
        run.append(p)
    lines.add(f"check({name}_run({', '.join(run)}));")
    for output, value in source.graph.outputs.items():
        p = source.pointers[output]
        lines.add(f"fwrite({p}, sizeof *{p}, {_count(values[value])}, stdout);")
    if source.has_step:
        _steps(lines, source)
    for each in [
        *source.pointers.values(),
        *(f"{source.pointers[e.name]}_starts" for e in source.graph.inputs if e.inner),
    ]:
        lines.add(f"free({each});")
    lines.close()
    lines.add("free(a);", "free(b);", "return 0;")
    lines.close()
    return _HEAD.format(name=name, upper=upper) + "\n".join(lines.found) + "\n"


def _inner(lines: Lines, pointer: str, lengths: str) -> list[str]:
    """Read the tokens of all steps and where those of each begin; returns the arguments of ``run``."""
    lines.add(f"uint32_t *const {lengths} = read_all(steps, sizeof *{lengths});")
    lines.add(f"size_t *const {pointer}_starts = take(steps + 1, sizeof *{pointer}_starts);")
    lines.loop("t", "steps")
    lines.add(f"{pointer}_starts[t + 1] = {pointer}_starts[t] + {lengths}[t];")
    lines.close()
    lines.add(f"uint32_t *const {pointer} = read_all({pointer}_starts[steps], sizeof *{pointer});")
    return [pointer, lengths]


def _steps(lines: Lines, source: Source) -> None:
    values = source.graph.values
    for output in source.step_outputs:
        node, p = values[source.graph.outputs[output]], source.pointers[output]
        for letter in "ab":
            lines.add(
                f"{kind_of(node)} *const {p}_{letter} = take({_step_count(source, output)}, sizeof *{p}_{letter});"
            )
    sequences = [given for given in source.graph.inputs if given.steps is not None and given.name in source.step_inputs]
    lines.add(f"{source.name}_reset(a);", f"{source.name}_reset(b);")
    lines.loop("t", "steps" if sequences[0].steps == "T" else sequences[0].steps)
    lines.add(f"const size_t u = {'steps' if sequences[0].steps == 'T' else sequences[0].steps} - 1 - t;")
    for letter, place in (("b", "u"), ("a", "t")):
        given = []
        for each in source.graph.inputs:
            if each.name not in source.step_inputs:
                continue
            p = source.pointers[each.name]
            if each.inner:
                given += [f"{p} + {p}_starts[{place}]", f"{source.pointers[lengths_of(each.name)]} + {place}"]
            else:
                given.append(f"{p} + {place} * {each.width}" if each.steps is not None else p)
        outputs = [f"{source.pointers[output]}_{letter}" for output in source.step_outputs]
        lines.add(f"check({source.name}_step({', '.join([letter, *given, *outputs])}));")
    lines.close()
    for output in source.step_outputs:
        p, width = source.pointers[output], _step_count(source, output)
        lines.add(f"fwrite({p}_a, sizeof *{p}_a, {width}, stdout);", f"free({p}_a);", f"free({p}_b);")


def _step_count(source: Source, output: str) -> int:
    """Numbers of an output of ``step``."""
    node = source.graph.values[source.graph.outputs[output]]
    return node.width * (int(node.steps or 1) if output in source.sequences else 1)


def _count(value: Input | Node) -> str:
    return (
        str(value.width) if value.steps is None else f"{'steps' if value.steps == 'T' else value.steps} * {value.width}"
    )


def steps_of(source: Source, inputs: Mapping[str, Any]) -> int:
    """The length of an example; 0 where all are equally long."""
    ragged = next((given.name for given in source.graph.inputs if given.steps == "T"), None)
    return 0 if ragged is None else len(inputs[ragged])


def run_harness(
    program: Path, source: Source, examples: Sequence[Mapping[str, Any]]
) -> tuple[int, list[dict[str, Array]], list[dict[str, Array]]]:
    """Run the compiled program.

    Returns:
        Bytes of an instance, and of each example the outputs of ``run`` and those of the last ``step``.

    Raises:
        ConversionError: it ends with an error.
    """
    parts: list[bytes] = []
    for example in examples:
        parts.append(struct.pack("=I", steps_of(source, example)))
        for given in source.graph.inputs:
            kind = {"uint32_t": np.uint32, "double": np.float64, "float": np.float32}[kind_of(given)]
            if given.inner:
                parts.append(np.array([len(each) for each in example[given.name]], dtype=kind).tobytes())
                parts += [np.ascontiguousarray(each, dtype=kind).tobytes() for each in example[given.name]]
                continue
            parts.append(np.ascontiguousarray(example[given.name], dtype=kind).tobytes())
    try:
        done = subprocess.run([program], input=b"".join(parts), capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConversionError("the exported program does not run; nothing was written", got=str(error)) from error
    if done.returncode:
        report = done.stderr.decode(errors="replace").strip().splitlines()
        raise ConversionError(
            "the exported program ends with an error; nothing was written",
            got=next((line for line in report if "ERROR" in line or "error" in line), f"exit code {done.returncode}"),
            fix="please report it, with the command that trained the network",
        )
    return _read(done.stdout, source, examples)


def _read(
    content: bytes, source: Source, examples: Sequence[Mapping[str, Any]]
) -> tuple[int, list[dict[str, Array]], list[dict[str, Array]]]:
    (size,) = struct.unpack_from("=I", content)
    place, whole, last = 4, [], []
    values = source.graph.values

    def take(value: Node | Input, steps: int | None) -> Array:
        nonlocal place
        kind = np.dtype({"uint32_t": np.uint32, "double": np.float64, "float": np.float32}[kind_of(value)])
        count = value.width * (1 if steps is None else steps)
        found = np.frombuffer(content, kind, count, place)
        place += count * kind.itemsize
        if isinstance(value, Viterbi):
            return found.astype(np.int64)
        return found if steps is None else found.reshape(steps, value.width)

    for example in examples:
        length = steps_of(source, example)
        row = {}
        for output, name in source.graph.outputs.items():
            node = values[name]
            row[output] = take(node, None if node.steps is None else length if node.steps == "T" else int(node.steps))
        whole.append(row)
        row = {}
        for output in source.step_outputs:
            node = values[source.graph.outputs[output]]
            row[output] = take(node, int(node.steps or 1) if output in source.sequences else None)
        last.append(row)
    if place != len(content):
        raise ConversionError("the exported program writes something else; nothing was written", got=len(content))
    return size, whole, last
