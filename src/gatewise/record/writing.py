"""Records as plain dictionaries, and as JSON that a person can scroll through though it holds thousands of numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

__all__ = ["compact_json", "plain"]

_PLAIN = frozenset({int, float, str, bool, type(None)})


def plain(value: Any) -> Any:
    """Dictionaries, lists, numbers, words, truth values and None: what JSON holds.

    Args:
        value: records, mappings, sequences; numbers and arrays of numpy become Python's.

    Example:
        >>> from gatewise.record import Interval
        >>> plain({"gain": Interval(estimate=0.1, low=0.0, high=0.2, level=0.95), "pairs": (("gru", "lstm"),)})
        {'gain': {'estimate': 0.1, 'low': 0.0, 'high': 0.2, 'level': 0.95}, 'pairs': [['gru', 'lstm']]}
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (list, tuple)):
        return list(value) if _PLAIN.issuperset(map(type, value)) else [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: plain(getattr(value, entry.name)) for entry in fields(value)}
    return plain(value.tolist()) if hasattr(value, "tolist") else value


def compact_json(value: Any) -> str:
    """Indented JSON with each list of plain values on one line, so that thousands of predictions stay readable.

    Args:
        value: a record, or anything that `plain` makes ready for JSON.

    Raises:
        ValueError: a number is NaN or infinite.

    Example:
        >>> print(compact_json({"cell": "gru", "predicted": [0, 1, 1]}))
        {
          "cell": "gru",
          "predicted": [0, 1, 1]
        }
    """
    return _compact(value.to_dict() if hasattr(value, "to_dict") else plain(value), "")


def _compact(value: Any, indent: str) -> str:
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{json.dumps(key)}: {_compact(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "[\n" + ",\n".join(deeper + _compact(item, deeper) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
