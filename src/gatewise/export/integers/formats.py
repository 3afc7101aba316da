"""How a number becomes an integer. Imports no torch.

A value q with f fraction bits is the number ``q / 2^f``. All values are within ±32767, so that they and their negatives
fit in 16 bits, and a product of two in 32. Weights are within ±127 with a scale per row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewise.export.graph.expressions import Array

__all__ = [
    "LARGEST",
    "LOGISTIC",
    "MOST",
    "ONE",
    "Multipliers",
    "Rows",
    "fraction_of",
    "logistic",
    "multipliers",
    "quantise",
    "rescaled",
    "rounded",
    "rows_of",
    "saturated",
    "scalar",
]

Integers = npt.NDArray[np.int64]

LARGEST = 32767
ONE = 14
"""Fraction bits of values within ±1: gates, tanh."""
MOST = 24
"""Most fraction bits of any value."""
_WEIGHT = 127
_FACTOR = 23
_SHIFT = 46
_STEPS, _REACH = 32, 16

LOGISTIC = np.array([round(32768 / (1 + math.exp(-place / _STEPS))) for place in range(_STEPS * _REACH + 1)])
"""32768 / (1 + exp(-x)) at x = 0, 1/32, 2/32 .. 16; between them it is interpolated, with an error below 4e-5."""


@dataclass(frozen=True)
class Rows:
    """A matrix in 8 bits: ``weight[r] = scale[r] values[r]``, off by at most half a scale.

    Attributes:
        values: (R, C) int8, within ±127.
        scale: (R,) float32.
    """

    values: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]

    @property
    def floats(self) -> npt.NDArray[np.float32]:
        """The matrix that the integers stand for."""
        return np.asarray(self.values.astype(np.float32) * self.scale[:, None])

    def sums(self, x: Integers) -> Integers:
        """The products with vectors (.., C); exact, though in float64, which is fast: all sums are below 2^53."""
        return np.asarray((x.astype(np.float64) @ self.values.astype(np.float64).T).astype(np.int64))

    @property
    def fits(self) -> bool:
        """Whether the product with any vector of 16 bits fits in 32."""
        return int(np.abs(self.values.astype(np.int64)).sum(axis=1).max(initial=0)) * LARGEST < 2**31


def rows_of(weight: Array) -> Rows:
    """A matrix with a scale per row, such that its greatest number becomes 127.

    Example:
        >>> rows_of(np.array([[1.0, -0.5], [0.0, 0.0]])).values.tolist()
        [[127, -64], [0, 0]]
    """
    greatest = np.abs(weight).max(axis=1)
    scale = (greatest / _WEIGHT).astype(np.float32)
    least = scale[scale > 0].min(initial=np.float32(1.0))
    scale = np.where(scale > 0, scale, least)  # of a row of zeros any will do
    values = np.clip(np.rint(weight / scale[:, None].astype(np.float64)), -_WEIGHT, _WEIGHT)
    return Rows(values.astype(np.int8), scale)


def fraction_of(most: float, *, spare: bool = True) -> int:
    """Fraction bits for values up to ``most``; with ``spare`` twice as much still fits.

    Example:
        >>> fraction_of(1.0), fraction_of(1.1), fraction_of(6.0, spare=False)
        (14, 13, 12)
    """
    if not most > 0:
        return ONE
    return min(MOST, (ONE if spare else ONE + 1) - math.ceil(math.log2(most)))


def scalar(value: float, other: int) -> tuple[int, int]:
    """A number of a program as an integer with its fraction bits; ``other``: those of what it meets.

    Example:
        >>> scalar(1.0, 12), scalar(0.1, 12), scalar(0.0, 12)
        ((16384, 14), (13107, 17), (0, 12))
    """
    if value == 0:
        return 0, other
    fraction = fraction_of(abs(value))
    return round(value * 2.0**fraction), fraction


def quantise(x: Array, fraction: int) -> Integers:
    """Numbers in float32 as integers: halves away from zero; what is too large becomes ±32767, NaN -32767.

    Example:
        >>> quantise(np.array([0.5, -0.5, 9.0, np.nan], dtype=np.float32), 12).tolist()
        [2048, -2048, 32767, -32767]
    """
    with np.errstate(all="ignore"):
        scaled = np.asarray(x, dtype=np.float32) * np.float32(2.0**fraction)
        half = np.where(scaled < 0, np.float32(-0.5), np.float32(0.5)).astype(np.float32)
        inside = np.where((scaled > -LARGEST) & (scaled < LARGEST), scaled + half, 0).astype(np.int64)
        return np.where(scaled >= LARGEST, LARGEST, np.where(scaled > -LARGEST, inside, -LARGEST))


def rounded(x: Integers, bits: int) -> Integers:
    """``x / 2^bits`` to the nearest integer, halves up.

    Example:
        >>> rounded(np.array([6, -6, 5, -7]), 2).tolist()
        [2, -1, 1, -2]
    """
    return x if bits == 0 else (x + (1 << (bits - 1))) >> bits


def saturated(x: Integers) -> Integers:
    """Within ±32767."""
    return np.clip(x, -LARGEST, LARGEST)


def rescaled(x: Integers, before: int, after: int) -> Integers:
    """The same number with other fraction bits.

    Example:
        >>> rescaled(np.array([3, -3, 20000]), 1, 2).tolist(), rescaled(np.array([3, -3]), 1, 0).tolist()
        ([6, -6, 32767], [2, -1])
    """
    if after <= before:
        return rounded(x, before - after)
    return saturated(x << min(after - before, 16))


def logistic(x: Integers) -> Integers:
    """32768 / (1 + exp(-x)) of x with 12 fraction bits.

    Example:
        >>> logistic(np.array([0, 4096, -4096, 10**6])).tolist()
        [16384, 23955, 8813, 32768]
    """
    size = np.minimum(np.abs(x), _REACH * 4096 - 1)
    place, part = size >> 7, size & 127
    found = LOGISTIC[place] + (((LOGISTIC[place + 1] - LOGISTIC[place]) * part + 64) >> 7)
    return np.asarray(np.where(x < 0, 32768 - found, found))


@dataclass(frozen=True)
class Multipliers:
    """What turns sums of products into values: ``rounded(sum factor[r], shift) + bias[r]``, saturated.

    Attributes:
        factors: (R,) below 2^23.
        shift: 1 to 46.
        bias: (R,) with the value's fraction bits; None: zeros.
    """

    factors: Integers
    shift: int
    bias: Integers | None

    def apply(self, sums: Integers) -> Integers:
        """The values of sums (.., R)."""
        found = rounded(sums * self.factors, self.shift)
        return saturated(found if self.bias is None else found + self.bias)


def multipliers(scale: Array, before: int, after: int, bias: Array | None) -> Multipliers:
    """From sums of (8 bits with scales) x (values with ``before`` fraction bits) to ``after`` fraction bits.

    Example:
        >>> found = multipliers(np.array([0.01, 0.002]), 12, 12, np.array([0.5, 0.0]))
        >>> found.apply(np.array([100000, 100000])).tolist()
        [3048, 200]
    """
    ratios = scale.astype(np.float64) * 2.0 ** (after - before)
    shift = int(np.clip(_FACTOR - math.floor(math.log2(float(ratios.max()))) - 1, 1, _SHIFT))
    factors = np.minimum(np.rint(ratios * 2.0**shift), 2**_FACTOR - 1).astype(np.int64)
    limit = 2**31 - 1
    shown = None if bias is None else np.clip(np.rint(bias.astype(np.float64) * 2.0**after), -limit, limit)
    return Multipliers(factors, shift, None if shown is None else shown.astype(np.int64))
