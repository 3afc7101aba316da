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
    header: list[str] | None = None
    values: list[list[Any]] = []
    numbers: list[int] = []
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        row = [None if isinstance(cell, str) and cell in _EXCEL_ERRORS else cell for cell in cells]
        while row and row[-1] is None:
            row.pop()
        if header is None:
            if row:
                header = ["" if cell is None else str(cell).strip() for cell in row]
            continue
        if len(row) > len(header):
            raise DataError(
                f"{path}, row {number}: the row has {len(row)} cells",
                expected=f"{len(header)}, as the header",
                fix="give every column a name in the header row, or delete what stands beside the table",
            )
        values.append(row + [None] * (len(header) - len(row)))
        numbers.append(number)
    while values and not any(cell is not None for cell in values[-1]):
        values.pop()
        numbers.pop()
    return None if header is None else Rows(path, tuple(header), values, numbers, "row")
