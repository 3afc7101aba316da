"""Words, characters and shapes of words by number, taken from the training part alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gatewise.errors import RunError
from gatewise.files import refuse_newer
from gatewise.kinds.tagging.sentences import TaggedSentences

__all__ = ["PADDING", "SHAPES", "UNKNOWN", "WordVocabulary", "normalise", "shape_of"]

PADDING, UNKNOWN = 0, 1
SHAPES = ("padding", "lower", "Capital", "CAPITALS", "miXed", "digits", "number", "lett3rs", "signs")
_FORMAT_VERSION = 1
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"[\d.,:/+%-]*\d[\d.,:/+%-]*")


def normalise(word: str) -> str:
    """The form under which a word is looked up: lower-cased, every digit as 0.

    Example:
        >>> normalise("Apollo-11")
        'apollo-00'
    """
    return _DIGIT.sub("0", word.lower())


def shape_of(word: str) -> int:
    """The class of a word's spelling, an index into `SHAPES`.

    Example:
        >>> [SHAPES[shape_of(word)] for word in ("the", "Bonn", "EU", "McRae", "1996", "1,119.0", "B2B", "--")]
        ['lower', 'Capital', 'CAPITALS', 'miXed', 'digits', 'number', 'lett3rs', 'signs']
    """
    if word.isdigit():
        return SHAPES.index("digits")
    if _NUMBER.fullmatch(word):
        return SHAPES.index("number")
    if _DIGIT.search(word):
        return SHAPES.index("lett3rs")
    if not any(sign.isalpha() for sign in word):
        return SHAPES.index("signs")
    if not any(sign.isupper() or sign.istitle() for sign in word):
        return SHAPES.index("lower")
    if word.isupper():
        return SHAPES.index("CAPITALS")
    first, rest = word[0], word[1:]
    return SHAPES.index("Capital" if first.isupper() and rest == rest.lower() else "miXed")


class WordVocabulary:
    """The words and characters that a model knows: 0 is padding, 1 is every other word.

    Args:
        words: normalised words by falling count.
        characters: characters by falling count, as they are written.
        first_rare: number of the first word that occurs once in the training part; all after it are as rare. In
            training these are sometimes replaced by the unknown word, so that its vector is trained.

    Example:
        >>> from gatewise.kinds.tagging.sentences import Sentence
        >>> read = TaggedSentences((Sentence(("The", "cat", "the", "hat"), ("O",) * 4, 1),), "a.txt")
        >>> vocabulary = WordVocabulary.fit(read)
        >>> vocabulary.words, vocabulary.first_rare, vocabulary.number("THE"), vocabulary.number("dog")
        (('the', 'cat', 'hat'), 3, 2, 1)
    """

    def __init__(self, words: Sequence[str], characters: Sequence[str], first_rare: int) -> None:
        self.words = tuple(words)
        self.characters = tuple(characters)
        self.first_rare = first_rare
        self._numbers = {word: number for number, word in enumerate(self.words, start=2)}
        self._characters = {sign: number for number, sign in enumerate(self.characters, start=2)}

    @classmethod
    def fit(cls, read: TaggedSentences, minimum_count: int = 1) -> WordVocabulary:
        """Count the training part.

        Args:
            read: the training sentences, and no others.
            minimum_count: rarer words are left out; characters that occur once always are.
        """
        forms = Counter(word for sentence in read.sentences for word in sentence.words)
        words, signs = Counter[str](), Counter[str]()
        for form, count in forms.items():
            words[normalise(form)] += count
            for sign in form:
                signs[sign] += count
        ranked = [word for word in _by_count(words) if words[word] >= minimum_count]
        first_rare = 2 + sum(words[word] > 1 for word in ranked)
        return cls(ranked, [sign for sign in _by_count(signs) if signs[sign] > 1], first_rare)

    @property
    def word_count(self) -> int:
        """Words with padding and the unknown one."""
        return len(self.words) + 2

    @property
    def character_count(self) -> int:
        """Characters with padding and the unknown one."""
        return len(self.characters) + 2

    def number(self, word: str) -> int:
        """The number of a word as it is written."""
        return self._numbers.get(normalise(word), UNKNOWN)

    def spell(self, word: str, most: int) -> list[int]:
        """The numbers of a word's characters; of a word longer than ``most`` its first and last halves."""
        if len(word) > most:
            word = word[: most - most // 2] + word[len(word) - most // 2 :]
        return [self._characters.get(sign, UNKNOWN) for sign in word]

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON."""
        return {
            "format_version": _FORMAT_VERSION,
            "words": list(self.words),
            "characters": list(self.characters),
            "first_rare": self.first_rare,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str = "the vocabulary") -> WordVocabulary:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged or from a newer version.

        Example:
            >>> WordVocabulary.from_dict(WordVocabulary(["the"], ["t"], 3).to_dict()).words
            ('the',)
        """
        version = record.get("format_version") if isinstance(record, Mapping) else None
        refuse_newer(record, _FORMAT_VERSION, place)
        lists = [record.get(name) if isinstance(record, Mapping) else None for name in ("words", "characters")]
        sound = version == _FORMAT_VERSION and isinstance(record.get("first_rare"), int)
        for each in lists:
            sound = sound and isinstance(each, list) and all(isinstance(entry, str) for entry in each)
            sound = sound and len(set(each or ())) == len(each or ())
        if not sound:
            raise RunError(f"{place} is damaged", expected="format_version, distinct words and characters, first_rare")
        return cls(record["words"], record["characters"], record["first_rare"])


def _by_count(counts: Counter[str]) -> list[str]:
    return sorted(counts, key=lambda each: (-counts[each], each))
