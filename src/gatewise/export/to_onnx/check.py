"""An exported model against the trained network on real examples: ragged batches, one by one, and step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import ConversionError
from gatewise.export.gaps import Check, compared, relative_gap
from gatewise.export.graph import Example, Graph, Interpreter
from gatewise.export.graph.nodes import Viterbi
from gatewise.export.graph.stream import Stream
from gatewise.export.to_onnx.runtime import OnnxModel, OnnxStream

__all__ = ["check_models", "outputs_of"]

_AT_ONCE = 10
_ALONE = 5
_STREAMED = 5

Array = npt.NDArray[Any]


def check_models(
    graph: Graph,
    examples: Sequence[Example],
    whole: bytes,
    step: bytes | None,
    stream: Stream | None,
    *,
    trained: bool = True,
) -> Check:
    """Compare models with the trained network and the interpreter.

    Args:
        graph: what was exported.
        examples: real ones with the trained network's outputs.
        whole: the model of whole sequences.
        step: the model of one step, if there is one.
        stream: how it runs.
        trained: the examples' outputs are what the graph computes; not so where its weights were rounded.

    Raises:
        ConversionError: there are no examples.
    """
    if not examples:
        raise ConversionError("there is no test example to check the export with", fix="use data with a test part")
    model, oracle = OnnxModel(whole), Interpreter(graph)
    precise = _in_parts(oracle.run, examples)
    batched = _in_parts(model.run, examples)
    gaps: dict[str, float] = {}
    differing = 0
    pairs = {"onnxruntime, NumPy in float64": (batched, precise)}
    if trained:
        pairs = {
            "onnxruntime, trained network": (batched, _outputs(examples)),
            **pairs,
            "NumPy in float64, trained network": (precise, _outputs(examples)),
        }
    for name, (found, expected) in pairs.items():
        gaps[name], ties = compared(graph, _rows(precise), _rows(found), _rows(expected))
        differing = max(differing, ties)
    alone = [model.run([example.inputs]) for example in examples[:_ALONE]]
    for name in graph.outputs:
        if not _is_tags(graph, name):
            gap = relative_gap([each[name][0] for each in alone], batched[name][:_ALONE])
            gaps["one by one, batched"] = max(gap, gaps.get("one by one, batched", 0.0))
    if step is not None and stream is not None:
        gaps["step by step, whole"] = _streamed(graph, examples[:_STREAMED], OnnxStream(step), model)
    lengths = [_length(graph, example) for example in examples]
    known = [length for length in lengths if length is not None]
    return Check(len(examples), min(known, default=None), max(known, default=None), gaps, differing)


def outputs_of(model: bytes, examples: Sequence[Example]) -> list[dict[str, Array]]:
    """What a model of whole sequences makes of examples, one after the other."""
    found = _in_parts(OnnxModel(model).run, examples)
    return [{name: rows[row] for name, rows in found.items()} for row in range(len(examples))]


def _in_parts(
    run: Callable[[Sequence[Mapping[str, Any]]], dict[str, list[Array]]], examples: Sequence[Example]
) -> dict[str, list[Array]]:
    found: dict[str, list[Array]] = {}
    for start in range(0, len(examples), _AT_ONCE):
        for name, rows in run([each.inputs for each in examples[start : start + _AT_ONCE]]).items():
            found.setdefault(name, []).extend(rows)
    return found


def _outputs(examples: Sequence[Example]) -> dict[str, list[Array]]:
    return {name: [each.outputs[name] for each in examples] for name in examples[0].outputs}


def _is_tags(graph: Graph, output: str) -> bool:
    return isinstance(graph.values[graph.outputs[output]], Viterbi)


def _rows(found: Mapping[str, list[Array]]) -> list[dict[str, Array]]:
    """By example."""
    count = len(next(iter(found.values())))
    return [{name: values[row] for name, values in found.items()} for row in range(count)]


def _streamed(graph: Graph, examples: Sequence[Example], stream: OnnxStream, model: OnnxModel) -> float:
    """The last step's outputs of a stream against those of the whole sequence."""
    gap = 0.0
    sequences = {given.name for given in graph.inputs if given.steps is not None}
    for example in examples:
        stream.reset()
        (whole,) = [model.run([example.inputs])]
        count = len(next(example.inputs[name] for name in sequences))
        found: dict[str, Array] = {}
        for place in range(count):
            found = stream(
                **{
                    name: [value[place]] if name in sequences else np.asarray(value)[None]
                    for name, value in example.inputs.items()
                }
            )
        for name, last in found.items():
            expected = whole[name][0]
            if expected.ndim == 2 and last.ndim == 2:  # of a sequence the last step
                expected = expected[-1]
            gap = max(gap, relative_gap([last[0]], [expected]))
    return gap


def _length(graph: Graph, example: Example) -> int | None:
    ragged = next((given.name for given in graph.inputs if given.steps == "T"), None)
    return None if ragged is None else len(example.inputs[ragged])
