"""Scripts that put no space between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

__all__ = ["SPACELESS", "spaceless_script"]

_RANGES = {
    "Chinese": ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
                (0xF900, 0xFAFF), (0x20000, 0x323AF)),
    "Japanese": ((0x3041, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),
    "Thai": ((0x0E01, 0x0E3A), (0x0E40, 0x0E4E)),
    "Lao": ((0x0E81, 0x0EC6), (0x0EC8, 0x0ECE), (0x0EDC, 0x0EDF)),
    "Khmer": ((0x1780, 0x17D3), (0x17D7, 0x17D7), (0x17DC, 0x17DD)),
    "Burmese": ((0x1000, 0x103F), (0x1050, 0x108F), (0x109A, 0x109F), (0xAA60, 0xAA7F)),
}  # fmt: skip


def _range_class(name: str) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in _RANGES[name])


SPACELESS = "".join(map(_range_class, _RANGES))
"""The letters and marks of these scripts, to stand in the brackets of a regular expression."""
_LETTER = re.compile(r"[^\W\d_]")
_OF_SCRIPT = {name: re.compile(f"[{_range_class(name)}]") for name in _RANGES}
_OF_ANY = re.compile(f"[{SPACELESS}]")


def spaceless_script(texts: Iterable[str]) -> str | None:
    """The script of texts in which most letters are of a script without spaces between words; None for other texts.

    Example:
        >>> spaceless_script(["很好的电影 (very good)", "不好看的电影"]), spaceless_script(["とても良い映画"])
        ('Chinese', 'Japanese')
        >>> spaceless_script(["a film from 中国"]), spaceless_script(["아주 좋은 영화"])
        (None, None)
    """
    kept = [text for text in texts if text]
    found = sum(len(_OF_ANY.findall(text)) for text in kept if not text.isascii())
    if not found:
        return None
    # marks (Thai vowels above, Burmese medials) count as letters on both sides
    others = sum(len(_LETTER.findall(_OF_ANY.sub("", text))) for text in kept)
    if found <= others:
        return None
    counts = Counter({name: sum(len(own.findall(text)) for text in kept) for name, own in _OF_SCRIPT.items()})
    # Japanese is written with Chinese characters, too, and no Chinese with kana
    return "Japanese" if counts["Japanese"] > counts["Chinese"] / 10 > 0 else counts.most_common(1)[0][0]
