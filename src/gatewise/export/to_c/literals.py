"""Numbers, arrays and names as C writes them. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from gatewise.export.graph.expressions import Array

__all__ = ["array", "identifier", "literal", "text"]

_WIDTH = 116


def literal(value: float, *, wide: bool = False) -> str:
    """A number that C reads back to the same bits.

    Example:
        >>> literal(0.1), literal(1.0), literal(0.1, wide=True), literal(float("-inf"))
        ('0.1f', '1.0f', '0.1', '-INFINITY')
    """
    if np.isnan(value):
        return "NAN"
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    given = repr(float(value)) if wide else np.format_float_positional(np.float32(value), unique=True, trim="0")
    if not wide and not 1e-4 <= abs(value) < 1e6 and value:
        given = np.format_float_scientific(np.float32(value), unique=True, trim="0")
    return given if wide else f"{given}f"


def identifier(name: str) -> str:
    """A name with letters, digits and ``_`` only.

    Example:
        >>> identifier("recurrent.weight_hh_l0"), identifier("2 fast")
        ('recurrent_weight_hh_l0', '_2_fast')
    """
    found = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"_{found}" if found[:1].isdigit() else found


def array(kind: str, name: str, values: Array | Sequence[Any], comment: str = "") -> str:
    """A constant array, with a comment before it."""
    flat = np.asarray(values).reshape(-1)
    if kind in ("float", "double"):
        numbers = [literal(value, wide=kind == "double") for value in flat]
    else:
        numbers = [str(int(value)) for value in flat]
    lines, line = [], ""
    for number in numbers:
        if len(line) + len(number) + 2 > _WIDTH:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{number},"
    body = "\n".join(f"    {each}" for each in [*lines, line])
    head = f"/* {comment} */\n" if comment else ""
    return f"{head}static const {kind} {name}[{len(numbers)}] = {{\n{body}\n}};\n"


def text(value: str) -> str:
    """A string literal; whatever is not printable ASCII as octal bytes of UTF-8.

    Example:
        >>> print(text('5 "€"'))
        "5 \\"\\342\\202\\254\\""
    """
    found = ""
    for byte in value.encode("utf-8"):
        character = chr(byte)
        if character in '"\\':
            found += "\\" + character
        elif 32 <= byte < 127 and character != "?":
            found += character
        else:
            found += f"\\{byte:03o}"
    return f'"{found}"'
