"""Columns of written numbers to numbers; an error names the line, and what the marks may have been."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.data.decimals import has_decimal_commas
from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.signs import MISSING, Marks, plain_numbers

__all__ = ["has_commas", "holds_numbers", "numbers_of"]

_APART = "'\u2019 \u00a0\u202f"
"""Marks that only ever separate thousands: apostrophes and spaces."""


def has_commas(column: pd.Series[Any]) -> bool:
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
        either = f"--thousands , if the comma separates thousands: {word.replace(',', '')} instead of {word}"
        return f"{either}; or, if the comma begins the decimals: --decimal ,"
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


def holds_numbers(column: pd.Series[Any], marks: Marks | None = None) -> bool:
    """Whether every value of a column that is not missing is a number, and there is one.

    Example:
        >>> holds_numbers(pd.Series(["1,5", "", "2,5"])), holds_numbers(pd.Series(["1.5", "high"]))
        (True, False)
    """
    if not (~_blank(column)).any() or column.dtype.kind in "bmM":
        return False
    marks = marks or Marks()
    column, _ = plain_numbers(column, marks.decimal, marks.thousands)
    commas = marks.decimal == "." and marks.thousands != "," and has_commas(column)
    try:
        numbers_of(column, [""] * len(column), "", "," if commas else marks.decimal)
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
