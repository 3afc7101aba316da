"""What `gatewise caption`, `predict` and `evaluate` are asked to look at. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from gatewise.errors import DataError, OptionError, StorageError
from gatewise.kinds.captioning.places import SUFFIXES, table_of
from gatewise.training.request import Request, check_places, named_places

__all__ = ["check", "picture_places"]

_ENDINGS = (".csv", ".txt", ".jsonl", ".ndjson", "")


def check(command: str, request: Request) -> None:
    """Refuse what can be refused before the network is loaded.

    Raises:
        DataError: no file or folder that was named exists.
        OptionError: ``--out`` is the input.
        StorageError: ``--out`` cannot be written.
    """
    places = picture_places(request) if command == "predict" else [request.file]
    check_places(places, "picture", "name a folder of pictures with captions, or their table")
    if command == "evaluate" and request.file is not None and request.file.suffix.lower() in SUFFIXES:
        raise DataError(
            f"{request.file} is a single picture",
            expected="a folder of pictures with captions, or their table",
            fix="name its folder",
        )
    out = request.out
    if out is None:
        return
    for place in picture_places(request) if command == "predict" else []:
        given = place.expanduser()
        if out.exists() and any(
            out.samefile(each)
            for each in (given, table_of(given) if given.is_dir() else None)
            if each is not None and each.exists()
        ):
            raise OptionError(f"--out {out} is the input file", fix="choose a new name: the input is never changed")
    if out.suffix.lower() not in _ENDINGS:
        raise OptionError(
            f"--out {out} has an ending that cannot be written",
            expected=", ".join(filter(None, _ENDINGS)),
            got=out.suffix,
            fix="write CSV, which spreadsheets open: --out captions.csv",
        )
    if out.is_dir() or not out.parent.is_dir():
        raise StorageError(f"cannot write {out}", fix="name a file in a folder that exists")


def picture_places(request: Request) -> list[Path]:
    """The files and folders that were named: the arguments, or ``--file``.

    Raises:
        DataError: nothing was named.
    """
    fix = "name picture files after the run: gatewise caption RUN a.png"
    return named_places(request, "there is no picture to look at", fix)
