"""Tables of captions: CSV, TSV, JSON lines, and the layouts of Flickr8k and COCO. Imports no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gatewise.data.json_tables import read_json_table
from gatewise.data.rows import MISSING, Rows, is_table, read_rows, read_text
from gatewise.data.separated import read_separated
from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.captioning.pictures import tidy
from gatewise.kinds.captioning.places import SUFFIXES
from gatewise.words import plural

__all__ = ["Captions", "read_captions", "read_names"]

_NAMES = {
    "image": (
        *("image", "file_name", "filename", "file", "path", "image_name", "image_path", "img", "picture", "name"),
        *("photo", "id"),
    ),
    "caption": ("caption", "captions", "text", "comment", "description", "sentence", "sentences", "title", "label"),
}
_TOKEN = re.compile(r"(?P<name>[^\t]+?)(#\w+)?\t(?P<caption>.*)")
_NUMBER = re.compile(r"\d+")
_LAYOUT = "columns image and caption, or lines as name.jpg#0<TAB>caption"
_KEYS = ("image", "caption")
_COCO = (
    'as COCO has it: {"images": [{"id": 1, "file_name": "..."}], "annotations": [{"image_id": 1, "caption": "..."}]}'
)
_COCO_FIX = 'repair it, or write a list of objects: [{"image": "...", "caption": "..."}]'


class Captions(NamedTuple):
    """What a table says.

    Attributes:
        captions: of each picture by its file name as the table has it, in order; each at least once.
        notes: what was detected or skipped, a sentence each.
    """

    captions: dict[str, list[str]]
    notes: list[str]


def read_captions(path: Path, image: str | None = None, caption: str | None = None) -> Captions:
    """Read a table of captions; a picture may have several rows, or in JSON a list. Empty captions are skipped.

    Args:
        path: the table, plain or gzip.
        image: the column of file names by name or number (from 1); None: the usual names.
        caption: the column of captions; likewise.

    Raises:
        DataError: the table cannot be used; the message names the line.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "captions.txt"
        >>> _ = path.write_text("a.jpg#0\\tA dog runs .\\na.jpg#1\\tA brown dog .\\nb.jpg#0\\tTwo men .\\n")
        >>> read_captions(path).captions
        {'a.jpg': ['A dog runs .', 'A brown dog .'], 'b.jpg': ['Two men .']}
    """
    rows = _rows(path)
    first, second = (_column(rows, role, asked) for role, asked in (("image", image), ("caption", caption)))
    if first == second:
        raise DataError(
            f"pictures and captions would both be the column {rows.columns[first]!r} of {path}",
            expected=_LAYOUT,
            fix="name the columns with --image-column and --caption-column",
        )
    found: dict[str, list[str]] = {}
    empty = []
    for place, values in enumerate(rows.values):
        name = _word(values[first])
        if not name:
            raise DataError(f"{rows.place(place)} names no picture", fix="write its file name, or delete the row")
        given = values[second] if isinstance(values[second], list) else [values[second]]
        texts = []
        for each in given:
            if not (each is None or each is MISSING or isinstance(each, str | int | float)):
                raise DataError(
                    f"{rows.place(place)}: the caption is no text", expected="a string", got=type(each).__name__
                )
            texts.append(tidy(_word(each)))
        if not any(texts):
            empty.append(place)
        for text in texts:
            if text and text not in found.setdefault(name, []):
                found[name].append(text)
    notes = list(rows.notes)
    if empty:
        notes.append(f"{plural(len(empty), 'empty caption')} of {path.name} skipped ({rows.where(empty)})")
    found = {name: texts for name, texts in found.items() if texts}
    if not found:
        raise DataError(f"{path} has no caption", expected=_LAYOUT)
    return Captions(found, notes)


def read_names(path: Path) -> list[str] | None:
    """The names of a file with one picture's name a line, as Flickr8k's parts are given; None: it is a table."""
    if is_table(path):
        return None
    content, _ = read_text(path, None, "a picture's name a line")
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if any("\t" in line or "," in line for line in lines):
        return None
    return lines


def _rows(path: Path) -> Rows:
    """The rows of a table in any layout."""
    if path.suffix.lower() == ".json":
        content, _ = read_text(path, None, _LAYOUT)
        found = _coco(path, content) or _by_name(path, content)
        return found if found is not None else read_json_table(path, content, _KEYS)
    if is_table(path) and path.suffix.lower() not in (".tsv", ".tab"):
        return read_rows(path, keys=_KEYS)
    content, notes = read_text(path, None, _LAYOUT)
    lines = [(number, line) for number, line in enumerate(content.splitlines(), start=1) if line.strip()]
    if lines and "#" in lines[0][1].split("\t")[0] and "\t" in lines[0][1]:
        return _tokens(path, lines, notes)
    if is_table(path):
        return read_rows(path, keys=_KEYS)
    if not lines or not re.search(r"[\t,;|]", lines[0][1]):
        raise DataError(
            f"{path} is no table of captions", expected=_LAYOUT, got=repr(lines[0][1][:60] if lines else "")
        )
    rows = read_separated(path, content, "\t" if "\t" in lines[0][1] else ",")
    rows.notes[:0] = notes
    return rows


def _tokens(path: Path, lines: list[tuple[int, str]], notes: list[str]) -> Rows:
    """Lines ``name.jpg#0<TAB>caption``, as Flickr8k.token.txt has them."""
    values: list[list[Any]] = []
    for number, line in lines:
        match = _TOKEN.fullmatch(line)
        if match is None:
            raise DataError(f"{path}, line {number} has no tab", expected=_LAYOUT, got=repr(line[:60]))
        values.append([match["name"], match["caption"]])
    return Rows(path, ("image", "caption"), values, [number for number, _ in lines], "line", notes)


def _parsed(content: str) -> Any:
    """A JSON file's content; None: it is no JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _coco(path: Path, content: str) -> Rows | None:
    """An object of ``images`` and ``annotations``, as COCO's captions are given; None: it is something else."""
    found = _parsed(content)
    if not (isinstance(found, dict) and isinstance(found.get("images"), list) and "annotations" in found):
        return None
    names: dict[Any, Any] = {}
    for number, each in enumerate(found["images"], start=1):
        _check_coco(path, f"number {number} of the images", each, ("id", "file_name"))
        names[each["id"]] = each["file_name"]
    if not isinstance(found["annotations"], list):
        raise DataError(f"{path}: the annotations are no list", expected=_COCO, fix=_COCO_FIX)
    values = []
    for number, each in enumerate(found["annotations"], start=1):
        place = f"annotation {number}"
        _check_coco(path, place, each, ("image_id", "caption"))
        if each["image_id"] not in names:
            raise DataError(
                f"{path}: {place} is of no picture that is there",
                expected="an image_id that one of the images has as its id",
                got=each["image_id"],
                fix="delete it, or add the picture to the images",
            )
        values.append([names[each["image_id"]], each["caption"]])
    return Rows(path, _KEYS, values, list(range(1, len(values) + 1)), "annotation")


def _check_coco(path: Path, place: str, each: object, keys: Sequence[str]) -> None:
    """Refuse a part of a COCO file that is no object, or lacks a key, or has a number that is none."""
    if not isinstance(each, dict):
        raise DataError(f"{path}: {place} is no object", expected=_COCO, got=repr(each)[:60], fix=_COCO_FIX)
    missing = [key for key in keys if key not in each]
    if missing:
        raise DataError(f"{path}: {place} has no {missing[0]}", expected=_COCO, got=", ".join(each), fix=_COCO_FIX)
    if not isinstance(each[keys[0]], str | int):
        raise DataError(f"{path}: {place} has an {keys[0]} that is no number", expected=_COCO, fix=_COCO_FIX)


def _by_name(path: Path, content: str) -> Rows | None:
    """An object with the captions of each picture by its file name; None: it is something else."""
    found = _parsed(content)
    if not isinstance(found, dict) or not found or not all(name.lower().endswith(SUFFIXES) for name in found):
        return None
    values = [[name, captions] for name, captions in found.items()]
    return Rows(path, _KEYS, values, list(range(1, len(values) + 1)), "entry")


def _column(rows: Rows, role: str, asked: str | None) -> int:
    """The place of a column."""
    if asked is not None:
        if asked in rows.columns:
            return rows.columns.index(asked)
        if _NUMBER.fullmatch(asked) and 1 <= int(asked) <= len(rows.columns):
            return int(asked) - 1
        raise DataError(
            f"column {asked!r} is not in {rows.path.name}",
            got=", ".join(rows.columns),
            fix=did_you_mean(asked, rows.columns) or f"give --{role}-column 1 to {len(rows.columns)}",
        )
    folded = [name.strip().lower() for name in rows.columns]
    for name in _NAMES[role]:
        if name in folded:
            return folded.index(name)
    raise DataError(
        f"{rows.path.name} has no column of {'pictures' if role == 'image' else 'captions'}",
        expected=f"a column called {role}, or lines as name.jpg#0<TAB>caption",
        got=", ".join(rows.columns) or "no column",
        fix=f"name it with --{role}-column COLUMN" if rows.columns else None,
    )


def _word(value: Any) -> str:
    return "" if value is None or value is MISSING or value != value else str(value).strip()
