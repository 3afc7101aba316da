"""Which recordings are tested: whole speakers where they are known, else recordings. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gatewise import words
from gatewise.data.parts import least_share
from gatewise.errors import DataError, OptionError, did_you_mean
from gatewise.kinds.speech.recordings import Recording

__all__ = ["Parts", "content_rank", "hold_out", "split_recordings"]

_TEST, _VALIDATION = 0.2, 0.1
_SPEAKERS_FOR_VALIDATION = 10
_USUAL_TEST = 5


@dataclass(frozen=True)
class Parts:
    """The parts, what the test part is in a sentence, and whether its speakers are in no other part.

    Attributes:
        notes: what was chosen, and what it means.
    """

    train: tuple[Recording, ...]
    validation: tuple[Recording, ...]
    test: tuple[Recording, ...]
    note: str
    unseen_speakers: bool
    notes: tuple[str, ...] = ()


def split_recordings(
    recordings: Sequence[Recording],
    split: str | None = None,
    test_speaker: str | None = None,
    validation_speaker: str | None = None,
) -> Parts:
    """Split by speaker where at least three are known, else by recording.

    Args:
        recordings: all of them.
        split: ``speakers``; ``recordings``, a fifth of them whoever speaks; ``usual``, the five first recordings of
            each speaker and text, by the number in the file's name (so FSDD is mostly split). None: see above.
        test_speaker: whose recordings are the test part, or several, separated by commas; None: a fifth, by name.
        validation_speaker: likewise for validation; None: of ten speakers or more a tenth, else a tenth of the
            recordings of the training speakers.

    Raises:
        OptionError: a speaker that does not exist, or options that exclude each other.
        DataError: a part would be empty.
    """
    speakers = sorted({each.speaker for each in recordings if each.speaker is not None})
    chosen = split or ("speakers" if len(speakers) >= 3 or test_speaker else "recordings")
    for name, given in (("test_speaker", test_speaker), ("validation_speaker", validation_speaker)):
        if given is not None and chosen != "speakers":
            raise OptionError(
                f"--{name.replace('_', '-')} goes with --split speakers",
                got=f"--split {chosen}",
                fix="omit one of them",
            )
    if chosen == "speakers":
        parts = _by_speaker(recordings, speakers, test_speaker, validation_speaker)
    elif chosen == "usual":
        parts = _usual(recordings)
    else:
        test, rest = hold_out(recordings, _TEST)
        validation, train = hold_out(rest, _VALIDATION / (1 - _TEST))
        note = f"{words.plural(len(test), 'recording')} held out, the same ones every time"
        parts = Parts(tuple(train), tuple(validation), tuple(test), note, False, _shared(train, test))
    for part in ("train", "validation", "test"):
        if not getattr(parts, part):
            raise DataError(
                f"the {part} part would be empty",
                expected="more recordings",
                got=words.plural(len(recordings), "recording"),
                fix="add recordings",
            )
    return parts


def content_rank(recording: Recording) -> bytes:
    """By what recordings are chosen: a hash of the sound, whatever its name."""
    return hashlib.sha256(recording.digest.encode()).digest()


def hold_out(recordings: Sequence[Recording], share: float) -> tuple[list[Recording], list[Recording]]:
    """A share of each text's recordings by content, and the others, in their order; equal sounds stay together."""
    ranks = [content_rank(each) for each in recordings]
    by_text: dict[str, set[bytes]] = {}
    for each, rank in zip(recordings, ranks, strict=True):
        by_text.setdefault(each.text, set()).add(rank)
    held: set[bytes] = set()
    many = len(recordings) >= 10 * len(by_text)
    for found in by_text.values() if many else [set(ranks)]:
        held |= least_share(found, share)
    chosen = [each for each, rank in zip(recordings, ranks, strict=True) if rank in held]
    return chosen, [each for each, rank in zip(recordings, ranks, strict=True) if rank not in held]


def _named(given: str, speakers: Sequence[str], role: str) -> list[str]:
    found = [name.strip() for name in given.split(",") if name.strip()]
    for name in found:
        if name not in speakers:
            raise OptionError(
                f"there is no speaker {name!r}",
                expected=", ".join(speakers[:20]) or "a table with a column of speakers",
                fix=did_you_mean(name, speakers) if speakers else f"omit --{role}-speaker",
            )
    return found


def _by_speaker(
    recordings: Sequence[Recording], speakers: Sequence[str], test: str | None, validation: str | None
) -> Parts:
    if len(speakers) < 2:
        raise DataError(
            "a split by speaker needs the speakers",
            expected="at least two",
            got=words.plural(len(speakers), "known speaker"),
            fix="give the table a column of speakers, or --split recordings",
        )
    ranked = sorted(speakers, key=_rank)
    held = _named(test, speakers, "test") if test else ranked[: max(1, round(_TEST * len(speakers)))]
    set_aside = set(held)
    others = [name for name in ranked if name not in set_aside]
    if validation:
        checked = _named(validation, speakers, "validation")
        if set(checked) & set(held):
            raise OptionError("a speaker cannot be in two parts", got=", ".join(sorted(set(checked) & set(held))))
    else:
        checked = others[: round(_VALIDATION * len(speakers))] if len(speakers) >= _SPEAKERS_FOR_VALIDATION else []
    rest = [each for each in recordings if each.speaker not in set_aside]
    if checked:
        choosing = set(checked)
        kept = [each for each in rest if each.speaker in choosing]
        train = [each for each in rest if each.speaker not in choosing]
        how = f"validation is {_speakers(checked)}"
    else:
        kept, train = hold_out(rest, _VALIDATION)
        how = (
            f"validation is a tenth of the recordings of the {words.plural(len(others), 'training speaker')}, "
            "who are easier than unseen ones"
        )
    tested = [each for each in recordings if each.speaker in set_aside]
    are = "is" if len(held) == 1 else "are"
    note = f"all {words.plural(len(tested), 'recording')} of {_speakers(held)}, who {are} in no other part"
    notes = [how]
    if len(held) == 1:
        notes.append("the test part is one speaker: intervals hold for more recordings of this speaker, not for others")
    return Parts(tuple(train), tuple(kept), tuple(tested), note, True, tuple(notes))


def _usual(recordings: Sequence[Recording]) -> Parts:
    if any(each.index is None for each in recordings):
        raise OptionError(
            "--split usual needs files named DIGIT_SPEAKER_NUMBER.wav", fix="give --split recordings or speakers"
        )
    test = [each for each in recordings if (each.index or 0) < _USUAL_TEST]
    rest = [each for each in recordings if (each.index or 0) >= _USUAL_TEST]
    validation, train = hold_out(rest, _VALIDATION)
    note = f"{words.plural(len(test), 'recording')}, numbers 0 to {_USUAL_TEST - 1} of each speaker and text"
    return Parts(tuple(train), tuple(validation), tuple(test), note, False, _shared(train, test))


def _shared(train: Sequence[Recording], test: Sequence[Recording]) -> tuple[str, ...]:
    both = {each.speaker for each in train} & {each.speaker for each in test} - {None}
    if both:
        return (
            f"{words.plural(len(both), 'speaker')} are in the training and the test part: unseen speakers are harder",
        )
    if any(each.speaker is None for each in test):
        return ("the speakers are not known: some may be in the training and the test part",)
    return ()


def _rank(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


def _speakers(names: Sequence[str]) -> str:
    several = "" if len(names) == 1 else "s"
    others = " and others" if len(names) > 6 else ""
    return f"the speaker{several} {words.join(sorted(names)[:6])}{others}"
