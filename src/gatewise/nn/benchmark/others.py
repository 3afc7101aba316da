"""The same layer in other programs, each where it is there: onnxruntime, JAX, and a plain loop in C."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.kernels.building import compiler_command

__all__ = ["c_call", "jax_call", "onnx_call", "other_calls"]

Call = Callable[[], Any]
"""A call without arguments that gives the output ``(T, B, H)``."""


def other_calls(layer: torch.nn.Module, x: Tensor, threads: int = 1) -> dict[str, Call]:
    """Every other program that is here, by name.

    Args:
        layer: ``torch.nn.RNN``, ``GRU`` or ``LSTM``, one layer, one direction.
        x: ``(T, B, I)``.
        threads: of onnxruntime; JAX takes what it likes, the loop in C one.

    Example:
        >>> calls = other_calls(torch.nn.GRU(2, 3), torch.zeros(4, 1, 2))
        >>> all(torch.as_tensor(call()).shape == (4, 1, 3) for call in calls.values())
        True
    """
    found = {"onnxruntime": onnx_call(layer, x, threads), "jax": jax_call(layer, x), "C": c_call(layer, x)}
    return {name: call for name, call in found.items() if call is not None}


_ORDER = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""Where ONNX's gates stand in torch's: GRU z, r, h; LSTM i, o, f, c."""


def _in_order(weight: Tensor, cell: str) -> Tensor:
    parts = weight.detach().chunk(len(_ORDER[cell]))
    return torch.cat([parts[index] for index in _ORDER[cell]])


def onnx_call(layer: torch.nn.Module, x: Tensor, threads: int = 1) -> Call | None:
    """onnxruntime on a model of one node; None where it is missing.

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
    feed = {"x": x.detach().numpy()}
    return lambda: session.run(None, feed)[0][:, 0]


def _weights(layer: torch.nn.Module) -> list[Tensor]:
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return [getattr(layer, name).detach().contiguous() for name in names]


def jax_call(layer: torch.nn.Module, x: Tensor) -> Call | None:
    """JAX: all input products at once, then a compiled scan; None where it is missing.

    Args:
        layer: as in :func:`other_calls`.
        x: as there.
    """
    try:
        import jax
        from jax import numpy as jnp
    except ImportError:
        return None
    cell = type(layer).__name__
    w, u, b, c = (jnp.asarray(each.numpy()) for each in _weights(layer))
    hidden = u.shape[1]

    def step(state: Any, from_x: Any) -> Any:
        h, *memory = state
        from_h = h @ u.T + c
        if cell == "RNN":
            h = jnp.tanh(from_x + from_h)
        elif cell == "GRU":
            (rx, zx, nx), (rh, zh, nh) = jnp.split(from_x, 3, -1), jnp.split(from_h, 3, -1)
            update = jax.nn.sigmoid(zx + zh)
            h = update * h + (1 - update) * jnp.tanh(nx + jax.nn.sigmoid(rx + rh) * nh)
        else:
            i, f, g, o = jnp.split(from_x + from_h, 4, -1)
            memory = [jax.nn.sigmoid(f) * memory[0] + jax.nn.sigmoid(i) * jnp.tanh(g)]
            h = jax.nn.sigmoid(o) * jnp.tanh(memory[0])
        return (h, *memory), h

    @jax.jit  # type: ignore[untyped-decorator,unused-ignore]
    def run(values: Any) -> Any:
        zeros = jnp.zeros((values.shape[1], hidden))
        return jax.lax.scan(step, (zeros,) * (2 if cell == "LSTM" else 1), values @ w.T + b)[1]

    values = jnp.asarray(x.detach().numpy())
    return lambda: np.array(run(values))


_LOOP = r"""
#include <math.h>
#include <string.h>
static float sigmoid(float value) { return 1.0f / (1.0f + expf(-value)); }
/* gates: 1 RNN, 3 GRU, 4 LSTM; x (T, B, I), w (G H, I), u (G H, H), out (T, B, H); room: 2 G H + 2 B H floats. */
void run(int gates, long T, long B, long I, long H, const float* x, const float* w, const float* u, const float* b,
         const float* c, float* out, float* room) {
  float *from_x = room, *from_h = from_x + gates * H, *cell = from_h + gates * H, *zeros = cell + B * H;
  memset(cell, 0, sizeof(float) * B * H * 2);
  for (long t = 0; t < T; ++t)
    for (long r = 0; r < B; ++r) {
      const float *in = x + (t * B + r) * I, *h = t ? out + ((t - 1) * B + r) * H : zeros + r * H;
      float *to = out + (t * B + r) * H, *memory = cell + r * H;
      for (long j = 0; j < gates * H; ++j) {
        float sum = b[j], state = c[j];
        for (long k = 0; k < I; ++k) sum += w[j * I + k] * in[k];
        for (long k = 0; k < H; ++k) state += u[j * H + k] * h[k];
        from_x[j] = sum, from_h[j] = state;
      }
      for (long j = 0; j < H; ++j) {
        if (gates == 1) {
          to[j] = tanhf(from_x[j] + from_h[j]);
        } else if (gates == 3) {
          const float reset = sigmoid(from_x[j] + from_h[j]), update = sigmoid(from_x[H + j] + from_h[H + j]);
          to[j] = update * h[j] + (1.0f - update) * tanhf(from_x[2 * H + j] + reset * from_h[2 * H + j]);
        } else {
          memory[j] = sigmoid(from_x[H + j] + from_h[H + j]) * memory[j] +
                      sigmoid(from_x[j] + from_h[j]) * tanhf(from_x[2 * H + j] + from_h[2 * H + j]);
          to[j] = sigmoid(from_x[3 * H + j] + from_h[3 * H + j]) * tanhf(memory[j]);
        }
      }
    }
}
"""
_loop: Any = None


def _compiled_loop() -> Any:
    """The loop as the compiler here makes it fastest (``-O3 -march=native -ffast-math``); None without one."""
    global _loop
    command = compiler_command()
    if _loop is None and command is not None:
        with tempfile.TemporaryDirectory() as folder:
            source, part, target = (str(Path(folder) / name) for name in ("loop.cpp", "loop.o", "loop.so"))
            Path(source).write_text('extern "C" {' + _LOOP + "}", encoding="utf-8")
            # linked without -ffast-math, with which a library switches subnormal numbers off for the whole process
            steps = (
                ["-O3", "-march=native", "-ffast-math", "-fPIC", "-c", source, "-o", part],
                ["-shared", part, "-o", target],
            )
            if all(
                subprocess.run([*command, *step], capture_output=True, check=False).returncode == 0 for step in steps
            ):
                _loop = ctypes.CDLL(target).run
    return _loop


def c_call(layer: torch.nn.Module, x: Tensor) -> Call | None:
    """Loops over steps, rows, units and inputs in C, one thread; None where there is no compiler.

    Args:
        layer: as in :func:`other_calls`.
        x: as there.
    """
    run = _compiled_loop()
    if run is None:
        return None
    weights, x = _weights(layer), x.detach().contiguous()
    (steps, batch, inputs), hidden = x.shape, weights[1].shape[1]
    gates = weights[1].shape[0] // hidden
    out = torch.empty(steps, batch, hidden)
    room = torch.empty(2 * (gates + batch) * hidden)
    numbers = [ctypes.c_int(gates), *(ctypes.c_long(each) for each in (steps, batch, inputs, hidden))]

    def call() -> Tensor:
        run(*numbers, *(ctypes.c_void_p(each.data_ptr()) for each in (x, *weights, out, room)))
        return out

    return call
