"""Graphs as ONNX models with what they need beside them: words, class names, scaling, initial states."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import onnx
from onnx import helper

import gatewise
from gatewise.errors import ConversionError
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.stream import Stream
from gatewise.export.to_onnx.operations import OPSET
from gatewise.export.to_onnx.packing import pack
from gatewise.export.to_onnx.runtime import FORMAT, KEY
from gatewise.export.to_onnx.stepwise import NEXT, emit_step
from gatewise.export.to_onnx.whole import emit_whole

__all__ = ["step_model", "two_models", "whole_model"]

_IR_VERSION = 8
_MOST_BYTES = 2_000_000_000


def two_models(graph: Graph, precision: str = "float32") -> tuple[bytes, bytes]:
    """The models of a network that reads one sequence and writes another: what reads, and one step of writing.

    Both hold the same digest of all weights, so that files of two exports are not taken for one network.

    Args:
        graph: what to emit, with a writer.
        precision: see `whole_model`.

    Raises:
        ConversionError: as of `whole_model`.
    """
    assert graph.writer is not None
    digest = hashlib.sha256()
    for each in (graph, graph.writer):
        for name in sorted(each.weights):
            digest.update(name.encode() + b"\0" + np.ascontiguousarray(each.weights[name]).tobytes())
    of_both = digest.hexdigest()
    return whole_model(graph, precision, "encoder", of_both), whole_model(graph.writer, precision, "decoder", of_both)


def whole_model(graph: Graph, precision: str = "float32", form: str = "whole", digest: str | None = None) -> bytes:
    """A model of whole sequences, checked by ``onnx.checker``, as the bytes of a file.

    Args:
        graph: what to emit.
        precision: of the weights, see `gatewise.export.to_onnx.packing`.
        form: ``whole``, or what it is of a network of two models: ``encoder``, ``decoder``.
        digest: of the weights of both of these.

    Raises:
        ConversionError: the weights do not fit into one file.
    """
    return _finished(emit_whole(graph), graph, {**_described(graph), "form": form, "digest": digest}, precision)


def step_model(graph: Graph, stream: Stream, precision: str = "float32") -> bytes:
    """A model of one step, with its states as inputs and outputs.

    Raises:
        ConversionError: as of `whole_model`.
    """
    described = _described(graph)
    used = {given.name for given in stream.inputs}
    states = [
        {
            "name": state.name,
            "next": state.name + NEXT,
            "width": state.width,
            "start": state.start if state.weight is None else graph.weights[state.weight].tolist(),
        }
        for state in stream.states
    ]
    return _finished(
        emit_step(graph, stream),
        graph,
        {
            **described,
            "form": "step",
            "inputs": [each for each in described["inputs"] if each["name"] in used],
            "outputs": [each for each in described["outputs"] if each["name"] in stream.outputs],
            "states": states,
        },
        precision,
    )


def _described(graph: Graph) -> dict[str, Any]:
    known = graph.values
    return {
        "inputs": [
            {
                "name": given.name,
                "steps": given.steps,
                "width": given.width,
                "tokens": given.tokens,
                "limit": given.limit,
                "inner": given.inner,
                "wide": given.wide,
                "meaning": given.meaning,
            }
            for given in graph.inputs
        ],
        "outputs": [
            {"name": name, "steps": known[value].steps, "width": known[value].width}
            for name, value in graph.outputs.items()
        ],
    }


def _finished(made: Any, graph: Graph, described: dict[str, Any], precision: str) -> bytes:
    if precision != "float32":
        pack(made, graph, precision)
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="gatewise",
        producer_version=gatewise.__version__,
    )
    record = {"format": FORMAT, "kind": graph.name, "graph": described, "metadata": dict(graph.metadata)}
    helper.set_model_props(model, {KEY: json.dumps(record, ensure_ascii=False)})
    if model.ByteSize() > _MOST_BYTES:
        raise ConversionError(
            "the network is too large for one ONNX file",
            expected="at most 2 GB",
            got=f"{model.ByteSize() / 1e9:.1f} GB",
            fix="train with a smaller vocabulary or hidden size",
        )
    onnx.checker.check_model(model, full_check=True)
    found: bytes = model.SerializeToString()
    return found
