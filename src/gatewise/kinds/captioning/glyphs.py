"""`glyph-names`: the characters of a font that comes with matplotlib, and their official Unicode names. No photographs.

Pictures are drawn by Pillow's FreeType, grey on black, in the size that fits, the base line always at the same height,
centred sideways. Unicode names never change; pixels may with another version of FreeType, and with them the data's
fingerprint.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from gatewise.kinds.captioning.pictures import Pictures, Pixels

__all__ = ["family", "font_path", "glyph_split", "load_glyphs"]

_FORM = re.compile(r" (ISOLATED|INITIAL|MEDIAL|FINAL) FORM$")
_CASE = frozenset(("CAPITAL", "SMALL"))
_SHARES = (("test", 0.1), ("validation", 0.1))
_HEIGHT = 0.66
"""The font's size as a share of the picture's side: accents and descenders of most characters fit."""
_BASE = 0.74


def font_path() -> Path:
    """DejaVu Sans as matplotlib brings it."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def family(name: str) -> str:
    """A character's name without what tells its case and its place in a word.

    Example:
        >>> family("LATIN SMALL LETTER E WITH ACUTE") == family("LATIN CAPITAL LETTER E WITH ACUTE")
        True
        >>> family("ARABIC LETTER BEH INITIAL FORM")
        'ARABIC LETTER BEH'
    """
    return " ".join(word for word in _FORM.sub("", name).split() if word not in _CASE)


def load_glyphs(size: int) -> tuple[Pictures, list[str]]:
    """Every character with a name and a shape of its own, in the order of their code points, and what was left out.

    Args:
        size: pixels of a side.

    Raises:
        DataError: the font cannot be found.
    """
    from matplotlib.ft2font import FT2Font

    from gatewise.errors import DataError

    path = font_path()
    if not path.is_file():
        raise DataError(
            f"the font {path} is not there", expected="the fonts that matplotlib brings", fix="reinstall it"
        )
    codes = sorted(FT2Font(str(path)).get_charmap())
    pen = _Pen(path, size)
    pixels: list[Pixels] = []
    names: list[str] = []
    places: list[str] = []
    seen: set[bytes] = set()
    blank = nameless = same = 0
    for code in codes:
        name = unicodedata.name(chr(code), "")
        if not name:
            nameless += 1
            continue
        found = pen.draw(chr(code))
        if found is None:
            blank += 1
        elif found.tobytes() in seen:
            same += 1
        else:
            seen.add(found.tobytes())
            pixels.append(found)
            names.append(name)
            places.append(f"U+{code:04X}")
    notes = [
        f"of {len(codes):,} characters of DejaVu Sans {nameless} without a name, {blank} without a shape and {same:,} "
        "with the same pixels as an earlier one are left out"
    ]
    return Pictures(np.stack(pixels)[:, None], tuple((name,) for name in names), tuple(places)), notes


def glyph_split(names: list[str], number: int = 0) -> dict[str, list[int]]:
    """Rows of each part: families of names are ranked by the hash of their name, and stay together.

    Args:
        names: of the characters.
        number: of the split.

    Example:
        >>> parts = glyph_split([f"LATIN {case} LETTER {letter}" for letter in "ABCDEFGHIJ" for case in ("SMALL",)])
        >>> sorted(map(len, parts.values()))
        [1, 1, 8]
    """
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(family(name), []).append(row)
    order = sorted(members, key=lambda each: hashlib.sha256(f"{number}\n{each}".encode()).digest())
    parts: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    wanted = {part: share * len(names) for part, share in _SHARES}
    for each in order:
        part = next((part for part, _ in _SHARES if len(parts[part]) < wanted[part]), "train")
        parts[part] += members[each]
    return {part: sorted(rows) for part, rows in parts.items()}


class _Pen:
    """Draws characters in one size; what does not fit is drawn smaller."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = str(path), size
        self._fonts: dict[int, Any] = {}

    def _font(self, height: int) -> Any:
        from PIL import ImageFont

        if height not in self._fonts:
            # the basic layout, so that no shaping library that may be there or not changes a pixel
            self._fonts[height] = ImageFont.truetype(self.path, height, layout_engine=ImageFont.Layout.BASIC)
        return self._fonts[height]

    def draw(self, character: str) -> Pixels | None:
        """A character as (S, S) uint8; None: it has no shape."""
        from PIL import Image, ImageDraw

        size, height = self.size, round(_HEIGHT * self.size)
        base = round(_BASE * size)
        while True:
            font = self._font(height)
            left, top, right, bottom = font.getbbox(character, anchor="ls")
            if right <= left or bottom <= top:
                return None
            if right - left <= size and bottom - top <= size:
                break
            height -= 1
        x = (size - (right - left)) // 2 - left
        y = min(max(base, -top), size - bottom)
        picture = Image.new("L", (size, size), 0)
        ImageDraw.Draw(picture).text((x, y), character, font=font, fill=255, anchor="ls")
        found: Pixels = np.asarray(picture)
        return found if found.any() else None
