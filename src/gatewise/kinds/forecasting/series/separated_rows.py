"""A separated file (CSV, TSV) to rows, as programs and spreadsheets leave one: blank ends, lines above the names."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd

from gatewise.data.separated import detect_separator, rare_separator
from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.signs import MISSING

__all__ = ["named_once", "read_separated"]

_SIGNS = ";\t|,"
_LOOKED_AT = 30
_ALIKE = 3
_MOST_BELOW = 5
_WORDS = re.compile(r"[^\W\d_]{3}")
_NUMBER = re.compile(r"\s*\"?[^\w\"]*\d[\d.,'\u2019\s]*[^\w\"]*\"?\s*")


def read_separated(path: Path, content: str, usual: str) -> tuple[pd.DataFrame, list[str]]:
    """All columns of a separated file as written, and the place of each row.

    Blank rows at the end and columns without a name and a value are left out; so are, with a note in
    ``attrs["notes"]``, titles above the columns' names and lines of text below the table.

    Args:
        path: of the file, for messages.
        content: its text.
        usual: the separator of the file's suffix.

    Raises:
        DataError: broken quoting, a row of another width, or a name twice.

    Example:
        >>> frame, places = read_separated(Path("a.csv"), "day;sales;\\n2026-01-01;5,5;\\n;;\\n", ",")
        >>> list(frame.columns), frame.values.tolist(), places
        (['day', 'sales'], [['2026-01-01', '5,5']], ['a.csv, line 2'])
    """
    separator = _separator(path, content, usual)
    notes: list[str] = []
    try:
        header, rows, places = _table_of(path, content, separator, notes)
        blank = any(not name and any(row[at].strip() for row in rows) for at, name in enumerate(header or []))
        above = _names_line(content) if blank or (header is not None and len(header) == 1) else None
    except DataError:
        above = _names_line(content)
        if above is None:
            raise
    if above is not None:
        lines = content.splitlines(keepends=True)
        first = next(line for line in lines if line.strip()).strip(f"{_SIGNS} \r\n")
        notes = [
            f"the lines above line {above + 1} of {path.name} ({first!r} ...) are no part of the table and left out"
        ]
        below = "".join(lines[above:])
        separator = _separator(path, below, usual)
        header, rows, places = _table_of(path, below, separator, notes, start=above + 1)
    while rows and len(rows[0]) > 1 and not any(value.strip() for value in rows[-1]):
        rows.pop()
        places.pop()
    header = header or []
    kept = [place for place, name in enumerate(header) if name or any(row[place].strip() for row in rows)]
    names = named_once(path, [header[place] for place in kept])
    if len(kept) < len(header):
        rows = [[row[place] for place in kept] for row in rows]
    frame = pd.DataFrame(rows, columns=names, dtype=object)
    frame.attrs["notes"] = notes
    return frame, places


def _table_of(
    path: Path, content: str, separator: str, notes: list[str], start: int = 1
) -> tuple[list[str] | None, list[list[str]], list[str]]:
    """(the names, rows, the place of each row) of a text whose first line has the names; notes on lines below it.

    Raises:
        DataError: broken quoting, or a row of another width.
    """
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    rows: list[list[str]] = []
    places: list[str] = []
    ends: list[tuple[int, list[str]]] = []
    offset = start - 1
    try:
        for row in reader:
            if not row or row == [""]:
                pass
            elif header is None:
                header = [name.strip() for name in row]
            elif len(row) != len(header) or ends:
                ends.append((start, row))
            else:
                rows.append(row)
                places.append(f"{path.name}, line {start}")
            start = offset + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {start}: broken quoting ({error})", fix="close the quotation mark") from error
    if ends:
        footer = len(rows) >= _ALIKE and len(ends) <= _MOST_BELOW
        if not footer or not all(len(row) == 1 and _WORDS.search(row[0]) for _, row in ends):
            line, row = ends[0]
            raise DataError(
                f"{path}, line {line}: the row has {len(row)} fields", expected=f"{len(header or [])}, as the header"
            )
        below = f"line {ends[0][0]}" + (f" and {len(ends) - 1} below" if len(ends) > 1 else "")
        notes.append(f"{below} of {path.name} ({ends[0][1][0].strip()!r}) is no row of the table and left out")
    return header, rows, places


def _separator(path: Path, content: str, usual: str) -> str:
    """That of the suffix where the header has it, else another; of several the one that cuts all rows alike."""
    header = content.lstrip("\r\n").split("\n", 1)[0]
    found = [sign for sign in _SIGNS if sign in header]
    if len(found) > 1 and (usual == "," or usual not in header):
        return detect_separator(content, found[0])  # a comma may stand in names and decimals, beside semicolons
    if usual in header:
        return usual
    return found[0] if found else rare_separator(path, content) or usual


def named_once(path: Path, header: list[str]) -> list[str]:
    """The names of columns, as they are.

    Raises:
        DataError: one is there twice.
    """
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise DataError(f"{path} has the column {doubled[0]!r} twice", fix="rename one of them")
    return header


def _names_line(content: str) -> int | None:
    """How many lines stand above the names of a table: lines of fewer fields, names, then rows of as many with numbers.

    Returns:
        The number; None: no such table is found.
    """
    lines = content.splitlines()[: _LOOKED_AT + _ALIKE + 1]
    for sign in _SIGNS:
        for number in range(1, min(_LOOKED_AT, len(lines) - _ALIKE)):
            names = [name.strip() for name in lines[number].split(sign)]
            following = [line.split(sign) for line in lines[number + 1 : number + 1 + _ALIKE]]
            if len(names) < 2 or any(map(_is_value, names)):
                continue
            if any(sum(map(bool, map(str.strip, line.split(sign)))) >= len(names) for line in lines[:number]):
                return None  # a row of the table that begins above, whatever follows
            if all(len(row) == len(names) and any(map(_NUMBER.fullmatch, row)) for row in following):
                return number
    return None


def _is_value(word: str) -> bool:
    """Whether a field is a number, a date, or one for a missing value, and so no name of a column."""
    return word.lower() in MISSING or word[:1].isdigit() or _NUMBER.fullmatch(word) is not None
