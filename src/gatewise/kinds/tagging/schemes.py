"""How tags mark spans: IOB1, IOB2, IOBES, BILOU or not at all, and conversions between them.

=======  ==========================================================================  ==================================
scheme   a span of type X                                                            source
=======  ==========================================================================  ==================================
iob1     I-X ..., its first word B-X only where it follows another span of type X   Ramshaw and Marcus (1995)
iob2     B-X I-X ...                                                                 Tjong Kim Sang and Veenstra (1999)
iobes    B-X I-X ... E-X, of one word S-X                                            Uchimoto et al. (2000)
bilou    B-X I-X ... L-X, of one word U-X                                            Ratinov and Roth (2009)
plain    none: plain tags (parts of speech)
=======  ==========================================================================  ==================================

O is outside every span. Types may hold hyphens; bare B, I, O, ... mark spans of one nameless type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError, did_you_mean

__all__ = [
    "LETTERS",
    "SCHEMES",
    "Span",
    "allowed_moves",
    "scheme_tags",
    "spans",
    "spans_as_conlleval",
    "split_tag",
    "to_tags",
]

SCHEMES = ("iob1", "iob2", "iobes", "bilou", "plain")
LETTERS = {"iob1": "BIO", "iob2": "BIO", "iobes": "BIOES", "bilou": "BIOLU"}
"""Of each scheme, what its tags begin with."""
_LAST = {"iobes": "E", "bilou": "L"}
_SINGLE = {"iobes": "S", "bilou": "U"}
_ENDINGS, _SINGLES = "EL", "SU"


class Span(NamedTuple):
    """Some words of a sentence with a type.

    Attributes:
        start: first word, from 0.
        end: the word after the last.
        type: the type's name; empty for the nameless one.
    """

    start: int
    end: int
    type: str


def split_tag(tag: str) -> tuple[str, str]:
    """Letter and type of a tag of any scheme but plain.

    Example:
        >>> split_tag("B-geo-loc"), split_tag("O"), split_tag("I")
        (('B', 'geo-loc'), ('O', ''), ('I', ''))
    """
    return tag[:1], tag[2:]


def join_tag(letter: str, kind: str) -> str:
    """The tag of a letter and a type, the other way round than `split_tag`."""
    return f"{letter}-{kind}" if kind else letter


def spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """The spans that tags mark, read strictly: a sequence that breaks the scheme's rules marks none.

    In iob2 a span needs its B-; in iobes and bilou also its end. In iob1 every run of one type is a span, broken
    before B-. This is what seqeval's strict mode counts.

    Args:
        tags: T tags of one sentence.
        scheme: iob1, iob2, iobes or bilou.

    Returns:
        Spans by their start.

    Example:
        >>> spans(["B-PER", "I-PER", "O", "I-LOC"], "iob2")
        [Span(start=0, end=2, type='PER')]
    """
    _check(scheme)
    if scheme == "iob1":
        return spans_as_conlleval(tags)
    last, single = _LAST.get(scheme), _SINGLE.get(scheme)
    found: list[Span] = []
    start, current = -1, ""
    for at, tag in enumerate(tags):
        letter, kind = split_tag(tag)
        inside = start >= 0 and kind == current
        if last is None and start >= 0 and not (letter == "I" and inside):
            found.append(Span(start, at, current))
            start = -1
        if letter == "B":
            start, current = at, kind
        elif letter == single:
            found.append(Span(at, at + 1, kind))
            start = -1
        elif letter == last and inside:
            found.append(Span(start, at + 1, current))
            start = -1
        elif not (letter == "I" and inside):
            start = -1
    if last is None and start >= 0:
        found.append(Span(start, len(tags), current))
    return found


def spans_as_conlleval(tags: Sequence[str]) -> list[Span]:
    """The spans that tags mark, read as conlleval does (Tjong Kim Sang and Buchholz, 2000): any run is a span.

    A span begins at B, S or U, after O, E, L, S or U, and where the type changes; it ends before the next beginning
    and before O. On tags that keep a scheme's rules this is the same as `spans`.

    Args:
        tags: T tags of one sentence, of any scheme but plain.

    Example:
        >>> spans_as_conlleval(["I-PER", "I-PER", "I-LOC", "B-LOC"])
        [Span(start=0, end=2, type='PER'), Span(start=2, end=3, type='LOC'), Span(start=3, end=4, type='LOC')]
    """
    found: list[Span] = []
    start, previous, current = -1, "O", ""
    for at, tag in enumerate(tags):
        letter, kind = split_tag(tag)
        begins = letter != "O" and (
            letter in "B" + _SINGLES or previous in "O" + _ENDINGS + _SINGLES or (kind != current)
        )
        if start >= 0 and (begins or letter == "O"):
            found.append(Span(start, at, current))
            start = -1
        if begins:
            start = at
        previous, current = letter, kind
    if start >= 0:
        found.append(Span(start, len(tags), current))
    return found


def to_tags(found: Iterable[Span], length: int, scheme: str) -> list[str]:
    """Write spans as tags.

    Args:
        found: spans that do not overlap.
        length: T, words of the sentence.
        scheme: iob1, iob2, iobes or bilou.

    Raises:
        OptionError: two spans overlap, or one lies outside the sentence.

    Example:
        >>> to_tags([Span(0, 2, "PER"), Span(2, 3, "PER")], 4, "iobes")
        ['B-PER', 'E-PER', 'S-PER', 'O']
    """
    _check(scheme)
    tags = ["O"] * length
    before = Span(0, 0, "")
    for span in sorted(found):
        start, end, kind = span
        if not before.end <= start < end <= length:
            raise OptionError(f"span {start} to {end} overlaps another or lies outside the sentence of {length} words")
        for at in range(start, end):
            tags[at] = join_tag("I", kind)
        follows = start == before.end and kind == before.type and before.end > 0
        if scheme != "iob1" or follows:
            tags[start] = join_tag("B", kind)
        if scheme in _LAST:
            tags[end - 1] = join_tag(_LAST[scheme] if end - start > 1 else _SINGLE[scheme], kind)
        before = span
    return tags


def scheme_tags(types: Iterable[str], scheme: str) -> list[str]:
    """Every tag of a scheme: O, then the letters of each type.

    Example:
        >>> scheme_tags(["LOC"], "iobes")
        ['O', 'B-LOC', 'I-LOC', 'E-LOC', 'S-LOC']
    """
    _check(scheme)
    letters = [letter for letter in ("B", "I", "E", "S", "L", "U") if letter in LETTERS[scheme]]
    return ["O"] + [join_tag(letter, kind) for kind in types for letter in letters]


def allowed_moves(
    tags: Sequence[str], scheme: str
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which tag may follow which, so that every prediction is well formed.

    Args:
        tags: C tags.
        scheme: theirs; in plain everything is allowed.

    Returns:
        moves: (C, C), from row to column.
        starts: (C,), whether a sentence may begin with the tag.
        ends: (C,), whether it may end with it.

    Example:
        >>> moves, starts, ends = allowed_moves(["O", "B-LOC", "I-LOC"], "iob2")
        >>> moves.astype(int).tolist(), starts.tolist(), ends.tolist()
        ([[1, 1, 0], [1, 1, 1], [1, 1, 1]], [True, True, False], [True, True, True])
    """
    count = len(tags)
    if scheme == "plain":
        return np.ones((count, count), dtype=bool), np.ones(count, dtype=bool), np.ones(count, dtype=bool)
    _check(scheme)
    parts = [split_tag(tag) for tag in tags]
    moves = np.array([[_may_follow(scheme, before, after) for after in parts] for before in parts], dtype=bool)
    outside = ("O", "")
    starts = np.array([_may_follow(scheme, outside, part) for part in parts], dtype=bool)
    ends = np.array([_may_follow(scheme, part, outside) for part in parts], dtype=bool)
    return moves.reshape(count, count), starts, ends


def _may_follow(scheme: str, before: tuple[str, str], after: tuple[str, str]) -> bool:
    same = before[1] == after[1] and before[0] != "O"
    if scheme == "iob1":
        return after[0] != "B" or same
    if scheme == "iob2":
        return after[0] != "I" or same
    within = before[0] in "BI"  # the span continues
    continues = after[0] in ("I", _LAST[scheme])
    return within == continues and (not within or same)


def _check(scheme: str) -> None:
    known = [each for each in SCHEMES if each != "plain"]
    if scheme not in known:
        raise OptionError(
            f"there is no scheme of spans {scheme!r}", expected=", ".join(known), fix=did_you_mean(scheme, known)
        )
