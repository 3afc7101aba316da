"""Folders of text files: which files there are, in which order, and their texts in whatever encodings they have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewise.data.encodings import decode_as
from gatewise.data.text_files import read_content
from gatewise.errors import DataError
from gatewise.grammar import plural

__all__ = ["SUFFIXES", "TextFile", "class_folders", "holds_flat_texts", "named", "read_texts", "text_files"]

SUFFIXES = (".txt", ".text")
_PACKED = ".gz"
_SHOWN = 3
_DIGITS = re.compile(r"(\d+)")
_LEFT_OUT = (".", "__MACOSX")
_DESCRIPTIONS = ("readme", "license", "licence", "copying")


@dataclass(frozen=True)
class TextFile:
    """A text of a folder.

    Attributes:
        path: the file.
        text: what it holds.
    """

    path: Path
    text: str


def text_files(folder: Path, suffixes: Sequence[str] = SUFFIXES, *, deep: bool = True) -> list[Path]:
    """The text files of a folder in the order of their names, in which numbers count as such; hidden ones are left out.

    Args:
        folder: where they are.
        suffixes: their endings, in small letters; ``.gz`` may follow.
        deep: also those of folders in it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("chapter10.txt", "chapter9.txt", ".hidden.txt", "cover.jpg"):
        ...     _ = (folder / name).write_text("a text")
        >>> [path.name for path in text_files(folder)]
        ['chapter9.txt', 'chapter10.txt']
    """
    found = folder.rglob("*") if deep else folder.iterdir()
    chosen = []
    for path in found:
        inside = path.relative_to(folder).parts
        if any(part.startswith(_LEFT_OUT) for part in inside) or not _is_text(path, suffixes) or not path.is_file():
            continue
        chosen.append(path)
    return sorted(chosen, key=lambda path: _order(path.relative_to(folder).parts))


def _is_text(path: Path, suffixes: Sequence[str]) -> bool:
    return path.name.lower().removesuffix(_PACKED).endswith(tuple(suffixes))


def _order(parts: Iterable[str]) -> list[list[tuple[int, int, str]]]:
    """The order of names: letters as they are, numbers by their value."""
    return [
        [(0, int(piece), piece) if piece.isdecimal() else (1, 0, piece) for piece in _DIGITS.split(part) if piece]
        for part in parts
    ]


def holds_flat_texts(folder: Path) -> bool:
    """Whether a folder holds more text files than others, and folders in it none: nothing says labels of theirs."""
    try:
        if not folder.is_dir():
            return False
        texts = text_files(folder, deep=False)
        files = sum(each.is_file() and not each.name.startswith(_LEFT_OUT) for each in folder.iterdir())
        return 2 * len(texts) > files and not _with_texts(folder)
    except OSError:
        return False


def _with_texts(folder: Path) -> list[Path]:
    """The folders in a folder that hold text files themselves, in the order of their names."""
    inside = [each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(_LEFT_OUT)]
    return sorted((each for each in inside if text_files(each, deep=False)), key=lambda path: _order([path.name]))


def class_folders(folder: Path) -> list[Path]:
    """The folders of text files in a folder, one for each class; none where it is laid out in another way.

    That is: it has no text file of its own but descriptions (``README.txt``), and at least two folders with some.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("bad", "good"):
        ...     (folder / name).mkdir()
        ...     _ = (folder / name / "1.txt").write_text("a text")
        >>> [path.name for path in class_folders(folder)]
        ['bad', 'good']
    """
    own = [each for each in text_files(folder, deep=False) if not each.name.lower().startswith(_DESCRIPTIONS)]
    inside = _with_texts(folder)
    return [] if own or len(inside) < 2 else inside


def read_texts(
    paths: Sequence[Path], encoding: str | None = None, fallback: str | None = None
) -> tuple[list[TextFile], list[str]]:
    """The texts of files, each in its own encoding as that of a single file is found; empty ones are left out.

    Args:
        paths: the files.
        encoding: of all of them; None: detected, see `gatewise.data.encodings.decode_as`.
        fallback: of those that are not UTF-8; None: detected.

    Returns:
        The texts in the order of the files, and notes on what was detected, once for all files.

    Raises:
        DataError: a file cannot be read; it is named.
    """
    found: list[TextFile] = []
    empty: list[Path] = []
    detected: dict[str, list[tuple[Path, str]]] = {}
    for path in paths:
        try:
            if not path.read_bytes().removeprefix(b"\xef\xbb\xbf").strip():
                empty.append(path)
                continue
        except OSError as error:
            raise DataError(f"{path} cannot be read", got=error.strerror or str(error)) from error
        text, notes = decode_as(read_content(path, "a text"), str(path), encoding, fallback)
        for note in notes:
            detected.setdefault(_encoding_in(note), []).append((path, note))
        found.append(TextFile(path, text))
    said = []
    for name, noted in detected.items():
        if len(noted) == 1:
            said.append(noted[0][1])
            continue
        files = named([path for path, _ in noted])
        how = (
            "as Windows-1252; --encoding names another" if name == "Windows-1252" else f"as {name}, as their marks say"
        )
        said.append(f"{len(noted):,} files are not UTF-8 and were read {how}: {files}")
    if empty:
        said.append(f"{plural(len(empty), 'file')} without a text left out: {named(empty)}")
    return found, said


_TRAINING = "as the training file was"
_HOW = {"Windows-1252": "Windows-1252; --encoding names another", _TRAINING: "the training file was"}


def _encoding_in(note: str) -> str:
    return next((name for name in (_TRAINING, "Windows-1252", "UTF-16", "UTF-32") if name in note), note)


def named(paths: Sequence[Path]) -> str:
    """The names of files: the first ones where they are many.

    Example:
        >>> named([Path(f"{number}.txt") for number in range(5)])
        '0.txt, 1.txt, 2.txt, ...'
    """
    names = [path.name for path in paths]
    return ", ".join(names if len(names) <= _SHOWN + 1 else [*names[:_SHOWN], "..."])
