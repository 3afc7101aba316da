"""The one style of all picture files (PNG and SVG), drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatewise.errors import OptionError
from gatewise.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BASELINE",
    "COLOURS",
    "INK",
    "MARKERS",
    "MUTED",
    "RULE",
    "check_ending",
    "drawn",
    "escaped",
    "finish",
    "keep_shares",
    "new_figure",
    "save",
]

COLOURS = (
    *("#6b665d", "#0b6e99", "#bd4a16", "#00805f", "#8a4f9e", "#8f6400", "#b0306a"),
    *("#4453b8", "#5f7300", "#8c4a3c", "#007a87", "#c22f2f", "#5a6b7b"),
)
"""By the number of `gatewise.drawing.styles.series_style`: the page's own."""
MARKERS = {
    "ring": "o",
    "circle": "o",
    "square": "s",
    "triangle": "^",
    "diamond": "D",
    "triangle-down": "v",
    "plus": "P",
}
"""By `gatewise.drawing.styles.shape`."""
BASELINE = COLOURS[0]
INK, MUTED, RULE = "#1c1b19", "#625d54", "#ddd8cd"
_PAPER = "white"
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "gatewise", "font.size": 10}
_DOTS_PER_INCH = 160


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.11, wspace=0.05))


def finish(axes: Axes, title: str, x_title: str, *, grid: Literal["x", "y", "both"] = "y") -> None:
    """Title, grid and edges of a panel.

    Args:
        axes: the panel.
        title: above it, to the left.
        x_title: below it.
        grid: along which axis grid lines are counted.
    """
    axes.set_title(escaped(title), loc="left", fontsize=10.5, color=INK)
    axes.set_xlabel(escaped(x_title), color=MUTED)
    axes.grid(axis=grid, color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(RULE)


def keep_shares(axes: Axes, along: Literal["x", "y"] = "y") -> None:
    """End an axis in percent at 0 and 100, with a little room for markers that stand there."""
    get, change = (axes.get_xlim, axes.set_xlim) if along == "x" else (axes.get_ylim, axes.set_ylim)
    low, high = get()
    change(max(low, -1.0), min(high, 101.0))


def escaped(words: object) -> str:
    r"""Words in which matplotlib sees no mathematics.

    Example:
        >>> print(escaped("a cell worth $5"))
        a cell worth \$5
    """
    return str(words).replace("$", r"\$")


def drawn(make: Callable[[], Figure], kind: str, *, paper: str = _PAPER) -> bytes:
    """A figure as the content of a file; the same figure gives the same bytes.

    Args:
        make: draws it.
        kind: ``png`` or ``svg``.
        paper: the background's colour.
    """
    import matplotlib

    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {}
    stream = io.BytesIO()
    settings: Any = _SETTINGS
    with matplotlib.rc_context(settings):
        make().savefig(stream, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata, facecolor=paper)
    return stream.getvalue()


def check_ending(path: Path) -> str:
    """The kind of picture that a file's ending asks for.

    Raises:
        OptionError: it is neither PNG nor SVG.

    Example:
        >>> check_ending(Path("memory.PNG"))
        'png'
    """
    kind = path.suffix[1:].lower()
    if kind not in ("png", "svg"):
        raise OptionError("a picture is PNG or SVG", expected=".png or .svg", got=path.name, fix="change the ending")
    return kind


def save(make: Callable[[], Figure], path: str | Path) -> Path:
    """Write a figure; the ending decides: ``.png`` or ``.svg``.

    Raises:
        OptionError: another ending.
        StorageError: the file cannot be written.
    """
    path = Path(path)
    return write_bytes(path, drawn(make, check_ending(path)))
