"""The frames of a speaker taken together. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from gatewise.kinds.speech.features import Frames, Moments
from gatewise.kinds.speech.recordings import Recording

__all__ = ["TOGETHER", "speaker_moments"]

TOGETHER = (
    "all recordings of a speaker are normalised together, without their transcripts, those of the test part too: a "
    "single recording of a stranger is normalised by itself and heard less well than the test figure says"
)
"""What the default normalisation means for the figures."""


def speaker_moments(recordings: Sequence[Recording], frames: Sequence[Frames]) -> list[Moments | None]:
    """For each recording the moments of all frames of its speaker; None where the speaker is not known."""
    found: dict[str, Moments] = {}
    for each, rows in zip(recordings, frames, strict=True):
        if each.speaker is not None:
            own = Moments.of(rows)
            found[each.speaker] = found[each.speaker].plus(own) if each.speaker in found else own
    return [None if each.speaker is None else found[each.speaker] for each in recordings]
