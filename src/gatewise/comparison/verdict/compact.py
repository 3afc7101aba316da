"""JSON that a person can scroll through though it holds thousands of predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["compact_json"]


def compact_json(value: Any) -> str:
    """Indented JSON with each list of plain values on one line, so that thousands of predictions stay readable.

    Raises:
        ValueError: a number is NaN or infinite.

    Example:
        >>> print(compact_json({"cell": "gru", "predicted": [0, 1, 1]}))
        {
          "cell": "gru",
          "predicted": [0, 1, 1]
        }
    """
    return _compact(value, "")


def _compact(value: Any, indent: str) -> str:
    deeper = indent + "  "
    if isinstance(value, Mapping) and value:
        lines = [f"{deeper}{json.dumps(str(key))}: {_compact(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        return "[\n" + ",\n".join(deeper + _compact(item, deeper) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
