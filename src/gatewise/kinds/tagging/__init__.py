"""Sequence tagging: words in, a tag for each out; named entities, parts of speech."""

from __future__ import annotations

from gatewise.kinds.tagging.kind import TaggingKind
from gatewise.kinds.tagging.spec import TaggerSpec, TaggingDataSpec

__all__ = ["KIND", "TaggerSpec", "TaggingDataSpec", "TaggingKind"]

KIND = TaggingKind()
