"""Which instructions multiply pairs of bfloat16, and a way to choose others: for tests, and to see what rounding does.

``GATEWISE_BF16`` names them for a whole process: ``amx`` (tiles), ``avx512`` (AVX-512 BF16), ``emulated`` (plain vector
code with the loops of ``amx``, on every CPU, slowly) or ``none``. Without it the first of these two that the CPU has.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from gatewise.errors import KernelError, did_you_mean
from gatewise.kernels.fused.library import Library, require

__all__ = ["PRODUCTS", "available_products", "explain_products", "implementation", "products", "use_products"]

PRODUCTS = ("none", "emulated", "avx512", "amx")
"""As ``Bf16Products`` in ``native/bf16.h`` counts them."""
_BEST, _ASK = -1, -2
_SLOW = 2.0
"""An instruction of AVX-512 BF16 makes the products of two float32 multiply-adds: in their time it gains nothing."""
_asked: set[str] = set()


def _wish(library: Library, number: int) -> int:
    function = library.function("gatewise_bf16_products", ctypes.c_int32, ctypes.c_int32)
    return int(function(number))


def _number(name: str) -> int:
    if name not in PRODUCTS:
        raise KernelError(
            "GATEWISE_BF16 or its caller names no products of bfloat16",
            expected=", ".join(PRODUCTS),
            got=repr(name),
            fix=did_you_mean(name, PRODUCTS),
        )
    return PRODUCTS.index(name)


def _choose(library: Library, name: str) -> None:
    if _wish(library, _number(name)) != _number(name):
        raise KernelError(
            f"the {library.variant} kernels have no products of bfloat16 by {name} on this CPU",
            expected=", ".join(available_products(library)),
            fix="unset GATEWISE_BF16, or name one of these",
        )


def products(library: Library) -> str:
    """What multiplies pairs of bfloat16 in this variant's calls, one of :data:`PRODUCTS`.

    Args:
        library: the variant.

    Raises:
        KernelError: ``GATEWISE_BF16`` names none, or what this CPU has not.
    """
    if library.variant not in _asked:
        wanted = os.environ.get("GATEWISE_BF16")
        if wanted:
            _choose(library, wanted)
        _asked.add(library.variant)
    return PRODUCTS[_wish(library, _ASK)]


def available_products(library: Library) -> tuple[str, ...]:
    """Which products this CPU has, ``none`` and ``emulated`` among them.

    Args:
        library: the variant.
    """
    before = _wish(library, _ASK)
    found = tuple(name for number, name in enumerate(PRODUCTS) if _wish(library, number) == number)
    _wish(library, before)
    return found


@contextmanager
def use_products(name: str) -> Iterator[None]:
    """Multiply with other instructions inside the block, in all threads; for layers that were not yet called.

    Args:
        name: one of :data:`PRODUCTS`.

    Raises:
        KernelError: an unknown name, no compiled kernels, or a CPU without these products.
    """
    library = require()
    before = products(library)
    _choose(library, name)
    try:
        yield
    finally:
        _choose(library, before)


def explain_products(library: Library, name: str) -> str:
    """A clause for a choice's reason where these products are mostly slower than float32 here, else empty.

    That is so of AVX-512 BF16 alone, where its instruction takes the time of two float32 multiply-adds or more, as on
    Intel CPUs without (or not allowed to use) AMX; on Zen 4 and 5 it takes the time of one. It is measured, once.

    Args:
        library: the variant.
        name: one of :data:`PRODUCTS`.
    """
    if name != "avx512" or library.function("gatewise_bf16_slowness", ctypes.c_double)() < 0.9 * _SLOW:
        return ""
    return ", by an instruction that is slow on this CPU: float32 is faster in most calls"


def implementation(variant: str, name: str) -> str:
    """What a choice is called that runs these products.

    Args:
        variant: the compiled variant's implementation, as ``fused-avx512``.
        name: one of :data:`PRODUCTS`, not ``none``.

    Example:
        >>> implementation("fused-avx512", "avx512"), implementation("fused-avx512", "amx")
        ('fused-avx512-bf16', 'fused-avx512-amx-bf16')
    """
    return f"{variant}-bf16" if variant.endswith(name) else f"{variant}-{name}-bf16"
