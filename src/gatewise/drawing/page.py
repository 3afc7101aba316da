"""What a kind's part of the report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatewise.record import Comparison, ModelEntry
from gatewise.words import Scale

__all__ = ["FigureWords", "Page"]


@dataclass(frozen=True)
class Page:
    """A comparison on its way onto the page.

    Attributes:
        comparison: the record.
        models: the best first.
        styles: number of each model's colour and marker; 0: a baseline.
        titles: of the models.
        scale: how the metric's values are written.
        seeds: of each cell.
    """

    comparison: Comparison
    models: Sequence[ModelEntry]
    styles: Mapping[str, int]
    titles: Mapping[str, str]
    scale: Scale
    seeds: int


@dataclass(frozen=True)
class FigureWords:
    """How a further figure of the test part is called and written.

    Attributes:
        title: the head of its column.
        percent: a fraction that is shown times 100.
        percent_sign: whether it is then written with the sign %.
        meaning: what the head stands for, where it is an abbreviation.
    """

    title: str
    percent: bool = False
    meaning: str | None = None
    percent_sign: bool = True
