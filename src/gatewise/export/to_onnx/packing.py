"""Weights of ONNX models in 8 or 16 bits; the model turns them into float32, in which it computes.

- ``int8``: a scale per row, ``Cast`` and ``Mul``: exact, and onnxruntime does it once, when it loads the model.
  Not ``DequantizeLinear``: before a product onnxruntime (1.31) makes ``MatMulNBits`` of it, which rounds the other
  factor to 8 bits as well (a difference of 1 % of the output), elsewhere it repeats it in every call. GRU and RNN have
  no operator of integers there at all.
- ``fp16``: ``Cast``. onnxruntime takes GRU, LSTM and RNN in fp16, but computes them in float32 between casts of its own
  on a CPU, so that nothing is gained, and inputs and states would lose digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from gatewise.export.graph.expressions import Array
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.grids import GridConvolution
from gatewise.export.graph.nodes import EachStep
from gatewise.export.integers.formats import rows_of
from gatewise.export.integers.quantised import matrices_of, refuse_weights

__all__ = ["pack", "rounded"]

_LARGEST = 65504.0
_EXACT = (-0.5, 0.0, 0.5)
"""Kernels of these alone are no learned ones, but differences of neighbours."""
_NATIVE = ("weight_ih", "weight_hh")


def rounded(graph: Graph, precision: str) -> Graph:
    """The graph with weights as they are after packing.

    Args:
        graph: the graph.
        precision: ``int8`` or ``fp16``.

    Raises:
        ConversionError: a matrix holds what 8 bits with a scale do not stand for.
    """
    if precision == "int8":
        refuse_weights(graph, _packed(graph))
    weights = {**graph.weights, **{name: _near(graph.weights[name], precision) for name in _packed(graph)}}
    nodes = tuple(
        replace(node, body=rounded(node.body, precision)) if isinstance(node, EachStep) else node
        for node in graph.nodes
    )
    writer = None if graph.writer is None else rounded(graph.writer, precision)
    return replace(graph, nodes=nodes, weights=weights, writer=writer)


def _packed(graph: Graph) -> Iterator[str]:
    """Matrices that products, look-ups and recurrent operators read."""
    yield from matrices_of(graph)
    kernels = dict.fromkeys(node.weight for node in graph.nodes if isinstance(node, GridConvolution))
    yield from (name for name in kernels if not np.isin(graph.weights[name], _EXACT).all())
    for stack in graph.stacks.values():
        for layer in stack.layers:
            for direction in layer.directions:
                if direction.native is not None:
                    yield from (name for role, name in direction.native.weights if role in _NATIVE)


def _near(weight: Array, precision: str) -> Array:
    if precision == "int8":
        return rows_of(weight).floats
    if not np.abs(weight).max(initial=0.0) <= _LARGEST:
        return weight
    return np.asarray(weight.astype(np.float16).astype(np.float32))


def pack(made: Any, graph: Graph, precision: str) -> None:
    """Store the matrices of a model's graph in fewer bits.

    Args:
        made: ``onnx.GraphProto`` of the graph, changed in place.
        graph: as `rounded` gave it.
        precision: ``int8`` or ``fp16``.
    """
    names = set(_names(graph))
    kept, nodes = [], []
    for tensor in made.initializer:
        base = tensor.name.removesuffix(".turned").removesuffix(".W").removesuffix(".R")
        array = numpy_helper.to_array(tensor)
        if base not in names or array.dtype != np.float32 or tensor.name.endswith((".B", ".P")):
            kept.append(tensor)
            continue
        found = _fewer(tensor.name, array, precision)
        if found is None:
            kept.append(tensor)
            continue
        kept += found[0]
        nodes += found[1]
    del made.initializer[:]
    made.initializer.extend(kept)
    given = list(made.node)
    del made.node[:]
    made.node.extend([*nodes, *given])


def _names(graph: Graph) -> Iterator[str]:
    yield from _packed(graph)
    for node in graph.nodes:
        if isinstance(node, EachStep):
            yield from _names(node.body)


def _fewer(name: str, array: Array, precision: str) -> tuple[list[Any], list[Any]] | None:
    """Initialisers and nodes that give a matrix its name; None: as it is."""
    packed = f"{name}.{precision}"
    if precision == "fp16":
        if not np.abs(array).max(initial=0.0) <= _LARGEST:
            return None
        tensors = [numpy_helper.from_array(array.astype(np.float16), packed)]
        return tensors, [helper.make_node("Cast", [packed], [name], to=TensorProto.FLOAT)]
    turned = name.endswith(".turned")
    rows = rows_of(array.T if turned else array.reshape(-1, array.shape[-1]))
    values = rows.values.T if turned else rows.values.reshape(array.shape)
    scale = rows.scale[None] if turned else rows.scale.reshape(*array.shape[:-1], 1)
    tensors = [
        numpy_helper.from_array(np.ascontiguousarray(values), packed),
        numpy_helper.from_array(np.ascontiguousarray(scale), f"{name}.scale"),
    ]
    nodes = [
        helper.make_node("Cast", [packed], [f"{name}.whole"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name]),
    ]
    return tensors, nodes
