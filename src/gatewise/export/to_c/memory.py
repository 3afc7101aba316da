"""Places in a fixed array: what is not needed any more makes room for what comes. Imports no torch."""

from __future__ import annotations

__all__ = ["Arena"]


class Arena:
    """Hands out places, the first that fits, and remembers the greatest extent.

    Example:
        >>> arena = Arena()
        >>> first, second = arena.take(4), arena.take(2)
        >>> arena.give(first, 4)
        >>> arena.take(3), arena.take(2), arena.size
        (0, 6, 8)
    """

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []

    def take(self, count: int) -> int:
        """The offset of ``count`` free numbers."""
        for index, (start, length) in enumerate(self._free):
            if length >= count:
                rest = [(start + count, length - count)] if length > count else []
                self._free[index : index + 1] = rest
                return start
        if self._free and sum(self._free[-1]) == self.size:
            start, _ = self._free.pop()
            self.size = start + count
            return start
        start, self.size = self.size, self.size + count
        return start

    def give(self, start: int, count: int) -> None:
        """Take a place back."""
        joined: list[tuple[int, int]] = []
        for begin, length in sorted([*self._free, (start, count)]):
            if joined and sum(joined[-1]) == begin:
                joined[-1] = (joined[-1][0], joined[-1][1] + length)
            else:
                joined.append((begin, length))
        self._free = joined
