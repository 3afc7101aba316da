r"""Raw text to words with their places, similar to the tokenisation of the CoNLL corpora.

From left to right, the first rule that fits at a place decides:

1. Web and mail addresses stay whole.
2. Abbreviations keep their periods: letters with periods between them (``U.S.``, ``a.m.``), a single capital letter
   before a period and a space (``J. Smith``), and a list of titles, months and company forms (``Mr.``, ``Inc.``).
3. Numbers keep their inner signs: ``1,119.0``, ``.500``, ``1996-08-22``, ``6-4``, ``3-1/2``, ``+44``, ``12th``; a
   currency keeps its letters (``US$``).
4. A possessive or contracted ending is a word of its own: ``Germany 's``, ``do n't``, ``we 're``.
5. Letters (with combining marks) and digits stay together, also over one inner hyphen, apostrophe, ampersand, slash or
   period between letters: ``Anglo-Saxon``, ``O'Brien``, ``S&P``.
6. Repeated periods, hyphens, stars and equals signs are one word (``...``, ``--``); any other sign is one by itself.

Languages that are written without spaces (Han, Hiragana, Katakana, Thai, Lao, Khmer, Burmese) become one word per
character, with its combining marks.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

__all__ = ["tokenise"]

_ABBREVIATIONS = (
    "Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Gen|Col|Lt|Capt|Sgt|Maj|Adm|Sen|Rep|Gov|Rev|Hon|Pres|Co|Corp|Inc|Ltd|Bros|"
    "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|vs|No|Calif|Fla|etc"
)
_UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
_ENDING = r"(?:['’](?:s|S|m|M|d|D|re|RE|ve|VE|ll|LL))(?![^\W_])"


@cache
def _pattern() -> re.Pattern[str]:
    """Compiled at first use: the combining marks, which ``\\w`` leaves out, are collected from Unicode's table."""
    marks = "".join(_ranges())
    letter = rf"(?:[^\W\d_{_UNSPACED}][{marks}]*)"
    sign = rf"(?:[^\W_{_UNSPACED}][{marks}]*)"
    rules = [
        r"(?:https?://|www\.)[^\s<>\"]+[^\s<>\".,;:!?)\]'’]",
        r"[\w.+-]{1,64}+@\w[\w-]*(?:\.\w[\w-]*)+",
        rf"(?:{letter}\.){{2,}}(?:-{letter}+)*",
        r"[A-Z]{1,3}\$",
        rf"(?:{_ABBREVIATIONS})\.(?=\s|[,;:)]|$)",
        r"[A-Z]\.(?=\s+[^\W\d_])",
        r"(?:(?<!\w)[+-])?(?:(?<!\w)\.)?\d+(?:[.,:/-]\d+)*(?:[^\W\d_]+)?(?:-[^\W\d_]+)*(?![^\W_])",
        _ENDING,
        r"n['’]t(?![^\W_])",
        rf"{sign}(?:(?!n['’]t(?![^\W_])){sign})*(?:(?!{_ENDING})(?:['’&/.](?={letter})|-(?={sign}))(?:(?!n['’]t(?![^\W_])){sign})+)*",
        rf"[{_UNSPACED}][{marks}]*",
        r"\.{2,}|-{2,}|\*{2,}|={2,}|_+",
        r"\S",
    ]
    return re.compile("|".join(rules))


def _ranges() -> list[str]:
    """Ranges of combining marks for a character class."""
    found: list[str] = []
    start: int | None = None
    for point in (*range(0x300, 0x1F000), 0x1F000, *range(0xE0100, 0xE01F1)):
        mark = unicodedata.category(chr(point)).startswith("M") or point in (0x200C, 0x200D)
        if mark and start is None:
            start = point
        elif not mark and start is not None:
            found.append(f"{chr(start)}-{chr(point - 1)}")
            start = None
    return found


def tokenise(text: str) -> list[tuple[str, int, int]]:
    """Cut raw text into words.

    Args:
        text: any text; line ends count as spaces.

    Returns:
        Each word with its start and end: ``text[start:end] == word``.

    Example:
        >>> [word for word, _, _ in tokenise("Germany's envoy, J. Smith, didn't meet U.S. officials.")]
        ['Germany', "'s", 'envoy', ',', 'J.', 'Smith', ',', 'did', "n't", 'meet', 'U.S.', 'officials', '.']
        >>> tokenise("in 東京")
        [('in', 0, 2), ('東', 3, 4), ('京', 4, 5)]
    """
    return [(found.group(), found.start(), found.end()) for found in _pattern().finditer(text)]
