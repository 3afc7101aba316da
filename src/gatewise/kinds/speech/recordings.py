"""Recordings with their transcripts: a folder with a table or of classes, a table, digits as in FSDD. No torch."""

from __future__ import annotations

import hashlib
import tarfile
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise import words
from gatewise.data.rows import Rows, is_table, read_rows
from gatewise.data.skips import Skips
from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.speech.places import DIGIT, SPOKEN, class_folders, digit_files, sound_files, sounds_in, table_of
from gatewise.kinds.speech.sound import Samples, read_sound

__all__ = ["Columns", "Listed", "Recording", "list_recordings", "read_recordings", "tidy"]

Stored = npt.NDArray[np.int16]
_NAMES = {
    "sound": ("path", "file", "file_name", "filename", "sound", "audio", "wav", "recording"),
    "text": ("text", "transcript", "transcription", "sentence", "word", "words", "label"),
    "speaker": ("speaker", "speaker_id", "client_id", "reader"),
}
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording in memory.

    Attributes:
        name: for messages and tables.
        text: its transcript, its words separated by single spaces.
        speaker: who speaks; None: not known.
        stored: (N,) int16, full scale is 32767.
        index: number of the recording among those of its speaker and text, where the file name says so.
    """

    name: str
    text: str
    speaker: str | None
    stored: Stored
    index: int | None = None

    @property
    def samples(self) -> Samples:
        """(N,) float32, full scale is -1 to 1."""
        found: Samples = self.stored.astype(np.float32) / np.float32(32767)
        return found

    @property
    def words(self) -> list[str]:
        """The words of the transcript."""
        return self.text.split()

    @property
    def digest(self) -> str:
        """SHA-256 of its samples."""
        return hashlib.sha256(self.stored.astype("<i2").tobytes()).hexdigest()


def store(samples: Samples) -> Stored:
    """Samples as they are kept: 16 bits each."""
    found: Stored = np.clip(np.round(samples * np.float32(32767)), -32768, 32767).astype(np.int16)
    return found


@dataclass(frozen=True)
class Listed:
    """A recording that is known but not read: where it is and what is said in it."""

    name: str
    source: Path | bytes
    text: str
    speaker: str | None
    index: int | None = None


@dataclass(frozen=True)
class Columns:
    """The columns of a transcript table as the user names them; None: the usual names.

    Attributes:
        sound: of the files.
        text: of the transcripts.
        speaker: of the speakers.
        or_usual: of which of these a usual name is looked for where the table has no column of the given one.
    """

    sound: str | None = None
    text: str | None = None
    speaker: str | None = None
    or_usual: tuple[str, ...] = ()


def tidy(text: str) -> str:
    """A transcript as it is kept: Unicode NFC, single spaces, lower case, without punctuation at the ends of words.

    Example:
        >>> tidy("  It's  FINE, thank you. ")
        "it's fine thank you"
    """
    found = []
    for word in unicodedata.normalize("NFC", text).lower().split():
        while word and unicodedata.category(word[0]).startswith("P"):
            word = word[1:]
        while word and unicodedata.category(word[-1]).startswith("P"):
            word = word[:-1]
        if word:
            found.append(word)
    return " ".join(found)


def list_recordings(
    path: Path, columns: Columns = Columns(), *, with_texts: bool = True, some_speakers: bool = False
) -> tuple[list[Listed], list[str]]:
    """The recordings that a folder, table or archive names, and notes; nothing is read but the table.

    Args:
        path: a folder with a table (``transcripts.csv``: path, text and perhaps speaker), such a table, a folder with
            a folder for each class, as Speech Commands has them, or a folder or ``.tgz`` of files
            ``DIGIT_SPEAKER_NUMBER.wav``, as the Free Spoken Digit Dataset has them.
        columns: of the table.
        with_texts: whether a table needs transcripts.
        some_speakers: whether names of speakers are kept where some rows have none; False: all are left out then.

    Raises:
        DataError: nothing of that kind is there, or the table cannot be used.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", fix="check the path")
    if path.is_file() and not is_table(path):
        return _of_archive(path), []
    if path.is_dir():
        table = table_of(path)
        if table is None:
            found = digit_files(path)
            if found:
                return [_digit(each, each.name) for each in found], []
            classes = class_folders(path)
            if not classes:
                raise _no_table(path)
            return _of_classes(path, classes)
        path = table
    return _of_table(path, columns, with_texts=with_texts, some_speakers=some_speakers)


def read_recordings(listed: Sequence[Listed], rate: int | None = None) -> tuple[list[Recording], int, list[str]]:
    """Read all recordings at one rate; what cannot be used is left out and named.

    Args:
        listed: which.
        rate: samples per second; None: the most frequent rate, at most 16,000.

    Returns:
        The recordings, their rate, and notes on what was left out, mixed and resampled.

    Raises:
        DataError: more than half of them cannot be used.
    """
    read: list[tuple[Listed, Samples, int, tuple[str, ...]]] = []
    skips, first = Skips("recording"), None
    for each in listed:
        try:
            sound = read_sound(each.source, each.name)
        except DataError as error:
            first = first or error
            skips.add(_reason(each.name, error), each.name)
            continue
        read.append((each, sound.samples, sound.rate, sound.notes))
    if first is not None and skips.count > len(listed) / 2:
        raise DataError(
            f"{skips.count:,} of {words.plural(len(listed), 'recording')} cannot be used; the first: {first.message}",
            expected=first.expected,
            got=first.got,
            fix=first.fix,
        ) from first
    rates = Counter(own for _, _, own, _ in read)
    if rate is None:
        rate = min(16_000, max(rates, key=lambda each: (rates[each], each)))
    found = [_kept(each, samples, own, rate, skips) for each, samples, own, _ in read]
    notes = skips.notes
    others = sum(count for own, count in rates.items() if own != rate)
    if others:
        named = words.join([f"{own:,}" for own in sorted(rates) if own != rate])
        notes.append(
            f"{words.plural(others, 'recording')} of {named} samples per second {_was(others)} resampled to {rate:,}"
        )
    mixed = sum(any("mixed" in note for note in notes) for _, _, _, notes in read)
    if mixed:
        notes.append(f"{words.plural(mixed, 'recording')} of several channels {_was(mixed)} mixed to one")
    return [each for each in found if each is not None], rate, notes


def _kept(each: Listed, samples: Samples, own: int, rate: int, skips: Skips) -> Recording | None:
    from gatewise.kinds.speech.sound import resample

    if len(samples) < 0.025 * own:
        skips.add("shorter than a frame of 25 ms", each.name)
        return None
    samples = samples if own == rate else resample(samples, own, rate)
    return Recording(each.name, each.text, each.speaker, store(samples), each.index)


def _reason(name: str, error: DataError) -> str:
    return error.message.removeprefix(name).strip().removeprefix("is ").strip()


def _digit(source: Path | bytes, name: str) -> Listed:
    match = DIGIT.fullmatch(name)
    assert match is not None
    return Listed(name, source, match[1], match[2], int(match[3]))


def _of_classes(path: Path, folders: Sequence[Path]) -> tuple[list[Listed], list[str]]:
    """The recordings of a folder for each class, whose names are the labels; speakers where all files name them."""
    labels = [tidy(each.name) for each in folders]
    if not all(labels) or len(set(labels)) < len(labels):
        labels = [each.name for each in folders]
    files = [(file, label) for folder, label in zip(folders, labels, strict=True) for file in sounds_in(folder)]
    named = [SPOKEN.fullmatch(file.name) for file, _ in files]
    speakers = [None if match is None or None in named else match[1] for match in named]
    notes = [
        f"there is no table of transcripts: the labels are the names of {words.plural(len(folders), 'folder')}, "
        + ", ".join(labels[:_SHOWN])
        + (", ..." if len(labels) > _SHOWN else "")
    ]
    if None not in named:
        count = len(set(speakers))
        notes.append(f"the names of the files, SPEAKER_nohash_NUMBER, say who speaks: {words.plural(count, 'speaker')}")
    elif any(named):
        count = named.count(None)
        notes.append(
            f"the {'name' if count == 1 else 'names'} of {words.plural(count, 'file')} do{'es' * (count == 1)} not say "
            "who speaks (SPEAKER_nohash_NUMBER), so that the speakers are not used"
        )
    for each in sorted(path.iterdir()):
        if each.is_dir() and each.name[0] in "._" and sounds_in(each):
            notes.append(f"the folder {each.name} is left out: its name begins with {each.name[0]!r}")
    for name in ("testing_list.txt", "validation_list.txt"):
        if (path / name).is_file():
            notes.append(f"{name} is not used: which recordings are tested follows from --split and --test-speaker")
    listed = [
        Listed(file.relative_to(path).as_posix(), file, label, speaker)
        for (file, label), speaker in zip(files, speakers, strict=True)
    ]
    return listed, notes


def _of_archive(path: Path) -> list[Listed]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if member.isfile() and DIGIT.fullmatch(name):
                    file = archive.extractfile(member)
                    assert file is not None
                    found[name] = file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(
            f"{path} is no archive of recordings",
            expected="a folder, a table of transcripts, or a .tar.gz of DIGIT_SPEAKER_NUMBER.wav",
            got=str(error),
            fix="unpack it and name the folder",
        ) from error
    if not found:
        raise DataError(f"{path} holds no file named DIGIT_SPEAKER_NUMBER.wav", fix="unpack it and name the folder")
    return [_digit(found[name], name) for name in sorted(found)]


def _of_table(path: Path, columns: Columns, *, with_texts: bool, some_speakers: bool) -> tuple[list[Listed], list[str]]:
    rows = read_rows(path, keys=(_NAMES["sound"][0], _NAMES["text"][0]))
    roles = ("sound", "text", "speaker") if with_texts else ("sound", "speaker")
    of_role = {role: _column(rows, role, columns) for role in roles}
    sound, text, speaker = (of_role.get(role) for role in ("sound", "text", "speaker"))
    assert sound is not None
    notes = [*rows.notes, *_instead(rows, columns, of_role)]
    skips, found, seen = Skips("recording"), [], set()
    for number, values in enumerate(rows.values):
        place, transcript = _word(values[sound]), "" if text is None else tidy(_word(values[text]))
        if not place:
            raise DataError(f"{rows.place(number)} names no sound file", fix="write its path, or delete the row")
        name = place if place not in seen else f"{place} ({rows.unit} {rows.numbers[number]})"
        if place in seen:
            skips.add("named twice in the table", name)
            continue
        seen.add(place)
        if not transcript and with_texts:
            skips.add("without a transcript", name)
            continue
        file = Path(place).expanduser()
        who = None if speaker is None else _word(values[speaker]) or None
        found.append(Listed(place, file if file.is_absolute() else path.parent / file, transcript, who))
    if not found:
        raise DataError(f"{path} has no row with a sound file and a transcript", fix="fill the columns")
    unknown = 0 if speaker is None or some_speakers else sum(each.speaker is None for each in found)
    if unknown:
        found = [replace(each, speaker=None) for each in found]
        name = "names" if unknown == 1 else "name"
        skips_note = [f"{words.plural(unknown, 'row')} {name} no speaker, so that the speakers are not used"]
        return found, [*notes, *skips.notes, *skips_note]
    return found, [*notes, *skips.notes]


def _column(rows: Rows, role: str, columns: Columns) -> int | None:
    """The place of the column of a role; None: there are no speakers."""
    asked: str | None = getattr(columns, role)
    if asked is not None and asked in rows.columns:
        return rows.columns.index(asked)
    if asked is not None and role not in columns.or_usual:
        raise DataError(
            f"column {asked!r} is not in {rows.path}",
            got=", ".join(rows.columns),
            fix=did_you_mean(asked, rows.columns),
        )
    folded = [name.strip().lower() for name in rows.columns]
    for name in _NAMES[role]:
        if name in folded:
            return folded.index(name)
    if role == "speaker":
        return None
    usual = f"a column called {_NAMES[role][0]}"
    raise DataError(
        f"{rows.path} has no column of {'sound files' if role == 'sound' else 'transcripts'}",
        expected=usual if asked is None else f"{asked}, as in the data set, or {usual}",
        got=", ".join(rows.columns),
        fix=f"name it with --{role} COLUMN" if asked is None else f"rename its column to {asked} or {_NAMES[role][0]}",
    )


def _instead(rows: Rows, columns: Columns, read: dict[str, int | None]) -> list[str]:
    """Notes on columns that were asked for and are not there: which ones are read instead."""
    return [
        f"there is no column {asked!r}, {'none' if place is None else repr(rows.columns[place])} is read instead"
        for role, place in read.items()
        if (asked := getattr(columns, role)) is not None and asked not in rows.columns
    ]


def _word(value: Any) -> str:
    return "" if value is None or repr(value) == "MISSING" else str(value).strip()


def _no_table(folder: Path) -> DataError:
    """That speech needs to know what is said, with a first line of the table for the folder's own files."""
    sounds = sound_files(folder)
    shown = sounds[0].relative_to(folder).as_posix() if sounds else "one.wav"
    return DataError(
        f"{folder} has no table of transcripts, without which speech cannot be learned",
        expected="a file transcripts.csv in it, with the columns path and text, and speaker where it is known; or a "
        "folder for each class of recordings",
        got=f"{words.plural(len(sounds), 'sound file')}: {_listing(folder)}" if sounds else _listing(folder),
        fix=f"write its first line, path,text,speaker, and one for each recording, such as {shown},what is said,ann",
    )


def _listing(folder: Path) -> str:
    names = sorted(each.name for each in folder.iterdir())
    return (", ".join(names[:5]) + (", ..." if len(names) > 5 else "")) or "an empty folder"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
