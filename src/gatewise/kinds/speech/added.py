"""Further recordings for the training part alone: none of a held-out voice, and no copy. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gatewise import words
from gatewise.data.skips import Skips
from gatewise.errors import DataError
from gatewise.kinds.speech.recordings import Columns, Recording, list_recordings, read_recordings
from gatewise.kinds.speech.splits import Parts

__all__ = ["new_recordings", "read_added"]


def read_added(path: str | Path, columns: Columns, rate: int) -> tuple[list[Recording], list[str]]:
    """The recordings that a folder, table or archive names, at one rate, and notes on what was left out.

    Args:
        path: see `gatewise.kinds.speech.recordings.list_recordings`.
        columns: of its table; where it has no such column, the one with a usual name is read.
        rate: samples per second.

    Raises:
        DataError: they cannot be read.
    """
    place = Path(path).expanduser()
    listed, notes = list_recordings(place, replace(columns, or_usual=("sound", "text", "speaker")), some_speakers=True)
    recordings, _, noted = read_recordings(listed, rate)
    said = [f"{place.name}: {note}" for note in (*notes, *noted)]
    return [replace(each, name=f"{place.name}: {each.name}") for each in recordings], said


def new_recordings(
    parts: Parts, recordings: Sequence[Recording], source: str
) -> tuple[tuple[Recording, ...], tuple[str, ...]]:
    """Those of further recordings that may be trained on, and notes.

    Left out are recordings that are in any part already (a copy in the training part would count twice, one of the
    others would be a leak), and where whole speakers are held out, what these say. A speaker of the training part and
    an added one of the same name are taken to be one person.

    Args:
        parts: of the data set.
        recordings: further ones.
        source: where they came from, for notes and messages.

    Raises:
        DataError: none may be.

    Example:
        >>> import numpy as np
        >>> def said(name: str, speaker: str, level: int) -> Recording:
        ...     return Recording(name, "up", speaker, np.full(300, level, np.int16))
        >>> parts = Parts((said("1", "ann", 1),), (), (said("2", "bob", 2),), "bob, who is in no other part", True)
        >>> further = [said("3", "eve", 3), said("4", "ann", 1), said("5", "bob", 4)]
        >>> kept, notes = new_recordings(parts, further, "more.csv")
        >>> [each.name for each in kept]
        ['3']
        >>> for note in notes:
        ...     print(note)
        1 recording of 1 speaker from more.csv in the training part alone
        1 added recording is left out: in the data set already, or given twice (4)
        1 added recording is left out: of bob, who is held out (5)
    """
    known = {each.digest for part in (parts.train, parts.validation, parts.test) for each in part}
    held = _held_out(parts)
    skips, kept = Skips("added recording"), list[Recording]()
    for each in recordings:
        if each.speaker is not None and _spelled(each.speaker) in held:
            skips.add(f"of {each.speaker}, who is held out", each.name)
        elif each.digest in known:
            skips.add("in the data set already, or given twice", each.name)
        else:
            known.add(each.digest)
            kept.append(each)
    if not kept:
        raise DataError(
            f"{source} has no recording that may be trained on beside those of the data set",
            expected="other recordings, of speakers who are not held out",
            got="; ".join(skips.notes) or "none",
            fix="name others with --add, or omit it",
        )
    speakers = {each.speaker for each in kept}
    of = "" if None in speakers else f" of {words.plural(len(speakers), 'speaker')}"
    notes = [f"{words.plural(len(kept), 'recording')}{of} from {source} in the training part alone", *skips.notes]
    if held and None in speakers:
        unnamed = sum(each.speaker is None for each in kept)
        which = "" if unnamed == len(kept) else f" of {words.plural(unnamed, 'recording')}"
        notes.append(
            f"{source} does not name the speakers{which}: whether those who are held out are among them is not known"
        )
    return tuple(kept), tuple(notes)


def _held_out(parts: Parts) -> set[str]:
    """The speakers of whom nothing may be trained on; where parts share speakers, none."""
    if not parts.unseen_speakers:
        return set()
    own = {each.speaker for each in parts.train}
    return {
        _spelled(each.speaker)
        for part in (parts.validation, parts.test)
        for each in part
        if each.speaker is not None and each.speaker not in own
    }


def _spelled(speaker: str) -> str:
    """A name as it is compared: ``Theo`` and ``theo`` are one person."""
    return speaker.strip().casefold()
