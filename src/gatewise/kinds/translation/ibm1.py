"""Translation word by word with a dictionary from IBM model 1, the alignment model of Brown et al. (1993)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError

__all__ = ["WordByWord", "join_words", "split_words"]

_WORD = re.compile(r"\w+(?:[-'’]\w+)*|[^\w\s]")
_NO_SPACE_BEFORE = frozenset(".,;:!?%)]}»”’…、。，！？")
_NO_SPACE_AFTER = frozenset("([{«“¿¡„")
_NULL = 0

Numbers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def split_words(text: str) -> list[str]:
    """Words and signs of a text.

    Example:
        >>> split_words("A dog's ball, red.")
        ['A', "dog's", 'ball', ',', 'red', '.']
    """
    return _WORD.findall(text)


def join_words(words: Sequence[str]) -> str:
    """Words and signs as a text: no space before a full stop, nor after an opening bracket.

    Example:
        >>> join_words(["Ein", "Hund", ",", "rot", "."])
        'Ein Hund, rot.'
    """
    pieces: list[str] = []
    for place, word in enumerate(words):
        if place and word not in _NO_SPACE_BEFORE and words[place - 1] not in _NO_SPACE_AFTER:
            pieces.append(" ")
        pieces.append(word)
    return "".join(pieces)


class WordByWord:
    """Each source word is replaced by its likeliest translation, in the order of the source.

    IBM model 1 gives t(f | e), the probability that source word e (or none) is translated by f, from sentence pairs by
    expectation maximisation::

        count(f, e) = sum over pairs of t(f | e) / sum over e' of the sentence of t(f | e')      t = normalised count

    A word whose likeliest translation "no word" explains better is left out; a word that was never seen stays as it is.
    With ``both_ways`` words are chosen by t(f | e) t(e | f), so that a dictionary entry has to hold in both directions.

    Args:
        iterations: of expectation maximisation.
        both_ways: see above.
        lowercase: whether source words that differ in case share one entry.
        leave_out: whether words are left out as above.

    Example:
        >>> sources, targets = ["the dog", "the cat", "a dog"], ["der Hund", "der Kater", "ein Hund"]
        >>> WordByWord(iterations=20).fit(sources, targets).translate(["a cat"])
        ['ein Kater']
    """

    def __init__(
        self, iterations: int = 5, *, both_ways: bool = False, lowercase: bool = False, leave_out: bool = True
    ) -> None:
        self.iterations, self.both_ways, self.lowercase = iterations, both_ways, lowercase
        self.leave_out = leave_out
        self._dictionary: dict[str, str] = {}
        self.parameters = 0

    def fit(self, sources: Sequence[str], targets: Sequence[str]) -> WordByWord:
        """Estimate the dictionary.

        Args:
            sources: N sentences.
            targets: their translations.

        Raises:
            DataError: no pair has words on both sides.
        """
        ours = [self._words(text) for text in sources]
        theirs = [split_words(text) for text in targets]
        source, source_words = _numbered(ours)
        target, target_words = _numbered(theirs)
        if len(source_words) < 2 or len(target_words) < 2:
            raise DataError("no sentence pair has words on both sides", expected="sentences and their translations")
        forward = _estimate(source, target, len(target_words), self.iterations)
        chances = forward.chances
        if self.both_ways:
            back = _estimate(target, source, len(source_words), self.iterations)
            chances = chances * back.of(forward.target, forward.source)
        self.parameters = len(chances)
        self._dictionary = _best(forward, chances, source_words, target_words, leave_out=self.leave_out)
        return self

    def translate(self, texts: Sequence[str]) -> list[str]:
        """The translation of each text."""
        found = []
        for text in texts:
            keys = self._words(text)
            words = [self._dictionary.get(key, word) for key, word in zip(keys, split_words(text), strict=True)]
            found.append(join_words([word for word in words if word]))
        return found

    def _words(self, text: str) -> list[str]:
        return [word.lower() for word in split_words(text)] if self.lowercase else split_words(text)


class _Table:
    """Probabilities of the word pairs that occur together: for each pair its source word, target word and chance."""

    def __init__(self, source: Numbers, target: Numbers, chances: Values, size: int) -> None:
        self.source, self.target, self.chances, self.size = source, target, chances, size

    def of(self, source: Numbers, target: Numbers) -> Values:
        """The chances of other pairs; 0 where they do not occur."""
        keys, wanted = self.source * self.size + self.target, source * self.size + target
        places = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        found: Values = np.where(keys[places] == wanted, self.chances[places], 0.0)
        return found


def _estimate(source: list[Numbers], target: list[Numbers], size: int, iterations: int) -> _Table:
    """IBM model 1: all pairs of words of all sentences at once, no loop over sentences in the iterations."""
    pairs, tokens, first = [], [], 0
    for ours, theirs in zip(source, target, strict=True):
        with_null = np.append(ours, _NULL)
        pairs.append((with_null[None, :] * size + theirs[:, None]).ravel())
        tokens.append(np.repeat(np.arange(first, first + len(theirs)), len(with_null)))
        first += len(theirs)
    keys, pair = np.unique(np.concatenate(pairs), return_inverse=True)
    token = np.concatenate(tokens)
    of_source, of_target = keys // size, keys % size
    chances = np.ones(len(keys))
    for _ in range(iterations):
        shares = chances[pair]
        shares /= np.bincount(token, weights=shares, minlength=first)[token]
        counts = np.bincount(pair, weights=shares, minlength=len(keys))
        chances = counts / np.bincount(of_source, weights=counts)[of_source]
    return _Table(of_source, of_target, chances, size)


def _best(
    table: _Table, chances: Values, source_words: list[str], target_words: list[str], *, leave_out: bool
) -> dict[str, str]:
    """The likeliest translation of each source word, the first on a tie; empty where the word is left out."""
    # by source word, then falling chance: the first row of each source word is its best
    order = np.lexsort((table.target, -chances, table.source))
    _, firsts = np.unique(table.source[order], return_index=True)
    null = table.of(np.full(len(target_words), _NULL), np.arange(len(target_words)))
    found = {}
    for row in order[firsts].tolist():
        source, target = int(table.source[row]), int(table.target[row])
        if source != _NULL:
            kept = not leave_out or table.chances[row] > null[target]
            found[source_words[source]] = target_words[target] if kept else ""
    return found


def _numbered(sentences: Sequence[Sequence[str]]) -> tuple[list[Numbers], list[str]]:
    """Sentences as numbers of words, 0 being no word, and the words."""
    numbers: dict[str, int] = {"": _NULL}
    rows = [np.array([numbers.setdefault(word, len(numbers)) for word in row], dtype=np.int64) for row in sentences]
    return rows, list(numbers)
