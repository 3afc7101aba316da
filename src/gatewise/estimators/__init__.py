"""Recurrent networks in scikit-learn's manner; each is loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewise.estimators.forecaster import Forecaster as Forecaster
    from gatewise.estimators.language_model import LanguageModel as LanguageModel
    from gatewise.estimators.text_classifier import TextClassifier as TextClassifier

_HOME = {
    "Forecaster": "gatewise.estimators.forecaster",
    "LanguageModel": "gatewise.estimators.language_model",
    "TextClassifier": "gatewise.estimators.text_classifier",
}

__all__ = ["Forecaster", "LanguageModel", "TextClassifier"]


def __getattr__(name: str) -> Any:
    """Load an estimator when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'gatewise.estimators' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
