"""The gated recurrent unit (Cho et al. 2014), all four readings, one step in plain PyTorch."""

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
    reset: str = "after",
    update: str = "keep",
    recurrent_mask: Tensor | None = None,
    layer_norm_hh: Tensor | None = None,
) -> dict[str, Tensor]:
    """One step, by the forward equations of this folder's README.md; gate order in memory reset, update, candidate.

    Args:
        gates_x: ``(B, 3*H)``, ``W_ih x_t + b_ih``.
        hidden: ``(B, H)``, h_{t-1}.
        weight_hh: ``(3*H, H)``.
        bias_hh: ``(3*H,)`` or None.
        reset: the reset gate acts ``"after"`` or ``"before"`` the recurrent product.
        update: an update gate of one means ``"keep"`` the old state or ``"replace"`` it.
        recurrent_mask: ``(B, H)`` or None; it acts inside the recurrent products only, not in ``z * h``.
        layer_norm_hh: gain ``(3*H,)`` or None.

    Returns:
        ``reset``, ``update``, ``candidate``, ``hidden``, each ``(B, H)``.

    Example:
        >>> step(torch.zeros(1, 3), torch.ones(1, 1), torch.zeros(3, 1))["hidden"]
        tensor([[0.5000]])
    """
    size = hidden.shape[-1]
    reset_x, update_x, candidate_x = gates_x.split(size, dim=-1)
    if reset == "after":
        product = recurrent_product(hidden, weight_hh, bias_hh, recurrent_mask, layer_norm_hh, (2 * size, size))
        reset_h, update_h, candidate_h = product.split(size, dim=-1)
        reset_gate = torch.sigmoid(reset_x + reset_h)
        update_gate = torch.sigmoid(update_x + update_h)
        candidate = torch.tanh(candidate_x + reset_gate * candidate_h)
    else:
        gates, last = slice(0, 2 * size), slice(2 * size, 3 * size)
        bias = (None, None) if bias_hh is None else (bias_hh[gates], bias_hh[last])
        gain = (None, None) if layer_norm_hh is None else (layer_norm_hh[gates], layer_norm_hh[last])
        product = recurrent_product(hidden, weight_hh[gates], bias[0], recurrent_mask, gain[0])
        reset_h, update_h = product.split(size, dim=-1)
        reset_gate = torch.sigmoid(reset_x + reset_h)
        update_gate = torch.sigmoid(update_x + update_h)
        kept = recurrent_product(reset_gate * hidden, weight_hh[last], bias[1], recurrent_mask, gain[1])
        candidate = torch.tanh(candidate_x + kept)
    if update == "keep":
        new = update_gate * hidden + (1.0 - update_gate) * candidate
    else:
        new = (1.0 - update_gate) * hidden + update_gate * candidate
    return {"reset": reset_gate, "update": update_gate, "candidate": candidate, "hidden": new}
