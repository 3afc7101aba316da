"""The gated recurrent unit on the compiled kernels."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from gatewise.errors import OptionError, did_you_mean
from gatewise.kernels.fused.call import Options
from gatewise.kernels.fused.operators import Inputs, sequence, zoneout_parts

__all__ = ["gru"]


def gru(
    x: Tensor | None,
    h0: Tensor | None,
    weight_ih: Tensor | None,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    *,
    reset: Literal["after", "before"] = "after",
    update: Literal["keep", "replace"] = "keep",
    gates_x: Tensor | None = None,
    lengths: Tensor | None = None,
    reverse: bool = False,
    recurrent_mask: Tensor | None = None,
    zoneout_h: Tensor | float | None = None,
    layer_norm_ih: Tensor | None = None,
    layer_norm_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run one direction of a gated recurrent layer over a whole batch, differentiably; gate order r, z, n::

        r, z = sigmoid(W x_t + b_ih + U h_{t-1} + b_hh)
        n    = tanh(W_in x_t + b_in + r * (U_n h_{t-1} + b_hn))         reset="after"
        n    = tanh(W_in x_t + b_in + U_n (r * h_{t-1}) + b_hn)         reset="before"
        h_t  = z * h_{t-1} + (1 - z) * n                                update="keep"
        h_t  = (1 - z) * h_{t-1} + z * n                                update="replace"

    Source: Cho et al. 2014, arXiv:1406.1078; Chung et al. 2014, arXiv:1412.3555.

    Args:
        x: ``(T, B, I)``, float32; any strides. None with ``gates_x``.
        h0: ``(B, H)`` or None for zeros.
        weight_ih: ``(3*H, I)``. None with ``gates_x``.
        weight_hh: ``(3*H, H)``.
        bias_ih: ``(3*H,)`` or None.
        bias_hh: ``(3*H,)`` or None.
        reset: whether the reset gate acts ``after`` or ``before`` the recurrent product.
        update: whether an open update gate means to ``keep`` the old state or to ``replace`` it.
        gates_x: ``(T, B, 3*H)``, the finished input product with its bias, in place of x.
        lengths: ``(B,)`` int64, real steps of each row; the output beyond them is zero.
        reverse: walk each row from its last real step to its first.
        recurrent_mask: ``(B, H)``, multiplies ``h_{t-1}`` inside the recurrent products.
        zoneout_h: keep mask ``(T, B, H)`` (1 keeps the old value), or the probability used as expectation.
        layer_norm_ih: ``(3*H,)`` gain of the normalised input product, or None.
        layer_norm_hh: ``(3*H,)`` gain of the normalised recurrent product, or None.

    Returns:
        ``output`` ``(T, B, H)`` and ``h_n`` ``(B, H)``.

    Raises:
        ShapeError: a tensor has the wrong shape, precision or device.
        OptionError: an option is unknown or needs another.
        KernelError: there are no compiled kernels.

    Example:
        >>> import torch
        >>> from gatewise.kernels.fused import available_variants
        >>> weights = torch.zeros(6, 2)
        >>> output, h_n = gru(torch.ones(3, 1, 2), None, weights, weights) if available_variants() else (
        ...     torch.zeros(3, 1, 2), torch.zeros(1, 2))
        >>> h_n
        tensor([[0., 0.]])
    """
    if reset not in ("after", "before"):
        raise OptionError(f"no reset {reset!r}", fix=did_you_mean(reset, ["after", "before"]))
    if update not in ("keep", "replace"):
        raise OptionError(f"no update {update!r}", fix=did_you_mean(update, ["keep", "replace"]))
    mask, expectation = zoneout_parts(zoneout_h)
    options = Options(
        "gru", bool(reverse), reset_before=reset == "before", update_replace=update == "replace", zoneout_h=expectation
    )
    inputs = Inputs(
        x, gates_x, h0, None, weight_ih, weight_hh, bias_ih, bias_hh,
        layer_norm_ih=layer_norm_ih, layer_norm_hh=layer_norm_hh, recurrent_mask=recurrent_mask,
        zoneout_h_mask=mask, lengths=lengths,
    )  # fmt: skip
    output, h_n = sequence(options, inputs)
    return output, h_n
