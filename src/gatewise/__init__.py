"""Gatewise: which gate should I use, and what does it cost?

Trains, compares, explains and ships recurrent networks on the machine you have. Names are loaded when first used:
``import gatewise`` stays instant and does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Forecaster": "gatewise.kinds.forecasting.estimator",
    "LanguageModel": "gatewise.kinds.language_modelling.estimator",
    "TextClassifier": "gatewise.kinds.classification.estimator",
    "compare": "gatewise.study",
    "datasets": "gatewise.training",
    "load_run": "gatewise.training",
    "nn": "",
}

__all__ = ["Forecaster", "LanguageModel", "TextClassifier", "compare", "datasets", "load_run", "nn"]

if TYPE_CHECKING:
    from gatewise import nn as nn
    from gatewise.kinds.classification.estimator import TextClassifier as TextClassifier
    from gatewise.kinds.forecasting.estimator import Forecaster as Forecaster
    from gatewise.kinds.language_modelling.estimator import LanguageModel as LanguageModel
    from gatewise.study import compare as compare
    from gatewise.training import datasets as datasets
    from gatewise.training import load_run as load_run


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first asked for."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'gatewise' has no attribute {name!r}")
    value = importlib.import_module(f"gatewise.{name}") if not home else getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted([*__all__, "__version__"])
