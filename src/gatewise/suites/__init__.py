"""Several comparisons as one experiment."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewise.suites.articles import articles_parts as articles_parts
    from gatewise.suites.run import run_suite as run_suite

_HOME = {"articles_parts": "gatewise.suites.articles", "run_suite": "gatewise.suites.run"}

__all__ = ["articles_parts", "run_suite"]


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'gatewise.suites' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
