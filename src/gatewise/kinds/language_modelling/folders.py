"""A folder of texts for language models: documents that stay whole, and which of them are tested on.

Files called after parts (``train.txt``, ``wiki.valid.txt``, ``test/7.txt``) are these parts. Otherwise documents follow
each other in the order of their names, as chapters and days do: the last tenth of the text is tested on, the tenth
before it validates, cut between documents where that leaves at least half of the text for training.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from gatewise.data.text_folders import SUFFIXES, named, read_texts, text_files
from gatewise.errors import DataError
from gatewise.kinds.language_modelling.documents import Lines, cut_lines, lines_of
from gatewise.statistics import LEAST_BLOCKS
from gatewise.words import plural

__all__ = ["OTHER_TEXTS", "FolderParts", "read_folder", "texts_in"]

OTHER_TEXTS = (
    *(".md", ".rst", ".tex", ".log", ".py", ".c", ".h", ".cpp", ".hpp", ".java", ".js", ".ts", ".rs", ".go", ".sh"),
    ".sql",
)
"""Pages, logs and programs: running text, less surely."""
_PARTS = ("train", "validation", "test")
_CALLED = {
    "train": "train", "training": "train", "valid": "validation", "validation": "validation", "val": "validation",
    "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
_PIECES = re.compile(r"[^a-z]+")
_TRAINING, _LEAST_TRAINING, _LEAST_HELD_OUT = 0.8, 0.5, 0.02


@dataclass(frozen=True)
class FolderParts:
    """The lines of a folder's texts by part.

    Attributes:
        train: lines to learn from.
        validation: lines that decide when to stop.
        test: lines of the test.
        test_starts: the lines of the test part with which documents begin; empty: not known.
        source: where the text came from.
        split_note: what the test part is.
        notes: for the user.
    """

    train: Lines
    validation: Lines
    test: Lines
    test_starts: tuple[int, ...]
    source: str
    split_note: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Document:
    path: Path
    part: str | None
    lines: Lines

    @property
    def size(self) -> int:
        return sum(len(line) + 1 for line in self.lines)


def texts_in(folder: Path) -> list[Path]:
    """The files of a folder that are modelled: texts, else pages, logs and programs.

    Raises:
        DataError: there are none.
    """
    found = text_files(folder, SUFFIXES) or text_files(folder, OTHER_TEXTS)
    if not found:
        raise DataError(
            f"the folder {folder} holds no texts",
            expected="files that end in .txt (or .md, .log, .py ...), in it or in folders in it",
            fix="name the folder of the texts, or one file",
        )
    return found


def read_folder(folder: Path, tokens: str, encoding: str | None = None) -> FolderParts:
    """Read the texts of a folder and cut them into parts.

    Args:
        folder: where they are.
        tokens: what a token is, which says what of a line counts.
        encoding: of the files; None: detected for each.

    Raises:
        DataError: there are no texts, too little of them, or a file cannot be used.
    """
    paths = texts_in(folder)
    texts, notes = read_texts(paths, encoding)
    documents = [
        _Document(each.path, _part_of(each.path, folder), tuple(lines_of(each.text, tokens))) for each in texts
    ]
    documents, copies = _distinct([each for each in documents if any(each.lines)])
    said = [*notes, *copies]
    if not documents:
        raise DataError(f"the folder {folder} holds no texts", got="empty files alone", fix="name another folder")
    called = {each.part for each in documents}
    if {"train", "test"} <= called and None in called:
        _refuse_mixed(folder, documents)
    if None not in called and {"train", "test"} <= called:
        parts = {part: [each for each in documents if each.part == part] for part in _PARTS}
        return _given(folder, parts, said)
    return _in_order(folder, documents, said)


def _part_of(path: Path, folder: Path) -> str | None:
    """The part that a file's name, or the outermost folder's, says; None: none, or several."""
    inside = path.relative_to(folder)
    words = (inside.parts[0] if len(inside.parts) > 1 else inside.name).lower()
    found = {_CALLED[piece] for piece in _PIECES.split(words) if piece in _CALLED}
    return found.pop() if len(found) == 1 else None


def _refuse_mixed(folder: Path, documents: Sequence[_Document]) -> None:
    """Refuse parts (``wiki.train.txt`` and ``wiki.test.txt``, or folders called so) beside files of no part."""
    rests = {part: {_rest(each.path, folder) for each in documents if each.part == part} for part in ("train", "test")}
    if not rests["train"] & rests["test"]:
        return  # words of titles
    others = [each.path for each in documents if each.part is None]
    raise DataError(
        f"in {folder} some files are called as parts, and others are not",
        expected="all called train, validation or test, or none",
        got=f"{named([each.path for each in documents if each.part is not None])}, and {named(others)}",
        fix=f"move {named(others)} elsewhere, or call it as its part too, such as train-2.txt",
    )


def _rest(path: Path, folder: Path) -> tuple[str, ...]:
    """The words of the outermost name in a folder that are of no part: ``wiki`` and ``txt`` of ``wiki.train.txt``."""
    return tuple(word for word in _PIECES.split(path.relative_to(folder).parts[0].lower()) if word not in _CALLED)


def _distinct(documents: Sequence[_Document]) -> tuple[list[_Document], list[str]]:
    """Documents of which none is a copy of another; of copies the one of the test part stays, else the first."""
    rank = {"test": 0, "validation": 1}
    first: dict[bytes, _Document] = {}
    copies: list[_Document] = []
    for each in sorted(documents, key=lambda each: rank.get(each.part or "", 2)):
        key = hashlib.sha256(" ".join(" ".join(each.lines).split()).encode("utf-8", "surrogatepass")).digest()
        if first.setdefault(key, each) is not each:
            copies.append(each)
    if not copies:
        return list(documents), []
    files = named([each.path for each in copies])
    note = f"{plural(len(copies), 'file')} left out that repeat another: {files}"
    return [each for each in documents if each not in copies], [note]


def _given(folder: Path, parts: dict[str, list[_Document]], notes: list[str]) -> FolderParts:
    """Parts that the files' names say; without a validation part, it is the end of the training part."""
    if not parts["validation"]:
        train, last, whole = _cut(parts["train"], 1 / 8, str(folder))
        how = f"named so; the {_tail(whole, 'training')} validates"
    else:
        train, last = _joined(parts["train"]), _joined(parts["validation"])
        how = f"named so; {plural(len(parts['validation']), 'file')} to validate"
    files = {part: [each.path for each in found] for part, found in parts.items()}
    count = sum(map(len, files.values()))
    said = (
        f"{plural(count, 'file')} of {folder.name}: {len(files['train']):,} to train on, {len(files['test']):,} for "
        f"the test ({named(files['test'])}), {how}"
    )
    return FolderParts(
        train,
        last,
        _joined(parts["test"]),
        _starts(parts["test"]),
        f"the {plural(count, 'file')} of the folder {folder}",
        f"{plural(len(files['test']), 'file')} of {folder.name} that {'is' if len(files['test']) == 1 else 'are'} "
        f"called test: {named(files['test'])}",
        (*notes, said, *_few(len(files["test"]))),
    )


def _tail(whole: int, part: str) -> str:
    """The documents that were cut off the end of a part, in words."""
    return f"end of the {part} part" if not whole else f"last {_files(whole)} of the {part} part"


def _files(count: int) -> str:
    return "file" if count == 1 else f"{count:,} files"


def _cut(documents: Sequence[_Document], share: float, place: str) -> tuple[Lines, Lines, int]:
    """Documents without the last ones, the last ones, and how many these are; 0: a document was cut within."""
    ends = list(accumulate(each.size for each in documents))
    number = _nearest(ends, (1 - share) * ends[-1], 1, len(documents) - 1)
    if number is not None and 1 - 2 * share <= ends[number - 1] / ends[-1] <= 1 - share / 4:
        return _joined(documents[:number]), _joined(documents[number:]), len(documents) - number
    lines = _joined(documents)
    first, second, third = cut_lines(lines, place)
    return first, second + third, 0


def _in_order(folder: Path, documents: Sequence[_Document], notes: list[str]) -> FolderParts:
    """The last documents are tested on, those before them validate; documents are cut where they are too few."""
    files = [each.path for each in documents]
    source = f"the {plural(len(files), 'file')} of the folder {folder}"
    ends = f"{files[0].name} to {files[-1].name}"
    order = f"{plural(len(files), 'file')} of {folder.name} in the order of their names ({ends})"
    borders = _borders([each.size for each in documents])
    if borders is not None:
        first, second = borders
        tested = documents[second:]
        said = (
            f"{order}: the first {first:,} to train on, {second - first:,} to validate ({named(files[first:second])}), "
            f"the last {len(tested):,} for the test ({named(files[second:])}); none is in two parts"
        )
        return FolderParts(
            _joined(documents[:first]),
            _joined(documents[first:second]),
            _joined(tested),
            _starts(tested),
            source,
            f"the last {_files(len(tested))} of {folder.name}: {named(files[second:])}",
            (*notes, said, *_few(len(tested))),
        )
    lines = _joined(documents)
    train, validation, test = cut_lines(lines, str(folder))
    before, starts = len(lines) - len(test), tuple[int, ...]()
    if len(train) + len(validation) + len(test) == len(lines):  # the lines are those of the files
        begins = [0, *accumulate(len(each.lines) for each in documents)][:-1]
        found = sorted({0, *(begin - before for begin in begins if begin > before)})
        starts = tuple(found)
    said = f"{order}: too few, or of too different lengths, to stay whole: the text is cut within files"
    return FolderParts(
        train, validation, test, starts, source, f"the last tenth of the texts of {folder.name}", (*notes, said)
    )


def _borders(sizes: Sequence[int]) -> tuple[int, int] | None:
    """The first document that validates and the first of the test, the parts about 80, 10 and 10 %; None: no way."""
    if len(sizes) < 3:
        return None
    ends = list(accumulate(sizes))
    total = ends[-1]
    first = _nearest(ends, _TRAINING * total, 1, len(sizes) - 2)
    assert first is not None
    second = _nearest(ends, (ends[first - 1] + total) / 2, first + 1, len(sizes) - 1)
    assert second is not None
    shares = ends[first - 1] / total, (ends[second - 1] - ends[first - 1]) / total, 1 - ends[second - 1] / total
    return (first, second) if shares[0] >= _LEAST_TRAINING and min(shares[1:]) >= _LEAST_HELD_OUT else None


def _nearest(ends: Sequence[int], wanted: float, least: int, most: int) -> int | None:
    """How many documents end nearest to a place, at least and at most so many; None: there is no such number."""
    if most < least:
        return None
    return least + int(np.abs(np.array(ends[least - 1 : most]) - wanted).argmin())


def _joined(documents: Sequence[_Document]) -> Lines:
    return tuple(line for each in documents for line in each.lines)


def _starts(documents: Sequence[_Document]) -> tuple[int, ...]:
    """The line with which each document begins."""
    return tuple([0, *accumulate(len(each.lines) for each in documents)][:-1])


def _few(count: int) -> list[str]:
    if not 1 < count < LEAST_BLOCKS:
        return []
    return [
        f"of a test part of {count} documents no difference between models is claimed, for these are fewer than "
        f"{LEAST_BLOCKS}: cut them into smaller files, a chapter each, to have more"
    ]
