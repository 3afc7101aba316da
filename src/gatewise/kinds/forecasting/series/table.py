"""A table of series (CSV, TSV, JSONL, Parquet, or a pandas frame) to checked columns, every error names the line."""

from __future__ import annotations

import csv
import io
import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.data.decimals import has_decimal_commas
from gatewise.data.separated import rare_separator
from gatewise.data.text_files import decode, read_text_file
from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.reading import TimeColumn, TimeRules, read_times
from gatewise.kinds.forecasting.series.signs import MISSING, plain_numbers

__all__ = [
    "SeriesTable",
    "check_columns",
    "column_names",
    "frame_of_records",
    "holds_numbers",
    "numbers_of",
    "read_frame",
]

_SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".csv.gz")
_APART = "'\u2019 \u00a0\u202f"
"""Marks that only ever separate thousands: apostrophes and spaces."""


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """The columns that are used, row by row as in the file.

    Attributes:
        groups: (N,) names of the series; empty strings without a group column.
        times: (N,) datetime64[us] or float64; None without a time column.
        values: (N, C) float64; NaN where the file has nothing.
        places: (N,) of each row, for messages.
        notes: what was changed while reading.
        form: how the times were written.
        covariates: the columns known for the future too, which are the last of `values`, and the constant ones.
        static: by name of the series, (S,) what is constant, encoded.
        decimal: the decimal mark of the numbers.
    """

    groups: list[str]
    times: npt.NDArray[Any] | None
    values: npt.NDArray[np.float64]
    places: list[str]
    notes: list[str]
    form: TimeForm = field(default_factory=lambda: TimeForm("number"))
    covariates: Covariates = field(default_factory=Covariates)
    static: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    decimal: str = "."


def column_names(words: str | int | Sequence[str | int] | None, columns: Iterable[str] = ()) -> tuple[str, ...]:
    """Names separated by commas, or given one by one.

    Args:
        words: the names.
        columns: those that there are; one of them may have commas in its name.

    Example:
        >>> column_names("open, volume")
        ('open', 'volume')
        >>> column_names("level (m, left), open", ["open", "level (m, left)"])
        ('level (m, left)', 'open')
        >>> column_names(0)
        ('0',)
    """
    if isinstance(words, int):  # as pandas numbers columns
        return (str(words),)
    if words is not None and not isinstance(words, str):
        return tuple(str(name) for name in words)
    parts, known, names = (words or "").split(","), set(columns), []
    while parts:
        ends = range(len(parts), 1, -1)
        end = next((end for end in ends if ",".join(parts[:end]).strip() in known), 1)
        names.append(",".join(parts[:end]).strip())
        parts = parts[end:]
    return tuple(name for name in names if name)


def read_frame(path: str | Path) -> tuple[pd.DataFrame, list[str]]:
    """All columns of a file as written, and the place of each row.

    Raises:
        DataError: the file cannot be read as a table.
    """
    path = Path(path).expanduser()
    name = path.name.lower()
    if path.exists() and not path.is_dir() and not name.endswith(_SUFFIXES):
        raise DataError(
            f"{path} has a suffix that is not known",
            expected=", ".join(_SUFFIXES),
            got=path.suffix or "no suffix",
            fix="save it as CSV with a header line",
        )
    if name.endswith(".parquet"):
        return _parquet(path)
    if name.endswith(".xlsx"):
        return _workbook(path)
    if name.endswith((".jsonl", ".ndjson")):
        return _json_lines(path, read_text_file(path))
    content = _gunzip(path) if name.endswith(".gz") and path.is_file() else read_text_file(path)
    return _separated(path, content, "\t" if name.endswith((".tsv", ".tab")) else ",")


def _gunzip(path: Path) -> str:
    import gzip

    try:
        return decode(gzip.decompress(path.read_bytes()), str(path))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} is not a gzip file, or a damaged one",
            expected="a whole gzip file",
            got=str(error),
            fix="copy or download the file again, or name it without .gz if it is not packed",
        ) from error


def _separated(path: Path, content: str, separator: str) -> tuple[pd.DataFrame, list[str]]:
    header_line = content.lstrip("\r\n").split("\n", 1)[0]
    if separator not in header_line:
        usual = next((other for other in ";\t|," if other in header_line), None)
        separator = usual or rare_separator(path, content) or separator
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
                raise DataError(
                    f"{path}, line {start}: the row has {len(row)} fields", expected=f"{len(header)}, as the header"
                )
            else:
                rows.append(row)
                places.append(f"{path.name}, line {start}")
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {start}: broken quoting ({error})", fix="close the quotation mark") from error
    return pd.DataFrame(rows, columns=_once(path, header or []), dtype=object), places


def _json_lines(path: Path, content: str) -> tuple[pd.DataFrame, list[str]]:
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON ({error.msg})", expected="one object a line") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: not a JSON object", got=type(record).__name__)
        rows.append(record)
        places.append(f"{path.name}, line {number}")
    return frame_of_records(rows, places)


def frame_of_records(rows: Sequence[Mapping[str, Any]], places: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """All columns of rows as JSON gave them, and the place of each row."""
    return pd.DataFrame.from_records(rows).astype(object), list(places)


def _parquet(path: Path) -> tuple[pd.DataFrame, list[str]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DataError(f"{path} needs pyarrow to be read", fix="pip install 'gatewise[parquet]'") from error
    if not path.exists():
        read_text_file(path)
    try:
        frame = parquet.read_table(path).to_pandas()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a Parquet file", got=str(error).splitlines()[0]) from error
    return frame.reset_index(drop=True), [f"{path.name}, row {number}" for number in range(1, len(frame) + 1)]


def _workbook(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The first sheet that has rows; blank rows are left out."""
    from gatewise.data.rows import read_rows

    rows = read_rows(path)
    kept = [place for place, row in enumerate(rows.values) if any(value is not None for value in row)]
    places = [f"{path.name}, row {rows.numbers[place]}" for place in kept]
    header = _once(path, list(rows.columns))
    return pd.DataFrame([rows.values[place] for place in kept], columns=header, dtype=object), places


def _once(path: Path, header: list[str]) -> list[str]:
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise DataError(f"{path} has the column {doubled[0]!r} twice", fix="rename one of them")
    return header


def check_columns(
    frame: pd.DataFrame,
    places: Sequence[str],
    name: str,
    time: str | None,
    columns: Sequence[str],
    group: str | None,
    rules: TimeRules | None = None,
    decimal: str = ".",
) -> SeriesTable:
    """Select the columns of a frame and convert them to times and numbers.

    Args:
        frame: values as written, or numbers and timestamps.
        places: of each row, for messages.
        name: of the whole, for messages.
        time: column with the time of each row; None: rows follow each other.
        columns: the C columns with numbers, targets first.
        group: column of the series' names.
        rules: how its times are read.
        decimal: the decimal mark of numbers; with a comma, points between digits separate thousands. A column of
            which no number can be read otherwise has commas by itself, with a note.

    Raises:
        DataError: a column, a time or a number cannot be used; the message names the line and the fix.

    Example:
        >>> frame = pd.DataFrame({"date": ["2026-01-01", "2026-01-02"], "close": ["10", "11.5"]})
        >>> check_columns(frame, ["line 2", "line 3"], "prices.csv", "date", ["close"], None).values.ravel().tolist()
        [10.0, 11.5]
    """
    places = list(places)
    known = [str(column) for column in frame.columns]
    for column in (*columns, *(each for each in (time, group) if each is not None)):
        if column not in known:
            raise DataError(
                f"column {column!r} is not in {name}",
                got=", ".join(known),
                fix=did_you_mean(column, known),
            )
    if len(set(columns)) != len(columns) or time in columns or group in columns:
        raise DataError(
            "a column is named for two things",
            expected="different columns for time, group, targets and features",
            got=", ".join([*columns, *(each for each in (time, group) if each is not None)]),
        )
    if len(frame) == 0:
        raise DataError(f"{name} has a header but no rows", fix="name a file that has records")
    commas = [column for column in columns if decimal == "." and _has_commas(frame[column])]
    marks = {column: "," if column in commas else decimal for column in columns}
    read = [numbers_of(frame[column], places, column, marks[column]) for column in columns]
    values = np.column_stack(read) if read else np.zeros((len(frame), 0))
    notes = [f"numbers with a decimal comma in {', '.join(commas)}"] if commas else []
    groups = [""] * len(frame) if group is None else _groups(frame[group], places, group)
    mark = next(iter(marks.values()), decimal)
    if time is None:
        return SeriesTable(groups, None, values, places, notes, decimal=mark)
    found: TimeColumn = read_times(frame[time].tolist(), places, time, rules, groups)
    return SeriesTable(groups, found.times, values, places, [*notes, *found.notes], found.form, decimal=mark)


def _groups(column: pd.Series[Any], places: list[str], name: str) -> list[str]:
    blank = column.isna() | (column.map(str).str.strip() == "")
    if blank.any():
        raise DataError(f"{places[int(blank.to_numpy().argmax())]}: the group in the column {name!r} is missing")
    return [str(value).strip() for value in column]


def _has_commas(column: pd.Series[Any]) -> bool:
    """Whether a column of strings surely has decimal commas; see `gatewise.data.decimals`."""
    if column.dtype.kind in "fiu":
        return False
    return has_decimal_commas(column[~_blank(column)])


def _blank(column: pd.Series[Any]) -> pd.Series[bool]:
    return column.isna() | column.map(lambda value: isinstance(value, str) and value.strip().lower() in MISSING)


def _mark_fix(written: str, decimal: str) -> str:
    """What to do about a word with digits that is no number with this decimal mark."""
    word = written.strip()
    if any(sign.isdigit() and not sign.isascii() for sign in word):
        return "write numbers with the digits 0 to 9"
    without = f"write this column without marks of thousands: {{}} instead of {word}"
    if decimal == "." and re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", word):  # read with commas, 1,234 would be 1.234
        return f"{without.format(word.replace(',', ''))}; or, if the comma begins the decimals: --decimal ,"
    if decimal == "." and re.fullmatch(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+", word):
        return "for numbers with a decimal comma: --decimal ,"
    if decimal == "," and re.fullmatch(r"[+-]?\d*\.\d+", word):
        return "omit --decimal if the numbers have a decimal point"
    if re.fullmatch(rf"[+-]?\d{{1,3}}([.,{_APART}]\d{{3}})+([.,]\d+)?", word):
        # a mark that is followed by other than three digits, or comes last and once, begins the decimals
        *before, last = re.split(rf"[.,{_APART}]", word)
        sign = word[-len(last) - 1]
        thousands = len(last) == 3 and (sign in _APART or word.count(sign) > 1)
        return without.format("".join(before) + (last if thousands else f"{decimal}{last}"))
    mark = "point" if decimal == "." else "comma"
    return f"write digits with a decimal {mark} and nothing else, such as 1981{decimal}97"


def _mostly_commas(column: pd.Series[Any]) -> bool:
    """Whether most values are numbers if commas are decimal marks, and have one."""
    found = column.map(lambda value: isinstance(value, str) and "," in value and _pointed(value) != "no number")
    return 2 * int(found.sum()) > len(found)


def _pointed(value: Any) -> Any:
    """A number with a decimal comma as one with a point; anything else as it is."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?(\d{1,3}(\.\d{3})+|\d*)(,\d+)?([eE][+-]?\d+)?\s*", value):
        return value.replace(".", "").replace(",", ".")
    return "no number" if isinstance(value, str) else value


def holds_numbers(column: pd.Series[Any], decimal: str = ".") -> bool:
    """Whether every value of a column that is not missing is a number, and there is one.

    Example:
        >>> holds_numbers(pd.Series(["1,5", "", "2,5"])), holds_numbers(pd.Series(["1.5", "high"]))
        (True, False)
    """
    if not (~_blank(column)).any() or column.dtype.kind in "bmM":
        return False
    column, _ = plain_numbers(column, decimal)
    try:
        numbers_of(column, [""] * len(column), "", "," if decimal == "." and _has_commas(column) else decimal)
    except DataError:
        return False
    return True


def numbers_of(column: pd.Series[Any], places: list[str], name: str, decimal: str = ".") -> npt.NDArray[np.float64]:
    """Numbers of a column; NaN where there is nothing."""
    if column.dtype.kind in "fiu":
        found = column.to_numpy(dtype=np.float64)
    else:
        blank = _blank(column)
        text = column.map(lambda value: isinstance(value, bool)) & ~blank
        plain = column.map(_pointed) if decimal == "," else column
        read = pd.to_numeric(plain.where(~blank, None), errors="coerce")
        text |= read.isna() & ~blank
        if text.any():
            if decimal == "." and _mostly_commas(column[~blank]):
                numbers_of(column, places, name, ",")  # names the value that hides the others' decimal comma
            row = int(text.to_numpy().argmax())
            written = str(column.iloc[row])
            raise DataError(
                f"{places[row]}: {written!r} in the column {name!r} is not a number",
                expected=f"a number such as 1234{decimal}5",
                fix=_mark_fix(written, decimal)
                if any(sign.isdigit() for sign in written)
                else "name a column of numbers; text cannot be forecast",
            )
        found = read.to_numpy(dtype=np.float64)
    if np.isinf(found).any():
        raise DataError(
            f"{places[int(np.isinf(found).argmax())]}: the value in the column {name!r} is infinite",
            expected="a finite number, or nothing where it is missing",
        )
    return found
