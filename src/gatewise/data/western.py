"""Whether bytes that are not UTF-8 are surely Western European text in Windows-1252."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["is_windows_1252"]

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
