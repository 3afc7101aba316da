"""Language modelling: a distribution over the next token; network, losses, baselines, generation."""

from __future__ import annotations

from gatewise.kinds.language_modelling.kind import LanguageModellingKind
from gatewise.kinds.language_modelling.spec import CorpusSpec, LanguageModelSpec

__all__ = ["KIND", "CorpusSpec", "LanguageModelSpec", "LanguageModellingKind"]

KIND = LanguageModellingKind()
