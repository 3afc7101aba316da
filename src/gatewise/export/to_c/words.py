"""Texts to token numbers in C: the tokenisation of `gatewise.data.vocabulary`, with its tables. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gatewise.export.to_c.literals import array

__all__ = ["PLANES", "SURROGATES", "Words", "look_up_of", "pairs", "small_forms", "words_of"]

PLANES = (range(1, 0x40000), range(0xE0000, 0xE1000))
"""Where characters are; 0 ends a text in C. The rest is not assigned, or private: neither words nor spaces."""
_AT_ONCE = 2048
SURROGATES = range(0xD800, 0xE000)
_PARTS = Path(__file__).parent / "parts"
_TEMPLATE = _PARTS / "words.h"


@dataclass(frozen=True)
class Words:
    """The look-up of words.

    Attributes:
        declarations: for the header.
        code: for the `.c`.
        bytes: of its tables.
        most: tokens of a text.
    """

    declarations: str
    code: str
    bytes: int
    most: int


def words_of(metadata: Mapping[str, Any], name: str) -> Words | None:
    """The look-up of a graph's metadata; None where texts are not read as words, or without a greatest length.

    Args:
        metadata: of the graph: ``vocabulary`` and ``max_tokens``.
        name: of functions.
    """
    vocabulary, most = metadata.get("vocabulary"), metadata.get("max_tokens")
    if not isinstance(vocabulary, Mapping) or vocabulary.get("tokenisation") != "words" or not most:
        return None
    if not vocabulary["words"]:
        return None
    known, size = look_up_of(vocabulary["words"])
    tables = _characters()
    code = "\n".join(
        [
            *(pairs(label, rows) for label, rows in tables.items()),
            known,
            _TEMPLATE.read_text(encoding="utf-8").replace("NAME_", f"{name}_").replace("UPPER_", f"{name.upper()}_"),
        ]
    )
    size += sum(4 * len(row) for rows in tables.values() for row in rows)
    declarations = "\n".join(
        [
            f"#define {name.upper()}_TOKENS {most}",
            "",
            "/* The tokens of a text in UTF-8; of longer texts the first and last halves.",
            f"     tokens  {name.upper()}_TOKENS numbers of memory",
            "   Returns how many were written, at least 1. */",
            f"size_t {name}_tokenise(const char *text, uint32_t *tokens);",
            "",
            "/* The same of a text of so many bytes, which may hold NUL characters. */",
            f"size_t {name}_tokenise_bytes(const char *text, size_t length, uint32_t *tokens);",
        ]
    )
    return Words(declarations, code, size, int(most))


def look_up_of(words: Sequence[str]) -> tuple[str, int]:
    """The table of words, whose numbers begin at 2, with the functions that read it; and its bytes."""
    known = sorted((word.encode("utf-8", "surrogatepass"), number + 2) for number, word in enumerate(words))
    starts = [0]
    for word, _ in known:
        starts.append(starts[-1] + len(word))
    small = "uint16_t" if len(known) + 2 <= 0xFFFF else "uint32_t"
    code = "\n".join(
        [
            array("unsigned char", "word_bytes", list(b"".join(word for word, _ in known)), "all words, sorted"),
            array("uint32_t", "word_starts", starts),
            array(small, "word_numbers", [number for _, number in known]),
            f"enum {{ LONGEST_WORD = {max(len(word) for word, _ in known)} }};\n",
            (_PARTS / "lookup.h").read_text(encoding="utf-8"),
        ]
    )
    return code, starts[-1] + 4 * len(starts) + (2 if small == "uint16_t" else 4) * len(known)


def pairs(label: str, rows: Sequence[tuple[int, ...]]) -> str:
    """A table of ``uint32_t`` in C."""
    lines, line = [], ""
    for row in rows:
        text = "{" + ", ".join(f"{value:#x}u" if value > 9 else f"{value}u" for value in row) + "},"
        if len(line) + len(text) > 112:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{text}"
    body = "\n".join(f"    {each}" for each in [*lines, line])
    return f"static const uint32_t {label}[{len(rows)}][{len(rows[0])}] = {{\n{body}\n}};\n"


@cache
def _characters() -> Mapping[str, list[tuple[int, ...]]]:
    """Classes and small forms of all characters, as the library of the vocabularies has them."""
    from tokenizers import Regex
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Split

    everything = [code for plane in PLANES for code in plane if code not in SURROGATES]
    parts = [everything[start : start + _AT_ONCE] for start in range(0, len(everything), _AT_ONCE)]
    found: dict[str, list[tuple[int, ...]]] = {}
    for label, pattern in (("word_characters", r"\w+"), ("space_characters", r"\s+")):
        split = Split(Regex(pattern), behavior="removed", invert=True)
        found[label] = []
        for part in parts:
            for _, (start, end) in split.pre_tokenize_str("".join(map(chr, part))):
                _append(found[label], part[start], part[end - 1])
    small: list[str] = []
    for part in parts:
        small += Lowercase().normalize_str("\0".join(map(chr, part))).split("\0")
    found["small_letters"] = small_forms(everything, small)
    return found


def _append(rows: list[tuple[int, ...]], first: int, last: int) -> None:
    """Add a range to those before it, none over the gap of the surrogates."""
    if first < SURROGATES.start <= last:
        _append(rows, first, SURROGATES.start - 1)
        first = SURROGATES.stop
    if rows and rows[-1][1] == first - 1:
        first = rows.pop()[0]
    rows.append((first, last))


def small_forms(characters: Sequence[int], small: Sequence[str]) -> list[tuple[int, ...]]:
    """First, last, stride, difference modulo 2^32, second character or 0."""
    rows: list[list[int]] = []
    for code, form in zip(characters, small, strict=True):
        if form == chr(code):
            continue
        difference, second = (ord(form[0]) - code) % (1 << 32), ord(form[1]) if len(form) > 1 else 0
        if rows and rows[-1][3] == difference and not second and not rows[-1][4]:
            row = rows[-1]
            gap = code - row[1]
            if (row[0] == row[1] and gap <= 2) or gap == row[2]:
                row[1], row[2] = code, gap
                continue
        rows.append([code, code, 1, difference, second])
    return [tuple(row) for row in rows]
