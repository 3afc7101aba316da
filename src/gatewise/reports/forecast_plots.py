"""Forecasts as picture files: fans over the truth, and the error at every step of the horizon."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.files import write_bytes
from gatewise.reports.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["fans_figure", "horizon_figure", "write_forecasts"]

_COLOURS = ("#0b6e99", "#c8501c", "#00805f", "#8a4f9e", "#9a6b00", "#b0306a")
_INK, _MUTED, _RULE = "#1c1b19", "#625d54", "#ddd8cd"


def write_forecasts(record: Record, folder: Path) -> list[Path]:
    """Write `forecasts.png` and `.svg`, `horizon.png` and `.svg`.

    Args:
        record: a checked comparison of forecasts.
        folder: where the files go.

    Returns:
        Their paths; none where the comparison has no forecasts.
    """
    import matplotlib

    written = []
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gatewise", "font.size": 10}):
        for name, figure in (
            ("forecasts", fans_figure(record["models"])),
            ("horizon", horizon_figure(record["models"])),
        ):
            if figure is None:
                continue
            for kind, metadata in (("png", {}), ("svg", {"Date": None})):
                stream = io.BytesIO()
                figure.savefig(stream, format=kind, dpi=160, metadata=metadata, facecolor="white")
                written.append(write_bytes(folder / f"{name}.{kind}", stream.getvalue()))
    return written


def fans_figure(models: Sequence[Mapping[str, Any]]) -> Figure | None:
    """A panel per window: past and truth in ink, every recurrent model's forecast, the first one's quantiles as a fan.

    Args:
        models: entries of a record's ``models``.

    Returns:
        The figure; None where no model keeps forecasts.
    """
    from matplotlib.figure import Figure

    shown = [model for model in models if model["kind"] == "recurrent" and _fans(model)]
    if not shown:
        return None
    windows = _fans(shown[0])
    figure = Figure(figsize=(4.2 * len(windows), 3.6), layout="constrained")
    for place, axes in enumerate(figure.subplots(1, len(windows), squeeze=False)[0]):
        first = windows[place]
        past, steps = first["past"], range(1, len(first["truth"]) + 1)
        axes.plot(range(1 - len(past), 1), past, color=_INK, linewidth=1.2)
        axes.plot([0, *steps], [past[-1], *first["truth"]], color=_INK, linewidth=1.2, linestyle=":", label="what came")
        levels = sorted(first["quantiles"], key=float)
        if len(levels) > 1:
            low, high = first["quantiles"][levels[0]], first["quantiles"][levels[-1]]
            words = f"{100 * float(levels[0]):g} to {100 * float(levels[-1]):g} %"
            axes.fill_between(steps, low, high, color=_COLOURS[0], alpha=0.18, linewidth=0, label=words)
        for number, model in enumerate(shown):
            forecast = [past[-1], *_fans(model)[place]["forecast"]]
            axes.plot([0, *steps], forecast, color=_COLOURS[number % len(_COLOURS)], linewidth=1.8, label=_title(model))
        name = f"{first['series']} " if first["series"] else ""
        _finish(axes, f"{name}{first['target']}, from {str(first['origin'])[:16].replace('T', ' ')}", "steps")
    handles, titles = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside lower center", ncols=min(6, len(titles)), frameon=False)
    return figure


def horizon_figure(models: Sequence[Mapping[str, Any]]) -> Figure | None:
    """The error at every step of the horizon, mean over seeds; baselines dashed.

    Args:
        models: entries of a record's ``models``.

    Returns:
        The figure; None where nothing was measured by step, or the horizon is one step.
    """
    from matplotlib.figure import Figure

    lines = [(model, _by_step(model)) for model in models]
    lines = [(model, line) for model, line in lines if len(line) > 1]
    if not lines:
        return None
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for number, (model, line) in enumerate(lines):
        style = "--" if model["kind"] == "baseline" else "-"
        colour = _COLOURS[number % len(_COLOURS)]
        axes.plot(range(1, len(line) + 1), line, style, color=colour, linewidth=1.8, label=_title(model))
    axes.set_ylim(bottom=0)
    _finish(axes, "Mean squared error, in squared deviations of the training part", "steps ahead")
    axes.legend(frameon=False, fontsize=9)
    return figure


def _fans(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((model["runs"][0].get("predictions") or {}).get("fans") or [])


def _by_step(model: Mapping[str, Any]) -> list[float]:
    rows = [run["test"]["by_horizon"] for run in model["runs"] if run["test"].get("by_horizon")]
    return [sum(column) / len(column) for column in zip(*rows, strict=True)] if rows else []


def _title(model: Mapping[str, Any]) -> str:
    return str(model["title"]).replace("$", r"\$")


def _finish(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title.replace("$", r"\$"), loc="left", fontsize=10, color=_INK)
    axes.set_xlabel(below, color=_MUTED)
    axes.grid(axis="y", color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_MUTED, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_RULE)
