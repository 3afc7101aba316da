"""Numbers as people write them: with a currency, a percent sign, marks of thousands, brackets for negative ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

__all__ = ["MISSING", "plain_frame", "plain_numbers"]

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


def plain_frame(frame: pd.DataFrame, columns: Sequence[str], decimal: str = ".") -> tuple[pd.DataFrame, list[str]]:
    """A frame with the numbers of some columns as plain ones: (it, notes); see `plain_numbers`."""
    notes: list[str] = []
    plain = {}
    for column in columns:
        if column in frame:
            found, said = plain_numbers(frame[column], decimal)
            if said:
                plain[column] = found
                notes.append(f"the numbers in the column {column!r} are read without {' and '.join(said)}")
    return (frame.assign(**plain) if plain else frame), notes


def plain_numbers(column: pd.Series[Any], decimal: str = ".") -> tuple[pd.Series[Any], list[str]]:
    """A column whose numbers have signs around or within them as plain ones; as it is where any other value has none.

    A currency or percent sign goes where all values have the same one; brackets around a number are a minus; spaces and
    apostrophes before three digits are marks of thousands, where two numbers have such and none of four digits has
    none. So are commas where they surely are: see `_commas_group`; ``1,234`` alone may have a decimal comma.

    Args:
        column: as written.
        decimal: the decimal mark.

    Returns:
        (the column, what was left out, in words; empty: nothing)

    Example:
        >>> found, said = plain_numbers(pd.Series(["$1,200.50", "", "($3.00)", "$4,000.00"]))
        >>> found.tolist(), said
        (['1200.50', '', '-3.00', '4000.00'], ["'$'", 'commas of thousands', 'brackets, which are a minus'])
        >>> plain_numbers(pd.Series(["12,5 %", "7 %"]))[0].tolist(), plain_numbers(pd.Series(["1,234", "2,345"]))[1]
        (['12,5', '7'], [])
        >>> plain_numbers(pd.Series(["5 €", "7"]))[1]
        []
    """
    if pd.to_numeric(column, errors="coerce").notna().all():
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
    digits = [re.sub(r"['’\s]", "", word) for word in written]
    spaced = digits != written
    if len(signs) > 1 or (spaced and not _all_apart(written)):
        return column, []
    grouped = decimal == "." and _commas_group(digits)
    said = [repr(sign) for sign in signs if sign]
    said += ["marks of thousands"] if spaced else []
    said += ["commas of thousands"] if grouped else []
    said += ["brackets, which are a minus"] if any(bracketed for _, bracketed in found) else []
    if not said:
        return column, []
    plain = column.astype(object).copy()
    for row, word, (match, bracketed) in zip(rows, digits, found, strict=True):
        minus = "-" if bracketed or "-" in (match["minus"], match["inner"]) else ""
        plain.iloc[row] = minus + (word.replace(",", "") if grouped else word)
    return plain, said


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
