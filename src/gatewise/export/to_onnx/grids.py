"""Nodes of pictures in ONNX: between them values stay (B, N, R, C), as convolutions have them."""

from __future__ import annotations

from gatewise.export.graph.grids import AddSteps, GridConvolution, GridMax, GridMean, GridNode, GridNorm
from gatewise.export.to_onnx.operations import Body

__all__ = ["as_grid", "as_steps", "emit_grid"]


def as_grid(body: Body, source: str, shape: tuple[int, int], width: int) -> str:
    """A sequence (R * C, B, N) as (B, N, R, C)."""
    return body.add("Reshape", [body.add("Transpose", [source], perm=[1, 2, 0]), body.integers(-1, width, *shape)])


def as_steps(body: Body, grid: str, steps: int, width: int) -> str:
    """A grid (B, N, R, C) as (R * C, B, N)."""
    return body.add("Transpose", [body.add("Reshape", [grid, body.integers(-1, width, steps)])], perm=[2, 0, 1])


def emit_grid(body: Body, node: GridNode, grid: str, width: int) -> str:
    """A node of a grid (B, I, R, C); gives (B, N, R', C').

    Args:
        body: where the nodes go.
        node: what to emit; no `AddSteps`, which is one of a sequence.
        grid: the source.
        width: I.
    """
    assert not isinstance(node, AddSteps)
    if isinstance(node, GridConvolution):
        shape = body.integers(node.width, width, node.kernel, node.kernel)
        kernel = body.add("Reshape", [body.names.weight(node.weight), shape])
        half = node.kernel // 2
        if not node.repeated:
            return body.add("Conv", [grid, kernel], pads=[half] * 4)
        wider = body.add("Pad", [grid, body.integers(0, 0, half, half, 0, 0, half, half)], mode="edge")
        return body.add("Conv", [wider, kernel])
    if isinstance(node, GridMean):
        half = node.size // 2
        return body.add("AveragePool", [grid], kernel_shape=[node.size] * 2, pads=[half] * 4, count_include_pad=0)
    if isinstance(node, GridNorm):
        return _normalised(body, node, grid)
    return _greatest(body, node, grid)


def _normalised(body: Body, node: GridNorm, grid: str) -> str:
    """By ``InstanceNormalization`` of the groups, whose features lie behind each other; opset 18 has it as one node."""
    import numpy as np

    grouped = body.add("Reshape", [grid, body.integers(0, node.groups, -1)])
    ones = body.constant(np.ones(node.groups, dtype=np.float32))
    zeros = body.constant(np.zeros(node.groups, dtype=np.float32))
    normal = body.add("InstanceNormalization", [grouped, ones, zeros], epsilon=node.epsilon)
    whole = body.add("Reshape", [normal, body.integers(-1, node.width, *node.shape)])
    over = body.integers(node.width, 1, 1)
    scale, shift = (body.add("Reshape", [body.names.weight(name), over]) for name in (node.weight, node.bias))
    return body.add("Add", [body.add("Mul", [whole, scale]), shift])


def _greatest(body: Body, node: GridMax, grid: str) -> str:
    regular = [_regular(windows, size) for windows, size in zip((node.rows, node.columns), node.shape, strict=True)]
    if all(regular):
        return body.add("MaxPool", [grid], kernel_shape=regular, strides=regular)
    for axis, windows in ((2, node.rows), (3, node.columns)):
        parts = [
            body.add(
                "ReduceMax",
                [body.add("Slice", [grid, body.integers(start), body.integers(stop), body.integers(axis)])],
                axes=[axis],
                keepdims=1,
            )
            for start, stop in windows
        ]
        grid = parts[0] if len(parts) == 1 else body.add("Concat", parts, axis=axis)
    return grid


def _regular(windows: tuple[tuple[int, int], ...], size: int) -> int:
    """The size of windows that follow each other from 0 on as a pooling has them; 0: they do not.

    Example:
        >>> _regular(((0, 2), (2, 4)), 5), _regular(((0, 2), (1, 3)), 3), _regular(((0, 2),), 4)
        (2, 0, 0)
    """
    each = windows[0][1]
    fits = all(window == (place * each, (place + 1) * each) for place, window in enumerate(windows))
    return each if fits and len(windows) == size // each else 0
