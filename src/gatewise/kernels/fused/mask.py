"""Random masks as large as a layer's output, compiled where possible; the same mask without a compiler.

Zoneout decides for every step, row and unit whether the old value is kept. Drawing so many numbers one after the other
took up to a fifth of a training step. Here torch's generator gives two seeds, and a hash of an entry's number and the
seeds gives the entry: all entries at once, on any number of threads.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import torch
from torch import Tensor

from gatewise.kernels.fused.call import threads
from gatewise.kernels.fused.library import Library, load

__all__ = ["random_mask"]

_SIGN = 1 << 31
_MULTIPLIERS = (0x7FEB352D, 0x846CA68B)
_functions: dict[str, Any] = {}


def random_mask(shape: tuple[int, ...], p: float, device: torch.device) -> Tensor:
    """True with probability p, each entry by itself; follows the seed of torch's generator of the device.

    Args:
        shape: of the mask; fewer than 2^32 entries.
        p: 0 to 1, in steps of 2^-32.
        device: where the mask is wanted.

    Returns:
        A bool tensor.

    Example:
        >>> generator = torch.manual_seed(0)
        >>> mask = random_mask((200, 4, 32), 0.25, torch.device("cpu"))
        >>> mask.dtype, 0.23 < mask.float().mean().item() < 0.27
        (torch.bool, True)
    """
    # not random_ in place, which neither torch.compile nor vmap can follow; the same numbers
    seeds = torch.randint(-_SIGN, _SIGN, (2,), dtype=torch.int32, device=device)
    threshold = min(round(p * 2 * _SIGN), 2 * _SIGN - 1)
    plain = type(seeds) is Tensor and not torch.compiler.is_compiling()
    if plain and device.type == "cpu" and not torch._C._are_functorch_transforms_active():
        library, _ = load()
        if library is not None:
            return _compiled(library, shape, seeds, threshold)
    return hashed_mask(shape, seeds, threshold)


def _compiled(library: Library, shape: tuple[int, ...], seeds: Tensor, threshold: int) -> Tensor:
    function = _functions.get(library.variant)
    if function is None:
        words = [ctypes.c_uint32] * 3
        function = library.function("gatewise_mask", None, ctypes.c_void_p, ctypes.c_int64, *words, ctypes.c_int32)
        _functions[library.variant] = function
    mask = torch.empty(shape, dtype=torch.bool, device="cpu")
    first, second = seeds.tolist()
    function(mask.data_ptr(), mask.numel(), first & 0xFFFFFFFF, second & 0xFFFFFFFF, threshold, threads())
    return mask


def hashed_mask(shape: tuple[int, ...], seeds: Tensor, threshold: int) -> Tensor:
    """The same mask in PyTorch's operations on 32-bit integers, which wrap around as the hash wants it.

    Args:
        shape: of the mask.
        seeds: two of int32, on the device where the mask is wanted.
        threshold: p times 2^32.

    Returns:
        A bool tensor.

    Example:
        >>> hashed_mask((8,), torch.tensor([1, 2], dtype=torch.int32), 1 << 31).int().tolist()
        [0, 0, 0, 0, 1, 0, 0, 1]
    """
    number = torch.arange(math.prod(shape), dtype=torch.int32, device=seeds.device)
    hashed = _mixed(_mixed(number ^ seeds[0]) + seeds[1])
    return ((hashed ^ -_SIGN) < threshold - _SIGN).view(shape)


def _mixed(x: Tensor) -> Tensor:
    """``native/mask.cpp``'s hash; a shift to the right must bring in zeros, whatever the sign."""
    first, second = ((number + _SIGN) % (2 * _SIGN) - _SIGN for number in _MULTIPLIERS)
    x = (x ^ ((x >> 16) & 0xFFFF)) * first
    x = (x ^ ((x >> 15) & 0x1FFFF)) * second
    return x ^ ((x >> 16) & 0xFFFF)
