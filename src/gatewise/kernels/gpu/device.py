"""What the cells' Triton kernels share: places in memory, activations, zoneout, layer normalisation.

A program works on a tile of ``ROWS`` rows of the batch and ``UNITS`` hidden units; with layer normalisation a tile is
as wide as the layer. A pointer that is None is a branch that is not compiled. Arithmetic is in the tensors' own
precision, float32 or float64.
"""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = [
    "arriving",
    "joined",
    "log_sigmoid",
    "normed",
    "positive",
    "positive_slope",
    "product_of",
    "row_norm",
    "running",
    "sigmoid",
    "tanh",
    "through_norm",
    "tile",
    "zoned",
]


@triton.jit
def tile(batch, size, ROWS: tl.constexpr, UNITS: tl.constexpr):
    """This program's rows ``(ROWS, 1)``, units ``(1, UNITS)``, and which of them exist."""
    rows = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    units = (tl.program_id(1) * UNITS + tl.arange(0, UNITS))[None, :]
    return rows, units, (rows < batch) & (units < size)


@triton.jit
def sigmoid(x):
    """``1 / (1 + exp(-x))`` without overflow."""
    small = tl.exp(-tl.abs(x))
    return tl.where(x >= 0, 1.0, small) / (1.0 + small)


@triton.jit
def tanh(x):
    """``tanh(x)``; near 0 by its series, which keeps the digits that ``1 - exp(-2x)`` would lose there."""
    small = tl.exp(-2.0 * tl.abs(x))
    far = (1.0 - small) / (1.0 + small)
    square = x * x
    series = 1.0 + square * (-1 / 3 + square * (2 / 15 + square * (-17 / 315 + square * (62 / 2835))))
    return tl.where(square < 1 / 256, x * series, tl.where(x >= 0, far, -far))


@triton.jit
def running(lengths, rows, batch, t):
    """Which rows have a step t, ``(ROWS, 1)``; all of them where there are no lengths."""
    if lengths is not None:
        result = t < tl.load(lengths + rows, mask=rows < batch, other=0)
    else:
        result = rows < batch
    return result


@triton.jit
def zoned(new, old, keep, at, ok, RATE: tl.constexpr):
    """Zoneout of one state: the old value where the mask keeps it, or the expectation of that."""
    if keep is not None:
        result = tl.where(tl.load(keep + at, mask=ok, other=0) != 0, old, new)
    elif RATE > 0:
        result = RATE * old + (1.0 - RATE) * new
    else:
        result = new
    return result


@triton.jit
def row_norm(product, rows, batch, start, width, stride, EPSILON: tl.constexpr, WIDTH: tl.constexpr):
    """Mean and 1 / deviation ``(ROWS, 1)`` of the block of ``width`` numbers that begins at ``start`` of each row."""
    columns = tl.arange(0, WIDTH)[None, :]
    ok = (rows < batch) & (columns < width)
    values = tl.load(product + rows * stride + start + columns, mask=ok, other=0.0)
    mean = tl.sum(values, axis=1)[:, None] / width
    centred = tl.where(ok, values - mean, 0.0)
    variance = tl.sum(centred * centred, axis=1)[:, None] / width
    return mean, 1.0 / tl.sqrt(variance + EPSILON)


@triton.jit
def normed(product, at, ok, mean, scale):
    """The normalised product at these places, before its gain."""
    return tl.where(ok, (tl.load(product + at, mask=ok, other=0.0) - mean) * scale, 0.0)


@triton.jit
def product_of(product, bias, gain, at, column, ok, mean, scale):
    """The state's share of one gate: ``W_hh h + b_hh``, or ``LN(W_hh h) * gain + b_hh``."""
    if gain is not None:
        value = normed(product, at, ok, mean, scale) * tl.load(gain + column, mask=ok, other=0.0)
    else:
        value = tl.load(product + at, mask=ok, other=0.0)
    if bias is not None:
        value += tl.load(bias + column, mask=ok, other=0.0)
    return value


@triton.jit
def through_norm(grad, normal, scale, mean, along):
    """The gradient of what was normalised from that of the normalised values, their mean, and their mean along them."""
    return scale * (grad - mean - normal * along)


@triton.jit
def arriving(carry, back, mask, grad_output, at, step_at, ok, live):
    """The hidden state's gradient at a step: what the later step sent back in two parts, and the output's own."""
    sent = tl.load(back + at, mask=ok, other=0.0)
    if mask is not None:
        sent *= tl.load(mask + at, mask=ok, other=0.0)
    total = tl.load(carry + at, mask=ok, other=0.0) + sent
    if grad_output is not None:
        total += tl.load(grad_output + step_at, mask=ok & live, other=0.0)
    return total


@triton.jit
def joined(first_a, first_b, then_a, then_b):
    """``h -> a h + b`` twice: what a scan combines; no division, so that nothing overflows or loses digits."""
    return first_a * then_a, then_a * first_b + then_b


@triton.jit
def log_sigmoid(x):
    """``log(sigmoid(x))`` without overflow."""
    return tl.minimum(x, 0.0) - tl.log(1.0 + tl.exp(-tl.abs(x)))


@triton.jit
def positive(x):
    """``x + 0.5`` for x >= 0, else ``sigmoid(x)``, as :func:`gatewise.kernels.scan.positive`."""
    return tl.where(x >= 0, x + 0.5, sigmoid(x))


@triton.jit
def positive_slope(x):
    """The derivative of :func:`positive`."""
    share = sigmoid(x)
    return tl.where(x >= 0, 1.0, share * (1.0 - share))
