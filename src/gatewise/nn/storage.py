"""Saving a layer and loading it: weights as safetensors, the constructor's arguments as JSON in the same file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from gatewise.errors import DataError, ShapeError
from gatewise.files import write_bytes
from gatewise.nn.mismatch import weights_mismatch
from gatewise.nn.recurrent import Recurrent
from gatewise.nn.states import read_tensors

__all__ = ["load_layer", "load_weights", "save_layer"]

_KEY = "gatewise_layer"


def build_layer(config: dict[str, Any], **more: Any) -> Recurrent:
    """A layer from :meth:`Recurrent.config`, as the public class of its cell where there is one."""
    arguments = dict(config)
    cell = arguments.pop("cell")
    if cell in Recurrent.classes:
        return Recurrent.classes[cell](**(arguments.pop("cell_options") or {}), **arguments, **more)
    return Recurrent(cell, **arguments, **more)


def save_layer(layer: Recurrent, path: str | Path) -> Path:
    """Write a layer, whole or not at all: one safetensors file for :func:`load_layer`.

    Returns:
        The path.

    Raises:
        StorageError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> from gatewise.nn import GRU
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = save_layer(GRU(2, 3, reset="before"), Path(folder.name) / "layer.safetensors")
        >>> load_layer(path)
        GRU(2, 3, reset='before')
        >>> folder.cleanup()
    """
    tensors = {name: value.detach().contiguous().cpu().clone() for name, value in layer.state_dict().items()}
    return write_bytes(path, safetensors.torch.save(tensors, {_KEY: json.dumps(layer.config())}))


def load_layer(path: str | Path, device: torch.device | str = "cpu") -> Recurrent:
    """Read a layer that :func:`save_layer` wrote; an own cell must be registered before.

    Raises:
        DataError: no such file, not safetensors, or not a saved layer.
        OptionError: its cell is not registered.

    Example:
        >>> load_layer("absent.safetensors")
        Traceback (most recent call last):
        gatewise.errors.DataError: absent.safetensors cannot be read as a saved layer; ...
    """
    tensors = read_tensors(path, "a saved layer")
    with safetensors.safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get(_KEY)
    if text is None:
        raise DataError(
            f"{path} holds weights but no layer",
            expected=f"metadata {_KEY!r}",
            fix="build the layer, then gatewise.nn.load_weights(layer, path)",
        )
    layer = build_layer(json.loads(text), dtype=next(iter(tensors.values())).dtype)
    layer.load_state_dict(tensors)
    return layer.to(device)


def load_weights(layer: Recurrent, path: str | Path) -> None:
    """Read weights named as in torch.nn from a safetensors file into a layer.

    Raises:
        DataError: no such file, or not safetensors.
        ShapeError: the weights belong to another layer; the layer is left as it was.

    Example:
        >>> import tempfile
        >>> from gatewise.nn import GRU, LSTM
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = save_layer(LSTM(2, 3), Path(folder.name) / "weights.safetensors")
        >>> load_weights(GRU(2, 3), path)
        Traceback (most recent call last):
        gatewise.errors.ShapeError: ...weights.safetensors: these are the weights of an LSTM (4 gates), ...
        >>> folder.cleanup()
    """
    tensors = read_tensors(path, "weights")
    own = {name: tuple(value.shape) for name, value in layer.named_parameters()}
    given = {name: tuple(value.shape) for name, value in tensors.items()}
    problem = weights_mismatch(type(layer).__name__, layer._cells[0], own, given)
    if problem is not None:
        raise ShapeError(f"{path}: {problem}")
    layer.load_state_dict(tensors)
