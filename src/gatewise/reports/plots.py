"""The curves as picture files, for a paper or a slide."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from gatewise.drawing.pictures import COLOURS, MARKERS, escaped, finish, keep_shares, new_figure, save
from gatewise.drawing.styles import series_style, shape
from gatewise.record import Comparison, ModelEntry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves_figure", "write_curves"]

_MOST_MARKERS = 20


def write_curves(record: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write `curves.png` and `curves.svg`: training loss and the metric on the validation part, per epoch of each cell.

    Args:
        record: a comparison.
        folder: where the two files go.

    Returns:
        Their paths.
    """
    png, svg = (save(lambda: curves_figure(record), folder / f"curves.{kind}") for kind in ("png", "svg"))
    return png, svg


def curves_figure(record: Comparison) -> Figure:
    """Two panels side by side: thin lines per seed, a thick one for their mean."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(9.0, 3.8)
    loss, validation = figure.subplots(1, 2)
    metric = record.metric
    scale = 100.0 if metric.percent else 1.0
    cells = [model for model in record.models if any(run.epochs for run in model.runs)]
    baselines = [model.name for model in record.models if model.is_baseline]
    styles = series_style([model.name for model in record.models], baselines)
    for model in cells:
        losses = [[epoch.training.get("loss") for epoch in run.epochs] for run in model.runs]
        figures = [[epoch.validation.get(metric.name) for epoch in run.epochs] for run in model.runs]
        _draw(loss, model, losses, 1.0, styles[model.name])
        _draw(validation, model, figures, scale, styles[model.name])
    finish(loss, "Training loss", "epoch")
    finish(validation, f"Validation {metric.title}{' (%)' if metric.percent and metric.percent_sign else ''}", "epoch")
    if metric.percent:
        keep_shares(validation)
    for axes in (loss, validation):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, titles = validation.get_legend_handles_labels()
    if titles:
        figure.legend(handles, titles, loc="outside lower center", ncols=min(6, len(cells)), frameon=False)
    return figure


def _draw(axes: Axes, model: ModelEntry, values: list[list[float | None]], scale: float, style: int) -> None:
    """The lines of one model; an epoch without the figure leaves a gap."""
    lines = [[math.nan if value is None else scale * value for value in line] for line in values if line]
    longest = max(len(line) for line in lines)
    colour = COLOURS[style]
    if len(lines) > 1:
        for line in lines:
            axes.plot(range(1, len(line) + 1), line, color=colour, linewidth=0.8, alpha=0.35)
    columns = [[line[step] for line in lines if len(line) > step] for step in range(longest)]
    mean = [sum(column) / len(column) for column in columns]
    axes.plot(
        range(1, longest + 1),
        mean,
        color=colour,
        marker=MARKERS[shape(style)] if longest <= _MOST_MARKERS else "",
        markersize=5,
        linewidth=2,
        label=escaped(model.title),
    )
