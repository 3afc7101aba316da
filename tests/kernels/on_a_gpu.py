"""Where the Triton kernels are tested: on a CUDA device where there is one, else in Triton's interpreter on the CPU.

Triton decides when a kernel is decorated, so this module has to be imported before anything else imports triton: at the
top of a test module. The environment is put back at once; `interpreted` sets it again for the test that needs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
import torch

from gatewise import nn
from gatewise.kernels.dispatch import force
from gatewise.kernels.gpu import plan, scan, selection
from gatewise.kernels.registry import CELLS

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
needs_triton = pytest.mark.skipif(not selection.INSTALLED, reason=f"triton is not installed: {selection.HOW_TO_GET}")
needs_cuda = pytest.mark.skipif(DEVICE != "cuda", reason="needs a CUDA device")

if selection.INSTALLED and DEVICE == "cpu":
    with mock.patch.dict(os.environ, {"TRITON_INTERPRET": "1"}):
        for info in CELLS.values():
            if info.gpu_options is not None:
                selection.kernels_of(info.names[0])


@contextmanager
def interpreted(tile: int | None = None) -> Iterator[None]:
    """Force the Triton kernels, in the interpreter where there is no GPU.

    Args:
        tile: cut tiles so small that several programs share the work.
    """
    environment = {"TRITON_INTERPRET": "1"} if DEVICE == "cpu" else {}
    small = tile is not None
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.multiple(plan, TILE=tile if small else plan.TILE),
        mock.patch.multiple(scan, TIME=4 if small else scan.TIME, UNITS=4 if small else scan.UNITS),
        force("triton"),
    ):
        yield


def everything(layer: nn.Recurrent, x, state, lengths, seed: int = 1) -> dict[str, torch.Tensor]:
    """Output, states and all gradients of one call, and the output without gradients, from the same masks."""
    names = [f"state {number}" for number in range(len(state))]
    hx = state if len(state) > 1 else state[0]
    torch.manual_seed(seed)
    output, final = layer(x, hx, lengths=lengths)
    parts = [output, *(final if isinstance(final, tuple) else (final,))]
    generator = torch.Generator().manual_seed(seed)
    along = [torch.randn(part.shape, generator=generator, dtype=x.dtype).to(x.device) for part in parts]
    leaves = {"x": x, **{f"initial {name}": each for name, each in zip(names, state, strict=True)}}
    leaves |= dict(layer.named_parameters())
    gradients = torch.autograd.grad(parts, list(leaves.values()), along)
    with torch.no_grad():
        torch.manual_seed(seed)
        quiet, _ = layer(x, hx, lengths=lengths)
    found = dict(zip(["output", *names], parts, strict=True)) | {"without gradients": quiet}
    return found | {f"gradient of {name}": each for name, each in zip(leaves, gradients, strict=True)}


def made(kind: str, dtype: torch.dtype, *, training: bool = True, width: int = 6, **options: object) -> nn.Recurrent:
    """A layer on the CPU whose parameters are wide enough that every term counts."""
    torch.manual_seed(0)
    layer = getattr(nn, kind)(5, width, **options).to(dtype).train(training)
    for parameter in layer.parameters():
        torch.nn.init.uniform_(parameter, -1, 1)
    return layer


def compare(
    layer: nn.Recurrent,
    batch: int = 3,
    steps: int = 4,
    lengths: list[int] | None = None,
    tile: int | None = None,
    tolerance: float | None = None,
) -> None:
    """The Triton kernels against the plain loop: output, states, every gradient, and the output without gradients.

    Masks are drawn on the layer's device, so on a GPU both sides run there; `test_gpu.py` compares it with the CPU too.
    """
    layer.to(DEVICE)
    dtype = layer.weight_ih_l0.dtype
    torch.manual_seed(2)
    x = torch.randn(steps, batch, 5, dtype=dtype).to(DEVICE).requires_grad_()
    places, sizes = layer.num_layers * layer.directions, layer._cells[0].state_sizes()
    state = tuple(torch.randn(places, batch, size, dtype=dtype).to(DEVICE).requires_grad_() for size in sizes)
    with force("reference"):
        expected = everything(layer, x, state, lengths)
    with interpreted(tile):
        got = everything(layer, x, state, lengths)
    assert layer.kernel == "triton", layer.explain_kernel()
    limit = tolerance or (1e-10 if dtype == torch.float64 else 2e-5)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        scale = max(float(value.detach().abs().max()), 1e-3)
        error = float((got[name] - value).detach().abs().max()) / scale
        assert error <= limit, f"{name}: off by {error:.1e} of its largest value"
