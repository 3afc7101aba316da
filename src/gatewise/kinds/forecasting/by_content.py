"""Whether a table holds series, by its first rows alone. Imports neither torch nor pandas."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from gatewise.data.separated import detect_separator
from gatewise.data.usual_names import neither_named
from gatewise.errors import DataError

__all__ = ["holds_series"]

_ENDINGS = (".csv", ".tsv", ".tab")
_CHARACTERS, _ROWS, _FEWEST = 65_536, 50, 8
_WORDS = 3
_DATE = re.compile(r"(\d{4}([-./])\d{1,2}(\2\d{1,2})?|\d{1,2}([-./])\d{1,2}\4\d{2,4})([ T,]+\d{1,2}:\d{2}\S*.*)?")
_NUMBER = re.compile(r"[-+]?\d[\d.,' ]*([eE][-+]?\d+)?%?")


def holds_series(path: Path) -> bool:
    r"""Whether the rows of a CSV or TSV file have a date and numbers, and no text that could be classified.

    Args:
        path: of a file that need not exist.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "sales.csv"
        >>> rows = [f"2026-01-{day:02},north,{day}" for day in range(1, 20)]
        >>> _ = path.write_text("\n".join(["day,shop,sales", *rows]))
        >>> holds_series(path)
        True
    """
    if not path.name.lower().endswith(_ENDINGS) or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            content = file.read(_CHARACTERS)
        lines = content.splitlines()[: _ROWS + 1]
        separator = detect_separator("\n".join(lines), "," if path.suffix.lower() == ".csv" else "\t")
        names, *rows = list(csv.reader(lines, delimiter=separator))
    except (OSError, ValueError, csv.Error, DataError):
        return False
    rows = [row for row in rows if len(row) == len(names)]
    if len(rows) < _FEWEST or not neither_named(names):
        return False
    columns = [[value.strip() for value in column if value.strip()] for column in zip(*rows, strict=True)]
    dates = [len(column) == len(rows) and all(map(_DATE.fullmatch, column)) for column in columns]
    numbers = [bool(column) and all(map(_NUMBER.fullmatch, column)) for column in columns]
    others = [column for column, *read in zip(columns, dates, numbers, strict=True) if not any(read)]
    return (
        any(dates)
        and any(number and not date for date, number in zip(dates, numbers, strict=True))
        and not any(map(_may_be_texts, others))
    )


def _may_be_texts(column: Sequence[str]) -> bool:
    """Whether the values of a column have many words, or hardly repeat."""
    return sum(len(value.split()) for value in column) > _WORDS * len(column) or 2 * len(set(column)) > len(column)
