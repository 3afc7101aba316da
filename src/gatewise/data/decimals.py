"""Numbers written with a decimal comma: noticed only where they can be nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["has_decimal_commas"]

_WHOLE = re.compile(r"[+-]?\d+")
_COMMA = re.compile(r"[+-]?(\d{0,3}(?:\.\d{3})*|\d*),(\d+)(?:[eE][+-]?\d+)?")


def has_decimal_commas(values: Iterable[Any]) -> bool:
    """Whether written numbers surely have a decimal comma.

    Every value is a whole number or has exactly one comma with digits after it (points only as marks of thousands
    before it), and at least one cannot be a comma of thousands: it has other than three digits after the comma, or
    none but zeros, more than three digits, or a point before it. `1,234` alone may be either.

    Args:
        values: as written, without those that are missing; anything but a string makes it untrue.

    Example:
        >>> has_decimal_commas(["1,5", "2", "0,75"]), has_decimal_commas(["1,234", "5,678"])
        (True, False)
        >>> has_decimal_commas(["1.234,5", "7"]), has_decimal_commas(["1,5", "2.5"])
        (True, False)
    """
    certain = False
    for value in values:
        if not isinstance(value, str):
            return False
        word = value.strip()
        found = _COMMA.fullmatch(word)
        if found is None:
            if _WHOLE.fullmatch(word) is None:
                return False
            continue
        before, after = found.groups()
        certain |= len(after) != 3 or "." in before or not before.strip("0") or len(before) > 3
    return certain
