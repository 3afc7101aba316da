"""Recurrent layers of `gatewise.nn` by themselves: a target without a run."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gatewise.errors import OptionError
from gatewise.export.graph import Example
from gatewise.export.graph.layers import layer_graph
from gatewise.export.precision import Material
from gatewise.nn import Recurrent

if TYPE_CHECKING:
    from gatewise.export.to_c.export import ExportC
    from gatewise.export.to_onnx.export import Export

__all__ = ["export_layer", "export_layer_to_c", "layer_examples"]

_LENGTHS = (1, 2, 3, 5, 8, 13, 21)
_DRAWN = (1, 2, 3, 4)


def layer_examples(layer: Recurrent, seed: int = 0) -> list[Example]:
    """Sequences drawn from a normal distribution, of 1 to 21 steps, with the layer's outputs in evaluation."""
    generator = np.random.default_rng(seed)
    plain = copy.deepcopy(layer).float().cpu().eval()
    found = []
    for length in _LENGTHS:
        x = generator.normal(size=(length, layer.input_size)).astype(np.float32)
        with torch.no_grad():
            output, _ = plain(torch.from_numpy(x))
        found.append(Example({"x": x}, {"output": output.numpy()}))
    return found


def export_layer(layer: Recurrent, out: str | Path, *, precision: str = "float32") -> Export:
    """See `gatewise.export.onnx`."""
    from gatewise.export.to_onnx.export import export_graph

    _check(layer)
    if precision not in ("float32", "fp16", "int8"):
        raise OptionError(f"there is no precision {precision!r} in ONNX", expected="float32, fp16 or int8")
    material = None if precision == "float32" else Material(precision)
    return export_graph(layer_graph(layer), layer_examples(layer), out, material=material)


def export_layer_to_c(
    layer: Recurrent,
    out: str | Path,
    *,
    name: str = "model",
    most: int | None = None,
    precision: str = "float32",
    calibration: Sequence[Any] | None = None,
) -> ExportC:
    """See `gatewise.export.c`."""
    from gatewise.export.to_c.export import export_graph

    _check(layer)
    material = _material(layer, precision, calibration)
    return export_graph(
        layer_graph(layer), layer_examples(layer), out, name=name, most=most, programs=False, material=material
    )


def _material(layer: Recurrent, precision: str, calibration: Sequence[Any] | None) -> Material | None:
    """What an export in integers is made with: the given sequences, else some drawn from a normal distribution."""
    if precision not in ("float32", "int8"):
        raise OptionError(f"there is no precision {precision!r} in C", expected="float32 or int8")
    if precision == "float32":
        return None
    if calibration is None:
        return Material(precision, [each.inputs for seed in _DRAWN for each in layer_examples(layer, seed)])
    rows = [np.asarray(each, dtype=np.float32) for each in calibration]
    for place, row in enumerate(rows):
        if row.ndim != 2 or row.shape[1] != layer.input_size or not len(row):
            raise OptionError(
                f"sequence {place} of the calibration does not fit the layer",
                expected=f"(T, {layer.input_size})",
                got=row.shape,
            )
    return Material(precision, [{"x": row} for row in rows])


def _check(layer: object) -> None:
    if not isinstance(layer, Recurrent):
        raise OptionError(
            "only recurrent layers can be exported by themselves",
            expected="a layer of gatewise.nn, such as GRU(10, 20)",
            got=type(layer).__name__,
            fix="load the weights of torch.nn.GRU into gatewise.nn.GRU: the parameter names are the same",
        )
