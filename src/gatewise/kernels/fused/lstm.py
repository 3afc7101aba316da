"""The long short-term memory on the compiled kernels."""

from __future__ import annotations

from torch import Tensor

from gatewise.errors import OptionError
from gatewise.kernels.fused.call import Options
from gatewise.kernels.fused.operators import Inputs, sequence, zoneout_parts

__all__ = ["lstm"]


def lstm(
    x: Tensor | None,
    h0: Tensor | None,
    c0: Tensor | None,
    weight_ih: Tensor | None,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    *,
    gates_x: Tensor | None = None,
    lengths: Tensor | None = None,
    reverse: bool = False,
    recurrent_mask: Tensor | None = None,
    zoneout_h: Tensor | float | None = None,
    zoneout_c: Tensor | float | None = None,
    layer_norm_ih: Tensor | None = None,
    layer_norm_hh: Tensor | None = None,
    layer_norm_c: Tensor | None = None,
    layer_norm_c_bias: Tensor | None = None,
    peephole: Tensor | None = None,
    coupled: bool = False,
    weight_hr: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one direction of a long short-term memory over a whole batch, differentiably; gate order i, f, g, o::

        i, f, o = sigmoid(W x_t + b_ih + U h_{t-1} + b_hh)      [i, f: + p * c_{t-1}; o: + p * c_t]
        g       = tanh(W_g x_t + b_ig + U_g h_{t-1} + b_hg)
        c_t     = f * c_{t-1} + i * g                           (coupled: i = 1 - f, gate order f, g, o)
        h_t     = o * tanh(c_t)                                 or o * tanh(LN(c_t))

    Source: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber, Cummins 2000; peepholes Gers and Schmidhuber 2000;
    coupled gates Greff et al. 2017, arXiv:1503.04069; zoneout Krueger et al. 2017, arXiv:1606.01305.

    Args:
        x: ``(T, B, I)``, float32; any strides. None with ``gates_x``.
        h0: ``(B, H)`` or None for zeros.
        c0: ``(B, H)`` or None for zeros.
        weight_ih: ``(G*H, I)``. None with ``gates_x``.
        weight_hh: ``(G*H, H)``.
        bias_ih: ``(G*H,)`` or None.
        bias_hh: ``(G*H,)`` or None.
        gates_x: ``(T, B, G*H)``, the finished input product with its bias, in place of x.
        lengths: ``(B,)`` int64, real steps of each row; the output beyond them is zero.
        reverse: walk each row from its last real step to its first.
        recurrent_mask: ``(B, H)``, multiplies ``h_{t-1}`` inside the recurrent product.
        zoneout_h: keep mask ``(T, B, H)`` (1 keeps the old value), or the probability used as expectation.
        zoneout_c: the same for the cell; the output gate still shows the un-zoned cell.
        layer_norm_ih: ``(G*H,)`` gain of the normalised input product, or None.
        layer_norm_hh: ``(G*H,)`` gain of the normalised recurrent product, or None.
        layer_norm_c: ``(H,)`` gain of the normalised cell.
        layer_norm_c_bias: ``(H,)`` or None.
        peephole: ``(3, H)`` rows i, f, o; coupled ``(2, H)`` rows f, o.
        coupled: three gates, i = 1 - f.
        weight_hr: a projection; this kernel has none.

    Returns:
        ``output`` ``(T, B, H)``, ``h_n`` and ``c_n`` ``(B, H)``.

    Raises:
        ShapeError: a tensor has the wrong shape, precision or device.
        OptionError: a projection was asked for, or an option needs another.
        KernelError: there are no compiled kernels.

    Example:
        >>> import torch
        >>> from gatewise.kernels.fused import available_variants
        >>> weights = torch.zeros(8, 2)
        >>> c0 = torch.ones(1, 2)
        >>> output, h_n, c_n = lstm(torch.ones(1, 1, 2), None, c0, weights, weights) if available_variants() else (
        ...     None, None, c0 / 2)
        >>> c_n
        tensor([[0.5000, 0.5000]])
    """
    if weight_hr is not None:
        raise OptionError("the fused LSTM has no projection", got="weight_hr", fix="use the reference or torch kernel")
    mask_h, expectation_h = zoneout_parts(zoneout_h)
    mask_c, expectation_c = zoneout_parts(zoneout_c)
    options = Options("lstm", bool(reverse), coupled=bool(coupled), zoneout_h=expectation_h, zoneout_c=expectation_c)
    inputs = Inputs(
        x, gates_x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, layer_norm_ih, layer_norm_hh,
        layer_norm_c, layer_norm_c_bias, peephole, recurrent_mask, mask_h, mask_c, lengths,
    )  # fmt: skip
    output, h_n, c_n = sequence(options, inputs)
    return output, h_n, c_n
