"""Texts that are the same to a model, or nearly so: repeated words in linear time, by MinHash and banding.

A text is compared by its words as the tokenizer reads them (`gatewise.data.vocabulary`): without HTML tags, case,
spacing and signs. Two texts are near duplicates where the sets of their pairs of neighbouring words (shingles of w = 2,
Broder 1997) have a Jaccard index

.. math:: J(A, B) = |A \\cap B| / |A \\cup B| \\ge 0.7.

Candidates come from 80 hash functions in 20 bands of 4 (Leskovec, Rajaraman & Ullman 2020, chapter 3): a pair of
J = 0.7 is found with probability 1 - (1 - 0.7^4)^20 = 99.6 %, and every candidate is verified by its exact J. Near
duplicates of near duplicates count as such. The hash functions are fixed: the same texts give the
same groups in any process.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from itertools import count, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.data.scripts import SPACELESS

__all__ = [
    "LIKENESS",
    "NEAR_WORDS",
    "Alike",
    "copies_in",
    "near_duplicates",
    "near_others",
    "token_key",
    "word_keys",
    "words_of",
]

LIKENESS = 0.7
"""The Jaccard index from which on two texts are near duplicates."""
NEAR_WORDS = (
    f"at least {100 * LIKENESS:.0f} % of their pairs of neighbouring words are the same, whatever case and signs"
)
"""What near duplicates are, for notes."""
_BANDS, _ROWS = 20, 4
_NEIGHBOURS = 10
_CHUNK = 2_000_000
_PATTERN_SHARE, _PATTERN_LEAST = 0.1, 10
_TAG = re.compile(r"<[a-zA-Z/!][^<>]{0,200}>")
_SPACELESS = re.compile(f"[{SPACELESS}]")

Keys = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


class Alike(NamedTuple):
    """Which texts are near duplicates.

    Attributes:
        groups: (N,) the number of the first text of each one's group; its own where it is alone.
        patterned: texts of groups that are too large to be copies (more than a tenth of all, as lines of a log that
            follow one pattern); of these only those of equal words stay in a group.
    """

    groups: Numbers
    patterned: int = 0


def words_of(text: str) -> list[str]:
    """The words by which texts are compared: without tags, case, spacing and signs; of signs alone, the signs.

    Letters of scripts without spaces are words of their own; an apostrophe joins what stands around it.

    Example:
        >>> words_of("A GOOD<br />film!"), words_of("a good   film"), words_of("好电影"), words_of(":-)")
        (['a', 'good', 'film'], ['a', 'good', 'film'], ['好', '电', '影'], [':', '-', ')'])
    """
    folded = _folded(text)
    return folded.translate(_WORDS).split() or [sign for sign in folded if not sign.isspace()]


def token_key(text: str) -> str:
    """The key of a repeated text: equal where a model reads the same tokens, whatever the case and the spacing.

    Example:
        >>> token_key("Good  film !") == token_key("GOOD FILM!"), token_key("good film!") == token_key("good film")
        (True, False)
    """
    return " ".join(_folded(text).translate(_TOKENS).split())


def word_keys(texts: Sequence[str] | Sequence[Sequence[str]]) -> Keys:
    """A hash of each text's words: (N,), equal for texts that differ in case, spacing or signs alone.

    Args:
        texts: N strings, or N lists of words.

    Example:
        >>> first, second, third = word_keys(["Good film!", "good  film", "bad film"])
        >>> bool(first == second), bool(first == third)
        (True, False)
    """
    rows, hashes = _numbered(texts)
    found = [blake2b(hashes[row].astype("<u8").tobytes(), digest_size=8).digest() for row in rows]
    return np.frombuffer(b"".join(found), dtype="<u8").astype(np.uint64)


def near_duplicates(texts: Sequence[str] | Sequence[Sequence[str]]) -> Alike:
    """Find the near duplicates among texts, in time that grows as their number of words.

    Args:
        texts: N strings, or N lists of words.

    Example:
        >>> words = "this was by far the very best film of the whole long year for me"
        >>> texts = [words, "another film", words.upper() + "!!", words.replace("long", "short")]
        >>> near_duplicates(texts).groups.tolist()
        [0, 1, 0, 0]
    """
    if not len(texts):
        return Alike(np.zeros(0, dtype=np.int64))
    rows, hashes = _numbered(texts)
    first: dict[bytes, int] = {}
    equal = np.array([first.setdefault(row.tobytes(), place) for place, row in enumerate(rows)], dtype=np.int64)
    kept = np.fromiter(first.values(), dtype=np.int64)
    parent = np.arange(len(kept))
    shingles = _Shingles([rows[place] for place in kept], hashes)
    for keys in _band_keys(shingles):
        _join_equal(keys, parent, shingles)
    found = kept[_roots(parent)][np.searchsorted(kept, equal)]
    sizes = np.bincount(found, minlength=len(rows))[found]
    too_large = sizes > max(_PATTERN_LEAST, _PATTERN_SHARE * len(rows))
    patterned = too_large & (found != equal)
    if not patterned.any():
        return Alike(found)
    return Alike(np.where(too_large, equal, found), int(too_large.sum()))


def near_others(
    texts: Sequence[str] | Sequence[Sequence[str]], others: Sequence[str] | Sequence[Sequence[str]]
) -> npt.NDArray[np.bool_]:
    """Which texts have the words of others, or nearly so: (N,).

    Args:
        texts: N strings, or N lists of words.
        others: likewise.

    Example:
        >>> words = "this was by far the very best film of the year"
        >>> near_others(["a film", words + "!"], [words, "A FILM", "another"]).tolist()
        [True, True]
    """
    groups = near_duplicates([*texts, *others]).groups
    found: npt.NDArray[np.bool_] = np.isin(groups[: len(texts)], groups[len(texts) :])
    return found


def copies_in(groups: Numbers) -> int:
    """How many texts have a near duplicate.

    Example:
        >>> copies_in(np.array([0, 1, 0, 3]))
        2
    """
    return sum(size for size in Counter(groups.tolist()).values() if size > 1)


class _Shingles:
    """The sets of pairs of neighbouring words of texts that are given as numbers of words."""

    def __init__(self, rows: Sequence[npt.NDArray[np.int32]], hashes: Keys) -> None:
        # a single word stands beside itself
        self.rows = [row if len(row) > 1 else np.repeat(row, 2) for row in rows]
        self.hashes = hashes
        self._sets: dict[int, Keys] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def chunks(self) -> list[range]:
        """Ranges of texts with some two million words each."""
        ends = np.cumsum([len(row) for row in self.rows])
        borders = np.unique(np.searchsorted(ends, np.arange(_CHUNK, ends[-1], _CHUNK)))
        starts = [0, *[int(place) for place in borders if 0 < place < len(self.rows)], len(self.rows)]
        return [range(start, stop) for start, stop in pairwise(starts) if stop > start]

    def of(self, texts: range) -> tuple[Keys, Numbers]:
        """All shingles of some texts in a row, and where each text's begin."""
        rows = self.rows[texts.start : texts.stop]
        words = self.hashes[np.concatenate(rows)]
        pairs = _mixed(words[:-1] * np.uint64(0x9E3779B97F4A7C15) + words[1:])
        ends = np.cumsum([len(row) for row in rows])
        pairs = np.delete(pairs, ends[:-1] - 1)
        return pairs, np.concatenate([[0], ends[:-1] - np.arange(1, len(rows))]).astype(np.int64)

    def near(self, one: int, two: int) -> bool:
        """Whether two texts are near duplicates, by their exact Jaccard index."""
        first, second = self._set(one), self._set(two)
        if min(len(first), len(second)) < LIKENESS * max(len(first), len(second)):
            return False
        shared = len(np.intersect1d(first, second, assume_unique=True))
        return shared >= LIKENESS * (len(first) + len(second) - shared)

    def _set(self, text: int) -> Keys:
        if text not in self._sets:
            self._sets[text] = np.unique(self.of(range(text, text + 1))[0])
        return self._sets[text]


def _band_keys(shingles: _Shingles) -> npt.NDArray[np.uint64]:
    """For each band a key of each text, equal where all of the band's least hashes are: (bands, N)."""
    factors = np.random.default_rng(0).integers(0, 2**63, (_BANDS, _ROWS), dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    keys = np.empty((_BANDS, len(shingles)), dtype=np.uint64)
    for texts in shingles.chunks():
        values, starts = shingles.of(texts)
        for band, of_band in enumerate(factors):
            key = np.zeros(len(texts), dtype=np.uint64)
            for factor in of_band:
                key = _mixed(key + np.minimum.reduceat(values * factor, starts))
            keys[band, texts.start : texts.stop] = key
    return keys


def _join_equal(keys: Keys, parent: Numbers, shingles: _Shingles) -> None:
    """Join texts whose keys are equal and that are near duplicates; each is verified against the ten after it."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    for step in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
        roots = _roots(parent)
        one, two = order[:-step], order[step:]
        wanted = (ranked[:-step] == ranked[step:]) & (roots[one] != roots[two])
        for first, second in zip(one[wanted].tolist(), two[wanted].tolist(), strict=True):
            ends = _root(parent, first), _root(parent, second)
            if ends[0] != ends[1] and shingles.near(first, second):
                parent[max(ends)] = min(ends)


def _root(parent: Numbers, place: int) -> int:
    while parent[place] != place:
        place = int(parent[place])
    return place


def _roots(parent: Numbers) -> Numbers:
    """The root of every place; the places then point to their roots."""
    while True:
        above = parent[parent]
        if np.array_equal(above, parent):
            return parent
        parent[:] = above


def _numbered(texts: Sequence[str] | Sequence[Sequence[str]]) -> tuple[list[npt.NDArray[np.int32]], Keys]:
    """Each text as numbers of words, and a hash of each word that does not depend on the other texts."""
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    rows = []
    for text in texts:
        words = words_of(text) if isinstance(text, str) else words_of(" ".join(text))
        rows.append(np.fromiter(map(numbers.__getitem__, words or [""]), dtype=np.int32))
    coded = (blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest() for word in numbers)
    return rows, np.frombuffer(b"".join(coded), dtype="<u8").astype(np.uint64)


def _mixed(values: Keys) -> Keys:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Keys = values ^ (values >> np.uint64(31))
    return mixed


def _folded(text: str) -> str:
    """Without tags and case; letters with marks in one form, and Turkish i as others' i, for capitals lose the dot."""
    plain = _TAG.sub(" ", text) if "<" in text else text
    if plain.isascii():
        return plain.lower()
    return unicodedata.normalize("NFC", plain.casefold().replace("i\u0307", "i").replace("ı", "i"))


class _Signs(dict[int, str | None]):
    """A table for `str.translate`, which learns a character when it first comes."""

    def __init__(self, kept: str) -> None:
        """Let signs become spaces (``kept`` is empty) or words of their own (``kept`` is ``" {} "``)."""
        super().__init__({ord(sign): kept.format(sign) for sign in "'’"})
        self.sign = kept or " "

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        kind = unicodedata.category(letter)
        if kind == "Cf":  # soft hyphens, joiners
            found = None
        elif kind[0] in "LMN" or letter == "_":
            # a mark stays with its letter, be it of a script without spaces
            found = f" {letter}" if kind[0] == "L" and _SPACELESS.match(letter) else letter
        else:
            found = " " if kind[0] in "ZC" else self.sign.format(letter)
        self[code] = found
        return found


_WORDS, _TOKENS = _Signs(""), _Signs(" {} ")
