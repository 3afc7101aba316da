"""What is a constant to ``torch.compile``.

Imported only while it traces: its decorators load ``torch._dynamo``, which takes a second that other programs save.
"""

from __future__ import annotations

from typing import cast

import torch

from gatewise.kernels.fused import bf16
from gatewise.kernels.fused.library import chosen_library, require

__all__ = ["constant_library", "constant_products"]


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _library() -> tuple[str | None, str]:
    return chosen_library()


def constant_library() -> tuple[str | None, str]:
    """As `gatewise.kernels.fused.library.chosen_library`, computed once per graph.

    Example:
        >>> constant_library() == chosen_library()
        True
    """
    return cast(tuple[str | None, str], _library())


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _products() -> str:
    return bf16.products(require())


def constant_products() -> str:
    """As `gatewise.kernels.fused.bf16.products` of the chosen library, computed once per graph."""
    return cast(str, _products())
