"""Numbers as people write them: with a currency, a percent sign, marks of thousands, brackets for negative ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.checks import check_marks

__all__ = ["MISSING", "Marks", "Plain", "plain_frame", "plain_numbers"]

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "?"))
"""What stands for a missing number, in small letters."""
_SIGN = r"€|\$|£|¥|₹|₽|₺|₩|%|EUR|USD|GBP|CHF|JPY|US\$"
_WRITTEN = re.compile(
    rf"(?P<minus>[+-]?)\s*(?P<before>{_SIGN})?\s*(?P<inner>[+-]?)(?P<digits>[\d.,'’\s]*\d)\s*(?P<after>{_SIGN})?"
)
_SPACED = re.compile(r"\d{1,3}(?:['’ \u00a0\u202f]\d{3})+(?:[.,]\d+)?")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_LONG = re.compile(r"\d{4}")
_LEAST = 2
"""Numbers with marks of thousands: one alone among others may be a slip."""
_POINTED = re.compile(r"\d*\.?\d+")
_POINTS = re.compile(r"\d{1,3}(?:\.\d{3})*")
_EITHER = re.compile(r"[+-]?(?:[1-9]\d{0,2}\.\d{3}|\d{1,3})")
_BETWEEN = {",": ",", ".": r"\.", "'": "['’]", "space": r"\s"}
"""The marks between thousands, as patterns."""
_NAMES = {",": "commas of thousands", ".": "points of thousands"}


@dataclass(frozen=True)
class Marks:
    """The marks within numbers.

    Args:
        decimal: the decimal mark; beside points of thousands the comma.
        thousands: between thousands: ``,``, ``.``, ``space`` or ``'``; None: found.

    Raises:
        OptionError: both are the comma.

    Example:
        >>> Marks().decimal, Marks(thousands=".").decimal
        ('.', ',')
    """

    decimal: str = "."
    thousands: str | None = None

    def __post_init__(self) -> None:
        check_marks(self.decimal, self.thousands)
        if self.thousands == ".":
            object.__setattr__(self, "decimal", ",")


class Plain(NamedTuple):
    """A frame with plain numbers, notes on what was left out, and the mark of thousands that all columns go with."""

    frame: pd.DataFrame
    notes: list[str]
    thousands: str | None


def plain_frame(frame: pd.DataFrame, columns: Sequence[str], marks: Marks, places: Sequence[str]) -> Plain:
    """A frame with the numbers of some columns as plain ones; see `plain_numbers`.

    A note also names a column all of whose points may separate thousands; they are read as decimal points.

    Args:
        frame: all columns.
        columns: those to read.
        marks: the marks of its numbers.
        places: where each row stands, for messages.

    Raises:
        DataError: a number has a mark of thousands that was named in another place than before three digits.
    """
    notes: list[str] = []
    plain = {}
    for column in columns:
        if column not in frame:
            continue
        found, said = plain_numbers(frame[column], marks.decimal, marks.thousands)
        if said:
            plain[column] = found
            notes.append(f"the numbers in the column {column!r} are read without {' and '.join(said)}")
        if marks.thousands is not None:
            _refuse_misplaced(found, column, marks, places)
        elif marks.decimal == "." and (word := _may_be_thousands(found)):
            notes.append(
                f"the point in {word} and all numbers of the column {column!r} is read as a decimal point; where it "
                f"separates thousands, so that this is {word.replace('.', '')}: --thousands ."
            )
    written = frame.assign(**plain) if plain else frame
    return Plain(written, notes, marks.thousands or _found_mark(written, columns, marks, notes))


def _found_mark(frame: pd.DataFrame, columns: Sequence[str], marks: Marks, notes: Sequence[str]) -> str | None:
    """The mark of thousands that surely is one in a column and stands in no other number."""
    for mark, words in ((",", _NAMES[","]), (".", _NAMES["."])):
        if marks.decimal == "." and any(words in note for note in notes):
            rest = (str(value) for name in columns if name in frame for value in frame[name].tolist())
            return None if any(mark in word and _WRITTEN.fullmatch(word.strip()) for word in rest) else mark
    return None


def plain_numbers(
    column: pd.Series[Any], decimal: str = ".", thousands: str | None = None
) -> tuple[pd.Series[Any], list[str]]:
    """A column whose numbers have signs around or within them as plain ones; as it is where any other value has none.

    A currency or percent sign goes where all values have the same one; brackets around a number are a minus; spaces and
    apostrophes before three digits are marks of thousands, where two numbers have such and none of four digits has
    none. So are points where a number has two of them, and commas where they surely are: see `_commas_group`; ``1,234``
    alone may have a decimal comma. A mark of thousands that is named goes wherever it stands before three digits.

    Args:
        column: as written.
        decimal: the decimal mark.
        thousands: the mark between thousands; None: found.

    Returns:
        (the column, what was left out, in words; empty: nothing)

    Example:
        >>> found, said = plain_numbers(pd.Series(["$1,200.50", "", "($3.00)", "$4,000.00"]))
        >>> found.tolist(), said
        (['1200.50', '', '-3.00', '4000.00'], ["'$'", 'commas of thousands', 'brackets, which are a minus'])
        >>> plain_numbers(pd.Series(["12,5 %", "7 %"]))[0].tolist(), plain_numbers(pd.Series(["1,234", "2,345"]))[1]
        (['12,5', '7'], [])
        >>> plain_numbers(pd.Series(["1,234", "2,345"]), thousands=",")[0].tolist()
        ['1234', '2345']
        >>> plain_numbers(pd.Series(["5 €", "7"]))[1]
        []
    """
    if pd.to_numeric(column, errors="coerce").notna().all() and thousands != ".":
        return column, []  # most are, and this is quick
    words = [value.strip().replace("\u2212", "-") if isinstance(value, str) else None for value in column.tolist()]
    rows = [row for row, word in enumerate(words) if word is not None and word.lower() not in MISSING]
    if not rows or any(word is None and not pd.isna(value) for word, value in zip(words, column.tolist(), strict=True)):
        return column, []
    found = []
    for row in rows:
        word = str(words[row])
        bracketed = word.startswith("(") and word.endswith(")")
        match = _WRITTEN.fullmatch(word[1:-1].strip() if bracketed else word)
        if match is None or sum(bool(match[part]) for part in ("minus", "inner")) + bracketed > 1:
            return column, []
        found.append((match, bracketed))
    signs = {(match["before"] or "") + (match["after"] or "") for match, _ in found}
    written = [match["digits"] for match, _ in found]
    ungrouped = _named_apart(written, decimal, thousands) if thousands else _surely_apart(written, decimal)
    if len(signs) > 1 or ungrouped is None:
        return column, []
    digits, grouped = ungrouped
    said = [repr(sign) for sign in signs if sign]
    said += [grouped] if grouped else []
    said += ["brackets, which are a minus"] if any(bracketed for _, bracketed in found) else []
    if not said:
        return column, []
    plain = column.astype(object).copy()
    for row, word, (match, bracketed) in zip(rows, digits, found, strict=True):
        minus = "-" if bracketed or "-" in (match["minus"], match["inner"]) else ""
        plain.iloc[row] = minus + word
    return plain, said


def _apart(decimal: str, thousands: str) -> re.Pattern[str]:
    """Numbers with a mark before each three digits; beside one that is no comma, decimal commas are found later."""
    begins = re.escape(decimal) if decimal == "," or thousands == "," else "[.,]"
    return re.compile(rf"\d{{1,3}}(?:{_BETWEEN[thousands]}\d{{3}})+(?:{begins}\d+)?")


def _named_apart(words: Sequence[str], decimal: str, thousands: str) -> tuple[list[str], str]:
    """Numbers without a mark of thousands that was named, and what it is; those it does not fit as they are."""
    form = _apart(decimal, thousands)
    plain = [re.sub(_BETWEEN[thousands], "", word) if form.fullmatch(word) else word for word in words]
    return plain, _NAMES.get(thousands, "marks of thousands") if plain != list(words) else ""


def _surely_apart(words: Sequence[str], decimal: str) -> tuple[list[str], str] | None:
    """Numbers without marks that surely separate thousands, and what they are; None where spaces stand elsewhere."""
    plain = [re.sub(r"['’\s]", "", word) for word in words]
    spaced = plain != list(words)
    if spaced and not _all_apart(words):
        return None
    if decimal == "." and _commas_group(plain):
        return [word.replace(",", "") for word in plain], _NAMES[","]
    if decimal == "." and all(map(_POINTS.fullmatch, plain)) and any(word.count(".") > 1 for word in plain):
        return [word.replace(".", "") for word in plain], _NAMES["."]
    return plain, "marks of thousands" if spaced else ""


def _refuse_misplaced(column: pd.Series[Any], name: str, marks: Marks, places: Sequence[str]) -> None:
    """Refuse a number in which a mark of thousands that was named stands elsewhere.

    Raises:
        DataError: it names the line.
    """
    thousands = str(marks.thousands)
    mark, form = re.compile(_BETWEEN[thousands]), _apart(marks.decimal, thousands)
    for place, value in zip(places, column.tolist(), strict=True):
        word = value.strip() if isinstance(value, str) else ""
        found = _WRITTEN.fullmatch(word)
        if found is not None and mark.search(found["digits"]) and not form.fullmatch(found["digits"]):
            raise DataError(
                f"{place}: {word!r} in the column {name!r} is no number with {thousands!r} between its thousands",
                expected="such a mark before each three digits, and a decimal "
                + ("comma" if marks.decimal == "," else "point"),
                fix="correct it, or omit --thousands",
            )


def _may_be_thousands(column: pd.Series[Any]) -> str:
    """The first number with a point of a column in which all points may separate thousands; empty: there is none.

    Example:
        >>> _may_be_thousands(pd.Series(["62.838", "997", "1.204"]))
        '62.838'
        >>> _may_be_thousands(pd.Series(["62.838", "0.997"])), _may_be_thousands(pd.Series(["62.838", "1.2"]))
        ('', '')
    """
    if column.dtype.kind in "fiub":
        return ""
    words = [value.strip() if isinstance(value, str) else str(value) for value in column.dropna().tolist()]
    words = [word for word in words if word.lower() not in MISSING]
    pointed = [word for word in words if "." in word]
    return pointed[0] if len(pointed) >= _LEAST and all(map(_EITHER.fullmatch, words)) else ""


def _commas_group(words: Sequence[str]) -> bool:
    """Whether commas in numbers surely separate thousands.

    Every comma stands before three digits, two numbers have one and every one of four digits has. And one number has
    two of them or a decimal point, or commas cannot begin decimals: one such number ends in 0, so that zeros are
    written, and another has no comma.

    Example:
        >>> _commas_group(["1,234.5", "2,000"]), _commas_group(["1,230", "7,125", "7"])
        (True, True)
        >>> _commas_group(["1,230", "7,125"])
        False
    """
    with_commas = [word for word in words if "," in word]
    others = [word for word in words if "," not in word]
    if len(with_commas) < _LEAST or not all(_GROUPED.fullmatch(word) and word[0] != "0" for word in with_commas):
        return False
    if not all(_POINTED.fullmatch(word) and not _LONG.match(word) for word in others):
        return False
    sure = any(word.count(",") > 1 or "." in word for word in with_commas) or any("." in word for word in others)
    return sure or bool(others and any(word.endswith("0") for word in with_commas))


def _all_apart(words: Sequence[str]) -> bool:
    """Whether spaces or apostrophes stand before three digits, in two numbers or more and in each of four digits."""
    marked = [word for word in words if re.search(r"['’\s]", word)]
    plain = (word for word in words if word not in marked)
    return len(marked) >= _LEAST and all(map(_SPACED.fullmatch, marked)) and not any(map(_LONG.match, plain))
