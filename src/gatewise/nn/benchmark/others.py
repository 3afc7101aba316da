"""The same layer in other programs, each where it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["onnx_call"]

_ORDER = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""Where ONNX's gates stand in torch's: GRU z, r, h; LSTM i, o, f, c."""


def _in_order(weight: Tensor, cell: str) -> Tensor:
    parts = weight.detach().chunk(len(_ORDER[cell]))
    return torch.cat([parts[index] for index in _ORDER[cell]])


def onnx_call(layer: torch.nn.Module, x: Tensor, threads: int = 1) -> Callable[[], Any] | None:
    """A call of onnxruntime on a model of one node, which gives the output ``(T, 1, B, H)``; None where it is missing.

    Args:
        layer: ``torch.nn.RNN``, ``GRU`` or ``LSTM``, one layer, one direction.
        x: ``(T, B, I)``.
        threads: of onnxruntime.
    """
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    cell, hidden = type(layer).__name__, layer.hidden_size
    weights = {name: _in_order(each, cell) for name, each in layer.named_parameters()}
    constants = {
        "W": weights["weight_ih_l0"][None],
        "R": weights["weight_hh_l0"][None],
        "B": torch.cat([weights["bias_ih_l0"], weights["bias_hh_l0"]])[None],
    }
    options: dict[str, Any] = {"linear_before_reset": 1} if cell == "GRU" else {}
    states = ["h_n", "c_n"][: 2 if cell == "LSTM" else 1]
    node = helper.make_node(cell, ["x", "W", "R", "B"], ["output", *states], hidden_size=hidden, **options)
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        cell,
        [helper.make_tensor_value_info("x", kind, list(x.shape))],
        [helper.make_tensor_value_info(name, kind, None) for name in ("output", *states)],
        [numpy_helper.from_array(each.contiguous().numpy(), name) for name, each in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    feed = {"x": x.numpy()}
    return lambda: session.run(None, feed)[0][:, 0]
