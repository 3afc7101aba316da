"""The frames of a speaker taken together. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from gatewise.kinds.speech.features import Frames, Moments
from gatewise.kinds.speech.recordings import Recording

__all__ = ["speaker_moments"]


def speaker_moments(recordings: Sequence[Recording], frames: Sequence[Frames]) -> list[Moments | None]:
    """For each recording the moments of all frames of its speaker; None where the speaker is not known."""
    found: dict[str, Moments] = {}
    for each, rows in zip(recordings, frames, strict=True):
        if each.speaker is not None:
            own = Moments.of(rows)
            found[each.speaker] = found[each.speaker].plus(own) if each.speaker in found else own
    return [None if each.speaker is None else found[each.speaker] for each in recordings]
