"""Translation: sentences of one language in, those of another out."""

from __future__ import annotations

from gatewise.kinds.translation.kind import TranslationKind
from gatewise.kinds.translation.spec import TranslationDataSpec, TranslatorSpec

__all__ = ["KIND", "TranslationDataSpec", "TranslationKind", "TranslatorSpec"]

KIND = TranslationKind()
