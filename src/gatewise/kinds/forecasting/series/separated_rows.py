"""A separated file (CSV, TSV) to rows, as programs and spreadsheets leave one: blank ends, lines above the names."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd

from gatewise.data.separated import detect_separator, rare_separator
from gatewise.errors import DataError

__all__ = ["named_once", "read_separated"]

_SIGNS = ";\t|,"
_LOOKED_AT = 30
_ALIKE = 3
_NUMBER = re.compile(r"\s*\"?[^\w\"]*\d[\d.,'\u2019\s]*[^\w\"]*\"?\s*")


def read_separated(path: Path, content: str, usual: str) -> tuple[pd.DataFrame, list[str]]:
    """All columns of a separated file as written, and the place of each row.

    Blank rows at the end and columns without a name and a value are left out.

    Args:
        path: of the file, for messages.
        content: its text.
        usual: the separator of the file's suffix.

    Raises:
        DataError: broken quoting, a row of another width, a name twice, or lines above the columns' names.

    Example:
        >>> frame, places = read_separated(Path("a.csv"), "day;sales;\\n2026-01-01;5,5;\\n;;\\n", ",")
        >>> list(frame.columns), frame.values.tolist(), places
        (['day', 'sales'], [['2026-01-01', '5,5']], ['a.csv, line 2'])
    """
    separator = _separator(path, content, usual)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    rows: list[list[str]] = []
    places: list[str] = []
    start = 1
    try:
        for row in reader:
            if not row or row == [""]:
                pass
            elif header is None:
                header = [name.strip() for name in row]
            elif len(row) != len(header):
                _refuse_lines_above(path, content)
                raise DataError(
                    f"{path}, line {start}: the row has {len(row)} fields", expected=f"{len(header)}, as the header"
                )
            else:
                rows.append(row)
                places.append(f"{path.name}, line {start}")
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {start}: broken quoting ({error})", fix="close the quotation mark") from error
    if header is not None and len(header) == 1:
        _refuse_lines_above(path, content)
    while rows and len(rows[0]) > 1 and not any(value.strip() for value in rows[-1]):
        rows.pop()
        places.pop()
    header = header or []
    kept = [place for place, name in enumerate(header) if name or any(row[place].strip() for row in rows)]
    names = named_once(path, [header[place] for place in kept])
    if len(kept) < len(header):
        rows = [[row[place] for place in kept] for row in rows]
    return pd.DataFrame(rows, columns=names, dtype=object), places


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


def _refuse_lines_above(path: Path, content: str) -> None:
    """Refuse a file whose table begins below its first line: names, then rows of as many fields with numbers.

    Raises:
        DataError: it names the line with the names.
    """
    lines = content.splitlines()[: _LOOKED_AT + _ALIKE + 1]
    for sign in _SIGNS:
        for number in range(1, min(_LOOKED_AT, len(lines) - _ALIKE)):
            names = [name.strip() for name in lines[number].split(sign)]
            following = [line.split(sign) for line in lines[number + 1 : number + 1 + _ALIKE]]
            if len(names) < 2 or any(_NUMBER.fullmatch(name) or not name for name in names):
                continue
            if all(len(row) == len(names) and any(map(_NUMBER.fullmatch, row)) for row in following):
                first = next(line for line in lines if line.strip())
                raise DataError(
                    f"{path} has lines above the names of its columns",
                    expected="the names in the first line",
                    got=f"{first.strip()!r} there, and {lines[number].strip()!r} in line {number + 1}",
                    fix=f"delete the lines above line {number + 1}",
                )
