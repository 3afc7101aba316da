"""A picture in the terminal: the patches that speak for the explained word, beside those that it looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rich.text import Text

    from gatewise.inspection.explaining import Explanation

__all__ = ["picture_rows"]

_SHADES = " ░▒▓█"
_FOR, _AGAINST = "blue", "dark_orange3"
_LEAST = 0.08
_SIGNS = 2


def picture_rows(found: Explanation, *, coloured: bool) -> list[Text]:
    """A line for each row of patches: the reasons, for in blue, against in orange; then where the word looked.

    Args:
        found: of a picture.
        coloured: without colour what speaks against the word has a minus before its shade.
    """
    from rich.text import Text

    given, values = found.reading.input, found.reasons.per_step
    assert given.picture is not None
    rows, columns = given.picture.rows, given.picture.columns
    table = values.reshape(rows, columns)
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    looked = None
    if found.writing is not None and found.writing.attention is not None and given.place is not None:
        looked = found.writing.attention[given.place].reshape(rows, columns)
    width = _SIGNS * columns + 2
    head = Text(f"  {'reasons':<{width}}" + ("" if looked is None else "   looks at"), style="dim")
    lines = [head]
    for row in range(rows):
        line = Text("  ▕", style="dim")
        for value in table[row]:
            share = abs(float(value)) / largest
            line.append(_block(share, value < 0 and not coloured), style=_style(float(value), share, coloured))
        line.append("▏", style="dim")
        if looked is not None:
            line.append("   ▕", style="dim")
            for weight in looked[row]:
                line.append(_block(float(weight / looked.max()), minus=False), style="default")
            line.append("▏", style="dim")
        lines.append(line)
    return lines


def _style(value: float, share: float, coloured: bool) -> str:
    if not coloured or share < _LEAST:
        return "default"
    return _FOR if value > 0 else _AGAINST


def _block(share: float, minus: bool) -> str:
    """A share from 0 to 1 as two signs.

    Example:
        >>> _block(1.0, minus=False), _block(0.5, minus=True), _block(0.0, minus=True)
        ('██', '-▓', '  ')
    """
    shade = _SHADES[0] if share < _LEAST else _SHADES[min(len(_SHADES) - 1, 1 + int(share * (len(_SHADES) - 1)))]
    return f"-{shade}" if minus and shade != _SHADES[0] else shade * _SIGNS
