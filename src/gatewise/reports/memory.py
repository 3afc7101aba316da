"""The picture of memory curves as a PNG or SVG file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.drawing.pictures import COLOURS, MUTED, escaped, finish, new_figure, save
from gatewise.drawing.styles import series_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_memory_picture"]

_FLOOR = 1e-12


def save_memory_picture(curves: Mapping[str, Mapping[str, Any]], path: str | Path) -> Path:
    """Draw norm against steps back, a colour per network: solid trained, dashed before training.

    Args:
        curves: for each network by title, what `gatewise.inspection.memory_curve` gives.
        path: where to; the ending decides: ``.png`` or ``.svg``.

    Returns:
        The path.

    Raises:
        OptionError: another ending.
        StorageError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> curve = {"lags": [0, 1], "initialisation": {"norms": [1.0, 0.1]}, "trained": {"norms": [1.0, 0.5]}}
        >>> save_memory_picture({"GRU": curve}, Path(tempfile.mkdtemp()) / "memory.svg").name
        'memory.svg'
    """
    return save(lambda: _figure(curves), path)


def _figure(curves: Mapping[str, Mapping[str, Any]]) -> Figure:
    figure = new_figure(8.0, 4.5)
    axes = figure.add_subplot()
    cells = [str(curve.get("cell", title)) for title, curve in curves.items()]
    # of two networks with one cell the first has the cell's colour, the other one of its own
    names = {
        title: cell if cells.index(cell) == place else title
        for place, (title, cell) in enumerate(zip(curves, cells, strict=True))
    }
    styles = series_style(names.values(), ())
    for title, curve in curves.items():
        colour = COLOURS[styles[names[title]]]
        for part, style, words in (("trained", "-", ""), ("initialisation", "--", ", before training")):
            norms = [float(norm) if norm > _FLOOR else math.nan for norm in curve[part]["norms"]]
            axes.plot(curve["lags"], norms, style, color=colour, label=escaped(title + words), linewidth=1.8)
    axes.set_yscale("log")
    axes.set_ylim(bottom=max(_FLOOR, axes.get_ylim()[0]))
    axes.set_xlim(left=0)
    axes.set_ylabel("norm of d(last state) / d(input)", color=MUTED)
    finish(axes, "How far back the gradient reaches", "steps back")
    figure.legend(loc="outside right upper", frameon=False)
    return figure
