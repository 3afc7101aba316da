"""A user's table (CSV, TSV, JSONL, JSON, Parquet, Excel) as whole rows, each with its line; no row is dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatewise.data.encodings import check_encoding, decode_as
from gatewise.data.tab_tables import holds_tab_table
from gatewise.data.text_files import read_content
from gatewise.errors import DataError

__all__ = ["MISSING", "TABLE_SUFFIXES", "Rows", "is_table", "read_rows", "read_text"]

TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx")
"""The formats by their suffix; those that are text may be packed with gzip: ``.csv.gz``."""
_BINARY = (".parquet", ".xlsx")


class _Missing:
    """A value that a JSON object does not have."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


@dataclass(frozen=True)
class Rows:
    """All rows of a table.

    Attributes:
        path: of the file.
        columns: names in order; a name may come twice, or be empty.
        values: of each row, one per column: strings of separated files, otherwise what the format has; None is empty,
            `MISSING` a key that a JSON object does not have.
        numbers: line or row of the file where each row starts.
        unit: ``line`` or ``row``.
        notes: what was detected, for the user.
    """

    path: Path
    columns: tuple[str, ...]
    values: list[list[Any]]
    numbers: list[int]
    unit: str = "line"
    notes: list[str] = field(default_factory=list)

    def place(self, index: int) -> str:
        """A row for messages: ``reviews.csv, line 7``."""
        return f"{self.path}, {self.unit} {self.numbers[index]}"

    def where(self, indices: Sequence[int]) -> str:
        """Some rows for messages: ``lines 3, 8``, the first five of them."""
        shown = ", ".join(str(self.numbers[index]) for index in indices[:5])
        return f"{self.unit}{'s' if len(indices) > 1 else ''} {shown}{' ...' if len(indices) > 5 else ''}"


def table_suffix(path: Path) -> str:
    """The suffix that says a file's format: ``.csv`` of ``reviews.csv.gz``; of a packed binary format, ``.gz``."""
    suffix = path.suffix.lower()
    inner = Path(path.stem).suffix.lower() if suffix == ".gz" else ""
    return inner if inner in TABLE_SUFFIXES and inner not in _BINARY else suffix


def is_table(path: Path) -> bool:
    """Whether a file is a table by its suffix.

    Example:
        >>> is_table(Path("reviews.csv.gz")), is_table(Path("reviews.txt")), is_table(Path("reviews.xlsx.gz"))
        (True, False, False)
    """
    return table_suffix(path) in TABLE_SUFFIXES


def read_text(
    path: Path, encoding: str | None, expected: str = "a header line and rows", fallback: str | None = None
) -> tuple[str, list[str]]:
    """A text file's content, and notes on its encoding; see `gatewise.data.encodings.decode_as`.

    Raises:
        DataError: the file is missing, empty, or in another encoding.
        OptionError: no such encoding.
    """
    if encoding is not None:
        check_encoding(encoding)
    return decode_as(read_content(path, expected), str(path), encoding, fallback)


def read_rows(
    path: str | Path,
    *,
    encoding: str | None = None,
    fallback: str | None = None,
    choose: Callable[[Sequence[str]], Sequence[int]] | None = None,
    keys: Sequence[str] = ("text", "label"),
) -> Rows:
    """Read all rows of a table.

    Args:
        path: the file; its suffix says the format, but for lines that begin with fastText's ``__label__``
            and for text files that hold a label and a text a line, see `gatewise.data.tab_tables`.
        encoding: of a text format; None: detected, see `gatewise.data.encodings.decode_as`.
        fallback: the encoding of a text format that is not UTF-8 where none is given.
        choose: from the column names to the places of the columns that are needed; a Parquet file is then read in
            these alone, and the other values are None. None: all.
        keys: what a JSON object of a row has, for messages.

    Raises:
        DataError: the file cannot be used; the message names the line and the fix.
        OptionError: no such encoding, or an encoding for a binary format.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "reviews.csv"
        >>> _ = path.write_text('id;review\\n1;"good\\nfilm"\\n2;\\n')
        >>> rows = read_rows(path)
        >>> rows.columns, rows.values, rows.numbers
        (('id', 'review'), [['1', 'good\\nfilm'], ['2', '']], [2, 4])
    """
    from gatewise.data.labelled_lines import holds_labelled_lines, read_labelled_lines

    path = Path(path)
    labelled = holds_labelled_lines(path)
    suffix = ".tsv" if not labelled and holds_tab_table(path) else table_suffix(path)
    if path.is_file() and suffix not in TABLE_SUFFIXES and not labelled:
        raise DataError(
            f"{path} has a suffix that is not known",
            expected=", ".join(TABLE_SUFFIXES) + "; text formats also with .gz",
            got=suffix or "no suffix",
            fix=_other_suffix(suffix),
        )
    if suffix in _BINARY:
        if encoding is not None:
            raise DataError(f"{path} has its own encoding", got=f"--encoding {encoding}", fix="omit --encoding")
        if not path.is_file():
            read_content(path)
        from gatewise.data import binary_tables

        return binary_tables.read_parquet(path, choose) if suffix == ".parquet" else binary_tables.read_excel(path)
    content, notes = read_text(path, encoding, fallback=fallback)
    if labelled:
        rows = read_labelled_lines(path, content)
    elif suffix in (".jsonl", ".ndjson"):
        from gatewise.data.json_tables import read_json_lines

        rows = read_json_lines(path, content, keys)
    elif suffix == ".json":
        from gatewise.data.json_tables import read_json_table

        rows = read_json_table(path, content, keys)
    else:
        from gatewise.data.separated import read_separated

        rows = read_separated(path, content, "\t" if suffix in (".tsv", ".tab") else ",")
    rows.notes[:0] = notes
    return rows


def _other_suffix(suffix: str) -> str:
    if suffix in (".xls", ".xlsm", ".xlsb", ".ods"):
        return "save it as .xlsx or as CSV"
    if suffix in (".zip", ".bz2", ".xz", ".zst", ".7z", ".gz"):
        return "unpack it first"
    return "save it as CSV with a header line, or as JSONL: one JSON object a line"
