"""Which encoding bytes that are not UTF-8 may be in: a suggestion for a message, with words as they would look.

Any bytes decode as something, so nothing is read by a guess: a person sees whether the words are those of a language.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

__all__ = ["likely_encodings"]

_TURKISH = "çğıöşüâîûÇĞİÖŞÜÂÎÛ"
_CENTRAL = "áâăäąćčçďđéęëěíîĺľłńňóôőöŕřśšşßťţúůűüýźžżÁÂĂÄĄĆČÇĎĐÉĘËĚÍÎĹĽŁŃŇÓÔŐÖŔŘŚŠŞŤŢÚŮŰÜÝŹŽŻ"
_SINGLE = (
    ("cp1255", "HEBREW", ""),
    ("cp1251", "CYRILLIC", ""),
    ("koi8-r", "CYRILLIC", ""),
    ("cp1253", "GREEK", ""),
    ("cp1254", "", _TURKISH),
    ("cp1250", "", _CENTRAL),
    ("cp1256", "ARABIC", ""),
)
_DOUBLE = (("shift_jis", ("HIRAGANA", "KATAKANA"), 0.2), ("euc-kr", ("HANGUL",), 0.9), ("gb18030", ("CJK",), 0.9))
_SIGNS = frozenset("№°©®™×§")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_READ = 100_000
_SOUND = 0.97
_CAPITALS = 0.5
_SHOWN = 3
_MOST = 2
_LONGEST = 30


def likely_encodings(content: bytes) -> list[tuple[str, str]]:
    """The likeliest encodings, at most two, each with the first words outside ASCII as it would have them.

    Args:
        content: bytes that are no UTF-8.

    Example:
        >>> likely_encodings("Все счастливые семьи похожи друг на друга".encode("cp1251"))[0]
        ('cp1251', 'Все счастливые семьи')
        >>> likely_encodings("kargom hâlâ gelmedi, iki saattir bekliyorum, şikayet ığdır".encode("cp1254"))[0]
        ('cp1254', 'hâlâ şikayet ığdır')
        >>> likely_encodings(bytes(range(128, 256)))
        []
    """
    found = []
    for name, script, letters in _SINGLE:
        text = _decoded(content, name)
        if text is not None and _sound(text, script, letters):
            found.append((name, text))
    for name, scripts, least in _DOUBLE:
        text = _decoded(content, name)
        if not found and text is not None and _of_scripts(text, scripts, least):
            found.append((name, text))
    return [(name, _words(text)) for name, text in found[:_MOST]]


def _decoded(content: bytes, name: str) -> str | None:
    """The beginning, cut at a line's end; None: it is not of that encoding."""
    part = content[:_READ]
    if len(content) > _READ:
        part = part[: part.rfind(b"\n") + 1] or part
    try:
        text = part.decode(name)
    except (UnicodeDecodeError, LookupError):
        return None
    signs = {sign for sign in text if sign > "\x7f" and not sign.isalpha()} - _SIGNS
    strange = [
        sign for sign in signs if unicodedata.category(sign)[0] not in "PMN" and unicodedata.category(sign) != "Sc"
    ]
    strange = [sign for sign in strange if not sign.isspace()]
    return None if strange or _CONTROLS.search(text) else text


def _sound(text: str, script: str, letters: str) -> bool:
    """Whether letters outside ASCII are of a script or a list, in words of it alone, without capitals inside them."""
    high = [sign for sign in text if sign > "\x7f" and sign.isalpha()]
    if not high:
        return False
    known = sum(sign in letters if letters else script in unicodedata.name(sign, "") for sign in high)
    odd = sum(
        first.islower() and second.isupper() and (first > "\x7f" or second > "\x7f") for first, second in pairwise(text)
    )
    mixed = len(re.findall(r"ς(?=\w)", text))
    if script:
        mixed += len(re.findall(r"[a-zA-Z](?=[^\W\d_\x00-\x7f])|[^\W\d_\x00-\x7f](?=[a-zA-Z])", text))
    capitals = sum(sign.isupper() for sign in high)
    return (
        known >= _SOUND * len(high)
        and odd + mixed <= (1 - _SOUND) * len(high)
        and (not script or capitals <= _CAPITALS * len(high))
    )


def _of_scripts(text: str, scripts: tuple[str, ...], least: float) -> bool:
    """Whether letters outside ASCII are East Asian, with enough of the scripts that tell the encoding."""
    high = [unicodedata.name(sign, "") for sign in text if sign > "\x7f" and sign.isalpha()]
    asian = sum(name.startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL")) for name in high)
    own = sum(name.startswith(scripts) for name in high)
    return bool(high) and asian >= _SOUND * len(high) and own >= least * len(high)


def _words(text: str) -> str:
    """The first words with letters outside ASCII."""
    found = dict.fromkeys(re.findall(r"\w*[^\W\x00-\x7f]\w*", text))
    return " ".join(word[:_LONGEST] for word in list(found)[:_SHOWN])
