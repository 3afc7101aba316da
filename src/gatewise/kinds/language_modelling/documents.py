"""The lines of running text, its parts, and where its documents begin: they, not their tokens, are independent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gatewise.errors import DataError

if TYPE_CHECKING:
    from gatewise.kinds.language_modelling.tokens import TokenVocabulary

__all__ = ["Lines", "cut_lines", "document_borders", "lines_of", "marked_starts"]

Lines = tuple[str, ...]
_SHORTEST = 20
_HEADING = re.compile(r"\s*= [^=].*[^=] =\s*|\s*= [^=\s] =\s*")
_SEPARATOR = "<|endoftext|>"


def marked_starts(lines: Sequence[str]) -> list[int]:
    """The lines with which documents begin, where the text marks them; none where it marks fewer than two.

    Marks are headings as WikiText has them (``= Title =``; two signs are a section) and lines that are
    ``<|endoftext|>``.

    Args:
        lines: without their ends.

    Example:
        >>> marked_starts(["= Cloud =", "Clouds drift .", "== Kinds ==", "= Sky =", "It is blue ."])
        [0, 3]
        >>> marked_starts(["one", "<|endoftext|>", "two", "<|endoftext|>"]), marked_starts(["one", "two"])
        ([0, 2], [])
    """
    headings = [place for place, line in enumerate(lines) if _HEADING.fullmatch(line)]
    if len(headings) > 1:
        return headings
    after = [place + 1 for place, line in enumerate(lines) if line.strip() == _SEPARATOR]
    starts = [place for place in [0, *after] if place < len(lines)]
    return starts if len(starts) > 1 else []


def document_borders(vocabulary: TokenVocabulary, lines: Sequence[str], starts: Sequence[int]) -> tuple[int, ...]:
    """The first token of each document but the first.

    Args:
        vocabulary: that numbers the lines.
        lines: of the text.
        starts: the line with which each document begins; what stands before the first is a document too.

    Example:
        >>> from gatewise.kinds.language_modelling.tokens import TokenVocabulary
        >>> lines = ["a b", "a", "b b b"]
        >>> document_borders(TokenVocabulary.fit(lines, "word", 10), lines, [0, 2])
        (5,)
    """
    places = sorted({0, *starts, len(lines)})
    borders, end = [], 0
    for first, last in pairwise(places):
        borders.append(end)
        end += len(vocabulary.encode(lines[first:last]))
    return tuple(border for border in borders[1:] if border < end)


def lines_of(text: str, tokens: str) -> list[str]:
    """Lines without their ends; for words without surplus space and empty lines."""
    lines = text.splitlines()
    return lines if tokens != "word" else [line for line in (" ".join(line.split()) for line in lines) if line]


def cut_lines(lines: Sequence[str], place: str) -> tuple[Lines, Lines, Lines]:
    """The first eight tenths of the characters, the next tenth and the last, at line ends; else between words."""
    if len(lines) < 10:
        words = " ".join(lines).split()
        if len(words) < _SHORTEST:
            raise DataError(
                f"{place} is too short for a language model",
                expected=f"at least {_SHORTEST} words",
                got=f"{len(words)}",
                fix="name a longer text",
            )
        lines = [" ".join(words[first : first + 10]) for first in range(0, len(words), 10)]
        if len(lines) < 10:
            lines = [" ".join(words[first : first + 2]) for first in range(0, len(words), 2)]
    ends = np.cumsum([len(line) + 1 for line in lines])
    first = max(1, int(np.searchsorted(ends, 0.8 * ends[-1], side="left")))
    second = max(first + 1, int(np.searchsorted(ends, 0.9 * ends[-1], side="left")))
    parts = tuple(lines[:first]), tuple(lines[first:second]), tuple(lines[second:])
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if not any(part):
            raise DataError(
                f"{place} is too short: nothing is left for the {name} part",
                expected="a text of at least ten lines of about the same length",
                fix="name a longer text, or break its lines",
            )
    return parts
