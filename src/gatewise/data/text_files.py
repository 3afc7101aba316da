"""Bytes to text: UTF-8, or an error that names the encoding."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from gatewise.data.western import is_windows_1252
from gatewise.errors import DataError

_GZIP_MARK = b"\x1f\x8b"

__all__ = [
    "decode",
    "lines_of",
    "missing_file",
    "read_content",
    "read_lines",
    "read_text_file",
    "refuse_empty",
]

_WIDE_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_ENCODINGS = (
    ", with the file's own: WINDOWS-1250 (Central Europe), -1251 (Cyrillic), -1253 (Greek), -1254 (Turkish), -1256 "
    "(Arabic), SHIFT_JIS, GB18030 ..."
)


def read_text_file(path: Path, expected: str = "a header line and rows") -> str:
    """Read a UTF-8 file, with or without a byte order mark, gzip or not.

    Args:
        path: the file.
        expected: what should be in it, for the message about an empty one.

    Raises:
        DataError: it is missing, a folder, unreadable, empty, damaged gzip, or not UTF-8.
    """
    return decode(read_content(path, expected), str(path))


def read_lines(path: str | Path, expected: str = "a text a line") -> list[str]:
    r"""Read a UTF-8 text file, with or without a byte order mark, gzip or not, ended by LF, CRLF or CR.

    Only these three end a line: other separators of Unicode (U+2028, U+0085, ...) stay inside it.

    Args:
        path: the file.
        expected: what it should hold, for messages.

    Returns:
        The lines without their ends; what follows the last line end only where it is not empty.

    Raises:
        DataError: the file is missing, a folder, unreadable, empty, damaged gzip, or not UTF-8 (the line is named).

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_bytes(b"\xef\xbb\xbfEU B-ORG\r\n\r\nBonn B-LOC\r\n")
        >>> read_lines(path)
        ['EU B-ORG', '', 'Bonn B-LOC']
    """
    return lines_of(read_text_file(Path(path), expected))


def lines_of(text: str) -> list[str]:
    r"""The lines of a text without their ends, which are LF, CRLF or CR; after the last end only what is not empty.

    Example:
        >>> lines_of("one\r\n\nthree\n\n")
        ['one', '', 'three', '']
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def read_content(path: Path, expected: str = "a header line and rows") -> bytes:
    """The bytes of a text file in any encoding, unpacked if they are gzip; see `read_text_file`.

    Raises:
        DataError: it is missing, a folder, unreadable, empty, or damaged gzip.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise missing_file(path) from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder", expected="a file", fix="name a file in it") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read", got=error.strerror or str(error)) from error
    if content.startswith(_GZIP_MARK):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} is damaged gzip", got=str(error), fix="copy or download the file again") from error
    if not content.removeprefix(b"\xef\xbb\xbf").strip():
        raise DataError(f"{path} is empty", expected=expected, fix="name a file that has records")
    return content


def refuse_empty(path: Path, expected: str = "a header line and rows") -> None:
    """Refuse a file of no bytes.

    Raises:
        DataError: it is empty.
    """
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty", expected=expected, fix="name a file that has records")


def decode(content: bytes, place: str) -> str:
    r"""Decode UTF-8, dropping a byte order mark.

    Args:
        content: the bytes.
        place: where they came from, for messages.

    Raises:
        DataError: UTF-16 or UTF-32, NUL bytes, or bytes that are not UTF-8 (their line is named).

    Example:
        >>> decode(b"\xef\xbb\xbftext", "a.csv")
        'text'
        >>> decode("größer".encode("latin-1"), "a.csv")
        Traceback (most recent call last):
        gatewise.errors.DataError: a.csv is not UTF-8: byte 0xf6 in line 1; ...
    """
    for mark, name in _WIDE_MARKS.items():
        if content.startswith(mark):
            raise DataError(f"{place} is {name}", expected="UTF-8", fix=_convert(name, place))
    nul = content.find(b"\0")
    if nul >= 0:
        many = content[:4096].count(b"\0") * 4 > len(content[:4096])
        raise DataError(
            f"{place} has a NUL byte in line {content.count(bytes([10]), 0, nul) + 1}",
            expected="UTF-8 text",
            got="probably UTF-16 without its mark" if many else "binary content or a damaged file",
            fix=_convert("UTF-16LE", place) if many else "remove the NUL bytes, or name a text file",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        western = is_windows_1252(content)
        raise DataError(
            f"{place} is not UTF-8: byte 0x{content[start]:02x} in line {content.count(bytes([10]), 0, start) + 1}",
            expected="UTF-8",
            got="probably Latin-1 or Windows-1252" if western else "another encoding, and surely not Windows-1252",
            fix=_convert("WINDOWS-1252" if western else "ENCODING", place) + ("" if western else _ENCODINGS),
        ) from error


def _convert(encoding: str, place: str) -> str:
    return f"convert it: iconv -f {encoding} -t UTF-8 {place} > converted{Path(place).suffix or '.txt'}"


def missing_file(path: Path) -> DataError:
    """The error that there is no such file, with the name of one that is called nearly so.

    Example:
        >>> print(missing_file(Path("nowhere/a.csv")))
        nowhere/a.csv does not exist; fix: the folder nowhere does not exist either; check the path
    """
    return DataError(f"{path} does not exist", fix=_neighbour(path))


def _neighbour(path: Path) -> str:
    """Suggest a file in the folder with a similar name."""
    import difflib

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} does not exist either; check the path"
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {str(path.parent / near[0])!r}?" if near else "check the path"
