"""The picture of memory curves as a PNG or SVG file."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewise.errors import OptionError
from gatewise.files import write_bytes

__all__ = ["save_memory_picture"]

_FLOOR = 1e-12
_COLOURS = ("#4269d0", "#c2571a", "#3a8a4d", "#a463f2", "#97602f", "#1b9e9e", "#d6336c", "#666666")


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
    from matplotlib.figure import Figure

    path = Path(path)
    if path.suffix.lower() not in (".png", ".svg"):
        raise OptionError("a picture is PNG or SVG", expected=".png or .svg", got=path.name, fix="change --out")
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for (title, curve), colour in zip(curves.items(), _COLOURS * (len(curves) // len(_COLOURS) + 1), strict=False):
        for part, style, words in (("trained", "-", ""), ("initialisation", "--", ", before training")):
            norms = [float(norm) if norm > _FLOOR else math.nan for norm in curve[part]["norms"]]
            axes.plot(curve["lags"], norms, style, color=colour, label=title + words, linewidth=1.8)
    axes.set_yscale("log")
    axes.set_ylim(bottom=max(_FLOOR, axes.get_ylim()[0]))
    axes.set_xlim(left=0)
    axes.set_xlabel("steps back")
    axes.set_ylabel("norm of d(last state) / d(input)")
    axes.set_title("How far back the gradient reaches", loc="left")
    axes.grid(visible=True, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:].lower(), dpi=150)
    write_bytes(path, content.getvalue())
    return path
