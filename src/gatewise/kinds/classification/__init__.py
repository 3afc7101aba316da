"""Text classification: texts in, one of several classes out."""

from __future__ import annotations

from gatewise.kinds.classification.kind import ClassificationKind
from gatewise.kinds.classification.spec import DataSpec, ModelSpec, PretrainingSpec

__all__ = ["KIND", "ClassificationKind", "DataSpec", "ModelSpec", "PretrainingSpec"]

KIND = ClassificationKind()
