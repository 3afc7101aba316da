"""What a sentence contributes to BLEU and chrF: counts of n-grams that it shares with its reference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from gatewise.statistics.intervals import Array

__all__ = ["character_contributions", "tokens_13a", "word_contributions"]

_ENTITIES = (("<skipped>", ""), ("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_STEPS = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)


def tokens_13a(text: str) -> list[str]:
    """The words and signs of a text as the 13a tokenisation of mteval-v13a.pl (NIST, 2009) cuts it.

    ASCII signs are words of their own, full stop and comma except between digits, a hyphen after a digit.

    Example:
        >>> tokens_13a('He paid 1,000.50 (cash), "well".')
        ['He', 'paid', '1,000.50', '(', 'cash', ')', ',', '"', 'well', '"', '.']
    """
    line = text.replace("-\n", "").replace("\n", " ")
    if "&" in line or "<" in line:
        for entity, sign in _ENTITIES:
            line = line.replace(entity, sign)
    line = f" {line} "
    for pattern, replacement in _STEPS:
        line = pattern.sub(replacement, line)
    return line.split()


def word_contributions(
    translations: Sequence[str], references: Sequence[str], *, order: int = 4, lowercase: bool = False
) -> Array:
    """The contributions of sentences to `gatewise.statistics.Bleu`: (N, 2 G + 2).

    Args:
        translations: N texts, not tokenised.
        references: one for each.
        order: G.
        lowercase: whether capitals count as small letters.

    Example:
        >>> word_contributions(["a dog runs ."], ["A dog runs."], lowercase=True).tolist()
        [[4.0, 3.0, 2.0, 1.0, 4.0, 3.0, 2.0, 1.0, 4.0, 4.0]]
    """
    found = np.zeros((len(translations), 2 * order + 2))
    for row, pair in zip(found, zip(translations, references, strict=True), strict=True):
        ours, theirs = (tokens_13a(text.lower() if lowercase else text) for text in pair)
        row[:order], row[order : 2 * order], _ = _counts(ours, theirs, order)
        row[-2:] = len(ours), len(theirs)
    return found


def character_contributions(translations: Sequence[str], references: Sequence[str], *, order: int = 6) -> Array:
    """The contributions of sentences to `gatewise.statistics.ChrF`: (N, 3 G); spaces do not count.

    Example:
        >>> character_contributions(["ab c"], ["abd"], order=2).tolist()
        [[2.0, 1.0, 3.0, 2.0, 3.0, 2.0]]
    """
    found = np.zeros((len(translations), 3 * order))
    for row, (ours, theirs) in zip(found, zip(translations, references, strict=True), strict=True):
        matches, first, second = _counts("".join(ours.split()), "".join(theirs.split()), order)
        # as sacrebleu counts: an order that the reference is too short for does not count for the translation either
        row[:] = np.concatenate(
            [matches, [mine if wanted else 0 for mine, wanted in zip(first, second, strict=True)], second]
        )
    return found


def _counts(ours: Sequence[str], theirs: Sequence[str], order: int) -> tuple[list[int], list[int], list[int]]:
    """By order: the n-grams that both have, each as often as in both, and those of each."""
    matches, first, second = [], [], []
    for size in range(1, order + 1):
        mine, wanted = _ngrams(ours, size), _ngrams(theirs, size)
        matches.append(sum(min(count, wanted[gram]) for gram, count in mine.items() if gram in wanted))
        first.append(max(0, len(ours) - size + 1))
        second.append(max(0, len(theirs) - size + 1))
    return matches, first, second


def _ngrams(units: Sequence[str], size: int) -> Counter[object]:
    if isinstance(units, str):
        return Counter(units[start : start + size] for start in range(len(units) - size + 1))
    return Counter(zip(*(units[start:] for start in range(size)), strict=False))
