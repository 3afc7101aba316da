"""Which rows of each step's batch a process trains on, where several processes share it. Imports no torch."""

from __future__ import annotations

from typing import Any

__all__ = ["Part"]


class Part:
    """The part of a batch that belongs to one of N processes: every N-th row, from its own number on.

    So rows that are sorted by length are dealt evenly. A `Problem` cuts the rows of each step with `rows`.

    Args:
        rank: number of the process, from 0.
        processes: N.

    Attributes:
        idle: whether the last batch had fewer rows than processes and none for this one: what it then computes on the
            first row has the weight 0.
        used: whether `rows` was called since it was last set to false.

    Example:
        >>> part = Part(1, 2)
        >>> part.rows([4, 5, 6, 7, 8]), part.idle
        ([5, 7], False)
        >>> part.rows([9]), part.idle
        ([9], True)
    """

    def __init__(self, rank: int = 0, processes: int = 1) -> None:
        self.rank, self.processes = rank, processes
        self.idle = self.used = False

    def rows(self, rows: Any) -> Any:
        """The rows of a batch, a list or array, that this process trains on; at least one."""
        if self.processes == 1:
            return rows
        self.used = True
        own = rows[self.rank :: self.processes]
        self.idle = not len(own)
        return rows[:1] if self.idle else own
