"""From a data spec to recordings that are split, numbered and ready to train on. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewise import words
from gatewise.data.cache import cache_folder
from gatewise.data.parts import check_fewest, kept_by_content
from gatewise.data.records import DatasetInfo
from gatewise.errors import DataError
from gatewise.kinds.speech.added import new_recordings, read_added
from gatewise.kinds.speech.places import class_folders
from gatewise.kinds.speech.recordings import Columns, Listed, Recording, list_recordings, read_recordings
from gatewise.kinds.speech.spec import SpeechDataSpec
from gatewise.kinds.speech.splits import Parts, content_rank, split_recordings
from gatewise.kinds.speech.strings import fixed_strings
from gatewise.kinds.speech.units import Units, usual_answers

__all__ = ["SpeechDataset", "load_speech", "speech_dataset", "speech_infos"]

_DIGITS = "spoken-digits"
_PLACES = ("fsdd.tgz", "fsdd", "free-spoken-digit-dataset")
_KNOWN_COUNT = 3_000
_KNOWN_DIGEST = "a2e8a660492f28d9eed6270b290d26cbc5c81d6077ce87d3c0ad5adf4d4ee696"
_SEED = 2_026
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SpeechDataset:
    """Checked, split recordings.

    Attributes:
        name: registry name or name of the folder or table.
        source: where the recordings came from, in a sentence.
        split_note: what the test part is, in a sentence.
        units: what is answered, from the training part.
        rate: samples per second.
        train: single recordings; with `strings` they are joined anew in each epoch.
        validation: the part that decides which weights to keep; with `strings` it is of strings.
        test: the part that only the final figures see; with `strings` it is of strings.
        fingerprint: SHA-256 of all samples, transcripts, speakers and parts, in order.
        notes: what was decided, left out or changed, a sentence each.
        strings: recordings in a string, at most; None: recordings are heard one by one.
        clips: the recordings of ``validation`` and ``test`` before they were joined.
        unseen_speakers: whether the test part's speakers are in no other part.
        added: how many of the last training recordings are not the data set's own.
    """

    name: str
    source: str
    split_note: str
    units: Units
    rate: int
    train: tuple[Recording, ...]
    validation: tuple[Recording, ...]
    test: tuple[Recording, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()
    strings: int | None = None
    clips: tuple[Recording, ...] = ()
    unseen_speakers: bool = False
    added: int = 0

    @property
    def sizes(self) -> dict[str, int]:
        """Recordings of each part; of validation and test, strings where they are joined."""
        return {name: len(getattr(self, name)) for name in ("train", "validation", "test")}

    @property
    def groups(self) -> Numbers | None:
        """The speaker of each test recording by number, where intervals are over speakers: two or more unseen ones."""
        if not self.unseen_speakers:
            return None
        names = sorted({str(each.speaker) for each in self.test})
        if len(names) < 2:
            return None
        numbers = {name: number for number, name in enumerate(names)}
        return np.array([numbers[str(each.speaker)] for each in self.test], dtype=np.int64)

    def seconds(self, part: str) -> float:
        """Duration of a part."""
        return float(sum(len(each.stored) for each in getattr(self, part)) / self.rate)


def speech_infos(cache: str | Path | None = None) -> list[DatasetInfo]:
    """The recordings that are known by name, and whether they are available.

    Example:
        >>> [info.name for info in speech_infos()]
        ['spoken-digits']
    """
    place = _known_place(cache)
    return [
        DatasetInfo(
            _DIGITS,
            "speech",
            "3,000 spoken digits of six speakers, 8 kHz (Free Spoken Digit Dataset, Jackson et al., CC BY-SA 4.0)",
            place is not None,
            "" if place is None else str(place),
            f"put the folder of github.com/Jakobovski/free-spoken-digit-dataset into {cache_folder(cache)}, "
            "or its recordings as fsdd.tgz",
        )
    ]


def _known_place(cache: str | Path | None) -> Path | None:
    places = (cache_folder(cache) / name for name in _PLACES)
    return next((place for place in places if place.exists()), None)


def load_speech(data: SpeechDataSpec, cache: str | Path | None = None) -> SpeechDataset:
    """Load, check and split recordings.

    Args:
        data: which.
        cache: the cache folder; None: ``GATEWISE_DATA``, else the platform's.

    Raises:
        DataError: the recordings are not there, or cannot be used.
        OptionError: options that do not fit them.
    """
    known = data.data == _DIGITS
    notes: list[str] = []
    if known:
        place = _known_place(cache)
        if place is None:
            raise DataError(
                f"the data set {_DIGITS!r} is not available",
                expected=f"{' or '.join(_PLACES)} in {cache_folder(cache)}",
                fix=speech_infos(cache)[0].how_to_get,
            )
        listed, _ = list_recordings(place)
        _check_known(listed, place)
        name, source = _DIGITS, "the Free Spoken Digit Dataset"
    else:
        path = Path(data.data).expanduser()
        listed, notes = list_recordings(path, _columns(data))
        name, source = path.name, f"the recordings of {path}"
        if data.answers is None and data.strings is None and path.is_dir() and class_folders(path):
            data = replace(data, answers="label")
            notes.append("answers are labels: there is a folder for each; --answers changes that")
    recordings, rate, noted = read_recordings(listed, data.sample_rate)
    parts = split_recordings(_distinct(recordings, notes), data.split, data.test_speaker, data.validation_speaker)
    added: tuple[Recording, ...] = ()
    said: tuple[str, ...] = ()
    if data.add is not None:
        further, told = read_added(data.add, _columns(data), rate)
        added, said = new_recordings(parts, further, data.add)
        noted += told
    return speech_dataset(name, source, parts, rate, data, [*notes, *noted, *said], added)


def _columns(data: SpeechDataSpec) -> Columns:
    return Columns(data.sound, data.text, data.speaker)


def speech_dataset(
    name: str,
    source: str,
    parts: Parts,
    rate: int,
    data: SpeechDataSpec,
    notes: Sequence[str] = (),
    added: Sequence[Recording] = (),
) -> SpeechDataset:
    """Number the units of the training part, and join strings where they are asked for.

    Args:
        name: of the data set.
        source: where the recordings came from.
        parts: see `split_recordings`.
        rate: samples per second.
        data: answers, strings and size.
        notes: of the reader.
        added: further recordings for the training part; what is answered follows from the data set's own.

    Raises:
        DataError: too few recordings, or one label only.
    """
    own = kept_by_content(parts.train, data.examples, content_rank)
    train = (*own, *added)
    check_fewest(len(train), name, "recordings")
    said = [*notes, *parts.notes]
    answers = data.answers
    if answers is None and data.strings is not None:
        answers = "words"
    if answers is None:
        answers, why = usual_answers([each.text for each in own])
        said.append(f"answers are {'labels' if answers == 'label' else answers}: {why}; --answers changes that")
    units = Units.fit(answers, [each.text for each in train])
    if len(units) < 2:
        raise DataError(f"{name} has a single answer, {units.names[0]!r}", expected="at least two", fix="add others")
    clips = (*parts.validation, *parts.test)
    validation, test = parts.validation, parts.test
    note = parts.note
    if data.strings is not None:
        if any(" " in each.text for each in train) and answers == "words":
            said.append("the joined recordings hold several words each")
        validation = tuple(fixed_strings(validation, data.strings, rate, _SEED))
        test = tuple(fixed_strings(test, data.strings, rate, _SEED + 1))
        note += f", joined to {words.plural(len(test), 'string')} of 1 to {data.strings} with gaps of up to 0.4 s"
    said += _further(answers, own, added) + _unknown(units, test)
    return SpeechDataset(
        name,
        source,
        note,
        units,
        rate,
        train,
        validation,
        test,
        _fingerprint((answers, str(rate), *units.names), (train, validation, test)),
        tuple(dict.fromkeys(said)),
        data.strings,
        clips if data.strings is not None else (),
        parts.unseen_speakers,
        len(added),
    )


def _fingerprint(said: Sequence[str], parts: Sequence[Sequence[Recording]]) -> str:
    """SHA-256 of some words, and of all recordings of all parts."""
    digest = hashlib.sha256("\0".join(said).encode())
    for part in parts:
        for each in part:
            digest.update(f"{each.text}\0{each.speaker}\0{len(each.stored)}\0".encode("utf-8", "surrogatepass"))
            digest.update(each.stored.tobytes())
        digest.update(b"\2")
    return digest.hexdigest()


def _check_known(listed: Sequence[Listed], place: Path) -> None:
    """Refuse recordings that are not the 3,000 known ones.

    Raises:
        DataError: another number of them, or another content.
    """
    digest = hashlib.sha256()
    for each in sorted(listed, key=lambda each: each.name):
        content = each.source if isinstance(each.source, bytes) else each.source.read_bytes()
        digest.update(each.name.encode() + b"\0" + hashlib.sha256(content).digest())
    if len(listed) != _KNOWN_COUNT or digest.hexdigest() != _KNOWN_DIGEST:
        raise DataError(
            f"{place} does not hold the known spoken digits",
            expected=f"{_KNOWN_COUNT:,} recordings of the Free Spoken Digit Dataset, unchanged",
            got=f"{len(listed):,} recordings" if len(listed) != _KNOWN_COUNT else "recordings of other content",
            fix=f"train on them as your own: give the path {place}",
        )


def _distinct(recordings: Sequence[Recording], notes: list[str]) -> list[Recording]:
    """Each sound once, so that none is in two parts."""
    found: dict[str, Recording] = {}
    for each in recordings:
        found.setdefault(each.digest, each)
    if len(found) < len(recordings):
        copies = len(recordings) - len(found)
        notes.append(
            f"{words.plural(copies, 'recording')} {'is a copy' if copies == 1 else 'are copies'} of others and left out"
        )
    return list(found.values())


def _further(answers: str, own: Sequence[Recording], added: Sequence[Recording]) -> list[str]:
    """A note where added recordings say what no training recording of the data set does."""
    known = set(Units.fit(answers, [each.text for each in own]).names)
    new = [name for name in Units.fit(answers, [each.text for each in added]).names if name not in known]
    if not new:
        return []
    shown = ", ".join(map(repr, new[:3])) + (", ..." if len(new) > 3 else "")
    what = {"label": "label", "words": "word", "characters": "character"}[answers]
    return [f"the added recordings bring {words.plural(len(new), f'further {what}')}: {shown}"]


def _unknown(units: Units, test: Sequence[Recording]) -> list[str]:
    missing = sorted({str(each.text) for each in test if None in units.encode(each.text)})
    if not missing:
        return []
    count = sum(None in units.encode(each.text) for each in test)
    return [
        f"{words.plural(count, 'test recording')} hold what no training recording has (such as {missing[0]!r}): "
        "never answered rightly"
    ]
