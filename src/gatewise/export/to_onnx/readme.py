"""The `README.md` beside exported models, for those who have them and not Gatewise. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx

import gatewise
from gatewise.export.gaps import Check
from gatewise.export.graph import Graph
from gatewise.export.precision import Rounding, changed
from gatewise.export.to_onnx.places import DECODER, ENCODER, MODEL, STEP
from gatewise.words import count

__all__ = ["README", "emit_readme"]

README = "README.md"
_HOLDS = {
    MODEL: "whole sequences",
    STEP: "one step of a stream, its states in and out",
    ENCODER: "what reads a whole input",
    DECODER: "one step of the writing",
}
_OPEN = """import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{model}")
about = json.loads(session.get_modelmeta().custom_metadata_map["gatewise"])["metadata"]
"""
_ANSWERS = (
    "Saved as `answer.py` in this folder, this answers as Gatewise does, one JSON object a line, with onnxruntime and "
    "numpy alone{beside}:"
)


def emit_readme(
    graph: Graph,
    contents: Mapping[str, bytes],
    no_step: str | None,
    check: Check,
    rounding: Rounding | None = None,
    about: Mapping[str, Any] | None = None,
) -> str:
    """The file.

    Args:
        graph: what was exported.
        contents: the models, by name of the file.
        no_step: why there is no model of one step.
        check: how far they are from the trained network.
        rounding: what a precision below float32 costs; None: it is float32.
        about: which run it was.
    """
    first = next(iter(contents))
    known = dict(about or {})
    title = " ".join(str(known[name]) for name in ("cell", "task") if name in known)
    meanings = {each.name: each.meaning for part in (graph, graph.writer) if part for each in part.inputs}
    parts = [
        f"# {title or graph.name}",
        f"A network trained by Gatewise {gatewise.__version__}, as ONNX. It needs onnxruntime and nothing of Gatewise.",
        *(_model(name, content, meanings) for name, content in contents.items()),
        _prepared(graph),
        _answers(graph),
        f"```python\n{graph.program or _example(graph, first, contents[first])}```",
    ]
    if STEP in contents:
        parts.append(
            f"`{STEP}`: every state is an input, and as `NAME_next` an output, which the next step takes. At the "
            "beginning each is its `start` in `graph.states` of that file's metadata (beside `metadata`)."
        )
    elif no_step is not None and graph.writer is None:
        parts.append(f"There is no `{STEP}`: {no_step}.")
    parts.append(_checked(check, rounding))
    return "\n\n".join(part for part in parts if part) + "\n"


def _model(name: str, content: bytes, meanings: Mapping[str, str]) -> str:
    """A file with its inputs and outputs."""
    network = onnx.load_from_string(content).graph
    rows = [f"## `{name}`: {_HOLDS[name]}", "", "| | name | shape | type | |", "|---|---|---|---|---|"]
    for what, values in (("input", network.input), ("output", network.output)):
        for each in values:
            meaning = meanings.get(each.name, "") if what == "input" else ""
            meaning = meaning or _MEANINGS.get(each.name, "")
            rows.append(f"| {what} | `{each.name}` | {_shape(each)} | {_type(each)} | {meaning} |")
    return "\n".join(rows)


_MEANINGS = {"lengths": "steps of each sequence; what lies past them is never read"}


def _sides(value: onnx.ValueInfoProto) -> list[str | int]:
    return [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]


def _shape(value: onnx.ValueInfoProto) -> str:
    return "(" + ", ".join(map(str, _sides(value))) + ")"


def _type(value: onnx.ValueInfoProto) -> str:
    return str(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def _prepared(graph: Graph) -> str:
    """How what a person has becomes inputs, and where it is said."""
    if not graph.metadata:
        return ""
    names = ", ".join(f"`{name}`" for name in graph.metadata)
    said = f"The file's metadata hold as JSON, under `gatewise` and there `metadata`: {names}."
    how = graph.metadata.get("preprocessing")
    return f"## Inputs and answers\n\n{said}" + (f"\n\n{how}" if how else "")


def _answers(graph: Graph) -> str:
    """What the program does, where there is one of the kind of problem."""
    if not graph.program:
        return ""
    return _ANSWERS.format(beside=", and Pillow for the pictures" if "from PIL " in graph.program else "")


def _example(graph: Graph, model: str, content: bytes) -> str:
    """Python that runs the first model on numbers of the right shape."""
    network = onnx.load_from_string(content).graph
    opened = _OPEN.format(model=model)
    if not graph.metadata:
        opened = "\n".join(line for line in opened.splitlines() if "json" not in line).lstrip() + "\n"
    lines = [f"    {each.name!r}: {_ones(each)},".replace("'", '"') for each in network.input]
    outputs = [each.name for each in network.output]
    return (
        "\n".join(
            [
                opened,
                "given = {  # of the right shapes: put your numbers here",
                *lines,
                "}",
                "for output, found in zip(session.get_outputs(), session.run(None, given)):",
                "    print(output.name, found.shape)",
                "",
            ]
        )
        if outputs
        else opened
    )


def _ones(value: onnx.ValueInfoProto) -> str:
    """An array of ones of a shape; of lengths that of the sequences."""
    sides = [1 if each == "batch" else each if isinstance(each, int) else _STEPS for each in _sides(value)]
    if value.name == "lengths":
        return f"np.array([{_STEPS}])"
    return f"np.ones({tuple(sides)}, np.{_type(value)})"


_STEPS = 5


def _checked(check: Check, rounding: Rounding | None) -> str:
    lines = [f"Checked at the export on {count(check.examples)} examples"]
    if rounding is None:
        lines[0] += f": greatest difference from the trained network {check.greatest:.1e} of the greatest number."
        return lines[0]
    lines[0] += f": weights in {rounding.precision}."
    if rounding.change is not None:
        lines.append(changed(rounding.change))
    return " ".join(lines)
