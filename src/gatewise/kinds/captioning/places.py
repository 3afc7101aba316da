"""Where pictures and their captions are. No numpy."""

from __future__ import annotations

import re
from pathlib import Path

from gatewise.data.rows import is_table

__all__ = ["SUFFIXES", "names_pictures", "picture_files", "table_of"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".jp2")
"""Endings by which pictures are known in a folder; what Pillow can open is read where it is named."""
_TABLES = ("captions", "caption", "metadata", "results", "labels", "text", "flickr8k")


def names_pictures(path: Path) -> bool:
    """Whether a folder holds pictures with a table of captions, or a table names picture files in its first rows."""
    try:
        if path.is_dir():
            return table_of(path) is not None
        if path.is_file() and (is_table(path) or path.suffix.lower() == ".txt") and path.suffix.lower() != ".gz":
            with path.open("rb") as file:
                head = file.read(4_000).lower()
            return any(re.search(rf"{re.escape(suffix)}[\"',;|#\t\r\n ]".encode(), head) for suffix in SUFFIXES)
    except OSError:
        return False
    return False


def table_of(folder: Path) -> Path | None:
    """The table of captions in a folder: by its name, or the only one there that names pictures."""
    naming = [
        each for each in sorted(folder.iterdir()) if each.is_file() and each.stat().st_size and names_pictures(each)
    ]
    for stem in _TABLES:
        for each in naming:
            if each.name.lower().split(".")[0] == stem:
                return each
    return naming[0] if len(naming) == 1 else None


def picture_files(folder: Path) -> list[Path]:
    """All picture files below a folder, by name."""
    return sorted(each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file())
