"""Large float32 products on the CPU, by the faster of the two libraries that torch carries.

torch.mm calls MKL, which keeps to AVX2 on processors that are not Intel's; oneDNN writes its code for the processor it
runs on. Both compute in float32 and add in float32. Where `gatewise.nn.precision` asks for ``bf16`` and oneDNN has such
products here, the factors are rounded to bfloat16; the sums stay float32.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gatewise.kernels.dispatch import requested_precision

__all__ = ["product", "product_library"]

_WORTHWHILE = 1 << 20
"""Multiplications below which the call itself is what costs."""

# torch's setting is the process's: the first of several threads sets it, the last one puts it back
_lock = threading.Lock()
_inside = 0
_before = "none"


def product(first: Tensor, second: Tensor, bias: Tensor | None = None) -> Tensor:
    """``first @ second.T + bias``, without gradient; views such as a transpose are not copied.

    Args:
        first: (N, K).
        second: (M, K).
        bias: (M,), or None.

    Returns:
        (N, M).

    Example:
        >>> product(torch.ones(2, 3), torch.full((1, 3), 2.0)).tolist()
        [[6.0], [6.0]]
    """
    large = first.shape[0] * first.shape[1] * second.shape[0] >= _WORTHWHILE
    if large and first.device.type == "cpu" and first.dtype == second.dtype == torch.float32:
        operation = _onednn()
        if operation is not None:
            with _bf16_factors() if requested_precision() == "bf16" else nullcontext():
                result: Tensor = operation(first, second, bias, "none", [], "")
            return result
    return first @ second.t() if bias is None else torch.addmm(bias, first, second.t())


def product_library() -> str:
    """What computes a large float32 product on this machine: ``oneDNN`` or ``torch.mm``.

    Example:
        >>> product_library() in ("oneDNN", "torch.mm")
        True
    """
    return "torch.mm" if _onednn() is None else "oneDNN"


@contextmanager
def _bf16_factors() -> Iterator[None]:
    """Inside, oneDNN rounds the factors of float32 products to bfloat16, where the CPU multiplies such numbers."""
    global _inside, _before
    matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    with _lock:
        _inside += 1
        if _inside == 1:
            _before = matmul.fp32_precision
            matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                matmul.fp32_precision = _before


@cache
def _onednn() -> Any:
    """The operation by which torch.compile calls oneDNN, tried out once; None where this torch lacks it."""
    try:
        operation = torch.ops.mkldnn._linear_pointwise
        first, second = torch.arange(6.0).view(2, 3), torch.arange(12.0).view(4, 3)
        with torch.no_grad():
            found = operation(first, second, torch.ones(4), "none", [], "")
            turned = operation(first.t(), second[:2].t().contiguous().t()[:, :2].contiguous(), None, "none", [], "")
        right = torch.equal(found, first @ second.t() + 1) and torch.equal(turned, first.t() @ second[:2, :2].t())
    except (AttributeError, RuntimeError):
        return None
    return operation if right else None
