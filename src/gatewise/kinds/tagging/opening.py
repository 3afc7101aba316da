"""A text file to its lines: UTF-8, plain or gzip, any line ends."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from gatewise.errors import DataError

__all__ = ["read_lines"]

_WIDE_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_GZIP_MARK = b"\x1f\x8b"


def read_lines(path: str | Path) -> list[str]:
    r"""Read a UTF-8 text file, with or without a byte order mark, gzip or not, ended by LF, CRLF or CR.

    Only these three end a line: other separators of Unicode (U+2028, U+0085, ...) stay inside it.

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
    path = Path(path)
    content = _content(path)
    if not content.strip():
        raise DataError(
            f"{path} is empty", expected="sentences: a word and its tag a line", fix="name a file with data"
        )
    text = _decode(content, path)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", fix="check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder", expected="a file", fix="name a file in it") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read", got=error.strerror or str(error)) from error
    if not content.startswith(_GZIP_MARK):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged gzip", got=str(error), fix="copy or download the file again") from error


def _decode(content: bytes, path: Path) -> str:
    for mark, name in _WIDE_MARKS.items():
        if content.startswith(mark):
            raise DataError(f"{path} is {name}", expected="UTF-8", fix=_convert(name, path))
    nul = content.find(b"\0")
    if nul >= 0:
        raise DataError(
            f"{path} has a NUL byte in line {content.count(bytes([10]), 0, nul) + 1}",
            expected="UTF-8 text",
            got="binary content, or UTF-16 without its mark",
            fix=f"name a text file, or convert it: iconv -f UTF-16LE -t UTF-8 {path} > converted.txt",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        raise DataError(
            f"{path} is not UTF-8: byte 0x{content[start]:02x} in line {content.count(bytes([10]), 0, start) + 1}",
            expected="UTF-8",
            got="probably Windows-1252 or Latin-1",
            fix=_convert("WINDOWS-1252", path),
        ) from error


def _convert(encoding: str, path: Path) -> str:
    return f"convert it: iconv -f {encoding} -t UTF-8 {path} > converted.txt"
