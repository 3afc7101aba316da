"""The long short-term memory (Hochreiter and Schmidhuber 1997), one step in plain PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gatewise.kernels.products import normalise, recurrent_product

__all__ = ["step"]


def step(
    gates_x: Tensor,
    hidden: Tensor,
    cell: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor | None = None,
    *,
    coupled: bool = False,
    recurrent_mask: Tensor | None = None,
    weight_hr: Tensor | None = None,
    weight_peephole: Tensor | None = None,
    layer_norm_hh: Tensor | None = None,
    layer_norm_c: Tensor | None = None,
    layer_norm_c_bias: Tensor | None = None,
) -> dict[str, Tensor]:
    """One step, by the forward equations of this folder's README.md.

    Gate order in memory: input, forget, candidate, output; coupled: forget, candidate, output.

    Args:
        gates_x: ``(B, G*H)``, ``W_ih x_t + b_ih``; G is 4, or 3 (forget, candidate, output) where coupled.
        hidden: ``(B, P)``, h_{t-1}; P is H unless there is a projection.
        cell: ``(B, H)``, c_{t-1}.
        weight_hh: ``(G*H, P)``.
        bias_hh: ``(G*H,)`` or None.
        coupled: the input gate is one minus the forget gate.
        recurrent_mask: ``(B, P)`` or None.
        weight_hr: ``(P, H)`` or None, the projection.
        weight_peephole: ``(3, H)`` rows i, f, o, or None; where coupled ``(2, H)`` rows f, o.
        layer_norm_hh: gain ``(G*H,)`` or None, over all gates at once.
        layer_norm_c: gain ``(H,)`` or None of the cell's normalisation (c itself is carried un-normalised).
        layer_norm_c_bias: ``(H,)`` or None.

    Returns:
        ``input``, ``forget``, ``candidate``, ``output``, ``cell``: ``(B, H)``; ``hidden``: ``(B, P)``.

    Example:
        >>> zero = torch.zeros(1, 1)
        >>> step(torch.zeros(1, 4), zero, torch.ones(1, 1), torch.zeros(4, 1))["cell"]
        tensor([[0.5000]])
    """
    total = gates_x + recurrent_product(hidden, weight_hh, bias_hh, recurrent_mask, layer_norm_hh)
    *input_total, forget_total, candidate_total, output_total = total.chunk(3 if coupled else 4, dim=-1)
    peepholes = None if weight_peephole is None else weight_peephole.unbind(0)
    if peepholes is not None:
        forget_total = forget_total + peepholes[-2] * cell
        input_total = [each + peepholes[0] * cell for each in input_total]
    forget_gate = torch.sigmoid(forget_total)
    input_gate = 1.0 - forget_gate if coupled else torch.sigmoid(input_total[0])
    candidate = torch.tanh(candidate_total)
    new_cell = forget_gate * cell + input_gate * candidate
    if peepholes is not None:
        output_total = output_total + peepholes[-1] * new_cell
    output_gate = torch.sigmoid(output_total)
    shown = new_cell if layer_norm_c is None else normalise(new_cell, layer_norm_c, layer_norm_c_bias)
    new_hidden = output_gate * torch.tanh(shown)
    if weight_hr is not None:
        new_hidden = functional.linear(new_hidden, weight_hr)
    return {
        "input": input_gate,
        "forget": forget_gate,
        "candidate": candidate,
        "output": output_gate,
        "cell": new_cell,
        "hidden": new_hidden,
    }
