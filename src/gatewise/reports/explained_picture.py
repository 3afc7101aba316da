"""A picture in the drawing of an explanation: what speaks for each written word in it, and where that looked."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.drawing.pictures import escaped, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_pictures", "picture_of"]

_FOR, _AGAINST = (0.04, 0.43, 0.6), (0.74, 0.29, 0.09)
_STRONGEST = 0.8
_GREY = 0.55
_APART = 0.12
_SIDE = 96
Colours = npt.NDArray[np.float64]


def picture_of(record: Mapping[str, Any]) -> Colours | None:
    """The picture of an explanation's record, (S, S, 3) from 0 to 1; None: it read none."""
    from PIL import Image

    found = record["input"].get("picture")
    if found is None:
        return None
    with Image.open(io.BytesIO(base64.b64decode(found["png"]))) as opened:
        shown = opened.convert("RGB")
        if max(shown.size) < _SIDE:
            shown = shown.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        return np.asarray(shown, dtype=np.float64) / 255


def draw_pictures(
    axes: Axes, record: Mapping[str, Any], title: str, rows: Sequence[Sequence[float]], labels: Sequence[str]
) -> None:
    """The picture once for each row of numbers, which colour its patches, beside each other.

    Args:
        axes: where to.
        record: of the explanation.
        title: over them.
        rows: (W, T), each by itself; with a number below zero all colours are for and against.
        labels: W, below them.
    """
    picture = picture_of(record)
    assert picture is not None
    grid = record["input"]["picture"]
    shape, side = (grid["rows"], grid["columns"]), len(picture)
    apart = round(_APART * side)
    signed = any(value < 0 for row in rows for value in row)
    whole = np.ones((side, len(rows) * (side + apart) - apart, 3))
    for number, row in enumerate(rows):
        start = number * (side + apart)
        whole[:, start : start + side] = _shaded(picture, np.array(row).reshape(shape), signed=signed)
    axes.imshow(whole, interpolation="nearest", aspect="equal")
    finish(axes, title, "")
    axes.grid(visible=False)
    axes.set_yticks([])
    places = [number * (side + apart) + side / 2 for number in range(len(rows))]
    axes.set_xticks(places, [escaped(each) for each in labels], fontsize=8)
    for edge in axes.spines.values():
        edge.set_visible(False)


def _shaded(picture: Colours, values: npt.NDArray[np.float64], *, signed: bool) -> Colours:
    """The picture in grey, its patches in the colour of their numbers; or all dark but what was looked at."""
    side = len(picture)
    places = [np.arange(side) * count // side for count in values.shape]
    shares = (values / (np.abs(values).max() or 1.0))[places[0][:, None], places[1]][:, :, None]
    if not signed:
        return np.asarray(picture * (0.15 + 0.85 * shares))
    light = picture @ np.array([0.299, 0.587, 0.114])
    grey = np.repeat((_GREY + (1 - _GREY) * light)[:, :, None], 3, axis=2)
    strength = _STRONGEST * np.abs(shares)
    return np.asarray(grey * (1 - strength) + np.where(shares > 0, _FOR, _AGAINST) * strength)
