"""What `gatewise predict` and `evaluate` are asked to hear. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from gatewise.errors import DataError
from gatewise.training.request import Request, check_out

__all__ = ["check", "sound_files"]


def check(command: str, request: Request) -> None:
    """Refuse what can be refused before the network is loaded.

    Raises:
        DataError: a file or folder does not exist.
        OptionError: ``--out`` is the input.
        StorageError: ``--out`` cannot be written.
    """
    for place in sound_files(request) if command == "predict" else [request.file]:
        if place is None:
            raise DataError("there is no recording", fix="name sound files, or a folder of recordings")
        if not place.expanduser().exists():
            raise DataError(f"{place} does not exist", fix="check the path")
    check_out(request)


def sound_files(request: Request) -> list[Path]:
    """What `gatewise predict` is to hear, as it was named: the arguments, or ``--file``.

    Raises:
        DataError: nothing was named.
    """
    found = [Path(word) for word in request.inputs] + ([request.file] if request.file is not None else [])
    if not found:
        raise DataError(
            "there is no recording to hear", fix="name sound files after the run: gatewise predict RUN a.wav"
        )
    return found
