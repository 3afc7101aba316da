"""The figures along the axis of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatewise import words
from gatewise.record import AxisPoint, Comparison, ModelEntry

__all__ = ["AxisTable", "axis_models", "axis_table", "cell_at"]


@dataclass(frozen=True)
class AxisTable:
    """The figure of every model at every point.

    Attributes:
        title: of the axis.
        points: its values in words.
        rows: name of the model, its figures, and how far it reaches.
        reaches: whether it makes sense to ask how far.
    """

    title: str
    points: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...], str], ...]
    reaches: bool

    @property
    def heads(self) -> list[tuple[str, bool]]:
        """The heads of the columns after the model's."""
        return [(point, False) for point in (*self.points, *(["Learnt up to"] if self.reaches else []))]

    @property
    def cells(self) -> list[tuple[str, list[str]]]:
        """The name of each model and the cells after it."""
        return [(name, [*cells, *([reach] if self.reaches else [])]) for name, cells, reach in self.rows]


def axis_table(record: Comparison, models: Sequence[ModelEntry], scale: words.Scale) -> AxisTable | None:
    """The figure of every model at every point of the axis, and how far each cell reaches; None: there is no axis."""
    axis = record.axis
    if axis is None or not axis.points:
        return None
    rows = []
    for name, _ in axis_models(record, models):
        reach = axis.reach.get(name)
        cells = tuple(cell_at(point, name, scale) for point in axis.points)
        rows.append((name, cells, "–" if reach is None else words.number(reach)))
    points = tuple(words.number(point.value) for point in axis.points)
    return AxisTable(axis.title, points, tuple(rows), bool(axis.reach))


def axis_models(record: Comparison, models: Sequence[ModelEntry]) -> list[tuple[str, str]]:
    """Name and title of the models of the last point, in their order, and of those that finished at others only."""
    found = {model.name: model.title for model in models}
    for point in () if record.axis is None else record.axis.points:
        for entry in point.models:
            found.setdefault(entry.name, entry.title)
    return list(found.items())


def cell_at(point: AxisPoint, name: str, scale: words.Scale) -> str:
    """A model's figure at a point in words."""
    found = [entry.figure.estimate for entry in point.models if entry.name == name]
    return scale.value(found[0]) if found else "–"
