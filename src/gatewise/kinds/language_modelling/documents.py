"""Where the documents of running text begin: they, not their tokens, are independent examples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewise.kinds.language_modelling.tokens import TokenVocabulary

__all__ = ["document_borders", "marked_starts"]

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
