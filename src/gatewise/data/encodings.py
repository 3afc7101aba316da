"""Encodings of text files: UTF-8, what a byte order mark says, Windows-1252 where that is safe, or the named one."""

from __future__ import annotations

import codecs
import re
from collections import Counter

from gatewise.data.text_files import decode
from gatewise.errors import DataError, OptionError

__all__ = ["check_encoding", "decode_as", "is_windows_1252"]

_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)

_LANGUAGES = {
    "German": "äöüßé",
    "French": "àâæçéèêëîïôœùûüÿ",
    "Spanish": "áéíóúüñ",
    "Portuguese": "áâãàçéêíóôõúü",
    "Italian": "àèéìíîòóùú",
    "Dutch": "áéëïóöüèêç",
    "Danish and Norwegian": "æøåéòôêó",
    "Swedish and Finnish": "åäöé",
    "Icelandic": "áðéíóúýþæö",
    "Catalan": "àçèéíïòóúü",
    "Estonian": "äöõüšž",
    "Irish": "áéíóú",
}
_SIGNS = set("‘’“”„‚‹›«»–—…•·€£¥¢§©®™°¡¿´¨ªº¹²³±×÷½¼¾µ¶†‡‰\u00a0\u00ad")
_INSIDE_WORDS = set("’·–—…-\u00ad")
_SOUND = 0.98


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
        return _decode_named(content, place, check_encoding(encoding)), []
    for mark, name in _MARKS:
        if content.startswith(mark):
            return _decode_named(content, place, name), [f"{place} is {name}, as its byte order mark says"]
    try:
        return decode(content, place), []
    except DataError as error:
        if b"\0" in content:
            fix = f"name its encoding, for example --encoding utf-16-le; or {error.fix}"
            raise DataError(error.message, expected=error.expected, got=error.got, fix=fix) from error
        if fallback is not None:
            text = _decode_named(content, place, check_encoding(fallback))
            return text, [f"{place} is not UTF-8 and was read as {fallback}, as the training file was"]
        if not is_windows_1252(content):
            raise DataError(
                error.message,
                expected="UTF-8, or what is surely Western European text in Windows-1252",
                got="letters that do not go together in one Western European language",
                fix="name it: --encoding cp1252 if it is Windows-1252 all the same (Western Europe), --encoding cp1250 "
                "(Central Europe), --encoding cp1251 (Cyrillic), shift_jis, gb18030 ...",
            ) from error
    text = content.decode("cp1252")
    found = re.search(r"\w*[^\W\x00-\x7f]\w*", text)
    example = f" (for example {found.group()!r})" if found else ""
    return text, [f"{place} is not UTF-8 and was read as Windows-1252{example}; --encoding names another"]


def is_windows_1252(content: bytes) -> bool:
    """Whether bytes that are not UTF-8 are safely Windows-1252, of which Latin-1 is a part.

    Any bytes decode as something, so this asks whether the outcome is a text: the letters outside ASCII have to be
    those of one Western European language (98 % of them), no capital may follow a small letter, no sign may stand
    inside a word, and no raised digit before or after one. Cyrillic, Greek, Central European and Asian encodings fail
    this.

    Example:
        >>> is_windows_1252("déjà vu, élève".encode("cp1252")), is_windows_1252("очень хорошо".encode("cp1251"))
        (True, False)
        >>> is_windows_1252("żółta łódź".encode("cp1250")), is_windows_1252("größer".encode("mac_roman"))
        (False, False)
    """
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return False
    if re.search(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]", text):
        return False
    high = Counter(letter for letter in text if letter > "\x7f")
    letters = Counter[str]()
    for letter, count in high.items():
        if letter.isalpha() and letter not in "ªº":
            letters[letter.lower()] += count
        elif letter not in _SIGNS:
            return False
    signs = re.escape("".join(_SIGNS - _INSIDE_WORDS - set("ªº")))
    inside = rf"[^\W\d_][{signs}](?=[^\W\d_])|[a-zß-öø-ÿ][À-ÖØ-ÞŠŒŽŸ]"
    beside = r"(?<!\w)[£¥¹²³](?=[^\W\d_])|[^\W\d_]{3}[¹²³](?!\w)"  # what Polish letters become; km² and m³ stay
    odd = len(re.findall(f"{inside}|{beside}", text))
    total = sum(high.values())
    if odd > (1 - _SOUND) * total:
        return False
    if not letters:
        return True
    known = max(sum(count for letter, count in letters.items() if letter in own) for own in _LANGUAGES.values())
    return known >= _SOUND * sum(letters.values())


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
