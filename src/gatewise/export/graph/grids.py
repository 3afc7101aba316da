"""Nodes of pictures: sequences of R x C steps that lie on a grid, row by row; and their values in NumPy. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gatewise.export.graph.expressions import Array

__all__ = ["GRID_NODES", "AddSteps", "GridConvolution", "GridMax", "GridMean", "GridNode", "GridNorm", "evaluate_grid"]

Windows = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class GridConvolution:
    """``y_(r,c) = sum over i, j of W_(i,j) x_(r + i - K // 2, c + j - K // 2)``.

    Attributes:
        weight: (O, I * K * K), the kernel of each output after its inputs, row by row; K odd.
        shape: (R, C).
        kernel: K.
        repeated: beyond the edges x is as at the nearest place; False: zero.
    """

    name: str
    source: str
    weight: str
    shape: tuple[int, int]
    kernel: int
    steps: int
    width: int
    repeated: bool = False
    wide: bool = False


@dataclass(frozen=True)
class GridNorm:
    """Group normalisation (Wu and He, 2018): each group of features by its mean and variance over all steps.

    Attributes:
        weight: (width,) what the result is multiplied with.
        bias: (width,) what is added then.
        groups: how many, of as many features each.
        epsilon: added to the variance.
        shape: (R, C).
    """

    name: str
    source: str
    weight: str
    bias: str
    groups: int
    epsilon: float
    shape: tuple[int, int]
    steps: int
    width: int
    wide: bool = False


@dataclass(frozen=True)
class GridMax:
    """The greatest value of each feature in windows of the grid.

    Attributes:
        shape: (R, C) of the source.
        rows: first row of each window, and the one after its last.
        columns: the same of columns; every window of rows meets every one of columns.
    """

    name: str
    source: str
    shape: tuple[int, int]
    rows: Windows
    columns: Windows
    steps: int
    width: int
    wide: bool = False


@dataclass(frozen=True)
class GridMean:
    """The mean of each feature in the K x K places around each place, of those that there are.

    Attributes:
        shape: (R, C).
        size: K, odd.
    """

    name: str
    source: str
    shape: tuple[int, int]
    size: int
    steps: int
    width: int
    wide: bool = False


@dataclass(frozen=True)
class AddSteps:
    """A vector of its own added to each step of a sequence of known length.

    Attributes:
        weight: (steps, width).
    """

    name: str
    source: str
    weight: str
    steps: int
    width: int
    wide: bool = False


GridNode = GridConvolution | GridNorm | GridMax | GridMean | AddSteps
GRID_NODES = (GridConvolution, GridNorm, GridMax, GridMean, AddSteps)


def evaluate_grid(node: GridNode, source: Array, weights: Mapping[str, Array]) -> Array:
    """The value of a node.

    Args:
        node: the node.
        source: (B, R * C, I).
        weights: by name.

    Example:
        >>> most = GridMax("m", "x", (2, 2), ((0, 2),), ((0, 1), (1, 2)), 2, 1)
        >>> evaluate_grid(most, np.array([[[1.0], [2.0], [3.0], [0.0]]]), {})[0, :, 0].tolist()
        [3.0, 2.0]
    """
    if isinstance(node, AddSteps):
        return np.asarray(source + weights[node.weight])
    batch = len(source)
    grid = source.reshape(batch, *node.shape, source.shape[2])
    if isinstance(node, GridMax):
        found = np.stack(
            [grid[:, r:rr, c:cc].max(axis=(1, 2)) for r, rr in node.rows for c, cc in node.columns], axis=1
        )
        return np.asarray(found)
    if isinstance(node, GridNorm):
        grouped = source.reshape(batch, source.shape[1], node.groups, -1)
        mean = grouped.mean(axis=(1, 3), keepdims=True)
        variance = grouped.var(axis=(1, 3), keepdims=True)
        normal = ((grouped - mean) / np.sqrt(variance + node.epsilon)).reshape(source.shape)
        return np.asarray((normal * weights[node.weight] + weights[node.bias]).astype(source.dtype))
    rows, columns = node.shape
    if isinstance(node, GridMean):
        total = sum(_around(grid, node.size))
        return np.asarray(total / sum(_around(np.ones_like(grid), node.size))).reshape(source.shape)
    kernel = weights[node.weight].reshape(node.width, -1, node.kernel**2)
    moved = _around(grid, node.kernel, "edge" if node.repeated else "constant")
    total = sum(each @ kernel[:, :, place].T for place, each in enumerate(moved))
    return np.asarray(total).reshape(batch, rows * columns, node.width)


def _around(grid: Array, size: int, mode: Literal["constant", "edge"] = "constant") -> list[Array]:
    """The grid (B, R, C, N), moved to each of the places around, row by row."""
    half, (_, rows, columns, _) = size // 2, grid.shape
    padded = np.pad(grid, ((0, 0), (half, half), (half, half), (0, 0)), mode=mode)
    return [padded[:, i : i + rows, j : j + columns] for i in range(size) for j in range(size)]
