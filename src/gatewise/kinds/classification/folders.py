"""Texts in folders that are called as their labels: ``spam/1.txt``, ``ham/1.txt``; or so in ``train`` and ``test``."""

from __future__ import annotations

from pathlib import Path

from gatewise.data.tables import MAX_CHARACTERS, Table, read_table
from gatewise.data.text_folders import class_folders, read_texts, text_files
from gatewise.errors import DataError, OptionError
from gatewise.kinds.classification.imdb_official import is_official_folder
from gatewise.training.checks import flag
from gatewise.words import plural

__all__ = ["is_labelled_folder", "read_labelled", "with_test_folder"]

_TRAINING, _TEST = ("train", "training"), ("test", "testing")
_OTHERS = ("unsup", "validation", "valid", "val", "dev")


def is_labelled_folder(path: Path) -> bool:
    """Whether a folder holds folders of text files, one for each label, or two folders of such to train and to test."""
    if not path.is_dir() or is_official_folder(path):
        return False
    found = class_folders(path)
    names = {each.name.lower() for each in found}
    if found and not names & {*_TRAINING, *_TEST}:
        return True
    return all(part is not None and bool(class_folders(part)) for part in _parts(path))


def with_test_folder(path: Path, test: Path | None) -> tuple[Path, Path | None]:
    """The folder to train on and the one to test on, where a folder holds both.

    Raises:
        OptionError: another test part is named too.
    """
    training, tested = _parts(path)
    if training is None or tested is None:
        return path, test
    if test is not None:
        raise OptionError(
            f"{path} has a test part of its own, {tested.name}",
            got=f"--test {test}",
            fix=f"omit --test, or name {training}",
        )
    return training, tested


def _parts(path: Path) -> tuple[Path | None, Path | None]:
    inside = {each.name.lower(): each for each in path.iterdir() if each.is_dir()}
    first, second = (next((inside[name] for name in names if name in inside), None) for names in (_TRAINING, _TEST))
    return first, second


def read_labelled(
    path: str | Path,
    text: str | None = None,
    label: str | None = None,
    encoding: str | None = None,
    fallback: str | None = None,
    separator: str | None = None,
    group: str | None = None,
) -> Table:
    """Read texts and labels of a table, see `gatewise.data.tables.read_table`, or of a folder with one for each label.

    Raises:
        DataError: the file or folder cannot be used.
        OptionError: columns are named for a folder, which has none.
    """
    path = Path(path)
    if not path.is_dir():
        return read_table(path, text, label, encoding, fallback, separator, group)
    for name, given in {"text": text, "label": label, "separator": separator, "group": group}.items():
        if given is not None:
            raise OptionError(
                f"{flag(name)} is for tables, and {path} is a folder",
                got=f"{flag(name)} {given}",
                fix=f"omit {flag(name)}",
            )
    folders = class_folders(path)
    if not folders:
        raise DataError(
            f"{path} holds no folders of texts", expected="a folder of .txt files for each label", fix="check the path"
        )
    left_out = [each.name for each in folders if each.name.lower() in _OTHERS]
    folders = [each for each in folders if each.name not in left_out]
    paths = [file for folder in folders for file in text_files(folder)]
    found, notes = read_texts(paths, encoding, fallback)
    for each in found:
        if len(each.text) > MAX_CHARACTERS:
            raise DataError(
                f"{each.path} is too long", expected=f"at most {MAX_CHARACTERS:,} characters", got=f"{len(each.text):,}"
            )
    labels = [each.path.relative_to(path).parts[0] for each in found]
    counts = ", ".join(f"{each.name} {labels.count(each.name):,}" for each in folders[:6])
    more = "" if len(folders) <= 6 else ", ..."
    notes.append(
        f"{plural(len(found), 'file')} in {plural(len(folders), 'folder')} of {path.name}, whose names are the labels: "
        f"{counts}{more}"
    )
    if left_out:
        notes.append(f"{', '.join(left_out)} of {path.name} {'is' if len(left_out) == 1 else 'are'} not read: no label")
    return Table(path, [each.text for each in found], labels, list(range(1, len(found) + 1)), "file", notes)
