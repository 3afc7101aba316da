"""One colour and marker for each model, the same in every chart, table and report."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable

__all__ = ["SHAPES", "STYLES", "series_style", "shape"]

STYLES = 12
"""Colours of the page, besides that of the baselines (number 0)."""
SHAPES = ("circle", "square", "triangle", "diamond", "triangle-down", "plus")
_FIXED = {"rnn": 1, "lstm": 2, "gru": 3, "mingru": 4, "minlstm": 5, "birnn": 7, "bilstm": 8, "bigru": 9}
_OTHERS = tuple(number for number in range(1, STYLES + 1) if number not in _FIXED.values())


def series_style(names: Iterable[str], baselines: Collection[str]) -> dict[str, int]:
    """The number of each model's colour and marker, which does not depend on the order of the models.

    Baselines have number 0; the known cells and their bidirectional forms always the same; others (stacked variants,
    cells of one's own) one that follows from their name, and the next free one where two names share it.

    Args:
        names: of the models.
        baselines: those among them that are baselines.

    Example:
        >>> series_style(["tfidf", "lstm", "gru"], ["tfidf"]), series_style(["gru"], [])
        ({'tfidf': 0, 'lstm': 2, 'gru': 3}, {'gru': 3})
    """
    names = list(dict.fromkeys(names))
    cells = [name for name in names if name not in baselines]
    found = {name: _FIXED[name] for name in cells if name in _FIXED}
    for name in sorted(name for name in cells if name not in _FIXED):
        start = zlib.crc32(name.encode()) % len(_OTHERS)
        order = [*_OTHERS[start:], *_OTHERS[:start], *_FIXED.values()]
        taken = set(found.values())
        found[name] = next((number for number in order if number not in taken), order[0])
    return {name: found.get(name, 0) for name in names}


def shape(style: int) -> str:
    """The marker of a style; that of the baselines is a ring.

    Example:
        >>> shape(0), shape(1), shape(8)
        ('ring', 'circle', 'square')
    """
    return "ring" if style == 0 else SHAPES[(style - 1) % len(SHAPES)]
