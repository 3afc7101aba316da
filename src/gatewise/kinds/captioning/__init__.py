"""Captioning: a picture in, words out."""

from __future__ import annotations

from gatewise.kinds.captioning.kind import CaptioningKind
from gatewise.kinds.captioning.spec import CaptionDataSpec, CaptionerSpec

__all__ = ["KIND", "CaptionDataSpec", "CaptionerSpec", "CaptioningKind"]

KIND = CaptioningKind()
