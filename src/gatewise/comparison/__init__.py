"""Plan (cells x settings x seeds), execution, statistics, verdict.

Names are loaded when first used: planning imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewise.comparison.plan.plan import Plan as Plan
    from gatewise.comparison.plan.plan import make_plan as make_plan
    from gatewise.comparison.result import Comparison as Comparison
    from gatewise.comparison.result import load_comparison as load_comparison
    from gatewise.comparison.run.run import run_plan as run_plan

_HOME = {
    "Comparison": "gatewise.comparison.result",
    "Plan": "gatewise.comparison.plan.plan",
    "load_comparison": "gatewise.comparison.result",
    "make_plan": "gatewise.comparison.plan.plan",
    "run_plan": "gatewise.comparison.run.run",
}

__all__ = ["Comparison", "Plan", "load_comparison", "make_plan", "run_plan"]


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'gatewise.comparison' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
