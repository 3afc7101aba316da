"""A person's own pictures with their captions: found, read, made squares; what cannot be used is named. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gatewise import words
from gatewise.data.skips import Skips
from gatewise.errors import DataError
from gatewise.kinds.captioning.images import in_channels, read_image
from gatewise.kinds.captioning.pictures import SEEN_AT, Appearance, Pictures, Pixels, appearance_of
from gatewise.kinds.captioning.places import picture_files, table_of
from gatewise.kinds.captioning.spec import CaptionDataSpec
from gatewise.kinds.captioning.tables import read_captions

__all__ = ["find_table", "read_folder", "read_pictures"]

_SHOWN = 3


def find_table(path: Path, captions: str | None) -> tuple[Path, Path]:
    """The table of captions and the folder of its pictures.

    Args:
        path: a folder, or the table.
        captions: ``--captions``; None: the table in the folder.

    Raises:
        DataError: there is none.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", expected="a folder of pictures, or a table", fix="check the path")
    if captions is not None:
        folder = path if path.is_dir() else path.parent
        given = Path(captions).expanduser()
        for place in (given, folder / given):
            if place.is_file():
                return place, folder
        raise DataError(f"the table of captions {captions} does not exist", fix="check the path")
    if path.is_file():
        return path, path.parent
    table = table_of(path)
    if table is None:
        names = sorted(each.name for each in path.iterdir())
        raise DataError(
            f"{path} has no table of captions",
            expected="captions.csv with the columns image and caption",
            got=(", ".join(names[:5]) + (", ..." if len(names) > 5 else "")) or "an empty folder",
            fix="add it, or name the table itself: with --captions in training",
        )
    return table, path


def read_folder(
    table: Path, folder: Path, data: CaptionDataSpec, size: int, only: Iterable[str] | None = None
) -> tuple[Pictures, list[str]]:
    """The pictures that a table names, each once, with all its captions.

    Args:
        table: of captions.
        folder: where the pictures are, at any depth.
        data: the columns.
        size: pixels of a side.
        only: names of pictures; None: all.

    Raises:
        DataError: the table cannot be used, or more than half of the pictures.
    """
    captions, notes = read_captions(table, data.image_column, data.caption_column)
    if only is not None:
        wanted = _named(captions, only)
        captions = {name: texts for name, texts in captions.items() if name in wanted}
        if not captions:
            raise DataError(f"{table} has no caption of a picture that is named", fix="check the list of names")
    return read_pictures(captions, [folder, table.parent], size, notes)


def _named(known: Iterable[str], wanted: Iterable[str]) -> set[str]:
    """The pictures of a table that a list names: by the whole name, else by a file name that one of them has alone.

    Example:
        >>> sorted(_named(["cats/1.png", "dogs/1.png", "dogs/2.png"], ["cats/1.png", "2.png"]))
        ['cats/1.png', 'dogs/2.png']
    """
    of_file = _by_file_name(known)
    found = set()
    for name in wanted:
        same = of_file.get(Path(name).name, [])
        if name in same:
            found.add(name)
        elif len(same) > 1:
            raise DataError(
                f"several pictures are called {Path(name).name}",
                got=", ".join(same[:_SHOWN]),
                fix="name them in the list as the table of captions does",
            )
        else:
            found.update(same)
    return found


def _by_file_name(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(Path(name).name, []).append(name)
    return found


def read_pictures(
    captions: dict[str, list[str]], folders: list[Path], size: int, notes: list[str]
) -> tuple[Pictures, list[str]]:
    """Read all pictures; what cannot be used is left out, counted and named. Equal pictures become one.

    They are told apart at `SEEN_AT` pixels, for which they are read once more where ``size`` is another one.

    Args:
        captions: by file name.
        folders: where the files may be.
        size: pixels of a side.
        notes: of the table.

    Raises:
        DataError: more than half of them cannot be used.
    """
    skips, first = Skips("picture"), None
    found: dict[Appearance, tuple[str, Pixels, list[str]]] = {}
    elsewhere: dict[str, Path] | None = None
    same = 0
    for name, texts in captions.items():
        place = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if place is None:
            if elsewhere is None:
                elsewhere = _elsewhere(captions, folders)
            place = elsewhere.get(name, folders[0] / name)
        try:
            pixels = read_image(place, str(place), size)
            key = appearance_of(pixels if size == SEEN_AT else read_image(place, str(place), SEEN_AT))
        except DataError as error:
            first = first or error
            skips.add(error.message.removeprefix(str(place)).strip().removeprefix("is "), name)
            continue
        if key in found:
            same += 1
            known = found[key][2]
            known += [text for text in texts if text not in known]
        else:
            found[key] = (name, pixels, list(texts))
    if first is not None and skips.count > len(captions) / 2:
        raise DataError(
            f"{skips.count:,} of {words.plural(len(captions), 'picture')} cannot be used; the first: {first.message}",
            expected=first.expected,
            got=first.got,
            fix=first.fix or "check the folder that the table's file names are in",
        ) from first
    said = [*notes, *skips.notes]
    if same:
        said.append(
            f"{words.plural(same, 'picture')} {'has' if same == 1 else 'have'} the pixels of another one and "
            f"{'is' if same == 1 else 'are'} one with it"
        )
    rows = list(found.values())
    stacked = np.stack([pixels for _, pixels, _ in rows])
    if (stacked == stacked[:, :1]).all():
        stacked = in_channels(stacked, 1)
    captions_of, names = tuple(tuple(texts) for _, _, texts in rows), tuple(name for name, _, _ in rows)
    return Pictures(stacked, captions_of, names, seen=tuple(found)), said


def _elsewhere(names: Iterable[str], folders: Iterable[Path]) -> dict[str, Path]:
    """The files of names that are in another folder than the table says, where there is no other of that file name."""
    files = {each.resolve() for folder in folders for each in picture_files(folder)}
    places: dict[str, list[Path]] = {}
    for each in sorted(files):
        places.setdefault(each.name, []).append(each)
    return {
        same[0]: places[file_name][0]
        for file_name, same in _by_file_name(names).items()
        if len(same) == 1 and len(places.get(file_name, ())) == 1
    }
