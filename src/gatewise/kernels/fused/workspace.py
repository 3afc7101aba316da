"""Large buffers that are kept between training steps, since the first touch of fresh memory is slow.

What a forward pass keeps for its backward pass is several times larger than its output. The system hands out such
memory in pages that must be cleared at first touch; that costs up to a third of a training step. Buffers given back
after a backward pass are therefore kept, up to a limit, and taken again by the next forward pass.
"""

from __future__ import annotations

import os
import threading

import torch
from torch import Tensor

__all__ = ["POOL", "BufferPool"]


class BufferPool:
    """A thread-safe store of float32 buffers, reused by size.

    Args:
        limit: bytes kept at most; a buffer that would go beyond is freed instead.

    Example:
        >>> pool = BufferPool()
        >>> first = pool.take(1000)
        >>> pool.give_back(first)
        >>> pool.take(990).data_ptr() == first.data_ptr()
        True
    """

    def __init__(self, limit: int = 256 << 20) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._kept: list[Tensor] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        """A forked child must not wait for a lock that another thread of its parent held."""
        self._lock = threading.Lock()

    def take(self, size: int) -> Tensor:
        """A buffer of at least ``size`` floats (one axis), contents undefined.

        Args:
            size: floats wanted.

        Returns:
            A one-axis float32 tensor of at least that many elements.

        Example:
            >>> BufferPool().take(8).shape
            torch.Size([8])
        """
        with self._lock:
            best = -1
            for index, buffer in enumerate(self._kept):
                if size <= buffer.numel() <= 2 * size and (best < 0 or buffer.numel() < self._kept[best].numel()):
                    best = index
            if best >= 0:
                return self._kept.pop(best)
        return torch.empty(size, dtype=torch.float32, device="cpu")

    def give_back(self, buffer: Tensor) -> None:
        """Hand a buffer back; nothing else may use it any longer. The oldest ones make room.

        Args:
            buffer: one that :meth:`take` gave.

        Example:
            >>> pool = BufferPool(limit=0)
            >>> pool.give_back(torch.empty(8))
            >>> pool.held
            0
        """
        with self._lock:
            self._kept.append(buffer)
            while self._kept and sum(kept.numel() for kept in self._kept) * 4 > self.limit:
                self._kept.pop(0)

    @property
    def held(self) -> int:
        """Bytes kept at the moment.

        Example:
            >>> BufferPool().held
            0
        """
        with self._lock:
            return sum(kept.numel() for kept in self._kept) * 4


POOL = BufferPool()
"""The pool that all sequence kernels share."""
