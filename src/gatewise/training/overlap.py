"""What `gatewise evaluate` says of a file that holds what the network was trained on. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gatewise.data.seen import Overlap
from gatewise.screen import console, say

__all__ = ["overlap_record", "print_overlap"]


def overlap_record(overlap: Overlap | None, others: Mapping[str, Any] | None) -> dict[str, Any]:
    """How many examples were trained on, and how many chose the weights, ready for JSON; None: nobody knows.

    Args:
        overlap: what the file shares with the data of the run.
        others: the figures of the other examples alone; None where there are none.

    Example:
        >>> overlap_record(None, None)
        {'in_training': None, 'in_validation': None, 'others': None}
    """
    if overlap is None:
        return {"in_training": None, "in_validation": None, "others": None}
    counts = {"in_training": int(overlap.training.sum()), "in_validation": int(overlap.validation.sum())}
    return {**counts, "others": others}


def print_overlap(overlap: Overlap | None, noun: str, of_others: Callable[[], str]) -> None:
    """Warn, before any figure, of examples that were trained on; or that it is not known which were.

    Args:
        overlap: what the file shares with the data of the run; None: not known.
        noun: what an example is, in the singular.
        of_others: the figure of the other examples, in words; asked where there are any.
    """
    if overlap is None:
        say(f"Note: this run does not hold which {noun}s it was trained on: some may be in the file", err=True)
    elif overlap.found:
        console().print(f"Warning: {overlap.sentence(noun, of_others)}", style="yellow", markup=False)
