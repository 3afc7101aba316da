"""Offers the Triton kernels to :mod:`gatewise.kernels.dispatch` where cuDNN has no such layer; loads no triton."""

from __future__ import annotations

import importlib.util
import os
import warnings
from importlib import import_module
from typing import Any

import torch

from gatewise.kernels import dispatch
from gatewise.kernels.dispatch import Choice, Request, forced_kernel, torch_supports
from gatewise.kernels.fused import selection as _asked_first  # noqa: F401 - the processor's kernels register before
from gatewise.kernels.info import LAYOUT_OPTIONS
from gatewise.kernels.registry import KERNELS
from gatewise.kernels.transforms import transformed

__all__ = ["HOW_TO_GET", "INSTALLED", "interpreting", "kernels_of", "offer", "supports", "ways"]

HOW_TO_GET = "pip install 'gatewise[cuda]'"
"""What a person does to get Triton."""
INSTALLED = importlib.util.find_spec("triton") is not None
"""Whether triton can be imported; asked once, since a compiled graph must find a constant here."""
_warned = False


def interpreting() -> bool:
    """Whether Triton's kernels are run by its interpreter, without a GPU and slowly: ``TRITON_INTERPRET=1``.

    Example:
        >>> interpreting() in (True, False)
        True
    """
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on", "yes", "y")


def supports(request: Request) -> tuple[bool, str]:
    """Whether there are Triton kernels that compute exactly this request, and why (not); says nothing of this machine.

    Example:
        >>> supports(Request("gru", "cuda", torch.float16, 10, 20, 3, 5))
        (False, 'the Triton kernels compute in float32 and float64, not float16')
    """
    info = KERNELS.get(request.cell)
    if info is None or info.gpu_options is None:
        return False, f"there is no Triton kernel for {request.cell}"
    if request.dtype not in (torch.float32, torch.float64):
        dtype = str(request.dtype).removeprefix("torch.")
        return False, f"the Triton kernels compute in float32 and float64, not {dtype}"
    missing = sorted(request.options - info.gpu_options - LAYOUT_OPTIONS)
    if missing:
        return False, f"the Triton {request.cell} has no {', '.join(missing)}"
    if request.batch == 0 or request.steps == 0:
        return False, "the Triton kernels refuse empty sequences"
    return True, f"a Triton kernel computes {request.cell} with these options"


def ways(request: Request) -> list[str]:
    """What a person does so that the Triton kernels can run on the request's device; nothing where they can.

    Example:
        >>> ways(Request("gru", "mps", torch.float32, 4, 4, 1, 1))[-1]
        'move the layer and its input to a CUDA device'
    """
    found = [] if INSTALLED else [f"install triton: {HOW_TO_GET}"]
    if request.device == "cpu" and not interpreting():
        found.append("move the layer and its input to a CUDA device, or set TRITON_INTERPRET=1 (an interpreter, slow)")
    elif request.device not in ("cpu", "cuda"):
        found.append("move the layer and its input to a CUDA device")
    return found


def offer(request: Request) -> tuple[Choice | None, str]:
    """The Triton kernels for a request, or None, and the reason; a candidate of ``dispatch.CANDIDATES``.

    They are offered on CUDA devices for what cuDNN does not compute; elsewhere, and before cuDNN, where they are
    forced. The processor's own kernels are never compared with them: their reason is empty there.

    Example:
        >>> offer(Request("gru", "cpu", torch.float32, 4, 4, 1, 1))
        (None, '')
    """
    name = forced_kernel()
    forced = name == "triton"
    if not forced and (name is not None or request.device != "cuda" or torch_supports(request)[0]):
        return None, ""
    if forced and not INSTALLED:
        return None, f"triton is not installed: {HOW_TO_GET}"
    if request.device != "cuda" and not (request.device == "cpu" and interpreting()):
        return None, f"the Triton kernels run on CUDA devices or in Triton's interpreter, not on {request.device}"
    if transformed():
        return None, "transforms of torch.func and forward-mode derivatives need plain operations"
    supported, reason = supports(request)
    if not supported:
        return None, reason
    if not INSTALLED:
        _warn_once()
        return None, f"triton is not installed: {HOW_TO_GET}"
    if request.device == "cpu":
        return Choice("triton", f"in Triton's interpreter, as requested; {reason}"), reason
    return Choice("triton", reason), reason


def _warn_once() -> None:
    """Say once per process that a GPU runs the plain loop because triton is missing."""
    global _warned
    if not _warned and not torch.compiler.is_compiling():
        _warned = True
        warnings.warn(
            f"gatewise runs layers that cuDNN lacks as a plain loop on this GPU: triton is not installed. "
            f"To get it: {HOW_TO_GET}",
            stacklevel=2,
        )


def kernels_of(name: str) -> Any:
    """The module with a cell's Triton kernels; this loads triton.

    Args:
        name: as in :data:`gatewise.kernels.registry.KERNELS`.
    """
    return import_module(f"gatewise.kernels.{KERNELS[name].cell}.gpu")


if offer not in dispatch.CANDIDATES:
    dispatch.CANDIDATES.append(offer)
dispatch.WAYS["triton"] = ways
