"""The plain recurrent network on the compiled kernels."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from gatewise.errors import OptionError, did_you_mean
from gatewise.kernels.fused.call import Options
from gatewise.kernels.fused.operators import Inputs, sequence, zoneout_parts

__all__ = ["rnn"]


def rnn(
    x: Tensor | None,
    h0: Tensor | None,
    weight_ih: Tensor | None,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    *,
    nonlinearity: Literal["tanh", "relu"] = "tanh",
    gates_x: Tensor | None = None,
    lengths: Tensor | None = None,
    reverse: bool = False,
    recurrent_mask: Tensor | None = None,
    zoneout_h: Tensor | float | None = None,
    layer_norm_ih: Tensor | None = None,
    layer_norm_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run one direction of a plain recurrent layer over a whole batch, differentiably::

        h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)        or max(0, ...)

    Source: Elman 1990, Finding structure in time.

    Args:
        x: ``(T, B, I)``, float32; any strides. None with ``gates_x``.
        h0: ``(B, H)`` or None for zeros.
        weight_ih: ``(H, I)``. None with ``gates_x``.
        weight_hh: ``(H, H)``.
        bias_ih: ``(H,)`` or None.
        bias_hh: ``(H,)`` or None.
        nonlinearity: ``tanh`` or ``relu``.
        gates_x: ``(T, B, H)``, the finished input product with its bias, in place of x.
        lengths: ``(B,)`` int64, real steps of each row; the output beyond them is zero.
        reverse: walk each row from its last real step to its first.
        recurrent_mask: ``(B, H)``, multiplies ``h_{t-1}`` inside the recurrent product.
        zoneout_h: keep mask ``(T, B, H)`` (1 keeps the old value), or the probability used as expectation.
        layer_norm_ih: ``(H,)`` gain of the normalised input product, or None.
        layer_norm_hh: ``(H,)`` gain of the normalised recurrent product, or None.

    Returns:
        ``output`` ``(T, B, H)`` and ``h_n`` ``(B, H)``.

    Raises:
        ShapeError: a tensor has the wrong shape, precision or device.
        OptionError: an option is unknown or needs another.
        KernelError: there are no compiled kernels.

    Example:
        >>> import torch
        >>> from gatewise.kernels.fused import available_variants
        >>> weights = torch.eye(2)
        >>> output, h_n = rnn(torch.ones(3, 1, 2), None, weights, weights) if available_variants() else (
        ...     torch.zeros(3, 1, 2), torch.zeros(1, 2))
        >>> output.shape, h_n.shape
        (torch.Size([3, 1, 2]), torch.Size([1, 2]))
    """
    if nonlinearity not in ("tanh", "relu"):
        raise OptionError(f"no nonlinearity {nonlinearity!r}", fix=did_you_mean(nonlinearity, ["tanh", "relu"]))
    mask, expectation = zoneout_parts(zoneout_h)
    options = Options("rnn", bool(reverse), relu=nonlinearity == "relu", zoneout_h=expectation)
    inputs = Inputs(
        x, gates_x, h0, None, weight_ih, weight_hh, bias_ih, bias_hh,
        layer_norm_ih=layer_norm_ih, layer_norm_hh=layer_norm_hh, recurrent_mask=recurrent_mask,
        zoneout_h_mask=mask, lengths=lengths,
    )  # fmt: skip
    output, h_n = sequence(options, inputs)
    return output, h_n
