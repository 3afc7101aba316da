"""Modes of torch in which a tensor carries more than its numbers: `torch.func`'s transforms and forward mode."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad

__all__ = ["LEVEL", "transformed"]

LEVEL = (vars(forward_ad), "_current_level", -1)
"""Where torch keeps the level of forward-mode differentiation, by which name, and what stands there outside of it."""


def transformed() -> bool:
    """Whether compiled kernels, which see numbers only, would lose what the tensors of a call carry.

    So in `torch.func`'s transforms, and in forward-mode differentiation (`torch.autograd.forward_ad`), which goes on
    where gradients are switched off.

    Example:
        >>> with forward_ad.dual_level():
        ...     transformed()
        True
        >>> transformed()
        False
    """
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
