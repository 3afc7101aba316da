"""The curves as picture files, for a paper or a slide."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.files import write_bytes
from gatewise.reports.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves_figure", "write_curves"]

_COLOURS = ("#0b6e99", "#c8501c", "#00805f", "#8a4f9e", "#9a6b00", "#b0306a")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_MOST_MARKERS = 20
_INK, _MUTED, _RULE = "#1c1b19", "#625d54", "#ddd8cd"


def write_curves(record: Record, folder: Path) -> tuple[Path, Path]:
    """Write `curves.png` and `curves.svg`: training loss and the metric on the validation part, per epoch of each cell.

    Args:
        record: a checked comparison.
        folder: where the two files go.

    Returns:
        Their paths.
    """
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gatewise", "font.size": 10}):
        figure = curves_figure(record)
        drawn = {}
        for kind, metadata in (("png", {}), ("svg", {"Date": None})):
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, dpi=160, metadata=metadata, facecolor="white")
            drawn[kind] = stream.getvalue()
    return write_bytes(folder / "curves.png", drawn["png"]), write_bytes(folder / "curves.svg", drawn["svg"])


def curves_figure(record: Record) -> Figure:
    """Two panels side by side: thin lines per seed, a thick one for their mean."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    margins = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12, wspace=0.05)
    figure = Figure(figsize=(9.0, 3.8), layout=margins)
    loss, validation = figure.subplots(1, 2)
    metric = record["metric"]
    scale = 100.0 if metric["percent"] else 1.0
    cells = [model for model in record["models"] if any(run["epochs"] for run in model["runs"])]
    for place, model in enumerate(cells):
        style = {"color": _COLOURS[place % len(_COLOURS)], "marker": _MARKERS[place % len(_MARKERS)]}
        _draw(loss, model, ("training", "loss"), 1.0, style)
        _draw(validation, model, ("validation", metric["name"]), scale, style)
    _finish(loss, "Training loss")
    _finish(validation, f"Validation {metric['title']}{' (%)' if metric['percent'] else ''}")
    handles, titles = validation.get_legend_handles_labels()
    if titles:
        figure.legend(handles, titles, loc="outside lower center", ncols=min(6, len(cells)), frameon=False)
    return figure


def _draw(axes: Axes, model: Mapping[str, Any], name: tuple[str, str], scale: float, style: Mapping[str, str]) -> None:
    part, figure = name
    lines = [[scale * epoch[part].get(figure, float("nan")) for epoch in run["epochs"]] for run in model["runs"]]
    lines = [line for line in lines if line]
    longest = max(len(line) for line in lines)
    if len(lines) > 1:
        for line in lines:
            axes.plot(range(1, len(line) + 1), line, color=style["color"], linewidth=0.8, alpha=0.35)
    columns = [[line[step] for line in lines if len(line) > step] for step in range(longest)]
    mean = [sum(column) / len(column) for column in columns]
    axes.plot(
        range(1, longest + 1),
        mean,
        color=style["color"],
        marker=style["marker"] if longest <= _MOST_MARKERS else "",
        markersize=5,
        linewidth=2,
        label=str(model["title"]).replace("$", r"\$"),
    )


def _finish(axes: Axes, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, loc="left", fontsize=10.5, color=_INK)
    axes.set_xlabel("epoch", color=_MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_MUTED, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_RULE)
