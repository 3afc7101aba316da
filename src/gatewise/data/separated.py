"""Separated files (CSV, TSV and the like): the separator is detected, broken quoting is an error with its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from gatewise.data.rows import Rows
from gatewise.errors import DataError

__all__ = ["detect_separator", "rare_separator", "read_separated"]

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_RARE = ("~", "^", "¦", "§", "\x01", "\x1f")
"""Signs that separate columns where the header has none of the usual ones."""
_BETWEEN = re.compile(r"(?<=\w)\s*([^\w\s\"'.,;|\-()]+)\s*(?=\w)")
_ENOUGH = 2
_SAMPLE_ROWS, _SAMPLE_CHARACTERS = 100, 1_000_000
_EXCEL_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


def detect_separator(content: str, usual: str) -> str:
    r"""The separator of a table.

    Of comma, semicolon, tab and vertical bar, the one that cuts header and first hundred rows into the same number of
    fields, at least two; of several the one with the most fields, the usual one first. Where none does, the first that
    the header has, so that the error names the row that does not fit.

    Args:
        content: of the file.
        usual: that of the file's suffix.

    Example:
        >>> detect_separator("text;label\nfine, really;1\n", ","), detect_separator("text,label\na;b,1\n", ",")
        (';', ',')
        >>> detect_separator('text\n"fine; really"\n', ",")
        ','
    """
    candidates = (usual, *(separator for separator in _SEPARATORS if separator != usual))
    widths = [_width(content, separator) for separator in candidates]
    if any(widths):
        return candidates[widths.index(max(widths))]
    header = re.split(r"[\r\n]", content.lstrip("\r\n"), maxsplit=1)[0]
    return next((separator for separator in candidates if separator in header), usual)


def rare_separator(path: Path, content: str) -> str | None:
    r"""The rare sign that separates a file's columns; None: its header has one of the usual ones, or it has one column.

    Args:
        path: of the file, for messages.
        content: its text.

    Raises:
        DataError: a sign that is not looked for stands as often in each of the first rows as in the header.

    Example:
        >>> rare_separator(Path("a.csv"), "text~label\na film~good\n")
        '~'
        >>> rare_separator(Path("a.csv"), "text::label\na film::good\na plot::bad\n")
        Traceback (most recent call last):
        gatewise.errors.DataError: the columns of a.csv seem to be separated by '::'; expected: ...
    """
    lines = [line for line in re.split(r"\r\n|\n|\r", content[:_SAMPLE_CHARACTERS]) if line.strip()][: _SAMPLE_ROWS + 1]
    if not lines or any(sign in lines[0] for sign in _SEPARATORS):
        return None
    found = [sign for sign in _RARE if _width(content, sign)]
    if found:
        return max(found, key=lambda sign: _width(content, sign))
    for sign in dict.fromkeys(_BETWEEN.findall(lines[0])):
        if len(lines) > _ENOUGH and {line.count(sign) for line in lines} == {lines[0].count(sign)}:
            line = f"put the line sep={sign} above it, or " if len(sign) == 1 else ""
            raise DataError(
                f"the columns of {path.name} seem to be separated by {sign!r}",
                expected=f"{', '.join(_SEPARATORS.values())}, or one of {' '.join(_RARE[:4])}",
                got=f"a header that is one column: {lines[0].strip()!r}",
                fix=f"{line}replace each {sign!r} that separates columns by a tab",
            )
    return None


def _width(content: str, separator: str) -> int:
    """How many fields the first rows all have; 0: different numbers, one only, or broken quoting."""
    sample = content[:_SAMPLE_CHARACTERS]
    whole = len(sample) == len(content)
    rows: list[list[str]] = []
    try:
        for row in islice(_reader(sample, separator), _SAMPLE_ROWS):
            if row and row != [""]:
                rows.append(row)
    except csv.Error:
        if whole:
            return 0
    if not whole and len(rows) < _SAMPLE_ROWS:
        rows = rows[:-1]
    widths = {len(row) for row in rows}
    return widths.pop() if len(widths) == 1 and len(rows[0]) > 1 else 0


def read_separated(path: Path, content: str, usual: str) -> Rows:
    """All rows of a separated file with a header line.

    Args:
        path: of the file, for messages.
        content: its text.
        usual: the separator of its suffix.

    Raises:
        DataError: broken quoting, or a row with another number of fields than the header.
    """
    notes = []
    skipped = 0
    named = _EXCEL_LINE.match(content)
    if named:  # a line that Excel writes and hides
        separator, skipped, content = named.group(1), 1, content[named.end() :]
    else:
        with _any_field_size():
            separator = rare_separator(path, content) or detect_separator(content, usual)
    if separator != usual:
        notes.append(f"{path.name} is read as separated by {_SEPARATORS.get(separator, repr(separator))}")
    header: list[str] | None = None
    values: list[list[str]] = []
    numbers: list[int] = []
    start = 1 + skipped
    with _any_field_size():
        reader = _reader(content, separator)
        try:
            for row in reader:
                if header is None:
                    if row and row != [""]:
                        header = [name.strip() for name in row]
                elif row and (row != [""] or len(header) == 1):
                    if len(row) != len(header):
                        raise _width_error(path, start, len(row), len(header))
                    values.append(row)
                    numbers.append(start)
                start = reader.line_num + 1 + skipped
        except csv.Error as error:
            raise DataError(
                f"{path}, line {start}: broken quoting in the row that starts here ({error})",
                fix='close the quotation mark, and write a quotation mark inside a quoted text twice: ""',
            ) from error
    if header is None:
        raise DataError(f"{path} has no header", expected="a header line and rows")
    return Rows(path, tuple(header), list(values), numbers, notes=notes)


def _reader(content: str, separator: str) -> Any:
    # `strict` makes a stray quotation mark an error instead of a silently merged pair of rows
    return csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)


def _width_error(path: Path, line: int, found: int, expected: int) -> DataError:
    return DataError(
        f"{path}, line {line}: the row has {found} field{'' if found == 1 else 's'}",
        expected=f"{expected}, as the header",
        fix="put texts that hold the separator or a line break in double quotes"
        + ("" if expected > 1 else ", or delete what stands above the line with the columns' names"),
    )


@contextmanager
def _any_field_size() -> Iterator[None]:
    """Lift the csv module's limit of 128 KiB a field, which is global, while a file is read."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)
