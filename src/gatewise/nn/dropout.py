"""Dropout whose mask is drawn by the compiled hash of `gatewise.kernels.fused.mask`, a fifth of torch's time; and masks
of whole sequences."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gatewise.kernels.fused.mask import random_mask

__all__ = ["hashed_dropout", "recurrent_mask", "zoneout_masks"]


def hashed_dropout(values: Tensor, p: float, training: bool = True) -> Tensor:
    """Zero each entry with probability p and scale the others by 1 / (1 - p) (Srivastava et al., 2014).

    Args:
        values: of any shape with fewer than 2^32 entries.
        p: 0 to below 1.
        training: values are returned unchanged where false.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> dropped = hashed_dropout(torch.ones(100, 100), 0.25)
        >>> sorted(set(dropped.flatten().tolist())) == [0.0, torch.tensor(1 / 0.75).item()]
        True
        >>> 0.23 < (dropped == 0).float().mean().item() < 0.27
        True
    """
    if not training or p == 0:
        return values
    kept = random_mask(tuple(values.shape), p, values.device).logical_not_()
    return values * kept.to(values.dtype).mul_(1 / (1 - p))  # masked_fill takes four times as long


def recurrent_mask(hidden: Tensor, p: float) -> Tensor | None:
    """One draw for all steps (Gal and Ghahramani, 2016), scaled by 1 / (1 - p).

    Args:
        hidden: ``(B, H)``, for its shape, type and device.
        p: 0 to below 1; 0 in evaluation.

    Returns:
        ``(B, H)``; None where p is 0.

    Example:
        >>> recurrent_mask(torch.ones(2, 3), 0.0) is None, recurrent_mask(torch.ones(2, 3), 0.5).shape
        (True, torch.Size([2, 3]))
    """
    return None if p == 0 else functional.dropout(torch.ones_like(hidden), p, True)


def zoneout_masks(
    chances: Sequence[float], steps: int, state: Sequence[Tensor], training: bool
) -> tuple[Tensor | float | None, ...]:
    """What zoneout (Krueger et al., 2017) does to each state.

    Args:
        chances: p per state.
        steps: T.
        state: each ``(B, H)``.
        training: else the mean.

    Returns:
        Per state: in training ``(T, B, H)`` of bool, true where the old value is kept; in evaluation p; None where p
        is 0.

    Example:
        >>> zoneout_masks((0.5, 0.0), 4, (torch.ones(2, 3), torch.ones(2, 3)), False)
        (0.5, None)
    """
    masks: list[Tensor | float | None] = []
    for p, each in zip(chances, state, strict=True):
        if p == 0:
            masks.append(None)
        else:
            masks.append(random_mask((steps, *each.shape), p, each.device) if training else p)
    return tuple(masks)
