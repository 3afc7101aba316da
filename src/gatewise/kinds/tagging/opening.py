"""A text file to its lines: UTF-8, plain or gzip, any line ends."""

from __future__ import annotations

from pathlib import Path

from gatewise.data.text_files import read_text_file

__all__ = ["read_lines"]


def read_lines(path: str | Path, expected: str = "sentences: a word and its tag a line") -> list[str]:
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
    text = read_text_file(Path(path), expected)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
