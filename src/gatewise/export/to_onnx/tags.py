"""Viterbi's algorithm as nodes of ONNX: a scan forward that keeps where each tag came from, and one back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper

from gatewise.export.to_onnx.operations import Body

__all__ = ["emit_viterbi"]


def emit_viterbi(
    body: Body, scores: str, mask: str, lengths: str, weights: Sequence[str], batch: str, count: int
) -> str:
    """The best tags (T, B) int64, 0 past an example's end; see `gatewise.export.graph.nodes.Viterbi`.

    Args:
        body: where the nodes go.
        scores: (T, B, C).
        mask: (T, B, 1) bool.
        lengths: (B,) int64.
        weights: transitions (C, C), start (C,), end (C,).
        batch: (1,) int64.
        count: C.
    """
    transitions, start, end = weights
    total = body.add("Slice", [body.add("Shape", [scores]), body.integers(0), body.integers(1)])
    zero, one = body.constant(np.int64(0)), body.constant(np.int64(1))
    places = body.add("Range", [zero, body.add("Squeeze", [total, body.integers(0)]), one])
    is_first = body.add("Equal", [body.add("Unsqueeze", [places, body.integers(1)]), body.integers(0)])
    shape = body.add("Concat", [batch, body.integers(count)], axis=0)
    nothing = body.add("Expand", [body.constant(np.zeros(1, dtype=np.float32)), shape])
    best, origins = _forward(body, nothing, scores, mask, is_first, transitions, start, count)
    last = body.add("ArgMax", [body.add("Add", [best, end])], axis=1, keepdims=1)
    tail = body.add("Slice", [origins, body.integers(1), total, body.integers(0)])
    head = body.add("Slice", [origins, body.integers(0), body.integers(1), body.integers(0)])
    following = body.add("Concat", [tail, head], axis=0)
    later = body.add("Add", [body.add("Unsqueeze", [places, body.integers(1)]), body.integers(1)])
    goes_on = body.add("Less", [later, body.add("Unsqueeze", [lengths, body.integers(0)])])
    goes_on = body.add("Unsqueeze", [goes_on, body.integers(2)])
    return _backward(body, last, following, goes_on, mask, count)


def _forward(
    body: Body, nothing: str, scores: str, mask: str, is_first: str, transitions: str, start: str, count: int
) -> tuple[str, str]:
    """The best scores after each example's last step (B, C), and of each step the tag before (T, B, C)."""
    inner = Body(body.names)
    before, score, real, first = (body.names.new(name) for name in ("best", "score", "real", "first"))
    candidates = inner.add("Add", [inner.add("Unsqueeze", [before, inner.integers(2)]), transitions])
    greatest = inner.add("Add", [inner.add("ReduceMax", [candidates], axes=[1], keepdims=0), score])
    came = inner.add("ArgMax", [candidates], axis=1, keepdims=0)
    new = inner.add("Where", [first, inner.add("Add", [score, start]), greatest])
    held = inner.add("Where", [real, new, before])
    step = helper.make_graph(
        inner.nodes,
        "forward",
        [
            helper.make_tensor_value_info(before, TensorProto.FLOAT, ["batch", count]),
            helper.make_tensor_value_info(score, TensorProto.FLOAT, ["batch", count]),
            helper.make_tensor_value_info(real, TensorProto.BOOL, ["batch", 1]),
            helper.make_tensor_value_info(first, TensorProto.BOOL, [1]),
        ],
        [
            helper.make_tensor_value_info(held, TensorProto.FLOAT, ["batch", count]),
            helper.make_tensor_value_info(came, TensorProto.INT64, ["batch", count]),
        ],
    )
    best, origins = body.several("Scan", [nothing, scores, mask, is_first], 2, body=step, num_scan_inputs=3)
    return best, origins


def _backward(body: Body, last: str, following: str, goes_on: str, mask: str, count: int) -> str:
    inner = Body(body.names)
    current, origin, more, real = (body.names.new(name) for name in ("current", "origin", "more", "real"))
    previous = inner.add("GatherElements", [origin, current], axis=1)
    tag = inner.add("Where", [more, previous, current])
    shown = inner.add("Where", [real, tag, inner.integers(0)])
    flat = inner.add("Squeeze", [shown, inner.integers(1)])
    step = helper.make_graph(
        inner.nodes,
        "backward",
        [
            helper.make_tensor_value_info(current, TensorProto.INT64, ["batch", 1]),
            helper.make_tensor_value_info(origin, TensorProto.INT64, ["batch", count]),
            helper.make_tensor_value_info(more, TensorProto.BOOL, ["batch", 1]),
            helper.make_tensor_value_info(real, TensorProto.BOOL, ["batch", 1]),
        ],
        [
            helper.make_tensor_value_info(tag, TensorProto.INT64, ["batch", 1]),
            helper.make_tensor_value_info(flat, TensorProto.INT64, ["batch"]),
        ],
    )
    _, tags = body.several(
        "Scan",
        [last, following, goes_on, mask],
        2,
        body=step,
        num_scan_inputs=3,
        scan_input_directions=[1, 1, 1],
        scan_output_directions=[1],
    )
    return tags
