"""A comparison along an axis, such as the length of a probe: where each cell gives up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatewise.comparison.plan.titles import title_of
from gatewise.comparison.verdict.facts import SIGNIFICANCE
from gatewise.comparison.verdict.figures import Table, difference_entries, figure_entries
from gatewise.comparison.verdict.rules import reached
from gatewise.statistics.measure import Measure
from gatewise.statistics.serial import enough_blocks

__all__ = ["axis_entry"]

Entry = dict[str, Any]


def axis_entry(
    axis: Mapping[str, Any],
    entries: Sequence[Entry],
    tables_at: Mapping[Any, Mapping[str, Table]],
    metric: Measure,
    *,
    reach: bool,
    planned: int = 0,
    look: int = 1,
) -> Entry:
    """What the record says of every point: each model's figure, and how far each cell reaches.

    A cell *reaches* a point if there, and at every smaller one, it differs from the best baseline (corrected p below
    0.05) and has come at least half of the way from it to a perfect figure: no error, or 100 %.

    Args:
        axis: ``name`` and ``title``.
        entries: the finished runs, each with its ``point``.
        tables_at: for each point, in the axis' order, the contributions by model, as in `figure_entries`.
        metric: what they contribute to.
        reach: whether the points get harder, so that it makes sense to ask how far a cell gets.
        planned: how many seeds each cell was to have. One that lost seeds at a point, or all, does not reach it.
        look: how many times the comparison was judged, see `gatewise.comparison.verdict.figures.difference_entries`.

    Returns:
        ``name``, ``title``, ``points`` (``value``, ``models`` with their figures, ``decisions``: what each cell's reach
        was decided on) and ``reach`` (by cell; None: none).
    """
    points: list[Entry] = []
    cells = list(dict.fromkeys(entry["cell"] for entry in entries if not entry.get("baseline")))
    for value, tables in tables_at.items():
        here = [entry for entry in entries if entry["point"] == value]
        baselines = [cell for cell in tables if any(run.get("baseline") for run in here if run["cell"] == cell)]
        figures = figure_entries(tables, metric, baselines)
        decisions: list[Entry] = []
        points.append(
            {
                "value": value,
                "decisions": decisions,
                "models": [
                    {"name": cell, "title": _title(cell, here), "figure": figure} for cell, figure in figures.items()
                ],
            }
        )
        if not baselines or not reach:
            continue
        sign = 1.0 if metric.higher_is_better else -1.0
        best = max(baselines, key=lambda cell: sign * float(figures[cell]["estimate"]))
        pairs = difference_entries(tables, metric, baselines, margin=1.0, look=look)
        half_way = (figures[best]["estimate"] + metric.perfect) / 2
        for cell in cells:
            pair = next((entry for entry in pairs if {entry["first"], entry["second"]} == {cell, best}), None)
            whole = pair is not None and len(tables[cell]) >= planned
            decisions.append(
                {
                    "cell": cell,
                    "baseline": best,
                    "estimate": figures[cell]["estimate"] if cell in figures else None,
                    "baseline_estimate": figures[best]["estimate"],
                    "half_way": half_way,
                    "adjusted_p_value": pair["adjusted_p_value"] if pair is not None else 1.0,
                    "enough": whole and pair is not None and enough_blocks(pair["blocks"]),
                }
            )
    found = reached({"points": points, "higher_is_better": metric.higher_is_better, "significance": SIGNIFICANCE})
    return {"name": axis["name"], "title": axis["title"], "points": points, "reach": found}


def _title(cell: str, entries: Sequence[Entry]) -> str:
    return next((str(run["title"]) for run in entries if run["cell"] == cell and "title" in run), title_of(cell))
