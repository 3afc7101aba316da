"""Where recordings are: folders with a table or of classes, tables of sound files, digits as in FSDD. No numpy."""

from __future__ import annotations

import re
from pathlib import Path

from gatewise.data.rows import is_table

__all__ = [
    "DIGIT",
    "SPOKEN",
    "SUFFIXES",
    "class_folders",
    "digit_files",
    "holds_sound",
    "names_sound",
    "sound_files",
    "sounds_in",
    "table_of",
]

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".aiff", ".aif", ".mp3")
"""Endings by which sound files are known; what `soundfile` can open is read."""
DIGIT = re.compile(r"(\d)_([^_]+)_(\d+)\.wav", re.IGNORECASE)
SPOKEN = re.compile(r"(.+)_nohash_\d+\.\w+")
"""``SPEAKER_nohash_NUMBER.wav``, as Speech Commands names its files."""
_PARTS = {"train", "training", "test", "testing", "valid", "validation", "val", "dev", "eval"}
_PICTURE = re.compile(rb"\.(png|jpe?g|gif|bmp|tiff?|webp)[\"',;|#\s]")
_TABLES = ("transcripts", "transcript", "transcription", "metadata", "text", "labels")


def names_sound(path: Path) -> bool:
    """Whether a folder, archive or table is of recordings: sound files in it, or named in its first rows."""
    try:
        if path.is_dir():
            table = table_of(path)
            if table is None:
                return bool(digit_files(path) or class_folders(path))
            return not _names_pictures(table)
        if is_table(path) and path.suffix.lower() in (".csv", ".tsv", ".tab", ".jsonl", ".ndjson") and path.is_file():
            with path.open("rb") as file:
                head = file.read(4_000).lower()
            return any(re.search(rf"{re.escape(suffix)}[\"',;\t\r\n ]".encode(), head) for suffix in SUFFIXES)
    except OSError:
        return False
    return False


def _names_pictures(table: Path) -> bool:
    """Whether the first rows of a table name pictures: a folder's ``metadata.csv`` may be of these."""
    with table.open("rb") as file:
        return _PICTURE.search(file.read(4_000).lower()) is not None


def holds_sound(path: Path) -> bool:
    """Whether a folder, or one in it, holds sound files, said or not what they hold."""
    try:
        return path.is_dir() and bool(sound_files(path))
    except OSError:
        return False


def sound_files(folder: Path) -> list[Path]:
    """The sound files of a folder; if there are none, those of the folders in it."""
    entries = sorted(folder.iterdir())
    found = [each for each in entries if each.suffix.lower() in SUFFIXES]
    inside = (each for entry in entries if entry.is_dir() for each in sorted(entry.iterdir()))
    return found or [each for each in inside if each.suffix.lower() in SUFFIXES]


def sounds_in(folder: Path) -> list[Path]:
    """The sound files of a folder itself, by name; hidden ones are none."""
    return sorted(
        each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES and not each.name.startswith(".")
    )


def class_folders(folder: Path) -> list[Path]:
    """The folders of recordings in a folder, one for each class; none where it is laid out in another way.

    That is: it has no table of transcripts and no sound file of its own, but at least two folders with sound files,
    of which not two are called as parts of a data set. Folders whose names begin with ``_`` or ``.`` are no classes.
    """
    if table_of(folder) is not None or digit_files(folder) or sounds_in(folder):
        return []
    inside = (each for each in sorted(folder.iterdir()) if each.is_dir() and each.name[0] not in "._")
    found = [each for each in inside if sounds_in(each)]
    return [] if len(found) < 2 or len({each.name.lower() for each in found} & _PARTS) > 1 else found


def table_of(folder: Path) -> Path | None:
    """The table of transcripts in a folder: by its name, or the only table there that names sound files."""
    tables = [each for each in sorted(folder.iterdir()) if each.is_file() and is_table(each)]
    for stem in _TABLES:
        for each in tables:
            if each.name.lower().split(".")[0] == stem:
                return each
    naming = [each for each in tables if names_sound(each)]
    return naming[0] if len(naming) == 1 else None


def digit_files(folder: Path) -> list[Path]:
    """The files ``DIGIT_SPEAKER_NUMBER.wav`` of a folder, or of ``recordings`` in it."""
    for place in (folder, folder / "recordings", folder / "fsdd" / "recordings"):
        found = sorted(each for each in place.glob("*.wav") if DIGIT.fullmatch(each.name))
        if found:
            return found
    return []
