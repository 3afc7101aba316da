"""Encodings of text files: UTF-8, what a byte order mark says, Windows-1252 where that is safe, or the named one."""

from __future__ import annotations

import codecs
import re

from gatewise.data.guesses import likely_encodings
from gatewise.data.mixed_encodings import mixed_lines, read_twice_note
from gatewise.data.text_files import decode
from gatewise.data.western import is_windows_1252
from gatewise.errors import DataError, OptionError
from gatewise.words import plural

__all__ = ["check_encoding", "decode_as"]

_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


_MIXED = "the file mixes encodings; export it anew in one"


def check_encoding(name: str) -> str:
    """The name of an encoding as Python has it.

    Raises:
        OptionError: it is unknown, or is no encoding of text.

    Example:
        >>> check_encoding("Latin-1"), check_encoding("windows-1252")
        ('iso8859-1', 'cp1252')
    """
    try:
        found = codecs.lookup(name).name
        b"a".decode(name)
    except UnicodeDecodeError:
        pass
    except (LookupError, ValueError, TypeError) as error:
        raise OptionError(
            f"there is no encoding {name!r}",
            expected="a name such as utf-8, cp1252, latin-1, shift_jis, gb18030, utf-16",
            fix="give --encoding one of these, or omit it",
        ) from error
    return found


def decode_as(
    content: bytes, place: str, encoding: str | None = None, fallback: str | None = None
) -> tuple[str, list[str]]:
    r"""Decode a file's content.

    Without a name it is UTF-8, or what its byte order mark says, else the fallback, or Windows-1252 if
    `is_windows_1252` is sure.

    Args:
        content: the bytes.
        place: where they came from, for messages.
        encoding: its name; None: detected.
        fallback: the name of the encoding of files that are not UTF-8, as that of the training file; None: detected.

    Returns:
        The text without a byte order mark, and notes for the user on what was detected.

    Raises:
        DataError: the bytes do not fit; the line is named.
        OptionError: no such encoding.

    Example:
        >>> decode_as("schön, größer, für".encode("cp1252"), "a.csv")[0]
        'schön, größer, für'
        >>> decode_as("хорошо".encode("cp1251"), "a.csv", "cp1251")
        ('хорошо', [])
    """
    if encoding is not None:
        text = _decode_named(content, place, check_encoding(encoding))
        return text, read_twice_note(text, place, _read_wrongly(content))
    for mark, name in _MARKS:
        if content.startswith(mark):
            return _decode_named(content, place, name), [f"{place} is {name}, as its byte order mark says"]
    try:
        text = decode(content, place)
        return text, read_twice_note(text, place, "so they stand in the file; where that is wrong, export it anew")
    except DataError as error:
        if b"\0" in content:
            fix = f"name its encoding, for example --encoding utf-16-le; or {error.fix}"
            raise DataError(error.message, expected=error.expected, got=error.got, fix=fix) from error
        if fallback is not None:
            text = _decode_named(content, place, check_encoding(fallback))
            return text, [f"{place} is not UTF-8 and was read as {fallback}, as the training file was"]
        if not is_windows_1252(content):
            mixed = mixed_lines(content)
            if mixed is not None:
                many, first, others, first_other = mixed
                raise DataError(
                    f"{place} mixes two encodings",
                    expected="one encoding in all lines",
                    got=f"letters in UTF-8 in {plural(many, 'line')} (as line {first:,}), "
                    f"in Windows-1252 in {plural(others, 'line')} (as line {first_other:,})",
                    fix="export it anew in UTF-8, or convert those lines: any one --encoding misreads the others",
                ) from error
            raise DataError(
                error.message,
                expected="UTF-8, or what is surely Western European text in Windows-1252",
                got="letters that do not go together in one Western European language",
                fix=_suggestion(content),
            ) from error
    text = content.decode("cp1252")
    found = re.search(r"\w*[^\W\x00-\x7f]\w*", text)
    example = f" (for example {found.group()!r})" if found else ""
    said = f"{place} is not UTF-8 and was read as Windows-1252{example}; --encoding names another"
    return text, [said, *read_twice_note(text, place, _MIXED)]


def _read_wrongly(content: bytes) -> str:
    """What to do where the encoding that was named makes two signs of letters in UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return _MIXED
    return "the file is UTF-8; omit --encoding"


def _suggestion(content: bytes) -> str:
    """Which encoding to name: those in which the words look like a language, else some."""
    found = likely_encodings(content)
    if found:
        shown = ", or ".join(f"--encoding {name} if {words!r} are words of it" for name, words in found)
        return f"name it: {shown}; others are cp1252 (Western Europe), cp1250 (Central Europe), cp1251 (Cyrillic) ..."
    return (
        "name it: --encoding cp1252 if it is Windows-1252 all the same (Western Europe), --encoding cp1250 "
        "(Central Europe), --encoding cp1251 (Cyrillic), cp1253 (Greek), cp1254 (Turkish), cp1256 (Arabic), shift_jis, "
        "gb18030 ..."
    )


def _decode_named(content: bytes, place: str, name: str) -> str:
    try:
        text = content.decode(name)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{place} is not {name}: byte 0x{content[error.start]:02x} in line {line}",
            expected=name,
            got=error.reason,
            fix="give --encoding the file's own encoding, or omit it",
        ) from error
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise DataError(
            f"{place} has a NUL character in line {text.count(chr(10), 0, text.index(chr(0))) + 1}",
            expected=f"text in {name}",
            got="another encoding, or binary content",
            fix="give --encoding the file's own encoding",
        )
    return text
