"""What a sentence contributes to BLEU and chrF: counts of n-grams that it shares with its reference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from gatewise.statistics.chrf import ChrF
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
    translations: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    order: int = 4,
    lowercase: bool = False,
) -> Array:
    """The contributions of sentences to `gatewise.statistics.Bleu`: (N, 2 G + 2).

    Of several references an n-gram counts as often as in the one that has it most, and the length is that of the one
    whose length is nearest, the shorter one on a tie (Papineni et al., 2002; as sacrebleu has it).

    Args:
        translations: N texts, not tokenised.
        references: one for each, or several.
        order: G.
        lowercase: whether capitals count as small letters.

    Example:
        >>> word_contributions(["a dog runs ."], ["A dog runs."], lowercase=True).tolist()
        [[4.0, 3.0, 2.0, 1.0, 4.0, 3.0, 2.0, 1.0, 4.0, 4.0]]
    """
    found = np.zeros((len(translations), 2 * order + 2))
    for row, text, wanted in zip(found, translations, references, strict=True):
        ours, *theirs = (tokens_13a(each.lower() if lowercase else each) for each in (text, *_several(wanted)))
        row[:order], row[order : 2 * order], _ = _counts(ours, theirs, order)
        row[-2:] = len(ours), min((len(each) for each in theirs), key=lambda size: (abs(size - len(ours)), size))
    return found


def character_contributions(
    translations: Sequence[str], references: Sequence[str | Sequence[str]], *, order: int = 6
) -> Array:
    """The contributions of sentences to `gatewise.statistics.ChrF`: (N, 3 G); spaces do not count.

    Of several references the one that gives the sentence the best chrF counts, the first on a tie.

    Example:
        >>> character_contributions(["ab c"], ["abd"], order=2).tolist()
        [[2.0, 1.0, 3.0, 2.0, 3.0, 2.0]]
    """
    found = np.zeros((len(translations), 3 * order))
    for row, text, wanted in zip(found, translations, references, strict=True):
        rows = [_of_characters("".join(text.split()), "".join(each.split()), order) for each in _several(wanted)]
        row[:] = rows[0] if len(rows) == 1 else max(rows, key=lambda each: ChrF(order=order).of([each]))
    return found


def _several(references: str | Sequence[str]) -> Sequence[str]:
    return (references,) if isinstance(references, str) else references


def _of_characters(ours: str, theirs: str, order: int) -> Array:
    matches, first, second = _counts(ours, [theirs], order)
    # as sacrebleu counts: an order that the reference is too short for does not count for the translation either
    used = [mine if wanted else 0 for mine, wanted in zip(first, second, strict=True)]
    return np.array([*matches, *used, *second], dtype=np.float64)


def _counts(ours: Sequence[str], theirs: Sequence[Sequence[str]], order: int) -> tuple[list[int], list[int], list[int]]:
    """By order: the n-grams that are in a reference too, each at most as often as there, ours, the first one's."""
    matches, first, second = [], [], []
    for size in range(1, order + 1):
        mine, wanted = _ngrams(ours, size), [_ngrams(each, size) for each in theirs]
        matches.append(sum(min(count, max(each[gram] for each in wanted)) for gram, count in mine.items()))
        first.append(max(0, len(ours) - size + 1))
        second.append(max(0, len(theirs[0]) - size + 1))
    return matches, first, second


def _ngrams(units: Sequence[str], size: int) -> Counter[object]:
    if isinstance(units, str):
        return Counter(units[start : start + size] for start in range(len(units) - size + 1))
    return Counter(zip(*(units[start:] for start in range(size)), strict=False))
