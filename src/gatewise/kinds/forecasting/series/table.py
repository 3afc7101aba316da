"""A table of series (CSV, TSV, JSONL, Parquet, or a pandas frame) to checked columns, every error names the line."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.data.encodings import decode_as
from gatewise.data.text_files import decode, read_content, read_text_file
from gatewise.data.western import is_windows_1252
from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.numbers import has_commas, numbers_of
from gatewise.kinds.forecasting.series.reading import TimeColumn, TimeRules, read_times
from gatewise.kinds.forecasting.series.separated_rows import named_once, read_separated
from gatewise.kinds.forecasting.series.together import read_together

__all__ = [
    "SeriesTable",
    "check_columns",
    "column_names",
    "frame_of_records",
    "read_frame",
    "time_columns",
]

_SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".csv.gz")


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
        thousands: the mark between their thousands, named or found; None: none.
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
    thousands: str | None = None


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


def time_columns(time: str | None, frame: pd.DataFrame) -> tuple[str, ...]:
    """The columns of a frame that are the time of its rows: none, one, or several together.

    Example:
        >>> time_columns("year, month", pd.DataFrame(columns=["year", "month", "sales"]))
        ('year', 'month')
    """
    known = [str(column) for column in frame.columns]
    return () if time is None else (time,) if time in known else column_names(time, known) or (time,)


def read_frame(path: str | Path) -> tuple[pd.DataFrame, list[str]]:
    """All columns of a file as written, and the place of each row; ``attrs["notes"]`` of the frame has notes.

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
    content = _gunzip(path) if name.endswith(".gz") and path.is_file() else read_content(path)
    text, said = _decoded(content, path)
    if name.endswith((".jsonl", ".ndjson")):
        frame, places = _json_lines(path, text)
    else:
        frame, places = read_separated(path, text, "\t" if name.endswith((".tsv", ".tab")) else ",")
    frame.attrs["notes"] = said
    return frame, places


def _decoded(content: bytes, path: Path) -> tuple[str, list[str]]:
    """The text of a table and a note on its encoding: UTF-8, what its mark says, or what is surely Windows-1252."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        return decode_as(content, str(path))
    try:
        return decode(content, str(path)), []
    except DataError:
        if b"\0" in content or not is_windows_1252(content):
            raise
    return content.decode("cp1252"), [f"{path.name} is not UTF-8 and was read as Windows-1252"]


def _gunzip(path: Path) -> bytes:
    import gzip

    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} is not a gzip file, or a damaged one",
            expected="a whole gzip file",
            got=str(error),
            fix="copy or download the file again, or name it without .gz if it is not packed",
        ) from error


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
    header = named_once(path, list(rows.columns))
    frame = pd.DataFrame([rows.values[place] for place in kept], columns=header, dtype=object)
    frame.attrs["notes"] = list(rows.notes)
    return frame, places


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
        time: column with the time of each row, or several that are one time together, separated by commas; None: rows
            follow each other.
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
    known, moments = [str(column) for column in frame.columns], time_columns(time, frame)
    for column in (*columns, *moments, *((group,) if group is not None else ())):
        if column not in known:
            raise DataError(
                f"column {column!r} is not in {name}",
                got=", ".join(known) + "".join(f"; {note}" for note in frame.attrs.get("notes", ())),
                fix=did_you_mean(column, known),
            )
    if len({*columns, *moments}) != len(columns) + len(moments) or group in columns:
        raise DataError(
            "a column is named for two things",
            expected="different columns for time, group, targets and features",
            got=", ".join([*columns, *moments, *((group,) if group is not None else ())]),
        )
    if len(frame) == 0:
        raise DataError(f"{name} has a header but no rows", fix="name a file that has records")
    commas = [column for column in columns if decimal == "." and has_commas(frame[column])]
    marks = {column: "," if column in commas else decimal for column in columns}
    read = [numbers_of(frame[column], places, column, marks[column]) for column in columns]
    values = np.column_stack(read) if read else np.zeros((len(frame), 0))
    notes = [f"numbers with a decimal comma in {', '.join(commas)}"] if commas else []
    groups = [""] * len(frame) if group is None else _groups(frame[group], places, group)
    mark = next(iter(marks.values()), decimal)
    if time is None:
        return SeriesTable(groups, None, values, places, notes, decimal=mark)
    found: TimeColumn = (
        read_together(frame, moments, places, rules, groups)
        if len(moments) > 1
        else read_times(frame[time].tolist(), places, time, rules, groups)
    )
    return SeriesTable(groups, found.times, values, places, [*notes, *found.notes], found.form, decimal=mark)


def _groups(column: pd.Series[Any], places: list[str], name: str) -> list[str]:
    blank = column.isna() | (column.map(str).str.strip() == "")
    if blank.any():
        raise DataError(f"{places[int(blank.to_numpy().argmax())]}: the group in the column {name!r} is missing")
    return [str(value).strip() for value in column]
