"""From a trained network, or layers, to checked ONNX files in a folder."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

import gatewise
from gatewise.errors import ConversionError
from gatewise.export.folder import RECORD, check_folder
from gatewise.export.gaps import Check, refuse_gaps
from gatewise.export.graph import Example, Graph
from gatewise.export.graph.stream import Stream, stream_of, way_round
from gatewise.export.precision import Material, Rounding, change_of, output_gap, refuse_loss
from gatewise.export.to_onnx.check import check_models, outputs_of
from gatewise.export.to_onnx.model import step_model, two_models, whole_model
from gatewise.export.to_onnx.operations import OPSET
from gatewise.export.to_onnx.packing import rounded
from gatewise.export.to_onnx.places import DECODER, ENCODER, MODEL, STEP
from gatewise.export.to_onnx.readme import README, emit_readme
from gatewise.export.to_onnx.writer import OnnxWriter
from gatewise.export.to_onnx.writing import check_writer, written_by
from gatewise.files import encoded_json, encoded_text, write_together

__all__ = ["MODEL", "RECORD", "STEP", "Export", "export_graph"]

_FORMAT_VERSION = 1
_RECURRENT = ("GRU", "LSTM", "RNN", "Scan")


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        folder: where.
        files: bytes by name.
        operators: recurrent operators of the model by name, and how many of each.
        check: how far it is from the trained network.
        no_step: why there is no ``step.onnx``; None where there is one.
        left_out: reason by output that ``step.onnx`` lacks.
        rounding: what a precision below float32 costs; None: it is float32.
    """

    folder: Path
    files: Mapping[str, int]
    operators: Mapping[str, int]
    check: Check
    no_step: str | None
    left_out: Mapping[str, str]
    rounding: Rounding | None = None


def export_graph(
    graph: Graph,
    examples: Sequence[Example],
    out: str | Path,
    about: Mapping[str, Any] | None = None,
    *,
    material: Material | None = None,
) -> Export:
    """Write a graph as ``model.onnx``, ``step.onnx`` where it runs step by step, ``README.md`` and
    ``export.json``.

    A network that reads one sequence and writes another becomes ``encoder.onnx`` and ``decoder.onnx`` instead.

    Args:
        graph: what to export.
        examples: real examples to check it with before anything is written.
        out: the folder.
        about: for ``export.json``: which run it was.
        material: for weights in int8 or fp16; None: float32.

    Raises:
        ConversionError: the model differs from the trained network, or loses too much of the test figure; nothing is
            written.
        OptionError: the folder holds something else.
        StorageError: the folder cannot be written; it is as it was.
    """
    folder = Path(out)
    check_folder(folder, "onnx")
    precision = "float32" if material is None else material.name
    made = graph if material is None else rounded(graph, precision)
    stream, no_step = None, None
    if made.writer is not None:
        contents = dict(zip((ENCODER, DECODER), two_models(made, precision), strict=True))
        writer = OnnxWriter(contents[ENCODER], contents[DECODER])
        check = check_writer(made, examples, writer, trained=material is None)
        outputs = partial(written_by, writer)
    else:
        contents = {MODEL: whole_model(made, precision)}
        stream, step, no_step = _step(made, precision)
        check = check_models(made, examples, contents[MODEL], step, stream, trained=material is None)
        outputs = partial(outputs_of, contents[MODEL])
        contents |= {} if step is None else {STEP: step}
    refuse_gaps(check)
    rounding = None
    if material is not None:
        change = change_of(material, outputs(material.examples)) if material.examples else None
        refuse_loss(change, material)
        rounding = Rounding(precision, change, output_gap(outputs(examples), examples), {})
    operators = _operators(contents)
    left_out = {} if stream is None else dict(stream.left_out)
    files = {name: len(content) for name, content in contents.items()}
    stepwise: dict[str, Any] = {"reason": no_step or f"{DECODER} is a step of writing"}
    if stream is not None:
        stepwise = {"states": [each.name for each in stream.states], "left_out": left_out}
    found = {
        "precision": precision,
        "rounding": None if rounding is None else rounding.to_dict(),
        "operators": operators,
        "check": check.to_dict(),
        "step": stepwise,
    }
    readme = emit_readme(made, contents, no_step, check, rounding, about)
    record = encoded_json(_record(contents, about or {}, found))
    write_together(
        folder, {**contents, README: encoded_text(readme), RECORD: record}, obsolete=(MODEL, STEP, ENCODER, DECODER)
    )
    return Export(folder, files, operators, check, no_step, left_out, rounding)


def _record(contents: Mapping[str, bytes], about: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What ``export.json`` holds."""
    return {
        "format_version": _FORMAT_VERSION,
        "target": "onnx",
        **about,
        "opset": OPSET,
        "versions": {
            "gatewise": gatewise.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        },
        **found,
    }


def _step(graph: Graph, precision: str) -> tuple[Stream | None, bytes | None, str | None]:
    """The stream and its model, or the reason why there is none."""
    try:
        stream = stream_of(graph)
    except ConversionError as error:
        return None, None, f"{error.got}{way_round(graph)}"
    return stream, step_model(graph, stream, precision), None


def _operators(models: Mapping[str, bytes]) -> dict[str, int]:
    """Of all models of whole sequences."""
    whole = [content for name, content in models.items() if name != STEP]
    counts = Counter(node.op_type for content in whole for node in onnx.load_from_string(content).graph.node)
    return {name: counts[name] for name in _RECURRENT if counts[name]}
