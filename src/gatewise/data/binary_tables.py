"""Parquet files and Excel workbooks as rows; each needs an extra of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gatewise.data.rows import Rows
from gatewise.data.text_files import refuse_empty
from gatewise.errors import DataError

__all__ = ["read_excel", "read_parquet"]

_ALIKE = 3
_EXCEL_ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"))


def read_parquet(path: Path, choose: Callable[[Sequence[str]], Sequence[int]] | None = None) -> Rows:
    """All rows of a Parquet file; with ``choose``, values of other columns are None and are not read.

    Raises:
        DataError: it is no Parquet file, or pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DataError(
            f"{path} needs pyarrow to be read", fix="pip install 'gatewise[parquet]', or save the file as CSV"
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            names = [str(name) for name in file.schema_arrow.names]
            places = list(range(len(names)) if choose is None else choose(names))
            wanted = None if len(set(places)) == len(names) else list(dict.fromkeys(names[place] for place in places))
            values: list[list[Any]] = []
            for batch in file.iter_batches(columns=wanted):
                found: list[list[Any]] = [[None] * batch.num_rows for _ in names]
                # by place and not by name alone: two columns may have the same
                free = list(range(len(names)))
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    place = next(place for place in free if names[place] == name)
                    free.remove(place)
                    found[place] = column.to_pylist()
                values += [list(row) for row in zip(*found, strict=True)]
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        refuse_empty(path)
        raise DataError(
            f"{path} is not a Parquet file, or a damaged one",
            expected="a whole Parquet file, with PAR1 at its beginning and end",
            got=str(error).splitlines()[0],
            fix="copy or download the file again, or save the table anew as Parquet or CSV",
        ) from error
    return Rows(path, tuple(names), values, list(range(1, len(values) + 1)), "row")


def read_excel(path: Path) -> Rows:
    """All rows of a workbook's first sheet that has any; its first row is the header.

    A formula counts as its last computed value, an error such as ``#N/A`` as an empty cell.

    Raises:
        DataError: it is no workbook, has no rows, or openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise DataError(
            f"{path} needs openpyxl to be read", fix="pip install 'gatewise[excel]', or save the sheet as CSV"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts of a workbook that nobody reads here
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        except Exception as error:  # openpyxl passes on whatever zipfile and its XML parser raise
            refuse_empty(path)
            raise DataError(
                f"{path} is not an Excel workbook, or a damaged one",
                expected="a whole workbook of Excel 2007 or later (.xlsx)",
                got=str(error).splitlines()[0] if str(error) else type(error).__name__,
                fix="save it anew as .xlsx, without a password, or as CSV",
            ) from error
        try:
            visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
            for sheet in visible:
                rows = _sheet_rows(path, sheet)
                if rows is not None:
                    if len(visible) > 1:
                        rows.notes.append(f"of the {len(visible)} sheets of {path.name}, {sheet.title!r} is read")
                    return rows
        finally:
            book.close()
    raise DataError(f"{path} is empty", expected="a sheet with a header row and rows")


def _sheet_rows(path: Path, sheet: Any) -> Rows | None:
    """The rows of one sheet; None: it is empty. Blank rows between others stay, those at the end do not."""
    sheet.reset_dimensions()  # what a workbook says of its size is often wrong
    written: list[tuple[int, list[Any]]] = []
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        row = [None if isinstance(cell, str) and cell in _EXCEL_ERRORS else cell for cell in cells]
        while row and row[-1] is None:
            row.pop()
        if row or written:
            written.append((number, row))
    while written and not written[-1][1]:
        written.pop()
    if not written:
        return None
    notes = []
    wider = next((place for place, (_, row) in enumerate(written) if len(row) > len(written[0][1])), None)
    if wider is not None and (above := _titles(written, wider)) is not None:
        number = written[above][0]
        notes.append(f"the rows above row {number} of {path.name} are no part of the table and left out")
        written = written[above:]
    header = ["" if cell is None else str(cell).strip() for cell in written[0][1]]
    values: list[list[Any]] = []
    for number, row in written[1:]:
        if len(row) > len(header):
            raise DataError(
                f"{path}, row {number}: the row has {len(row)} cells",
                expected=f"{len(header)}, as the header",
                fix="give every column a name in the header row, or delete what stands beside the table",
            )
        values.append(row + [None] * (len(header) - len(row)))
    return Rows(path, tuple(header), values, [number for number, _ in written[1:]], "row", notes)


def _titles(written: Sequence[tuple[int, list[Any]]], wider: int) -> int | None:
    """How many rows stand above the names of the columns, where the first row is no header; None: it is not clear.

    The names are the first row that is wider than the first one: each a word, with rows of numbers or dates below.
    """
    names = written[wider][1]
    following = [row for _, row in written[wider + 1 : wider + 1 + _ALIKE]]
    if not all(isinstance(name, str) and name.strip() for name in names) or len(following) < _ALIKE:
        return None
    alike = all(1 < len(row) <= len(names) and not all(isinstance(cell, str) for cell in row) for row in following)
    return wider if alike else None
