"""The figures of a corpus as `gatewise evaluate` prints them, each with its interval over examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.statistics import Measure, estimate_figure

__all__ = ["FigureRow", "figure_lines", "figure_row", "figures_record"]

_ENOUGH = 10


@dataclass(frozen=True)
class FigureRow:
    """One figure.

    Attributes:
        name, title: of its measure.
        value: from 0 to 1.
        interval: 95 % over the examples; None: there are too few of them.
    """

    name: str
    title: str
    value: float
    interval: tuple[float, float] | None


def figure_row(measure: Measure, contributions: npt.NDArray[np.float64]) -> FigureRow:
    """A figure of examples, with its interval from ten examples on.

    Args:
        measure: of the figure.
        contributions: (N,) or (N, K), see `gatewise.statistics.Measure`.

    Example:
        >>> from gatewise.statistics import Mean
        >>> figure_row(Mean("exact", "exact match", higher_is_better=True), np.array([1.0, 0.0]))
        FigureRow(name='exact', title='exact match', value=0.5, interval=None)
    """
    interval = None
    if len(contributions) >= _ENOUGH:
        ends = estimate_figure(contributions, measure, np.random.default_rng(0)).interval
        interval = (ends.low, ends.high)
    return FigureRow(measure.name, measure.title, measure.of(contributions), interval)


def figures_record(rows: Iterable[FigureRow]) -> dict[str, Any]:
    """Ready for JSON: each figure under its name, and its interval under ``<name>_interval``."""
    found: dict[str, Any] = {}
    for row in rows:
        found |= {row.name: row.value, f"{row.name}_interval": None if row.interval is None else list(row.interval)}
    return found


def figure_lines(rows: Iterable[FigureRow]) -> list[str]:
    """A line for each figure, times 100, as `BLEU` and `chrF` are printed everywhere.

    Example:
        >>> figure_lines([FigureRow("bleu", "BLEU", 0.3304, (0.321, 0.34))])
        ['BLEU                33.0  (32.1 to 34.0)']
    """
    lines = []
    for row in rows:
        ends = "" if row.interval is None else f"  ({100 * row.interval[0]:.1f} to {100 * row.interval[1]:.1f})"
        lines.append(f"{row.title:<18}{100 * row.value:>6.1f}{ends}")
    return lines
