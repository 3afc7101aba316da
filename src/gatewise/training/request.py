"""What `gatewise predict` and `evaluate` are asked: the arguments, their checks, the texts. Imports no torch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gatewise.errors import DataError, OptionError, StorageError
from gatewise.grammar import plural
from gatewise.screen import say

__all__ = [
    "Request",
    "batches",
    "blank_note",
    "check_beam",
    "check_ending",
    "check_file",
    "check_out",
    "check_places",
    "given_texts",
    "inputs_of",
    "leave_with_unanswered",
    "named_places",
    "say_that_typed_texts_are_read",
]

_JSON = (".json", ".jsonl", ".ndjson")
_OTHER_KINDS = {
    "a picture": (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".svg", ".ppm", ".ico"),
    "a recording": (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff"),
    "a film": (".mp4", ".mkv", ".avi", ".mov", ".webm"),
    "a page": (".html", ".htm", ".xhtml"),
    "a document": (".pdf", ".doc", ".docx", ".odt", ".ppt", ".pptx", ".rtf", ".ps", ".eps"),
    "a spreadsheet": (".xls", ".xlsx", ".ods"),
    "a binary table": (".parquet", ".feather", ".arrow", ".npy", ".npz", ".h5", ".db", ".sqlite"),
    "an archive": (".zip", ".gz", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z"),
    "a model": (".onnx", ".safetensors", ".pt", ".pth", ".bin"),
    "a program": (".exe", ".so", ".dll", ".py", ".c", ".h", ".sh"),
}
Item = TypeVar("Item")


@dataclass(frozen=True)
class Request:
    """The arguments of `gatewise predict` or `evaluate`.

    Attributes:
        run: its folder.
        inputs: the arguments after the folder.
        file: ``--file``.
        out: ``--out``.
        as_json: ``--json``.
        settings: those given of the data spec's settings with ``reads``, which describe the file.
    """

    run: Path
    inputs: tuple[str, ...] = ()
    file: Path | None = None
    out: Path | None = None
    as_json: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def typed(self) -> bool:
        """Whether the texts come from standard input, line by line, because nothing else is named."""
        return not self.inputs and self.file is None

    @property
    def writes_json(self) -> bool:
        """Whether the answers are JSON: by ``--json``, or by the ending of ``--out``."""
        return self.as_json or (self.out is not None and self.out.suffix.lower() in _JSON)


def inputs_of(texts: Iterable[str] | None) -> tuple[str, ...]:
    """The texts of a command line; none where ``-`` asks for standard input, as if nothing were named.

    Raises:
        OptionError: ``-`` stands beside texts.

    Example:
        >>> inputs_of(["a fine film"]), inputs_of(["-"]), inputs_of(None)
        (('a fine film',), (), ())
    """
    found = tuple(texts or ())
    if "-" not in found:
        return found
    if len(found) > 1:
        raise OptionError(
            "`-` is standard input, and stands beside texts",
            expected="texts, or `-` alone",
            got=f"{len(found)} arguments",
            fix='give the text "-" itself as " -"',
        )
    return ()


def check_beam(beam: int | None, fix: str = "--beam 1 is the fastest") -> None:
    """Refuse a beam of no hypotheses; None passes: the run's own.

    Raises:
        OptionError: it is below 1.

    Example:
        >>> check_beam(0)
        Traceback (most recent call last):
        gatewise.errors.OptionError: beam is out of range; expected: a whole number of at least 1; got: 0; fix: ...
    """
    if beam is not None and beam < 1:
        raise OptionError("beam is out of range", expected="a whole number of at least 1", got=beam, fix=fix)


def check_file(file: Path | None) -> None:
    """Refuse a file that does not exist, or is a folder; None passes, and ``-``, which is standard input.

    Raises:
        DataError: naming it.

    Example:
        >>> check_file(Path("nowhere.csv"))
        Traceback (most recent call last):
        gatewise.errors.DataError: nowhere.csv does not exist; fix: check the path
    """
    if file is None or str(file) == "-":
        return
    place = file.expanduser()
    if place.is_dir():
        raise DataError(f"{file} is a folder", expected="a file", fix="name the file in it")
    if not place.exists():
        raise DataError(f"{file} does not exist", fix="check the path")


def named_places(request: Request, nothing: str, fix: str) -> list[Path]:
    """The files and folders that were named: the arguments, or ``--file``.

    Args:
        request: the arguments.
        nothing: the message where there is none.
        fix: how to name some.

    Raises:
        DataError: nothing was named.

    Example:
        >>> [str(each) for each in named_places(Request(Path("run"), ("a.png",)), "there is no picture", "name one")]
        ['a.png']
    """
    found = [Path(word) for word in request.inputs] + ([request.file] if request.file is not None else [])
    if not found:
        raise DataError(nothing, fix=fix)
    return found


def check_places(places: Sequence[Path | None], what: str, fix: str) -> None:
    """Refuse files and folders to answer where none exists; one that is missing beside others is left to its reader.

    Args:
        places: as they were named; None: nothing was.
        what: one of them, in the singular, for messages.
        fix: what to name.

    Raises:
        DataError: naming the first that is missing.

    Example:
        >>> check_places([Path("nowhere.wav"), Path(".")], "recording", "name sound files")
        >>> check_places([Path("nowhere.wav")], "recording", "name sound files")
        Traceback (most recent call last):
        gatewise.errors.DataError: nowhere.wav does not exist; fix: check the path
    """
    missing = [place for place in places if place is None or not place.expanduser().exists()]
    if len(missing) < len(places) or not missing:
        return
    first = missing[0]
    if first is None:
        raise DataError(f"there is no {what}", fix=fix)
    if len(missing) == 1:
        raise DataError(f"{first} does not exist", fix="check the path")
    raise DataError(f"none of {len(missing)} files exists; the first: {first}", fix="check the paths")


def leave_with_unanswered(count: int) -> None:
    """End the command with exit code 2 where some of the files that were named have no answer; 0 passes.

    The answers of the others are written before; scripts learn by the exit code that some are missing.
    """
    if count:
        import typer

        raise typer.Exit(2)


def check_ending(out: Path, written: str = "text, CSV or JSON") -> None:
    """Refuse a name that would make other programs take what is written for a picture, a sound and the like.

    Args:
        out: the file that is to be written.
        written: what it will hold.

    Raises:
        OptionError: its ending is that of another kind of file.

    Example:
        >>> check_ending(Path("labels.png"))
        Traceback (most recent call last):
        gatewise.errors.OptionError: --out labels.png has the ending of a picture; expected: a name for text, CSV or ...
    """
    ending = out.suffix.lower()
    kind = next((kind for kind, endings in _OTHER_KINDS.items() if ending in endings), None)
    if kind is not None:
        ends = ".csv, .txt or .jsonl" if "text" in written else ".csv or .json"
        raise OptionError(
            f"--out {out} has the ending of {kind}",
            expected=f"a name for {written}",
            got=ending,
            fix=f"choose a name that ends in {ends}",
        )


def check_out(request: Request) -> None:
    """Refuse an output that cannot be written, is the input, or has the ending of another kind of file.

    Raises:
        OptionError: ``--out`` is the input, or named as what it will not be.
        StorageError: ``--out`` cannot be written.
    """
    out, file = request.out, request.file
    if out is None:
        return
    check_ending(out)
    if file is not None and out.exists() and file.exists() and out.samefile(file):
        raise OptionError(f"--out {out} is the input file", fix="choose a new name: the input is never changed")
    if out.is_dir() or not out.parent.is_dir():
        raise StorageError(f"cannot write {out}", fix="name a file in a folder that exists")


def given_texts(request: Request, expected: str = "a text a line") -> Iterator[str]:
    """The texts of a request: its arguments, the lines of its file, or those of standard input as they come.

    Args:
        request: the arguments.
        expected: what the file should hold, for messages.

    Raises:
        DataError: the file cannot be used, or standard input is in another encoding.
    """
    if request.inputs:
        yield from request.inputs
    elif request.file is not None and str(request.file) != "-":
        from gatewise.data.text_files import read_lines

        yield from read_lines(request.file, expected)
    else:
        try:
            for line in sys.stdin:
                line.encode()  # in a locale of ASCII alone, other bytes arrive as lone surrogates
                yield line.rstrip("\r\n")
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            found = error.object[error.start]
            raise DataError(
                f"standard input is not {error.encoding.upper()}",
                got=f"byte 0x{(ord(found) if isinstance(found, str) else found) & 0xFF:02x}",
                fix="convert it: iconv -f WINDOWS-1252 -t UTF-8, with its own encoding",
            ) from error


def blank_note(blank: Sequence[int], count: int, answer: str = "no prediction there") -> str:
    """What is said of lines that have no text: how many, and where the first of them stand.

    Args:
        blank: their numbers, from 1.
        count: how many lines there are.
        answer: what stands in place of their answers.

    Example:
        >>> blank_note([2], 3)
        '1 of 3 lines is blank (line 2): no prediction there'
        >>> blank_note([2, 4, 5, 6, 8, 9], 12)
        '6 of 12 lines are blank (lines 2, 4, 5, 6, 8 ...): no prediction there'
    """
    shown = ", ".join(f"{number:,}" for number in blank[:5]) + (" ..." if len(blank) > 5 else "")
    of = f"{len(blank):,} of {plural(count, 'line')} {'is' if len(blank) == 1 else 'are'} blank"
    return f"{of} (line{'' if len(blank) == 1 else 's'} {shown}): {answer}"


def say_that_typed_texts_are_read(request: Request, noun: str = "texts") -> None:
    """Tell a person at a terminal, who named nothing to read, that lines are waited for."""
    if request.typed and sys.stdin.isatty():
        say(f"Reading {noun} from standard input, one a line; end with Ctrl-D.", err=True)


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items in lists of a size, the last one smaller; each list as soon as it is full.

    Example:
        >>> list(batches("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
    """
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
