"""The same weights in Keras's and ONNX's conventions.

| | gate order | bias | GRU reset | GRU update |
|---|---|---|---|---|
| torch.nn, Gatewise | LSTM i f g o; GRU r z n | two | after (default), before | keep (default), replace |
| Keras 3 | LSTM i f c o; GRU z r h | one; GRU with reset_after two | after (default), before | keep |
| ONNX | LSTM i o f c; GRU z r h | two, side by side | before (default), after (linear_before_reset) | keep |

A GRU with ``update="replace"`` is written with its update gate negated, which is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.errors import ConversionError, OptionError, ShapeError
from gatewise.nn.recurrent import Recurrent

__all__ = ["OnnxWeights", "from_keras", "from_onnx", "to_keras", "to_onnx"]

Array = npt.NDArray[Any]

_KERAS_ORDER = {"rnn": (0,), "lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}
_ONNX_ORDER = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
_ONNX_PEEPHOLES = (0, 2, 1)
_ONNX_OPERATORS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


@dataclass(frozen=True)
class OnnxWeights:
    """One layer as an ONNX operator takes it; D is 1 or 2, G the number of gates.

    Attributes:
        operator: ``RNN``, ``LSTM`` or ``GRU``.
        attributes: ``hidden_size``, ``direction``, ``linear_before_reset``, ``activations``, ``input_forget``.
        tensors: ``W (D, G*H, I)``, ``R (D, G*H, H)``, ``B (D, 2*G*H)``, with peepholes ``P (D, 3*H)`` rows i, o, f.
    """

    operator: str
    attributes: dict[str, Any]
    tensors: dict[str, Array]


def _reorder(array: Array, order: Sequence[int]) -> Array:
    """Blocks of the first axis in another order."""
    blocks = np.split(array, len(order))
    return np.ascontiguousarray(np.concatenate([blocks[i] for i in order]))


def _restore(array: Array, order: Sequence[int]) -> Array:
    return _reorder(array, np.argsort(order).tolist())


def _check(layer: Recurrent, depth: int, convention: str, allowed: frozenset[str]) -> dict[str, Any]:
    """The cell's options, after refusing what the convention cannot express."""
    if layer.cell not in _ONNX_ORDER:
        raise ConversionError(f"{convention} has no {layer.cell}")
    if not 0 <= depth < layer.num_layers:
        raise OptionError("no such layer", expected=f"depth from 0 to {layer.num_layers - 1}", got=depth)
    beyond = layer._cells[depth].kernel_options() - allowed - {"update_replace", "reset_before"}
    extra = {"layer_norm"} if layer.layer_norm else set()
    extra |= {"zoneout"} if any(layer.zoneout) else set()
    if beyond | extra:
        raise ConversionError(f"{convention}'s {layer.cell} has no {', '.join(sorted(beyond | extra))}")
    options: dict[str, Any] = layer._cells[depth].options()
    return options


def _arrays(layer: Recurrent, depth: int, backward: bool, options: Mapping[str, Any]) -> dict[str, Array]:
    """One direction's weights with the update gate keeping; zero biases where there are none."""
    if backward and not layer.bidirectional:
        raise OptionError("the layer has no backward direction", fix="build it with bidirectional=True")
    suffix = f"_l{depth}" + ("_reverse" if backward else "")
    cell = layer._cells[depth]
    names = [*cell.parameter_shapes(), *cell.extra_shapes()]
    found: dict[str, Array] = {name: getattr(layer, name + suffix).detach().cpu().numpy() for name in names}
    for name in ("bias_ih", "bias_hh"):
        found.setdefault(name, np.zeros_like(found["weight_ih"][:, 0]))
    if options.get("update") == "replace":
        for name, value in found.items():
            reset, update, candidate = np.split(value, 3)
            found[name] = np.concatenate([reset, -update, candidate])
    return found


def _store(layer: Recurrent, depth: int, backward: bool, options: Mapping[str, Any], values: dict[str, Array]) -> None:
    """Copy one direction's weights into a layer, all of them or none."""
    suffix = f"_l{depth}" + ("_reverse" if backward else "")
    ready: dict[str, Tensor] = {}
    for name, value in values.items():
        parameter = getattr(layer, name + suffix, None)
        if parameter is None:
            if np.any(value):
                raise ConversionError(
                    f"the layer has no {name}{suffix} to hold these values", fix="build it with bias=True"
                )
            continue
        if tuple(value.shape) != tuple(parameter.shape):
            raise ShapeError(f"{name}{suffix} has another shape", expected=tuple(parameter.shape), got=value.shape)
        if options.get("update") == "replace":
            reset, update, candidate = np.split(value, 3)
            value = np.concatenate([reset, -update, candidate])
        ready[name + suffix] = torch.as_tensor(np.ascontiguousarray(value))
    with torch.no_grad():
        for name, tensor in ready.items():
            getattr(layer, name).copy_(tensor)


def to_keras(layer: Recurrent, depth: int = 0, backward: bool = False) -> list[Array]:
    """One direction of one layer as ``set_weights`` of Keras's SimpleRNN, LSTM or GRU takes it.

    Args:
        layer: an RNN, LSTM or GRU.
        depth: which layer.
        backward: its backward direction.

    Returns:
        kernel ``(I, G*H)``, recurrent kernel ``(H, G*H)``, bias ``(G*H,)``; for a GRU with ``reset="after"`` (Keras's
        reset_after) the bias is ``(2, 3*H)``.

    Raises:
        ConversionError: Keras has no such cell or option.
        OptionError: no such layer or direction.

    Example:
        >>> from gatewise.nn import GRU
        >>> [array.shape for array in to_keras(GRU(2, 3))]
        [(2, 9), (3, 9), (2, 9)]
    """
    options = _check(layer, depth, "Keras", frozenset())
    found, order = _arrays(layer, depth, backward, options), _KERAS_ORDER[layer.cell]
    kernel, recurrent = _reorder(found["weight_ih"], order).T, _reorder(found["weight_hh"], order).T
    biases = [_reorder(found["bias_ih"], order), _reorder(found["bias_hh"], order)]
    two = layer.cell == "gru" and options["reset"] == "after"
    return [
        np.ascontiguousarray(kernel),
        np.ascontiguousarray(recurrent),
        np.stack(biases) if two else biases[0] + biases[1],
    ]


def from_keras(layer: Recurrent, arrays: Sequence[Array], depth: int = 0, backward: bool = False) -> None:
    """Copy ``get_weights`` of a Keras SimpleRNN, LSTM or GRU into one direction of one layer.

    Args:
        layer: an RNN, LSTM or GRU; for a GRU, ``reset="after"`` is Keras's ``reset_after=True`` (its default).
        arrays: kernel, recurrent kernel and, if it has one, bias.
        depth: which layer.
        backward: its backward direction.

    Raises:
        ShapeError: arrays of another layer; nothing is copied.
        ConversionError, OptionError: as :func:`to_keras`.

    Example:
        >>> from gatewise.nn import LSTM
        >>> source, target = LSTM(2, 3), LSTM(2, 3)
        >>> from_keras(target, to_keras(source))
        >>> bool((target.weight_hh_l0 == source.weight_hh_l0).all())
        True
    """
    options = _check(layer, depth, "Keras", frozenset())
    if len(arrays) not in (2, 3):
        raise ShapeError("Keras weights are kernel, recurrent kernel, bias", expected="2 or 3 arrays", got=len(arrays))
    order = _KERAS_ORDER[layer.cell]
    shapes = layer._cells[depth].parameter_shapes()
    values = {}
    for name, array in zip(("weight_ih", "weight_hh"), arrays, strict=False):
        if np.shape(array) != shapes[name][::-1]:
            raise ShapeError(f"Keras array for {name}", expected=f"{shapes[name][::-1]}", got=np.shape(array))
        values[name] = _restore(np.asarray(array).T, order)
    rows = shapes["weight_ih"][0]
    bias = np.asarray(arrays[2]) if len(arrays) == 3 else np.zeros(rows, dtype=np.asarray(arrays[0]).dtype)
    if bias.ndim == 2 and layer.cell == "gru" and options["reset"] == "before":
        raise ConversionError("a bias (2, 3*H) belongs to a Keras GRU with reset_after=True", fix='use reset="after"')
    if bias.shape not in ((rows,), (2, rows)):
        raise ShapeError("Keras bias", expected=f"({rows},) or (2, {rows})", got=bias.shape)
    pair = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
    values |= {"bias_ih": _restore(pair[0], order), "bias_hh": _restore(pair[1], order)}
    _store(layer, depth, backward, options, values)


def to_onnx(layer: Recurrent, depth: int = 0) -> OnnxWeights:
    """One layer, all its directions, as the ONNX operators RNN, LSTM and GRU take it.

    A coupled LSTM becomes ``input_forget=1``, which couples the forget gate to the input gate (f = 1 - i): the forget
    gate's weights are written, negated, as the input gate's.

    Args:
        layer: an RNN, LSTM (peepholes and coupled gates included) or GRU (all four readings).
        depth: which layer.

    Returns:
        Operator, attributes and tensors.

    Raises:
        ConversionError: ONNX has no such cell or option.
        OptionError: no such layer.

    Example:
        >>> from gatewise.nn import GRU
        >>> weights = to_onnx(GRU(2, 3, bidirectional=True))
        >>> weights.attributes["linear_before_reset"], weights.tensors["B"].shape
        (1, (2, 18))
    """
    options = _check(layer, depth, "ONNX", frozenset({"peephole", "coupled"}))
    order = _ONNX_ORDER[layer.cell]
    columns: dict[str, list[Array]] = {"W": [], "R": [], "B": [], "P": []}
    for backward in (False, True)[: layer.directions]:
        found = _arrays(layer, depth, backward, options)
        if options.get("coupled"):
            found = {name: _uncouple(name, value) for name, value in found.items()}
        biases = [_reorder(found["bias_ih"], order), _reorder(found["bias_hh"], order)]
        columns["W"].append(_reorder(found["weight_ih"], order))
        columns["R"].append(_reorder(found["weight_hh"], order))
        columns["B"].append(np.concatenate(biases))
        if "weight_peephole" in found:
            columns["P"].append(np.concatenate([found["weight_peephole"][i] for i in _ONNX_PEEPHOLES]))
    attributes: dict[str, Any] = {
        "hidden_size": layer.widths[depth],
        "direction": "bidirectional" if layer.bidirectional else "forward",
    }
    if layer.cell == "gru":
        attributes["linear_before_reset"] = int(options["reset"] == "after")
    if layer.cell == "rnn":
        attributes["activations"] = [options["nonlinearity"].capitalize()] * layer.directions
    if options.get("coupled"):
        attributes["input_forget"] = 1
    tensors = {name: np.stack(column) for name, column in columns.items() if column}
    return OnnxWeights(_ONNX_OPERATORS[layer.cell], attributes, tensors)


def _uncouple(name: str, value: Array) -> Array:
    """Rows f, g, o (peepholes f, o) as i, f, g, o (i, f, o) with i = -f, for a runtime that sets f = 1 - i."""
    if name == "weight_peephole":
        return np.stack([-value[0], np.zeros_like(value[0]), value[1]])
    forget, candidate, output = np.split(value, 3)
    return np.concatenate([-forget, np.zeros_like(forget), candidate, output])


def from_onnx(layer: Recurrent, tensors: Mapping[str, Array], depth: int = 0) -> None:
    """Copy an ONNX operator's W, R, B (and P) into one layer, all its directions.

    Args:
        layer: an RNN, LSTM or GRU whose options match the operator's attributes (``linear_before_reset=1`` is
            ``reset="after"``); coupled gates are not read back.
        tensors: ``W``, ``R`` and, if there are any, ``B`` and ``P``, see :class:`OnnxWeights`.
        depth: which layer.

    Raises:
        ShapeError: tensors of another layer.
        ConversionError, OptionError: as :func:`to_onnx`.

    Example:
        >>> from gatewise.nn import LSTM
        >>> source, target = LSTM(2, 3, peephole=True), LSTM(2, 3, peephole=True)
        >>> from_onnx(target, to_onnx(source).tensors)
        >>> bool((target.weight_peephole_l0 == source.weight_peephole_l0).all())
        True
    """
    options = _check(layer, depth, "ONNX", frozenset({"peephole"}))
    if "W" not in tensors or "R" not in tensors or len(tensors["W"]) != layer.directions:
        raise ShapeError(
            "ONNX weights do not fit the layer",
            expected=f"W (D, G*H, I) and R (D, G*H, H) with D = {layer.directions}",
            got={name: np.shape(value) for name, value in tensors.items()},
        )
    order = _ONNX_ORDER[layer.cell]
    for number in range(layer.directions):
        weights, recurrent = np.asarray(tensors["W"][number]), np.asarray(tensors["R"][number])
        joined = tensors["B"][number] if "B" in tensors else np.zeros(2 * len(weights), dtype=weights.dtype)
        first, second = np.split(np.asarray(joined), 2)
        values = {"weight_ih": weights, "weight_hh": recurrent, "bias_ih": first, "bias_hh": second}
        values = {name: _restore(value, order) for name, value in values.items()}
        if "P" in tensors:
            values["weight_peephole"] = np.stack(np.split(np.asarray(tensors["P"][number]), 3))[list(_ONNX_PEEPHOLES)]
        _store(layer, depth, number == 1, options, values)
