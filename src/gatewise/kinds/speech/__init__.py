"""Speech: sound in, text out; spoken words, digits and sentences."""

from __future__ import annotations

from gatewise.kinds.speech.kind import SpeechKind
from gatewise.kinds.speech.spec import RecogniserSpec, SpeechDataSpec

__all__ = ["KIND", "RecogniserSpec", "SpeechDataSpec", "SpeechKind"]

KIND = SpeechKind()
