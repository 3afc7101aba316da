"""JSON tables: one object a line, a list of objects, or an object of columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewise.data.rows import MISSING, Rows
from gatewise.errors import DataError

__all__ = ["read_json_lines", "read_json_table"]

_KEYS = ("text", "label")
_REPAIR = "repair it: each object is complete, its names and texts in double quotes"
_OTHERWISE = "write the table so, or save it as CSV"


def read_json_lines(path: Path, content: str, keys: Sequence[str] = _KEYS) -> Rows:
    """One object a line; the columns are all keys in the order in which they come.

    Args:
        path: of the file, for messages.
        content: of the file.
        keys: what objects have, for messages.

    Raises:
        DataError: a line is not an object.
    """
    expected = f"one object a line: {_object(keys)}"
    records: list[Mapping[str, Any]] = []
    numbers: list[int] = []
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            said = (
                f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else "too deep"
            )
            raise DataError(
                f"{path}, line {number}: not JSON ({said})", expected=expected, got=_short(line), fix=_REPAIR
            ) from error
        if not isinstance(record, dict):
            fix = "name the file .json if it is one list of objects" if isinstance(record, list) else None
            raise DataError(f"{path}, line {number}: not a JSON object", got=_kind(record), expected=expected, fix=fix)
        records.append(record)
        numbers.append(number)
    return _table(path, records, numbers, "line", [])


def read_json_table(path: Path, content: str, keys: Sequence[str] = _KEYS) -> Rows:
    """A list of objects, or an object of columns: lists of the same length, or objects with the same keys.

    A file that has one object a line is read as such, and said.

    Args:
        path: of the file, for messages.
        content: of the file.
        keys: what objects have, for messages.

    Raises:
        DataError: it is neither.
    """
    expected = f"a list of objects: [{_object(keys)}], or an object of columns: {_object(keys, '[...]')}"
    try:
        found = json.loads(content)
    except RecursionError as error:
        raise DataError(
            f"{path} is not a table", expected=expected, got="lists in lists, too deep", fix=_OTHERWISE
        ) from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and content.lstrip().startswith("{"):
            rows = read_json_lines(path, content, keys)
            rows.notes.append(f"{path.name} has one object a line and was read as JSON lines")
            return rows
        raise DataError(
            f"{path}, line {error.lineno}: not JSON ({error.msg} at character {error.colno})",
            expected=expected,
            got=_short(content.split("\n")[error.lineno - 1]),
            fix=_REPAIR,
        ) from error
    notes = []
    if isinstance(found, dict):
        inside = [name for name, value in found.items() if _is_records(value)]
        if len(inside) == 1 and len(found) == 1:
            notes.append(f"the rows of {path.name} are the list {inside[0]!r}")
            found = found[inside[0]]
        elif found:
            return _of_columns(path, found, expected)
        else:
            raise DataError(f"{path} has no columns", expected=expected, fix=_OTHERWISE)
    if not isinstance(found, list):
        raise DataError(f"{path} is not a table", expected=expected, got=_kind(found), fix=_OTHERWISE)
    for place, record in enumerate(found, start=1):
        if not isinstance(record, dict):
            raise DataError(
                f"{path}, row {place}: not a JSON object", expected=expected, got=_kind(record), fix=_OTHERWISE
            )
    return _table(path, found, list(range(1, len(found) + 1)), "row", notes)


def _object(keys: Sequence[str], value: str = '"..."') -> str:
    """An object with these keys, for messages."""
    return "{" + ", ".join(f'"{key}": {value}' for key in keys) + "}"


def _short(line: str) -> str:
    """The beginning of what could not be read."""
    word = line.strip()
    return repr(word if len(word) <= 60 else f"{word[:59]}…")


def _is_records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(record, dict) for record in value)


def _of_columns(path: Path, found: Mapping[str, Any], expected: str) -> Rows:
    """Columns as lists, or, as pandas writes them, as objects by row name."""
    columns: dict[str, list[Any]] = {}
    first_name, first = next(iter(found.items()))
    for name, column in found.items():
        same = isinstance(column, type(first)) and isinstance(column, (list, dict))
        if not same or len(column) != len(first) or (isinstance(column, dict) and column.keys() != first.keys()):
            if isinstance(column, (list, dict)) and isinstance(column, type(first)):
                got = f"{len(first)} in {first_name!r}, {len(column)} in {name!r}"
                raise DataError(f"{path}: the column {name!r} has other rows", expected="as many in each", got=got)
            raise DataError(f"{path}: {name!r} is not a column", expected=expected, got=_kind(column))
        columns[name] = list(column.values()) if isinstance(column, dict) else column
        if isinstance(column, dict):
            columns[name] = [column[key] for key in first]
    values = [list(row) for row in zip(*columns.values(), strict=True)]
    return Rows(path, tuple(columns), values, list(range(1, len(values) + 1)), "row")


def _table(path: Path, records: Sequence[Mapping[str, Any]], numbers: list[int], unit: str, notes: list[str]) -> Rows:
    columns = tuple(dict.fromkeys(str(key) for record in records for key in record))
    values = [[record.get(name, MISSING) for name in columns] for record in records]
    return Rows(path, columns, values, numbers, unit, notes)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
