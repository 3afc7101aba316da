"""Files whose lines are in two encodings, and UTF-8 that was read as Windows-1252 (``cafÃ©``)."""

from __future__ import annotations

import re

from gatewise.data.western import is_windows_1252
from gatewise.words import plural

__all__ = ["mixed_lines", "read_twice_note"]

_AFTER = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"  # what Windows-1252 makes of the bytes 80 to BF
_TWICE = re.compile(rf"(?:[ÂÃ][{_AFTER}]|â[€][{_AFTER}])")
_LEAST = 2


def mixed_lines(content: bytes) -> tuple[int, int, int, int] | None:
    r"""Of bytes that are not UTF-8: how many lines have letters in UTF-8, how many in Windows-1252, the first of each.

    Returns:
        (lines in UTF-8, the first, lines in Windows-1252, the first); None where there are not both, and nothing else.

    Example:
        >>> mixed_lines("plain\nschön\nübel\n".encode() + "größer, fein".encode("cp1252"))
        (2, 2, 1, 4)
        >>> mixed_lines("größer, fein".encode("cp1252"))
    """
    unicode, others = [], []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.isascii():
            continue
        try:
            line.decode()
            unicode.append(number)
        except UnicodeDecodeError:
            others.append((number, line))
    if not unicode or not others or not is_windows_1252(b"\n".join(line for _, line in others)):
        return None
    return len(unicode), unicode[0], len(others), others[0][0]


def read_twice_note(text: str, place: str, why: str) -> list[str]:
    """A note where words look like UTF-8 that was read as Windows-1252.

    Args:
        text: as it was read.
        place: where it came from.
        why: what it comes from, and what to do.

    Example:
        >>> read_twice_note("un cafÃ©, naÃ¯ve", "a.csv", "save it anew as UTF-8")
        ["2 words of a.csv look like UTF-8 that was read as Windows-1252 ('cafÃ©' for 'café'): save it anew as UTF-8"]
        >>> read_twice_note("un café, naïve; SÃO PAULO", "a.csv", "")
        []
    """
    if not _TWICE.search(text):
        return []
    found = [word for word in text.split() if _TWICE.search(word) and _repaired(word)]
    if len(found) < _LEAST:
        return []
    shown = re.search(rf"\w*{_TWICE.pattern}[\w{_AFTER}ÂÃâ]*", found[0])
    word = shown.group() if shown and _repaired(shown.group()) else found[0]
    example = f"{word!r} for {_repaired(word)!r}"
    return [f"{plural(len(found), 'word')} of {place} look like UTF-8 that was read as Windows-1252 ({example}): {why}"]


def _repaired(word: str) -> str | None:
    """The word in UTF-8; None: it is none."""
    try:
        content = b"".join(sign.encode("cp1252") if sign > "\x9f" else sign.encode("latin-1") for sign in word)
        return content.decode()
    except UnicodeError:
        return None
