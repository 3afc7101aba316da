"""Offers the compiled kernels to :mod:`gatewise.kernels.dispatch`, with the reason wherever they cannot be used."""

from __future__ import annotations

import torch

from gatewise.kernels import dispatch
from gatewise.kernels.dispatch import Choice, Request, forced_kernel
from gatewise.kernels.fused import bf16, checks
from gatewise.kernels.fused.library import chosen_library, require
from gatewise.kernels.transforms import transformed

__all__ = ["chosen_library", "offer", "supports"]


def supports(request: Request) -> tuple[bool, str]:
    """Whether compiled kernels compute exactly this request, and why (not).

    Example:
        >>> supports(Request("gru", "cuda", torch.float32, 1, 1, 1, 1))[0]
        False
    """
    if transformed():
        return False, "transforms of torch.func and forward-mode derivatives need plain operations"
    return checks.supports(request)


def offer(request: Request) -> tuple[Choice | None, str]:
    """The compiled implementation for a request, or None, and the reason; a candidate of ``dispatch.CANDIDATES``.

    Example:
        >>> offer(Request("mingru", "cpu", torch.float64, 4, 4, 1, 1))
        (None, 'the fused kernels compute in float32, not float64')
    """
    if forced_kernel() == "triton":
        return None, ""
    supported, reason = supports(request)
    if not supported:
        return None, reason
    if torch.compiler.is_compiling():
        from gatewise.kernels.fused.constant import constant_library

        implementation, loaded = constant_library()
    else:
        implementation, loaded = chosen_library()
    if implementation is None:
        return None, loaded
    if request.precision != "float32":
        possible, why = checks.rounding_supports(request)
        name = f"{implementation}-{request.precision}"
        if possible and request.precision == "bf16":
            products = _products()
            possible = products != "none"
            name = bf16.implementation(implementation, products)
            if not torch.compiler.is_compiling():
                why += bf16.explain_products(require(), products)
            why = why if possible else f"bf16 was requested, but {implementation} on this CPU has no such products"
        if possible:
            return Choice(name, f"{why}; {loaded}"), loaded
        return Choice(implementation, f"in float32: {why}; {loaded}"), loaded
    return Choice(implementation, loaded), loaded


def _products() -> str:
    if torch.compiler.is_compiling():
        from gatewise.kernels.fused.constant import constant_products

        return constant_products()
    return bf16.products(require())


if offer not in dispatch.CANDIDATES:
    dispatch.CANDIDATES.append(offer)
