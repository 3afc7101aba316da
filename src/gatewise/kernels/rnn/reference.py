"""The plain recurrent network (Elman 1990), one step in plain PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewise.kernels.products import recurrent_product

__all__ = ["step"]


def step(
    gates_x: Tensor,
    hidden: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor | None = None,
    *,
    nonlinearity: str = "tanh",
    recurrent_mask: Tensor | None = None,
    layer_norm_hh: Tensor | None = None,
) -> dict[str, Tensor]:
    """One step, by the forward equations of this folder's README.md.

    Args:
        gates_x: ``(B, H)``, the input's share ``W_ih x_t + b_ih``.
        hidden: ``(B, H)``, h_{t-1}.
        weight_hh: ``(H, H)``.
        bias_hh: ``(H,)`` or None.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        recurrent_mask: ``(B, H)`` or None, see :func:`gatewise.kernels.products.recurrent_product`.
        layer_norm_hh: gain ``(H,)``: ``W_hh h`` becomes ``LN(W_hh h) * gain``.

    Returns:
        ``candidate`` and ``hidden``, each ``(B, H)`` (the same tensor: this cell has no gate).

    Example:
        >>> step(torch.zeros(1, 2), torch.ones(1, 2), torch.eye(2), nonlinearity="relu")["hidden"]
        tensor([[1., 1.]])
    """
    total = gates_x + recurrent_product(hidden, weight_hh, bias_hh, recurrent_mask, layer_norm_hh)
    new = torch.tanh(total) if nonlinearity == "tanh" else torch.relu(total)
    return {"candidate": new, "hidden": new}
