"""Gatewise: which gate should I use, and what does it cost?

Trains, compares, explains and ships recurrent networks on the machine you have. Names are loaded when first used:
``import gatewise`` stays instant and does not import torch. The estimators are those that the kinds of problems name
(`gatewise.training.kind.Kind.estimators`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Client": "gatewise.serving.client",
    "compare": "gatewise.study",
    "datasets": "gatewise.training",
    "explain": "gatewise.inspection.explaining",
    "load_run": "gatewise.training",
    "nn": "",
}

if TYPE_CHECKING:
    from gatewise import nn as nn
    from gatewise.inspection.explaining import explain as explain
    from gatewise.serving.client import Client as Client
    from gatewise.study import compare as compare
    from gatewise.training import datasets as datasets
    from gatewise.training import load_run as load_run


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used."""
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'gatewise' has no attribute {name!r}")
    value: Any
    if name == "__all__":
        value = sorted({*_HOME, *_estimators()})
    elif name in _HOME:
        home = _HOME[name]
        value = importlib.import_module(f"gatewise.{name}") if not home else _from(home, name)
    elif name[:1].isupper() and name in (estimators := _estimators()):
        value = _from(estimators[name], name)
    else:
        raise AttributeError(f"module 'gatewise' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted([*_HOME, *_estimators(), "__version__"])


def _from(home: str, name: str) -> Any:
    return getattr(importlib.import_module(home), name)


def _estimators() -> dict[str, str]:
    """The module of each estimator by its name."""
    from gatewise.training.registry import kinds

    return {name: home for kind in kinds() for name, home in kind.estimators.items()}
